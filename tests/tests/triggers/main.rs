//! Webhooks in Caspio: made once, kept in step, removed; whenever the host dies or Caspio fails.

mod changes;
mod failures;
mod firing;
mod making;
mod removing;
mod unfinished;

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::Value;

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
