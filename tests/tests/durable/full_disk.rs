//! The disk is really full: the host may write no file beyond a size (RLIMIT_FSIZE), or SQLite gives its file no
//! more pages (`max_page_count`). Space comes back while the host runs.

use std::collections::BTreeSet;

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions, until};
use serde_json::{Value, json};

use crate::{TASKS, assert_undecided, create, on_tasks, sent, titles};

/// So many patients.
const PATIENTS: usize = 30;

async fn site(config: &str) -> Site {
    let host = HostOptions { config: config.to_owned(), piped_log: true, ..HostOptions::default() };
    Site::with(SiteOptions { host, ..SiteOptions::default() }).await
}

/// Size of a file of the data folder.
fn size(site: &Site, file: &str) -> u64 {
    std::fs::metadata(site.host.data().join(file)).map_or(0, |m| m.len())
}

/// The largest size of the store's files.
fn stored(site: &Site) -> u64 {
    ["caspian.db", "caspian.db-wal", "caspian.db-shm"]
        .map(|file| size(site, file))
        .into_iter()
        .max()
        .unwrap_or(0)
}

async fn until_logged(site: &Site, text: &str) {
    until(&format!("the log says '{text}'"), async || site.host.log().contains(text).then_some(())).await;
}

/// Ids of the messages that Caspio holds to be delivered.
async fn delivered(site: &Site) -> BTreeSet<String> {
    let messages = site.account.messages().await;
    let delivered = messages.iter().filter(|message| message["State"] == "delivered");
    delivered.map(|message| message["MessageId"].as_str().unwrap().to_owned()).collect()
}

/// Ids of the messages that have a run, each as often as it has one.
async fn with_runs(site: &Site) -> Vec<String> {
    let runs = site.runs().await;
    runs.iter().map(|run| run["message_id"].as_str().unwrap().to_owned()).collect()
}

/// Patients keep coming until the store fails; what is acknowledged meanwhile is stored. Answers the
/// titles that two tasks each make.
async fn patients_until_it_fails(site: &Site, failed: &str) -> Vec<String> {
    let mut expected = Vec::new();
    for n in 0..PATIENTS {
        let id = site.account.add_patient(&format!("Full {n}")).await;
        expected.extend([format!("{id}-0"), format!("{id}-1")]);
    }
    until_logged(site, failed).await;
    // Mostly it meets messages; when all of them came before, it met runs only.
    until("a message is refused, or all are stored", async || {
        let summary = site.account.get("messages/summary").await;
        let refused = site.host.log().contains("message not stored");
        (refused || summary["Delivered"] == PATIENTS).then_some(())
    })
    .await;
    // First what is acknowledged, then what is stored.
    let acknowledged = delivered(site).await;
    let stored: BTreeSet<String> = with_runs(site).await.into_iter().collect();
    let lost: Vec<&String> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "acknowledged but not stored: {lost:?}");
    expected.sort();
    expected
}

/// There is space again: every message has one run, the rows are these, each was sent once.
async fn everything_is_done_once(site: &Site, expected: &[String]) {
    until("everything is delivered and done", async || {
        let summary = site.account.get("messages/summary").await;
        let runs = site.workflow("probe").await["runs"].clone();
        (summary["Delivered"] == PATIENTS && runs == json!({"succeeded": PATIENTS})).then_some(())
    })
    .await;
    let runs = with_runs(site).await;
    let distinct: BTreeSet<String> = runs.iter().cloned().collect();
    assert_eq!((runs.len(), distinct), (PATIENTS, delivered(site).await));
    assert_eq!(titles(site).await, expected);
    assert_eq!(sent(site).await, expected.len() as u64);
}

#[tokio::test]
async fn files_that_can_not_grow_refuse_messages_until_there_is_space_again() {
    let mut site = site("").await;
    site.deploy(&create(2)).await.ok();
    site.host.limit_files(Some(stored(&site) + (300 << 10)));
    let expected = patients_until_it_fails(&site, "commit failed").await;
    assert!(site.host.is_running());
    site.host.limit_files(None);
    everything_is_done_once(&site, &expected).await;
}

#[tokio::test]
async fn a_host_that_was_started_on_a_nearly_full_disk_goes_on_when_there_is_space() {
    let mut site = site("").await;
    site.deploy(&create(2)).await.ok();
    site.host.kill().await;
    site.host.options().file_kib = Some((stored(&site) >> 10) + 200);
    site.host.start().await;
    let expected = patients_until_it_fails(&site, "commit failed").await;
    assert!(site.host.is_running());
    site.host.limit_files(None);
    everything_is_done_once(&site, &expected).await;
}

#[tokio::test]
async fn a_kill_on_a_full_disk_loses_nothing_either() {
    let mut site = site("").await;
    // Without effects: one whose result could not be written is undecided after a kill, and rightly so.
    site.deploy(&ManifestBuilder::probe("probe", "echo")).await.ok();
    site.host.limit_files(Some(stored(&site) + (300 << 10)));
    patients_until_it_fails(&site, "commit failed").await;
    site.host.start().await;
    everything_is_done_once(&site, &[]).await;
}

#[tokio::test]
async fn a_database_without_free_pages_refuses_messages_until_it_may_grow() {
    let mut site = site("").await;
    site.deploy(&create(2)).await.ok();
    // So many transactions later there is room again.
    site.restart_with("store.no-more-pages=150*return(full)").await;
    let expected = patients_until_it_fails(&site, "the store is full").await;
    everything_is_done_once(&site, &expected).await;
}

/// The only run, with its steps.
async fn shown(site: &Site) -> Option<Value> {
    let id = site.runs().await.first()?["id"].as_str()?.to_owned();
    Some(site.run(&id).await)
}

#[tokio::test]
async fn a_result_that_can_not_be_written_is_held_and_written_later() {
    let site = site("").await;
    site.deploy(&create(2)).await.ok();
    site.account.fault("POST", TASKS, Some(1), json!({"Kind": "delay", "Millis": 4000})).await;
    let id = site.account.add_patient("Ada").await;
    until("a create is under way", async || {
        (shown(&site).await?["steps"][0]["state"] == "intent").then_some(())
    })
    .await;
    site.host.limit_files(Some(0));
    until_logged(&site, "result not committed yet; trying again").await;
    assert_eq!(titles(&site).await, [format!("{id}-0")]);
    let run = shown(&site).await.unwrap();
    assert_eq!((&run["state"], &run["steps"][0]["state"]), (&json!("running"), &json!("intent")));
    site.host.limit_files(None);
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((&run["attempts"], &run["wakeups"]), (&json!(1), &json!(0)), "{run:#}");
    assert_eq!(titles(&site).await, [format!("{id}-0"), format!("{id}-1")]);
    assert_eq!(sent(&site).await, 2);
}

#[tokio::test]
async fn a_crash_while_a_result_is_held_leaves_its_effect_undecided() {
    let mut site = site("").await;
    site.deploy(&create(1)).await.ok();
    site.account.fault("POST", TASKS, Some(1), json!({"Kind": "delay", "Millis": 4000})).await;
    let id = site.account.add_patient("Ada").await;
    until("a create is under way", async || {
        (shown(&site).await?["steps"][0]["state"] == "intent").then_some(())
    })
    .await;
    site.host.limit_files(Some(0));
    until_logged(&site, "result not committed yet; trying again").await;
    site.host.start().await;
    let run = site.until_runs(1, &["parked"]).await.remove(0);
    assert_undecided(&run, 1, "records.create");
    let rows = site.account.rows("Tasks").await;
    let made = rows.last().unwrap()["PK_ID"].to_string();
    let run = run["id"].as_str().unwrap();
    site.host.cli(&["run", "resolve", run, "--done", "--pk-id", &made]).await.ok();
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!((titles(&site).await, sent(&site).await), (vec![format!("{id}-0")], 1));
}

#[tokio::test]
async fn an_intent_that_can_not_be_written_is_not_sent_and_its_run_is_queued_again() {
    let site = site("").await;
    // An upsert reads first; while Caspio thinks about that, the disk gets full.
    site.deploy(&on_tasks("upsert").setting("value", "none yet")).await.ok();
    site.account.fault("GET", TASKS, Some(1), json!({"Kind": "delay", "Millis": 4000})).await;
    site.account.add_patient("Ada").await;
    until("the run is under way", async || (shown(&site).await?["state"] == "running").then_some(())).await;
    site.host.limit_files(Some(0));
    until_logged(&site, "the run's state is not committed yet; trying again").await;
    assert_eq!(sent(&site).await, 0);
    site.host.limit_files(None);
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((&run["attempts"], &run["wakeups"]), (&json!(1), &json!(1)), "{run:#}");
    assert_eq!(titles(&site).await, ["none yet"]);
    assert_eq!(sent(&site).await, 1);
}

#[tokio::test]
async fn a_claim_that_can_not_be_written_is_made_later() {
    let site = site("").await;
    site.deploy(&on_tasks("create-then-retry").setting("until", "2").setting("delay", "4")).await.ok();
    let id = site.account.add_patient("Ada").await;
    until("the run waits for its second attempt", async || {
        let run = shown(&site).await?;
        (run["state"] == "queued" && run["attempts"] == 1).then_some(())
    })
    .await;
    site.host.limit_files(Some(0));
    until_logged(&site, "runs can't be claimed; trying again").await;
    site.host.limit_files(None);
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(run["attempts"], 2, "{run:#}");
    assert_eq!(titles(&site).await, [id.to_string()]);
    assert_eq!(sent(&site).await, 1);
}

#[tokio::test]
async fn a_log_that_can_not_be_written_stops_nothing() {
    let mut site = Site::start().await;
    site.deploy(&create(2)).await.ok();
    let log = std::fs::OpenOptions::new().append(true).open(site.folder().join("host.log")).unwrap();
    log.set_len(64 << 20).unwrap();
    site.host.limit_files(Some(64 << 20));
    let id = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(run["attempts"], 1, "{run:#}");
    assert_eq!(titles(&site).await, [format!("{id}-0"), format!("{id}-1")]);
    assert_eq!(log.metadata().unwrap().len(), 64 << 20, "the log was not full");
    // Store and log together.
    site.host.limit_files(Some(0));
    let other = site.account.add_patient("Eve").await;
    until("its message is refused", async || {
        let messages = site.account.messages().await;
        (messages[1]["Attempts"].as_u64().unwrap() > 2).then_some(())
    })
    .await;
    assert!(site.host.is_running());
    assert_eq!(delivered(&site).await.len(), 1);
    site.host.limit_files(None);
    site.until_runs(2, &["succeeded"]).await;
    assert_eq!(titles(&site).await.iter().filter(|title| title.starts_with(&other.to_string())).count(), 2);
    assert_eq!(sent(&site).await, 4);
}

#[tokio::test]
async fn commands_on_a_full_disk_are_refused_and_leave_nothing() {
    let site = site("").await;
    site.host.limit_files(Some(0));
    let manifest = create(1).write(site.folder()).display().to_string();
    let deploy = ["deploy", manifest.as_str(), "--activate"];
    site.host.cli(&deploy).await.refused("free space");
    let url = site.account.url();
    let second =
        ["connection", "add", "second", "--url", &url, "--client-id", "demo-client", "--client-secret-stdin"];
    site.host.cli_with_input(&second, "demo-secret").await.refused("check the disk of the data folder");
    // Room for the component, but not for the code that is compiled from it.
    let component = std::fs::metadata(caspian_e2e::guest("caspian_probe")).unwrap().len();
    site.host.limit_files(Some(component.max(stored(&site) + (100 << 10))));
    let _ = std::fs::remove_dir_all(site.host.data().join("compiled"))
        .and_then(|()| std::fs::create_dir(site.host.data().join("compiled")));
    site.host.cli(&deploy).await.refused("no room for compiled code");
    assert_eq!(site.account.webhooks().await.len(), 0);
    site.host.limit_files(None);
    assert_eq!(site.host.cli(&["workflow", "list", "--json"]).await.json(), json!([]));
    site.host.cli_with_input(&second, "demo-secret").await.ok();
    site.host.cli(&deploy).await.ok();
    site.account.add_patient("Ada").await;
    site.until_runs(1, &["succeeded"]).await;
}

#[tokio::test]
async fn a_store_that_can_not_be_written_at_the_start_is_a_clear_error() {
    let mut site = site("").await;
    site.deploy(&create(1)).await.ok();
    site.host.kill().await;
    site.host.options().file_kib = Some(0);
    assert!(!site.host.try_start().await, "it started without a store");
    // The log goes through a pipe, which may be read a little later.
    let log = until("it says why", async || {
        let log = site.host.log();
        log.lines().last().is_some_and(|line| line.starts_with("  next: ")).then_some(log)
    })
    .await;
    let said: Vec<&str> = log.lines().rev().take(2).collect();
    assert!(said[1].starts_with("error: the store "), "{said:?}");
    assert!(said[0].starts_with("  next: "), "{said:?}");
    site.host.options().file_kib = None;
    site.host.start().await;
    site.account.add_patient("Ada").await;
    site.until_runs(1, &["succeeded"]).await;
}

#[tokio::test]
async fn init_on_a_full_disk_says_so_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let init = async |limit: &str| {
        let script = format!("{limit}exec \"$0\" init --data \"$1\"");
        let mut command = tokio::process::Command::new("bash");
        command.arg("-c").arg(script).arg(caspian_e2e::binary()).arg(folder.path().join("data"));
        let output = command.output().await.unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for kib in [0, 1, 40] {
        let (code, stderr) = init(&format!("ulimit -f {kib}; ")).await;
        assert_eq!(code, Some(1), "{kib} KiB: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains("\n  next: "), "{kib} KiB: {stderr}");
    }
    assert_eq!(init("").await, (Some(0), String::new()));
}
