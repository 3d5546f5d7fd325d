use super::*;
use crate::caspio::criteria::where_text;
use crate::caspio::tests::schema;

fn printed(text: &str) -> String {
    let tree = parse_criteria(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    where_text(&tree, &schema()).unwrap_or_else(|why| panic!("{text}: {why}"))
}

#[test]
fn what_is_understood_is_printed_anew() {
    for (text, sent) in [
        ("email='a@b'", "Email='a@b'"),
        ("[Odd [name]]] = N'x'", "[Odd [name]]]='x'"),
        ("Visits>= 3 /* all */ AND -- then\n visits <10", "(Visits >= 3 AND Visits < 10)"),
        ("3 < Visits", "Visits > 3"),
        ("Balance = -12.50", "Balance=-12.50"),
        ("Active = 1", "Active=1"),
        ("Active = true", "Active=1"),
        ("Born BETWEEN '2020-01-01' AND '2020-12-31'", "(Born >= '2020-01-01' AND Born <= '2020-12-31')"),
        (
            "Born NOT BETWEEN '2020-01-01' AND '2020-12-31'",
            "NOT ((Born >= '2020-01-01' AND Born <= '2020-12-31'))",
        ),
        ("Visits IN (1, 2,3)", "Visits IN (1,2,3)"),
        ("Visits NOT IN (1)", "NOT (Visits=1)"),
        ("Notes LIKE '%x[a-c]_'", "Notes LIKE '%x[a-c]_'"),
        ("Notes NOT LIKE N'Zoë%'", "NOT (Notes LIKE N'Zoë%')"),
        ("Notes IS NULL OR Notes = ''", "(Notes IS NULL OR Notes='')"),
        ("Born IS NOT NULL", "Born IS NOT NULL"),
        (
            "NOT (Email = 'a' OR Email = 'b') AND Visits <> 0",
            "(NOT ((Email='a' OR Email='b')) AND Visits <> 0)",
        ),
        ("Email = 'O''Hara; DROP TABLE x --'", "Email='O''Hara; DROP TABLE x --'"),
        ("Visits != 1", "Visits <> 1"),
        ("((PK_ID = 5))", "PK_ID=5"),
    ] {
        assert_eq!(printed(text), sent, "{text}");
    }
}

#[test]
fn all_else_is_refused_without_repeating_it() {
    for text in [
        "",
        "canary",
        "1=1",
        "'canary'='canary'",
        "Email = Notes",
        "Email = \"canary\"",
        "\"Email\" = 'canary'",
        "T.Email = 'canary'",
        "Email = 'canary' ; DELETE FROM Patients",
        "Email = 'canary') OR (1=1",
        "Email = 'canary' OR 1=1",
        "PK_ID IN (SELECT PK_ID FROM Other)",
        "Visits = (SELECT MAX(Visits) FROM Other)",
        "EXISTS (SELECT 1 FROM Other)",
        "Born < GETDATE()",
        "LEN(Email) > 3",
        "LOWER(Email) = 'canary'",
        "CAST(Visits AS varchar) = 'canary'",
        "CONVERT(varchar, Visits) = 'canary'",
        "Visits + 1 = 2",
        "Visits = 1 + 1",
        "CASE WHEN Visits = 1 THEN 1 ELSE 0 END = 1",
        "Email LIKE '%!%' ESCAPE '!'",
        "Email = NULL",
        "Visits NOT IN (1, NULL)",
        "Email = '",
        "Email = @x",
        "Email = X'00'",
        "Email COLLATE Latin1_General_BIN = 'canary'",
        "Email IS DISTINCT FROM 'canary'",
        "Email = 'canary",
        "Visits = - 'canary'",
        "Visits = ((((1))))",
        "Email = ANY (SELECT Email FROM Other)",
        "(Email, Notes) = ('a', 'b')",
        "Email = 'a' XOR Email = 'b'",
    ] {
        let why = parse_criteria(text).expect_err(text);
        assert!(!why.contains("canary"), "{text}: {why}");
    }
    let deep = format!("{}Visits=1{}", "(".repeat(40), ")".repeat(40));
    assert!(parse_criteria(&deep).expect_err("deep").contains("32") || deep.len() > 4096);
    assert!(parse_criteria(&"Visits=1 OR ".repeat(400)).expect_err("long").contains("4,096"));
}

#[test]
fn unknown_fields_and_unfit_values_are_found_when_it_is_printed() {
    for text in ["Nope = 1", "Visits = 'many'", "Active = 2", "Born > '01/31/2020'", "Languages = 'English'"]
    {
        let tree = parse_criteria(text).expect(text);
        assert!(where_text(&tree, &schema()).is_err(), "{text}");
    }
}

#[test]
fn a_long_chain_is_no_deep_tree() {
    let text = vec!["Visits=1"; 300].join(" OR ");
    let tree = parse_criteria(&text).expect("a chain");
    assert!(matches!(&tree, Criteria::Any(list) if list.len() == 300));
}
