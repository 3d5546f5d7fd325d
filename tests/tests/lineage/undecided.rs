//! Events that may come from a write whose end is not known wait for it.

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions, until};
use serde_json::{Value, json};

use crate::{assert_chain, assert_cut, counting, number, on_tasks, set_number};

const TASKS: &str = "/integrations/rest/v3/tables/Tasks/records";

/// Waits for the run that waits for a write; answers it.
async fn until_waiting(site: &Site) -> Value {
    until("a run waits for a write", async || {
        site.runs().await.into_iter().find(|run| run["state"] == "queued" && run["cause"] == "own-write")
    })
    .await
}

#[tokio::test]
async fn an_event_that_comes_before_the_answer_is_stored_is_cut_all_the_same() {
    let mut site = Site::start().await;
    site.deploy(&counting("[loop]\nself_depth = 1\n")).await.ok();
    site.restart_with("journal.before-result=3*return(error)->off").await;
    set_number(&site, 10).await;
    let runs = site.until_runs(3, &["succeeded", "skipped"]).await;
    assert_chain(&runs);
    assert_cut(&runs[2]);
    assert_eq!(number(&site).await, 12);
}

/// The probe, started by new tasks: it makes another one.
fn making(sections: &str) -> ManifestBuilder {
    ManifestBuilder::probe("maker", "create")
        .triggers(&on_tasks("insert", ""))
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title")
        .sections(sections)
}

#[tokio::test]
async fn an_event_that_comes_before_the_new_records_key_is_known_is_cut_all_the_same() {
    let mut site = Site::start().await;
    site.deploy(&making("[loop]\nself_depth = 2\n")).await.ok();
    site.restart_with("journal.before-result=3*return(error)->off").await;
    // Another one with the same values comes in between, and starts a chain of its own.
    let rows = site.account.insert("Tasks", json!({"Title": "first"})).await;
    until("the first record is made", async || (site.account.calls("POST", TASKS).await >= 1).then_some(()))
        .await;
    site.account.insert("Tasks", json!({"Title": rows[0]["PK_ID"].to_string()})).await;
    let runs = site.until_runs(8, &["succeeded", "skipped"]).await;
    let of_depth = |depth: u64| runs.iter().filter(|run| run["depth"] == depth).count();
    assert_eq!([0, 1, 2, 3].map(of_depth), [2, 2, 2, 2], "{runs:#?}");
    runs.iter().filter(|run| run["depth"] == 3).for_each(assert_cut);
    assert_eq!(site.account.rows("Tasks").await.len(), 9, "the seed's, two by people, and one of each run");
}

#[tokio::test]
async fn an_event_waits_for_an_update_that_a_crash_left_undecided() {
    let mut site = Site::start().await;
    site.deploy(&counting("")).await.ok();
    site.restart_with("journal.before-result=return(kill)").await;
    set_number(&site, 10).await;
    site.host.until_dead().await;
    // It is done again, but for a while Caspio is not to be reached.
    site.account.fault("PUT", TASKS, None, json!({"Kind": "drop-before"})).await;
    site.restart_with("").await;
    let waiting = until_waiting(&site).await;
    assert_eq!(waiting["pk_id"], 1);
    site.account.clear_faults().await;
    let runs = site.until_runs(2, &["succeeded", "skipped"]).await;
    assert_chain(&runs);
    assert_cut(&runs[1]);
    assert_eq!(number(&site).await, 11);
}

#[tokio::test]
async fn an_event_is_a_persons_when_the_write_it_waited_for_was_refused() {
    let mut site = Site::start().await;
    site.deploy(&counting("")).await.ok();
    // Caspio refuses the write, and it takes a while until that is stored.
    site.restart_with("journal.before-result=5*return(error)->off").await;
    let refusal = json!({"Code": "SqlServerError", "Message": "no", "Resource": "", "RequestId": ""});
    site.account
        .fault("PUT", TASKS, Some(1), json!({"Kind": "status", "Status": 400, "Json": refusal}))
        .await;
    set_number(&site, 10).await;
    until("the write is refused", async || (site.account.calls("PUT", TASKS).await == 1).then_some(())).await;
    // A person does meanwhile what the workflow was about to do.
    set_number(&site, 11).await;
    let runs = site.until_runs(3, &["dead", "succeeded", "skipped"]).await;
    assert_eq!(crate::states(&runs), ["dead", "succeeded", "skipped"]);
    assert_eq!((&runs[1]["depth"], &runs[1]["caused_by"]), (&json!(0), &Value::Null), "{:#}", runs[1]);
    assert_eq!(number(&site).await, 12);
}

/// A create that was done, though nobody knows: its run is parked, and the event that it caused waits. Answers the run.
async fn parked(site: &mut Site) -> String {
    site.deploy(&making("")).await.ok();
    site.restart_with("journal.before-result=return(kill)").await;
    site.account.insert("Tasks", json!({"Title": "first"})).await;
    site.host.until_dead().await;
    site.restart_with("").await;
    until_waiting(site).await;
    let runs = site.runs().await;
    let parked = runs.iter().find(|run| run["state"] == "parked").expect("a parked run");
    parked["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_event_is_cut_when_a_person_says_that_the_create_was_done() {
    let mut site = Site::start().await;
    let id = parked(&mut site).await;
    let made = site.account.rows("Tasks").await.pop().unwrap()["PK_ID"].to_string();
    site.host.cli(&["run", "resolve", &id, "--done", "--pk-id", &made]).await.ok();
    let runs = site.until_runs(2, &["succeeded", "skipped"]).await;
    assert_chain(&runs);
    assert_cut(&runs[1]);
}

#[tokio::test]
async fn an_event_is_a_persons_when_a_person_says_that_the_create_was_not_done() {
    let mut site = Site::start().await;
    let id = parked(&mut site).await;
    // So the record is taken for a person's, and the workflow makes another one of its own.
    site.host.cli(&["run", "resolve", &id, "--retry"]).await.ok();
    let runs = site.until_runs(4, &["succeeded", "skipped"]).await;
    let depths: Vec<_> = runs.iter().map(|run| run["depth"].as_u64().unwrap()).collect();
    assert_eq!(depths.iter().filter(|depth| **depth == 0).count(), 2, "{runs:#?}");
    assert_eq!(depths.iter().filter(|depth| **depth == 1).count(), 2, "{runs:#?}");
    runs.iter().filter(|run| run["depth"] == 1).for_each(assert_cut);
}

#[tokio::test]
async fn after_a_time_an_event_runs_though_nobody_decided_and_its_chain_still_ends() {
    let mut site = Site::with(SiteOptions {
        host: HostOptions { config: "[lineage]\nwindow_seconds = 4\n".to_owned(), ..HostOptions::default() },
        ..SiteOptions::default()
    })
    .await;
    site.deploy(&making("")).await.ok();
    site.restart_with("journal.before-result=return(kill)").await;
    site.account.insert("Tasks", json!({"Title": "first"})).await;
    site.host.until_dead().await;
    // The create was done, but nobody knows: its run is parked, and the event that it caused waits.
    site.restart_with("").await;
    let runs = site.until_runs(3, &["parked", "succeeded", "skipped"]).await;
    assert_eq!(runs[0]["cause"], "undecided", "{:#}", runs[0]);
    assert_eq!(runs[1]["state"], "succeeded", "nothing is lost: {:#}", runs[1]);
    assert_eq!((&runs[1]["depth"], &runs[1]["caused_by"]["run"]), (&json!(1), &runs[0]["id"]));
    assert_cut(&runs[2]);
    assert_eq!(site.account.rows("Tasks").await.len(), 4, "the seed's, the person's, and one of each run");
}
