//! SIGKILL around effects that are not about records: done again when that leaves the same, else parked.

use caspian_e2e::{Account, ManifestBuilder, Site};
use serde_json::{Value, json};

use crate::probe;

/// The probe with one effect.
fn one(effect: &str, key: &str) -> ManifestBuilder {
    probe("one").setting("do", effect).setting("key", key)
}

async fn user(account: &Account, email: &str) -> Option<Value> {
    let (_, list) = account.rest("GET", "directories", json!(null)).await;
    let id = list["Result"][0]["Id"].as_str().unwrap().to_owned();
    let (_, users) = account.rest("GET", &format!("directories/{id}/users"), json!(null)).await;
    let users = users["Result"].as_array().unwrap().clone();
    users.into_iter().find(|user| user["Email"] == email)
}

async fn files(account: &Account) -> Vec<Value> {
    let (_, list) = account.rest("GET", "files", json!(null)).await;
    list["Result"].as_array().unwrap().clone()
}

/// What the effect works on: the key of a file, or of a user who is not active yet.
async fn key(account: &Account, effect: &str) -> String {
    let (found, name) = match effect.split_once('.').unwrap().0 {
        "files" => (files(account).await.into_iter().next(), "ExternalKey"),
        _ => (user(account, "new@clinic.example.org").await, "UserGUID"),
    };
    found.expect("it is in the seed")[name].as_str().unwrap().to_owned()
}

/// A run with this effect that dies once it was sent, and what becomes of it.
async fn died(effect: &str, mail: bool) -> (Site, Value) {
    let mut site = Site::start().await;
    let mut manifest = one(effect, &key(&site.account, effect).await);
    if mail {
        manifest = manifest.setting("mail", "yes");
    }
    site.deploy(&manifest).await.ok();
    site.restart_with("effect.after-send=return(kill)").await;
    site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["succeeded", "parked"]).await.remove(0);
    (site, run)
}

#[tokio::test]
async fn what_leaves_the_same_is_done_again() {
    for effect in [
        "attachments.upload",
        "attachments.rename",
        "attachments.delete",
        "files.put",
        "files.delete",
        "directories.update-user",
        "directories.delete-user",
        "directories.activate-user",
    ] {
        let (site, run) = died(effect, false).await;
        // An account that a second activation is refused to tells that the first one was done.
        if effect == "directories.activate-user" && run["state"] == "parked" {
            panic!("{run:#}");
        }
        assert_eq!(run["state"], "succeeded", "{effect}: {run:#}");
        assert!(["ok", "true"].contains(&run["result"].as_str().unwrap()), "{effect}: {run:#}");
        match effect {
            "files.put" => {
                let made = files(&site.account).await;
                assert_eq!(made.iter().filter(|file| file["Name"] == "made.txt").count(), 1, "{made:#?}");
            }
            "files.delete" => assert!(files(&site.account).await.is_empty()),
            "directories.delete-user" => {
                assert!(user(&site.account, "new@clinic.example.org").await.is_none());
            }
            "directories.update-user" => {
                let user = user(&site.account, "new@clinic.example.org").await.unwrap();
                assert_eq!(user["Role"], "Boss");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn what_may_have_happened_once_is_parked() {
    for (effect, mail) in [
        ("files.create", false),
        ("directories.create-user", false),
        ("directories.activate-user", true),
        ("tasks.run", false),
    ] {
        let (site, run) = died(effect, mail).await;
        assert_eq!(
            (&run["state"], &run["cause"]),
            (&json!("parked"), &json!("undecided")),
            "{effect}: {run:#}"
        );
        let failure = run["failure"].as_str().unwrap();
        assert!(failure.contains(&format!("step 1 ({}) was sent", name(effect))), "{effect}: {failure}");
        let place =
            ["files", "directory", "task"].iter().any(|p| failure.contains(&format!("look at the {p} in")));
        assert!(place, "{effect}: {failure}");
        if effect == "files.create" {
            assert_eq!(files(&site.account).await.len(), 2, "it was done once");
        }
    }
}

/// The contract's name of an effect of the probe.
fn name(effect: &str) -> &str {
    if effect == "files.create" { "files.upload" } else { effect }
}
