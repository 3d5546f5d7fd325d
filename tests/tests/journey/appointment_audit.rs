//! The plugin appointment-audit: one audit row for each new status, and no open tasks of what is cancelled.

use caspian_e2e::{Site, repository, until};
use serde_json::{Value, json};

/// Where the emulator has the records of a table.
const TASKS: &str = "/integrations/rest/v3/tables/Tasks/records";
const AUDIT: &str = "/integrations/rest/v3/tables/AuditTrail/records";

/// A site with the plugin as it is in the repository.
async fn site() -> Site {
    let site = Site::start().await;
    let manifest = repository().join("plugins/appointment-audit/workflow.toml");
    site.host.cli(&["deploy", &manifest.display().to_string(), "--activate"]).await.ok();
    site
}

/// Someone at the desk gives an appointment this status.
async fn set_status(site: &Site, appointment: i64, status: &str) {
    let criteria = format!("PK_ID={appointment}");
    site.account.update("Appointments", &criteria, json!({ "Status": status })).await;
}

/// Tasks of appointments 1 and 2, open ones and others. Answers titles of those that outlive a cancelled appointment 1.
async fn add_tasks(site: &Site) -> Vec<&'static str> {
    let task = |title, appointment: Option<i64>, status| json!({"Title": title, "AppointmentId": appointment, "Status": status});
    let tasks = json!([
        task("Call before", Some(1), "Open"),
        task("Prepare room", Some(1), "open"),
        task("Send form", Some(1), "Done"),
        task("Other visit", Some(2), "Open"),
        task("No visit", None, "Open"),
    ]);
    site.account.insert("Tasks", tasks).await;
    vec!["Call about results", "Send form", "Other visit", "No visit"]
}

async fn titles(site: &Site) -> Vec<String> {
    let tasks = site.account.rows("Tasks").await;
    tasks.iter().map(|task| task["Title"].as_str().unwrap().to_owned()).collect()
}

/// The audit trail as (appointment, details), sorted.
async fn trail(site: &Site) -> Vec<(i64, String)> {
    let rows = site.account.rows("AuditTrail").await;
    let of = |row: &Value| (row["RecordId"].as_i64().unwrap(), row["Details"].as_str().unwrap().to_owned());
    let mut trail: Vec<_> = rows.iter().map(of).collect();
    trail.sort();
    trail
}

fn said(appointment: i64, details: &str) -> (i64, String) {
    (appointment, details.to_owned())
}

fn actions(run: &Value) -> Vec<&str> {
    run["steps"].as_array().unwrap().iter().map(|step| step["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_new_status_gets_one_audit_row() {
    let site = site().await;
    let kept = site.account.rows("Tasks").await;
    set_status(&site, 2, "Arrived").await;
    let runs = site.until_runs(1, &["succeeded"]).await;
    assert_eq!(actions(&runs[0]), ["records.create"]);
    let rows = site.account.rows("AuditTrail").await;
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0]["Kind"], "appointment-status");
    assert_eq!(rows[0]["RecordId"], 2);
    assert_eq!(rows[0]["Details"], "Status: Arrived");
    assert!(rows[0]["At"].as_str().is_some_and(|at| at.starts_with("20")), "{rows:#?}");
    assert_eq!(site.account.rows("Tasks").await, kept);
}

#[tokio::test]
async fn another_field_starts_no_run() {
    let site = site().await;
    site.account.update("Appointments", "PK_ID=1", json!({"Notes": "Brings a friend"})).await;
    assert_eq!(site.account.messages().await.len(), 0, "Caspio has nothing to tell");
    set_status(&site, 2, "Arrived").await;
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(trail(&site).await, [said(2, "Status: Arrived")]);
}

#[tokio::test]
async fn a_cancelled_appointment_loses_its_open_tasks_and_no_others() {
    let site = site().await;
    let kept = add_tasks(&site).await;
    set_status(&site, 1, "CANCELED").await;
    let runs = site.until_runs(1, &["succeeded"]).await;
    assert_eq!(actions(&runs[0]), ["records.delete", "records.create"]);
    assert_eq!(titles(&site).await, kept);
    assert_eq!(trail(&site).await, [said(1, "Status: CANCELED; open tasks deleted: 2")]);
}

#[tokio::test]
async fn a_cancelled_appointment_without_tasks_is_audited_too() {
    let site = site().await;
    set_status(&site, 1, "Cancelled").await;
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(site.account.calls("DELETE", TASKS).await, 0);
    assert_eq!(trail(&site).await, [said(1, "Status: Cancelled; open tasks deleted: 0")]);
}

#[tokio::test]
async fn every_change_of_every_appointment_gets_its_own_row() {
    let site = site().await;
    // Two appointments of two patients in one change, then one of them twice more.
    site.account.update("Appointments", "PK_ID<3", json!({"Status": "Confirmed"})).await;
    set_status(&site, 1, "Arrived").await;
    set_status(&site, 1, "Seen").await;
    site.until_runs(4, &["succeeded"]).await;
    let expected = [
        said(1, "Status: Arrived"),
        said(1, "Status: Confirmed"),
        said(1, "Status: Seen"),
        said(2, "Status: Confirmed"),
    ];
    assert_eq!(trail(&site).await, expected);
}

#[tokio::test]
async fn a_message_that_comes_twice_gives_no_second_row() {
    let site = site().await;
    add_tasks(&site).await;
    set_status(&site, 1, "Cancelled").await;
    site.until_runs(1, &["succeeded"]).await;
    // Caspio may send a message more often by itself.
    let delivered = async |least: u64| {
        until("the message is delivered", async || {
            let message = site.account.messages().await.remove(0);
            let attempts = message["Attempts"].as_u64().unwrap_or(0);
            (message["State"] == "delivered" && attempts >= least).then_some((message, attempts))
        })
        .await
    };
    let (message, attempts) = delivered(1).await;
    // A second run would find this one.
    site.account.insert("Tasks", json!({"Title": "New", "AppointmentId": 1, "Status": "Open"})).await;
    site.account.redeliver(message["MessageId"].as_str().unwrap()).await;
    delivered(attempts + 1).await;
    set_status(&site, 2, "Arrived").await;
    site.until_runs(2, &["succeeded"]).await;
    let expected = [said(1, "Status: Cancelled; open tasks deleted: 2"), said(2, "Status: Arrived")];
    assert_eq!(trail(&site).await, expected);
    assert!(titles(&site).await.contains(&"New".to_owned()));
}

#[tokio::test]
async fn a_try_after_the_tasks_went_deletes_no_more_and_says_the_same_number() {
    let site = site().await;
    let kept = add_tasks(&site).await;
    site.account.fault("POST", AUDIT, None, json!({"Kind": "throttle"})).await;
    set_status(&site, 1, "Cancelled").await;
    until("the row was refused twice", async || (site.account.calls("POST", AUDIT).await >= 2).then_some(()))
        .await;
    assert_eq!(titles(&site).await, kept);
    site.account.insert("Tasks", json!({"Title": "New", "AppointmentId": 1, "Status": "Open"})).await;
    site.account.clear_faults().await;
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(trail(&site).await, [said(1, "Status: Cancelled; open tasks deleted: 2")]);
    assert_eq!(site.account.calls("DELETE", TASKS).await, 1);
    assert!(titles(&site).await.contains(&"New".to_owned()));
}

#[tokio::test]
async fn a_host_that_dies_while_tasks_go_says_the_right_number_afterwards() {
    let mut site = site().await;
    let kept = add_tasks(&site).await;
    // The first effect is the delete: done in Caspio, not yet in the journal.
    site.restart_with("effect.after-send=return(kill)").await;
    set_status(&site, 1, "Cancelled").await;
    site.host.until_dead().await;
    assert_eq!(titles(&site).await, kept);
    assert_eq!(trail(&site).await, []);
    site.restart_with("").await;
    site.until_runs(1, &["succeeded"]).await;
    assert_eq!(titles(&site).await, kept);
    assert_eq!(trail(&site).await, [said(1, "Status: Cancelled; open tasks deleted: 2")]);
}
