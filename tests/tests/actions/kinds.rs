//! Every type of field, both ways.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

use crate::{assert_lines, line};

async fn site() -> Site {
    let site = Site::start().await;
    let fields = json!([
        {"Name": "Short", "Type": "STRING"},
        {"Name": "Long", "Type": "TEXT"},
        {"Name": "Number", "Type": "NUMBER"},
        {"Name": "Whole", "Type": "INTEGER"},
        {"Name": "Money", "Type": "CURRENCY"},
        {"Name": "Yes", "Type": "YES/NO"},
        {"Name": "Day", "Type": "DATE/TIME"},
        {"Name": "Words", "Type": "LIST-STRING", "ListField": ["Cat", "Dog", "O'Hara"]},
        {"Name": "Numbers", "Type": "LIST-NUMBER", "ListField": [10, 20.5]},
        {"Name": "Days", "Type": "LIST-DATE/TIME", "ListField": ["2026-01-02", "2026-03-04"]},
        {"Name": "Auto", "Type": "AUTONUMBER", "Unique": true},
        {"Name": "Id", "Type": "GUID", "Unique": true},
        {"Name": "Random", "Type": "RANDOM ID", "Unique": true},
        {"Name": "Prefixed", "Type": "PREFIXED AUTONUMBER", "Unique": true, "Prefix": "P-", "Format": "001"},
        {"Name": "Stamp", "Type": "TIMESTAMP", "OnInsert": true, "TimeZone": "(UTC-05:00) Eastern Time (US & Canada)"},
        {"Name": "Secret", "Type": "PASSWORD"},
        {"Name": "Scan", "Type": "ATTACHMENT"},
    ]);
    let (status, answer) =
        site.account.rest("POST", "tables", json!({"Name": "Kinds", "Fields": fields})).await;
    assert_eq!(status, 201, "{answer}");
    site
}

#[tokio::test]
async fn every_type_is_written_found_and_read() {
    let site = site().await;
    let manifest = ManifestBuilder::probe("probe", "kinds").grant("Kinds", "read create update");
    let run = site.one_run(&manifest, &["succeeded"]).await;
    for call in ["made", "read"] {
        let row = line(&run, call);
        for part in [
            "PK_ID=1,",
            "Short=Zoë's \"one\"",
            "Long=two\\nlines",
            "Number=12.5",
            "Whole=-7",
            "Money=922337203685477.5807",
            "Yes=true",
            "Day=2026-02-10T00:00:00",
            "Words=2=Dog+3=O'Hara",
            "Numbers=2=20.5",
            "Days=2=2026-03-04",
            "Auto=1",
            "Prefixed=P-001",
            "Stamp=20",
        ] {
            assert!(row.contains(part), "{call}, {part}: {row}");
        }
        assert!(!row.contains("Secret"), "{row}");
    }
    for name in ["short", "number", "whole", "money", "yes", "day", "auto", "id", "stamp", "like"] {
        assert_eq!(line(&run, &format!("find {name}")), "1", "{name}");
    }
    let own = "~Caspio writes it itself";
    assert_lines(
        &run,
        &[
            ("find words", "~does not compare or sort fields of this type"),
            ("find empty", "0"),
            ("write Number", "~it takes a number"),
            ("write Whole", "~it takes a whole number"),
            ("write Money", "~it holds four decimals"),
            ("write Yes", "~it takes yes or no"),
            ("write Day", "~it takes a date (YYYY-MM-DD)"),
            ("write Words", "~none of the field's"),
            ("write Auto", own),
            ("write Id", own),
            ("write Stamp", own),
            ("write Random", own),
            ("write Prefixed", own),
            ("write Scan", own),
            ("write Secret", "~passwords are no business of workflows"),
            ("write PK_ID", "~Caspio gives it"),
            ("write Formula", "~has no field 'Formula'"),
            ("unset", "~Short=,"),
            ("unset", "~Number=-,Whole=-,Money=-,Yes=true,Day=-,Words=-,Numbers=-,Days=-"),
            ("found empty", "1"),
            ("zone", "(UTC-05:00) Eastern Time (US & Canada)"),
            ("choices", "Cat,Dog,O'Hara"),
        ],
    );
}

/// A field that is newer than what the host knows of the table.
#[tokio::test]
async fn a_new_field_is_known_at_its_first_use() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("probe", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title");
    let run = site.one_run(&manifest, &["succeeded"]).await;
    assert_eq!(run["steps"][0]["outcome"], "ok");
    let (status, answer) =
        site.account.rest("POST", "tables/Tasks/fields", json!({"Name": "Fresh", "Type": "STRING"})).await;
    assert_eq!(status, 201, "{answer}");
    site.deploy(&manifest.setting("unused", "x")).await.ok();
    let fresh = ManifestBuilder::probe("fresh", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Fresh");
    site.deploy(&fresh).await.ok();
    site.account.add_patient("Grace").await;
    let runs = site.until_runs(3, &["succeeded"]).await;
    assert!(runs.iter().any(|run| run["workflow"] == "fresh"), "{runs:#?}");
    assert!(site.account.rows("Tasks").await.iter().any(|row| row["Fresh"] == "5"));
    // Known at deploy of neither, asked for the first create, and once more for the new field.
    assert_eq!(site.account.calls("GET", "/integrations/rest/v3/tables/Tasks/fields").await, 2);
}
