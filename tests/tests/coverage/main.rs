//! Changes that no webhook tells of: found by sweeps, once; and rows that were there before, by backfills.

mod backfills;
mod manifests;
mod own;
mod sweeps;

use std::collections::BTreeMap;

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions, until};
use serde_json::{Value, json};

/// A host that waits for no webhook that may be on its way.
async fn site() -> Site {
    site_that_waits(0).await
}

/// A host that looks again so many seconds after it found something.
async fn site_that_waits(seconds: u32) -> Site {
    let config = format!("[coverage]\nsettle_seconds = {seconds}\n");
    let host = HostOptions { config, ..Default::default() };
    Site::with(SiteOptions { host, ..SiteOptions::default() }).await
}

/// One `[[trigger]]` whose table is swept, by hand in these tests.
fn swept(event: &str, more: &str) -> String {
    format!(
        "[[trigger]]\nevent = \"record-{event}\"\ntable = \"Patients\"\nreconcile = {{ every = \"1d\"{more} }}\n"
    )
}

/// Echoes inserts, updates and deletes of patients.
fn all() -> ManifestBuilder {
    ManifestBuilder::probe("probe", "echo")
        .triggers(&["insert", "update", "delete"].map(|e| swept(e, "")).concat())
}

async fn sweep(site: &Site) -> Value {
    let shown = site.host.cli(&["coverage", "probe", "--json"]).await.json();
    shown["sweeps"][0].clone()
}

/// Waits until so many rounds are finished.
async fn until_round(site: &Site, rounds: u64) -> Value {
    until(&format!("{rounds} rounds"), async || {
        let sweep = sweep(site).await;
        (sweep["rounds"].as_u64() >= Some(rounds)).then_some(sweep)
    })
    .await
}

/// Begins a round and waits for its end.
async fn round(site: &Site) -> Value {
    let done = sweep(site).await["rounds"].as_u64().unwrap();
    site.host.cli(&["coverage", "probe", "--now"]).await.ok();
    until_round(site, done + 1).await
}

/// Deployed, and the first round has taken stock.
async fn deployed(manifest: &ManifestBuilder) -> Site {
    deployed_at(site().await, manifest).await
}

async fn deployed_at(site: Site, manifest: &ManifestBuilder) -> Site {
    site.deploy(manifest).await.ok();
    until_round(&site, 1).await;
    site
}

/// Events by what they say: "kind PK_ID from".
async fn events(site: &Site) -> BTreeMap<String, usize> {
    let list = site.host.cli(&["event", "list", "--json", "--limit", "1000"]).await.json();
    let mut events = BTreeMap::new();
    for event in list.as_array().unwrap() {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let said =
            format!("{} {} {}", text("event").trim_start_matches("record-"), event["pk_id"], text("from"));
        *events.entry(said).or_default() += 1;
    }
    events
}

/// How many runs are in which state, "state cause".
async fn states(site: &Site) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for run in site.runs().await {
        let text = |name: &str| run[name].as_str().unwrap_or_default();
        *states.entry(format!("{} {}", text("state"), text("cause")).trim().to_owned()).or_default() += 1;
    }
    states
}

async fn until_ended(site: &Site, runs: usize) {
    until(&format!("{runs} runs have ended"), async || {
        let all = site.runs().await;
        let ended = all.iter().filter(|r| r["state"] == "succeeded" || r["state"] == "skipped").count();
        (ended == runs && all.len() == runs).then_some(())
    })
    .await;
}

fn patient(name: &str) -> Value {
    json!({"FirstName": name, "LastName": "Import", "Email": format!("{}@import.example", name.to_lowercase())})
}

fn once(said: &[String]) -> BTreeMap<String, usize> {
    said.iter().map(|said| (said.clone(), 1)).collect()
}
