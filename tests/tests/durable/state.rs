//! State: what a workflow keeps from run to run, changed exactly once.

use caspian_e2e::{Answer, HostOptions, ManifestBuilder, Site, SiteOptions};
use serde_json::{Value, json};

use crate::still_serves;

fn keeping(name: &str, mode: &str) -> ManifestBuilder {
    ManifestBuilder::probe(name, mode).grants("state = true")
}

async fn state(site: &Site, arguments: &[&str]) -> Answer {
    site.host.cli(&[&["workflow", "state"], arguments].concat()).await
}

/// What the counter of `probe` says.
async fn count(site: &Site) -> String {
    state(site, &["get", "probe", "count"]).await.ok().stdout.trim().to_owned()
}

/// Results of runs as numbers, sorted.
fn sums(runs: &[Value]) -> Vec<u64> {
    let mut sums: Vec<u64> =
        runs.iter().map(|run| run["result"].as_str().unwrap_or_default().parse().unwrap()).collect();
    sums.sort_unstable();
    sums
}

#[tokio::test]
async fn every_call_does_what_the_contract_says() {
    let site = Site::start().await;
    let run = site.one_run(&keeping("probe", "state"), &["succeeded"]).await;
    let expected = [
        "get nothing: -",
        "get: 3 bytes",
        "text: one",
        "int: the value of state is no whole number; read it with `state::get`",
        "replace: true",
        "replace old: false",
        "set new: false",
        "still: two",
        "add: 9223372036854775807",
        "overflow: the value of state would be larger than 64 bits hold",
        "bytes: 2 bytes",
        "not text: the value of state is no text; read it with `state::get`",
        "keys: a,b,list:0,list:1,list:2,n",
        "prefix: list:0,list:1,list:2",
        "page: list:1",
        "delete: true",
        "delete again: false",
        "other version: true",
        "replace deleted: false",
        "no key: invalid: a key of state has 1 to 255 bytes; shorten it, or hash it",
        "long key: invalid: a key of state has 1 to 255 bytes; shorten it, or hash it",
        "longest key: no error",
        "large: too-large: a value of state has at most 262144 bytes; split it, keep it in a table, or raise \
         state.max_value_bytes of the host",
        "conflict: conflict: the key has another version, or is there already; get it again",
    ];
    assert_eq!(run["result"].as_str().unwrap().lines().collect::<Vec<_>>(), expected, "{run:#}");
    assert!(
        run["steps"].as_array().unwrap().iter().all(|step| step["calls"] == 0 && step["state"] == "done")
    );
}

#[tokio::test]
async fn many_runs_count_at_the_same_time_and_none_is_lost() {
    let site = Site::start().await;
    site.deploy(&keeping("probe", "tally")).await.ok();
    let rows: Vec<Value> = (0..40)
        .map(|n| json!({"FirstName": format!("P{n}"), "LastName": "T", "Email": format!("p{n}@x.org")}))
        .collect();
    site.account.insert("Patients", json!(rows)).await;
    let runs = site.until_runs(40, &["succeeded"]).await;
    assert_eq!(sums(&runs), (1..=40).collect::<Vec<_>>());
    assert_eq!(count(&site).await, "40");
    // Who was slower got a conflict, and went on from a new look.
    for run in &runs {
        let outcomes: Vec<&str> =
            run["steps"].as_array().unwrap().iter().map(|s| s["outcome"].as_str().unwrap()).collect();
        assert!(outcomes.iter().all(|outcome| ["ok", "conflict"].contains(outcome)), "{outcomes:?}");
    }
}

/// Died at a point while it counted; the sum is exact.
async fn counts_once(failpoint: &str) {
    let mut site = Site::start().await;
    site.deploy(&keeping("probe", "tally")).await.ok();
    site.restart_with(failpoint).await;
    site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((&run["result"], &run["attempts"]), (&json!("1"), &json!(1)), "{failpoint}: {run:#}");
    assert_eq!(count(&site).await, "1", "{failpoint}");
    still_serves(&site).await;
    assert_eq!(count(&site).await, "2", "{failpoint}");
}

macro_rules! killed {
    ($($name:ident: $point:literal),+ $(,)?) => { $(#[tokio::test] async fn $name() { counts_once($point).await; })+ };
}

killed! {
    killed_before_a_change_is_committed: "journal.before-state=return(kill)",
    killed_after_a_change_is_committed: "journal.after-state=return(kill)",
    killed_before_the_end_of_a_run_that_changed: "run.before-finish=return(kill)",
    killed_after_the_end_of_a_run_that_changed: "run.after-finish=return(kill)",
}

#[tokio::test]
async fn killed_at_every_change_the_sum_is_exact() {
    let mut site = Site::start().await;
    site.deploy(&keeping("probe", "tally")).await.ok();
    site.restart_with("journal.after-state=return(kill)").await;
    let rows: Vec<Value> = (0..6)
        .map(|n| json!({"FirstName": format!("P{n}"), "LastName": "T", "Email": format!("p{n}@x.org")}))
        .collect();
    site.account.insert("Patients", json!(rows)).await;
    for _ in 0..3 {
        site.host.until_dead().await;
        site.host.try_start().await;
    }
    site.restart_with("").await;
    let runs = site.until_runs(6, &["succeeded"]).await;
    assert_eq!(sums(&runs), (1..=6).collect::<Vec<_>>());
    assert_eq!(count(&site).await, "6");
}

#[tokio::test]
async fn a_change_that_can_not_be_committed_is_made_later_and_once() {
    let mut site = Site::start().await;
    site.deploy(&keeping("probe", "tally")).await.ok();
    site.restart_with("journal.before-state=1*return(error)").await;
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((&run["result"], &run["attempts"]), (&json!("1"), &json!(1)), "{run:#}");
}

#[tokio::test]
async fn a_run_that_is_tried_again_changes_nothing_twice() {
    let site = Site::start().await;
    let run = site.one_run(&keeping("probe", "tally").setting("until", "3"), &["succeeded"]).await;
    assert_eq!((&run["result"], &run["attempts"]), (&json!("1"), &json!(3)), "{run:#}");
    assert_eq!(count(&site).await, "1");
}

/// Reads of state are never answered from what the run read before (`cache_reads`).
#[tokio::test]
async fn a_run_that_goes_on_after_a_change_looks_again() {
    let mut site = Site::start().await;
    let manifest = keeping("probe", "tally").setting("count", "3").sections("[run]\ncache_reads = true\n");
    site.deploy(&manifest).await.ok();
    site.restart_with("journal.after-state=1*off->return(kill)").await;
    site.account.add_patient("Ada").await;
    site.host.until_dead().await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(run["result"], "3", "{run:#}");
}

#[tokio::test]
async fn nothing_is_kept_without_the_grant() {
    let site = Site::start().await;
    let run = site.one_run(&ManifestBuilder::probe("probe", "keep").setting("value", "x"), &["dead"]).await;
    let failure = run["failure"].as_str().unwrap();
    assert!(
        failure.contains("denied: state.set needs the workflow's state; add it under [grants]"),
        "{failure}"
    );
    assert_eq!(state(&site, &["list", "probe", "--json"]).await.json()["keys"], json!([]));
}

#[tokio::test]
async fn a_workflow_keeps_as_much_as_the_host_allows() {
    for (config, said) in [
        (
            "max_keys = 5",
            "5 set, then limit: the workflow keeps 5 keys of at most 5 and 510 bytes of at most",
        ),
        (
            "max_bytes = 1000",
            "9 set, then limit: the workflow keeps 9 keys of at most 10000 and 918 bytes of at most 1000",
        ),
    ] {
        let host = HostOptions { config: format!("[state]\n{config}\n"), ..Default::default() };
        let site = Site::with(SiteOptions { host, ..Default::default() }).await;
        let run = site.one_run(&keeping("probe", "fill").setting("size", "100"), &["succeeded"]).await;
        let lines: Vec<&str> = run["result"].as_str().unwrap().lines().collect();
        assert!(lines[0].starts_with(said), "{lines:?}");
        assert!(
            lines[0].contains("; delete keys, keep records in a table, or raise state.max_keys"),
            "{lines:?}"
        );
        assert_eq!(lines[1].starts_with("larger: limit"), config.starts_with("max_bytes"), "{lines:?}");
        assert_eq!(lines[2], "smaller: no error");
        let list = state(&site, &["list", "probe", "--json"]).await.json();
        let sizes: u64 =
            list["keys"].as_array().unwrap().iter().map(|key| key["size"].as_u64().unwrap()).sum();
        assert_eq!(list["bytes_used"], sizes, "{list:#}");
        assert_eq!(list["keys_used"], list["keys"].as_array().unwrap().len(), "{list:#}");
    }
}

#[tokio::test]
async fn it_belongs_to_one_workflow_of_one_tenant_and_stays_over_versions() {
    let site = Site::start().await;
    site.one_run(&keeping("probe", "keep").setting("value", "mine"), &["succeeded"]).await;
    site.deploy(&keeping("other", "look")).await.ok();
    site.deploy(&keeping("probe", "look")).await.ok();
    site.account.add_patient("Bob").await;
    let runs = site.until_runs(3, &["succeeded"]).await;
    let result = |name: &str, version: u32| {
        let run = runs.iter().find(|run| run["workflow"] == name && run["version"] == version);
        run.unwrap_or_else(|| panic!("{runs:#?}"))["result"].clone()
    };
    assert_eq!((result("probe", 2), result("other", 1)), (json!("mine"), json!("nothing")));
    state(&site, &["list", "probe", "--tenant", "other"]).await.refused("there is no workflow 'probe'");
    state(&site, &["get", "probe", "count", "--tenant", "other"]).await.refused("there is no workflow");

    // Deleted with its workflow; one of the same name begins with nothing.
    site.host.cli(&["workflow", "delete", "probe"]).await.ok();
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    let rows = database.query_row("SELECT count(*) FROM state", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(rows, 0);
    site.deploy(&keeping("probe", "look")).await.ok();
    assert_eq!(state(&site, &["list", "probe", "--json"]).await.json()["keys_used"], 0);
}

#[tokio::test]
async fn begun_anew_and_restored_it_is_still_there() {
    let mut site = Site::start().await;
    site.deploy(&keeping("probe", "tally").setting("until", "9").sections("[retry]\nattempts = 1\n"))
        .await
        .ok();
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["dead"]).await.remove(0);
    assert_eq!(count(&site).await, "1");
    site.deploy(&keeping("probe", "tally")).await.ok();
    // What it did is done again, which here is what was asked for.
    site.host.cli(&["run", "redrive", run["id"].as_str().unwrap(), "--from-start"]).await.ok();
    site.until_runs(2, &["succeeded", "discarded"]).await;
    assert_eq!(count(&site).await, "2");

    crate::move_by_backup(&mut site).await;
    site.account.add_patient("Bob").await;
    site.until_runs(3, &["succeeded", "discarded"]).await;
    assert_eq!(count(&site).await, "3");
}

#[tokio::test]
async fn the_operator_looks_and_deletes_and_that_is_audited_without_keys() {
    let site = Site::start().await;
    let manifest = keeping("probe", "keep").setting("key", "canarykey8271").setting("value", "kept text");
    site.one_run(&manifest, &["succeeded"]).await;
    let list = state(&site, &["list", "probe"]).await.ok().stdout;
    assert!(
        list.contains("canarykey8271") && list.contains("1 of at most 10000 keys, 22 of at most"),
        "{list}"
    );
    assert!(!list.contains("kept text"), "{list}");
    assert_eq!(state(&site, &["get", "probe", "canarykey8271"]).await.ok().stdout, "kept text\n");
    let shown = state(&site, &["get", "probe", "canarykey8271", "--json"]).await.json();
    assert_eq!(
        (&shown["text"], &shown["base64"]),
        (&json!("kept text"), &json!("a2VwdCB0ZXh0")),
        "{shown:#}"
    );
    state(&site, &["get", "probe", "none"]).await.refused("keeps no such key");
    state(&site, &["delete", "probe", "none"]).await.refused("keeps no such key");
    let hold = ["retention", "hold", "case-7", "--workflow", "probe", "--reason", "a lawsuit"];
    site.host.cli(&hold).await.ok();
    state(&site, &["delete", "probe", "--all"]).await.refused("case-7");
    site.host.cli(&["retention", "release", "case-7"]).await.ok();
    assert!(state(&site, &["delete", "probe", "canarykey8271"]).await.ok().stdout.contains("1 key deleted"));
    assert!(state(&site, &["delete", "probe", "--all"]).await.ok().stdout.contains("0 keys deleted"));
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    let mut lines = database
        .prepare("SELECT action || ' ' || subject FROM audit WHERE action LIKE 'state.%' ORDER BY id")
        .unwrap();
    let lines: Vec<String> = lines.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let actions: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        actions,
        ["state.list", "state.get", "state.get", "state.delete", "state.delete"],
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| line.contains(" probe") && !line.contains("canary")), "{lines:?}");
}
