//! Caspio does not answer for longer: it is left alone, runs wait without using anything up, and go on once each.

use std::net::SocketAddr;
use std::path::Path;

use caspian_e2e::{Account, Host, HostOptions, ManifestBuilder, Site, SiteOptions, until};
use caspio_emulator::{Emulator, EmulatorOptions, RunningEmulator, Settings};
use serde_json::{Value, json};

use crate::{TASKS, create, on_tasks, sent, still_serves, titles};

/// Calls in a row that open the breaker.
const FAILURES: u64 = 3;
/// Runs at the same time.
const CONCURRENCY: u64 = 4;

/// Steps wait twice, no more; between probes are at least `pause` seconds.
async fn site(pause: f64) -> Site {
    site_with(pause, "").await
}

async fn site_with(pause: f64, more: &str) -> Site {
    let config = format!(
        "{more}[scheduler]\nconcurrency = {CONCURRENCY}\n[retry]\nstep_waits = 2\nstep_initial_seconds = 0.05\nstep_max_seconds = 0.1\n\
         [caspio]\ncalls_per_second = 100000.0\nburst = 100000\nretry_pause_ms = 10\nread_retries = 1\n\
         breaker_failures = {FAILURES}\nbreaker_pause_seconds = {pause}\nbreaker_longest_pause_seconds = {}\n",
        pause * 2.0
    );
    Site::with(SiteOptions {
        host: HostOptions { config, ..HostOptions::default() },
        ..SiteOptions::default()
    })
    .await
}

fn list() -> ManifestBuilder {
    ManifestBuilder::probe("probe", "list").grant("Patients", "read").setting("table", "Patients")
}

/// A deployed workflow with so many runs that wait for the end of a pause. Answers their records.
async fn queued(site: &Site, manifest: &ManifestBuilder, count: usize) -> Vec<i64> {
    site.deploy(manifest).await.ok();
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(site.account.add_patient(&format!("Queued {n}")).await);
    }
    site.until_runs(count, &["queued"]).await;
    ids
}

async fn until_silent(host: &Host) {
    until("the status says that Caspio does not answer", async || {
        let status = host.cli(&["status", "--json"]).await.json();
        status["attention"].to_string().contains("does not answer since").then_some(())
    })
    .await;
}

async fn runs(host: &Host, workflow: &str) -> Vec<Value> {
    let list = ["run", "list", "--workflow", workflow, "--json", "--limit", "1000"];
    host.cli(&list).await.json().as_array().cloned().unwrap_or_default()
}

async fn until_done(host: &Host, workflow: &str, count: usize) {
    until(&format!("{count} runs of {workflow} succeed in their first attempt"), async || {
        let runs = runs(host, workflow).await;
        let odd = runs.iter().find(|run| run["state"] == "dead" || run["state"] == "parked");
        assert!(odd.is_none(), "{odd:#?}");
        let done = runs.iter().filter(|run| run["state"] == "succeeded" && run["attempts"] == 1).count();
        (done == count).then_some(())
    })
    .await;
}

async fn back(address: SocketAddr) -> RunningEmulator {
    let settings = Settings { rate_limit: None, ..Settings::default() };
    Emulator::start(EmulatorOptions { listen: address, settings: Some(settings), ..Default::default() })
        .await
        .unwrap()
}

/// The gauge of the only host that is not closed.
async fn gauge(host: &Host, account: &str) -> String {
    let url = format!("{}/metrics", host.url());
    let answer = reqwest::Client::new().get(url).bearer_auth(host.token()).send().await.unwrap();
    let name = format!("caspian_breaker_state{{host=\"{}\"}} ", account.trim_start_matches("http://"));
    let text = answer.text().await.unwrap();
    text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_default().to_owned()
}

/// A second account, and a workflow that works on it.
async fn other_account(host: &Host, folder: &Path) -> Account {
    let other = Account::start(|_| ()).await;
    let url = other.url();
    let arguments =
        ["connection", "add", "other", "--url", &url, "--client-id", "demo-client", "--client-secret-stdin"];
    host.cli_with_input(&arguments, "demo-secret").await.ok();
    let text =
        list().text().replace("\"clinic\"", "\"other\"").replace("name = \"probe\"", "name = \"elsewhere\"");
    let path = folder.join("elsewhere.toml");
    std::fs::write(&path, text).unwrap();
    host.cli(&["deploy", &path.display().to_string(), "--activate"]).await.ok();
    other
}

#[tokio::test]
async fn while_caspio_is_dead_all_runs_wait_also_over_a_kill_and_then_succeed_once() {
    let site = site(0.1).await;
    let ids = queued(&site, &create(1), 20).await;
    let other = other_account(&site.host, site.folder()).await;
    let url = site.account.url();
    let address: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
    let mut host = site.host;
    site.account.shutdown().await;
    host.cli(&["workflow", "resume", "probe"]).await.ok();
    until_silent(&host).await;
    assert_ne!(gauge(&host, &url).await, "0");
    // Another account is another matter.
    other.add_patient("Elsewhere").await;
    until_done(&host, "elsewhere", 1).await;
    let ready = reqwest::get(format!("{}/health/ready", host.url())).await.unwrap();
    assert_eq!(ready.status().as_u16(), 200);
    // The next start learns it anew.
    host.start().await;
    until_silent(&host).await;
    other.add_patient("Elsewhere Again").await;
    until_done(&host, "elsewhere", 2).await;
    let waiting = runs(&host, "probe").await;
    assert!(waiting.iter().all(|run| run["state"] == "queued" && run["attempts"] == 0), "{waiting:#?}");

    let back = back(address).await;
    until_done(&host, "probe", 20).await;
    let rows: Value =
        reqwest::get(format!("{}/emulator/rows/Tasks", back.base_url())).await.unwrap().json().await.unwrap();
    let rows = rows.as_array().unwrap();
    for id in ids {
        let title = format!("{id}-0");
        assert_eq!(rows.iter().filter(|row| row["Title"] == title).count(), 1, "{title}");
    }
    until("it is trusted again", async || (gauge(&host, &url).await == "0").then_some(())).await;
    let log = host.log();
    for text in ["Caspio does not answer; its runs wait", "Caspio answers again", "Caspio answers as usual"] {
        assert!(log.contains(text), "{text}");
    }
}

#[tokio::test]
async fn a_caspio_that_fails_gets_few_calls_and_a_person_may_try_it_at_once() {
    // The host itself would not try within the test.
    let site = site(3600.0).await;
    queued(&site, &list(), 20).await;
    let calls = async || site.account.calls("GET", "/").await + site.account.calls("POST", "/").await;
    site.account.fault("*", "*", None, json!({"Kind": "status", "Status": 503})).await;
    let before = calls().await;
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until_silent(&site.host).await;
    let other = other_account(&site.host, site.folder()).await;
    other.add_patient("Elsewhere").await;
    until_done(&site.host, "elsewhere", 1).await;
    until("no run is under way", async || {
        runs(&site.host, "probe").await.iter().all(|run| run["state"] == "queued").then_some(())
    })
    .await;
    let spent = calls().await - before;
    assert!((FAILURES..=FAILURES + 2 * CONCURRENCY).contains(&spent), "{spent} calls");
    site.account.clear_faults().await;
    site.host.cli(&["connection", "check", "clinic"]).await.ok();
    until_done(&site.host, "probe", 20).await;
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_left_alone_too() {
    let site = site(3600.0).await;
    queued(&site, &create(1), 10).await;
    site.account.revoke_tokens().await;
    let token = "/oauth/token";
    site.account.fault("POST", token, None, json!({"Kind": "status", "Status": 500})).await;
    let before = site.account.calls("POST", token).await;
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until_silent(&site.host).await;
    site.account.clear_faults().await;
    let spent = site.account.calls("POST", token).await - before;
    assert!(spent <= FAILURES + 2 * CONCURRENCY, "{spent} calls");
    assert_eq!(sent(&site).await, 0);
    site.host.cli(&["connection", "check", "clinic"]).await.ok();
    until_done(&site.host, "probe", 10).await;
    assert_eq!((titles(&site).await.len(), sent(&site).await), (10, 10));
}

/// Patrols, sweeps and backfills spend nothing either, nor what goes on with webhooks that are unfinished.
#[tokio::test]
async fn what_goes_on_in_the_background_waits_too() {
    let site = site_with(3600.0, "[triggers]\ncheck_seconds = 1\n").await;
    let swept =
        "[[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\nreconcile = { every = \"1d\" }\n";
    site.deploy(&list().triggers(swept)).await.ok();
    let other = other_account(&site.host, site.folder()).await;
    site.account.fault("*", "*", None, json!({"Kind": "status", "Status": 503})).await;
    // So that one webhook is unfinished.
    let manifest = on_tasks("create").write(site.folder());
    let text =
        std::fs::read_to_string(&manifest).unwrap().replace("name = \"probe\"", "name = \"unfinished\"");
    std::fs::write(&manifest, text).unwrap();
    let deployed = site.host.cli(&["deploy", &manifest.display().to_string(), "--activate"]).await;
    assert_ne!(deployed.code, 0, "{}", deployed.stdout);
    until_silent(&site.host).await;
    let calls = async |account: &Account| {
        let mut calls = 0;
        for method in ["GET", "POST", "PUT", "DELETE"] {
            calls += account.calls(method, "/").await;
        }
        calls
    };
    site.host.cli(&["coverage", "probe", "--now"]).await.ok();
    let (before, elsewhere) = (calls(&site.account).await, calls(&other).await);
    until("the other account is looked at again and again", async || {
        (calls(&other).await >= elsewhere + 6).then_some(())
    })
    .await;
    let spent = calls(&site.account).await - before;
    // What was under way when it opened.
    assert!(spent <= 2, "{spent} calls");
    site.account.clear_faults().await;
    site.host.cli(&["connection", "check", "clinic"]).await.ok();
    until("webhooks and sweeps are looked after again", async || {
        let swept = site.host.cli(&["coverage", "probe", "--json"]).await.json();
        let looked = site.account.calls("GET", "/integrations/rest/v3/outgoingWebhooks").await;
        (swept["sweeps"][0]["rounds"].as_u64() > Some(0) && looked > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn refusals_and_rate_limits_open_nothing() {
    let site = site(3600.0).await;
    site.deploy(&on_tasks("create")).await.ok();
    for status in [400, 404, 409] {
        site.account.fault("POST", TASKS, Some(4), json!({"Kind": "status", "Status": status})).await;
        for n in 0..4 {
            site.account.add_patient(&format!("Refused {status} {n}")).await;
        }
    }
    site.until_runs(12, &["dead"]).await;
    site.account.fault("POST", TASKS, Some(8), json!({"Kind": "throttle"})).await;
    still_serves(&site).await;
}

/// A person's wish goes before the pauses of steps and breaker, as seconds.
#[tokio::test]
async fn retry_after_is_waited_for() {
    let site = site(0.05).await;
    site.deploy(&list()).await.ok();
    let patients = "/integrations/rest/v3/tables/Patients/records";
    let action = json!({"Kind": "status", "Status": 503, "RetryAfter": 7200});
    site.account.fault("GET", patients, Some(1), action).await;
    site.account.add_patient("Ada").await;
    let run = until("the run waits", async || {
        runs(&site.host, "probe")
            .await
            .pop()
            .filter(|run| run["state"] == "queued" && run["cause"] == "unavailable")
    })
    .await;
    let minutes = |text: &Value| -> i64 {
        let text = text.as_str().unwrap();
        let part = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
        // Days too, should midnight be in between.
        part(8, 10) * 1440 + part(11, 13) * 60 + part(14, 16)
    };
    let waits = minutes(&run["next_at"]) - minutes(&run["started_at"]);
    assert!(!(0..119).contains(&waits), "{run:#}");
    assert_eq!(site.account.calls("GET", patients).await, 1);
    assert_eq!(run["attempts"], 0);
}
