//! Deactivating: nothing of ours stays in Caspio, and what does is shown.

use caspian_e2e::{Site, until};
use serde_json::{Value, json};

use crate::{WEBHOOKS, events, one_patient_one_run, probe, state, the_webhook, trigger};

async fn active() -> Site {
    let site = Site::start().await;
    site.deploy(&probe(&[trigger("insert", "Patients", ""), trigger("delete", "Patients", "")])).await.ok();
    site
}

async fn gone(site: &Site) {
    until("the webhook is removed and the workflow inactive", async || {
        let shown = site.workflow("probe").await;
        (shown["state"] == "inactive" && shown["webhook"] == Value::Null).then_some(())
    })
    .await;
    assert_eq!(site.account.webhooks().await.len(), 0);
}

async fn can_be_activated_again(site: &Site) {
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    assert_eq!(events(site).await, ["recordDelete Patients", "recordInsert Patients"]);
    one_patient_one_run(site).await;
}

async fn killed_while_removing(failpoint: &str) {
    let mut site = active().await;
    site.restart_with(failpoint).await;
    assert_ne!(site.host.cli(&["workflow", "deactivate", "probe"]).await.code, 0);
    site.host.until_dead().await;
    site.restart_with("").await;
    gone(&site).await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    gone(&site).await;
    can_be_activated_again(&site).await;
}

#[tokio::test]
async fn killed_before_the_removal_it_is_removed_after_the_restart() {
    killed_while_removing("trigger.before-remove=return(kill)").await;
}

#[tokio::test]
async fn killed_after_the_removal_it_stays_removed() {
    killed_while_removing("trigger.after-remove=return(kill)").await;
}

#[tokio::test]
async fn when_caspio_refuses_the_removal_that_is_said_and_shown() {
    let site = active().await;
    let refusal =
        json!({"Kind": "status", "Status": 403, "Json": {"Code": "UnsufficientPrivileges", "Message": "m"}});
    site.account.fault("DELETE", WEBHOOKS, None, refusal).await;
    let answer = site.host.cli(&["workflow", "deactivate", "probe"]).await.refused("deleting the webhook");
    assert!(answer.stderr.contains("Web services profile"), "{}", answer.stderr);
    // It is still there and fires; but what is deactivated starts no run, and is not called active.
    let hook = the_webhook(&site).await;
    let shown = site.workflow("probe").await;
    assert_eq!((&shown["state"], &shown["webhook"]["stage"]), (&json!("inactive"), &json!("removing")));
    site.account.add_patient("In Between").await;
    site.until_runs(1, &["skipped"]).await;
    assert_eq!(site.workflow("probe").await["messages"], json!({"skipped": 1}));
    let text = site.host.cli(&["workflow", "show", "probe"]).await.ok().stdout;
    assert!(text.contains("removing") && text.contains(hook["Id"].as_str().unwrap()), "{text}");
    // Again, when Caspio allows it.
    site.account.clear_faults().await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    gone(&site).await;
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    site.account.add_patient("Again").await;
    site.until_runs(2, &["skipped", "succeeded"]).await;
}

#[tokio::test]
async fn after_a_refused_removal_activating_makes_a_new_webhook() {
    let site = active().await;
    let old = the_webhook(&site).await["Id"].clone();
    site.account.fault("DELETE", WEBHOOKS, Some(1), json!({"Kind": "status", "Status": 403})).await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.refused("deleting the webhook");
    can_be_activated_again(&site).await;
    assert_ne!(the_webhook(&site).await["Id"], old);
}

#[tokio::test]
async fn when_caspio_does_not_answer_the_removal_deactivating_again_goes_on() {
    let site = active().await;
    for kind in ["drop-after", "drop-before"] {
        site.account.fault("DELETE", WEBHOOKS, Some(1), json!({"Kind": kind})).await;
        site.host.cli(&["workflow", "deactivate", "probe"]).await.refused("deleting the webhook");
        site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
        gone(&site).await;
        can_be_activated_again(&site).await;
    }
}

#[tokio::test]
async fn a_webhook_that_a_person_deleted_in_caspio_is_no_hindrance() {
    let site = active().await;
    let id = the_webhook(&site).await["Id"].as_str().unwrap().to_owned();
    assert_eq!(site.account.rest("DELETE", &format!("outgoingWebhooks/{id}"), Value::Null).await.0, 204);
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    gone(&site).await;
    can_be_activated_again(&site).await;
}

#[tokio::test]
async fn a_workflow_that_was_never_active_can_be_deactivated() {
    let site = Site::start().await;
    crate::deploy_inactive(&site, &probe(&[trigger("insert", "Patients", "")])).await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    assert_eq!(state(&site).await, "inactive");
    assert_eq!(site.account.calls("*", WEBHOOKS).await, 0);
}

#[tokio::test]
async fn runs_that_are_queued_go_on_after_deactivating() {
    let site = Site::start().await;
    let tasks = "/integrations/rest/v3/tables/Tasks/records";
    site.account.fault("POST", tasks, None, json!({"Kind": "throttle"})).await;
    let manifest = caspian_e2e::ManifestBuilder::probe("probe", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title");
    site.deploy(&manifest).await.ok();
    let id = site.account.add_patient("Queued").await;
    until("its run waits", async || {
        let runs = site.runs().await;
        runs.first().is_some_and(|run| run["wakeups"].as_u64() > Some(0)).then_some(())
    })
    .await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    site.account.clear_faults().await;
    site.until_runs(1, &["succeeded"]).await;
    let tasks = site.account.rows("Tasks").await;
    let title = id.to_string();
    assert_eq!(tasks.iter().filter(|task| task["Title"] == title).count(), 1);
}

/// What the host finds unfinished at its start may be settled by a person before its turn comes.
#[tokio::test]
async fn what_a_person_activates_during_the_start_is_not_removed() {
    let mut site = Site::start().await;
    let refused = json!({"Kind": "status", "Status": 403});
    // One webhook is still to be made, the other one still to be removed.
    site.account.fault("POST", WEBHOOKS, Some(1), refused.clone()).await;
    site.deploy(&caspian_e2e::ManifestBuilder::probe("making", "echo")).await.refused("making the webhook");
    site.deploy(&probe(&[trigger("insert", "Patients", "")])).await.ok();
    site.account.fault("DELETE", WEBHOOKS, Some(1), refused).await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.refused("deleting the webhook");
    site.account.clear_faults().await;
    site.account.fault("POST", WEBHOOKS, Some(1), json!({"Kind": "delay", "Millis": 1000})).await;
    site.restart_with("").await;
    until("the host is making the first one", async || {
        (site.account.get("faults").await[0]["Hits"] == 1).then_some(())
    })
    .await;
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    // One after the other: this comes after whatever the host does at its start.
    site.host.cli(&["workflow", "activate", "making"]).await.ok();
    assert_eq!(state(&site).await, "active");
    assert_eq!(site.account.webhooks().await.len(), 2);
    site.account.add_patient("Both").await;
    site.until_runs(2, &["succeeded"]).await;
}
