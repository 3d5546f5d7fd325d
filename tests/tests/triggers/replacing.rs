//! A webhook takes the place of another one: both fire for a while, what both tell of is one event.

use caspian_e2e::{Delivery, Site, until};
use serde_json::{Value, json};

use crate::{audited, configured, create, one_task_each, state, the_webhook, until_active, with_patients};

/// The old webhook goes on firing for longer than any test takes.
const LONG: &str = "[triggers]\nretire_seconds = 3600\n";

async fn renew(site: &Site) {
    let answer = site.host.cli(&["trigger", "repair", "probe", "--new-secret"]).await.ok();
    assert!(answer.stdout.contains("mended"), "{}", answer.stdout);
}

async fn until_webhooks(site: &Site, count: usize) -> Vec<Value> {
    until(&format!("there are {count} webhooks"), async || {
        let webhooks = site.account.webhooks().await;
        (webhooks.len() == count).then_some(webhooks)
    })
    .await
}

#[tokio::test]
async fn no_event_is_lost_or_doubled_while_webhooks_take_each_others_place() {
    let site = configured(LONG).await;
    site.deploy(&create()).await.ok();
    let first = the_webhook(&site).await;
    let mut patients = with_patients(&site.account, async {
        renew(&site).await;
        renew(&site).await;
    })
    .await;
    let webhooks = until_webhooks(&site, 3).await;
    for (index, hook) in webhooks.iter().enumerate() {
        assert_eq!(hook["Events"][0]["Status"], "Active", "{hook}");
        let same = |member: &str| webhooks.iter().filter(|other| other[member] == hook[member]).count();
        assert_eq!((same("Secret"), same("OutgoingUrls"), same("Name")), (1, 1, 1), "{index}");
    }
    // All three tell of these.
    for name in ["One", "Two", "Three"] {
        patients.push(site.account.add_patient(name).await);
    }
    one_task_each(&site, &patients).await;
    until("what they told of together was recognised", async || {
        let runs = site.workflow("probe").await["runs"].clone();
        (runs["skipped"].as_u64() >= Some(6)).then_some(())
    })
    .await;
    assert_eq!(audited(&site, "trigger.new-secret"), ["admin probe", "admin probe"]);
    let listed = site.host.cli(&["trigger", "list", "--json"]).await.json();
    let stages: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["stage"].clone()).collect();
    assert_eq!(stages, ["retiring", "retiring", "ready"]);
    let shown = site.workflow("probe").await;
    assert_ne!(shown["webhook"]["caspio_id"], first["Id"]);
    assert_eq!((&shown["state"], &shown["webhook"]["rejected"]), (&json!("active"), &json!(0)));
    // All of them are removed together.
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    assert_eq!(site.account.webhooks().await.len(), 0);
}

#[tokio::test]
async fn the_old_webhook_is_removed_when_its_time_has_come_and_its_late_messages_count_once() {
    let site = configured("[triggers]\nretire_seconds = 1\n").await;
    site.deploy(&create()).await.ok();
    let old = site.delivery().await;
    renew(&site).await;
    until("the old one is gone", async || {
        let webhooks = site.account.webhooks().await;
        (webhooks.len() == 1 && webhooks[0]["Id"] != old.webhook_id.as_str()).then_some(())
    })
    .await;
    let new = site.delivery().await;
    let told = async |by: &Delivery, id: &str, patient: i64| {
        let message = by.message(id, json!([{"PK_ID": patient, "FirstName": "Ada", "LastName": "Test"}]));
        assert_eq!(by.send_signed(&message).await, 200);
    };
    // Only the old one told of the first change, both of the second and third, in either order.
    told(&old, "a", 101).await;
    told(&old, "b", 102).await;
    told(&new, "c", 102).await;
    told(&new, "d", 103).await;
    told(&old, "e", 103).await;
    // The same change twice within a second.
    told(&old, "f", 104).await;
    told(&old, "g", 104).await;
    told(&new, "h", 104).await;
    told(&new, "i", 104).await;
    // The same message once more.
    told(&old, "a", 101).await;
    site.until_runs(9, &["succeeded", "skipped"]).await;
    one_task_each(&site, &[101, 102, 103, 104, 104]).await;
    let runs = site.workflow("probe").await["runs"].clone();
    assert_eq!(runs, json!({"succeeded": 5, "skipped": 4}));
    // What comes after the workflow was deactivated starts nothing.
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    told(&old, "j", 105).await;
    let runs = site.until_runs(10, &["succeeded", "skipped"]).await;
    assert_eq!((&runs[9]["state"], &runs[9]["cause"]), (&json!("skipped"), &json!("inactive")));
    assert_eq!(site.account.webhooks().await.len(), 0);
}

#[tokio::test]
async fn when_caspio_signs_otherwise_than_before_a_new_webhook_is_made() {
    let site = configured(LONG).await;
    site.deploy(&create()).await.ok();
    let patient = site.account.add_patient("Ada").await;
    one_task_each(&site, &[patient]).await;
    let old = the_webhook(&site).await["Id"].clone();
    site.account.settings(json!({"Signature": {"Header": "X-Other-Signature"}})).await;
    site.account.add_patient("Refused").await;
    until("its message is refused", async || {
        (site.workflow("probe").await["webhook"]["rejected"].as_u64() > Some(0)).then_some(())
    })
    .await;
    let answer = site.host.cli(&["trigger", "check"]).await.refused("one webhook is not as it should be");
    assert!(answer.stdout.contains("its messages are refused"), "{}", answer.stdout);
    assert_eq!(the_webhook(&site).await["Id"], old);
    site.host.cli(&["trigger", "repair"]).await.ok();
    assert_eq!(audited(&site, "trigger.repair"), ["admin probe: refused"]);
    site.host.cli(&["trigger", "check"]).await.ok();
    let again = site.account.add_patient("Again").await;
    one_task_each(&site, &[patient, again]).await;
    assert_eq!(site.workflow("probe").await["webhook"]["rejected"], 0);
}

#[tokio::test]
async fn a_webhook_whose_secret_was_lost_is_replaced() {
    let mut site = configured("[triggers]\ncheck_seconds = 1\nretire_seconds = 1\n").await;
    site.deploy(&create()).await.ok();
    let old = the_webhook(&site).await["Id"].clone();
    site.host.kill().await;
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    assert_eq!(database.execute("UPDATE webhooks SET sealed_secret = x'0102'", []).unwrap(), 1);
    drop(database);
    site.host.start().await;
    until("the host has made a new one and removed the old one", async || {
        let webhooks = site.account.webhooks().await;
        (webhooks.len() == 1 && webhooks[0]["Id"] != old).then_some(())
    })
    .await;
    until_active(&site).await;
    let lines = audited(&site, "trigger.repair");
    assert_eq!(lines, ["host probe: secret-lost"]);
    let patient = site.account.add_patient("After").await;
    one_task_each(&site, &[patient]).await;
}

/// The host dies while it replaces the webhook; afterwards it goes on, and each patient has one task.
async fn killed(failpoint: &str) {
    let mut site = configured(LONG).await;
    site.deploy(&create()).await.ok();
    let old = the_webhook(&site).await["Id"].clone();
    site.restart_with(failpoint).await;
    let mut patients = vec![site.account.add_patient("Before").await];
    // A task that is being made at the kill would be undecided.
    one_task_each(&site, &patients).await;
    assert_ne!(site.host.cli(&["trigger", "repair", "probe", "--new-secret"]).await.code, 0);
    site.host.until_dead().await;
    patients.push(site.account.add_patient("While Dead").await);
    site.restart_with("").await;
    until_active(&site).await;
    patients.push(site.account.add_patient("After").await);
    let webhooks = until_webhooks(&site, 2).await;
    assert!(webhooks.iter().any(|hook| hook["Id"] == old));
    one_task_each(&site, &patients).await;
    site.host.cli(&["trigger", "check"]).await.ok();
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    assert_eq!(site.account.webhooks().await.len(), 0);
}

macro_rules! killed {
    ($($name:ident: $failpoint:literal),+ $(,)?) => {
        $(#[tokio::test] async fn $name() { killed($failpoint).await; })+
    };
}

killed! {
    killed_after_the_plan_of_the_new_one: "trigger.after-plan=return(kill)",
    killed_before_the_new_one: "trigger.before-webhook=return(kill)",
    killed_after_the_new_one: "trigger.after-webhook=return(kill)",
    killed_after_the_secret_of_the_new_one: "trigger.after-secret=return(kill)",
    killed_before_the_event_of_the_new_one: "trigger.before-event=return(kill)",
    killed_after_the_event_of_the_new_one: "trigger.after-event=return(kill)",
}

#[tokio::test]
async fn killed_while_the_old_one_is_removed_it_is_removed_after_the_restart() {
    for failpoint in ["trigger.before-retire=return(kill)", "trigger.after-retire=return(kill)"] {
        let mut site = configured("[triggers]\nretire_seconds = 1\n").await;
        site.deploy(&create()).await.ok();
        let old = the_webhook(&site).await["Id"].clone();
        site.restart_with(failpoint).await;
        renew(&site).await;
        site.host.until_dead().await;
        site.restart_with("").await;
        let left = until_webhooks(&site, 1).await;
        assert_ne!(left[0]["Id"], old);
        let patient = site.account.add_patient("After").await;
        one_task_each(&site, &[patient]).await;
        assert_eq!(state(&site).await, "active");
    }
}

#[tokio::test]
async fn when_caspio_makes_no_new_webhook_the_old_one_goes_on() {
    let site = configured(LONG).await;
    site.deploy(&create()).await.ok();
    site.account.fault("POST", crate::WEBHOOKS, None, json!({"Kind": "status", "Status": 403})).await;
    site.host.cli(&["trigger", "repair", "probe", "--new-secret"]).await.refused("making the webhook");
    let mut patients = vec![site.account.add_patient("Old").await];
    one_task_each(&site, &patients).await;
    site.account.clear_faults().await;
    site.host.cli(&["trigger", "repair"]).await.ok();
    until_webhooks(&site, 2).await;
    patients.push(site.account.add_patient("Both").await);
    one_task_each(&site, &patients).await;
    assert_eq!(site.host.cli(&["trigger", "repair", "--new-secret"]).await.code, 2, "of one workflow only");
}

/// Its own write comes twice: one message is the loop, the other one its twin.
#[tokio::test]
async fn a_workflow_that_writes_its_own_table_makes_no_loop_while_two_webhooks_fire() {
    let site = configured(LONG).await;
    let own = crate::trigger("insert", "Tasks", "sources = [\"Datasheet\", \"RESTAPIs\"]");
    site.deploy(&create().triggers(&own)).await.ok();
    renew(&site).await;
    until_webhooks(&site, 2).await;
    site.account.insert("Tasks", json!({"Title": "By a person"})).await;
    // Two messages of the person's row, two of the workflow's.
    let runs = site.until_runs(4, &["succeeded", "skipped"]).await;
    let mut ends: Vec<_> = runs.iter().map(|run| run["cause"].as_str().unwrap_or("succeeded")).collect();
    ends.sort_unstable();
    assert_eq!(ends, ["duplicate", "duplicate", "loop", "succeeded"]);
    assert_eq!(site.account.rows("Tasks").await.len(), 3, "the seed's, the person's, the workflow's");
}

#[tokio::test]
async fn a_new_version_with_other_triggers_ends_what_the_old_webhook_tells() {
    let site = configured(LONG).await;
    site.deploy(&create()).await.ok();
    renew(&site).await;
    until_webhooks(&site, 2).await;
    let tasks = create().triggers(&crate::trigger("insert", "Appointments", ""));
    site.deploy(&tasks).await.ok();
    assert_eq!(crate::events(&site).await, ["recordInsert Appointments"]);
    site.account.add_patient("Not Wanted").await;
    assert_eq!(site.account.messages().await.len(), 0);
    site.account.insert("Appointments", json!({"PatientId": 1, "Status": "Booked"})).await;
    site.until_runs(1, &["succeeded"]).await;
}
