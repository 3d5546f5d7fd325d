//! What `handle` returns: success, fatal, another try.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::Value;

/// Seconds since 1970 of a time as the host shows it.
fn seconds(time: &Value) -> f64 {
    let database = rusqlite::Connection::open_in_memory().unwrap();
    let text = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    database.query_row("SELECT unixepoch(?1, 'subsec')", [text], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_fatal_failure_is_not_tried_again() {
    let site = Site::start().await;
    let run = site.one_run(&ManifestBuilder::probe("fatal", "fatal"), &["dead"]).await;
    assert_eq!(run["cause"], "fatal");
    assert_eq!(run["attempts"], 1);
    assert_eq!(run["failure"], "the probe was told to fail");
    assert_eq!(run["next_at"], Value::Null);
    assert_ne!(run["finished_at"], Value::Null);
    site.still_serves().await;
}

#[tokio::test]
async fn a_guest_that_always_wants_another_try_gets_six() {
    let site = Site::start().await;
    let retry = ManifestBuilder::probe("retry", "retry");
    let run = site.one_run(&retry, &["dead"]).await;
    assert_eq!(run["cause"], "retries");
    assert_eq!(run["attempts"], 6);
    assert_eq!(run["failure"], "the probe was told to try again, attempt 6");
    site.still_serves().await;
}

#[tokio::test]
async fn the_manifest_says_how_often_is_tried() {
    let site = Site::start().await;
    for (name, attempts) in [("once", 1), ("thrice", 3)] {
        let manifest = ManifestBuilder::probe(name, "retry")
            .sections(&format!("[retry]\nattempts = {attempts}\ninitial_seconds = 0.01\n"));
        site.deploy(&manifest).await.ok();
    }
    site.account.add_patient("Ada").await;
    for run in site.until_runs(2, &["dead"]).await {
        let wanted = if run["workflow"] == "once" { 1 } else { 3 };
        assert_eq!(run["attempts"], wanted, "{run:#}");
        assert_eq!(run["cause"], "retries");
    }
}

#[tokio::test]
async fn a_later_attempt_may_succeed() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("until", "retry-until").setting("until", "3");
    let run = site.one_run(&manifest, &["succeeded"]).await;
    assert_eq!(run["attempts"], 3);
    assert_eq!(run["result"], "attempt 3");
    assert_eq!(run["cause"], Value::Null, "an earlier failure is no cause of success");
    assert_eq!(run["failure"], Value::Null, "an earlier failure is not shown with success");
    assert_eq!(run["next_at"], Value::Null);
}

#[tokio::test]
async fn the_guests_own_delay_is_kept() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("later", "retry").setting("delay", "7200");
    site.deploy(&manifest).await.ok();
    site.account.add_patient("Ada").await;
    let run = caspian_e2e::until("the first attempt has ended", async || {
        let id = site.runs().await.first()?["id"].as_str()?.to_owned();
        let run = site.run(&id).await;
        (run["attempts"] == 1).then_some(run)
    })
    .await;
    assert_eq!(run["state"], "queued");
    assert_eq!(run["cause"], "guest-retry");
    assert_eq!(run["failure"], "the probe was told to try again, attempt 1");
    let wait = seconds(&run["next_at"]) - seconds(&run["started_at"]);
    assert!((7200.0..7400.0).contains(&wait), "{wait}");
}
