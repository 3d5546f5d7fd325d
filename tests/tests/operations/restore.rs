//! `restore` into another folder: it continues where the backup was made, unless that could do things twice.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use caspian_e2e::{Site, until};
use serde_json::Value;

use crate::tar::write_backup_of;
use crate::{add_patients, attention, audited, create, probes, run, titles, titles_of, until_probes};

/// Ends the host, and puts one in its place that was restored into another folder. Answers what `restore` said.
pub async fn restore(site: &mut Site, file: &str, into: &str, flags: &[&str]) -> String {
    site.host.kill().await;
    let restored = site.host.moved(&site.folder().join(into));
    let data = restored.data().display().to_string();
    let said = run(&[&["restore", file, "--data", &data], flags].concat(), &[]).await.ok().stdout;
    assert!(said.contains(&format!("restored into {data}")), "{said}");
    assert!(said.contains("put the master key of the original host at"), "{said}");
    std::fs::copy(site.folder().join("data/master.key"), restored.data().join("master.key")).unwrap();
    site.host = restored;
    site.host.start().await;
    said
}

/// Runs by Caspio's id of their message.
pub fn by_message(runs: &[Value]) -> BTreeMap<String, Value> {
    runs.iter().map(|run| (run["message_id"].as_str().unwrap().to_owned(), run.clone())).collect()
}

#[tokio::test]
async fn unfinished_runs_are_parked_or_go_on_when_the_original_did_nothing_more() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let mut patients = add_patients(&site, 1).await;
    until_probes(&site, 1, "succeeded").await;
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    for name in ["Waiting One", "Waiting Two", "Waiting Three"] {
        patients.push(site.account.add_patient(name).await);
    }
    until("three runs wait", async || {
        let waiting = probes(&site).await.iter().filter(|run| run["state"] != "succeeded").count();
        (waiting == 3).then_some(())
    })
    .await;
    let before = by_message(&probes(&site).await);
    let file = write_backup_of(&site, "waiting.tar");

    let said = restore(&mut site, &file, "careful", &[]).await;
    assert!(said.contains("3 unfinished runs are parked (restored)"), "{said}");
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    site.still_serves().await;
    let runs = probes(&site).await;
    let parked: Vec<_> = runs.iter().filter(|run| run["state"] == "parked").collect();
    assert_eq!((runs.len(), parked.len()), (4, 3), "{runs:#?}");
    assert!(parked.iter().all(|run| run["cause"] == "restored"), "{parked:#?}");
    assert_eq!(titles(&site).await, titles_of(&patients[..1]));
    assert!(said.contains("caspian run resume --cause restored"), "{said}");
    let said = attention(&site).await;
    let parked_so = |text: &String| {
        text.starts_with("3 runs are parked (restored)")
            && text.ends_with("caspian run resume --cause restored")
    };
    assert!(said.iter().any(parked_so), "{said:?}");
    assert_eq!(said.len(), 1, "{said:?}");

    let said = restore(&mut site, &file, "sure", &["--resume"]).await;
    assert!(!said.contains("parked"), "{said}");
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    let runs = until_probes(&site, 4, "succeeded").await;
    assert_eq!(by_message(&runs).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(titles(&site).await, titles_of(&patients));
    assert_eq!(attention(&site).await, Vec::<String>::new());
}

async fn serve(data: &Path) -> caspian_e2e::Answer {
    run(&["serve", "--listen", "127.0.0.1:0", "--data", &data.display().to_string()], &[]).await
}

#[tokio::test]
async fn only_an_empty_place_is_restored_into_and_without_its_master_key_nothing_is_served() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let file = write_backup_of(&site, "b.tar");
    let data = site.host.data().display().to_string();
    run(&["restore", &file, "--data", &data], &[]).await.refused("is initialised already");
    site.host.kill().await;
    let before = std::fs::read(site.host.data().join("caspian.db")).unwrap();
    run(&["restore", &file, "--data", &data], &[]).await.refused("is initialised already");
    assert_eq!(std::fs::read(site.host.data().join("caspian.db")).unwrap(), before);

    let new = site.folder().join("new/data");
    let said = run(&["restore", &file], &[("CASPIAN_DATA", &new.display().to_string())]).await.ok().stdout;
    let key = new.join("master.key").display().to_string();
    assert!(said.contains(&format!("put the master key of the original host at {key}")), "{said}");
    assert!(said.contains("without it the data can't be read"), "{said}");
    assert_eq!(std::fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o700);
    let left = std::fs::read_dir(&new).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, ["caspian.db", "compiled", "components", "lock"]);
    let answer = serve(&new).await.refused("master.key is missing");
    assert!(answer.stderr.contains("restore it from your backup"), "{}", answer.stderr);
    let other = "1f".repeat(32);
    std::fs::write(&key, &other).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    serve(&new).await.refused("encrypted under another master key");

    let host = site.host.moved(&site.folder().join("new"));
    std::fs::copy(site.host.data().join("master.key"), &key).unwrap();
    site.host = host;
    site.host.start().await;
    let patients = add_patients(&site, 1).await;
    until_probes(&site, 1, "succeeded").await;
    assert_eq!(titles(&site).await, titles_of(&patients));
}

#[tokio::test]
async fn what_an_earlier_database_left_in_the_folder_does_not_get_into_a_restored_one() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    let file = write_backup_of(&site, "early.tar");
    // What came after the backup is still in the log when the host dies.
    let patients = add_patients(&site, 8).await;
    until_probes(&site, patients.len(), "succeeded").await;
    site.host.kill().await;
    let database = site.host.data().join("caspian.db");
    let log = site.host.data().join("caspian.db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    std::fs::remove_file(&database).unwrap();

    let data = site.host.data().display().to_string();
    run(&["restore", &file, "--data", &data], &[]).await.ok();
    assert!(!log.exists() && !site.host.data().join("caspian.db-shm").exists());
    let whole = rusqlite::Connection::open(&database).unwrap();
    let said: String = whole.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok");
    drop(whole);
    site.host.start().await;
    assert_eq!(probes(&site).await.len(), 0, "as it was at the backup");
    let after = site.account.add_patient("After").await;
    until_probes(&site, 1, "succeeded").await;
    assert_eq!(titles(&site).await, titles_of(&[patients, vec![after]].concat()));
}

#[tokio::test]
async fn runs_that_a_restore_parked_go_on_when_a_person_says_so() {
    let mut site = Site::start().await;
    site.deploy(&create()).await.ok();
    // One that is parked for another reason.
    let tasks = "/integrations/rest/v3/tables/Tasks/records";
    site.account.fault("POST", tasks, Some(1), serde_json::json!({"Kind": "drop-before"})).await;
    site.account.add_patient("Undecided").await;
    let undecided = until_probes(&site, 1, "parked").await[0]["id"].as_str().unwrap().to_owned();
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    let mut patients = Vec::new();
    for name in ["Waiting One", "Waiting Two", "Waiting Three"] {
        patients.push(site.account.add_patient(name).await);
    }
    until("three runs wait", async || (probes(&site).await.len() == 4).then_some(())).await;
    let file = write_backup_of(&site, "waiting.tar");
    restore(&mut site, &file, "restored", &[]).await;
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();

    let restored = |runs: Vec<Value>| {
        let ids = runs.iter().filter(|run| run["cause"] == "restored").map(|run| run["id"].clone());
        ids.map(|id| id.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let waiting = restored(probes(&site).await);
    assert_eq!(waiting.len(), 3);
    let answer = site.host.cli(&["run", "resume", &undecided]).await.refused("parked (undecided)");
    assert!(answer.stderr.contains(&format!("caspian run resolve {undecided}")), "{}", answer.stderr);
    let answer = site.host.cli(&["run", "resume", &waiting[0]]).await.ok();
    assert_eq!(answer.stdout.trim(), format!("run {} queued", waiting[0]));
    until("it has succeeded, alone", async || {
        let runs = probes(&site).await;
        let done = runs.iter().any(|run| run["id"] == *waiting[0] && run["state"] == "succeeded");
        (done && restored(runs).len() == 2).then_some(())
    })
    .await;
    site.host.cli(&["run", "resume", &waiting[0]]).await.refused("the run is succeeded");
    site.host.cli(&["run", "resume", "17"]).await.refused("this is no run id");
    let unknown = "0190a1b2-0000-7000-8000-000000000000";
    site.host.cli(&["run", "resume", unknown]).await.refused("there is no run");
    site.host
        .cli(&["run", "resume", "--cause", "restored", "--workflow", "no"])
        .await
        .refused("no workflow 'no'");
    let other = ["run", "resume", "--cause", "restored", "--tenant", "other"];
    assert_eq!(site.host.cli(&other).await.ok().stdout.trim(), "0 runs queued");
    for wrong in [&["run", "resume"][..], &["run", "resume", "--cause", "undecided"]] {
        assert_eq!(site.host.cli(wrong).await.code, 2);
    }

    let all = ["run", "resume", "--cause", "restored", "--workflow", "probe"];
    assert_eq!(site.host.cli(&all).await.ok().stdout.trim(), "2 runs queued");
    until("all of them have succeeded", async || {
        let runs = probes(&site).await;
        (runs.iter().filter(|run| run["state"] == "succeeded").count() == 3).then_some(())
    })
    .await;
    assert_eq!(titles(&site).await, titles_of(&patients), "each once");
    let runs = probes(&site).await;
    assert!(runs.iter().any(|run| run["id"] == *undecided && run["state"] == "parked"), "{runs:#?}");
    assert_eq!(audited(&site, "run.resume"), 3);
}
