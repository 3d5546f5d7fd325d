//! Messages as Caspio sends them, and as it never would: what is refused, kept, cut into runs.

mod body;
mod durability;
mod messages;
mod rows;
mod signatures;
mod typing;

use caspian_e2e::{Delivery, ManifestBuilder, Site, until};
use serde_json::Value;

/// A site with the probe in a mode, started by inserts into Patients, and its webhook.
async fn site_with(mode: &str) -> (Site, Delivery) {
    let site = Site::start().await;
    site.deploy(&ManifestBuilder::probe("probe", mode)).await.ok();
    let delivery = site.delivery().await;
    (site, delivery)
}

/// Waits until the workflow shows so many refused messages; the last one for this reason.
async fn until_refused(site: &Site, count: u64, reason: &str) {
    let hook = site.workflow("probe").await["webhook"].clone();
    assert_eq!(hook["rejected"], count, "{hook}");
    assert_eq!(hook["last_rejection"], reason, "{hook}");
    assert!(hook["last_rejection_at"].is_string(), "{hook}");
}

/// A person adds a patient in Caspio, and its run succeeds: the host still serves.
async fn still_serves(site: &Site) {
    let before = site.runs().await.len();
    site.account.add_patient(&format!("Still Here {before}")).await;
    until("the next event's run succeeds", async || {
        let runs = site.runs().await;
        (runs.len() == before + 1 && runs.iter().all(|run| run["state"] == "succeeded")).then_some(())
    })
    .await;
}

/// One number of `workflow show`'s messages by state.
async fn messages(site: &Site, state: &str) -> u64 {
    site.workflow("probe").await["messages"][state].as_u64().unwrap_or(0)
}

/// How many messages `workflow show` has, of any state.
async fn all_messages(site: &Site) -> u64 {
    let shown = site.workflow("probe").await;
    shown["messages"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum()
}

/// The body with the webhook's secret in it.
fn with_secret(mut body: Value, secret: &str) -> Value {
    body["secret"] = secret.into();
    body
}
