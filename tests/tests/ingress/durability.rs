//! Nothing acknowledged is lost, nothing is run twice: whatever happens at the moment of storing.

use std::io::Read as _;

use caspian_e2e::{ManifestBuilder, Site, SiteOptions, until};
use serde_json::json;

use crate::{all_messages, site_with, still_serves};

/// Deploys, starts the host with a failpoint, adds patients; answers when Caspio's messages are delivered.
async fn delivered_after(site: &mut Site, failpoint: &str, dies: bool) {
    site.deploy(
        &ManifestBuilder::probe("probe", "create")
            .grant("Tasks", "create")
            .setting("table", "Tasks")
            .setting("field", "Title"),
    )
    .await
    .ok();
    site.restart_with(failpoint).await;
    for name in ["One", "Two", "Three"] {
        site.account.add_patient(name).await;
    }
    if dies {
        site.host.until_dead().await;
        site.restart_with("").await;
    }
    until("Caspio has delivered everything", async || {
        let summary = site.account.get("messages/summary").await;
        (summary["Delivered"] == 3 && summary["Queued"] == 0).then_some(())
    })
    .await;
}

async fn one_run_and_task_each(site: &Site) {
    let runs = site.until_runs(3, &["succeeded"]).await;
    let messages = site.account.messages().await;
    for message in &messages {
        let of = runs.iter().filter(|run| run["message_id"] == message["MessageId"]).count();
        assert_eq!(of, 1, "{message}");
        let task = site.account.rows("Tasks").await;
        let title = message["PkIds"][0].to_string();
        assert_eq!(task.iter().filter(|task| task["Title"] == title).count(), 1);
    }
    assert_eq!(all_messages(site).await, 3);
}

#[tokio::test]
async fn when_the_store_fails_caspio_sends_again_and_there_is_one_run() {
    // Attempts are counted; one that was sent twice would be one more.
    let mut site = Site::pinning(&["DuplicateProbability"]).await;
    delivered_after(&mut site, "ingress.commit-fails=5*return(error)", false).await;
    let attempts: u64 = site.account.messages().await.iter().filter_map(|m| m["Attempts"].as_u64()).sum();
    assert_eq!(attempts, 8, "five were answered 503");
    assert!(site.host.log().contains("the store is full: free space"), "the log says what to do");
    one_run_and_task_each(&site).await;
}

#[tokio::test]
async fn killed_before_the_commit_the_message_comes_again() {
    let mut site = Site::start().await;
    delivered_after(&mut site, "ingress.before-commit=return(kill)", true).await;
    one_run_and_task_each(&site).await;
}

#[tokio::test]
async fn killed_after_the_commit_the_message_is_known_when_it_comes_again() {
    let mut site = Site::start().await;
    delivered_after(&mut site, "ingress.after-commit=return(kill)", true).await;
    one_run_and_task_each(&site).await;
}

#[tokio::test]
async fn messages_that_come_while_the_host_is_down_are_run_later() {
    let mut site = Site::start().await;
    site.deploy(&ManifestBuilder::probe("probe", "echo")).await.ok();
    site.host.kill().await;
    for n in 0..10 {
        site.account.add_patient(&format!("Down {n}")).await;
    }
    site.host.start().await;
    site.until_runs(10, &["succeeded"]).await;
}

#[tokio::test]
async fn caspios_duplicates_start_no_second_run() {
    let account = |settings: &mut caspio_emulator::Settings| {
        settings.duplicate_probability = 1.0;
        settings.reorder_probability = 0.5;
    };
    let site = Site::with(SiteOptions { account: Some(account), ..Default::default() }).await;
    site.deploy(&ManifestBuilder::probe("probe", "echo")).await.ok();
    for n in 0..20 {
        site.account.add_patient(&format!("Twice {n}")).await;
    }
    until("each message was sent twice", async || {
        let messages = site.account.messages().await;
        (messages.len() == 20 && messages.iter().all(|m| m["State"] == "delivered" && m["Attempts"] == 2))
            .then_some(())
    })
    .await;
    site.until_runs(20, &["succeeded"]).await;
    for message in site.account.messages().await {
        site.account.redeliver(message["MessageId"].as_str().unwrap()).await;
    }
    until("each message was sent a third time", async || {
        (site
            .account
            .messages()
            .await
            .iter()
            .all(|m| m["State"] == "delivered" && m["Attempts"].as_u64() >= Some(3)))
        .then_some(())
    })
    .await;
    site.until_runs(20, &["succeeded"]).await;
    assert_eq!(all_messages(&site).await, 20);
}

#[tokio::test]
async fn a_late_message_of_a_deactivated_workflow_is_recorded_as_skipped() {
    let (mut site, delivery) = site_with("echo").await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    let late = delivery.message("late", json!([{"PK_ID": 1}, {"PK_ID": 2}]));
    assert_eq!(delivery.send_signed(&late).await, 200);
    assert_eq!(delivery.send_signed(&late).await, 200);
    let runs = site.until_runs(2, &["skipped"]).await;
    assert!(runs.iter().all(|run| run["cause"] == "inactive"), "{runs:#?}");
    assert_eq!(site.workflow("probe").await["messages"], json!({"skipped": 1}));
    // Still only for who knows the secret; also after a restart.
    site.restart_with("").await;
    let mut stranger = delivery.clone();
    stranger.secret = "guess".to_owned();
    assert_eq!(stranger.send_signed(&delivery.message("later", json!([{"PK_ID": 3}]))).await, 401);
    assert_eq!(delivery.send_signed(&delivery.message("later", json!([{"PK_ID": 3}]))).await, 200);
    site.until_runs(3, &["skipped"]).await;
}

#[tokio::test]
async fn the_secret_of_a_webhook_is_nowhere_in_the_data_folder() {
    let (site, delivery) = site_with("echo").await;
    still_serves(&site).await;
    // Also not when what carries it can't be read.
    let broken = format!("{{\"secret\": \"{}\", ", delivery.secret).into_bytes();
    let signature = caspian_e2e::sign(&delivery.secret, &broken);
    assert_eq!(delivery.send(broken, &[("x-caspio-signature", &signature)]).await, 200);
    let secret = delivery.secret.as_bytes();
    let mut folders = vec![site.host.data()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut bytes = Vec::new();
            std::fs::File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
            files += 1;
        }
    }
    assert!(files > 3);
    assert!(!site.host.log().contains(&delivery.secret));
}
