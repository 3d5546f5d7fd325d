//! Timers: a sleeping run holds nothing, and wakes once, over kills, restarts, deploys and backups.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

use crate::{on_tasks, sent, still_serves, titles};

const MONTH: u64 = 30 * 86_400;

/// One record, a sleep, another record.
fn nap(seconds: u64) -> ManifestBuilder {
    on_tasks("nap").setting("seconds", &seconds.to_string())
}

/// Deploys and adds a patient, whose run sleeps; answers it and the patient's key.
async fn sleeping(manifest: &ManifestBuilder) -> (Site, Value, i64) {
    let site = Site::start().await;
    site.deploy(manifest).await.ok();
    let id = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["sleeping"]).await.remove(0);
    (site, run, id)
}

async fn wake(site: &Site, run: &Value) -> caspian_e2e::Answer {
    site.host.cli(&["run", "wake", run["id"].as_str().unwrap()]).await
}

/// How many whole seconds the run slept by its own clock.
fn slept(run: &Value) -> u64 {
    let result = run["result"].as_str().unwrap_or_default();
    let seconds = result.strip_prefix("slept ").and_then(|rest| rest.strip_suffix(" s"));
    seconds.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{run:#}"))
}

/// It died at a point around a sleep of a second; then both records are there, each once.
async fn goes_on(failpoint: &str) {
    let mut site = Site::start().await;
    site.deploy(&nap(1)).await.ok();
    site.restart_with(failpoint).await;
    let id = site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(titles(&site).await, [format!("{id}-after"), format!("{id}-before")], "{failpoint}");
    assert_eq!(sent(&site).await, 2, "{failpoint}");
    assert_eq!((&run["attempts"], &run["wakeups"]), (&json!(1), &json!(1)), "{failpoint}: {run:#}");
    assert!(slept(&run) >= 1, "{failpoint}: {run:#}");
    let steps: Vec<&str> =
        run["steps"].as_array().unwrap().iter().map(|s| s["action"].as_str().unwrap()).collect();
    assert_eq!(steps, ["records.create", "timers.sleep", "records.create"], "{failpoint}");
    still_serves(&site).await;
}

macro_rules! killed {
    ($($name:ident: $point:literal),+ $(,)?) => { $(#[tokio::test] async fn $name() { goes_on($point).await; })+ };
}

killed! {
    killed_before_the_sleep_is_committed: "run.before-sleep=return(kill)",
    killed_while_it_sleeps: "run.after-sleep=return(kill)",
    killed_when_it_is_woken: "timers.woken=return(kill)",
    killed_before_the_effect_after_the_sleep: "journal.before-intent=1*off->return(kill)",
    killed_after_the_effect_after_the_sleep: "journal.after-result=1*off->return(kill)",
    killed_before_the_end: "run.before-finish=1*off->return(kill)",
    killed_after_the_end: "run.after-finish=1*off->return(kill)",
}

#[tokio::test]
async fn a_commit_of_a_sleep_that_fails_is_repeated() {
    let mut site = Site::start().await;
    site.deploy(&nap(1)).await.ok();
    site.restart_with("run.before-sleep=3*return(error)").await;
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((sent(&site).await, &run["wakeups"]), (2, &json!(1)), "{run:#}");
}

#[tokio::test]
async fn a_month_is_slept_over_restarts_and_a_deploy_and_ends_on_its_version() {
    let (mut site, run, id) = sleeping(&nap(MONTH)).await;
    assert_eq!((&run["version"], &run["attempts"], &run["wakeups"]), (&json!(1), &json!(0), &json!(1)));
    assert!(run["next"].as_str().unwrap().contains("caspian run wake"), "{run:#}");
    let due = run["next_at"].as_str().unwrap().to_owned();
    let list = site.host.cli(&["run", "list", "--state", "sleeping"]).await.ok().stdout;
    assert!(list.contains("DUE") && list.contains(&due), "{list}");

    site.restart_with("").await;
    assert_eq!(site.host.terminate().await, 0);
    site.host.start().await;
    site.deploy(&on_tasks("fatal")).await.ok();
    still_sleeps(&site, &due).await;
    assert_eq!(titles(&site).await, [format!("{id}-before")]);

    wake(&site, &run).await.ok();
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((&run["version"], slept(&run)), (&json!(1), MONTH), "{run:#}");
    assert_eq!(titles(&site).await, [format!("{id}-after"), format!("{id}-before")]);
    wake(&site, &run).await.refused("does not sleep (it is succeeded)");
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    let count = "SELECT count(*) FROM audit WHERE action = 'run.wake'";
    assert_eq!(database.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

async fn still_sleeps(site: &Site, due: &str) {
    let run = site.until_runs(1, &["sleeping"]).await.remove(0);
    assert_eq!(run["next_at"], due, "{run:#}");
}

#[tokio::test]
async fn tried_again_after_a_sleep_it_does_not_sleep_again() {
    // Also without an effect after the sleep: it is final by itself, and what was before it.
    let manifest = ManifestBuilder::probe("probe", "nap").setting("until", "3");
    let (site, run, _) = sleeping(&manifest.setting("seconds", &MONTH.to_string())).await;
    wake(&site, &run).await.ok();
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((&run["attempts"], &run["wakeups"]), (&json!(3), &json!(1)), "{run:#}");
    assert_eq!((slept(&run), run["steps"].as_array().unwrap().len()), (MONTH, 1), "{run:#}");
}

#[tokio::test]
async fn several_sleeps_follow_each_other() {
    let site = Site::start().await;
    let run = site.one_run(&nap(1).setting("count", "3"), &["succeeded"]).await;
    assert_eq!((&run["attempts"], &run["wakeups"]), (&json!(1), &json!(3)), "{run:#}");
    assert!(slept(&run) >= 3, "{run:#}");
    assert_eq!(sent(&site).await, 2);
}

#[tokio::test]
async fn times_in_the_past_return_at_once_and_too_late_ones_are_refused() {
    let site = Site::start().await;
    let until = |seconds: &str| ManifestBuilder::probe("until", "nap-until").setting("seconds", seconds);
    let run = site.one_run(&until("-3600"), &["succeeded"]).await;
    assert_eq!((&run["result"], &run["wakeups"]), (&json!("woke in time"), &json!(0)), "{run:#}");
    site.deploy(&until("1")).await.ok();
    site.account.add_patient("Bob").await;
    let run = site.until_runs(2, &["succeeded"]).await.remove(1);
    assert_eq!((&run["result"], &run["wakeups"]), (&json!("woke in time"), &json!(1)), "{run:#}");

    site.deploy(&ManifestBuilder::probe("until", "nap-wrong")).await.ok();
    site.account.add_patient("Eve").await;
    let run = site.until_runs(3, &["succeeded"]).await.remove(2);
    let long = "limit: a run sleeps at most 400 days at a time; sleep less, and again";
    let expected =
        format!("long: {long}\nendless: {long}\nlate: {long}\npast: no error\nnothing: no error\nmoved: 0");
    assert_eq!((&run["result"], &run["wakeups"]), (&json!(expected), &json!(0)), "{run:#}");
}

#[tokio::test]
async fn a_paused_workflow_wakes_nobody() {
    let (site, run, id) = sleeping(&nap(MONTH)).await;
    let of_the_first = async || site.run(run["id"].as_str().unwrap()).await["state"].clone();
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    wake(&site, &run).await.ok();
    // Another workflow's run goes by.
    site.deploy(&ManifestBuilder::probe("other", "echo")).await.ok();
    site.account.add_patient("Bob").await;
    until("the other workflow's run succeeds", async || {
        let runs = site.runs().await;
        runs.iter().any(|run| run["workflow"] == "other" && run["state"] == "succeeded").then_some(())
    })
    .await;
    assert_eq!(of_the_first().await, "queued");
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until("the run goes on", async || (of_the_first().await == "succeeded").then_some(())).await;
    assert!(titles(&site).await.contains(&format!("{id}-after")));
}

#[tokio::test]
async fn a_backup_keeps_it_asleep() {
    let (mut site, run, id) = sleeping(&nap(MONTH)).await;
    let due = run["next_at"].as_str().unwrap().to_owned();
    crate::move_by_backup(&mut site).await;
    let parked = site.until_runs(1, &["parked"]).await.remove(0);
    assert_eq!(parked["cause"], "restored");
    site.host.cli(&["run", "resume", run["id"].as_str().unwrap()]).await.ok();
    // It looks at the time, and sleeps on.
    still_sleeps(&site, &due).await;
    wake(&site, &run).await.ok();
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(titles(&site).await, [format!("{id}-after"), format!("{id}-before")]);
}

#[tokio::test]
async fn a_workflow_with_sleeping_runs_is_not_deleted_by_accident() {
    let (site, run, _) = sleeping(&nap(MONTH)).await;
    site.host.cli(&["workflow", "delete", "probe"]).await.refused("run");
    assert_eq!(site.run(run["id"].as_str().unwrap()).await["state"], "sleeping");
    site.host.cli(&["workflow", "delete", "probe", "--discard-runs"]).await.ok();
    assert_eq!(site.run(run["id"].as_str().unwrap()).await["state"], "discarded");
    wake(&site, &run).await.refused("does not sleep (it is discarded)");
}

#[tokio::test]
async fn a_sleeping_run_can_be_given_up() {
    let (site, run, id) = sleeping(&nap(MONTH)).await;
    let which = run["id"].as_str().unwrap();
    site.host.cli(&["run", "discard", which, "--reason", "cancelled"]).await.ok();
    let shown = site.run(which).await;
    assert_eq!((&shown["state"], &shown["note"]), (&json!("discarded"), &json!("cancelled")), "{shown:#}");
    assert!(shown["next_at"].is_null(), "{shown:#}");
    wake(&site, &run).await.refused("does not sleep (it is discarded)");
    assert_eq!(titles(&site).await, [format!("{id}-before")]);
}

#[tokio::test]
async fn another_tenant_wakes_nobody() {
    let (site, run, _) = sleeping(&nap(MONTH)).await;
    let id = run["id"].as_str().unwrap();
    site.host.cli(&["run", "wake", id, "--tenant", "other"]).await.refused("there is no run");
    assert_eq!(site.run(id).await["state"], "sleeping");
}
