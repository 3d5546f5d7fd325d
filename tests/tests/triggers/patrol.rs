//! The host looks after its webhooks by itself.

use caspian_e2e::until;
use serde_json::{Value, json};

use crate::{
    WEBHOOKS, attention, audited, configured, events, one_patient_one_run, probe, state, the_webhook,
    trigger, until_active,
};

const OFTEN: &str = "[triggers]\ncheck_seconds = 1\n";

async fn until_said(site: &caspian_e2e::Site, part: &str) -> String {
    until(&format!("status says '{part}'"), async || {
        attention(site).await.into_iter().find(|text| text.contains(part))
    })
    .await
}

#[tokio::test]
async fn what_people_change_in_caspio_is_put_right_without_being_asked() {
    let site = configured(OFTEN).await;
    site.deploy(&probe(&[trigger("insert", "Patients", ""), trigger("delete", "Patients", "")])).await.ok();
    let whole = ["recordDelete Patients", "recordInsert Patients"];
    for edit in 0..4 {
        let hook = the_webhook(&site).await;
        let path = format!("outgoingWebhooks/{}", hook["Id"].as_str().unwrap());
        let event = format!("{path}/events/{}", hook["Events"][0]["Id"].as_str().unwrap());
        let (method, path, body) = match edit {
            0 => ("DELETE", &event, Value::Null),
            1 => ("PUT", &path, json!({"Enabled": false})),
            2 => ("PUT", &path, json!({"OutgoingUrls": ["https://elsewhere.example.com/"]})),
            _ => ("DELETE", &path, Value::Null),
        };
        assert!(site.account.rest(method, path, body).await.0 < 300);
        until("it is put right", async || {
            let lines = audited(&site, "trigger.repair");
            assert!(lines.iter().all(|line| line.starts_with("host probe: ")), "{lines:?}");
            (lines.len() > edit).then_some(())
        })
        .await;
        until_active(&site).await;
        assert_eq!(events(&site).await, whole);
    }
    one_patient_one_run(&site).await;
    assert_eq!(attention(&site).await, Vec::<String>::new());
    let metrics =
        reqwest::Client::new().get(format!("{}/metrics", site.host.url())).bearer_auth(site.host.token());
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("caspian_webhooks_mended_total{finding=\"gone\"} 1"), "{metrics}");
    assert!(metrics.contains("caspian_webhooks_troubled 0"), "{metrics}");
}

#[tokio::test]
async fn what_the_profile_may_not_is_shown_until_it_may() {
    let site = configured(OFTEN).await;
    site.deploy(&probe(&[trigger("insert", "Patients", "")])).await.ok();
    let refusal =
        json!({"Kind": "status", "Status": 403, "Json": {"Code": "UnsufficientPrivileges", "Message": "m"}});
    site.account.fault("GET", WEBHOOKS, None, refusal.clone()).await;
    let said = until_said(&site, "the Web services profile may not do this").await;
    assert!(said.contains("the webhook of 'probe'"), "{said}");
    site.account.clear_faults().await;
    until("it is no trouble any more", async || attention(&site).await.is_empty().then_some(())).await;

    let hook = the_webhook(&site).await["Id"].as_str().unwrap().to_owned();
    assert_eq!(site.account.rest("DELETE", &format!("outgoingWebhooks/{hook}"), Value::Null).await.0, 204);
    site.account.fault("POST", WEBHOOKS, None, refusal).await;
    until_said(&site, "it is gone from Caspio, and making the webhook").await;
    site.account.clear_faults().await;
    site.host.cli(&["trigger", "repair"]).await.ok();
    until_active(&site).await;
    assert_eq!(attention(&site).await, Vec::<String>::new());
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn a_host_that_is_not_to_mend_only_says_what_is_wrong() {
    let site = configured("[triggers]\ncheck_seconds = 1\nmend = false\n").await;
    site.deploy(&probe(&[trigger("insert", "Patients", "")])).await.ok();
    let hook = the_webhook(&site).await["Id"].as_str().unwrap().to_owned();
    let off = json!({"Enabled": false});
    assert_eq!(site.account.rest("PUT", &format!("outgoingWebhooks/{hook}"), off).await.0, 200);
    let said = until_said(&site, "is inactive").await;
    assert!(said.ends_with("mend it with: caspian trigger repair probe"), "{said}");
    assert_eq!(the_webhook(&site).await["Events"][0]["Status"], "Inactive");
    site.host.cli(&["trigger", "repair"]).await.ok();
    assert_eq!(events(&site).await, ["recordInsert Patients"]);
    assert_eq!(attention(&site).await, Vec::<String>::new());
}

/// Whatever people do while the host mends, one webhook is there in the end, or none.
#[tokio::test]
async fn people_and_the_host_do_not_get_into_each_others_way() {
    let site = configured(OFTEN).await;
    site.deploy(&probe(&[trigger("insert", "Patients", "")])).await.ok();
    for _ in 0..5 {
        let hook = the_webhook(&site).await["Id"].as_str().unwrap().to_owned();
        assert_eq!(
            site.account.rest("DELETE", &format!("outgoingWebhooks/{hook}"), Value::Null).await.0,
            204
        );
        let repair = || site.host.cli(&["trigger", "repair"]);
        let activate = || site.host.cli(&["workflow", "activate", "probe"]);
        let (one, two, three) = tokio::join!(repair(), activate(), repair());
        one.ok();
        two.ok();
        three.ok();
        assert_eq!(events(&site).await, ["recordInsert Patients"]);
    }
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    site.host.cli(&["trigger", "repair"]).await.ok();
    assert_eq!((state(&site).await.as_str(), site.account.webhooks().await.len()), ("inactive", 0));
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    one_patient_one_run(&site).await;
}
