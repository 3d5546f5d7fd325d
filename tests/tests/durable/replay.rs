//! `run replay`: a run executed again from its journal, offline, with its own component or another build.

use std::path::PathBuf;

use caspian_e2e::{Answer, ManifestBuilder, Site, guest, until};
use serde_json::{Value, json};

use crate::{TASKS, create, on_tasks, sent};

const DIFFERENT: i32 = 4;
const INCOMPLETE: i32 = 5;

/// So that a workflow may write the table that starts it.
const BY_PEOPLE: &str =
    "[[trigger]]\nevent = \"record-insert\"\ntable = \"Appointments\"\nsources = [\"Datasheet\"]\n";

/// Every request that Caspio got.
async fn requests(site: &Site) -> u64 {
    let mut all = site.account.calls("POST", "/oauth").await;
    for method in ["GET", "POST", "PUT", "DELETE"] {
        all += site.account.calls(method, "/integrations").await;
    }
    all
}

/// Everything that the store has of a run, byte by byte.
fn stored(site: &Site, id: &str) -> Vec<String> {
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    let run = id.replace('-', "");
    let mut found = Vec::new();
    for (table, key) in [("runs", "id"), ("steps", "run"), ("run_output", "run"), ("writes", "run")] {
        let sql = format!("SELECT * FROM {table} WHERE hex({key}) = upper(?1)");
        let mut statement = database.prepare(&sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([&run], |row| {
            let cells = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap()));
            Ok(cells.collect::<Vec<_>>().join("|"))
        });
        found.extend(rows.unwrap().map(|row| format!("{table}: {}", row.unwrap())));
    }
    assert!(!found.is_empty(), "no run {id}");
    found
}

/// Replays a run. It must leave the run, and Caspio, alone.
async fn replay(site: &Site, id: &str, more: &[&str]) -> Answer {
    let before = (requests(site).await, stored(site, id));
    let answer = site.host.cli(&[&["run", "replay", id], more].concat()).await;
    assert_eq!((requests(site).await, stored(site, id)), before, "{answer:?}");
    answer
}

/// The same as JSON, with this exit code.
async fn replayed(site: &Site, id: &str, more: &[&str], code: i32) -> Value {
    let answer = replay(site, id, &[more, &["--json"]].concat()).await;
    assert_eq!(answer.code, code, "{answer:?}");
    serde_json::from_str(&answer.stdout).unwrap()
}

async fn same(site: &Site, id: &str, calls: u32) -> Value {
    let found = replayed(site, id, &[], 0).await;
    assert_eq!((&found["verdict"], &found["same_calls"]), (&json!("same"), &json!(calls)), "{found:#}");
    assert_eq!((&found["calls"], &found["output"]), (&json!([]), &json!([])), "{found:#}");
    found
}

/// The probe with other texts of the same length in it: another build.
fn build(site: &Site, texts: &[(&str, &str)]) -> String {
    let mut bytes = std::fs::read(guest("caspian_probe")).unwrap();
    for (old, new) in texts {
        assert_eq!(old.len(), new.len());
        let mut found = 0;
        for at in 0..bytes.len() - old.len() {
            if bytes[at..].starts_with(old.as_bytes()) {
                bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
                found += 1;
            }
        }
        assert!(found > 0, "{old} is not in the probe");
    }
    let file = site.folder().join("other.wasm");
    std::fs::write(&file, bytes).unwrap();
    file.display().to_string()
}

/// A manifest that is not deployed.
fn manifest(site: &Site, manifest: &ManifestBuilder) -> String {
    let folder = site.folder().join("not-deployed");
    std::fs::create_dir_all(&folder).unwrap();
    let path: PathBuf = manifest.write(&folder);
    path.display().to_string()
}

fn id(run: &Value) -> String {
    run["id"].as_str().unwrap().to_owned()
}

/// Reads its appointment three times, and writes Notes after the second.
fn reading() -> ManifestBuilder {
    ManifestBuilder::probe("probe", "read-again")
        .grant("Appointments", "read update")
        .triggers(BY_PEOPLE)
        .setting("count", "3")
        .setting("field", "Notes")
}

/// The run of a new appointment.
async fn appointment(site: &Site, manifest: &ManifestBuilder) -> Value {
    site.deploy(manifest).await.ok();
    site.account.insert("Appointments", json!({"PatientId": 1, "Status": "Booked"})).await;
    site.until_runs(1, &["succeeded"]).await.remove(0)
}

fn audited(site: &Site, action: &str) -> i64 {
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    let sql = format!("SELECT count(*) FROM audit WHERE action = '{action}'");
    database.query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn reads_and_effects_are_the_same_and_the_end_is() {
    let mut site = Site::start().await;
    let run = appointment(&site, &reading()).await;
    let found = same(&site, &id(&run), 4).await;
    assert_eq!((&found["same_end"], &found["end"]["kind"]), (&json!(true), &json!("succeeded")), "{found:#}");
    // Also when Caspio has changed, and by a host that was started anew.
    site.account.update("Appointments", "PK_ID>0", json!({"Notes": "later"})).await;
    site.restart_with("").await;
    let said = replay(&site, &id(&run), &[]).await.ok().stdout;
    assert!(said.contains("version 1, succeeded: same") && said.contains("4 same, 0 different"), "{said}");
}

#[tokio::test]
async fn clocks_random_numbers_and_output_are_those_of_the_attempt() {
    let site = Site::start().await;
    let clock = on_tasks("clock-retry").setting("until", "2");
    let run = site.one_run(&clock, &["succeeded"]).await;
    assert_eq!(run["attempts"], 2);
    let found = same(&site, &id(&run), run["steps"].as_array().unwrap().len() as u32).await;
    assert_eq!((&found["same_end"], found["lines"].as_u64() > Some(0)), (&json!(true), true), "{found:#}");

    // A build that writes something else, and returns it.
    let other = build(&site, &[("monotonic ", "MONOTONIC ")]);
    let found = replayed(&site, &id(&run), &["--component", &other], DIFFERENT).await;
    assert_eq!((&found["calls"], &found["same_end"]), (&json!([]), &json!(false)), "{found:#}");
    let line = &found["output"][0];
    assert_eq!((&line["line"], &line["recorded_line"]), (&json!(1), &Value::Null), "{found:#}");
    let shown = replayed(&site, &id(&run), &["--component", &other, "--show-values"], DIFFERENT).await;
    let line = &shown["output"][0];
    assert!(line["recorded_line"]["text"].as_str().unwrap().contains("monotonic "), "{shown:#}");
    assert!(line["written_line"]["text"].as_str().unwrap().contains("MONOTONIC "), "{shown:#}");
}

#[tokio::test]
async fn another_build_is_shown_where_it_differs_without_values() {
    let site = Site::start().await;
    let touch = ManifestBuilder::probe("probe", "touch")
        .grant("Appointments", "update")
        .triggers(BY_PEOPLE)
        .setting("field", "Notes");
    let run = appointment(&site, &touch).await;
    let other = build(&site, &[("changed", "CHANGED")]);
    let answer = replay(&site, &id(&run), &["--component", &other]).await;
    assert_eq!(answer.code, DIFFERENT, "{answer:?}");
    let said = answer.stdout;
    assert!(said.contains("step 1") && said.contains("differs in changes.Notes"), "{said}");
    assert!(said.contains(&format!("+ records.update Appointments PK_ID {}", run["pk_id"])), "{said}");
    assert!(!said.to_lowercase().contains("\"changed\"") && !said.contains("CHANGED"), "{said}");
    assert_eq!(audited(&site, "run.replay-values"), 0);
    let said = replay(&site, &id(&run), &["--component", &other, "--show-values"]).await.stdout;
    assert!(said.contains("CHANGED") && said.contains("changed"), "{said}");
    assert_eq!(audited(&site, "run.replay-values"), 1);
    // It was not deployed.
    assert_eq!(site.workflow("probe").await["version"], 1);
    same(&site, &id(&run), 1).await;
}

#[tokio::test]
async fn another_build_that_only_ends_differently_differs() {
    let site = Site::start().await;
    let run = site.one_run(&create(1), &["succeeded"]).await;
    let other = build(&site, &[("created ", "CREATED ")]);
    let found = replayed(&site, &id(&run), &["--component", &other], DIFFERENT).await;
    assert_eq!((&found["same_calls"], &found["same_end"]), (&json!(1), &json!(false)), "{found:#}");
    assert_eq!(found["end"]["text"], Value::Null, "{found:#}");
}

#[tokio::test]
async fn a_manifest_that_calls_more_or_less_or_else_is_shown() {
    let site = Site::start().await;
    let run = site.one_run(&create(2), &["succeeded"]).await;
    let id = id(&run);
    let more = manifest(&site, &create(3));
    let found = replayed(&site, &id, &["--manifest", &more], DIFFERENT).await;
    let next = &found["next"];
    assert_eq!((&found["same_calls"], &next["action"]), (&json!(2), &json!("records.create")), "{found:#}");
    assert_eq!(next["arguments"], json!(["row.Title"]), "{found:#}");
    let said = replay(&site, &id, &["--manifest", &more]).await.stdout;
    assert!(said.contains("would call next: records.create Tasks (row.Title)"), "{said}");

    let fewer = manifest(&site, &create(1));
    let found = replayed(&site, &id, &["--manifest", &fewer], DIFFERENT).await;
    let call = &found["calls"][0];
    assert_eq!((&call["step"], &call["kind"]), (&json!(2), &json!("not-called")), "{found:#}");

    let else_ = manifest(&site, &on_tasks("delete"));
    let found = replayed(&site, &id, &["--manifest", &else_], DIFFERENT).await;
    let call = &found["calls"][0];
    assert_eq!((&call["kind"], &call["called"]["action"]), (&json!("other"), &json!("records.delete")));
    assert_eq!((&found["end"], &found["same_calls"]), (&Value::Null, &json!(0)), "{found:#}");

    let foreign = manifest(&site, &ManifestBuilder::probe("another", "echo"));
    replay(&site, &id, &["--manifest", &foreign]).await.refused("another workflow's");
    let broken = site.folder().join("broken.wasm");
    std::fs::write(&broken, "no component").unwrap();
    let broken = broken.display().to_string();
    replay(&site, &id, &["--component", &broken]).await.refused("not a valid WebAssembly component");
}

#[tokio::test]
async fn a_run_that_survived_a_crash_is_the_same() {
    let mut site = Site::start().await;
    site.deploy(&create(3)).await.ok();
    site.restart_with("journal.after-result=1*off->return(kill)").await;
    site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    let found = same(&site, &id(&run), 3).await;
    assert_eq!(found["same_end"], true, "{found:#}");
}

#[tokio::test]
async fn of_a_run_that_waits_what_is_recorded_is_compared() {
    let site = Site::start().await;
    site.deploy(&create(3)).await.ok();
    site.account.fault_after("POST", TASKS, 1, None, json!({"Kind": "throttle"})).await;
    site.account.add_patient("Ada").await;
    let run = until("the run waits", async || {
        let run = site.runs().await.pop()?;
        (run["cause"] == "throttled").then_some(run)
    })
    .await;
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    until("nothing of it is under way", async || {
        (site.run(&id(&run)).await["state"] == "queued").then_some(())
    })
    .await;
    let found = same(&site, &id(&run), 1).await;
    assert_eq!(found["next"]["action"], "records.create", "{found:#}");
    let notes = found["notes"].to_string();
    assert!(notes.contains("queued (throttled)") && notes.contains("next call is not recorded"), "{notes}");
    site.account.clear_faults().await;
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    site.until_runs(1, &["succeeded"]).await;
    same(&site, &id(&run), 3).await;
}

#[tokio::test]
async fn dead_runs_are_the_same_whatever_they_died_of() {
    let quick = "[retry]\nattempts = 2\ninitial_seconds = 0.05\nmax_seconds = 0.1\n";
    let fuel = format!("{quick}[limits]\nfuel = 1000000\n");
    let site = Site::start().await;
    for (n, (mode, sections, cause, end)) in [
        ("create-then-retry", quick, "retries", "retry"),
        ("fatal", quick, "fatal", "fatal"),
        ("panic", quick, "trap", "trap"),
        ("loop", &fuel, "limit-fuel", "limit-fuel"),
        ("log-flood", quick, "limit-log", "limit-log"),
    ]
    .into_iter()
    .enumerate()
    {
        site.deploy(&on_tasks(mode).setting("until", "9").sections(sections)).await.ok();
        site.account.add_patient(&format!("Ada {n}")).await;
        let run = site.until_runs(n + 1, &["dead"]).await.remove(n);
        assert_eq!(run["cause"], cause, "{run:#}");
        let found = same(&site, &id(&run), run["steps"].as_array().unwrap().len() as u32).await;
        assert_eq!((&found["same_end"], &found["end"]["kind"]), (&json!(true), &json!(end)), "{found:#}");
    }
}

#[tokio::test]
async fn a_wall_limit_is_recorded_and_not_replayed() {
    let site = Site::start().await;
    let slow = "[retry]\nattempts = 1\n[limits]\nwall_seconds = 1\nfuel = 1000000000000\n";
    let run = site.one_run(&on_tasks("loop").sections(slow), &["dead"]).await;
    assert_eq!(run["cause"], "limit-wall");
    let found = same(&site, &id(&run), 0).await;
    assert_eq!((&found["end"], &found["same_end"]), (&Value::Null, &Value::Null), "{found:#}");
    assert!(found["notes"].to_string().contains("never replayed"), "{found:#}");

    // A run that ended, with a build that does not end: nothing is known of its end.
    site.deploy(&on_tasks("echo")).await.ok();
    site.account.add_patient("Bob").await;
    let run = site.until_runs(2, &["dead", "succeeded"]).await.remove(1);
    let endless = manifest(&site, &on_tasks("loop").sections(slow));
    let found = replayed(&site, &id(&run), &["--manifest", &endless], INCOMPLETE).await;
    assert_eq!(found["verdict"], "incomplete", "{found:#}");
}

#[tokio::test]
async fn a_parked_run_is_replayed_up_to_what_is_undecided() {
    let mut site = Site::start().await;
    site.deploy(&create(2)).await.ok();
    site.restart_with("effect.after-send=1*off->return(kill)").await;
    site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["parked"]).await.remove(0);
    let found = same(&site, &id(&run), 2).await;
    assert_eq!(found["same_end"], Value::Null);
    let notes = found["notes"].to_string();
    assert!(notes.contains("step 2 is recorded without a result") && notes.contains("undecided"), "{notes}");
    assert_eq!(sent(&site).await, 2);
}

#[tokio::test]
async fn a_diverged_run_differs_where_it_diverged() {
    let site = Site::start().await;
    let run = site.one_run(&on_tasks("diverge"), &["parked"]).await;
    assert_eq!(run["cause"], "diverged");
    let found = replayed(&site, &id(&run), &[], DIFFERENT).await;
    let call = &found["calls"][0];
    assert_eq!((&call["step"], &call["differs"]), (&json!(1), &json!(["row.Title"])), "{found:#}");
    assert!(found["notes"].to_string().contains("assumed"), "{found:#}");
}

#[tokio::test]
async fn what_was_never_executed_or_is_gone_is_refused() {
    let site = Site::start().await;
    let run = site.one_run(&create(1), &["succeeded"]).await;
    replay(&site, &id(&run), &["--tenant", "other"]).await.refused("there is no run");
    replay(&site, &id(&run), &["--version", "7"]).await.refused("has no version 7");
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    site.account.add_patient("Bob").await;
    let waiting =
        until("a run waits", async || site.runs().await.into_iter().find(|run| run["state"] == "queued"))
            .await;
    replay(&site, &id(&waiting), &[]).await.refused("was never executed");
    site.host.cli(&["workflow", "delete", "probe", "--discard-runs"]).await.ok();
    replay(&site, &id(&run), &[]).await.refused("are not kept any more");
}

#[tokio::test]
async fn a_build_is_checked_against_the_latest_runs_before_it_is_deployed() {
    let site = Site::start().await;
    site.deploy(&on_tasks("create")).await.ok();
    for name in ["Ada", "Bob", "Eve"] {
        site.account.add_patient(name).await;
    }
    site.until_runs(3, &["succeeded"]).await;
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    site.account.add_patient("Dan").await;
    until("a run waits", async || (site.runs().await.len() == 4).then_some(())).await;
    let before = requests(&site).await;
    let all = ["run", "replay", "--workflow", "probe"];
    let said = site.host.cli(&all).await.ok().stdout;
    let summary = "replayed 3 runs: 3 same, 0 different, 0 incomplete; 1 could not be replayed";
    assert!(said.ends_with(&format!("{summary}\n")), "{said}");
    let other = build(&site, &[("created ", "CREATED ")]);
    let more = ["--component", &other, "--state", "succeeded", "--limit", "2", "--json"];
    let answer = site.host.cli(&[&all[..], &more].concat()).await;
    assert_eq!(answer.code, DIFFERENT, "{answer:?}");
    let found: Value = serde_json::from_str(&answer.stdout).unwrap();
    let expected = json!({"same": 0, "different": 2, "incomplete": 0, "refused": 0});
    assert_eq!((&found["summary"], found["runs"].as_array().unwrap().len()), (&expected, 2));
    site.host.cli(&["run", "replay"]).await;
    assert_eq!(requests(&site).await, before);
}
