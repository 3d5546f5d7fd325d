//! What nobody knows of Caspio is a knob of the emulator. Whatever they are set to, the host does the same.
//!
//! Pairwise: every two settings of two knobs meet in at least one of the cases. Each case is the whole way: activation, inserts,
//! an update of several rows, a delete, all actions with their refusals, deactivation. What comes out is compared
//! with what comes out under the defaults.

mod pairs;

use std::collections::BTreeMap;

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

use pairs::pairwise;

/// Each knob with its settings; the first is the default.
fn knobs() -> Vec<Vec<Value>> {
    let signature = |header: &str, encoding: &str, prefix: &str, key: &str, secret: bool| {
        let form = json!({"Header": header, "Encoding": encoding, "Prefix": prefix, "KeyForm": key});
        json!({"Signature": form, "SecretInBody": secret})
    };
    let limit = |form: &str, retry_after: Value| json!({"RateLimit": {"Calls": 25, "WindowMillis": 400, "Form": form, "RetryAfterSeconds": retry_after}});
    vec![
        vec![
            json!({}),
            json!({"Signature": null}),
            signature("X-Caspio-Signature", "Base64", "", "Text", false),
            signature("X-Hook", "Hex", "sha256=", "Text", true),
            signature("X-Signature", "Base64Url", "", "Hex", false),
        ],
        vec![
            json!({}),
            json!({"WebhookList": "Result"}),
            json!({"WebhookList": "Result", "WebhookListSecrets": true}),
        ],
        vec![json!({}), json!({"BatchMode": "MessagePerOperation"})],
        vec![json!({}), json!({"DuplicateProbability": 1.0}), json!({"ReorderProbability": 0.7})],
        vec![
            json!({}),
            limit("Status429", json!(1)),
            limit("Status429", Value::Null),
            limit("Array400", Value::Null),
        ],
        vec![json!({}), json!({"TokenLifetimeSeconds": 2})],
        vec![json!({}), json!({"LocationHeader": false, "UnknownSelectStatus": 500})],
        vec![
            json!({}),
            json!({"UniqueViolationCode": "InvalidInputValue", "DuplicateWebhookCode": "SqlServerError"}),
        ],
        vec![json!({}), json!({"ContentType": "text/plain", "ConcurrentCalls": 4})],
    ]
}

fn trigger(event: &str, table: &str) -> String {
    format!("[[trigger]]\nevent = \"record-{event}\"\ntable = \"{table}\"\n")
}

/// All actions, and what is refused; says what came of each.
fn actions() -> ManifestBuilder {
    ManifestBuilder::probe("actions", "spread")
        .triggers(&trigger("insert", "Patients"))
        .grant("Contacts", "read create update delete")
        .grant("Tasks", "read create update delete")
        .grant("NoSuchTable", "read")
}

fn echoes() -> ManifestBuilder {
    ManifestBuilder::probe("echoes", "values")
        .triggers(&[trigger("update", "Patients"), trigger("delete", "Patients")].concat())
}

/// What came out of a case: each run by workflow, row and kind with its result.
type Outcome = BTreeMap<String, String>;

/// Answers of Caspio that name what differs from case to case.
fn plain(result: &str) -> String {
    result.lines().filter(|line| !line.contains("Created")).collect::<Vec<_>>().join("\n")
}

async fn outcome(settings: &Value) -> Outcome {
    let site = Site::start().await;
    site.account.settings(settings.clone()).await;
    // `NoSuchTable` is refused at the deploy: the table must be there then, and be gone later.
    let fields = json!([{"Name": "Email", "Type": "STRING"}]);
    let (status, _) =
        site.account.rest("POST", "tables", json!({"Name": "NoSuchTable", "Fields": fields})).await;
    assert_eq!(status, 201);
    site.deploy(&actions()).await.ok();
    site.deploy(&echoes()).await.ok();
    let rows: Vec<Value> = ["Ada", "Bob", "Eve"]
        .iter()
        .map(|name| json!({"FirstName": name, "LastName": "Knob", "Email": format!("{name}@knob.example")}))
        .collect();
    let rows = site.account.insert("Patients", json!(rows)).await;
    site.account.update("Patients", "LastName='Knob'", json!({"Phone": "1"})).await;
    let gone = rows[2]["PK_ID"].as_i64().unwrap();
    site.account.delete("Patients", &format!("PK_ID={gone}")).await;
    let runs = until("all runs have ended", async || {
        let answer = site.host.cli(&["run", "list", "--json", "--limit", "1000"]).await;
        let runs = (answer.code == 0).then(|| answer.json())?.as_array().cloned()?;
        let ended = runs.iter().filter(|run| run["state"] == "succeeded").count();
        (ended == 7 && runs.len() == 7).then_some(runs)
    })
    .await;
    let mut outcome = Outcome::new();
    for run in runs {
        let shown = site.run(run["id"].as_str().unwrap()).await;
        let text = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
        let what = format!("{} {} {}", text("workflow"), text("event"), shown["pk_id"]);
        assert_eq!(outcome.insert(what, plain(&text("result"))), None, "one run each: {settings}");
    }
    for name in ["actions", "echoes"] {
        let shown = site.workflow(name).await;
        assert_eq!(shown["webhook"]["rejected"], 0, "{settings}");
        // A person is told of the rate limit, and tries again.
        until("it is deactivated", async || {
            let answer = site.host.cli(&["workflow", "deactivate", name]).await;
            assert!(answer.code == 0 || answer.stderr.contains("try again later"), "{}", answer.stderr);
            (answer.code == 0).then_some(())
        })
        .await;
    }
    assert!(site.account.webhooks().await.is_empty(), "{settings}");
    // What is left in Caspio's tables is a part of the outcome.
    for table in ["Contacts", "Tasks"] {
        let rows = site.account.rows(table).await;
        outcome.insert(format!("rows of {table}"), rows.len().to_string());
    }
    outcome
}

/// One patch of all knobs of a case.
fn merged(knobs: &[Vec<Value>], case: &[usize]) -> Value {
    let mut all = serde_json::Map::new();
    for (knob, setting) in knobs.iter().zip(case) {
        all.extend(knob[*setting].as_object().unwrap().clone());
    }
    Value::Object(all)
}

/// The cases whose number leaves this rest; several tests, so that they run beside each other.
async fn cases(rest: usize) {
    let knobs = knobs();
    let sizes: Vec<usize> = knobs.iter().map(Vec::len).collect();
    let usual = outcome(&json!({})).await;
    for (number, case) in pairwise(&sizes).iter().enumerate().filter(|(number, _)| number % 4 == rest) {
        let settings = merged(&knobs, case);
        println!("case {number}: {settings}");
        assert_eq!(outcome(&settings).await, usual, "{settings}");
    }
}

#[tokio::test]
async fn the_host_does_the_same_whatever_caspio_is_like_first_part() {
    cases(0).await;
}

#[tokio::test]
async fn the_host_does_the_same_whatever_caspio_is_like_second_part() {
    cases(1).await;
}

#[tokio::test]
async fn the_host_does_the_same_whatever_caspio_is_like_third_part() {
    cases(2).await;
}

#[tokio::test]
async fn the_host_does_the_same_whatever_caspio_is_like_last_part() {
    cases(3).await;
}
