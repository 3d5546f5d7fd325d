//! The knobs: that the README lists them, and that those that no other test turns have an effect.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Tests.

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use caspio_emulator::Settings;
use common::{Caspio, Receiver};
use reqwest::Method;
use serde_json::{Value, json};

const TASKS: &str = "/tables/Tasks/records";

/// Names and defaults of all knobs; members of a knob as `Knob.Member`.
fn defaults() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (name, value) in serde_json::to_value(Settings::default()).unwrap().as_object().unwrap() {
        match value {
            Value::Object(members) => {
                all.extend(members.iter().map(|(member, value)| (format!("{name}.{member}"), value.clone())));
            }
            _ => {
                all.insert(name.clone(), value.clone());
            }
        }
    }
    all
}

#[test]
fn the_readme_lists_every_knob_with_its_default() {
    let readme = include_str!("../README.md");
    let section =
        readme.split("\n## Knobs\n").nth(1).expect("a section Knobs").split("\n## ").next().unwrap();
    let listed: BTreeMap<String, Value> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let default = cells[1].trim_matches('`');
            let default = serde_json::from_str(default).unwrap_or_else(|_| panic!("{line}: no JSON"));
            assert!(cells[2].len() > 5, "{line}");
            (cells[0].trim_matches('`').to_owned(), default)
        })
        .collect();
    assert_eq!(listed, defaults());
}

#[test]
fn a_knob_is_set_by_a_line_of_text() {
    let settings = Settings::default();
    for (line, name, expected) in [
        ("BatchMode=MessagePerOperation", "/BatchMode", json!("MessagePerOperation")),
        ("RateLimit=null", "/RateLimit", Value::Null),
        ("Signature.Header=X-Sig", "/Signature/Header", json!("X-Sig")),
        ("Network.DropAfter=0.25", "/Network/DropAfter", json!(0.25)),
        ("RetryDelaysMillis=[5,10]", "/RetryDelaysMillis", json!([5, 10])),
        ("EventDateSuffix=Z", "/EventDateSuffix", json!("Z")),
    ] {
        let set = serde_json::to_value(settings.set(line).unwrap()).unwrap();
        assert_eq!(set.pointer(name), Some(&expected), "{line}");
    }
    let off = settings.set("Signature=null").unwrap().set("Signature.KeyForm=Hex").unwrap();
    assert!(
        off.signature.is_some_and(|how| how.header == "X-Caspio-Signature"),
        "the other members are defaults"
    );
    for line in ["BatchMode", "BatchMode=Never", "Nothing=1", "Signature.Colour=red"] {
        assert!(settings.set(line).is_err(), "{line}");
    }
}

#[tokio::test]
async fn how_values_are_written_and_read() {
    let caspio = Caspio::start().await;
    let languages = async |value: Value| {
        let body = json!({"Languages": value});
        caspio.put("/tables/Patients/records", &[("q.where", "PK_ID=1")], body).await.status
    };
    let forms = [json!("[1], [2]"), json!([1, 2]), json!(["English"])];
    for (at, name) in ["BracketedIds", "Ids", "Texts"].into_iter().enumerate() {
        caspio.settings(json!({"ListForms": [name]})).await;
        for (other, form) in forms.iter().enumerate() {
            let expected = if at == other { 200 } else { 400 };
            assert_eq!(languages(form.clone()).await, expected, "{name}: {form}");
        }
    }
    caspio.settings(json!({"UnsetNumbers": "EmptyText", "AttachmentValues": "Null"})).await;
    let rows = caspio.get("/tables/Patients/records", &[("q.where", "PK_ID=3")]).await;
    assert_eq!(rows.rows()[0]["Balance"], "");
    let rows = caspio.get("/tables/Documents/records", &[("q.where", "PK_ID=1")]).await;
    assert_eq!(rows.rows()[0]["Scan"], Value::Null);
    let rows = caspio.get("/views/PatientDocuments/records", &[("q.where", "PK_ID='1,1'")]).await;
    assert_eq!(rows.rows()[0]["Scan"], Value::Null);
}

#[tokio::test]
async fn what_a_message_may_look_like() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    caspio
        .settings(json!({
            "TestMessage": true, "ByteOrderMark": true, "EventDateSuffix": "Z",
            "EventSources": ["Datasheet", "RESTAPIs"]
        }))
        .await;
    let hook =
        caspio.hook(&receiver.url, json!({"EventType": "table.recordInsert", "ObjectName": "Tasks"})).await;
    caspio.settled().await;
    caspio.post(TASKS, &[], json!({"Title": "t"})).await;
    caspio.settled().await;
    let got = receiver.got();
    let bodies: Vec<Value> = got
        .iter()
        .map(|call| serde_json::from_slice(call.raw.strip_prefix("\u{feff}".as_bytes()).unwrap()).unwrap())
        .collect();
    assert_eq!((&bodies[0]["eventType"], bodies[0].get("data")), (&json!("webhook.test"), None));
    assert_eq!(bodies[1]["data"][0]["Title"], "t");
    assert!(bodies[1]["eventDate"].as_str().unwrap().ends_with('Z'));

    let path = format!("/outgoingWebhooks/{}/events", hook.body["Id"].as_str().unwrap());
    let event =
        json!({"EventType": "table.recordDelete", "ObjectName": "Tasks", "EventSources": ["DataParts"]});
    assert_eq!(caspio.post(&path, &[], event).await.status, 400, "only the contract's sources");
}

#[tokio::test]
async fn download_urls_in_messages() {
    let caspio = Caspio::start().await;
    let receiver = Receiver::start().await;
    let template = "{'name': '[@field:Scan]', 'url': '[@field:Scan/]', 'data': [{'PK_ID': [@field:PK_ID]}]}";
    let event = json!({
        "EventType": "table.recordUpdate", "ObjectName": "Documents", "CustomPayloadTemplate": template
    });
    caspio.hook(&receiver.url, event).await;
    let touch = async |title: &str| {
        let body = json!({"Title": title});
        caspio.put("/tables/Documents/records", &[("q.where", "PK_ID=1")], body).await;
        caspio.settled().await;
        let body = receiver.got().last().unwrap().body.clone();
        assert_eq!(body["name"], "consent.txt");
        reqwest::get(body["url"].as_str().unwrap()).await.unwrap()
    };
    let file = touch("a").await;
    assert_eq!(file.text().await.unwrap(), "I agree to the treatment.\n");
    caspio.settings(json!({"DownloadUrlSeconds": 0})).await;
    assert_eq!(touch("b").await.status(), 404, "its time is over");
}

#[tokio::test]
async fn a_bad_line() {
    let caspio = Caspio::start().await;
    let count = async || caspio.admin(Method::GET, "/rows/Tasks", None).await.body.as_array().unwrap().len();
    let send = async || caspio.request(Method::POST, TASKS, &[]).json(&json!({"Title": "t"})).send().await;
    let before = count().await;
    caspio.settings(json!({"Network": {"Unavailable": 1.0}})).await;
    assert_eq!(send().await.unwrap().status(), 503);
    caspio.settings(json!({"Network": {"DropBefore": 1.0}})).await;
    assert!(send().await.is_err());
    assert_eq!(count().await, before);
    caspio.settings(json!({"Network": {"DropAfter": 1.0}})).await;
    assert!(send().await.is_err());
    assert_eq!(count().await, before + 1);
    // It lands when nobody waits for it any more; how late is seen only from below.
    caspio.settings(json!({"Network": {"DropLate": 1.0, "LateMillis": 300}})).await;
    let sent = Instant::now();
    assert!(send().await.is_err());
    while count().await == before + 1 {
        assert!(sent.elapsed() < Duration::from_secs(60), "it never lands");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(sent.elapsed() >= Duration::from_millis(300));
    caspio.settings(json!({"Network": {"LatencyMillis": 30}})).await;
    let sent = Instant::now();
    assert_eq!(send().await.unwrap().status(), 201);
    assert!(sent.elapsed() >= Duration::from_millis(30));

    caspio.settings(json!({"Network": {}})).await;
    let late = json!({"Method": "POST", "Times": 1, "Action": {"Kind": "drop-late", "Millis": 1}});
    assert_eq!(caspio.admin(Method::POST, "/faults", Some(late)).await.status, 201);
    let before = count().await;
    assert!(send().await.is_err());
    while count().await == before {
        assert!(sent.elapsed() < Duration::from_secs(60), "it never lands");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_call_without_an_answer_is_done_all_the_same() {
    let caspio = Caspio::start().await;
    let count = async |path: &str| caspio.admin(Method::GET, path, None).await.body;
    let rows = async || count("/rows/Tasks").await.as_array().unwrap().len();
    let before = rows().await;
    let silent = json!({"Method": "POST", "Times": 1, "Action": {"Kind": "stall", "Millis": 200}});
    assert_eq!(caspio.admin(Method::POST, "/faults", Some(silent)).await.status, 201);
    let call = caspio
        .request(Method::POST, TASKS, &[])
        .json(&json!({"Title": "t"}))
        .timeout(Duration::from_millis(50));
    assert!(call.send().await.unwrap_err().is_timeout());
    let gave_up = Instant::now();
    while count("/faults/late").await["Count"] != 0 {
        assert!(gave_up.elapsed() < Duration::from_secs(60), "it never lands");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(rows().await, before + 1);
}
