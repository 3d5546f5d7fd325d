//! SIGTERM in the middle of runs: what is under way ends, the rest goes on at the next start.

use caspian_e2e::{HostOptions, Site, SiteOptions, until};
use serde_json::json;

use crate::{TASKS, assert_undecided, create, sent, still_serves, titles};

#[tokio::test]
async fn runs_under_way_end_and_the_others_go_on_after_the_start() {
    let config = "[scheduler]\nconcurrency = 2\n";
    let host = HostOptions { config: config.to_owned(), ..Default::default() };
    let mut site = Site::with(SiteOptions { host, ..Default::default() }).await;
    site.deploy(&create(3)).await.ok();
    site.account.fault("POST", TASKS, None, json!({"Kind": "delay", "Millis": 300})).await;
    let mut expected = Vec::new();
    for n in 0..8 {
        let id = site.account.add_patient(&format!("Term {n}")).await;
        expected.extend((0..3).map(|row| format!("{id}-{row}")));
    }
    expected.sort();
    until("work is under way", async || (sent(&site).await >= 4).then_some(())).await;
    assert_eq!(site.host.terminate().await, 0);
    let at_the_end = sent(&site).await;
    assert!(at_the_end < 24, "it did not wait for all of them");
    assert_eq!(titles(&site).await.len() as u64, at_the_end, "what was sent was waited for");
    site.account.clear_faults().await;
    site.restart_with("").await;
    let runs = site.until_runs(8, &["succeeded"]).await;
    assert!(runs.iter().all(|run| run["host_crashes"] == 0 && run["attempts"] == 1));
    assert_eq!(titles(&site).await, expected);
    assert_eq!(sent(&site).await, 24);
}

/// A run of two creates, the first of which takes so long; answers when it is under way. No grace time.
async fn slow_effect(millis: u64) -> (Site, i64) {
    let config = "[scheduler]\ngrace_seconds = 0\n";
    let host = HostOptions { config: config.to_owned(), ..Default::default() };
    let site = Site::with(SiteOptions { host, ..Default::default() }).await;
    site.deploy(&create(2)).await.ok();
    site.account.fault("POST", TASKS, Some(1), json!({"Kind": "delay", "Millis": millis})).await;
    let id = site.account.add_patient("Slow").await;
    until("the effect is under way", async || {
        site.account.get("faults").await[0]["Hits"].as_u64().filter(|hits| *hits > 0)
    })
    .await;
    (site, id)
}

#[tokio::test]
async fn an_effect_that_outlasts_the_grace_time_is_waited_for_and_the_run_handed_back() {
    let (mut site, id) = slow_effect(2000).await;
    assert_eq!(site.host.terminate().await, 0);
    assert_eq!(titles(&site).await, [format!("{id}-0")]);
    site.restart_with("").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((&run["attempts"], &run["host_crashes"]), (&json!(1), &json!(0)), "{run:#}");
    assert_eq!(titles(&site).await, [format!("{id}-0"), format!("{id}-1")]);
    assert_eq!(sent(&site).await, 2);
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_the_effect_is_undecided() {
    let (mut site, _) = slow_effect(60_000).await;
    site.host.signal();
    until("the host is stopping", async || site.host.log().contains("handed back").then_some(())).await;
    site.host.terminate().await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["parked"]).await.remove(0);
    assert_undecided(&run, 1, "records.create");
    still_serves(&site).await;
}

#[tokio::test]
async fn nothing_to_do_ends_at_once() {
    let mut site = Site::start().await;
    site.deploy(&create(1)).await.ok();
    assert_eq!(site.host.terminate().await, 0);
    site.restart_with("").await;
    still_serves(&site).await;
}
