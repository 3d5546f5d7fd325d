//! SIGKILL around effects by criteria: what can be repeated is, on the records that it was about.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

use crate::{assert_undecided, on_tasks, still_serves};

const POINTS: [&str; 7] = [
    "journal.before-intent",
    "journal.after-intent",
    "effect.before-send",
    "effect.after-send",
    "journal.before-result",
    "journal.after-result",
    "run.before-finish",
];

/// Three tasks with the same title and one with another; a run over them dies at this point.
async fn died_at(point: &str, manifest: &ManifestBuilder) -> Site {
    let mut site = Site::start().await;
    site.deploy(manifest).await.ok();
    let task = |title: &str| json!({"Title": title, "Status": "Open"});
    site.account.insert("Tasks", json!([task("old"), task("old"), task("old"), task("other")])).await;
    site.restart_with(&format!("{point}=return(kill)")).await;
    site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    site
}

async fn titles(site: &Site) -> Vec<String> {
    crate::titles(site).await
}

#[tokio::test]
async fn an_update_is_done_again_on_the_same_records() {
    for point in POINTS {
        let site = died_at(point, &on_tasks("update").setting("value", "old").setting("to", "new")).await;
        let run = site.until_runs(1, &["succeeded"]).await.remove(0);
        assert_eq!(run["result"], "updated 3", "{point}");
        assert_eq!(titles(&site).await, ["new", "new", "new", "other"], "{point}");
    }
}

#[tokio::test]
async fn a_record_that_matches_only_later_is_not_touched_by_the_repetition() {
    let mut site = Site::start().await;
    site.deploy(&on_tasks("update").setting("value", "old").setting("to", "new")).await.ok();
    site.account.insert("Tasks", json!([{"Title": "old"}])).await;
    site.restart_with("effect.after-send=return(kill)").await;
    site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.account.insert("Tasks", json!([{"Title": "old"}])).await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(run["result"], "updated 1");
    assert_eq!(titles(&site).await, ["new", "old"]);
}

#[tokio::test]
async fn a_deletion_is_done_again_on_the_same_records() {
    for point in POINTS {
        let site = died_at(point, &on_tasks("delete").setting("value", "old")).await;
        let run = site.until_runs(1, &["succeeded"]).await.remove(0);
        assert_eq!(run["result"], "deleted 3", "{point}");
        assert_eq!(titles(&site).await, ["other"], "{point}");
    }
}

#[tokio::test]
async fn an_upsert_that_found_a_record_is_done_again() {
    for point in POINTS {
        let site = died_at(point, &on_tasks("upsert").setting("value", "other").setting("to", "new")).await;
        let run = site.until_runs(1, &["succeeded"]).await.remove(0);
        assert_eq!(run["result"], "updated 5", "{point}");
        assert_eq!(titles(&site).await, ["new", "old", "old", "old"], "{point}");
    }
}

#[tokio::test]
async fn an_upsert_that_chose_to_insert_is_a_create() {
    for (point, rows) in [
        ("journal.before-intent", Some(1)),
        ("journal.after-intent", None),
        ("effect.after-send", None),
        ("journal.after-result", Some(1)),
    ] {
        let site = died_at(point, &on_tasks("upsert").setting("value", "none yet")).await;
        let run = site.until_runs(1, &["succeeded", "parked"]).await.remove(0);
        let made = titles(&site).await.iter().filter(|title| *title == "none yet").count();
        match rows {
            Some(rows) => assert_eq!((&run["state"], made), (&json!("succeeded"), rows), "{point}"),
            None => {
                assert_undecided(&run, 1, "records.upsert");
                assert_eq!(made, usize::from(point == "effect.after-send"), "{point}");
                still_serves(&site).await;
            }
        }
    }
}

#[tokio::test]
async fn where_nothing_matches_nothing_is_sent() {
    let site = Site::start().await;
    site.deploy(&on_tasks("update").setting("value", "nowhere")).await.ok();
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(run["result"], "updated 0");
    assert_eq!(site.account.calls("PUT", crate::TASKS).await, 0);
}
