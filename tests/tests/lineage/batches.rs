//! Writes to many records, and messages about many rows.

use caspian_e2e::{ManifestBuilder, Site, SiteOptions};
use caspio_emulator::BatchMode;
use serde_json::{Value, json};

use crate::{assert_cut, on_tasks};

/// Three open tasks besides the seed's.
async fn add_tasks(site: &Site) {
    let task = |title: &str| json!({"Title": title, "Status": "Waiting"});
    site.account.insert("Tasks", json!([task("a"), task("b"), task("c")])).await;
}

/// The probe in a mode that works on tasks with the status Waiting.
fn on_waiting(mode: &str, triggers: &str) -> ManifestBuilder {
    ManifestBuilder::probe("sweeper", mode)
        .triggers(triggers)
        .grant("Tasks", "read update delete")
        .setting("table", "Tasks")
        .setting("field", "Status")
        .setting("value", "Waiting")
        .setting("to", "Swept")
}

#[tokio::test]
async fn each_record_that_an_update_changed_is_known() {
    let site = Site::start().await;
    add_tasks(&site).await;
    site.deploy(&on_waiting("update", &on_tasks("update", ""))).await.ok();
    site.account.update("Tasks", "PK_ID=1", json!({"Notes": "go"})).await;
    let runs = site.until_runs(4, &["succeeded", "skipped"]).await;
    assert_eq!(runs[0]["result"], "updated 3");
    runs[1..].iter().for_each(assert_cut);
}

#[tokio::test]
async fn each_record_that_a_deletion_took_is_known() {
    let site = Site::start().await;
    add_tasks(&site).await;
    site.deploy(&on_waiting("delete", &on_tasks("delete", ""))).await.ok();
    site.account.delete("Tasks", "PK_ID=1").await;
    let runs = site.until_runs(4, &["succeeded", "skipped"]).await;
    assert_eq!(runs[0]["result"], "deleted 3");
    runs[1..].iter().for_each(assert_cut);
    assert_eq!(site.account.rows("Tasks").await.len(), 0);
}

/// An account that tells of all rows of an operation in one message.
async fn batching() -> Site {
    let site = Site::with(SiteOptions {
        account: Some(|settings| settings.batch_mode = BatchMode::MessagePerOperation),
        ..SiteOptions::default()
    })
    .await;
    add_tasks(&site).await;
    site
}

#[tokio::test]
async fn a_message_of_own_rows_only_is_one_cut() {
    let site = batching().await;
    site.deploy(&on_waiting("update", &on_tasks("update", "batch = true"))).await.ok();
    site.account.update("Tasks", "PK_ID=1", json!({"Notes": "go"})).await;
    let runs = site.until_runs(2, &["succeeded", "skipped"]).await;
    assert_eq!(runs[0]["result"], "updated 3");
    assert_cut(&runs[1]);
}

#[tokio::test]
async fn a_message_with_a_persons_row_in_it_runs_but_one_deeper() {
    let site = batching().await;
    site.deploy(&on_waiting("update", &on_tasks("update", "batch = true"))).await.ok();
    // From here on messages come by hand only.
    let hook = site.delivery().await;
    let path = format!("outgoingWebhooks/{}/events/{}", hook.webhook_id, hook.event_id);
    assert!((200..300).contains(&site.account.rest("DELETE", &path, json!(null)).await.0));
    let send = async |id: &str, rows: Value| {
        let mut message = hook.message(id, rows);
        message["eventType"] = json!("table.recordUpdate");
        message["objectName"] = json!("Tasks");
        message["eventDate"] = json!("");
        assert_eq!(hook.send_signed(&message).await, 200);
    };
    let own = async || site.account.rows("Tasks").await.into_iter().skip(1).collect::<Vec<_>>();
    let person = json!({"PK_ID": 1, "Title": "a person's", "Status": "Open"});

    send("start", json!([person])).await;
    site.until_runs(1, &["succeeded"]).await;
    let mut rows = own().await;
    assert!(rows.iter().all(|row| row["Status"] == "Swept"), "{rows:#?}");
    rows.push(person.clone());
    send("mixed", json!(rows)).await;
    let runs = site.until_runs(2, &["succeeded"]).await;
    assert_eq!(
        (&runs[1]["depth"], &runs[1]["caused_by"]["run"]),
        (&json!(1), &runs[0]["id"]),
        "{:#}",
        runs[1]
    );
    // Each of the writes was accounted for by it.
    send("again", json!(own().await)).await;
    let runs = site.until_runs(3, &["succeeded"]).await;
    assert_eq!(runs[2]["depth"], 0, "{:#}", runs[2]);
}
