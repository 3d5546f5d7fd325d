//! What a person does is never cut, whatever the workflow wrote a moment ago.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

use crate::{assert_cut, counting, number, on_tasks, set_number, states};

#[tokio::test]
async fn a_person_who_sets_the_same_value_is_not_cut() {
    let site = Site::start().await;
    site.deploy(&counting("")).await.ok();
    set_number(&site, 10).await;
    let runs = site.until_runs(2, &["succeeded", "skipped"]).await;
    assert_cut(&runs[1]);
    // The number is 11 by now; a person sets it too, among other things, then once more by way of another.
    site.account.update("Tasks", "PK_ID=1", json!({"PatientId": 11, "Notes": "seen"})).await;
    let runs = site.until_runs(4, &["succeeded", "skipped"]).await;
    assert_eq!(states(&runs), ["succeeded", "skipped", "succeeded", "skipped"]);
    assert_eq!((&runs[2]["depth"], runs[2]["result"].as_str()), (&json!(0), Some("12")));
    set_number(&site, 12).await;
    set_number(&site, 11).await;
    site.until_runs(6, &["succeeded", "skipped"]).await;
    assert_eq!(number(&site).await, 12, "the last one set 11, which counted up");
}

/// The probe, started by updates of Tasks: it sets Status of the record.
fn touching() -> ManifestBuilder {
    ManifestBuilder::probe("toucher", "touch")
        .triggers(&on_tasks("update", ""))
        .grant("Tasks", "update")
        .setting("field", "Status")
}

#[tokio::test]
async fn a_write_that_changed_nothing_cuts_no_person_after_it() {
    let site = Site::start().await;
    site.deploy(&touching()).await.ok();
    // The first run changes Status, and Caspio says so. The next ones set what is set already: Caspio says nothing.
    for (n, runs) in [(1, 2), (2, 3), (3, 4), (4, 5)] {
        site.account.update("Tasks", "PK_ID=1", json!({"Title": format!("Title {n}")})).await;
        site.until_runs(runs, &["succeeded", "skipped"]).await;
    }
    let runs = site.until_runs(5, &["succeeded", "skipped"]).await;
    assert_eq!(states(&runs), ["succeeded", "skipped", "succeeded", "succeeded", "succeeded"]);
    assert_cut(&runs[1]);
}

#[tokio::test]
async fn a_change_of_a_field_that_was_not_written_is_a_persons() {
    let site = Site::start().await;
    let manifest = touching().triggers(&on_tasks("update", "fields = [\"Title\"]"));
    site.deploy(&manifest).await.ok();
    for n in 1..=3 {
        site.account.update("Tasks", "PK_ID=1", json!({"Title": format!("Title {n}")})).await;
        let runs = site.until_runs(n, &["succeeded"]).await;
        assert!(runs.iter().all(|run| run["caused_by"].is_null()), "{runs:#?}");
    }
}

#[tokio::test]
async fn another_record_with_the_same_values_is_a_persons() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("maker", "create")
        .triggers(&on_tasks("insert", ""))
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title");
    site.deploy(&manifest).await.ok();
    let first = site.account.insert("Tasks", json!({"Title": "first"})).await;
    let runs = site.until_runs(2, &["succeeded", "skipped"]).await;
    assert_cut(&runs[1]);
    // As the workflow would.
    let title = first[0]["PK_ID"].to_string();
    site.account.insert("Tasks", json!({ "Title": title })).await;
    let runs = site.until_runs(4, &["succeeded", "skipped"]).await;
    assert_eq!(states(&runs), ["succeeded", "skipped", "succeeded", "skipped"]);
    assert_eq!(runs[2]["depth"], 0);
}
