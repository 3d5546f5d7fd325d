//! A workflow run over rows that were there before it.

use std::collections::BTreeSet;

use super::*;

/// Writes its patient's key into Tasks.Title.
fn create() -> ManifestBuilder {
    ManifestBuilder::probe("probe", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title")
}

async fn backfill(site: &Site) -> Value {
    site.host.cli(&["coverage", "probe", "--json"]).await.json()["backfills"][0].clone()
}

async fn until_done(site: &Site) -> Value {
    until("the backfill is done", async || {
        let shown = backfill(site).await;
        (shown["state"] == "done").then_some(shown)
    })
    .await
}

/// Titles of the tasks that runs made, sorted; the seed has one.
async fn titles(site: &Site) -> Vec<String> {
    let rows = site.account.rows("Tasks").await;
    let mut titles: Vec<String> =
        rows.iter().skip(1).map(|row| row["Title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

async fn keys(site: &Site) -> BTreeSet<String> {
    site.account.rows("Patients").await.iter().map(|row| row["PK_ID"].to_string()).collect()
}

#[tokio::test]
async fn every_row_gets_one_run_also_when_it_is_killed_in_between() {
    let mut site = site().await;
    site.deploy(&create()).await.ok();
    let rows: Vec<_> = (0..30).map(|n| patient(&format!("Row{n}"))).collect();
    site.account.import("Patients", json!(rows)).await;
    let wanted: Vec<String> = keys(&site).await.into_iter().collect();
    site.restart_with("backfill.before-commit=return(kill)").await;
    let begin = ["workflow", "backfill", "probe", "--per-minute", "1000"];
    let _ = site.host.cli(&begin).await;
    site.host.until_dead().await;
    site.restart_with("backfill.after-commit=return(kill)").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    let shown = until_done(&site).await;
    assert_eq!(shown["rows"].as_u64().unwrap(), wanted.len() as u64, "{shown:#}");
    let done = until("all have run", async || {
        let titles = titles(&site).await;
        (titles.len() >= wanted.len()).then_some(titles)
    })
    .await;
    assert_eq!(done, wanted);
    let from = events(&site).await;
    assert!(from.keys().all(|said| said.starts_with("insert") && said.ends_with("sweep")), "{from:?}");
}

#[tokio::test]
async fn only_the_rows_that_are_meant_and_not_more_a_minute() {
    let site = site().await;
    site.deploy(&create()).await.ok();
    let rows: Vec<_> = (0..20).map(|n| patient(&format!("Row{n}"))).collect();
    let made = site.account.import("Patients", json!(rows)).await;
    let key = made[3]["PK_ID"].as_i64().unwrap();
    let condition = format!("PK_ID<={key}");
    let begin = ["workflow", "backfill", "probe", "--where", "LastName=Import", "--where", &condition];
    site.host.cli(&[&begin[..], &["--per-minute", "3"]].concat()).await.ok();
    // Four are meant; three come in the first minute.
    let shown = until("three rows are taken", async || {
        let shown = backfill(&site).await;
        (shown["rows"] == 3).then_some(shown)
    })
    .await;
    assert_eq!((&shown["state"], &shown["last"]), (&"running".into(), &key.into()), "{shown:#}");
    site.host.cli(&begin).await.refused("a backfill of this workflow is under way");
    site.host.cli(&["workflow", "backfill", "probe", "--cancel"]).await.ok();
    assert_eq!(backfill(&site).await["state"], "cancelled");
    site.host
        .cli(&["workflow", "backfill", "probe", "--cancel"])
        .await
        .refused("no backfill of 'probe' is under way");
    until("three have run", async || (titles(&site).await.len() == 3).then_some(())).await;
}

#[tokio::test]
async fn a_deactivated_workflow_is_run_over_nothing_more() {
    let site = site().await;
    site.deploy(&create()).await.ok();
    site.host.cli(&["workflow", "backfill", "probe", "--per-minute", "1"]).await.ok();
    until("a row is taken", async || (backfill(&site).await["rows"] == 1).then_some(())).await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    assert_eq!(backfill(&site).await["state"], "cancelled");
    site.host.cli(&["workflow", "backfill", "probe"]).await.refused("is inactive");
}

#[tokio::test]
async fn what_can_not_be_meant_is_refused() {
    let site = site().await;
    site.deploy(&create()).await.ok();
    for (arguments, part) in [
        (&["--where", "Nope=1"][..], "has no field 'Nope'"),
        (&["--where", "1=1 OR LastName=x"], "a condition is not FIELD=VALUE"),
        (&["--as", "record-update"], "has no trigger for such rows"),
        (&["--as", "record-delete"], "can't be given as such an event"),
        (&["--table", "Tasks"], "has no trigger for such rows"),
        (&["--per-minute", "0"], "the rows a minute are out of range"),
    ] {
        site.host.cli(&[&["workflow", "backfill", "probe"], arguments].concat()).await.refused(part);
    }
    site.host.cli(&["workflow", "backfill", "nothing"]).await.refused("there is no workflow 'nothing'");
    // A hostile value is a value.
    let hostile = ["workflow", "backfill", "probe", "--where", "LastName=x' OR '1'='1"];
    site.host.cli(&hostile).await.ok();
    assert_eq!(until_done(&site).await["rows"], 0);
}
