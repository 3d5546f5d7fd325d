//! `caspian status` and `/health`.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

use crate::{attention, create, until_probes};

#[tokio::test]
async fn a_host_without_anything_is_ready_and_needs_nobody() {
    let site = Site::start().await;
    site.host.until_ready().await;
    let status = site.host.cli(&["status", "--json"]).await.json();
    assert_eq!(
        (&status["ready"], &status["public_url"]),
        (&json!(true), &json!(site.host.url())),
        "{status:#}"
    );
    assert_eq!((&status["runs"], &status["workflows"]), (&json!({}), &json!({})), "{status:#}");
    assert_eq!(status["attention"], json!([]));
    let text = site.host.cli(&["status"]).await.ok().stdout;
    for part in [env!("CARGO_PKG_VERSION"), "health      ready", &site.host.url(), "runs        none"] {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
    assert!(!text.contains("attention"), "{text}");

    let http = reqwest::Client::new();
    for (path, said) in [("live", "live"), ("ready", "ready")] {
        let answer = http.get(format!("{}/health/{path}", site.host.url())).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path} needs no token");
        assert_eq!(answer.text().await.unwrap().trim(), said);
    }
    let token = ["status", "--token", "wrong"];
    site.host.cli(&token).await.refused("the token is missing or not known");
}

#[tokio::test]
async fn live_ends_with_the_host() {
    let mut site = Site::start().await;
    site.host.until_ready().await;
    let url = format!("{}/health/live", site.host.url());
    assert_eq!(site.host.terminate().await, 0);
    assert!(reqwest::get(&url).await.is_err());
    assert_eq!(site.host.cli(&["status"]).await.code, 3);
    site.host.start().await;
    assert_eq!(reqwest::get(&url).await.unwrap().status().as_u16(), 200);
    site.host.until_ready().await;
    assert_eq!(site.host.cli(&["status", "--json"]).await.json()["ready"], true);
}

#[tokio::test]
async fn what_needs_a_person_is_said_with_what_to_do() {
    let site = Site::start().await;
    let tasks = "/integrations/rest/v3/tables/Tasks/records";
    site.deploy(&create()).await.ok();
    site.account.fault("POST", tasks, Some(1), json!({"Kind": "drop-after"})).await;
    site.account.add_patient("Parked").await;
    until_probes(&site, 1, "parked").await;
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();

    site.deploy(&ManifestBuilder::probe("deadly", "fatal")).await.ok();
    let probe = site.delivery().await;
    let forged = probe.message("forged", json!([{"PK_ID": 1}]));
    assert_eq!(probe.send(forged.to_string(), &[]).await, 401);
    site.account.add_patient("Dead").await;

    site.deploy(
        &ManifestBuilder::probe("leaving", "echo")
            .triggers("[[trigger]]\nevent = \"record-delete\"\ntable = \"Patients\"\n"),
    )
    .await
    .ok();
    let refusal =
        json!({"Kind": "status", "Status": 403, "Json": {"Code": "UnsufficientPrivileges", "Message": "m"}});
    site.account.fault("DELETE", "/integrations/rest/v3/outgoingWebhooks", None, refusal).await;
    site.host.cli(&["workflow", "deactivate", "leaving"]).await.refused("deleting the webhook");

    let status = until("all of it is in the status", async || {
        let status = site.host.cli(&["status", "--json"]).await.json();
        (status["runs"] == json!({"dead": 1, "parked": 1, "queued": 1})).then_some(status)
    })
    .await;
    assert_eq!(status["workflows"], json!({"active": 1, "inactive": 1, "paused": 1}), "{status:#}");
    let said = attention(&site).await;
    for (part, next) in [
        ("1 run is parked", "caspian run list --state parked"),
        ("1 run is dead", "caspian run list --state dead"),
        ("1 message to 'probe' refused", "caspian workflow show probe"),
        ("'probe' is paused", "caspian workflow resume probe"),
        ("the webhook of 'leaving' is removing", "caspian workflow deactivate leaving"),
    ] {
        assert!(said.iter().any(|text| text.contains(part) && text.contains(next)), "'{part}' in {said:#?}");
    }
    assert_eq!(said.len(), 5, "{said:#?}");
    let text = site.host.cli(&["status"]).await.ok().stdout;
    for line in &said {
        assert!(text.contains(&format!("attention   {line}")), "'{line}' is not in: {text}");
    }
    assert!(text.contains("runs        1 dead, 1 parked, 1 queued"), "{text}");

    let other = site.host.cli(&["status", "--json", "--tenant", "other"]).await.json();
    assert_eq!((&other["runs"], &other["attention"]), (&json!({}), &json!([])), "{other:#}");
    assert_eq!(other["workflows"], Value::Object(Default::default()));
}

#[tokio::test]
async fn what_is_done_with_needs_nobody_any_more() {
    let site = Site::start().await;
    site.deploy(&ManifestBuilder::probe("deadly", "fatal")).await.ok();
    let delivery = site.delivery().await;
    assert_eq!(delivery.send(delivery.message("forged", json!([{"PK_ID": 1}])).to_string(), &[]).await, 401);
    site.account.add_patient("Dead").await;
    site.until_runs(1, &["dead"]).await;
    let said = attention(&site).await;
    assert!(said.iter().any(|text| text.contains("1 message to 'deadly' refused")), "{said:?}");
    assert_eq!(said.len(), 2, "{said:?}");

    // A day later nobody need look at the refused one; it is still counted.
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    database.execute("UPDATE webhooks SET rejected_at = rejected_at - 86400000000", []).unwrap();
    let said = attention(&site).await;
    assert_eq!(said, ["1 run is dead; see: caspian run list --state dead"]);
    assert_eq!(site.workflow("deadly").await["webhook"]["rejected"], 1);

    site.host.cli(&["workflow", "delete", "deadly"]).await.ok();
    assert_eq!(attention(&site).await, Vec::<String>::new());
    assert_eq!(site.runs().await.len(), 1, "what was is still listed");
}
