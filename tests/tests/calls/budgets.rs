//! A budget makes runs wait, and go on.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

use crate::usage;

/// The probe that creates three tasks a patient: one call each, once the fields of Tasks are known.
async fn site() -> Site {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("probe", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title")
        .setting("count", "3");
    site.deploy(&manifest).await.ok();
    site.account.add_patient("First").await;
    site.until_runs(1, &["succeeded"]).await;
    site
}

/// Lets so many calls be spent from now on.
async fn allow(site: &Site, period: &str, calls: u64) -> u64 {
    let spent = usage(site, "connection").await["calls"].as_u64().unwrap();
    let limit = (spent + calls).to_string();
    site.host.cli(&["connection", "budget", "clinic", period, &limit]).await.ok();
    spent
}

/// Waits until so many runs wait for the budget; answers them.
async fn until_waiting(site: &Site, count: usize) -> Vec<Value> {
    until(&format!("{count} runs wait for the budget"), async || {
        let runs = site.runs().await;
        let waiting: Vec<Value> =
            runs.into_iter().filter(|run| run["state"] == "queued" && run["cause"] == "budget").collect();
        (waiting.len() == count).then_some(waiting)
    })
    .await
}

async fn tasks(site: &Site) -> usize {
    site.account.rows("Tasks").await.len() - 1
}

#[tokio::test]
async fn runs_wait_for_the_next_day_and_go_on_when_the_budget_is_raised() {
    let site = site().await;
    let spent = allow(&site, "--calls-per-day", 3).await;
    site.account.add_patient("Second").await;
    site.until_runs(2, &["succeeded"]).await;
    for name in ["Third", "Fourth"] {
        site.account.add_patient(name).await;
    }
    until_waiting(&site, 2).await;
    let used = usage(&site, "connection").await;
    assert_eq!(used["calls"], spent + 3, "{used:#}");
    let budget = &used["budgets"][0];
    assert_eq!((&budget["in_day"], &budget["used_up"]), (&json!(spent + 3), &json!(true)), "{used:#}");
    let status = site.host.cli(&["status"]).await.ok().stdout;
    assert!(status.contains("the budget of integration calls of 'clinic' is used up"), "{status}");

    site.host.cli(&["connection", "budget", "clinic", "--none"]).await.ok();
    site.until_runs(4, &["succeeded"]).await;
    assert_eq!(tasks(&site).await, 12);
    let status = site.host.cli(&["status"]).await.ok().stdout;
    assert!(!status.contains("budget"), "{status}");
}

#[tokio::test]
async fn a_run_that_is_cut_short_by_the_budget_goes_on_where_it_was() {
    let mut site = site().await;
    allow(&site, "--calls-per-month", 2).await;
    site.account.add_patient("Second").await;
    let run = until_waiting(&site, 1).await.remove(0);
    assert_eq!(tasks(&site).await, 5, "two of three");
    assert!(run["next_at"].is_string(), "it is due when the month turns: {run:#}");
    // It waits on after a restart, and so does what comes new.
    site.restart_with("").await;
    site.account.add_patient("Third").await;
    until_waiting(&site, 2).await;
    assert_eq!(tasks(&site).await, 5);

    allow(&site, "--calls-per-month", 100).await;
    let runs = site.until_runs(3, &["succeeded"]).await;
    assert_eq!(tasks(&site).await, 9);
    assert!(runs.iter().all(|run| run["attempts"] == 1), "waiting is no attempt: {runs:#?}");
}

#[tokio::test]
async fn a_person_may_go_beyond_the_budget() {
    let site = site().await;
    allow(&site, "--calls-per-day", 1).await;
    site.account.add_patient("Second").await;
    until_waiting(&site, 1).await;
    site.host.cli(&["connection", "check", "clinic"]).await.ok();
    site.deploy(&ManifestBuilder::probe("other", "echo")).await.ok();
}

#[tokio::test]
async fn a_sweep_waits_for_the_budget_too() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("probe", "echo").triggers(
        "[[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\nreconcile = { every = \"1d\" }\n",
    );
    site.deploy(&manifest).await.ok();
    let sweep = async || {
        let shown = site.host.cli(&["coverage", "probe", "--json"]).await.json();
        shown["sweeps"][0].clone()
    };
    until("the first round is done", async || (sweep().await["rounds"] == 1).then_some(())).await;
    let spent = allow(&site, "--calls-per-day", 0).await;
    site.host.cli(&["coverage", "probe", "--now"]).await.ok();
    until("the sweep waits", async || (sweep().await["error"] == "budget").then_some(())).await;
    assert_eq!(usage(&site, "action").await["calls"], spent);
    site.host.cli(&["connection", "budget", "clinic", "--none"]).await.ok();
    site.host.cli(&["coverage", "probe", "--now"]).await.ok();
    until("the second round is done", async || (sweep().await["rounds"] == 2).then_some(())).await;
}

#[tokio::test]
async fn a_budget_without_sense_is_refused() {
    let site = Site::start().await;
    let budget = async |arguments: &[&str]| {
        let command: Vec<&str> = ["connection", "budget"].iter().chain(arguments).copied().collect();
        site.host.cli(&command).await
    };
    budget(&["clinic", "--calls-per-day", "0"]).await.refused("a budget of no calls lets nothing run");
    budget(&["nobody", "--none"]).await.refused("there is no connection 'nobody'");
    for wrong in
        [&["clinic"][..], &["clinic", "--none", "--calls-per-day", "1"], &["clinic", "--calls-per-day", "x"]]
    {
        assert_eq!(budget(wrong).await.code, 2, "{wrong:?}");
    }
    budget(&["clinic", "--calls-per-day", "5", "--calls-per-month", "50"]).await.ok();
    let used = usage(&site, "workflow").await;
    assert_eq!(
        (&used["budgets"][0]["calls_per_day"], &used["budgets"][0]["calls_per_month"]),
        (&json!(5), &json!(50))
    );
    budget(&["clinic", "--none"]).await.ok();
    assert_eq!(usage(&site, "workflow").await["budgets"], json!([]));
}
