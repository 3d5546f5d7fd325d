//! Sweeps of a table.

use caspian_e2e::{ManifestBuilder, until};
use serde_json::json;

use super::*;

async fn import(site: &Site, name: &str) -> i64 {
    site.account.import("Patients", patient(name)).await[0]["PK_ID"].as_i64().unwrap()
}

#[tokio::test]
async fn what_no_webhook_told_of_is_found_once() {
    let site = deployed(&all()).await;
    assert!(events(&site).await.is_empty(), "rows that were there are no news");
    let before = site.account.rows("Patients").await;
    let (changed, gone) = (before[0]["PK_ID"].as_i64().unwrap(), before[1]["PK_ID"].as_i64().unwrap());
    let new = import(&site, "Ada").await;
    site.account.cascade("Patients", &format!("PK_ID={changed}"), Some(json!({"LastName": "Other"}))).await;
    site.account.cascade("Patients", &format!("PK_ID={gone}"), None).await;
    let shown = round(&site).await;
    let found =
        [format!("delete {gone} sweep"), format!("insert {new} sweep"), format!("update {changed} sweep")];
    assert_eq!(events(&site).await, once(&found));
    let counts = ["inserts", "updates", "deletes", "late"].map(|name| shown[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 0], "{shown:#}");
    for run in site.until_runs(3, &["succeeded"]).await {
        assert!(run["result"].as_str().unwrap().contains("\"reconciled\":true"), "{run:#}");
    }
    // Nothing of it is news in the next round.
    round(&site).await;
    assert_eq!(events(&site).await, once(&found));
}

#[tokio::test]
async fn what_webhooks_told_of_is_not_found_again() {
    let site = deployed(&all()).await;
    let ada = site.account.add_patient("Ada").await;
    let bob = site.account.add_patient("Bob").await;
    site.account.update("Patients", &format!("PK_ID={ada}"), json!({"LastName": "Byron"})).await;
    site.account.delete("Patients", &format!("PK_ID={bob}")).await;
    until_ended(&site, 4).await;
    let told = events(&site).await;
    assert!(told.keys().all(|said| said.ends_with("webhook")), "{told:?}");
    let shown = round(&site).await;
    assert_eq!(events(&site).await, told);
    assert_eq!(shown["rows"].as_u64().unwrap(), site.account.rows("Patients").await.len() as u64);
    // One change that was told, another after it that was not: this one is found.
    site.account.update("Patients", &format!("PK_ID={ada}"), json!({"LastName": "King"})).await;
    until_ended(&site, 5).await;
    site.account.cascade("Patients", &format!("PK_ID={ada}"), Some(json!({"LastName": "Lovelace"}))).await;
    round(&site).await;
    assert_eq!(events(&site).await.get(&format!("update {ada} sweep")), Some(&1));
}

#[tokio::test]
async fn a_row_that_came_and_went_between_rounds_is_told_to_be_gone() {
    let site = deployed(&all()).await;
    let ada = site.account.add_patient("Ada").await;
    until_ended(&site, 1).await;
    site.account.cascade("Patients", &format!("PK_ID={ada}"), None).await;
    round(&site).await;
    let said = [format!("insert {ada} webhook"), format!("delete {ada} sweep")];
    assert_eq!(events(&site).await, once(&said));
    round(&site).await;
    assert_eq!(events(&site).await, once(&said));
}

#[tokio::test]
async fn a_late_webhook_is_a_duplicate_and_another_change_is_not() {
    let site = deployed(&all()).await;
    let new = import(&site, "Ada").await;
    site.account.cascade("Patients", &format!("PK_ID={new}"), Some(json!({"LastName": "Byron"}))).await;
    round(&site).await;
    site.account.cascade("Patients", &format!("PK_ID={new}"), Some(json!({"LastName": "King"}))).await;
    round(&site).await;
    until_ended(&site, 2).await;
    let hook = site.delivery().await;
    let row = |last: &str| json!([{"PK_ID": new, "FirstName": "Ada", "LastName": last, "Email": "ada@import.example"}]);
    let message = |id: &str, kind: &str, last: &str| {
        let mut message = hook.message(id, row(last));
        message["eventType"] = json!(format!("table.record{kind}"));
        message["eventId"] = json!("");
        message
    };
    // The insert, as it was; the update that the sweep found; one that it can't have seen.
    for (id, kind, last) in
        [("m1", "Insert", "Import"), ("m2", "Update", "King"), ("m3", "Update", "Somebody")]
    {
        assert_eq!(hook.send_signed(&message(id, kind, last)).await, 200);
    }
    until_ended(&site, 5).await;
    let expected = [("skipped duplicate".to_owned(), 2), ("succeeded".to_owned(), 3)];
    assert_eq!(states(&site).await, expected.into_iter().collect());
    assert_eq!(sweep(&site).await["late"], 2);
    // Each thing that was found cancels one webhook only.
    assert_eq!(hook.send_signed(&message("m4", "Update", "King")).await, 200);
    until_ended(&site, 6).await;
    assert_eq!(states(&site).await.get("succeeded"), Some(&4));
}

/// Begins a round that finds something, and comes back when its page is read and the host waits.
async fn round_that_waits(site: &Site) {
    let path = "/integrations/rest/v3/tables/Patients/records";
    let before = site.account.calls("GET", path).await;
    site.host.cli(&["coverage", "probe", "--now"]).await.ok();
    until("the page is read", async || (site.account.calls("GET", path).await > before).then_some(())).await;
}

#[tokio::test]
async fn what_comes_while_a_sweep_waits_is_neither_gone_nor_older_than_what_was_read() {
    let site = deployed_at(site_that_waits(3).await, &all()).await;
    let old = site.account.rows("Patients").await[0]["PK_ID"].as_i64().unwrap();
    let new = import(&site, "Ada").await;
    site.account.cascade("Patients", &format!("PK_ID={old}"), Some(json!({"LastName": "Older"}))).await;
    round_that_waits(&site).await;
    let bob = site.account.add_patient("Bob").await;
    site.account.update("Patients", &format!("PK_ID={old}"), json!({"LastName": "Newer"})).await;
    until_round(&site, 2).await;
    let said =
        [format!("insert {bob} webhook"), format!("insert {new} sweep"), format!("update {old} webhook")];
    assert_eq!(events(&site).await, once(&said), "Bob is there, and of the old row the newer state is told");
    site.account.delete("Patients", &format!("PK_ID={bob}")).await;
    until_ended(&site, 4).await;
    round_that_waits(&site).await;
    until_round(&site, 3).await;
    assert_eq!(events(&site).await, once(&[&said[..], &[format!("delete {bob} webhook")]].concat()));
    assert_eq!(states(&site).await.get("succeeded"), Some(&4), "{:?}", states(&site).await);
}

#[tokio::test]
async fn a_change_that_is_made_again_later_is_news_again() {
    let site = deployed(&all()).await;
    let id = site.account.rows("Patients").await[0]["PK_ID"].as_i64().unwrap();
    let set = async |last: &str| {
        site.account.update("Patients", &format!("PK_ID={id}"), json!({"LastName": last})).await;
    };
    site.account.cascade("Patients", &format!("PK_ID={id}"), Some(json!({"LastName": "New"}))).await;
    round(&site).await;
    // Caspio's dates are whole seconds, and clocks may differ by some: the person comes clearly after the sweep.
    let found = std::time::Instant::now();
    until("seconds have passed", async || (found.elapsed().as_secs() > 3).then_some(())).await;
    set("Done").await;
    set("New").await;
    until_ended(&site, 3).await;
    assert_eq!(states(&site).await.get("succeeded"), Some(&3), "{:?}", states(&site).await);
}

#[tokio::test]
async fn a_change_back_to_what_was_swept_is_found() {
    let site = deployed(&all()).await;
    let row = site.account.rows("Patients").await[0].clone();
    let (id, last) = (row["PK_ID"].as_i64().unwrap(), row["LastName"].clone());
    site.account.update("Patients", &format!("PK_ID={id}"), json!({"LastName": "Told"})).await;
    until_ended(&site, 1).await;
    site.account.cascade("Patients", &format!("PK_ID={id}"), Some(json!({"LastName": last}))).await;
    round(&site).await;
    let said = [format!("update {id} webhook"), format!("update {id} sweep")];
    assert_eq!(events(&site).await, once(&said));
    round(&site).await;
    assert_eq!(events(&site).await, once(&said));
}

#[tokio::test]
async fn only_changes_of_the_triggers_fields_count() {
    let trigger = swept("update", "").replace("table", "fields = [\"LastName\"]\ntable");
    let site = deployed(&ManifestBuilder::probe("probe", "echo").triggers(&trigger)).await;
    let id = site.account.rows("Patients").await[0]["PK_ID"].as_i64().unwrap();
    let change = async |changes| {
        site.account.cascade("Patients", &format!("PK_ID={id}"), Some(changes)).await;
        round(&site).await;
        events(&site).await.len()
    };
    assert_eq!(change(json!({"FirstName": "Other"})).await, 0);
    import(&site, "Ada").await;
    assert_eq!(change(json!({"LastName": "Other"})).await, 1, "inserts are not wanted");
}

#[tokio::test]
async fn killed_before_or_after_its_commit_a_sweep_tells_each_change_once() {
    for point in ["sweep.before-commit=return(kill)", "sweep.after-commit=return(kill)"] {
        let mut site = deployed(&all()).await;
        let new = import(&site, "Ada").await;
        site.restart_with(point).await;
        // The round may be so quick that the command gets no answer.
        let _ = site.host.cli(&["coverage", "probe", "--now"]).await;
        site.host.until_dead().await;
        site.restart_with("").await;
        until("the change is told", async || (!events(&site).await.is_empty()).then_some(())).await;
        round(&site).await;
        assert_eq!(events(&site).await, once(&[format!("insert {new} sweep")]), "{point}");
        until_ended(&site, 1).await;
    }
}

#[tokio::test]
async fn a_round_spends_its_calls_and_goes_on_in_the_next() {
    let site = site().await;
    let rows: Vec<_> = (0..2500).map(|n| patient(&format!("Row{n}"))).collect();
    site.account.import("Patients", json!(rows)).await;
    let manifest = ManifestBuilder::probe("probe", "echo").triggers(&swept("insert", ", max_calls = 1"));
    site.deploy(&manifest).await.ok();
    let mut reached = 0;
    for part in 1..=3 {
        let shown = until("a part is read", async || {
            let sweep = sweep(&site).await;
            let now = sweep["reached"].as_i64().unwrap_or(0);
            (now > reached || sweep["rounds"] == 1).then_some(sweep)
        })
        .await;
        reached = shown["reached"].as_i64().unwrap_or(i64::MAX);
        assert!(shown["calls"].as_u64().unwrap() <= part, "{shown:#}");
        assert_eq!(shown["rounds"].as_u64().unwrap(), u64::from(part == 3), "{shown:#}");
        site.host.cli(&["coverage", "probe", "--now"]).await.ok();
    }
    let shown = until_round(&site, 1).await;
    assert_eq!(shown["rows"].as_u64().unwrap(), site.account.rows("Patients").await.len() as u64);
    assert!(events(&site).await.is_empty());
}

#[tokio::test]
async fn an_emptied_table_is_told_row_by_row() {
    let manifest = ManifestBuilder::probe("probe", "echo").triggers(&swept("delete", ""));
    let site = deployed(&manifest).await;
    let rows = site.account.rows("Patients").await.len();
    // A page without rows is no proof: Caspio is asked again, and says that they are there.
    let empty = json!({"Kind": "status", "Status": 200, "Body": "{\"Result\":[]}"});
    site.account.fault("GET", "/integrations/rest/v3/tables/Patients/records", Some(1), empty).await;
    round(&site).await;
    assert!(events(&site).await.is_empty(), "{:?}", events(&site).await);
    site.account.cascade("Patients", "PK_ID>0", None).await;
    round(&site).await;
    assert_eq!(events(&site).await.len(), rows);
    until_ended(&site, rows).await;
}

#[tokio::test]
async fn a_dead_caspio_is_waited_for_and_shown() {
    let site = deployed(&all()).await;
    let down = json!({"Kind": "status", "Status": 503});
    site.account.fault("GET", "/integrations/rest/v3/tables/Patients/records", None, down).await;
    let new = import(&site, "Ada").await;
    site.host.cli(&["coverage", "probe", "--now"]).await.ok();
    until("it is shown", async || (sweep(&site).await["error"] == "unavailable").then_some(())).await;
    site.account.clear_faults().await;
    let shown = round(&site).await;
    assert!(shown["error"].is_null(), "{shown:#}");
    assert_eq!(events(&site).await, once(&[format!("insert {new} sweep")]));
}

#[tokio::test]
async fn while_it_is_inactive_changes_are_not_the_workflows() {
    let site = deployed(&all()).await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    import(&site, "Ada").await;
    site.host.cli(&["coverage", "probe", "--now"]).await.refused("no table of 'probe' is swept");
    site.host.cli(&["workflow", "activate", "probe"]).await.ok();
    until_round(&site, 1).await;
    round(&site).await;
    assert!(events(&site).await.is_empty());
}

#[tokio::test]
async fn a_batch_trigger_gets_what_a_page_holds_at_once() {
    let trigger = swept("insert", "").replace("table", "batch = true\ntable");
    let site = deployed(&ManifestBuilder::probe("probe", "echo").triggers(&trigger)).await;
    for name in ["Ada", "Bob", "Eve"] {
        import(&site, name).await;
    }
    round(&site).await;
    assert_eq!(events(&site).await, once(&["insert null sweep".to_owned()]));
}
