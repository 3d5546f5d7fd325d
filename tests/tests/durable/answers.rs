//! Caspio's answer to an effect is missing, or says nothing: whether it happened is not known.

use caspian_e2e::Site;
use serde_json::{Value, json};

use crate::{TASKS, assert_undecided, create, on_tasks, sent, still_serves, titles};

/// The second of three creates is answered so.
async fn second_create(action: Value) -> (Site, i64, Value) {
    let site = Site::start().await;
    site.deploy(&create(3)).await.ok();
    site.account.fault_after("POST", TASKS, 1, Some(1), action).await;
    let id = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded", "parked", "dead"]).await.remove(0);
    (site, id, run)
}

/// Parked; so many rows; nothing was sent again, also not after a restart.
async fn parked_for_good(mut site: Site, id: i64, run: &Value, rows: i64) {
    assert_undecided(run, 2, "records.create");
    let expected: Vec<String> = (0..rows).map(|n| format!("{id}-{n}")).collect();
    assert_eq!(titles(&site).await, expected);
    assert_eq!(sent(&site).await, 2);
    site.restart_with("").await;
    still_serves(&site).await;
    assert_eq!(sent(&site).await, 5);
    assert_eq!(site.until_runs(2, &["parked", "succeeded"]).await[0]["state"], "parked");
}

#[tokio::test]
async fn an_answer_that_is_lost_parks_the_run_and_the_record_exists_once() {
    let (site, id, run) = second_create(json!({"Kind": "drop-after"})).await;
    parked_for_good(site, id, &run, 2).await;
}

#[tokio::test]
async fn a_connection_that_breaks_parks_the_run() {
    let (site, id, run) = second_create(json!({"Kind": "drop-before"})).await;
    parked_for_good(site, id, &run, 1).await;
}

#[tokio::test]
async fn a_failure_of_caspios_server_parks_the_run() {
    let (site, id, run) = second_create(json!({"Kind": "status", "Status": 503})).await;
    parked_for_good(site, id, &run, 1).await;
}

#[tokio::test]
async fn an_answer_of_a_proxy_instead_of_caspio_parks_the_run() {
    let (site, id, run) =
        second_create(json!({"Kind": "status", "Status": 200, "Body": "<html>OK</html>"})).await;
    parked_for_good(site, id, &run, 1).await;
}

#[tokio::test]
async fn created_but_not_shown_is_created() {
    for body in [
        json!({"Kind": "status", "Status": 201, "Body": ""}),
        json!({"Kind": "status", "Status": 201, "Body": "{"}),
    ] {
        let site = Site::start().await;
        site.deploy(&on_tasks("create-then-retry").setting("until", "2")).await.ok();
        site.account.fault("POST", TASKS, Some(1), body).await;
        site.account.add_patient("Ada").await;
        // What the guest makes of a record without key is its own affair; it is not created again.
        site.until_runs(1, &["succeeded", "dead"]).await;
        assert_eq!(sent(&site).await, 1);
    }
}

#[tokio::test]
async fn a_refusal_is_known_and_told_to_the_guest() {
    let refusal =
        json!({"Kind": "status", "Status": 400, "Json": {"Code": "InvalidInputValue", "Message": "Title"}});
    let (site, id, run) = second_create(refusal).await;
    assert_eq!((&run["state"], &run["cause"]), (&json!("dead"), &json!("fatal")), "{run:#}");
    assert_eq!(run["steps"][1]["outcome"], "invalid");
    assert_eq!(titles(&site).await, [format!("{id}-0")]);
    still_serves(&site).await;
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_is_done_again() {
    for action in [
        json!({"Kind": "drop-after"}),
        json!({"Kind": "drop-before"}),
        json!({"Kind": "status", "Status": 500}),
    ] {
        let site = Site::start().await;
        site.deploy(&on_tasks("update").setting("value", "old").setting("to", "new")).await.ok();
        site.account.insert("Tasks", json!([{"Title": "old"}, {"Title": "old"}])).await;
        site.account.fault("PUT", TASKS, Some(2), action).await;
        site.account.add_patient("Ada").await;
        let run = site.until_runs(1, &["succeeded"]).await.remove(0);
        assert_eq!((&run["result"], &run["attempts"]), (&json!("updated 2"), &json!(1)));
        assert_eq!(titles(&site).await, ["new", "new"]);
        assert_eq!(site.account.calls("PUT", TASKS).await, 3);
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_done_again() {
    let site = Site::start().await;
    site.deploy(&on_tasks("delete").setting("value", "old")).await.ok();
    site.account.insert("Tasks", json!([{"Title": "old"}, {"Title": "old"}, {"Title": "other"}])).await;
    site.account.fault("DELETE", TASKS, Some(1), json!({"Kind": "drop-after"})).await;
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(run["result"], "deleted 2");
    assert_eq!(titles(&site).await, ["other"]);
}

#[tokio::test]
async fn an_upsert_that_chose_to_insert_and_got_no_answer_parks() {
    let site = Site::start().await;
    site.deploy(&on_tasks("upsert").setting("value", "none yet")).await.ok();
    site.account.fault("POST", TASKS, Some(1), json!({"Kind": "drop-after"})).await;
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["parked"]).await.remove(0);
    assert_undecided(&run, 1, "records.upsert");
    assert_eq!(titles(&site).await, ["none yet"]);
    assert_eq!(sent(&site).await, 1);
    // The next one finds it.
    still_serves(&site).await;
    assert_eq!(titles(&site).await, ["none yet"]);
}

#[tokio::test]
async fn a_unique_violation_is_a_conflict_for_the_guest() {
    let site = Site::start().await;
    let manifest = caspian_e2e::ManifestBuilder::probe("probe", "unknown-field")
        .grant("Contacts", "create")
        .setting("table", "Contacts")
        .setting("field", "Email");
    site.deploy(&manifest).await.ok();
    // The patient after the seed's three has the key 4.
    site.account.insert("Contacts", json!({"Email": "4"})).await;
    assert_eq!(site.account.add_patient("Ada").await, 4);
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(run["steps"][0]["outcome"], "conflict", "{run:#}");
    assert!(run["result"].as_str().unwrap().contains("Unique field Email; use another value"), "{run:#}");
}
