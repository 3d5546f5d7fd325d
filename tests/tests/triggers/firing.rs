//! What starts a run: kind, table, fields and source of a change.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::json;

use crate::{probe, trigger};

#[tokio::test]
async fn an_update_starts_a_run_when_one_of_its_fields_changes() {
    let site = Site::start().await;
    site.deploy(&probe(&[trigger("update", "Patients", "fields = [\"Phone\", \"Email\"]")])).await.ok();
    site.account.update("Patients", "PK_ID=1", json!({"LastName": "Changed"})).await;
    site.account.add_patient("Inserted").await;
    assert_eq!(site.account.messages().await.len(), 0);
    site.account.update("Patients", "PK_ID=2", json!({"Phone": "+1"})).await;
    let runs = site.until_runs(1, &["succeeded"]).await;
    assert_eq!((&runs[0]["event"], &runs[0]["pk_id"]), (&json!("record-update"), &json!(2)));
}

#[tokio::test]
async fn an_update_without_fields_starts_a_run_at_any_change() {
    let site = Site::start().await;
    site.deploy(&probe(&[trigger("update", "Patients", "")])).await.ok();
    site.account.update("Patients", "PK_ID=1", json!({"LastName": "Changed"})).await;
    site.until_runs(1, &["succeeded"]).await;
}

#[tokio::test]
async fn a_deletion_starts_a_run_with_the_row_as_it_was() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("probe", "values").triggers(&trigger("delete", "Patients", ""));
    site.deploy(&manifest).await.ok();
    site.account.delete("Patients", "PK_ID=2").await;
    let runs = site.until_runs(1, &["succeeded"]).await;
    assert_eq!(runs[0]["event"], "record-delete");
    assert!(runs[0]["result"].as_str().unwrap().contains("LastName text O'Hara"), "{}", runs[0]);
}

#[tokio::test]
async fn only_changes_from_the_sources_named_start_runs() {
    let site = Site::start().await;
    site.deploy(&probe(&[trigger("insert", "Patients", "sources = [\"DataPages\", \"RESTAPIs\"]")]))
        .await
        .ok();
    site.account.add_patient("In A Datasheet").await;
    assert_eq!(site.account.messages().await.len(), 0);
    site.account.insert("Patients?source=DataPages", json!({"FirstName": "By", "LastName": "Form"})).await;
    site.until_runs(1, &["succeeded"]).await;
    let row = json!({"FirstName": "By", "LastName": "Program"});
    assert_eq!(site.account.rest("POST", "tables/Patients/records", row).await.0, 201);
    site.until_runs(2, &["succeeded"]).await;
}

#[tokio::test]
async fn a_workflow_that_writes_its_own_table_is_not_started_by_itself() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("probe", "create")
        .triggers(&trigger("insert", "Tasks", "sources = [\"Datasheet\"]"))
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title");
    site.deploy(&manifest).await.ok();
    site.account.insert("Tasks", json!({"Title": "first"})).await;
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(site.account.rows("Tasks").await.len(), 3, "the seed's, the person's, the workflow's");
    assert_eq!(site.account.messages().await.len(), 1);
}

#[tokio::test]
async fn two_workflows_on_the_same_table_each_get_their_run() {
    let site = Site::start().await;
    for name in ["one", "two"] {
        site.deploy(&ManifestBuilder::probe(name, "echo")).await.ok();
    }
    assert_eq!(site.account.webhooks().await.len(), 2);
    site.account.add_patient("Shared").await;
    let runs = site.until_runs(2, &["succeeded"]).await;
    let mut names: Vec<&str> = runs.iter().map(|run| run["workflow"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["one", "two"]);
    // One of them goes; the other one stays.
    site.host.cli(&["workflow", "deactivate", "one"]).await.ok();
    site.account.add_patient("Alone").await;
    let runs = site.until_runs(3, &["succeeded"]).await;
    assert_eq!(runs[2]["workflow"], "two");
}

#[tokio::test]
async fn table_names_are_taken_in_any_case() {
    let site = Site::start().await;
    site.deploy(&probe(&[trigger("insert", "patients", "")])).await.ok();
    crate::one_patient_one_run(&site).await;
}
