//! A new version whose events could not be set up: that is shown, it is set right by itself, and a pause goes on.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

use crate::{WEBHOOKS, deploy_inactive, events, probe, state, trigger, until_active};

fn before() -> ManifestBuilder {
    probe(&[trigger("insert", "Patients", ""), trigger("update", "Patients", "fields = [\"Phone\"]")])
}

fn after() -> ManifestBuilder {
    probe(&[
        trigger("insert", "Patients", ""),
        trigger("update", "Patients", "fields = [\"Email\"]"),
        trigger("delete", "Tasks", ""),
    ])
}

/// The events that `after` wants.
const WANTED: [&str; 3] = ["recordDelete Tasks", "recordInsert Patients", "recordUpdate Patients Email"];

fn refusal() -> Value {
    json!({"Kind": "status", "Status": 500})
}

/// Deploys without a word about activating, while Caspio fails; answers the error.
async fn deploy_fails(site: &Site) -> String {
    let path = after().write(site.folder()).display().to_string();
    site.host.cli(&["deploy", &path]).await.refused("version 2 is deployed, but its triggers are not").stderr
}

async fn until_in_step(site: &Site) {
    until("the events are in step", async || {
        let ready = site.workflow("probe").await["webhook"]["stage"] == "ready";
        (ready && events(site).await == WANTED).then_some(())
    })
    .await;
}

/// A site with the workflow paused and a run that waits.
async fn paused() -> Site {
    let site = Site::start().await;
    site.deploy(&before()).await.ok();
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    site.account.add_patient("Waiting").await;
    site.until_runs(1, &["queued"]).await;
    site
}

/// The pause goes on until it is ended.
async fn still_paused(site: &Site) {
    assert_eq!(state(site).await, "paused");
    site.still_serves().await;
    let waiting = site.workflow("probe").await["runs"].clone();
    assert_eq!(waiting, json!({"queued": 1}));
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until("the run has succeeded", async || {
        (site.workflow("probe").await["runs"] == json!({"succeeded": 1})).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_pause_goes_on_while_the_events_are_mended() {
    let site = paused().await;
    site.account.fault_after("*", WEBHOOKS, 1, Some(4), refusal()).await;
    let said = deploy_fails(&site).await;
    assert!(!said.contains("workflow activate") && said.contains("caspian status"), "{said}");
    until_in_step(&site).await;
    still_paused(&site).await;
}

#[tokio::test]
async fn a_pause_goes_on_when_the_host_dies_while_the_events_are_changed() {
    for failpoint in ["trigger.before-change=return(kill)", "trigger.after-change=return(kill)"] {
        let mut site = paused().await;
        site.restart_with(failpoint).await;
        let path = after().write(site.folder()).display().to_string();
        assert_ne!(site.host.cli(&["deploy", &path]).await.code, 0);
        site.host.until_dead().await;
        site.restart_with("").await;
        until_in_step(&site).await;
        still_paused(&site).await;
    }
}

#[tokio::test]
async fn a_pause_goes_on_while_a_new_version_is_deployed() {
    let site = paused().await;
    deploy_inactive(&site, &after()).await;
    assert_eq!(events(&site).await, WANTED);
    still_paused(&site).await;
}

#[tokio::test]
async fn a_version_whose_events_were_never_asked_for_is_shown_and_set_up_later() {
    for die in [false, true] {
        let mut site = Site::start().await;
        site.deploy(&before()).await.ok();
        site.account.fault("*", WEBHOOKS, None, refusal()).await;
        deploy_fails(&site).await;
        let shown = site.workflow("probe").await;
        assert_eq!((&shown["version"], &shown["webhook"]["stage"]), (&json!(2), &json!("made")), "{shown:#}");
        let status = site.host.cli(&["status"]).await.ok().stdout;
        assert!(status.contains("the webhook of 'probe' is made, not finished"), "{status}");
        if die {
            site.host.kill().await;
        }
        site.account.clear_faults().await;
        if die {
            site.host.start().await;
        }
        until_in_step(&site).await;
        until_active(&site).await;
        let status = site.host.cli(&["status"]).await.ok().stdout;
        assert!(!status.contains("not finished"), "{status}");
    }
}
