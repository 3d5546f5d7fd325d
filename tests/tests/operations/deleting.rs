//! `workflow delete`: nothing stays in Caspio, and nothing of the records stays readable.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::json;

use crate::{add_patients, attention, audited, count, create, probes, titles, titles_of, until_probes};

const DELETE: [&str; 3] = ["workflow", "delete", "probe"];
const KEYS: &str = "SELECT count(*) FROM data_keys k JOIN messages m ON m.id = k.message
                    JOIN workflows w ON w.id = m.workflow WHERE w.name = 'probe'";

#[tokio::test]
async fn unfinished_runs_are_counted_and_nothing_is_deleted() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    let patients = add_patients(&site, 2).await;
    until_probes(&site, 2, "queued").await;
    let answer = site.host.cli(&DELETE).await.refused("the workflow 'probe' has 2 unfinished runs");
    assert!(answer.stderr.contains("--discard-runs"), "{}", answer.stderr);
    assert_eq!(site.account.webhooks().await.len(), 1);
    assert_eq!(audited(&site, "workflow.delete"), 0);
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until_probes(&site, 2, "succeeded").await;
    assert_eq!(titles(&site).await, titles_of(&patients));
    // Nothing is unfinished now.
    site.host.cli(&DELETE).await.ok();
    assert_eq!((site.account.webhooks().await.len(), count(&site, KEYS)), (0, 0));
}

#[tokio::test]
async fn discarded_runs_never_run_and_their_contents_are_unreadable() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let done = add_patients(&site, 1).await;
    until_probes(&site, 1, "succeeded").await;
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    site.account.add_patient("Queued").await;
    until("it is queued", async || (probes(&site).await.len() == 2).then_some(())).await;
    let late = site.delivery().await;
    let before = site.runs().await;
    assert_eq!(count(&site, KEYS), 2);

    let answer = site.host.cli(&["workflow", "delete", "probe", "--discard-runs"]).await.ok();
    assert!(answer.stdout.contains("workflow probe deleted"), "{}", answer.stdout);
    assert_eq!(site.account.webhooks().await.len(), 0);
    assert_eq!(count(&site, KEYS), 0);
    assert_eq!(site.host.cli(&["workflow", "list", "--json"]).await.json(), json!([]));
    for command in [
        &["workflow", "show", "probe"][..],
        &DELETE,
        &["workflow", "resume", "probe"],
        &["run", "list", "--workflow", "probe"],
        &["event", "list", "--workflow", "probe"],
        &["tail", "probe"],
    ] {
        site.host.cli(command).await.refused("there is no workflow 'probe'");
    }

    // Runs and events stay as history, without what was in them.
    let runs = site.until_runs(2, &["succeeded", "discarded"]).await;
    for (run, was) in runs.iter().zip(&before) {
        let id = run["id"].as_str().unwrap();
        assert_eq!(run["id"], was["id"]);
        assert_eq!(run["contents"], "deleted", "{run:#}");
        assert!(run["result"].is_null() && run["output"] == json!([]), "{run:#}");
        let text = site.host.cli(&["run", "show", id]).await.ok();
        assert!(text.stdout.contains("result, failure and output went"), "{}", text.stdout);
        site.host.cli(&["run", "show", id, "--values"]).await.refused("the contents can't be read any more");
    }
    assert_eq!((&runs[0]["state"], &runs[1]["state"]), (&json!("succeeded"), &json!("discarded")));
    assert_eq!(runs[0]["steps"][0]["action"], "records.create", "{:#}", runs[0]);
    let events = site.host.cli(&["event", "list", "--json"]).await.json();
    assert_eq!(events.as_array().unwrap().len(), 2);
    for event in events.as_array().unwrap() {
        let id = event["id"].as_str().unwrap();
        site.host.cli(&["event", "show", id]).await.ok();
        site.host.cli(&["event", "show", id, "--values"]).await.refused("can't be read any more");
    }
    assert_eq!(audited(&site, "run.show-values") + audited(&site, "event.show-values"), 0);

    // What Caspio had queued is answered and starts nothing.
    let message = late.message("late", json!([{"PK_ID": 99, "FirstName": "Late"}]));
    assert_eq!(late.send_signed(&message).await, 200);
    let runs = site.until_runs(3, &["succeeded", "discarded", "skipped"]).await;
    assert_eq!((&runs[2]["state"], &runs[2]["cause"]), (&json!("skipped"), &json!("inactive")));

    // The name is free, and begins anew.
    site.deploy(&create()).await.ok();
    assert_eq!(site.workflow("probe").await["version"], 1);
    assert_eq!(probes(&site).await.len(), 0);
    let mut patients = vec![site.account.add_patient("Anew").await];
    until_probes(&site, 1, "succeeded").await;
    patients.extend(done);
    assert_eq!(titles(&site).await, titles_of(&patients));
    assert_eq!(audited(&site, "workflow.delete"), 1);
    assert_eq!(attention(&site).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_run_under_way_is_discarded_and_what_it_has_sent_is_done_once() {
    let site = Site::start().await;
    let tasks = "/integrations/rest/v3/tables/Tasks/records";
    site.deploy(&create().setting("count", "3")).await.ok();
    site.account.fault("POST", tasks, Some(1), json!({"Kind": "delay", "Millis": 2000})).await;
    let id = site.account.add_patient("Ada").await;
    until("its first record is under way", async || {
        (site.account.get("faults").await[0]["Hits"] == 1).then_some(())
    })
    .await;
    let answer = site.host.cli(&DELETE).await.refused("has 1 unfinished runs");
    assert!(answer.stderr.contains("--discard-runs"), "{}", answer.stderr);
    site.host.cli(&["workflow", "delete", "probe", "--discard-runs"]).await.ok();
    until("what was sent is done", async || (titles(&site).await.len() == 1).then_some(())).await;
    site.still_serves().await;
    let runs = site.until_runs(2, &["discarded", "succeeded"]).await;
    assert_eq!((&runs[0]["state"], &runs[0]["cause"]), (&json!("discarded"), &json!(null)), "{runs:#?}");
    assert_eq!(titles(&site).await, [format!("{id}-0")], "nothing more is sent");
    assert_eq!(site.account.calls("POST", tasks).await, 1);
}

#[tokio::test]
async fn when_caspio_does_not_remove_the_webhook_the_workflow_stays_and_deleting_again_goes_on() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let refusal =
        json!({"Kind": "status", "Status": 403, "Json": {"Code": "UnsufficientPrivileges", "Message": "m"}});
    site.account.fault("DELETE", "/integrations/rest/v3/outgoingWebhooks", None, refusal).await;
    site.host.cli(&DELETE).await.refused("deleting the webhook");
    assert_eq!(site.workflow("probe").await["state"], "inactive");
    assert!(attention(&site).await.iter().any(|text| text.contains("'probe' is removing")));
    site.account.clear_faults().await;
    site.host.cli(&DELETE).await.ok();
    assert_eq!(site.account.webhooks().await.len(), 0);
    site.still_serves().await;
}

#[tokio::test]
async fn an_inactive_workflow_is_deleted_without_a_call() {
    let site = Site::start().await;
    let manifest = ManifestBuilder::probe("probe", "echo").write(site.folder()).display().to_string();
    site.host.cli(&["deploy", &manifest]).await.ok();
    site.host.cli(&DELETE).await.ok();
    assert_eq!(site.account.calls("DELETE", "/").await, 0);
    site.host.cli(&DELETE).await.refused("there is no workflow 'probe'");
}

#[tokio::test]
async fn what_comes_after_the_deletion_is_no_more_readable_than_what_was_there() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let late = site.delivery().await;
    site.host.cli(&DELETE).await.ok();
    let message = late.message("late", json!([{"PK_ID": 99, "FirstName": "Late"}]));
    assert_eq!(late.send_signed(&message).await, 200);
    let run = site.until_runs(1, &["skipped"]).await.remove(0);
    assert_eq!(count(&site, KEYS), 0);
    assert_eq!(run["contents"], "deleted", "{run:#}");
}
