//! A new public URL, a new client secret: the webhook stays, and no event is lost or doubled.

use caspian_e2e::{Site, SiteOptions, repository, until};
use caspio_emulator::Seed;
use serde_json::{Value, json};

use crate::{WEBHOOKS, create, one_task_each, the_webhook, until_active, with_patients};

/// The same host under another name.
fn other_url(site: &Site) -> String {
    site.host.url().replace("127.0.0.1", "localhost")
}

async fn until_it_sends_to(site: &Site, url: &str) -> Value {
    until(&format!("the webhook sends to {url}"), async || {
        let hook = the_webhook(site).await;
        hook["OutgoingUrls"][0].as_str().unwrap().starts_with(&format!("{url}/hooks/")).then_some(hook)
    })
    .await
}

fn identity(hook: &Value) -> (Value, Value, Value) {
    (hook["Id"].clone(), hook["Secret"].clone(), hook["Events"][0]["Id"].clone())
}

#[tokio::test]
async fn a_host_started_with_another_public_url_tells_caspio_and_no_event_is_lost() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let before = the_webhook(&site).await;
    let mut patients = Vec::new();
    for url in [other_url(&site), site.host.url()] {
        site.host.options().public_url = Some(url.clone());
        patients.extend(with_patients(&site.account, async { site.host.start().await }).await);
        let after = until_it_sends_to(&site, &url).await;
        assert_eq!(identity(&after), identity(&before));
        patients.push(site.account.add_patient(&format!("After {}", patients.len())).await);
        one_task_each(&site, &patients).await;
        assert_eq!(site.workflow("probe").await["webhook"]["rejected"], 0);
    }
    site.host.cli(&["trigger", "check"]).await.ok();
}

#[tokio::test]
async fn killed_while_it_tells_caspio_the_next_start_does() {
    for failpoint in ["trigger.before-point=return(kill)", "trigger.after-point=return(kill)"] {
        let mut site = Site::start().await;
        site.deploy(&create()).await.ok();
        let before = the_webhook(&site).await;
        let url = other_url(&site);
        site.host.options().public_url = Some(url.clone());
        site.host.options().failpoints = failpoint.to_owned();
        if site.host.try_start().await {
            site.host.until_dead().await;
        }
        let while_dead = site.account.add_patient("While Dead").await;
        site.restart_with("").await;
        let after = until_it_sends_to(&site, &url).await;
        assert_eq!(identity(&after), identity(&before));
        until_active(&site).await;
        one_task_each(&site, &[while_dead]).await;
    }
}

#[tokio::test]
async fn when_caspio_does_not_take_the_new_url_it_is_told_again() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let url = other_url(&site);
    site.account.fault("PUT", WEBHOOKS, Some(2), json!({"Kind": "status", "Status": 503})).await;
    site.host.options().public_url = Some(url.clone());
    site.restart_with("").await;
    // Under its former name the host is still reached.
    let patient = site.account.add_patient("Meanwhile").await;
    until_it_sends_to(&site, &url).await;
    one_task_each(&site, &[patient]).await;
}

#[tokio::test]
async fn a_start_with_the_same_public_url_asks_caspio_nothing() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let before = site.account.calls("*", WEBHOOKS).await;
    site.restart_with("").await;
    site.host.until_ready().await;
    let patient = site.account.add_patient("After").await;
    one_task_each(&site, &[patient]).await;
    assert_eq!(site.account.calls("*", WEBHOOKS).await, before);
}

/// The clinic, whose client has two secrets.
fn two_secrets() -> Seed {
    let path = repository().join("host/emulator/seeds/clinic.json");
    let mut seed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let second =
        json!({"client_id": "demo-client", "client_secret": "second-secret", "ProfileName": "Second"});
    seed["Clients"].as_array_mut().unwrap().push(second);
    Seed::from_json(&seed.to_string()).unwrap()
}

#[tokio::test]
async fn no_event_is_lost_or_doubled_while_the_client_secret_is_rotated() {
    let site = Site::with(SiteOptions { seed: Some(two_secrets()), ..SiteOptions::default() }).await;
    site.deploy(&create()).await.ok();
    let before = the_webhook(&site).await;
    let rotate = ["connection", "rotate", "clinic", "--client-secret-stdin"];
    let patients = with_patients(&site.account, async {
        for secret in ["second-secret", "demo-secret", "second-secret"] {
            site.host.cli_with_input(&rotate, secret).await.ok();
            site.account.revoke_tokens().await;
        }
    })
    .await;
    one_task_each(&site, &patients).await;
    assert_eq!(identity(&the_webhook(&site).await), identity(&before));
    assert_eq!(crate::audited(&site, "connection.rotate").len(), 3);
    site.host.cli(&["trigger", "check"]).await.ok();
}
