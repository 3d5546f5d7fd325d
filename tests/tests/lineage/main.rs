//! No loop by a workflow's own writes, and no person's change taken for one.

mod batches;
mod deliveries;
mod depths;
mod pace;
mod persons;
mod undecided;

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::{Value, json};

/// A `[[trigger]]` on Tasks that hears of changes by people and by workflows.
fn on_tasks(event: &str, more: &str) -> String {
    format!(
        "[[trigger]]\nevent = \"record-{event}\"\ntable = \"Tasks\"\nsources = [\"Datasheet\", \"RESTAPIs\"]\n{more}\n"
    )
}

/// The probe, started by updates of Tasks: it counts up `PatientId` of the record.
fn counting(sections: &str) -> ManifestBuilder {
    ManifestBuilder::probe("counter", "count-up")
        .triggers(&on_tasks("update", ""))
        .grant("Tasks", "update")
        .setting("field", "PatientId")
        .sections(sections)
}

/// A person sets the number of the seed's task, which starts to count.
async fn set_number(site: &Site, number: i64) {
    site.account.update("Tasks", "PK_ID=1", json!({ "PatientId": number })).await;
}

/// The number of the seed's task.
async fn number(site: &Site) -> i64 {
    site.account.rows("Tasks").await[0]["PatientId"].as_i64().unwrap()
}

/// States of runs, oldest first.
fn states(runs: &[Value]) -> Vec<&str> {
    runs.iter().map(|run| run["state"].as_str().unwrap()).collect()
}

/// Runs in the order of their depth: each must be caused by the last step of the one before.
fn assert_chain(runs: &[Value]) {
    let mut runs: Vec<&Value> = runs.iter().collect();
    runs.sort_by_key(|run| run["depth"].as_u64());
    for (depth, pair) in runs.windows(2).enumerate() {
        let [before, after] = pair else { unreachable!() };
        assert_eq!(before["depth"], depth, "{before:#}");
        assert_eq!(after["caused_by"]["run"], before["id"], "{after:#}");
        assert_eq!(after["caused_by"]["step"], before["steps"].as_array().unwrap().len(), "{after:#}");
    }
    assert_eq!(runs[0]["caused_by"], Value::Null, "{:#}", runs[0]);
}

/// The last run of a chain: skipped, and it says why and what to do.
fn assert_cut(run: &Value) {
    assert_eq!((&run["state"], &run["cause"]), (&json!("skipped"), &json!("loop")), "{run:#}");
    assert_eq!((&run["attempts"], &run["wakeups"]), (&json!(0), &json!(0)), "{run:#}");
    let failure = run["failure"].as_str().unwrap();
    assert!(failure.contains(run["caused_by"]["run"].as_str().unwrap()), "{failure}");
    assert!(failure.contains("raise loop.max_depth or loop.self_depth"), "{failure}");
}
