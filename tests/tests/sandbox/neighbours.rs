//! Hostile guests beside good ones, in one host.

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions, until};
use serde_json::Value;

/// States of the runs of one workflow.
async fn states(site: &Site, workflow: &str) -> Vec<String> {
    let answer = site.host.cli(&["run", "list", "--workflow", workflow, "--json", "--limit", "1000"]).await;
    let list = answer.json();
    let runs = list.as_array().cloned().unwrap_or_default();
    runs.iter().map(|run| run["state"].as_str().unwrap().to_owned()).collect()
}

async fn until_all(site: &Site, workflow: &str, count: usize, state: &str) {
    until(&format!("{count} runs of {workflow} are {state}"), async || {
        let states = states(site, workflow).await;
        (states.len() == count && states.iter().all(|s| s == state)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn guests_that_compute_without_end_leave_time_for_the_others() {
    // Fewer workers than loops: a loop that kept its thread would stop everything.
    let environment = vec![("TOKIO_WORKER_THREADS".to_owned(), "2".to_owned())];
    let host = HostOptions { environment, ..HostOptions::default() };
    let mut site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    let endless = ManifestBuilder::probe("endless", "loop")
        .sections("[limits]\nfuel = 1_000_000_000_000\nwall_seconds = 3600\n");
    site.deploy(&endless).await.ok();
    for name in ["Ada", "Bob", "Cid", "Dan"] {
        site.account.add_patient(name).await;
    }
    until_all(&site, "endless", 4, "running").await;
    site.still_serves().await;
    assert_eq!(states(&site, "endless").await, ["running"; 4], "they still compute");
    site.host.kill().await;
}

#[tokio::test]
async fn several_hostile_guests_at_once_do_not_stop_a_good_one() {
    let site = Site::start().await;
    let hostile = ["loop", "memory", "panic", "deep", "log-flood", "output-flood", "call-flood", "hoard"];
    for mode in hostile {
        let manifest = ManifestBuilder::probe(mode, mode)
            .sections("[limits]\nfuel = 200_000_000\nhost_calls = 100\nlog_kib = 16\n[retry]\nattempts = 2\ninitial_seconds = 0.05\n");
        site.deploy(&manifest).await.ok();
    }
    let good = ManifestBuilder::probe("good", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title");
    site.deploy(&good).await.ok();
    let mut expected = Vec::new();
    for name in ["Ada", "Bob", "Cid", "Dan", "Eve"] {
        expected.push(site.account.add_patient(name).await.to_string());
    }
    until_all(&site, "good", expected.len(), "succeeded").await;
    for mode in hostile {
        until_all(&site, mode, expected.len(), "dead").await;
    }
    let tasks = site.account.rows("Tasks").await;
    let mut titles: Vec<&str> = tasks.iter().filter_map(|task: &Value| task["Title"].as_str()).collect();
    titles.retain(|title| expected.iter().any(|e| e == title));
    titles.sort_unstable();
    expected.sort_unstable();
    assert_eq!(titles, expected, "each good run created its task once");
    site.still_serves().await;
}

#[tokio::test]
async fn guests_wait_for_a_place_instead_of_failing() {
    let config = "[runtime]\ninstances = 2\n".to_owned();
    let host = HostOptions { config, ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    let manifest = ManifestBuilder::probe("many", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title");
    site.deploy(&manifest).await.ok();
    let slow = serde_json::json!({"Kind": "delay", "Millis": 100});
    site.account.fault("POST", "/integrations/rest/v3/tables/Tasks/records", None, slow).await;
    for name in ["Ada", "Bob", "Cid", "Dan", "Eve", "Fay", "Gus", "Hal"] {
        site.account.add_patient(name).await;
    }
    for run in site.until_runs(8, &["succeeded", "dead"]).await {
        assert_eq!((&run["state"], &run["attempts"]), (&"succeeded".into(), &1.into()), "{run:#}");
    }
}

#[tokio::test]
async fn a_place_shows_nothing_of_its_earlier_guest() {
    let config = "[runtime]\ninstances = 1\n".to_owned();
    let host = HostOptions { config, ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    site.deploy(&ManifestBuilder::probe("residue", "residue")).await.ok();
    for name in ["Ada", "Bob", "Cid", "Dan", "Eve"] {
        site.account.add_patient(name).await;
    }
    for run in site.until_runs(5, &["succeeded"]).await {
        assert_eq!(run["result"], "0 of 20971520 bytes were not zero", "{run:#}");
    }
}
