//! Fields become values of their type, and keep their digits.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::{Value, json};

use crate::site_with;

/// A field a type, as Caspio has them.
async fn table_of_all_types(site: &Site) {
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
        {"Name": "Stamp", "Type": "TIMESTAMP", "OnInsert": true, "TimeZone": "(UTC+00:00) Coordinated Universal Time"},
    ]);
    let (status, answer) =
        site.account.rest("POST", "tables", json!({"Name": "Kinds", "Fields": fields})).await;
    assert_eq!(status, 201, "{answer}");
}

fn values() -> ManifestBuilder {
    let trigger = "[[trigger]]\nevent = \"record-insert\"\ntable = \"Kinds\"\n";
    ManifestBuilder::probe("probe", "values").triggers(trigger)
}

fn line<'a>(result: &'a str, field: &str) -> &'a str {
    let found = result.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {field}: {result}"))
}

fn filled() -> Value {
    json!({
        "Short": "Zoë \"O'Hara\"", "Long": "two\nlines", "Number": 12.5, "Whole": -7, "Money": 0.1,
        "Yes": true, "Day": "2026-02-10T09:30:00", "Words": ["Dog", "O'Hara"], "Numbers": [2], "Days": ["2026-03-04"],
    })
}

#[tokio::test]
async fn every_type_of_field_has_its_value() {
    let site = Site::start().await;
    table_of_all_types(&site).await;
    site.deploy(&values()).await.ok();
    site.account.insert("Kinds", filled()).await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    let result = run["result"].as_str().unwrap();
    assert_eq!(line(result, "PK_ID"), "integer 1");
    assert_eq!(line(result, "Short"), "text Zoë \"O'Hara\"");
    assert!(line(result, "Long").starts_with("text two"));
    assert_eq!(line(result, "Number"), "decimal 12.5");
    assert_eq!(line(result, "Whole"), "integer -7");
    assert!(["decimal 0.1", "decimal 0.10", "decimal 0.1000"].contains(&line(result, "Money")), "{result}");
    assert_eq!(line(result, "Yes"), "boolean true");
    assert_eq!(line(result, "Day"), "date-time 2026-02-10T09:30:00");
    assert_eq!(line(result, "Words"), "choices 2=Dog,3=O'Hara");
    assert_eq!(line(result, "Numbers"), "choices 2=20.5");
    assert!(line(result, "Days").starts_with("choices 2=2026-03-04"), "{result}");
    assert_eq!(line(result, "Auto"), "integer 1");
    assert!(line(result, "Id").starts_with("text "), "{result}");
    assert!(line(result, "Stamp").starts_with("date-time 20"), "{result}");
}

#[tokio::test]
async fn unset_fields_are_null_and_unset_text_is_empty() {
    let site = Site::start().await;
    table_of_all_types(&site).await;
    site.deploy(&values()).await.ok();
    site.account.insert("Kinds", json!({"Short": ""})).await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    let result = run["result"].as_str().unwrap();
    assert_eq!(line(result, "Short"), "text ");
    for field in ["Number", "Whole", "Money", "Day", "Words", "Numbers", "Days"] {
        assert_eq!(line(result, field), "null ", "{field}");
    }
    assert_eq!(line(result, "Yes"), "boolean false");
}

/// A message with a template writes every value as text; the types come from the schema.
#[tokio::test]
async fn values_that_come_as_text_get_their_type() {
    let site = Site::start().await;
    table_of_all_types(&site).await;
    site.deploy(&values()).await.ok();
    let hook = site.account.webhooks().await.remove(0);
    let event = hook["Events"][0]["Id"].as_str().unwrap().to_owned();
    let fields = ["PK_ID", "Short", "Number", "Whole", "Money", "Yes", "Day"];
    let row: Vec<String> = fields.iter().map(|f| format!("'{f}': '[@field:{f}/]'")).collect();
    let words: Vec<String> =
        ["secret", "messageId", "webhookId", "eventId", "eventDate", "eventType", "objectName"]
            .iter()
            .map(|w| format!("'{w}': '[@out-hook:{w}]'"))
            .collect();
    let template = format!("{{{}, 'data': [{{{}}}]}}", words.join(", "), row.join(", "));
    let body = json!({
        "EventType": "table.recordInsert", "ObjectName": "Kinds", "CustomPayloadTemplate": template, "Enabled": true,
    });
    let path = format!("outgoingWebhooks/{}/events/{event}", hook["Id"].as_str().unwrap());
    let (status, answer) = site.account.rest("PUT", &path, body).await;
    assert_eq!(status, 200, "{answer}");
    site.account.insert("Kinds", filled()).await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(run["pk_id"], 1);
    let result = run["result"].as_str().unwrap();
    for expected in [
        "PK_ID integer 1",
        "Short text Zoë \"O'Hara\"",
        "Number decimal 12.5",
        "Whole integer -7",
        "Yes boolean true",
        "Day date-time 2026-02-10T09:30:00",
    ] {
        assert!(result.lines().any(|line| line == expected), "{expected}: {result}");
    }
    assert!(line(result, "Money").starts_with("decimal 0.1"), "{result}");
}

#[tokio::test]
async fn numbers_keep_their_digits() {
    let (site, delivery) = site_with("values").await;
    let digits = [
        "120.5000",
        "0.1000000000000000055511151231257827",
        "-922337203685477.5808",
        "12345678901234567890123.45",
    ];
    let mut bodies = Vec::new();
    for (n, text) in digits.iter().enumerate() {
        let id = format!("m-{n}");
        let body = delivery.message(&id, json!([{"PK_ID": n, "Balance": 0}])).to_string();
        bodies.push(body.replace("\"Balance\":0", &format!("\"Balance\":{text}")));
        bodies.push(bodies[2 * n].replace(&id, &format!("t-{n}")).replace(text, &format!("\"{text}\"")));
    }
    for body in &bodies {
        let signature = caspian_e2e::sign(&delivery.secret, body.as_bytes());
        assert_eq!(delivery.send(body.clone(), &[("x-caspio-signature", &signature)]).await, 200);
    }
    let runs = site.until_runs(bodies.len(), &["succeeded"]).await;
    for run in &runs {
        let n = usize::try_from(run["pk_id"].as_i64().unwrap()).unwrap();
        assert_eq!(line(run["result"].as_str().unwrap(), "Balance"), format!("decimal {}", digits[n]));
    }
}

#[tokio::test]
async fn a_value_that_does_not_fit_its_field_is_kept_as_text() {
    let (site, delivery) = site_with("values").await;
    let row = json!({
        "PK_ID": 1, "Balance": "a lot", "Active": "perhaps", "DateOfBirth": "long ago", "Languages": {"x": "English"},
        "FirstName": 5,
    });
    assert_eq!(delivery.send_signed(&delivery.message("m-1", json!([row]))).await, 200);
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    let result = run["result"].as_str().unwrap();
    for expected in
        ["Balance text a lot", "Active text perhaps", "DateOfBirth text long ago", "FirstName text 5"]
    {
        assert!(result.lines().any(|line| line == expected), "{expected}: {result}");
    }
    assert!(line(result, "Languages").starts_with("text "));
}

#[tokio::test]
async fn a_patient_of_caspios_arrives_typed() {
    let (site, _) = site_with("values").await;
    let row = json!({
        "FirstName": "Ada", "DateOfBirth": "1985-12-10", "Active": true, "Balance": 120.5, "Languages": ["French"],
    });
    site.account.insert("Patients", row).await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    let result = run["result"].as_str().unwrap();
    assert!(line(result, "DateOfBirth").contains("1985-12-10"), "{result}");
    assert!(line(result, "Balance").starts_with("decimal 120.5"), "{result}");
    assert_eq!(line(result, "Languages"), "choices 3=French");
    assert_eq!(line(result, "Active"), "boolean true");
}
