//! Events of one record run one after another, in order of arrival, whatever happens.

use caspian_e2e::Site;
use serde_json::json;

use crate::{TASKS, assert_one_after_another, is, of_record, probe, send, send_rows, tried, until_all};

const BY_RECORD: &str = "[order]\nby = \"record\"\n";

#[tokio::test]
async fn a_record_waits_for_its_run_that_is_tried_again_and_others_do_not() {
    let mut site = Site::start().await;
    site.account.fault("POST", TASKS, None, json!({"Kind": "throttle"})).await;
    site.deploy(&probe("create", BY_RECORD)).await.ok();
    send(&site, &[1, 1, 2]).await.ok();
    send(&site, &[1]).await.ok();
    let waiting = |runs: &[serde_json::Value]| {
        runs.len() == 4
            && tried(&runs[0])
            && tried(&runs[2])
            && [1, 3].iter().all(|at| is(&runs[*at], "queued", "order"))
    };
    let runs = until_all(&site, "one of each record is tried", waiting).await;
    assert!(runs[1]["started_at"].is_null() && runs[3]["started_at"].is_null(), "{runs:#?}");
    let first = runs[0]["id"].as_str().unwrap();
    let shown = site.run(runs[3]["id"].as_str().unwrap()).await;
    assert!(shown["waits"].as_str().unwrap().starts_with(&format!("the run {first} comes before it")));
    let text = site.host.cli(&["run", "show", runs[1]["id"].as_str().unwrap()]).await.ok().stdout;
    assert!(text.contains("waits for") && text.contains(&format!("caspian run show {first}")), "{text}");

    site.restart_with("").await;
    until_all(&site, "it is so after a restart", waiting).await;
    site.account.clear_faults().await;
    let runs = site.until_runs(4, &["succeeded"]).await;
    assert_one_after_another(&of_record(&runs, 1));
    assert_eq!(site.account.rows("Tasks").await.len(), 1 + 4);
}

#[tokio::test]
async fn the_order_is_kept_wherever_the_host_dies() {
    let mut site = Site::start().await;
    site.deploy(&probe("create", BY_RECORD)).await.ok();
    let mut count = 0;
    for point in [
        "journal.before-intent=1*off->return(kill)",
        "journal.after-result=1*off->return(kill)",
        "run.before-finish=1*off->return(kill)",
        "run.after-finish=return(kill)",
    ] {
        site.restart_with(point).await;
        // The host may die before it answers; what it took in is there.
        send(&site, &[1, 1, 1]).await;
        site.host.until_dead().await;
        // What is left is claimed, and the host dies again; perhaps before it listens.
        site.host.options().failpoints = "scheduler.after-claim=return(kill)".to_owned();
        site.host.try_start().await;
        site.host.until_dead().await;
        site.restart_with("").await;
        count += 3;
        let runs = site.until_runs(count, &["succeeded"]).await;
        assert_one_after_another(&of_record(&runs, 1));
        assert_eq!(site.account.rows("Tasks").await.len(), 1 + count, "{point}");
    }
}

#[tokio::test]
async fn a_parked_run_holds_up_its_record_until_it_is_resolved() {
    let mut site = Site::start().await;
    site.deploy(&probe("create", BY_RECORD)).await.ok();
    site.restart_with("effect.before-send=return(kill)").await;
    send(&site, &[1, 1]).await;
    site.host.until_dead().await;
    site.restart_with("").await;
    send(&site, &[2]).await.ok();
    let runs = until_all(&site, "the other record is done", |runs| {
        runs.len() == 3
            && is(&runs[0], "parked", "undecided")
            && is(&runs[1], "queued", "order")
            && is(&runs[2], "succeeded", "")
    })
    .await;
    let (parked, waiting) = (runs[0]["id"].as_str().unwrap(), runs[1]["id"].as_str().unwrap());
    let shown = site.run(waiting).await;
    assert!(shown["waits"].as_str().unwrap().contains(&format!("{parked} comes before it, which is parked")));
    let status = site.host.cli(&["status"]).await.ok().stdout;
    assert!(status.contains("1 dead or parked run of 'probe' holds up later ones"), "{status}");
    site.host.cli(&["run", "resolve", parked, "--retry"]).await.ok();
    let runs = site.until_runs(3, &["succeeded"]).await;
    assert_one_after_another(&of_record(&runs, 1));
}

#[tokio::test]
async fn a_dead_run_is_discarded_redriven_or_passed_over() {
    let site = Site::start().await;
    let fatal = |more: &str| probe("fatal", &format!("{BY_RECORD}{more}"));
    site.deploy(&fatal("")).await.ok();
    send(&site, &[1, 1, 1]).await.ok();
    let runs = until_all(&site, "the first is dead", |runs| {
        runs.len() == 3
            && is(&runs[0], "dead", "fatal")
            && runs[1..].iter().all(|run| is(run, "queued", "order"))
    })
    .await;
    let id = |at: usize| runs[at]["id"].as_str().unwrap();
    site.host.cli(&["run", "discard", id(0), "--reason", "a test"]).await.ok();
    until_all(&site, "the second is dead", |runs| {
        is(&runs[1], "dead", "fatal") && is(&runs[2], "queued", "order")
    })
    .await;
    // Begun anew it is still before the third.
    site.host.cli(&["run", "redrive", id(1), "--from-start"]).await.ok();
    until_all(&site, "the second is dead again", |runs| {
        runs.len() == 4 && is(&runs[3], "dead", "fatal") && is(&runs[2], "queued", "order")
    })
    .await;
    site.deploy(&fatal("on_failure = \"go-on\"\n")).await.ok();
    until_all(&site, "the third is passed on to", |runs| is(&runs[2], "dead", "fatal")).await;
    let status = site.host.cli(&["status"]).await.ok().stdout;
    assert!(!status.contains("holds up") && !status.contains("hold up"), "{status}");
    // Passed over, it may still go on later, and those after it are not held up.
    site.deploy(&probe("echo", &format!("{BY_RECORD}on_failure = \"go-on\"\n"))).await.ok();
    send(&site, &[1]).await.ok();
    until_all(&site, "the fourth is done", |runs| runs.len() == 5 && is(&runs[4], "succeeded", "")).await;
    site.host.cli(&["run", "redrive", "--workflow", "probe", "--cause", "fatal"]).await.ok();
    let runs = site.until_runs(5, &["succeeded", "discarded"]).await;
    assert_eq!(runs.iter().filter(|run| run["state"] == "succeeded").count(), 3, "{runs:#?}");
}

#[tokio::test]
async fn events_with_the_same_value_of_a_field_wait_for_each_other() {
    let site = Site::start().await;
    site.deploy(&probe("create", "[order]\nby = { field = \"Nothing\" }\n"))
        .await
        .refused("names the field Nothing, which the table Patients of a trigger does not have");
    site.account.fault("POST", TASKS, None, json!({"Kind": "throttle"})).await;
    site.deploy(&probe("create", "[order]\nby = { field = \"LastName\" }\n")).await.ok();
    let row = |key: i64, name: &str| json!({"PK_ID": key, "LastName": name});
    let rows = json!([row(1, "canary-value"), row(2, "canary-value"), row(3, "other"), row(4, "")]);
    send_rows(&site, rows, None).await.ok();
    until_all(&site, "the second waits", |runs| {
        runs.len() == 4 && [0, 2, 3].iter().all(|at| tried(&runs[*at])) && is(&runs[1], "queued", "order")
    })
    .await;
    site.account.clear_faults().await;
    let runs = site.until_runs(4, &["succeeded"]).await;
    assert_one_after_another(&[&runs[0], &runs[1]]);
    for file in ["caspian.db", "caspian.db-wal"] {
        let bytes = std::fs::read(site.host.data().join(file)).unwrap_or_default();
        assert!(!bytes.windows(12).any(|part| part == b"canary-value"), "the value is in {file}");
    }
}

#[tokio::test]
async fn messages_as_a_whole_wait_for_all_before_them() {
    let site = Site::start().await;
    let batch = "[[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\nbatch = true\n";
    site.deploy(&probe("retry", BY_RECORD).triggers(batch)).await.ok();
    send(&site, &[1, 2]).await.ok();
    send(&site, &[3]).await.ok();
    until_all(&site, "the second message waits", |runs| {
        runs.len() == 2 && tried(&runs[0]) && is(&runs[1], "queued", "order")
    })
    .await;
    // Without an order in the next version it waits no more.
    site.deploy(&probe("echo", "").triggers(batch)).await.ok();
    until_all(&site, "the second is done", |runs| is(&runs[1], "succeeded", "")).await;
}

#[tokio::test]
async fn webhooks_and_backfills_keep_to_the_order() {
    let site = Site::start().await;
    let key = site.account.add_patient("Ada").await;
    site.account.fault("POST", TASKS, None, json!({"Kind": "throttle"})).await;
    site.deploy(&probe("create", BY_RECORD)).await.ok();
    let delivery = site.delivery().await;
    for message in ["m1", "m2"] {
        let row = json!([{"PK_ID": key, "FirstName": "Ada"}]);
        assert_eq!(delivery.send_signed(&delivery.message(message, row)).await, 200);
    }
    site.host.cli(&["workflow", "backfill", "probe", "--where", &format!("PK_ID={key}")]).await.ok();
    until_all(&site, "the others wait", |runs| {
        runs.len() == 3 && tried(&runs[0]) && runs[1..].iter().all(|run| is(run, "queued", "order"))
    })
    .await;
    site.account.clear_faults().await;
    let runs = site.until_runs(3, &["succeeded"]).await;
    assert_one_after_another(&runs.iter().collect::<Vec<_>>());
}
