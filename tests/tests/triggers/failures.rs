//! Caspio fails while a webhook is made: the error says so, nothing is made twice, activating again works.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

use crate::{WEBHOOKS, deploy_inactive, events, one_patient_one_run, probe, state, the_webhook, trigger};

fn insert() -> ManifestBuilder {
    probe(&[trigger("insert", "Patients", "")])
}

async fn whole(site: &Site) {
    assert_eq!(events(site).await, ["recordInsert Patients"]);
    assert_eq!(state(site).await, "active");
    one_patient_one_run(site).await;
}

#[tokio::test]
async fn when_the_answer_with_the_secret_is_lost_there_is_one_webhook_whose_secret_is_known() {
    for kind in [
        json!({"Kind": "drop-after"}),
        json!({"Kind": "drop-before"}),
        json!({"Kind": "status", "Status": 503}),
    ] {
        let site = Site::start().await;
        site.account.fault("POST", WEBHOOKS, Some(1), kind).await;
        site.deploy(&insert()).await.ok();
        assert_eq!(site.account.calls("POST", WEBHOOKS).await, 3, "twice the webhook, once its event");
        whole(&site).await;
    }
}

#[tokio::test]
async fn when_every_answer_is_lost_the_error_says_so_and_activating_again_works() {
    let site = Site::start().await;
    site.account.fault("POST", WEBHOOKS, None, json!({"Kind": "drop-after"})).await;
    let answer = site.deploy(&insert()).await.refused("making the webhook");
    assert!(
        answer.stderr.contains("version 1 is deployed, but its triggers are not set up"),
        "{}",
        answer.stderr
    );
    assert!(answer.stderr.contains("caspian workflow activate probe"), "{}", answer.stderr);
    assert!(site.account.webhooks().await.len() <= 1);
    assert_eq!(state(&site).await, "inactive");
    site.account.clear_faults().await;
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    whole(&site).await;
}

#[tokio::test]
async fn when_the_answer_about_an_event_is_lost_activating_again_finds_it() {
    let site = Site::start().await;
    site.account.fault_after("POST", WEBHOOKS, 1, Some(1), json!({"Kind": "drop-after"})).await;
    site.deploy(&insert()).await.refused("making an event of the webhook");
    let id = the_webhook(&site).await["Id"].clone();
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    assert_eq!(the_webhook(&site).await["Id"], id);
    whole(&site).await;
}

#[tokio::test]
async fn when_caspio_is_dead_the_error_says_so_and_nothing_is_lost() {
    let site = Site::start().await;
    deploy_inactive(&site, &insert()).await;
    let host = site.host;
    site.account.shutdown().await;
    let answer = host.cli(&["workflow", "activate", "probe"]).await.refused("Caspio can't be reached");
    assert!(answer.stderr.contains("check the network"), "{}", answer.stderr);
    let shown = host.cli(&["workflow", "show", "probe", "--json"]).await.json();
    assert_eq!(shown["state"], "inactive");
}

#[tokio::test]
async fn when_caspio_comes_back_activating_again_works() {
    let site = Site::start().await;
    deploy_inactive(&site, &insert()).await;
    site.account.fault("*", "*", None, json!({"Kind": "drop-before"})).await;
    site.host.cli(&["workflow", "activate", "probe"]).await.refused("the connection to Caspio broke");
    assert_eq!(state(&site).await, "inactive");
    site.account.clear_faults().await;
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    whole(&site).await;
}

#[tokio::test]
async fn when_caspio_refuses_the_webhook_the_error_says_so() {
    let site = Site::start().await;
    let refusal = json!({"Kind": "status", "Status": 403});
    site.account.fault("POST", WEBHOOKS, None, refusal).await;
    let answer = site.deploy(&insert()).await.refused("making the webhook");
    assert!(answer.stderr.contains("the Web services profile may not do this"), "{}", answer.stderr);
    // Whoever gives up can deactivate; nothing is left.
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    assert_eq!(site.account.webhooks().await.len(), 0);
    site.account.clear_faults().await;
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    whole(&site).await;
}

#[tokio::test]
async fn a_rate_limit_while_activating_is_waited_out_or_said() {
    let site = Site::start().await;
    site.account.fault("POST", WEBHOOKS, Some(1), json!({"Kind": "throttle"})).await;
    let answer = site.deploy(&insert()).await;
    if answer.code != 0 {
        answer.refused("limit of calls");
        site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    }
    whole(&site).await;
}

#[tokio::test]
async fn a_revoked_token_is_renewed() {
    let site = Site::start().await;
    deploy_inactive(&site, &insert()).await;
    site.account.revoke_tokens().await;
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    whole(&site).await;
}
