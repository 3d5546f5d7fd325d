//! Caspio can't take a call now: the host waits below the step, and the guest's attempts don't count.

use std::net::SocketAddr;

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions, until};
use caspio_emulator::{Emulator, EmulatorOptions};
use serde_json::{Value, json};

use crate::{TASKS, create, on_tasks, sent, still_serves, titles};

const PATIENTS: &str = "/integrations/rest/v3/tables/Patients/records";

fn list() -> ManifestBuilder {
    ManifestBuilder::probe("probe", "list").grant("Patients", "read").setting("table", "Patients")
}

async fn throttled_create(action: Value) {
    let site = Site::start().await;
    site.deploy(&create(2)).await.ok();
    site.account.fault_after("POST", TASKS, 1, Some(3), action).await;
    let id = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(titles(&site).await, [format!("{id}-0"), format!("{id}-1")]);
    assert_eq!(sent(&site).await, 5);
    assert_eq!((&run["attempts"], &run["wakeups"]), (&json!(1), &json!(3)), "{run:#}");
    still_serves(&site).await;
}

#[tokio::test]
async fn a_create_that_is_throttled_waits_and_is_done_once() {
    throttled_create(json!({"Kind": "throttle"})).await;
}

#[tokio::test]
async fn a_create_that_is_throttled_in_the_other_form_waits_and_is_done_once() {
    throttled_create(json!({"Kind": "api-calls-rate"})).await;
}

#[tokio::test]
async fn a_read_that_fails_for_a_moment_is_repeated_at_once() {
    for action in [
        json!({"Kind": "status", "Status": 503}),
        json!({"Kind": "drop-before"}),
        json!({"Kind": "drop-after"}),
    ] {
        let site = Site::start().await;
        site.deploy(&list()).await.ok();
        site.account.fault("GET", PATIENTS, Some(2), action).await;
        site.account.add_patient("Ada").await;
        let run = site.until_runs(1, &["succeeded"]).await.remove(0);
        assert_eq!((&run["result"], &run["wakeups"]), (&json!("listed 4"), &json!(0)), "{run:#}");
    }
}

#[tokio::test]
async fn a_read_that_fails_for_longer_lets_the_run_wait() {
    let site = Site::start().await;
    site.deploy(&list()).await.ok();
    site.account.fault("GET", PATIENTS, None, json!({"Kind": "status", "Status": 503})).await;
    site.account.add_patient("Ada").await;
    let waiting = until("the run waits for the third time", async || {
        site.runs().await.pop().filter(|run| run["wakeups"].as_u64() >= Some(3))
    })
    .await;
    assert_eq!(waiting["attempts"], 0);
    site.account.clear_faults().await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((&run["result"], &run["attempts"]), (&json!("listed 4"), &json!(1)));
}

#[tokio::test]
async fn when_the_waits_are_used_up_the_guest_is_told() {
    let config = "[retry]\nstep_waits = 2\nstep_initial_seconds = 0.01\nstep_max_seconds = 0.02\n";
    let host = HostOptions { config: config.to_owned(), ..Default::default() };
    let site = Site::with(SiteOptions { host, ..Default::default() }).await;
    site.deploy(&list().sections("[retry]\nattempts = 2\ninitial_seconds = 0.01\n")).await.ok();
    site.account.fault("GET", PATIENTS, None, json!({"Kind": "status", "Status": 503})).await;
    site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["dead"]).await.remove(0);
    assert_eq!(
        (&run["cause"], &run["attempts"], &run["wakeups"]),
        (&json!("retries"), &json!(2), &json!(4)),
        "{run:#}"
    );
    let failure = run["failure"].as_str().unwrap();
    assert!(failure.contains("Caspio failed with status 503; try again later"), "{failure}");
    assert_eq!(run["steps"][0]["outcome"], "unavailable");
    still_serves(&site).await;
}

#[tokio::test]
async fn a_revoked_token_is_renewed_also_for_an_effect() {
    let site = Site::start().await;
    site.deploy(&create(2)).await.ok();
    site.account.revoke_tokens().await;
    site.account.fault_after("POST", TASKS, 1, Some(1), json!({"Kind": "unauthorized"})).await;
    let id = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!((&run["attempts"], &run["wakeups"]), (&json!(1), &json!(0)));
    assert_eq!(titles(&site).await, [format!("{id}-0"), format!("{id}-1")]);
}

#[tokio::test]
async fn when_tokens_can_not_be_had_nothing_was_sent_and_the_run_waits() {
    let site = Site::start().await;
    site.deploy(&create(1)).await.ok();
    site.account.revoke_tokens().await;
    site.account.fault("POST", "/oauth/token", Some(8), json!({"Kind": "status", "Status": 503})).await;
    let id = site.account.add_patient("Ada").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(titles(&site).await, [format!("{id}-0")]);
    assert!(run["wakeups"].as_u64() > Some(0), "{run:#}");
}

/// Caspio's process ends while a run waits, and comes back under the same address.
#[tokio::test]
async fn while_caspio_is_dead_runs_wait_and_then_go_on() {
    let site = Site::start().await;
    site.deploy(&on_tasks("create")).await.ok();
    site.account.fault("POST", TASKS, None, json!({"Kind": "throttle"})).await;
    let id = site.account.add_patient("Ada").await;
    let waits = async |host: &caspian_e2e::Host, cause: &str| {
        until(&format!("the run waits: {cause}"), async || {
            let runs = host.cli(&["run", "list", "--json"]).await.json();
            (runs[0]["state"] == "queued" && runs[0]["cause"] == cause).then_some(())
        })
        .await;
    };
    waits(&site.host, "throttled").await;
    let address: SocketAddr = site.account.url().trim_start_matches("http://").parse().unwrap();
    let host = site.host;
    site.account.shutdown().await;
    waits(&host, "unavailable").await;
    let settings = caspio_emulator::Settings { rate_limit: None, ..Default::default() };
    let options = EmulatorOptions { listen: address, settings: Some(settings), ..Default::default() };
    let back = Emulator::start(options).await.unwrap();
    until("the run succeeds", async || {
        let runs = host.cli(&["run", "list", "--json"]).await.json();
        (runs[0]["state"] == "succeeded" && runs[0]["attempts"] == 1).then_some(())
    })
    .await;
    let rows: Value =
        reqwest::get(format!("{}/emulator/rows/Tasks", back.base_url())).await.unwrap().json().await.unwrap();
    let title = id.to_string();
    assert_eq!(rows.as_array().unwrap().iter().filter(|row| row["Title"] == title).count(), 1);
}

#[tokio::test]
async fn a_throttled_account_does_not_use_up_attempts_of_many_runs() {
    let site = Site::start().await;
    site.deploy(&create(1)).await.ok();
    site.account.settings(json!({"RateLimit": {"Calls": 5, "WindowMillis": 300, "Form": "Status429"}})).await;
    for n in 0..20 {
        site.account.add_patient(&format!("Many {n}")).await;
    }
    let runs = site.until_runs(20, &["succeeded"]).await;
    assert!(runs.iter().all(|run| run["attempts"] == 1));
    let mut made = titles(&site).await;
    made.dedup();
    assert_eq!(made.len(), 20);
}
