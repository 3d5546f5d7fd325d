//! The text of criteria: the cases, and hostile values against a reader of SQL's literals.

use super::*;
use crate::caspio::tests::nasty::Nasty;
use crate::caspio::tests::schema;

fn compare_to(field: &str, operator: Operator) -> Criteria {
    Criteria::Compare { field: field.to_owned(), operator }
}

fn text(criteria: &Criteria) -> Result<String, CaspioError> {
    where_text(criteria, &schema())
}

fn one(field: &str, operator: Operator) -> Result<String, CaspioError> {
    text(&compare_to(field, operator))
}

fn t(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[test]
fn values_are_written_by_the_fields_type() {
    use Operator::*;
    for (field, operator, expected) in [
        ("email", Equals(t("O'Brien")), "Email='O''Brien'"),
        ("Email", Equals(t("é")), "Email=N'é'"),
        ("Email", Equals(t("")), "Email=''"),
        ("Email", Equals(Value::Integer(5)), "Email='5'"),
        ("Email", Equals(Value::Null), "Email IS NULL"),
        ("Email", NotEquals(Value::Null), "Email IS NOT NULL"),
        ("Email", NotEquals(t("a")), "Email <> 'a'"),
        ("Odd [name]", Equals(t("a")), "[Odd [name]]]='a'"),
        ("pk_id", Equals(Value::Integer(7)), "PK_ID=7"),
        ("Visits", Less(Value::Integer(-1)), "Visits < -1"),
        ("Visits", LessOrEqual(t("007")), "Visits <= 7"),
        ("Balance", Greater(Value::Decimal("12.50".to_owned())), "Balance > 12.50"),
        ("Score", GreaterOrEqual(Value::Number(1e300)), "Score >= 1e300"),
        ("Active", Equals(Value::Boolean(true)), "Active=1"),
        ("Active", NotEquals(t("No")), "Active <> 0"),
        ("Born", Equals(Value::Date("2024-01-31".to_owned())), "Born='2024-01-31'"),
        (
            "Born",
            Less(Value::DateTime("2024-01-31 10:00:00.5".to_owned())),
            "Born < '2024-01-31T10:00:00.500'",
        ),
        ("Created", Greater(t("2024-01-31T00:00:00")), "Created > '2024-01-31'"),
        ("Email", Contains("50%_[a]'".to_owned()), "Email LIKE '%50[%][_][[]a]''%'"),
        ("Email", StartsWith("ü".to_owned()), "Email LIKE N'ü%'"),
        ("Visits", AnyOf(vec![]), "1=0"),
        ("Visits", AnyOf(vec![Value::Integer(1)]), "Visits=1"),
        ("Visits", AnyOf(vec![Value::Integer(1), t("1"), Value::Integer(2)]), "Visits IN (1,2)"),
        ("Visits", AnyOf(vec![Value::Null]), "Visits IS NULL"),
        ("Visits", AnyOf(vec![Value::Null, Value::Integer(3)]), "(Visits=3 OR Visits IS NULL)"),
        ("Email", IsEmpty, "(Email IS NULL OR Email = '')"),
        ("Email", IsNotEmpty, "(Email IS NOT NULL AND Email <> '')"),
        ("Visits", IsEmpty, "Visits IS NULL"),
        ("Born", IsNotEmpty, "Born IS NOT NULL"),
    ] {
        assert_eq!(one(field, operator).expect(expected), expected);
    }
}

#[test]
fn trees_are_parenthesised() {
    let a = || compare_to("Visits", Operator::Equals(Value::Integer(1)));
    let b = || compare_to("Active", Operator::Equals(Value::Boolean(true)));
    for (tree, expected) in [
        (Criteria::All(vec![]), "1=1"),
        (Criteria::Any(vec![]), "1=0"),
        (Criteria::All(vec![a()]), "Visits=1"),
        (Criteria::All(vec![a(), Criteria::Any(vec![a(), b()])]), "(Visits=1 AND (Visits=1 OR Active=1))"),
        (Criteria::Not(Box::new(Criteria::Any(vec![a(), b()]))), "NOT ((Visits=1 OR Active=1))"),
        (Criteria::Not(Box::new(Criteria::All(vec![]))), "NOT (1=1)"),
    ] {
        assert_eq!(text(&tree).expect(expected), expected);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    use Operator::*;
    for (field, operator) in [
        ("Visits", Equals(t("1 OR 1=1"))),
        ("Visits", Equals(Value::Decimal("1;--".to_owned()))),
        ("Visits", Equals(Value::Boolean(true))),
        ("Visits", Equals(Value::Number(f64::NAN))),
        ("Visits", Contains("1".to_owned())),
        ("Visits", Less(Value::Null)),
        ("Active", Equals(t("maybe"))),
        ("Born", Equals(t("2024-01-31' OR '1'='1"))),
        ("Born", Equals(t("2024-02-30"))),
        ("Email", Equals(Value::Bytes(vec![0]))),
        ("Email", Equals(Value::Choices(vec![]))),
        ("Email", Equals(t("nul\0"))),
        ("Email", Contains("line\\\nbreak".to_owned())),
        ("Languages", Equals(t("English"))),
        ("Languages", IsEmpty),
        ("Secret", IsEmpty),
        ("Photo", IsEmpty),
    ] {
        let error = one(field, operator).expect_err(field);
        assert_eq!(error.code(), "invalid", "{error}");
        assert!(error.to_string().contains(field), "{error}");
        assert!(!error.to_string().contains("OR"), "no value in it: {error}");
    }
    let unknown = one("Email=1 OR Email", Operator::IsEmpty).expect_err("unknown");
    assert!(unknown.code() == "not-found" && unknown.is_about_schema());
}

#[test]
fn the_depth_is_bounded() {
    let nested = |depth: usize| {
        (1..depth).fold(compare_to("Visits", Operator::IsEmpty), |inner, n| {
            if n % 2 == 0 { Criteria::Not(Box::new(inner)) } else { Criteria::All(vec![inner]) }
        })
    };
    assert!(text(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(text(&nested(MAX_DEPTH + 1)).expect_err("too deep").code(), "invalid");
}

/// What SQL Server reads: tokens, literals as their values.
#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Literal(String),
    Sign(char),
}

fn tokens(sql: &str) -> Vec<Token> {
    let chars: Vec<char> = sql.chars().collect();
    let (mut at, mut tokens) = (0, Vec::new());
    while let Some(&c) = chars.get(at) {
        at += 1;
        if c == '\'' || (c == 'N' && chars.get(at) == Some(&'\'')) {
            if c == 'N' {
                at += 1;
            }
            let mut value = String::new();
            loop {
                match (chars.get(at), chars.get(at + 1)) {
                    (Some('\''), Some('\'')) => {
                        value.push('\'');
                        at += 2;
                    }
                    (Some('\''), _) => {
                        at += 1;
                        break;
                    }
                    (Some(&c), _) => {
                        value.push(c);
                        at += 1;
                    }
                    (None, _) => panic!("an open literal"),
                }
            }
            tokens.push(Token::Literal(value));
        } else if c.is_alphanumeric() || c == '_' {
            let mut word = String::from(c);
            while let Some(&c) = chars.get(at).filter(|c| c.is_alphanumeric() || **c == '_') {
                word.push(c);
                at += 1;
            }
            tokens.push(Token::Word(word));
        } else if c != ' ' {
            tokens.push(Token::Sign(c));
        }
    }
    tokens
}

/// What a LIKE pattern means, when it has no wildcards but those the client puts around it.
fn unescaped(pattern: &str) -> Option<String> {
    let (mut out, mut rest) = (String::new(), pattern);
    while let Some(c) = rest.chars().next() {
        let escaped = ["[%]", "[_]", "[[]"].into_iter().find(|e| rest.starts_with(e));
        match (escaped, c) {
            (Some(e), _) => {
                out.push_str(&e[1..2]);
                rest = &rest[3..];
            }
            (None, '%' | '_' | '[') => return None,
            (None, c) => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    Some(out)
}

#[test]
fn a_hostile_text_is_always_one_literal_with_its_value() {
    let mut nasty = Nasty::new(20_261_124);
    for round in 0..20_000 {
        let value = nasty.text(12);
        let swallowed = Nasty::is_refused(&value);
        let equals = one("Email", Operator::Equals(t(&value)));
        let contains = one("Email", Operator::Contains(value.clone()));
        if swallowed {
            assert!(equals.is_err());
            continue;
        }
        let read = tokens(&equals.expect("written"));
        let word = |w: &str| Token::Word(w.to_owned());
        assert_eq!(read, [word("Email"), Token::Sign('='), Token::Literal(value.clone())], "round {round}");

        let read = tokens(&contains.expect("written"));
        let [email, like, Token::Literal(pattern)] = read.as_slice() else {
            panic!("round {round}: {read:?}")
        };
        assert_eq!((email, like), (&word("Email"), &word("LIKE")));
        let inner = pattern.strip_prefix('%').and_then(|p| p.strip_suffix('%')).expect("wildcards around");
        assert_eq!(unescaped(inner).as_deref(), Some(value.as_str()), "round {round}");

        // Elsewhere it is refused, or read as the digits or date that it is.
        for field in ["Visits", "Active", "Born"] {
            if let Ok(sql) = one(field, Operator::Equals(t(&value))) {
                assert_eq!(tokens(&sql).len(), 3, "{sql}");
                assert!(sql.is_ascii() && !sql.contains(' '), "{sql}");
            }
        }
        assert!(value == "PK_ID" || one(&value, Operator::IsEmpty).is_err(), "no field has such a name");
    }
}

#[test]
fn ids_are_split_to_fit_and_none_is_lost() {
    for count in [1, 2, 63, 64, 65, 700, 10_000] {
        let ids: Vec<i64> = (0..count).map(|n| n * 7919 + 1).collect();
        let parts = InList::of_pk_ids(&ids).split(&|text| text.len() <= 200).expect("split");
        assert!(parts.iter().all(|part| part.len() <= 200));
        let read: Vec<i64> = parts
            .iter()
            .flat_map(|part| tokens(part))
            .filter_map(|token| match token {
                Token::Word(word) => word.parse().ok(),
                _ => None,
            })
            .collect();
        assert_eq!(read, ids);
    }
    assert_eq!(InList::of_pk_ids(&[5]).split(&|_| true).expect("one"), ["PK_ID=5"]);
    assert!(InList::of_pk_ids(&[5]).split(&|_| false).is_none());
}
