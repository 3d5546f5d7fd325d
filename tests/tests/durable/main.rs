//! A finished effect is never done twice; an undecided one is neither repeated nor dropped.

mod answers;
mod crashes;
mod criteria;
mod full_disk;
mod letters;
mod outages;
mod policies;
mod replay;
mod retries;
mod schedules;
mod shutdown;
mod sleeps;
mod state;
mod store;
mod waits;

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::Value;

const TASKS: &str = "/integrations/rest/v3/tables/Tasks/records";

/// Writes its patient's key into Tasks.Title: as `count` rows, "4-0", "4-1", …
fn create(count: u32) -> ManifestBuilder {
    on_tasks("create").setting("count", &count.to_string())
}

/// The probe in a mode that works on Tasks.Title, with every right to.
fn on_tasks(mode: &str) -> ManifestBuilder {
    ManifestBuilder::probe("probe", mode)
        .grant("Tasks", "read create update delete")
        .setting("table", "Tasks")
        .setting("field", "Title")
}

/// The titles of all tasks but the seed's, sorted.
async fn titles(site: &Site) -> Vec<String> {
    let rows = site.account.rows("Tasks").await;
    let mut titles: Vec<String> =
        rows.iter().skip(1).map(|row| row["Title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

/// How many requests Caspio got that would create a task.
async fn sent(site: &Site) -> u64 {
    site.account.calls("POST", TASKS).await
}

/// The run is parked since nobody knows whether this step happened, and says what to do.
fn assert_undecided(run: &Value, step: u32, action: &str) {
    assert_eq!((&run["state"], &run["cause"]), (&"parked".into(), &"undecided".into()), "{run:#}");
    let failure = run["failure"].as_str().unwrap();
    assert!(failure.contains(&format!("step {step} ({action}) was sent")), "{failure}");
    assert!(failure.contains("look at the table in Caspio"), "{failure}");
    let steps = run["steps"].as_array().unwrap();
    assert_eq!(steps.len(), step as usize, "{run:#}");
    assert_eq!(steps.last().unwrap()["state"], "intent", "{run:#}");
    assert!(steps.iter().rev().skip(1).all(|step| step["state"] == "done"), "{run:#}");
}

/// Without faults, the next patient's run succeeds: the host still serves.
async fn still_serves(site: &Site) {
    site.account.clear_faults().await;
    let id = site.account.add_patient("Still Here").await;
    until("the next event's run succeeds", async || {
        site.runs().await.iter().any(|run| run["pk_id"] == id && run["state"] == "succeeded").then_some(())
    })
    .await;
}

/// A host that is made from a backup of this one takes its place.
async fn move_by_backup(site: &mut Site) {
    let file = site.folder().join("moved.tar").display().to_string();
    site.host.cli(&["backup", &file]).await.ok();
    site.host.kill().await;
    let restored = site.host.moved(&site.folder().join("restored"));
    std::fs::create_dir_all(site.folder().join("restored")).unwrap();
    site.host.cli(&["restore", &file, "--data", &restored.data().display().to_string()]).await.ok();
    std::fs::copy(site.host.data().join("master.key"), restored.data().join("master.key")).unwrap();
    site.host = restored;
    site.host.start().await;
}
