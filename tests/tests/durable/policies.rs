//! `[effects]`: what becomes of creates of which nobody knows whether Caspio did them.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

use crate::titles;

const QUICK: &str = "[retry]\ninitial_seconds = 0.05\nmax_seconds = 0.2\n";
const CONTACTS: &str = "/integrations/rest/v3/tables/Contacts/records";

fn tasks(policy: &str) -> ManifestBuilder {
    ManifestBuilder::probe("probe", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title")
        .sections(&format!("{QUICK}[effects]\ncreates = {{ Tasks = {policy} }}\n"))
}

/// Contacts are recognised by Email, which is Unique.
fn verified() -> ManifestBuilder {
    writing("FullName")
}

/// The same for a workflow that writes this field.
fn writing(field: &str) -> ManifestBuilder {
    ManifestBuilder::probe("probe", "create")
        .grant("Contacts", "create read")
        .setting("table", "Contacts")
        .setting("field", field)
        .setting("count", "2")
        .sections(&format!("{QUICK}[effects]\ncreates = {{ contacts = {{ verify = \"Email\" }} }}\n"))
}

/// Names of the contacts that runs made, sorted.
async fn made(site: &Site) -> Vec<String> {
    let rows = site.account.rows("Contacts").await;
    let stamped = rows.iter().filter(|row| row["Email"].as_str().unwrap_or_default().starts_with("caspian-"));
    let mut names: Vec<String> = stamped.map(|row| row["FullName"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

async fn killed(manifest: &ManifestBuilder, point: &str) -> (Site, i64) {
    let mut site = Site::start().await;
    site.deploy(manifest).await.ok();
    site.restart_with(&format!("{point}=return(kill)")).await;
    let patient = site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    (site, patient)
}

#[tokio::test]
async fn with_retry_it_is_sent_again_and_nothing_is_missing() {
    for (point, count) in [("effect.before-send", 1), ("effect.after-send", 2), ("journal.before-result", 2)]
    {
        let (site, patient) = killed(&tasks("\"retry\""), point).await;
        site.until_runs(1, &["succeeded"]).await;
        assert_eq!(titles(&site).await, vec![patient.to_string(); count], "{point}");
    }
}

#[tokio::test]
async fn verified_it_is_there_once_wherever_the_host_was_killed() {
    for point in [
        "journal.after-intent",
        "effect.before-send",
        "effect.after-send",
        "journal.before-result",
        "journal.after-result",
    ] {
        let (site, patient) = killed(&verified(), point).await;
        let run = site.until_runs(1, &["succeeded"]).await.remove(0);
        assert_eq!(made(&site).await, [format!("{patient}-0"), format!("{patient}-1")], "{point}");
        // The record that was there is the one that the workflow was given.
        let keys: Vec<String> = site
            .account
            .rows("Contacts")
            .await
            .iter()
            .filter(|row| row["Email"].as_str().unwrap_or_default().starts_with("caspian-"))
            .map(|row| row["PK_ID"].to_string())
            .collect();
        assert_eq!(run["result"], json!(format!("created {}", keys.join(","))), "{point}");
    }
}

#[tokio::test]
async fn verified_it_is_there_once_when_answers_are_lost_or_writes_land_late() {
    for fault in [
        json!({"Kind": "drop-after"}),
        json!({"Kind": "drop-before"}),
        json!({"Kind": "drop-late", "Millis": 700}),
    ] {
        let site = Site::start().await;
        site.deploy(&verified()).await.ok();
        site.account.fault("POST", CONTACTS, Some(1), fault.clone()).await;
        let patient = site.account.add_patient("Ada").await;
        site.until_runs(1, &["succeeded"]).await;
        assert_eq!(made(&site).await, [format!("{patient}-0"), format!("{patient}-1")], "{fault}");
    }
}

#[tokio::test]
async fn what_can_not_be_verified_is_refused() {
    let site = Site::start().await;
    let with = |text: &str| verified().sections(&format!("[effects]\ncreates = {{ {text} }}\n"));
    for (text, part) in [
        ("Contacts = { verify = \"FullName\" }", "which is no Text (255) field that is Unique"),
        ("Contacts = { verify = \"Nope\" }", "which is no Text (255) field that is Unique"),
        ("Tasks = \"retry\"", "on which create is not granted"),
        ("Contacts = \"maybe\"", "unknown variant"),
    ] {
        site.deploy(&with(text)).await.refused(part);
    }
    // The stamp is the host's.
    site.deploy(&writing("Email")).await.ok();
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["dead"]).await.remove(0);
    assert!(run["failure"].as_str().unwrap().contains("the host writes this field"), "{run:#}");
}
