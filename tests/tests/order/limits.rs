//! Runs at once: of a workflow, and against an integration host.

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions};
use serde_json::{Value, json};

use crate::{TASKS, send, until_all};

/// How many calls with such a path Caspio had in hand at once at most.
async fn at_once(site: &Site, path: &str) -> usize {
    let calls = site.account.requests().await;
    let mut moments: Vec<(String, i32)> = Vec::new();
    for call in calls.iter().filter(|call| call["Path"].as_str().unwrap().starts_with(path)) {
        let text = |name: &str| call[name].as_str().unwrap().to_owned();
        moments.extend([(text("Began"), 1), (text("At"), -1)]);
    }
    // Of the same moment, ends come first.
    moments.sort();
    let (mut now, mut most) = (0, 0);
    for (_, change) in moments {
        now += change;
        most = most.max(now);
    }
    usize::try_from(most).unwrap()
}

/// Reads Tasks, which takes Caspio a while.
fn reading(name: &str, sections: &str) -> ManifestBuilder {
    ManifestBuilder::probe(name, "list").grant("Tasks", "read").setting("table", "Tasks").sections(sections)
}

#[tokio::test]
async fn a_workflow_has_so_many_runs_at_once_also_after_a_kill() {
    let mut site = Site::start().await;
    site.account.fault("GET", TASKS, None, json!({"Kind": "delay", "Millis": 1500})).await;
    site.deploy(&reading("probe", "[run]\nconcurrency = 2\n")).await.ok();
    send(&site, &[1, 2, 3, 4, 5, 6, 7, 8]).await.ok();
    let running = |runs: &[Value]| runs.iter().filter(|run| run["state"] == "running").count();
    let runs = until_all(&site, "two are under way", |runs| running(runs) == 2).await;
    let queued = runs.iter().find(|run| run["state"] == "queued").unwrap();
    let shown = site.run(queued["id"].as_str().unwrap()).await;
    if let Some(waits) = shown["waits"].as_str() {
        assert!(waits.contains("run.concurrency") || waits.starts_with("a place"), "{waits}");
    }
    site.restart_with("").await;
    site.until_runs(8, &["succeeded"]).await;
    // Calls that the kill cut off are still in Caspio's hands when the next begin.
    assert!(at_once(&site, TASKS).await <= 4);
    site.account.clear_faults().await;
    site.account.fault("GET", TASKS, None, json!({"Kind": "delay", "Millis": 100})).await;
    site.account.clear_requests().await;
    send(&site, &[1, 2, 3, 4, 5, 6, 7, 8]).await.ok();
    site.until_runs(16, &["succeeded"]).await;
    assert!((1..=2).contains(&at_once(&site, TASKS).await));
}

#[tokio::test]
async fn an_integration_host_has_so_many_runs_at_once() {
    let config = "[scheduler]\nruns_per_host = 3\n".to_owned();
    let host = HostOptions { config, ..Default::default() };
    let site = Site::with(SiteOptions { host, ..Default::default() }).await;
    site.account.fault("GET", TASKS, None, json!({"Kind": "delay", "Millis": 100})).await;
    site.deploy(&reading("probe", "")).await.ok();
    site.deploy(&reading("other", "")).await.ok();
    for round in 0..2 {
        // Both workflows are triggered by inserts.
        for n in 0..5 {
            site.account.add_patient(&format!("P{round}{n}")).await;
        }
        send(&site, &[1, 2, 3]).await.ok();
    }
    site.until_runs(26, &["succeeded"]).await;
    assert!((1..=3).contains(&at_once(&site, TASKS).await));
}
