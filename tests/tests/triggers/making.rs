//! A kill between any two steps of making a webhook leaves no second one, and the first works.

use caspian_e2e::{Site, until};

use crate::{
    WEBHOOKS, deploy_inactive, events, one_patient_one_run, probe, the_webhook, trigger, until_active,
};

/// Two triggers, inactive, and a host that dies at a point while it is being activated.
async fn died_while_activating(failpoint: &str) -> Site {
    let mut site = Site::start().await;
    deploy_inactive(&site, &probe(&[trigger("insert", "Patients", ""), trigger("delete", "Patients", "")]))
        .await;
    site.restart_with(failpoint).await;
    let answer = site.host.cli(&["workflow", "activate", "probe"]).await;
    assert_ne!(answer.code, 0, "{}", answer.stdout);
    site.host.until_dead().await;
    site
}

async fn whole(site: &Site) {
    assert_eq!(events(site).await, ["recordDelete Patients", "recordInsert Patients"]);
    one_patient_one_run(site).await;
    site.account.delete("Patients", "PK_ID=1").await;
    until("the deletion's run", async || (site.runs().await.len() == 2).then_some(())).await;
}

/// After a restart the host goes on by itself; activating by hand changes nothing then.
async fn goes_on_by_itself(failpoint: &str) {
    let mut site = died_while_activating(failpoint).await;
    site.restart_with("").await;
    until_active(&site).await;
    let id = the_webhook(&site).await["Id"].clone();
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    assert_eq!(the_webhook(&site).await["Id"], id);
    whole(&site).await;
}

/// A person activates right after the restart, while the host goes on, too.
async fn goes_on_by_hand(failpoint: &str) {
    let mut site = died_while_activating(failpoint).await;
    site.restart_with("").await;
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    until_active(&site).await;
    whole(&site).await;
}

macro_rules! killed {
    ($($name:ident: $failpoint:literal),+ $(,)?) => {
        mod goes_on_by_itself {
            $(#[tokio::test] async fn $name() { super::goes_on_by_itself($failpoint).await; })+
        }
        mod goes_on_by_hand {
            $(#[tokio::test] async fn $name() { super::goes_on_by_hand($failpoint).await; })+
        }
    };
}

killed! {
    killed_after_the_plan: "trigger.after-plan=return(kill)",
    killed_before_the_webhook: "trigger.before-webhook=return(kill)",
    killed_after_the_webhook: "trigger.after-webhook=return(kill)",
    killed_after_the_secret: "trigger.after-secret=return(kill)",
    killed_before_the_first_event: "trigger.before-event=return(kill)",
    killed_after_the_first_event: "trigger.after-event=return(kill)",
    killed_before_the_second_event: "trigger.before-event=1*off->return(kill)",
    killed_after_the_second_event: "trigger.after-event=1*off->return(kill)",
}

#[tokio::test]
async fn killed_again_and_again_there_is_one_webhook() {
    let mut site = died_while_activating("trigger.after-webhook=return(kill)").await;
    for failpoint in [
        "trigger.before-webhook=return(kill)",
        "trigger.after-webhook=return(kill)",
        "trigger.after-secret=return(kill)",
        "trigger.after-event=return(kill)",
    ] {
        site.host.options().failpoints = failpoint.to_owned();
        // It may die before it listens: it goes on with the webhook at once.
        if site.host.try_start().await {
            site.host.until_dead().await;
        }
        assert!(site.account.webhooks().await.len() <= 1, "{failpoint}");
    }
    site.restart_with("").await;
    until_active(&site).await;
    whole(&site).await;
}

#[tokio::test]
async fn activating_twice_at_once_makes_one_webhook() {
    let site = Site::start().await;
    deploy_inactive(&site, &probe(&[trigger("insert", "Patients", "")])).await;
    let activate = || site.host.cli(&["workflow", "activate", "probe"]);
    let (one, two, three) = tokio::join!(activate(), activate(), activate());
    for answer in [one, two, three] {
        assert!(answer.ok().stdout.contains("workflow probe is active"));
    }
    assert_eq!(events(&site).await, ["recordInsert Patients"]);
    assert_eq!(site.account.calls("POST", WEBHOOKS).await, 2, "one webhook, one event");
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn a_webhook_of_an_earlier_try_is_found_in_every_form_of_the_list() {
    for list in ["Array", "Result"] {
        let mut site = died_while_activating("trigger.after-webhook=return(kill)").await;
        assert_eq!(site.account.webhooks().await.len(), 1);
        site.account
            .settings(serde_json::json!({"WebhookList": list, "WebhookListSecrets": true, "ShuffleUnordered": true}))
            .await;
        site.restart_with("").await;
        until_active(&site).await;
        whole(&site).await;
    }
}

#[tokio::test]
async fn webhooks_of_other_people_are_left_alone() {
    let mut site = Site::start().await;
    let other = serde_json::json!({"Name": "theirs", "OutgoingUrls": ["https://example.com/theirs"]});
    assert_eq!(site.account.rest("POST", "outgoingWebhooks", other).await.0, 201);
    deploy_inactive(&site, &probe(&[trigger("insert", "Patients", "")])).await;
    site.restart_with("trigger.after-webhook=return(kill)").await;
    assert_ne!(site.host.cli(&["workflow", "activate", "probe"]).await.code, 0);
    site.host.until_dead().await;
    assert_eq!(site.account.webhooks().await.len(), 2);
    site.restart_with("").await;
    until_active(&site).await;
    assert_eq!(site.account.webhooks().await.len(), 2);
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    assert_eq!(the_webhook(&site).await["Name"], "theirs");
}
