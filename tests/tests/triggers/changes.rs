//! A new version changes the events of the same webhook in place.

use std::sync::atomic::{AtomicBool, Ordering};

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::json;

use crate::{WEBHOOKS, events, one_patient_one_run, probe, the_webhook, trigger};

/// What must not change: the webhook with its secret.
async fn identity(site: &Site) -> (String, String) {
    let hook = the_webhook(site).await;
    (hook["Id"].as_str().unwrap().to_owned(), hook["Secret"].as_str().unwrap().to_owned())
}

fn update(fields: &[&str]) -> String {
    trigger("update", "Patients", &format!("fields = {fields:?}"))
}

/// Deploys one set of triggers after the other onto the same webhook.
async fn changed(from: &[String], to: &[String], expected: &[&str]) -> Site {
    let site = Site::start().await;
    site.deploy(&probe(from)).await.ok();
    let before = identity(&site).await;
    site.deploy(&probe(to)).await.ok();
    assert_eq!(events(&site).await, expected);
    assert_eq!(identity(&site).await, before);
    let shown = site.workflow("probe").await;
    assert_eq!((&shown["version"], &shown["webhook"]["stage"]), (&json!(2), &json!("ready")));
    site
}

#[tokio::test]
async fn an_added_trigger_fires() {
    let insert = trigger("insert", "Patients", "");
    let both = [insert.clone(), trigger("insert", "Tasks", "")];
    let site = changed(&[insert], &both, &["recordInsert Patients", "recordInsert Tasks"]).await;
    site.account.insert("Tasks", json!({"Title": "x"})).await;
    site.until_runs(1, &["succeeded"]).await;
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn a_removed_trigger_fires_no_more() {
    let both = [trigger("insert", "Patients", ""), trigger("insert", "Tasks", "")];
    let site = changed(&both, &both[..1], &["recordInsert Patients"]).await;
    site.account.insert("Tasks", json!({"Title": "x"})).await;
    assert_eq!(site.account.messages().await.len(), 0);
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn changed_sources_change_the_event_in_place() {
    let site = Site::start().await;
    site.deploy(&probe(&[trigger("insert", "Patients", "")])).await.ok();
    let before = the_webhook(&site).await;
    for (sources, expected) in [
        ("sources = [\"DataPages\"]", json!(["DataPages"])),
        ("", before["Events"][0]["EventSources"].clone()),
    ] {
        site.deploy(&probe(&[trigger("insert", "Patients", sources)])).await.ok();
        let after = the_webhook(&site).await;
        assert_eq!(after["Events"][0]["Id"], before["Events"][0]["Id"]);
        assert_eq!(after["Events"][0]["EventSources"], expected);
    }
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn changed_fields_change_the_event_in_place() {
    let site = Site::start().await;
    site.deploy(&probe(&[update(&["Phone"])])).await.ok();
    let before = the_webhook(&site).await["Events"][0]["Id"].clone();
    for (fields, expected) in [
        (update(&["Phone", "Email"]), "recordUpdate Patients Phone+Email"),
        (update(&["LastName"]), "recordUpdate Patients LastName"),
        (trigger("update", "Patients", ""), "recordUpdate Patients"),
        (update(&["Phone"]), "recordUpdate Patients Phone"),
    ] {
        site.deploy(&probe(&[fields])).await.ok();
        assert_eq!(events(&site).await, [expected]);
        assert_eq!(the_webhook(&site).await["Events"][0]["Id"], before);
    }
    site.account.update("Patients", "PK_ID=1", json!({"Phone": "9"})).await;
    site.until_runs(1, &["succeeded"]).await;
}

#[tokio::test]
async fn triggers_that_are_merged_leave_no_event_in_the_way() {
    let from = [update(&["Phone"]), update(&["Email"])];
    changed(&from, &[update(&["Phone", "Email"])], &["recordUpdate Patients Phone+Email"]).await;
}

#[tokio::test]
async fn a_trigger_that_is_split_becomes_two_events() {
    let to = [update(&["Email"]), update(&["Phone"])];
    let site = changed(
        &[update(&["Phone", "Email"])],
        &to,
        &["recordUpdate Patients Email", "recordUpdate Patients Phone"],
    )
    .await;
    site.account.update("Patients", "PK_ID=1", json!({"Phone": "9", "Email": "n@example.com"})).await;
    site.until_runs(2, &["succeeded"]).await;
}

#[tokio::test]
async fn triggers_that_exchange_their_fields_do_not_meet() {
    let swapped = [update(&["Email"]), update(&["Phone"])];
    changed(
        &[update(&["Phone"]), update(&["Email"])],
        &swapped,
        &["recordUpdate Patients Email", "recordUpdate Patients Phone"],
    )
    .await;
    let moved = [update(&["Email", "LastName"]), update(&["Phone"])];
    changed(
        &[update(&["Phone", "LastName"]), update(&["Email"])],
        &moved,
        &["recordUpdate Patients Email+LastName", "recordUpdate Patients Phone"],
    )
    .await;
    let ring = [update(&["Email", "Active"]), update(&["Phone", "LastName"])];
    changed(
        &[update(&["Phone", "Active"]), update(&["Email", "LastName"])],
        &ring,
        &["recordUpdate Patients Email+Active", "recordUpdate Patients Phone+LastName"],
    )
    .await;
}

#[tokio::test]
async fn the_same_version_again_changes_nothing_in_caspio() {
    let site = Site::start().await;
    let manifest = probe(&[trigger("insert", "Patients", "")]);
    site.deploy(&manifest).await.ok();
    let before = the_webhook(&site).await;
    site.deploy(&manifest).await.ok();
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    assert_eq!(the_webhook(&site).await, before);
    assert_eq!(site.account.calls("POST", WEBHOOKS).await, 2);
    for method in ["PUT", "DELETE"] {
        assert_eq!(site.account.calls(method, WEBHOOKS).await, 0, "{method}");
    }
}

#[tokio::test]
async fn what_a_person_did_to_webhook_and_events_in_caspio_is_put_right_by_activating() {
    let site = Site::start().await;
    site.deploy(&probe(&[trigger("insert", "Patients", ""), trigger("delete", "Patients", "")])).await.ok();
    let hook = the_webhook(&site).await;
    let path = format!("outgoingWebhooks/{}", hook["Id"].as_str().unwrap());
    let event = format!("{path}/events/{}", hook["Events"][0]["Id"].as_str().unwrap());
    let nothing = serde_json::Value::Null;
    for (method, path, body) in [
        ("DELETE", &event, nothing.clone()),
        ("PUT", &path, json!({"Enabled": false})),
        ("PUT", &path, json!({"OutgoingUrls": ["https://elsewhere.example.com/"]})),
        ("DELETE", &path, nothing),
    ] {
        let (status, answer) = site.account.rest(method, path, body).await;
        assert!(status < 300, "{method} {path}: {answer}");
        site.host.cli(&["workflow", "activate", "probe"]).await.ok();
        assert_eq!(events(&site).await, ["recordDelete Patients", "recordInsert Patients"]);
        one_patient_one_run(&site).await;
    }
}

#[tokio::test]
async fn a_deploy_without_activating_keeps_an_active_workflow_in_step() {
    let site = Site::start().await;
    site.deploy(&probe(&[trigger("insert", "Patients", "")])).await.ok();
    crate::deploy_inactive(&site, &probe(&[trigger("insert", "Tasks", "")])).await;
    assert_eq!(events(&site).await, ["recordInsert Tasks"]);
    assert_eq!(crate::state(&site).await, "active");
}

#[tokio::test]
async fn killed_while_an_event_is_changed_it_is_mended_after_the_restart() {
    for failpoint in [
        "trigger.before-change=return(kill)",
        "trigger.after-change=return(kill)",
        "trigger.before-event=return(kill)",
    ] {
        let mut site = Site::start().await;
        site.deploy(&probe(&[update(&["Phone"]), trigger("insert", "Patients", "")])).await.ok();
        let before = identity(&site).await;
        site.restart_with(failpoint).await;
        let to = [update(&["Email"]), trigger("insert", "Patients", ""), trigger("delete", "Patients", "")];
        assert_ne!(site.deploy(&probe(&to)).await.code, 0);
        site.host.until_dead().await;
        site.restart_with("").await;
        until("the events are in step", async || {
            let expected = ["recordDelete Patients", "recordInsert Patients", "recordUpdate Patients Email"];
            (events(&site).await == expected).then_some(())
        })
        .await;
        crate::until_active(&site).await;
        assert_eq!(identity(&site).await, before);
        one_patient_one_run(&site).await;
    }
}

#[tokio::test]
async fn no_event_is_lost_while_versions_are_deployed() {
    let site = Site::start().await;
    let version = |n: usize| {
        let mut triggers = vec![trigger("insert", "Patients", "")];
        if n % 2 == 1 {
            triggers.insert(0, trigger("delete", "Tasks", ""));
            triggers.push(update(&["Phone"]));
        }
        ManifestBuilder::probe("probe", "echo")
            .setting("version", &n.to_string())
            .triggers(&triggers.concat())
    };
    site.deploy(&version(0)).await.ok();
    let stop = AtomicBool::new(false);
    let people = async {
        let mut added = 0;
        while !stop.load(Ordering::Relaxed) {
            site.account.add_patient(&format!("During {added}")).await;
            added += 1;
        }
        added
    };
    let deploys = async {
        for n in 1..=6 {
            site.deploy(&version(n)).await.ok();
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (added, ()) = tokio::join!(people, deploys);
    until("every patient's run has succeeded", async || {
        let runs = site.workflow("probe").await["runs"].clone();
        (runs == json!({"succeeded": added})).then_some(())
    })
    .await;
}
