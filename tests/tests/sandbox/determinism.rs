//! The same run reads the same clocks and the same random in every attempt; another run reads others.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::Value;

/// What the probe logged in each attempt, line by line.
fn readings(run: &Value) -> Vec<Vec<String>> {
    let attempts = run["output"].as_array().expect("output");
    let logged = attempts.iter().map(|attempt| {
        let lines = attempt["lines"].as_array().unwrap();
        let text = lines.iter().find(|line| line["source"] == "info").unwrap()["text"].as_str().unwrap();
        text.lines().map(str::to_owned).collect()
    });
    logged.collect()
}

fn line<'a>(lines: &'a [String], name: &str) -> &'a str {
    lines.iter().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {lines:?}"))
}

#[tokio::test]
async fn attempts_of_one_run_read_the_same_and_runs_read_differently() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("clock", "clock-retry").setting("until", "3");
    site.deploy(&manifest).await.ok();
    for name in ["Ada", "Bob", "Cid"] {
        site.account.add_patient(name).await;
    }
    let runs = site.until_runs(3, &["succeeded"]).await;
    let mut firsts = Vec::new();
    for run in &runs {
        let attempts = readings(run);
        assert_eq!(attempts.len(), 3, "{run:#}");
        assert_eq!(attempts[0], attempts[1]);
        assert_eq!(attempts[0], attempts[2]);
        assert!(line(&attempts[0], "random").ends_with(" ok"), "{attempts:?}");
        firsts.push(attempts[0].clone());
    }
    for name in ["wall", "random", "u64", "hash", "order"] {
        let mut seen: Vec<&str> = firsts.iter().map(|lines| line(lines, name)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 3, "runs read the same {name}: {seen:?}");
    }
}

#[tokio::test]
async fn clocks_after_a_recorded_step_are_those_of_the_first_time() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("clock", "clock-retry")
        .setting("until", "2")
        .setting("table", "Tasks")
        .setting("field", "Title")
        .grant("Tasks", "create");
    let run = site.one_run(&manifest, &["succeeded"]).await;
    let attempts = readings(&run);
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0], attempts[1]);
    let walls: Vec<u128> = attempts[0]
        .iter()
        .filter_map(|line| line.strip_prefix("wall "))
        .map(|number| number.parse().unwrap())
        .collect();
    assert!(walls.is_sorted() && walls.len() == 6, "{walls:?}");
    assert!(walls[3] - walls[2] > 10_000, "the step took time: {walls:?}");
    assert_eq!(site.account.calls("POST", "/integrations/rest/v3/tables/Tasks/records").await, 1);
}

#[tokio::test]
async fn the_wall_clock_starts_with_the_run() {
    let site = Site::start().await;
    let before = std::time::SystemTime::now();
    let run = site.one_run(&ManifestBuilder::probe("clock", "clock"), &["succeeded"]).await;
    let after = std::time::SystemTime::now();
    let result = run["result"].as_str().unwrap();
    let wall: u64 =
        result.lines().find_map(|line| line.strip_prefix("wall ")).unwrap().parse().expect("a number");
    let wall = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(wall);
    assert!(before <= wall && wall <= after, "{before:?} {wall:?} {after:?}");
}

#[tokio::test]
async fn a_sleep_of_an_hour_returns_at_once_and_moves_the_clocks() {
    let site = Site::start().await;
    let run = site.one_run(&ManifestBuilder::probe("sleep", "sleep"), &["succeeded"]).await;
    let result = run["result"].as_str().unwrap();
    let numbers: Vec<u64> = result.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers.len(), 2, "{result}");
    assert!(numbers.iter().all(|ms| (3_600_000..3_600_100).contains(ms)), "{result}");
    assert_eq!(run["attempts"], 1);
}
