//! The same read again within a run.

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::{Value, json};

const APPOINTMENTS: &str = "/integrations/rest/v3/tables/Appointments/records";

/// The probe that reads its appointment five times, started by new ones.
fn reader(sections: &str) -> ManifestBuilder {
    ManifestBuilder::probe("reader", "read-again")
        .triggers(
            "[[trigger]]\nevent = \"record-insert\"\ntable = \"Appointments\"\nsources = [\"Datasheet\"]\n",
        )
        .grant("Appointments", "read update")
        .setting("count", "5")
        .sections(sections)
}

/// One more appointment; answers its run. The first one teaches the host the table's fields.
async fn read(site: &Site, runs: usize) -> Value {
    site.account.insert("Appointments", json!({"PatientId": 1, "Notes": "as it was"})).await;
    site.until_runs(runs, &["succeeded"]).await.pop().unwrap()
}

fn spent(run: &Value) -> Vec<u64> {
    run["steps"].as_array().unwrap().iter().map(|step| step["calls"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn five_reads_of_a_row_spend_one_call_when_asked_to() {
    let site = Site::start().await;
    site.deploy(&reader("[run]\ncache_reads = true\n")).await.ok();
    read(&site, 1).await;
    let before = site.account.calls("GET", APPOINTMENTS).await;
    let run = read(&site, 2).await;
    assert_eq!(spent(&run), [1, 0, 0, 0, 0]);
    assert_eq!(site.account.calls("GET", APPOINTMENTS).await - before, 1);
    assert_eq!(run["result"], ["as it was"; 5].join(","));
}

#[tokio::test]
async fn without_being_asked_to_every_read_is_a_call() {
    let site = Site::start().await;
    site.deploy(&reader("")).await.ok();
    read(&site, 1).await;
    assert_eq!(spent(&read(&site, 2).await), [1; 5]);
}

#[tokio::test]
async fn after_a_write_of_its_own_a_run_reads_anew() {
    let site = Site::start().await;
    site.deploy(&reader("[run]\ncache_reads = true\n").setting("field", "Notes")).await.ok();
    read(&site, 1).await;
    let run = read(&site, 2).await;
    // Read, read, written, read, read, read.
    assert_eq!(spent(&run), [1, 0, 1, 1, 0, 0]);
    assert_eq!(run["result"], "as it was,as it was,written,written,written");
}

#[tokio::test]
async fn reads_are_journalled_all_the_same() {
    let mut site = Site::start().await;
    site.deploy(&reader("[run]\ncache_reads = true\n").setting("field", "Notes")).await.ok();
    site.restart_with("journal.after-result=return(kill)").await;
    site.account.insert("Appointments", json!({"PatientId": 1, "Notes": "as it was"})).await;
    site.host.until_dead().await;
    // A person writes meanwhile; what the run read before its write it reads so again.
    site.account.update("Appointments", "PK_ID=3", json!({"Notes": "by a person"})).await;
    site.restart_with("").await;
    let run = site.until_runs(1, &["succeeded"]).await.remove(0);
    assert_eq!(run["result"], "as it was,as it was,by a person,by a person,by a person");
}
