//! `backup` of a running host: nothing that was acknowledged before it is missing in it, and a host restored from
//! it does nothing twice.

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt as _;

use caspian_e2e::{Delivery, Site, until};

use crate::restore::{by_message, restore};
use crate::{attention, audited, create, probes, titles, titles_of, until_probes};

async fn back_up(site: &Site, name: &str) -> String {
    let file = site.folder().join(name).display().to_string();
    let answer = site.host.cli(&["backup", &file]).await.ok();
    assert!(answer.stdout.contains(&format!("backup written to {file}")), "{}", answer.stdout);
    assert!(answer.stdout.contains("the master key is not in it"), "{}", answer.stdout);
    file
}

/// Ids of the messages that were answered 200.
async fn delivered(site: &Site) -> Vec<String> {
    let messages = site.account.messages().await;
    let done = messages.into_iter().filter(|message| message["State"] == "delivered");
    done.map(|message| message["MessageId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn taken_while_messages_flow_it_has_all_that_was_acknowledged_and_does_nothing_twice() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let stop = Cell::new(false);
    let people = async {
        let mut patients = Vec::new();
        while !stop.get() {
            // A few are always under way, and not more than can be listed at once.
            let enough = patients.len().saturating_sub(8);
            until("messages flow", async || (delivered(&site).await.len() >= enough).then_some(())).await;
            patients.push(site.account.add_patient(&format!("Patient {}", patients.len())).await);
        }
        patients
    };
    let backing_up = async {
        until("some were delivered", async || (delivered(&site).await.len() >= 20).then_some(())).await;
        let acknowledged = delivered(&site).await;
        let file = back_up(&site, "flowing.tar").await;
        let enough = acknowledged.len() + 20;
        until("more were delivered", async || (delivered(&site).await.len() >= enough).then_some(())).await;
        stop.set(true);
        (acknowledged, file)
    };
    let (mut patients, (acknowledged, file)) = tokio::join!(people, backing_up);
    let original = by_message(&until_probes(&site, patients.len(), "succeeded").await);
    assert_eq!(titles(&site).await, titles_of(&patients));

    let said = restore(&mut site, &file, "restored", &[]).await;
    site.host.until_ready().await;
    let restored = probes(&site).await;
    let parked = restored.iter().filter(|run| run["state"] == "parked").count();
    for run in &restored {
        let (state, cause) = (run["state"].as_str().unwrap(), &run["cause"]);
        assert!(state == "succeeded" || (state == "parked" && cause == "restored"), "{run:#}");
        let was = &original[run["message_id"].as_str().unwrap()];
        assert_eq!((&run["id"], &run["pk_id"]), (&was["id"], &was["pk_id"]));
        site.run(run["id"].as_str().unwrap()).await;
    }
    let known = by_message(&restored);
    let missing: Vec<_> = acknowledged.iter().filter(|id| !known.contains_key(*id)).collect();
    assert!(missing.is_empty(), "acknowledged before the backup, but missing: {missing:?}");
    assert_eq!(said.contains(&format!("{parked} unfinished run")), parked > 0, "{said}");
    let said = attention(&site).await;
    assert_eq!(said.iter().any(|t| t.starts_with(&format!("{parked} run"))), parked > 0, "{said:?}");

    // It goes on where the original was: by the same webhook, and each of Caspio's messages once.
    assert_eq!(site.account.webhooks().await.len(), 1);
    site.account.redeliver(&acknowledged[0]).await;
    patients.push(site.account.add_patient("After").await);
    until("the new patient's run succeeds", async || {
        let runs = probes(&site).await;
        runs.iter()
            .any(|r| r["pk_id"] == *patients.last().unwrap() && r["state"] == "succeeded")
            .then_some(())
    })
    .await;
    until("the old message is delivered again", async || {
        (delivered(&site).await.len() == site.account.messages().await.len()).then_some(())
    })
    .await;
    assert_eq!(probes(&site).await.len(), restored.len() + 1);
    assert_eq!(titles(&site).await, titles_of(&patients), "nothing twice");
    site.still_serves().await;
}

fn holds(content: &[u8], part: &str) -> bool {
    content.windows(part.len()).any(|window| window == part.as_bytes())
}

#[tokio::test]
async fn the_file_is_private_and_holds_neither_values_nor_secrets() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    site.account.add_patient("Canary8271").await;
    until_probes(&site, 1, "succeeded").await;
    let file = back_up(&site, "private.tar").await;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let content = std::fs::read(&file).unwrap();
    assert!(holds(&content, "backup.json") && holds(&content, "caspian.db"));
    let delivery = Delivery::of(&site.account.webhooks().await[0]);
    let key = std::fs::read_to_string(site.host.data().join("master.key")).unwrap();
    for secret in [
        "Canary8271",
        "canary8271@example.com",
        "demo-secret",
        site.host.token(),
        &delivery.secret,
        delivery.url.rsplit('/').next().unwrap(),
        key.trim(),
    ] {
        assert!(secret.len() > 9 && !holds(&content, secret), "{:.4}… is in the backup", secret);
    }
    assert!(
        !content.windows(32).any(|part| part == hex::decode(key.trim()).unwrap()),
        "the key's bytes are in it"
    );
    assert_eq!(audited(&site, "backup"), 1);
    // Nothing of it is left in the data folder.
    let left = std::fs::read_dir(site.host.data()).unwrap().map(|e| e.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("unfinished")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_a_killed_host_left_half_done_is_gone_after_the_next_start() {
    let mut site = Site::start().await;
    let deployed = site.deploy(&create()).await.ok().stdout;
    site.deploy(&create().grant("Nowhere", "create")).await.refused("has no table 'Nowhere'");
    let other = "b".repeat(64);
    let folder = site.host.data().to_owned();
    let half = [folder.join(".unfinished-1.tar"), folder.join(format!("components/{other}.wasm"))];
    for file in &half {
        std::fs::write(file, "half").unwrap();
    }
    site.host.kill().await;
    site.restart_with("").await;
    assert!(half.iter().all(|file| !file.exists()), "{deployed}");
    site.account.add_patient("Ada").await;
    site.until_runs(1, &["succeeded"]).await;
}

#[tokio::test]
async fn a_backup_replaces_no_file_and_leaves_none_when_it_fails() {
    let mut site = Site::start().await;
    let folder = site.folder().join("backups");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("there.tar"), "kept").unwrap();
    std::fs::write(folder.join("new.part"), "kept").unwrap();
    let there = folder.join("there.tar").display().to_string();
    site.host.cli(&["backup", &there]).await.refused("exists already");
    let nowhere = folder.join("no/where.tar").display().to_string();
    site.host.cli(&["backup", &nowhere]).await.refused("can't be written");
    back_up(&site, "backups/new.tar").await;
    for kept in ["there.tar", "new.part"] {
        assert_eq!(std::fs::read_to_string(folder.join(kept)).unwrap(), "kept");
    }
    site.host.kill().await;
    let other = folder.join("other.tar").display().to_string();
    assert_eq!(site.host.cli(&["backup", &other]).await.code, 3);
    let mut left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["new.part", "new.tar", "there.tar"]);
}
