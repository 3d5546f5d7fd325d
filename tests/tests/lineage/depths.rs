//! A workflow that writes to the table that triggers it runs exactly as often as its depths allow.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

use crate::{assert_chain, assert_cut, counting, number, on_tasks, set_number, states};

/// One run for the person's change and one for each depth; the event after that is cut.
async fn counts_up(sections: &str, depth: usize) {
    let site = Site::start().await;
    site.deploy(&counting(sections)).await.ok();
    set_number(&site, 10).await;
    let runs = site.until_runs(depth + 2, &["succeeded", "skipped"]).await;
    assert_chain(&runs);
    let mut expected = vec!["succeeded"; depth + 1];
    expected.push("skipped");
    assert_eq!(states(&runs), expected);
    assert_cut(&runs[depth + 1]);
    assert_eq!(number(&site).await, 11 + depth as i64);

    // The next change of a person begins anew.
    set_number(&site, 100).await;
    let runs = site.until_runs(2 * (depth + 2), &["succeeded", "skipped"]).await;
    assert_eq!(runs[depth + 2]["depth"], 0);
    assert_chain(&runs[depth + 2..]);
    assert_eq!(number(&site).await, 101 + depth as i64);
}

#[tokio::test]
async fn by_default_a_workflow_does_not_start_itself() {
    counts_up("", 0).await;
}

#[tokio::test]
async fn with_a_self_depth_of_one_it_runs_once_more() {
    counts_up("[loop]\nself_depth = 1\n", 1).await;
}

#[tokio::test]
async fn with_a_self_depth_of_three_it_runs_three_times_more() {
    counts_up("[loop]\nself_depth = 3\n", 3).await;
}

#[tokio::test]
async fn the_cut_is_shown_at_the_run() {
    let site = Site::start().await;
    site.deploy(&counting("")).await.ok();
    set_number(&site, 10).await;
    let runs = site.until_runs(2, &["succeeded", "skipped"]).await;
    let shown = site.host.cli(&["run", "show", runs[1]["id"].as_str().unwrap()]).await.ok().stdout;
    let cause = format!(
        "caused by   run {}, step 1 (depth 1, of which this workflow 1)",
        runs[0]["id"].as_str().unwrap()
    );
    assert!(shown.contains(&cause), "{shown}");
    assert!(shown.contains("cause       loop"), "{shown}");
    let first = site.host.cli(&["run", "show", runs[0]["id"].as_str().unwrap()]).await.ok().stdout;
    assert!(!first.contains("caused by"), "{first}");
}

/// The probe that creates a record in the other one's table.
fn passing_on(name: &str, from: &str, to: (&str, &str), sections: &str) -> ManifestBuilder {
    ManifestBuilder::probe(name, "create")
        .triggers(&format!("[[trigger]]\nevent = \"record-insert\"\ntable = \"{from}\"\n"))
        .grant(to.0, "create")
        .setting("table", to.0)
        .setting("field", to.1)
        .sections(sections)
}

/// Two workflows that trigger each other; answers how many of the `expected` runs were cut.
async fn to_and_fro(sections: &str, expected: usize) {
    let site = Site::start().await;
    site.deploy(&passing_on("to", "Tasks", ("AuditTrail", "Details"), sections)).await.ok();
    site.deploy(&passing_on("fro", "AuditTrail", ("Tasks", "Title"), sections)).await.ok();
    site.account.insert("Tasks", json!({"Title": "first"})).await;
    let runs = site.until_runs(expected, &["succeeded", "skipped"]).await;
    assert_chain(&runs);
    let cut = runs.iter().filter(|run| run["state"] == "skipped").count();
    assert_eq!(cut, 1, "{:?}", states(&runs));
    assert_cut(runs.iter().max_by_key(|run| run["depth"].as_u64()).unwrap());
    let made = site.account.rows("AuditTrail").await.len() + site.account.rows("Tasks").await.len();
    assert_eq!(made, 2 + expected - 1, "the seed's, the person's, and one of each run");
}

#[tokio::test]
async fn two_workflows_that_trigger_each_other_end_at_the_self_depth() {
    to_and_fro("", 3).await;
}

#[tokio::test]
async fn two_workflows_that_trigger_each_other_end_at_the_longest_chain() {
    to_and_fro("[loop]\nmax_depth = 4\nself_depth = 4\n", 6).await;
}

#[tokio::test]
async fn one_write_is_a_cause_to_each_workflow_that_hears_of_it() {
    let site = Site::start().await;
    site.deploy(&counting("")).await.ok();
    let watcher = ManifestBuilder::probe("watcher", "echo").triggers(&on_tasks("update", ""));
    site.deploy(&watcher).await.ok();
    set_number(&site, 5).await;
    // Each hears of the person's change and of the counter's.
    let runs = site.until_runs(4, &["succeeded", "skipped"]).await;
    let of = |name: &str, depth: u64| {
        let found: Vec<_> = runs.iter().filter(|r| r["workflow"] == name && r["depth"] == depth).collect();
        assert_eq!(found.len(), 1, "{name} {depth}: {runs:#?}");
        found[0].clone()
    };
    assert_cut(&of("counter", 1));
    let watched = of("watcher", 1);
    assert_eq!((&watched["state"], &watched["self_depth"]), (&json!("succeeded"), &json!(0)));
    assert_eq!(watched["caused_by"]["run"], of("counter", 0)["id"]);
}

#[tokio::test]
async fn a_workflow_that_does_not_want_changes_by_programs_is_not_told_of_its_own() {
    let site = Site::start().await;
    let manifest = counting("")
        .triggers("[[trigger]]\nevent = \"record-update\"\ntable = \"Tasks\"\nsources = [\"Datasheet\"]\n");
    site.deploy(&manifest).await.ok();
    for n in [10, 20, 30] {
        set_number(&site, n).await;
    }
    let runs = site.until_runs(3, &["succeeded"]).await;
    assert!(runs.iter().all(|run| run["depth"] == 0), "{runs:#?}");
}
