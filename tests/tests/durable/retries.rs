//! The guest asks for another try: what was done stays done, and what it calls must be the same.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

use crate::{TASKS, on_tasks, sent, still_serves, titles};

#[tokio::test]
async fn a_record_that_was_created_is_not_created_again_by_later_attempts() {
    let site = Site::start().await;
    site.deploy(&on_tasks("create-then-retry").setting("count", "2").setting("until", "4")).await.ok();
    let id = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(titles(&site).await, [format!("{id}-0"), format!("{id}-1")]);
    assert_eq!((sent(&site).await, &run["attempts"]), (2, &json!(4)));
    assert_eq!(run["steps"].as_array().unwrap().len(), 2);
    assert!(run["result"].as_str().unwrap().starts_with("created "));
    assert_eq!(run["steps"][1]["calls"], 1);
}

#[tokio::test]
async fn the_same_with_a_restart_between_the_attempts() {
    let mut site = Site::start().await;
    let manifest = on_tasks("create-then-retry").setting("until", "3").setting("delay", "1");
    site.deploy(&manifest).await.ok();
    let id = site.account.add_patient("Ada").await;
    for _ in 0..2 {
        caspian_e2e::until("it waits for its next attempt", async || {
            let runs = site.runs().await;
            runs.first().is_some_and(|run| run["attempts"].as_u64() >= Some(1)).then_some(())
        })
        .await;
        site.restart_with("").await;
    }
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(titles(&site).await, [id.to_string()]);
    assert_eq!(sent(&site).await, 1);
}

#[tokio::test]
async fn another_call_than_before_parks_the_run_with_both_calls() {
    let site = Site::start().await;
    site.deploy(&on_tasks("diverge")).await.ok();
    let id = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["parked"]).await.remove(0);
    assert_eq!(run["cause"], "diverged");
    let failure = run["failure"].as_str().unwrap();
    assert!(failure.starts_with("at step 1 the component called something else than before"), "{failure}");
    let (recorded, called) = failure.split_once("; called: ").unwrap();
    assert!(recorded.contains(&format!("{id}-attempt-1")) && recorded.contains("recorded: "), "{failure}");
    assert!(called.contains(&format!("{id}-attempt-2")), "{failure}");
    assert_eq!(titles(&site).await, [format!("{id}-attempt-1")]);
    assert_eq!(sent(&site).await, 1);
}

#[tokio::test]
async fn a_call_that_is_left_out_parks_the_run() {
    let site = Site::start().await;
    site.deploy(&on_tasks("skip-step")).await.ok();
    let id = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["parked"]).await.remove(0);
    assert_eq!(run["cause"], "diverged");
    let failure = run["failure"].as_str().unwrap();
    assert!(failure.ends_with("called: (it ended)") && failure.contains("Tasks"), "{failure}");
    assert_eq!(titles(&site).await, [id.to_string()]);
}

#[tokio::test]
async fn used_up_attempts_are_a_dead_letter_with_the_last_reason() {
    let site = Site::start().await;
    let manifest =
        ManifestBuilder::probe("probe", "retry").sections("[retry]\nattempts = 3\ninitial_seconds = 0.01\n");
    site.deploy(&manifest).await.ok();
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["dead"]).await.remove(0);
    assert_eq!((&run["cause"], &run["attempts"]), (&json!("retries"), &json!(3)));
    assert!(run["failure"].as_str().unwrap().contains("attempt 3"), "{run:#}");
    assert!(run["finished_at"].is_string());
}

/// An error is forgotten with the attempt, what was done before it is not.
#[tokio::test]
async fn a_refused_create_is_tried_again_by_the_next_attempt() {
    let site = Site::start().await;
    site.deploy(&on_tasks("create-then-retry").setting("count", "2").setting("until", "2")).await.ok();
    let refusal = json!({"Kind": "status", "Status": 409});
    site.account.fault_after("POST", TASKS, 1, Some(1), refusal).await;
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["dead", "succeeded"]).await.remove(0);
    assert_eq!((&run["state"], &run["steps"][1]["outcome"]), (&json!("dead"), &json!("conflict")), "{run:#}");
    still_serves(&site).await;
}
