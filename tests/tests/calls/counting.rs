//! What the plugins spend, call by call: the table in docs/operations.md.

use std::collections::BTreeMap;

use caspian_e2e::{Site, repository, until};
use serde_json::{Value, json};

use crate::{calls, usage};

/// A site with a plugin as it is in the repository.
async fn site(plugin: &str) -> Site {
    let site = Site::start().await;
    let manifest = repository().join("plugins").join(plugin).join("workflow.toml");
    site.host.cli(&["deploy", &manifest.display().to_string(), "--activate"]).await.ok();
    site
}

/// Calls by action since `before`, those of nothing left out.
async fn spent(site: &Site, before: &Value) -> BTreeMap<String, u64> {
    let now = usage(site, "action").await;
    let lines = now["lines"].as_array().unwrap();
    lines
        .iter()
        .filter_map(|line| {
            let name = line["name"].as_str().unwrap();
            let calls = line["calls"].as_u64().unwrap() - calls(before, name);
            (calls > 0).then(|| (name.to_owned(), calls))
        })
        .collect()
}

/// All requests that the account has seen, of programs.
async fn seen(site: &Site) -> u64 {
    site.account.calls("*", "/integrations").await + site.account.calls("*", "/oauth").await
}

fn these(list: &[(&str, u64)]) -> BTreeMap<String, u64> {
    list.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect()
}

#[tokio::test]
async fn onboarding_spends_three_calls_a_patient() {
    let site = site("patient-onboarding").await;
    let before = usage(&site, "action").await;
    site.account.add_patient("Ada").await;
    site.until_runs(1, &["succeeded"]).await;
    // The first event also asks for the fields of the two tables, which are then known for an hour.
    let first = these(&[("records.create", 2), ("records.upsert", 3)]);
    assert_eq!(spent(&site, &before).await, first);

    let before = usage(&site, "action").await;
    let account = seen(&site).await;
    site.account.add_patient("Grace").await;
    let runs = site.until_runs(2, &["succeeded"]).await;
    // create: POST. upsert: GET (is there one?), then PUT or POST.
    assert_eq!(spent(&site, &before).await, these(&[("records.create", 1), ("records.upsert", 2)]));
    assert_eq!(seen(&site).await - account, 3, "nothing else was sent");
    let steps = runs[1]["steps"].as_array().unwrap();
    assert_eq!(steps.iter().map(|step| step["calls"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn the_audit_spends_one_call_a_change_and_three_when_it_is_cancelled() {
    let site = site("appointment-audit").await;
    let status = async |status: &str, runs: usize| {
        site.account.update("Appointments", "PK_ID=1", json!({ "Status": status })).await;
        site.until_runs(runs, &["succeeded"]).await;
    };
    status("Cancelled", 1).await;
    let before = usage(&site, "action").await;
    status("Arrived", 2).await;
    assert_eq!(spent(&site, &before).await, these(&[("records.create", 1)]));

    let task = json!({"Title": "Call before", "AppointmentId": 1, "Status": "Open"});
    site.account.insert("Tasks", task).await;
    let (before, account) = (usage(&site, "action").await, seen(&site).await);
    status("Cancelled", 3).await;
    // delete: GET (which ones?), DELETE by PK_ID. create: POST.
    assert_eq!(spent(&site, &before).await, these(&[("records.create", 1), ("records.delete", 2)]));
    assert_eq!(seen(&site).await - account, 3);

    // Nothing to delete: nothing is sent.
    let before = usage(&site, "action").await;
    status("Arrived", 4).await;
    status("Canceled", 5).await;
    assert_eq!(spent(&site, &before).await, these(&[("records.create", 2), ("records.delete", 1)]));
}

#[tokio::test]
async fn usage_adds_up_what_the_account_has_seen_and_what_it_delivered() {
    let site = site("patient-onboarding").await;
    for name in ["Ada", "Grace", "Edsger"] {
        site.account.add_patient(name).await;
    }
    site.until_runs(3, &["succeeded"]).await;
    let (account, by_workflow) = (seen(&site).await, usage(&site, "workflow").await);
    assert_eq!(
        (&by_workflow["calls"], &by_workflow["deliveries"]),
        (&json!(account), &json!(3)),
        "{by_workflow:#}"
    );
    let host = calls(&by_workflow, "(host)");
    assert!(host > 0, "connecting and deploying are calls too: {by_workflow:#}");
    for by in ["action", "connection"] {
        let usage = usage(&site, by).await;
        assert_eq!((&usage["calls"], &usage["deliveries"]), (&json!(account), &json!(3)), "{usage:#}");
    }
    // Nothing of it is lost with the process.
    let mut site = site;
    site.host.terminate().await;
    site.restart_with("").await;
    until("the counters are there", async || {
        (usage(&site, "action").await["calls"] == account).then_some(())
    })
    .await;

    let shown = site.host.cli(&["usage", "--days", "7"]).await.ok().stdout;
    assert!(shown.contains(&format!("{account} calls sent, 3 webhooks delivered")), "{shown}");
    assert!(shown.contains("patient-onboarding"), "{shown}");
    let days = site.host.cli(&["usage", "--days", "1", "--json"]).await.json();
    assert_eq!(days["from"], days["to"]);
    site.host.cli(&["usage", "--days", "0"]).await.refused("the number of days is not usable");
}
