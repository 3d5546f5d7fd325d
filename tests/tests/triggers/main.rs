//! Webhooks in Caspio: made once, kept in step, removed; whenever the host dies or Caspio fails.

mod cascade;
mod changes;
mod failures;
mod firing;
mod making;
mod moving;
mod orphans;
mod patrol;
mod removing;
mod repairing;
mod replacing;
mod unfinished;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use caspian_e2e::{Account, HostOptions, ManifestBuilder, Site, SiteOptions, until};
use serde_json::{Value, json};

const WEBHOOKS: &str = "/integrations/rest/v3/outgoingWebhooks";

/// One `[[trigger]]` of a manifest.
fn trigger(event: &str, table: &str, more: &str) -> String {
    format!("[[trigger]]\nevent = \"record-{event}\"\ntable = \"{table}\"\n{more}\n")
}

/// The probe with these triggers; it only echoes.
fn probe(triggers: &[String]) -> ManifestBuilder {
    ManifestBuilder::probe("probe", "echo").triggers(&triggers.concat())
}

/// Deploys without activating.
async fn deploy_inactive(site: &Site, manifest: &ManifestBuilder) {
    let path = manifest.write(site.folder());
    site.host.cli(&["deploy", &path.display().to_string()]).await.ok();
}

/// The account's one webhook.
async fn the_webhook(site: &Site) -> Value {
    let mut webhooks = site.account.webhooks().await;
    assert_eq!(webhooks.len(), 1, "{webhooks:#?}");
    webhooks.remove(0)
}

/// Kind, table and fields of each event of the one webhook, sorted: "recordInsert Patients [..]".
async fn events(site: &Site) -> Vec<String> {
    let hook = the_webhook(site).await;
    let mut events: Vec<String> = hook["Events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert_eq!(event["Status"], "Active", "{event}");
            let kind = event["EventType"].as_str().unwrap().trim_start_matches("table.").to_owned();
            let fields: Vec<&str> =
                event["ObjectFields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            format!("{kind} {} {}", event["ObjectName"].as_str().unwrap(), fields.join("+")).trim().to_owned()
        })
        .collect();
    events.sort();
    events
}

/// A site whose host has this configuration.
async fn configured(config: &str) -> Site {
    let host = HostOptions { config: config.to_owned(), ..HostOptions::default() };
    Site::with(SiteOptions { host, ..SiteOptions::default() }).await
}

/// Writes its patient's key into Tasks.Title.
fn create() -> ManifestBuilder {
    ManifestBuilder::probe("probe", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title")
}

/// Patients are added as long as the work goes on; answers their keys.
async fn with_patients(account: &Account, work: impl Future<Output = ()>) -> Vec<i64> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let people = async {
        let mut patients = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let n = COUNT.fetch_add(1, Ordering::Relaxed);
            patients.push(account.add_patient(&format!("During {n}")).await);
        }
        patients
    };
    let work = async {
        work.await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(people, work).0
}

/// Waits until each of these patients has its task of [`create`], and is sure that none has two. What two webhooks told of is
/// listed as a duplicate.
async fn one_task_each(site: &Site, patients: &[i64]) {
    let mut expected: Vec<String> = patients.iter().map(i64::to_string).collect();
    expected.sort();
    until("all runs have succeeded", async || {
        let mut runs = site.workflow("probe").await["runs"].clone();
        runs.as_object_mut()?.remove("skipped");
        (runs == json!({"succeeded": patients.len()})).then_some(())
    })
    .await;
    let rows = site.account.rows("Tasks").await;
    let mut titles: Vec<String> =
        rows.iter().skip(1).map(|row| row["Title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    assert_eq!(titles, expected);
    let skipped =
        site.host.cli(&["run", "list", "--state", "skipped", "--json", "--limit", "1000"]).await.json();
    assert!(skipped.as_array().unwrap().iter().all(|run| run["cause"] == "duplicate"), "{skipped}");
}

/// What needs a person, as `status` says.
async fn attention(site: &Site) -> Vec<String> {
    let status = site.host.cli(&["status", "--json"]).await.json();
    let texts = status["attention"].as_array().unwrap();
    texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Actor and subject of what was written to the audit log about this.
fn audited(site: &Site, action: &str) -> Vec<String> {
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    let mut lines =
        database.prepare("SELECT actor || ' ' || subject FROM audit WHERE action = ?1 ORDER BY id").unwrap();
    let lines = lines.query_map([action], |row| row.get(0)).unwrap();
    lines.map(Result::unwrap).collect()
}

async fn state(site: &Site) -> String {
    site.workflow("probe").await["state"].as_str().unwrap().to_owned()
}

async fn until_active(site: &Site) {
    until("the workflow is active and its webhook ready", async || {
        let shown = site.workflow("probe").await;
        (shown["state"] == "active" && shown["webhook"]["stage"] == "ready").then_some(())
    })
    .await;
}

/// A person adds a patient, and exactly one more run succeeds: the webhook's secret is known.
async fn one_patient_one_run(site: &Site) {
    let before = site.runs().await.len();
    site.account.add_patient(&format!("Patient {before}")).await;
    until("its run succeeds", async || {
        let runs = site.runs().await;
        (runs.len() > before && runs.iter().all(|run| run["state"] == "succeeded")).then_some(())
    })
    .await;
    assert_eq!(site.runs().await.len(), before + 1);
    let shown = site.workflow("probe").await;
    assert_eq!(shown["webhook"]["rejected"], 0, "{shown}");
}
