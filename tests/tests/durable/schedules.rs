//! Schedules: each tick one run, whatever happens.

use std::collections::BTreeSet;

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::Value;

fn schedule(cron: &str, more: &str) -> String {
    format!("[[trigger]]\nevent = \"schedule\"\ncron = \"{cron}\"\n{more}\n")
}

/// Ticks every second.
fn ticking(more: &str) -> ManifestBuilder {
    ManifestBuilder::probe("probe", "echo").triggers(&schedule("* * * * * *", more))
}

/// Ticks that became events, as their times.
async fn ticks(site: &Site) -> Vec<String> {
    let list = site.host.cli(&["event", "list", "--json", "--limit", "1000"]).await.json();
    let list = list.as_array().unwrap().clone();
    assert!(
        list.iter().all(|event| event["from"] == "schedule" && event["event"] == "schedule"),
        "{list:#?}"
    );
    list.iter().map(|event| event["event_date"].as_str().unwrap().to_owned()).collect()
}

async fn until_ticks(site: &Site, count: usize) -> Vec<String> {
    until(&format!("{count} ticks"), async || {
        let ticks = ticks(site).await;
        (ticks.len() >= count).then_some(ticks)
    })
    .await
}

fn once(ticks: &[String]) {
    let different: BTreeSet<_> = ticks.iter().collect();
    assert_eq!(different.len(), ticks.len(), "a tick came twice: {ticks:?}");
}

#[tokio::test]
async fn ticks_start_runs_and_nothing_is_made_in_caspio() {
    let site = Site::start().await;
    site.deploy(&ticking("")).await.ok();
    once(&until_ticks(&site, 3).await);
    assert!(site.account.webhooks().await.is_empty());
    let run = until("a run succeeds", async || {
        site.runs().await.into_iter().find(|run| run["state"] == "succeeded")
    })
    .await;
    let run = site.run(run["id"].as_str().unwrap()).await;
    let result: Value = serde_json::from_str(run["result"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&result["kind"], &result["table"], &result["connection"]),
        (&"schedule".into(), &"".into(), &"clinic".into())
    );
    let shown = site.workflow("probe").await;
    assert_eq!(shown["triggers"][0]["schedule"]["cron"], "* * * * * *", "{shown:#}");
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    let then = ticks(&site).await.len();
    // Another workflow's ticks show that time passes, without any of this one.
    let other = ManifestBuilder::probe("other", "echo").triggers(&schedule("* * * * * *", ""));
    site.deploy(&other).await.ok();
    until("other ticks", async || {
        let runs = site.runs().await;
        (runs.iter().filter(|run| run["workflow"] == "other").count() >= 2).then_some(())
    })
    .await;
    assert_eq!(site.runs().await.iter().filter(|run| run["workflow"] == "probe").count(), then);
}

#[tokio::test]
async fn killed_before_or_after_its_commit_a_tick_is_there_once() {
    let mut site = Site::start().await;
    site.deploy(&ticking("missed = \"catch-up\"")).await.ok();
    for point in ["schedule.before-commit=2*off->return(kill)", "schedule.after-commit=1*off->return(kill)"] {
        site.restart_with(point).await;
        site.host.until_dead().await;
    }
    site.restart_with("").await;
    let count = ticks(&site).await.len();
    let mut seen = until_ticks(&site, count + 3).await;
    once(&seen);
    // Caught up: no second between the first and the last is missing.
    seen.sort();
    let second = |tick: &String| tick.parse::<DateTime>().unwrap().0;
    let span = second(seen.last().unwrap()) - second(&seen[0]) + 1;
    assert_eq!(span, seen.len() as i64, "{seen:?}");
}

/// Seconds since some midnight, enough to count ticks of a test.
struct DateTime(i64);

impl std::str::FromStr for DateTime {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let day: i64 = text[8..10].parse()?;
        let time: Vec<i64> = text[11..19].split(':').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self(((day * 24 + time[0]) * 60 + time[1]) * 60 + time[2]))
    }
}

#[tokio::test]
async fn a_paused_workflow_lets_its_ticks_queue() {
    let site = Site::start().await;
    site.deploy(&ticking("")).await.ok();
    until_ticks(&site, 1).await;
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    until("runs queue", async || {
        let runs = site.runs().await;
        (runs.iter().filter(|run| run["state"] == "queued").count() >= 2).then_some(())
    })
    .await;
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until("they run", async || {
        let runs = site.runs().await;
        (runs.iter().filter(|run| run["state"] == "succeeded").count() >= 4).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_no_schedule_is_refused() {
    let site = Site::start().await;
    for (trigger, part) in [
        (schedule("8 o'clock", ""), "`cron` is no cron pattern"),
        (schedule("0 0 30 2 *", ""), "`cron` never comes"),
        (schedule("0 8 * * *", "time_zone = \"Berlin\""), "`time_zone` is no IANA time zone"),
        (schedule("0 8 * * *", "missed = \"maybe\""), "unknown variant"),
        (schedule("0 8 * * *", "table = \"Patients\""), "`table` does not go with event = \"schedule\""),
        (schedule("0 8 * * *", "").replace("cron", "#"), "a schedule needs `cron`"),
        (schedule("0 8 * * *", "").repeat(2), "two schedules are the same"),
        (
            "[[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\ncron = \"0 8 * * *\"\n".to_owned(),
            "`cron` goes with event = \"schedule\" only",
        ),
        ("[[trigger]]\nevent = \"record-insert\"\n".to_owned(), "`table` must name a table"),
    ] {
        site.deploy(&ManifestBuilder::probe("probe", "echo").triggers(&trigger)).await.refused(part);
    }
}
