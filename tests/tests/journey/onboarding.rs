//! The main way: a webhook becomes an action.

use caspian_e2e::{Site, repository, until};
use serde_json::json;

/// The plugin as it is in the repository.
async fn deploy_onboarding(site: &Site) {
    let manifest = repository().join("plugins/patient-onboarding/workflow.toml");
    let answer = site.host.cli(&["deploy", &manifest.display().to_string(), "--activate"]).await.ok();
    assert!(answer.stdout.contains("patient-onboarding version 1 deployed, active"), "{}", answer.stdout);
}

#[tokio::test]
async fn a_new_patient_gets_a_task_and_a_contact() {
    let site = Site::start().await;
    deploy_onboarding(&site).await;
    let patient = site
        .account
        .insert(
            "Patients",
            json!({"FirstName": "Ada", "LastName": "O'Hara", "Email": "ada@example.com", "Phone": "1"}),
        )
        .await;
    let runs = site.until_runs(1, &["succeeded"]).await;
    let steps = runs[0]["steps"].as_array().unwrap();
    let actions: Vec<_> = steps.iter().map(|s| s["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["records.create", "records.upsert"]);
    assert!(steps.iter().all(|s| s["state"] == "done" && s["outcome"] == "ok"));

    let tasks = site.account.rows("Tasks").await;
    let task = tasks.iter().find(|t| t["PatientId"] == patient[0]["PK_ID"]).expect("a task");
    assert_eq!(task["Title"], "Welcome call");
    let contacts = site.account.rows("Contacts").await;
    let contact = contacts.iter().find(|c| c["Email"] == "ada@example.com").expect("a contact");
    assert_eq!(contact["FullName"], "Ada O'Hara");
}

#[tokio::test]
async fn deactivating_removes_everything_from_caspio() {
    let site = Site::start().await;
    deploy_onboarding(&site).await;
    assert_eq!(site.account.webhooks().await.len(), 1);
    site.host.cli(&["workflow", "deactivate", "patient-onboarding"]).await.ok();
    assert_eq!(site.account.webhooks().await.len(), 0);
    site.account.add_patient("Late").await;
    let shown = site.host.cli(&["workflow", "show", "patient-onboarding", "--json"]).await.json();
    assert_eq!(shown["state"], "inactive");
    assert_eq!(shown["webhook"], serde_json::Value::Null);
    site.host.cli(&["workflow", "activate", "patient-onboarding"]).await.ok();
    site.account.add_patient("Later").await;
    let runs = until("the run of the second activation", async || {
        let runs = site.runs().await;
        runs.iter().all(|r| r["state"] == "succeeded").then_some(runs).filter(|r| !r.is_empty())
    })
    .await;
    assert_eq!(runs.len(), 1);
}
