//! Which run is next: those of a record in order of arrival, stale ones, fair shares, limits of runs at once.

mod fairness;
mod limits;
mod records;
mod stale;

use caspian_e2e::{Answer, ManifestBuilder, Site, until};
use serde_json::{Value, json};

const TASKS: &str = "/integrations/rest/v3/tables/Tasks/records";

/// The quick retries of tests.
const QUICK: &str = "[retry]\ninitial_seconds = 0.05\nmax_seconds = 0.2\n";

/// The probe in a mode that works on Tasks.Title, with more sections.
fn probe(mode: &str, sections: &str) -> ManifestBuilder {
    ManifestBuilder::probe("probe", mode)
        .grant("Tasks", "read create update delete")
        .setting("table", "Tasks")
        .setting("field", "Title")
        .sections(&format!("{QUICK}{sections}"))
}

/// Inserts of patients as events by hand, of one message.
async fn send_rows(site: &Site, rows: Value, date: Option<&str>) -> Answer {
    let mut event = json!({"event": "record-insert", "table": "Patients", "rows": rows});
    if let Some(date) = date {
        event["event_date"] = date.into();
    }
    let file = site.folder().join("event.json");
    std::fs::write(&file, event.to_string()).unwrap();
    site.host.cli(&["event", "send", "probe", "--file", &file.display().to_string()]).await
}

/// As [`send_rows`], with nothing but keys.
async fn send(site: &Site, keys: &[i64]) -> Answer {
    let rows: Vec<Value> = keys.iter().map(|key| json!({"PK_ID": key})).collect();
    send_rows(site, json!(rows), None).await
}

/// Waits until the runs, oldest first, are as wanted.
async fn until_all(site: &Site, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    until(what, async || {
        let runs = site.runs().await;
        wanted(&runs).then_some(runs)
    })
    .await
}

fn is(run: &Value, state: &str, cause: &str) -> bool {
    run["state"] == state && run["cause"].as_str().unwrap_or_default() == cause
}

/// It was tried.
fn tried(run: &Value) -> bool {
    run["wakeups"].as_u64().unwrap() + run["attempts"].as_u64().unwrap() > 0
}

/// Each of these runs began after the one before it had ended.
fn assert_one_after_another(runs: &[&Value]) {
    for pair in runs.windows(2) {
        let (ended, begun) = (pair[0]["finished_at"].as_str(), pair[1]["started_at"].as_str());
        assert!(ended.is_some() && begun >= ended, "{:#}\n{:#}", pair[0], pair[1]);
    }
}

/// The runs of a record, oldest first.
fn of_record(runs: &[Value], key: i64) -> Vec<&Value> {
    runs.iter().filter(|run| run["pk_id"] == key).collect()
}
