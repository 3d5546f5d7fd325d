//! What runs wrote is known as theirs when a sweep finds it: Caspio sends no webhook in these tests.

use super::*;

/// A `[[trigger]]` on Tasks, swept by hand.
fn on_tasks(event: &str, sources: &str) -> String {
    format!("{}sources = {sources}\n", swept(event, "").replace("Patients", "Tasks"))
}

const ANYONE: &str = r#"["Datasheet", "RESTAPIs"]"#;

/// The probe, started by updates of Tasks: it counts up `PatientId` of the record.
fn counting(sources: &str, sections: &str) -> ManifestBuilder {
    ManifestBuilder::probe("probe", "count-up")
        .triggers(&on_tasks("update", sources))
        .grant("Tasks", "update")
        .setting("field", "PatientId")
        .sections(sections)
}

/// No message is small enough to be sent.
async fn without_webhooks(site: &Site) {
    site.account.settings(json!({"MaxMessageBytes": 1})).await;
}

/// The seed's task is changed, and no webhook tells of it.
async fn set(site: &Site, changes: Value) {
    site.account.cascade("Tasks", "PK_ID=1", Some(changes)).await;
}

async fn number(site: &Site) -> i64 {
    site.account.rows("Tasks").await[0]["PatientId"].as_i64().unwrap()
}

/// A round, after which there are so many runs, all ended; the last one of them, shown.
async fn after_round(site: &Site, runs: usize) -> Value {
    round(site).await;
    site.until_runs(runs, &["succeeded", "skipped"]).await.pop().unwrap()
}

fn assert_cut(run: &Value) {
    assert_eq!((&run["state"], &run["cause"]), (&json!("skipped"), &json!("loop")), "{run:#}");
    assert!(run["failure"].as_str().unwrap().contains("raise loop.max_depth or loop.self_depth"), "{run:#}");
}

/// A person's change and so many runs after it, each found by the next round; the one after them is cut.
async fn counts_up(sections: &str, depth: usize) {
    let site = deployed(&counting(ANYONE, sections)).await;
    without_webhooks(&site).await;
    set(&site, json!({"PatientId": 10})).await;
    let mut before = Value::Null;
    for n in 0..=depth {
        let run = after_round(&site, n + 1).await;
        assert_eq!((&run["state"], &run["depth"]), (&json!("succeeded"), &json!(n)), "{run:#}");
        assert_eq!(run["caused_by"]["run"], before, "{run:#}");
        before = run["id"].clone();
    }
    let cut = after_round(&site, depth + 2).await;
    assert_cut(&cut);
    assert_eq!(cut["caused_by"]["run"], before, "{cut:#}");
    assert_eq!(number(&site).await, 11 + depth as i64);
    // It is over, and the next change of a person begins anew.
    after_round(&site, depth + 2).await;
    set(&site, json!({"PatientId": 100})).await;
    assert_eq!(after_round(&site, depth + 3).await["depth"], 0);
    assert_eq!(number(&site).await, 101);
}

#[tokio::test]
async fn by_default_a_workflow_does_not_start_itself_by_way_of_a_sweep() {
    counts_up("", 0).await;
}

#[tokio::test]
async fn with_a_self_depth_of_two_it_runs_twice_more() {
    counts_up("[loop]\nself_depth = 2\n", 2).await;
}

#[tokio::test]
async fn a_persons_change_between_two_rounds_is_not_cut() {
    let site = deployed(&counting(ANYONE, "")).await;
    without_webhooks(&site).await;
    set(&site, json!({"PatientId": 10})).await;
    assert_eq!(after_round(&site, 1).await["result"], "11");
    // The run wrote one field and a person another, before the next round.
    set(&site, json!({"Notes": "seen"})).await;
    let run = after_round(&site, 2).await;
    assert_eq!((&run["depth"], &run["result"]), (&json!(0), &json!("12")), "{run:#}");
    assert_cut(&after_round(&site, 3).await);
    // What the run wrote is written over, then a person writes the very same again.
    set(&site, json!({"PatientId": 40})).await;
    assert_eq!(after_round(&site, 4).await["result"], "41");
    assert_cut(&after_round(&site, 5).await);
    set(&site, json!({"PatientId": 7, "Status": "Done"})).await;
    assert_eq!(after_round(&site, 6).await["result"], "8");
    set(&site, json!({"PatientId": 41})).await;
    let run = after_round(&site, 7).await;
    assert_eq!((&run["depth"], &run["result"]), (&json!(0), &json!("42")), "{run:#}");
}

#[tokio::test]
async fn a_webhook_and_a_sweep_tell_of_a_write_once() {
    let site = deployed(&counting(ANYONE, "[loop]\nself_depth = 1\n")).await;
    site.account.update("Tasks", "PK_ID=1", json!({"PatientId": 10})).await;
    let runs = site.until_runs(3, &["succeeded", "skipped"]).await;
    assert_eq!([0, 1, 2], [0, 1, 2].map(|n: usize| runs[n]["depth"].as_u64().unwrap()));
    after_round(&site, 3).await;
    // A person's webhook, the run's lost one, and a person's change without one that leads to the same value.
    site.account.update("Tasks", "PK_ID=1", json!({"PatientId": 20})).await;
    site.until_runs(6, &["succeeded", "skipped"]).await;
    set(&site, json!({"PatientId": 5})).await;
    without_webhooks(&site).await;
    assert_eq!(after_round(&site, 7).await["depth"], 0);
    assert_eq!(after_round(&site, 8).await["depth"], 1);
    assert_cut(&after_round(&site, 9).await);
    after_round(&site, 9).await;
}

/// The probe that creates a record in the other one's table.
fn passing_on(name: &str, from: &str, to: (&str, &str)) -> ManifestBuilder {
    ManifestBuilder::probe(name, "create")
        .triggers(&swept("insert", "").replace("Patients", from))
        .grant(to.0, "create")
        .setting("table", to.0)
        .setting("field", to.1)
        .sections("[loop]\nmax_depth = 3\nself_depth = 3\n")
}

async fn rounds(site: &Site, name: &str) -> u64 {
    let shown = site.host.cli(&["coverage", name, "--json"]).await.json();
    shown["sweeps"][0]["rounds"].as_u64().unwrap()
}

#[tokio::test]
async fn two_workflows_that_write_each_others_swept_tables_end_at_the_longest_chain() {
    let site = site().await;
    for manifest in [
        passing_on("to", "Tasks", ("AuditTrail", "Details")),
        passing_on("fro", "AuditTrail", ("Tasks", "Title")),
    ] {
        site.deploy(&manifest).await.ok();
    }
    let both = async |done: u64| {
        for name in ["to", "fro"] {
            until("a round", async || (rounds(&site, name).await >= done).then_some(())).await;
        }
    };
    both(1).await;
    without_webhooks(&site).await;
    site.account.import("Tasks", json!({"Title": "first"})).await;
    // Each round finds what the runs of the one before made; the last two find nothing.
    for done in 2..=8 {
        for name in ["to", "fro"] {
            site.host.cli(&["coverage", name, "--now"]).await.ok();
        }
        both(done).await;
        until("all runs have ended", async || {
            let runs = site.runs().await;
            let ended = |run: &Value| ["succeeded", "skipped"].contains(&run["state"].as_str().unwrap());
            runs.iter().all(ended).then_some(())
        })
        .await;
    }
    let mut runs = site.until_runs(5, &["succeeded", "skipped"]).await;
    runs.sort_by_key(|run| run["depth"].as_u64());
    for (depth, pair) in runs.windows(2).enumerate() {
        assert_eq!((&pair[0]["depth"], &pair[0]["state"]), (&json!(depth), &json!("succeeded")), "{runs:#?}");
        assert_eq!(pair[1]["caused_by"]["run"], pair[0]["id"], "{runs:#?}");
    }
    assert_cut(&runs[4]);
}

#[tokio::test]
async fn a_person_who_changes_what_a_run_created_is_not_cut() {
    let site = site().await;
    let making = ManifestBuilder::probe("probe", "create")
        .triggers(&on_tasks("insert", ANYONE))
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title");
    let site = deployed_at(site, &making).await;
    without_webhooks(&site).await;
    site.account.import("Tasks", json!({"Title": "first"})).await;
    assert_eq!(after_round(&site, 1).await["depth"], 0);
    let made = site.account.rows("Tasks").await.pop().unwrap()["PK_ID"].as_i64().unwrap();
    // Not a field that the run wrote.
    site.account.cascade("Tasks", &format!("PK_ID={made}"), Some(json!({"Notes": "by hand"}))).await;
    let run = after_round(&site, 2).await;
    assert_eq!((&run["depth"], &run["state"]), (&json!(0), &json!("succeeded")), "{run:#}");
    assert_cut(&after_round(&site, 3).await);
}

#[tokio::test]
async fn what_a_sweep_finds_waits_for_a_write_that_is_undecided() {
    let mut site = deployed(&counting(ANYONE, "")).await;
    let records = "/integrations/rest/v3/tables/Tasks/records";
    without_webhooks(&site).await;
    site.restart_with("journal.before-result=return(kill)").await;
    set(&site, json!({"PatientId": 10})).await;
    let _ = site.host.cli(&["coverage", "probe", "--now"]).await;
    site.host.until_dead().await;
    // It is done again, but for a while Caspio is not to be reached.
    site.account.fault("PUT", records, None, json!({"Kind": "drop-before"})).await;
    site.restart_with("").await;
    round(&site).await;
    until("a run waits for a write", async || {
        site.runs().await.into_iter().find(|run| run["state"] == "queued" && run["cause"] == "own-write")
    })
    .await;
    site.account.clear_faults().await;
    let runs = site.until_runs(2, &["succeeded", "skipped"]).await;
    assert_cut(&runs[1]);
    assert_eq!(runs[1]["caused_by"]["run"], runs[0]["id"]);
    assert_eq!(number(&site).await, 11);
}

#[tokio::test]
async fn a_trigger_that_leaves_out_programs_hears_nothing_of_runs_also_from_sweeps() {
    let site = deployed(&counting(r#"["Datasheet"]"#, "")).await;
    site.account.update("Tasks", "PK_ID=1", json!({"PatientId": 10})).await;
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(number(&site).await, 11);
    let shown = round(&site).await;
    assert_eq!((&shown["updates"], site.runs().await.len()), (&json!(0), 1), "{shown:#}");
    // A change by others is found, whoever made it, also with a value that the run once wrote.
    for (number, runs) in [(20, 2), (11, 3)] {
        set(&site, json!({ "PatientId": number })).await;
        let run = after_round(&site, runs).await;
        assert_eq!((&run["depth"], &run["state"]), (&json!(0), &json!("succeeded")), "{run:#}");
        round(&site).await;
    }
    assert_eq!(site.runs().await.len(), 3);
}

#[tokio::test]
async fn a_record_that_a_run_deleted_is_known_as_deleted_by_it() {
    let removing = ManifestBuilder::probe("probe", "delete")
        .triggers(&["update", "delete"].map(|event| on_tasks(event, ANYONE)).concat())
        .grant("Tasks", "read delete")
        .setting("table", "Tasks")
        .setting("field", "PK_ID");
    let site = deployed(&removing).await;
    without_webhooks(&site).await;
    set(&site, json!({"PatientId": 10})).await;
    let first = after_round(&site, 1).await;
    assert_eq!(first["result"], "deleted 1", "{first:#}");
    let cut = after_round(&site, 2).await;
    assert_cut(&cut);
    assert_eq!((&cut["event"], &cut["caused_by"]["run"]), (&json!("record-delete"), &first["id"]), "{cut:#}");
    // A record that a person deletes starts it.
    let made = site.account.import("Tasks", json!({"Title": "other"})).await[0]["PK_ID"].to_string();
    round(&site).await;
    site.account.cascade("Tasks", &format!("PK_ID={made}"), None).await;
    assert_eq!(after_round(&site, 3).await["depth"], 0);
}
