//! What people change in Caspio is found by `trigger check` and put right by `trigger repair`.

use caspian_e2e::{Answer, ManifestBuilder, Site, until};
use serde_json::{Value, json};

use crate::{WEBHOOKS, attention, audited, events, one_patient_one_run, probe, state, the_webhook, trigger};

/// With an insert and an update trigger; the update's event is looked for by its kind.
async fn active() -> Site {
    let site = Site::start().await;
    let update =
        trigger("update", "Patients", "fields = [\"Phone\"]\nsources = [\"DataPages\", \"Datasheet\"]");
    site.deploy(&probe(&[trigger("insert", "Patients", ""), update])).await.ok();
    site
}

const WHOLE: [&str; 2] = ["recordInsert Patients", "recordUpdate Patients Phone"];

async fn check(site: &Site) -> Answer {
    site.host.cli(&["trigger", "check"]).await
}

/// Paths of the webhook and of its events for inserts and updates.
async fn paths(site: &Site) -> (String, String, String) {
    let hook = the_webhook(site).await;
    let path = format!("outgoingWebhooks/{}", hook["Id"].as_str().unwrap());
    let event = |kind: &str| {
        let events = hook["Events"].as_array().unwrap();
        let event = events.iter().find(|event| event["EventType"] == format!("table.{kind}")).unwrap();
        format!("{path}/events/{}", event["Id"].as_str().unwrap())
    };
    (path.clone(), event("recordInsert"), event("recordUpdate"))
}

/// A person does this in Caspio; it is found under this code, and put right.
async fn found_and_mended(site: &Site, edit: (&str, &str, Value), code: &str) {
    let (method, path, body) = edit;
    let (status, answer) = site.account.rest(method, path, body).await;
    assert!(status < 300, "{method} {path}: {answer}");
    let edited = site.account.webhooks().await;

    check(site).await.refused("one webhook is not as it should be");
    let found = site.host.cli(&["trigger", "check", "probe", "--json"]).await;
    assert_eq!(found.code, 1, "{}", found.stderr);
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let codes = |found: &Value| {
        let findings = found[0]["findings"].as_array().unwrap();
        findings.iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(codes(&found).contains(&code.to_owned()), "{found}");
    assert_eq!(site.account.webhooks().await, edited, "checking changes nothing");
    assert!(attention(site).await.iter().any(|text| text.contains("caspian trigger repair probe")));

    let repaired = site.host.cli(&["trigger", "repair", "--json"]).await.json();
    assert_eq!((codes(&repaired), &repaired[0]["mended"]), (codes(&found), &json!(true)), "{repaired}");
    assert_eq!(repaired[0]["webhook"], the_webhook(site).await["Id"]);
    assert!(check(site).await.ok().stdout.contains("it is as it should be"));
    assert_eq!(events(site).await, WHOLE);
    assert_eq!(attention(site).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_webhook_deleted_by_hand_is_made_anew() {
    let site = active().await;
    let before = the_webhook(&site).await;
    let (hook, ..) = paths(&site).await;
    found_and_mended(&site, ("DELETE", &hook, Value::Null), "gone").await;
    let after = the_webhook(&site).await;
    for member in ["Id", "Secret", "OutgoingUrls", "Name"] {
        assert_ne!(after[member], before[member], "{member}");
    }
    one_patient_one_run(&site).await;
    assert_eq!(audited(&site, "trigger.repair"), ["admin probe: gone"]);
    assert_eq!(audited(&site, "trigger.check").len(), 3);
}

#[tokio::test]
async fn a_webhook_or_an_event_disabled_by_hand_is_enabled_in_place() {
    let site = active().await;
    let before = the_webhook(&site).await;
    let (hook, insert, _) = paths(&site).await;
    found_and_mended(&site, ("PUT", &hook, json!({"Enabled": false})), "event-inactive").await;
    let off = json!({"EventType": "table.recordInsert", "ObjectName": "Patients", "Enabled": false});
    found_and_mended(&site, ("PUT", &insert, off), "event-inactive").await;
    let after = the_webhook(&site).await;
    for index in 0..2 {
        assert_eq!(after["Events"][index]["Id"], before["Events"][index]["Id"]);
    }
    assert_eq!(after["Secret"], before["Secret"]);
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn a_webhook_that_a_person_let_send_elsewhere_sends_here_again() {
    let site = active().await;
    let before = the_webhook(&site).await;
    let (hook, ..) = paths(&site).await;
    let elsewhere = json!({"OutgoingUrls": ["https://elsewhere.example.com/"]});
    found_and_mended(&site, ("PUT", &hook, elsewhere), "elsewhere").await;
    // Another one's URL of this same host.
    let other = json!({"OutgoingUrls": [format!("{}/hooks/{}", site.host.url(), "0".repeat(64))]});
    found_and_mended(&site, ("PUT", &hook, other), "elsewhere").await;
    let after = the_webhook(&site).await;
    assert_eq!((&after["Id"], &after["OutgoingUrls"]), (&before["Id"], &before["OutgoingUrls"]));
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn events_edited_by_hand_are_what_the_triggers_want_again() {
    let site = active().await;
    let (hook, insert, update) = paths(&site).await;
    let update_of = |more: Value| {
        let mut body = json!({"EventType": "table.recordUpdate", "ObjectName": "Patients",
            "ObjectFields": ["Phone"], "EventSources": ["DataPages", "Datasheet"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for more in [
        json!({"ObjectFields": ["Email"]}),
        json!({"ObjectFields": []}),
        json!({"EventSources": ["Datasheet"]}),
        json!({"EventSources": []}),
        json!({"CustomPayloadFields": ["PK_ID", "Phone"]}),
        json!({"CustomPayloadTemplate": "{'messageId': '[@out-hook:messageId]', 'data': [{'PK_ID': '[@field:PK_ID]'}]}"}),
    ] {
        found_and_mended(&site, ("PUT", &update, update_of(more)), "event-edited").await;
        assert_eq!(paths(&site).await.2, update, "in place");
    }
    let hook_now = the_webhook(&site).await;
    for event in hook_now["Events"].as_array().unwrap() {
        assert!(
            event["CustomPayloadTemplate"].is_null() && event["CustomPayloadFields"].is_null(),
            "{event}"
        );
    }
    let other_kind = json!({"EventType": "table.recordDelete", "ObjectName": "Patients"});
    found_and_mended(&site, ("PUT", &insert, other_kind), "event-gone").await;
    let (_, insert, _) = paths(&site).await;
    let other_table = json!({"EventType": "table.recordInsert", "ObjectName": "Tasks"});
    found_and_mended(&site, ("PUT", &insert, other_table), "event-surplus").await;
    let (_, insert, _) = paths(&site).await;
    found_and_mended(&site, ("DELETE", &insert, Value::Null), "event-gone").await;
    let added = json!({"EventType": "table.recordDelete", "ObjectName": "Tasks"});
    found_and_mended(&site, ("POST", &format!("{hook}/events"), added), "event-surplus").await;
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn a_paused_workflow_stays_paused_while_its_webhook_is_repaired() {
    let site = active().await;
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    let (hook, ..) = paths(&site).await;
    assert_eq!(site.account.rest("DELETE", &hook, Value::Null).await.0, 204);
    site.host.cli(&["trigger", "repair", "probe"]).await.ok();
    assert_eq!(state(&site).await, "paused");
    site.account.add_patient("Waiting").await;
    until("its run waits", async || (site.runs().await.len() == 1).then_some(())).await;
    assert_eq!(site.runs().await[0]["state"], "queued");
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    site.until_runs(1, &["succeeded"]).await;
}

#[tokio::test]
async fn what_may_not_be_repaired_is_said_and_shown_until_it_is_done() {
    let site = active().await;
    let (_, insert, _) = paths(&site).await;
    assert_eq!(site.account.rest("DELETE", &insert, Value::Null).await.0, 204);
    let refusal =
        json!({"Kind": "status", "Status": 403, "Json": {"Code": "UnsufficientPrivileges", "Message": "m"}});
    site.account.fault("POST", WEBHOOKS, None, refusal).await;
    let answer = site.host.cli(&["trigger", "repair"]).await.refused("one webhook is not as it should be");
    assert!(answer.stdout.contains("is gone") && answer.stdout.contains("failed"), "{}", answer.stdout);
    assert!(answer.stdout.contains("the Web services profile may not do this"), "{}", answer.stdout);
    let said = attention(&site).await;
    assert!(
        said.iter()
            .any(|text| text.contains("may not do this")
                && text.ends_with("then: caspian trigger repair probe")),
        "{said:?}"
    );
    let listed = site.host.cli(&["trigger", "list", "probe", "--json"]).await.json();
    assert!(listed[0]["trouble"].as_str().unwrap().contains("may not do this"), "{listed}");
    assert_eq!(audited(&site, "trigger.repair"), Vec::<String>::new());
    assert_eq!(audited(&site, "trigger.repair-failed"), ["admin probe: event-gone"]);
    site.account.clear_faults().await;
    site.host.cli(&["trigger", "repair"]).await.ok();
    assert_eq!(events(&site).await, WHOLE);
    assert_eq!(attention(&site).await, Vec::<String>::new());
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn killed_while_it_is_repaired_it_is_mended_after_the_restart() {
    for failpoint in ["trigger.before-change=return(kill)", "trigger.after-change=return(kill)"] {
        let mut site = active().await;
        let (_, _, update) = paths(&site).await;
        let other =
            json!({"EventType": "table.recordUpdate", "ObjectName": "Patients", "ObjectFields": ["Email"]});
        assert_eq!(site.account.rest("PUT", &update, other).await.0, 200);
        site.restart_with(failpoint).await;
        assert_ne!(site.host.cli(&["trigger", "repair"]).await.code, 0);
        site.host.until_dead().await;
        site.restart_with("").await;
        until("the events are right", async || (events(&site).await == WHOLE).then_some(())).await;
        crate::until_active(&site).await;
        check(&site).await.ok();
        one_patient_one_run(&site).await;
    }
}

#[tokio::test]
async fn a_look_costs_one_call_a_connection_and_one_a_webhook() {
    let site = active().await;
    site.deploy(&ManifestBuilder::probe("second", "echo")).await.ok();
    let before = site.account.calls("*", "/integrations").await;
    let shown = check(&site).await.ok().stdout;
    assert!(shown.contains("probe") && shown.contains("second"), "{shown}");
    assert_eq!(site.account.calls("*", "/integrations").await - before, 3);
    let listed = site.host.cli(&["trigger", "list", "--json"]).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
    assert!(listed.as_array().unwrap().iter().all(|one| one["checked_at"].is_string()), "{listed}");
    assert_eq!(site.account.calls("*", "/integrations").await - before, 3, "listing asks nobody");
    let shown = site.host.cli(&["trigger", "list"]).await.ok().stdout;
    assert!(shown.contains("record-update") && shown.contains("ready"), "{shown}");
}

#[tokio::test]
async fn only_webhooks_that_there_are_can_be_checked() {
    let site = Site::start().await;
    for verb in ["list", "check", "repair"] {
        site.host.cli(&["trigger", verb, "nothing"]).await.refused("there is no workflow 'nothing'");
    }
    crate::deploy_inactive(&site, &probe(&[trigger("insert", "Patients", "")])).await;
    for verb in ["check", "repair"] {
        site.host.cli(&["trigger", verb]).await.ok();
        let answer = site.host.cli(&["trigger", verb, "probe"]).await.refused("has no webhook");
        assert!(answer.stderr.contains("caspian workflow activate probe"), "{}", answer.stderr);
    }
    assert_eq!(site.account.calls("*", WEBHOOKS).await, 0);
}
