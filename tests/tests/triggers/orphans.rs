//! Webhooks that send to this host and belong to no workflow of it.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

use crate::{WEBHOOKS, audited, one_patient_one_run, probe, the_webhook, trigger, until_active};

async fn orphans(site: &Site) -> Vec<Value> {
    site.host.cli(&["orphans", "list", "--json"]).await.json().as_array().unwrap().clone()
}

async fn ids(site: &Site) -> Vec<String> {
    orphans(site).await.iter().map(|orphan| orphan["id"].as_str().unwrap().to_owned()).collect()
}

/// Makes a webhook as a person or another program would; answers its id.
async fn webhook(site: &Site, name: &str, url: &str) -> String {
    let body = json!({"Name": name, "OutgoingUrls": [url]});
    let (status, made) = site.account.rest("POST", "outgoingWebhooks", body).await;
    assert_eq!(status, 201, "{made}");
    made["Id"].as_str().unwrap().to_owned()
}

fn insert() -> ManifestBuilder {
    probe(&[trigger("insert", "Patients", "")])
}

#[tokio::test]
async fn only_what_sends_below_this_hosts_url_and_belongs_to_no_workflow_is_an_orphan() {
    let site = Site::start().await;
    site.deploy(&insert()).await.ok();
    let own = the_webhook(&site).await["Id"].as_str().unwrap().to_owned();
    let host = site.host.url();
    let mut theirs = vec![own.clone()];
    for (n, url) in [
        "https://example.com/hooks/1".to_owned(),
        format!("{host}/other/hooks/{}", "0".repeat(64)),
        format!("{host}/hooks{}", "0".repeat(64)),
        format!("https://example.com/?to={host}/hooks/{}", "0".repeat(64)),
    ]
    .iter()
    .enumerate()
    {
        theirs.push(webhook(&site, &format!("theirs {n}"), url).await);
    }
    assert_eq!(ids(&site).await, Vec::<String>::new());
    site.host.cli(&["orphans", "remove", "--all"]).await.ok();

    let lost = webhook(&site, "lost", &format!("{host}/hooks/{}", "a".repeat(64))).await;
    let odd = webhook(&site, "odd", &format!("{host}/hooks/odd")).await;
    assert_eq!(ids(&site).await, [lost.clone(), odd.clone()]);
    let shown = site.host.cli(&["orphans", "list", "--connection", "clinic"]).await.ok().stdout;
    assert!(shown.contains(&lost) && shown.contains("clinic") && !shown.contains(&own), "{shown}");
    assert!(!shown.contains(&"a".repeat(64)), "a URL is a secret");

    for id in theirs.iter().map(String::as_str).chain(["nothing"]) {
        site.host.cli(&["orphans", "remove", &lost, id]).await.refused("no orphan has the id");
    }
    assert_eq!(site.host.cli(&["orphans", "remove"]).await.code, 2);
    site.host
        .cli(&["orphans", "list", "--connection", "nothing"])
        .await
        .refused("there is no connection 'nothing'");
    assert_eq!(ids(&site).await.len(), 2);

    let answer = site.host.cli(&["orphans", "remove", &lost]).await.ok();
    assert!(answer.stdout.contains(&lost) && answer.stdout.contains("lost"), "{}", answer.stdout);
    assert_eq!(ids(&site).await, [odd.as_str()]);
    site.host.cli(&["orphans", "remove", "--all"]).await.ok();
    assert_eq!(ids(&site).await, Vec::<String>::new());
    let left: Vec<_> = site.account.webhooks().await.iter().map(|hook| hook["Id"].clone()).collect();
    assert_eq!(left, theirs);
    let subject = |id: &str| format!("admin {id} in the account of clinic");
    assert_eq!(audited(&site, "orphan.remove"), [subject(&lost), subject(&odd)]);
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn the_webhooks_of_a_lost_data_folder_are_swept() {
    let mut site = Site::start().await;
    let file = site.folder().join("before.tar").display().to_string();
    site.host.cli(&["backup", &file]).await.ok();
    for name in ["one", "two"] {
        site.deploy(&ManifestBuilder::probe(name, "echo")).await.ok();
    }
    site.host.kill().await;
    let restored = site.host.moved(&site.folder().join("restored"));
    let data = restored.data();
    site.host.cli(&["restore", &file, "--data", &data.display().to_string()]).await.ok();
    std::fs::copy(site.host.data().join("master.key"), data.join("master.key")).unwrap();
    site.host = restored;
    site.host.start().await;
    site.deploy(&insert()).await.ok();
    let found = orphans(&site).await;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().all(|orphan| orphan["active"] == true && orphan["known"] == false), "{found:#?}");
    site.host.cli(&["orphans", "remove", "--all"]).await.ok();
    the_webhook(&site).await;
    one_patient_one_run(&site).await;
}

#[tokio::test]
async fn what_is_being_made_or_removed_is_no_orphan() {
    let mut site = Site::start().await;
    // Made, but nobody heard of it.
    site.account.fault("POST", WEBHOOKS, None, json!({"Kind": "drop-after"})).await;
    site.deploy(&insert()).await.refused("making the webhook");
    the_webhook(&site).await;
    assert_eq!(ids(&site).await, Vec::<String>::new());
    site.account.clear_faults().await;
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    until_active(&site).await;
    // Let go of, but not removed.
    let refusal = json!({"Kind": "status", "Status": 403});
    site.account.fault("DELETE", WEBHOOKS, None, refusal).await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.refused("deleting the webhook");
    assert_eq!(ids(&site).await, Vec::<String>::new());
    site.account.clear_faults().await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    // Removed, and brought back by a person.
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    let url = the_webhook(&site).await["OutgoingUrls"][0].as_str().unwrap().to_owned();
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    let back = webhook(&site, "back", &url).await;
    let found = orphans(&site).await;
    assert_eq!((found.len(), &found[0]["id"], &found[0]["known"]), (1, &json!(back), &json!(true)));
    // Pointed at nobody's URL by hand, it is still the workflow's.
    site.host.cli(&["orphans", "remove", &back]).await.ok();
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    let own = the_webhook(&site).await["Id"].as_str().unwrap().to_owned();
    let nobodys = json!({"OutgoingUrls": [format!("{}/hooks/nobody", site.host.url())]});
    assert_eq!(site.account.rest("PUT", &format!("outgoingWebhooks/{own}"), nobodys).await.0, 200);
    assert_eq!(ids(&site).await, Vec::<String>::new());
    // As long as two fire, neither is.
    site.host.cli(&["trigger", "repair", "probe"]).await.ok();
    site.host.cli(&["trigger", "repair", "probe", "--new-secret"]).await.ok();
    assert_eq!(site.account.webhooks().await.len(), 2);
    assert_eq!(ids(&site).await, Vec::<String>::new());
    site.restart_with("").await;
    assert_eq!(ids(&site).await, Vec::<String>::new());
}

#[tokio::test]
async fn after_a_failure_or_a_kill_in_the_middle_the_sweep_goes_on() {
    let mut site = Site::start().await;
    for n in 0..3 {
        webhook(&site, &format!("lost {n}"), &format!("{}/hooks/{n}", site.host.url())).await;
    }
    site.account.fault_after("DELETE", WEBHOOKS, 1, Some(1), json!({"Kind": "status", "Status": 403})).await;
    let answer = site.host.cli(&["orphans", "remove", "--all"]).await.refused("may not do this");
    assert!(answer.stdout.contains("lost 0") && !answer.stdout.contains("lost 1"), "{}", answer.stdout);
    assert_eq!(ids(&site).await.len(), 2);
    site.restart_with("orphans.before-remove=1*off->return(kill)").await;
    assert_ne!(site.host.cli(&["orphans", "remove", "--all"]).await.code, 0);
    site.host.until_dead().await;
    site.restart_with("").await;
    assert_eq!(ids(&site).await.len(), 1);
    site.host.cli(&["orphans", "remove", "--all"]).await.ok();
    until("none is left", async || site.account.webhooks().await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn two_connections_to_one_account_show_an_orphan_once() {
    let site = Site::start().await;
    let url = site.account.url();
    let add =
        ["connection", "add", "again", "--url", &url, "--client-id", "demo-client", "--client-secret-stdin"];
    site.host.cli_with_input(&add, "demo-secret").await.ok();
    let lost = webhook(&site, "lost", &format!("{}/hooks/lost", site.host.url())).await;
    assert_eq!(ids(&site).await, [lost]);
    site.host.cli(&["orphans", "remove", "--all"]).await.ok();
    assert_eq!(site.account.webhooks().await.len(), 0);
}
