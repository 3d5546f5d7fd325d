//! The disk is full for a while: nothing acknowledged is lost, no effect is repeated, work goes on by itself.

use caspian_e2e::{Site, until};
use serde_json::json;

use crate::{create, sent, titles};

/// Patients with two tasks each, while commits fail in this pattern; no restart in between.
async fn with_failing_commits(pattern: &str) {
    let mut site = Site::start().await;
    site.deploy(&create(2)).await.ok();
    site.restart_with(&format!("store.commit-fails={pattern}")).await;
    let mut expected = Vec::new();
    for n in 0..15 {
        let id = site.account.add_patient(&format!("Full {n}")).await;
        expected.extend([format!("{id}-0"), format!("{id}-1")]);
    }
    expected.sort();
    until("everything is delivered and done", async || {
        let summary = site.account.get("messages/summary").await;
        let runs = site.workflow("probe").await["runs"].clone();
        (summary["Delivered"] == 15 && runs == json!({"succeeded": 15})).then_some(())
    })
    .await;
    assert_eq!(titles(&site).await, expected);
    assert_eq!(sent(&site).await, 30);
    let log = site.host.log();
    assert!(log.contains("store-full"), "the log says why");
}

#[tokio::test]
async fn a_disk_that_is_full_for_a_while_stops_nothing_for_good() {
    with_failing_commits("10*off->40*return(error)").await;
}

#[tokio::test]
async fn a_disk_that_fails_every_now_and_then_stops_nothing_for_good() {
    with_failing_commits("5*off->30%return(error)").await;
}

/// One run of two creates while one kind of commit fails a few times; answers the run and the log.
async fn with_failing(failpoint: &str) -> (serde_json::Value, String) {
    let mut site = Site::start().await;
    site.deploy(&create(2)).await.ok();
    site.restart_with(failpoint).await;
    let id = site.account.add_patient("Full").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(titles(&site).await, [format!("{id}-0"), format!("{id}-1")]);
    assert_eq!(sent(&site).await, 2);
    assert_eq!(run["attempts"], 1, "{run:#}");
    assert!(run["steps"].as_array().unwrap().iter().all(|step| step["state"] == "done"), "{run:#}");
    (run, site.host.log())
}

#[tokio::test]
async fn a_result_that_can_not_be_committed_is_kept_and_the_effect_not_repeated() {
    let (run, log) = with_failing("journal.before-result=3*return(error)").await;
    assert_eq!(run["wakeups"], 0);
    assert_eq!(log.matches("result not committed yet").count(), 3);
}

#[tokio::test]
async fn an_intent_that_can_not_be_committed_is_not_sent_and_the_run_goes_on_later() {
    let (run, log) = with_failing("journal.before-intent=1*off->1*return(error)").await;
    assert_eq!(run["wakeups"], 1);
    assert!(log.contains("the store is full: free space"), "the log says what to do");
}

#[tokio::test]
async fn an_end_that_can_not_be_committed_is_kept_and_the_run_not_executed_again() {
    let (run, log) = with_failing("run.before-finish=3*return(error)").await;
    assert_eq!(run["wakeups"], 0);
    assert_eq!(log.matches("the run's state is not committed yet").count(), 3);
}

#[tokio::test]
async fn a_deploy_onto_a_full_disk_is_refused_and_says_what_to_do() {
    let mut site = Site::start().await;
    site.restart_with("store.commit-fails=2*off->return(error)").await;
    until("the disk is full", async || {
        let answer = site.deploy(&create(1)).await;
        (answer.code != 0).then(|| answer.refused("the store is full: free space on the disk"))
    })
    .await;
    site.restart_with("").await;
    site.deploy(&create(1)).await.ok();
}
