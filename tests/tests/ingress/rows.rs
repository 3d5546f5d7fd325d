//! What is in a message: rows, one run each or one for all; or nothing to do.

use caspian_e2e::ManifestBuilder;
use serde_json::{Value, json};

use crate::{messages, site_with, still_serves};

fn result(run: &Value) -> Value {
    serde_json::from_str(run["result"].as_str().expect("a result")).expect("the echo")
}

#[tokio::test]
async fn each_row_of_a_message_is_a_run() {
    let (site, delivery) = site_with("echo").await;
    let rows = json!([{"PK_ID": 1}, {"PK_ID": 2}, {"PK_ID": 3}]);
    assert_eq!(delivery.send_signed(&delivery.message("m-1", rows)).await, 200);
    let runs = site.until_runs(3, &["succeeded"]).await;
    let mut ids: Vec<_> = runs.iter().map(|run| run["pk_id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
    for run in &runs {
        let echo = result(run);
        assert_eq!(echo["rows"].as_array().unwrap().len(), 1);
        assert_eq!((&echo["message_id"], &echo["table"]), (&json!("m-1"), &json!("Patients")));
        assert_eq!(
            (&echo["kind"], &echo["event_date"]),
            (&json!("record-insert"), &json!("2026-01-16T19:52:55"))
        );
        assert_eq!((&echo["connection"], &echo["attempt"]), (&json!("clinic"), &json!(1)));
    }
}

#[tokio::test]
async fn batch_is_one_run_with_all_rows() {
    let site = caspian_e2e::Site::with(caspian_e2e::SiteOptions {
        account: Some(|settings| settings.batch_mode = caspio_emulator::BatchMode::MessagePerOperation),
        ..Default::default()
    })
    .await;
    let trigger = "[[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\nbatch = true\n";
    site.deploy(&ManifestBuilder::probe("probe", "echo").triggers(trigger)).await.ok();
    let added: Vec<Value> = (0..20).map(|n| json!({"FirstName": "B", "LastName": n.to_string()})).collect();
    site.account.insert("Patients", json!(added)).await;
    let runs = site.until_runs(1, &["succeeded"]).await;
    assert_eq!(result(&runs[0])["rows"].as_array().unwrap().len(), 20);
    assert_eq!(runs[0]["pk_id"], Value::Null);
}

#[tokio::test]
async fn a_thousand_rows_in_one_message_are_a_thousand_runs() {
    let (site, delivery) = site_with("echo").await;
    let rows: Vec<Value> = (1..=1000).map(|n| json!({"PK_ID": n})).collect();
    assert_eq!(delivery.send_signed(&delivery.message("m-1", json!(rows))).await, 200);
    caspian_e2e::until("a thousand runs succeed", async || {
        let shown = site.workflow("probe").await;
        (shown["runs"] == json!({"succeeded": 1000})).then_some(())
    })
    .await;
    assert_eq!(delivery.send_signed(&delivery.message("m-1", json!(rows))).await, 200);
    assert_eq!(site.workflow("probe").await["runs"], json!({"succeeded": 1000}));
}

#[tokio::test]
async fn messages_without_work_are_accepted_and_start_nothing() {
    let (site, delivery) = site_with("echo").await;
    let mut sent = 0;
    let mut send = async |change: &dyn Fn(&mut Value)| {
        sent += 1;
        let mut message = delivery.message(&format!("m-{sent}"), json!([{"PK_ID": 1}]));
        change(&mut message);
        assert_eq!(delivery.send_signed(&message).await, 200, "{sent}");
    };
    // Test messages of the account: no data, no rows.
    send(&|m| drop(m.as_object_mut().unwrap().remove("data"))).await;
    send(&|m| m["data"] = json!(null)).await;
    send(&|m| m["data"] = json!([])).await;
    // Events that this workflow has no trigger for, or that nobody knows yet.
    send(&|m| m["eventType"] = json!("table.recordArchived")).await;
    send(&|m| m["eventType"] = json!("table.recordDelete")).await;
    send(&|m| m["objectName"] = json!("Tasks")).await;
    send(&|m| {
        m.as_object_mut().unwrap().remove("data");
        m.as_object_mut().unwrap().remove("eventType");
    })
    .await;
    assert_eq!(messages(&site, "skipped").await, 7);
    assert_eq!(site.runs().await.len(), 0);
    still_serves(&site).await;
}

#[tokio::test]
async fn a_row_keeps_fields_that_are_newer_than_the_trigger() {
    let (site, delivery) = site_with("values").await;
    let row = json!({"PK_ID": 1, "FirstName": "A", "Newer": 5, "Note": "x", "Odd": {"a": [1]}, "No": null});
    assert_eq!(delivery.send_signed(&delivery.message("m-1", json!([row]))).await, 200);
    let runs = site.until_runs(1, &["succeeded"]).await;
    let result = runs[0]["result"].as_str().unwrap();
    for line in [
        "PK_ID integer 1",
        "FirstName text A",
        "Newer integer 5",
        "Note text x",
        "Odd text {\"a\":[1]}",
        "No null ",
    ] {
        assert!(result.lines().any(|l| l == line), "{line}: {result}");
    }
}

#[tokio::test]
async fn a_row_without_pk_id_is_still_an_event() {
    let (site, delivery) = site_with("echo").await;
    let rows = json!([{"FirstName": "no key"}, {}, {"PK_ID": "12"}, {"pk_id": 13}]);
    assert_eq!(delivery.send_signed(&delivery.message("m-1", rows)).await, 200);
    let runs = site.until_runs(4, &["succeeded"]).await;
    let mut ids: Vec<_> = runs.iter().map(|run| run["pk_id"].as_i64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [None, None, Some(12), Some(13)]);
}

#[tokio::test]
async fn an_event_date_that_is_none_does_no_harm() {
    let (site, delivery) = site_with("echo").await;
    for (n, date) in
        [json!("yesterday"), json!(5), json!(null), json!("2026-01-16T19:52:55-05:00")].iter().enumerate()
    {
        let mut message = delivery.message(&format!("m-{n}"), json!([{"PK_ID": n}]));
        message["eventDate"] = date.clone();
        assert_eq!(delivery.send_signed(&message).await, 200);
    }
    let runs = site.until_runs(4, &["succeeded"]).await;
    let mut dates: Vec<_> = runs.iter().map(|run| run["event_date"].as_str().unwrap()).collect();
    dates.sort_unstable();
    assert_eq!(dates, ["", "", "", "2026-01-17T00:52:55"]);
}
