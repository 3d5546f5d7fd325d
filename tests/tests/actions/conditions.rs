//! Conditions as text, and conditions that are too long for one request.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

use crate::{assert_lines, line};

const PATIENTS: &str = "/integrations/rest/v3/tables/Patients/records";

#[tokio::test]
async fn text_is_parsed_and_only_what_is_understood_is_sent() {
    let site = Site::start().await;
    let nested = format!("{}PK_ID = 1{}", "(".repeat(40), ")".repeat(40));
    let hostile = "(".repeat(4096);
    let chain = vec!["PK_ID=1"; 360].join(" OR ");
    let not = format!("{}PK_ID = 1", "NOT ".repeat(1000));
    let conditions = [
        ("LastName = 'O''Hara' /* who */", "2"),
        ("Active = 1 AND (Balance > 100 OR LastName LIKE 'O%')", "1,2"),
        ("DateOfBirth BETWEEN '1980-01-01' AND '1989-12-31' -- eighties", "1"),
        ("LastName NOT IN ('Byron', 'O''Hara') AND PK_ID < 4", "3"),
        ("Balance IS NULL AND PK_ID < 4", "3"),
        ("1=1", "~compare no two constants"),
        ("LastName = 'x' OR 1=1", "~compare no two constants"),
        ("PK_ID IN (SELECT PatientId FROM Tasks)", "~sub-queries are not allowed"),
        ("LEN(LastName) > 3", "~functions are not allowed"),
        ("LastName = FirstName", "~can't be compared with another field"),
        ("LastName = 'x'; DELETE FROM Patients", "~after the condition there is more text"),
        ("Balance > 'much'", "~it is compared with a number"),
        ("Nope = 1", "~has no field 'Nope'"),
        (nested.as_str(), "~nested more than 32 deep"),
        (hostile.as_str(), "~can't be read as SQL"),
        (chain.as_str(), "1"),
        (not.as_str(), "~invalid"),
    ];
    let text: Vec<&str> = conditions.iter().map(|(text, _)| *text).collect();
    let manifest = ManifestBuilder::probe("probe", "condition")
        .setting("table", "Patients")
        .setting("where", &text.join(" | "))
        .grant("Patients", "read");
    let run = site.one_run(&manifest, &["succeeded"]).await;
    for (number, (text, answer)) in conditions.iter().enumerate() {
        let found = line(&run, &number.to_string());
        match answer.strip_prefix('~') {
            Some(part) => assert!(found.contains(part), "{text}: {found}"),
            None => assert_eq!(found, *answer, "{text}"),
        }
    }
    // Five, and the long chain in its parts.
    let sent = site.account.calls("GET", PATIENTS).await;
    assert!((6..=9).contains(&sent), "what is refused is not sent: {sent}");
}

#[tokio::test]
async fn long_criteria_are_split_where_that_means_the_same() {
    let site = Site::start().await;
    let rows: Vec<_> =
        (0..10).map(|n| json!({"Title": format!("a value with its number {:05}", n * 90)})).collect();
    site.account.insert("Tasks", json!(rows)).await;
    let manifest = ManifestBuilder::probe("probe", "long-criteria")
        .setting("table", "Tasks")
        .setting("field", "Title")
        .grant("Tasks", "read update");
    let run = site.one_run(&manifest, &["succeeded"]).await;
    // Ten tasks behind the one of the seed: 0, 90, 180, … of which five are below 400, nine below 800.
    assert_lines(
        &run,
        &[
            ("list", "5"),
            ("and", "4"),
            ("or", "9"),
            ("limit", "5"),
            ("not", "~more than 2,047 characters"),
            ("sorted", "~leave the order out"),
            ("count", "~more than 2,047 characters"),
            ("update", "3"),
        ],
    );
    let changed = site.account.rows("Tasks").await;
    assert_eq!(changed.iter().filter(|row| row["Title"] == "changed").count(), 3);
}
