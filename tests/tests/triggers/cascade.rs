//! `connection remove --cascade`: workflows, their webhooks, then the credentials; whatever happens in between.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

use crate::{WEBHOOKS, audited, create};

const CASCADE: [&str; 4] = ["connection", "remove", "clinic", "--cascade"];
const DISCARD: [&str; 5] = ["connection", "remove", "clinic", "--cascade", "--discard-runs"];

fn count(site: &Site, sql: &str) -> i64 {
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn secrets(site: &Site) -> i64 {
    count(site, "SELECT count(*) FROM connections WHERE length(sealed_secret) > 0")
}

async fn names(site: &Site, command: &str) -> Vec<String> {
    let list = site.host.cli(&[command, "list", "--json"]).await.json();
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// Two active workflows, one paused, one that was never active; and a webhook of other people.
async fn clinic() -> Site {
    let site = Site::start().await;
    let other = json!({"Name": "theirs", "OutgoingUrls": ["https://example.com/theirs"]});
    assert_eq!(site.account.rest("POST", "outgoingWebhooks", other).await.0, 201);
    for name in ["one", "two", "paused"] {
        site.deploy(&ManifestBuilder::probe(name, "echo")).await.ok();
    }
    site.host.cli(&["workflow", "pause", "paused"]).await.ok();
    crate::deploy_inactive(&site, &ManifestBuilder::probe("asleep", "echo")).await;
    site
}

async fn nothing_of_ours(site: &Site) {
    let left = site.account.webhooks().await;
    assert_eq!((left.len(), &left[0]["Name"]), (1, &json!("theirs")), "{left:#?}");
}

/// Nothing of ours is anywhere, and what is other people's is.
async fn nothing_left(site: &Site) {
    nothing_of_ours(site).await;
    for command in ["workflow", "connection"] {
        assert_eq!(names(site, command).await, Vec::<String>::new(), "{command}");
    }
    assert_eq!(secrets(site), 0);
    let webhooks = count(site, "SELECT count(*) FROM webhooks WHERE stage <> 'tombstone'");
    assert_eq!(webhooks, 0);
}

#[tokio::test]
async fn all_that_uses_a_connection_goes_with_it() {
    let site = clinic().await;
    let answer = site.host.cli(&["connection", "remove", "clinic"]).await;
    let answer = answer.refused("workflows use the connection 'clinic': asleep, one, paused, two");
    assert!(answer.stderr.contains("--cascade"), "{}", answer.stderr);
    assert_eq!(site.host.cli(&["connection", "remove", "clinic", "--discard-runs"]).await.code, 2);
    assert_eq!(site.account.webhooks().await.len(), 4);

    let said = site.host.cli(&CASCADE).await.ok().stdout;
    for name in ["asleep", "one", "paused", "two"] {
        assert!(said.contains(&format!("workflow {name} deleted")), "{said}");
    }
    assert!(said.contains("connection clinic removed"), "{said}");
    nothing_left(&site).await;
    assert_eq!(audited(&site, "connection.cascade"), ["admin clinic with asleep, one, paused, two"]);
    assert_eq!(audited(&site, "workflow.delete").len(), 4);
    assert_eq!(audited(&site, "connection.remove"), ["admin clinic"]);
    site.host.cli(&CASCADE).await.refused("there is no connection 'clinic'");
    // All can be made again.
    site.connect("demo-secret").await.ok();
    site.still_serves().await;
}

#[tokio::test]
async fn unfinished_runs_must_be_given_up_explicitly_and_nothing_is_done_before() {
    let site = clinic().await;
    site.account.add_patient("Waiting").await;
    until("the paused workflow's run waits", async || {
        let runs = site.runs().await;
        (runs.len() == 3 && runs.iter().filter(|run| run["state"] == "succeeded").count() == 2).then_some(())
    })
    .await;
    let answer = site.host.cli(&CASCADE).await.refused("the workflow 'paused' has 1 unfinished runs");
    assert!(answer.stderr.contains("--discard-runs"), "{}", answer.stderr);
    assert_eq!(site.account.webhooks().await.len(), 4);
    assert_eq!((site.account.calls("DELETE", WEBHOOKS).await, secrets(&site)), (0, 1));
    assert_eq!(site.workflow("one").await["state"], "active");
    site.host.cli(&DISCARD).await.ok();
    nothing_left(&site).await;
    let states: Vec<Value> = site.runs().await.iter().map(|run| run["state"].clone()).collect();
    assert_eq!(states.iter().filter(|state| **state == "discarded").count(), 1, "{states:?}");
}

#[tokio::test]
async fn a_workflow_that_works_elsewhere_by_now_stays() {
    let site = Site::start().await;
    let url = site.account.url();
    let add =
        ["connection", "add", "other", "--url", &url, "--client-id", "demo-client", "--client-secret-stdin"];
    site.host.cli_with_input(&add, "demo-secret").await.ok();
    let tasks = "/integrations/rest/v3/tables/Tasks/records";
    site.account.fault("POST", tasks, None, json!({"Kind": "throttle"})).await;
    site.deploy(&create()).await.ok();
    site.account.add_patient("Waiting").await;
    until("its run waits", async || {
        site.runs().await.first().is_some_and(|run| run["wakeups"].as_u64() > Some(0)).then_some(())
    })
    .await;
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    let manifest = create().write(site.folder()).display().to_string();
    site.host.cli(&["deploy", &manifest, "--connection", "other", "--activate"]).await.ok();
    site.host.cli(&CASCADE).await.refused("the workflow 'probe' has 1 unfinished runs");
    site.host.cli(&DISCARD).await.ok();
    assert_eq!(names(&site, "connection").await, ["other"]);
    assert_eq!(names(&site, "workflow").await, ["probe"]);
    site.account.clear_faults().await;
    let patient = site.account.add_patient("Elsewhere").await;
    until("the new run has succeeded", async || {
        let runs = site.runs().await;
        (runs.len() == 2 && runs[1]["state"] == "succeeded").then_some(())
    })
    .await;
    assert_eq!(site.runs().await[0]["state"], "discarded");
    let titles: Vec<_> =
        site.account.rows("Tasks").await.iter().skip(1).map(|row| row["Title"].clone()).collect();
    assert_eq!(titles, [patient.to_string()]);
}

#[tokio::test]
async fn when_caspio_fails_in_the_middle_the_same_command_goes_on() {
    let site = clinic().await;
    for (n, kind) in [
        json!({"Kind": "status", "Status": 403}),
        json!({"Kind": "drop-before"}),
        json!({"Kind": "drop-after"}),
    ]
    .into_iter()
    .enumerate()
    {
        // Each time one webhook goes, and the next one doesn't.
        let after = u32::from(n == 0);
        site.account.fault_after("DELETE", WEBHOOKS, after, Some(1), kind).await;
        site.host.cli(&CASCADE).await.refused("deleting the webhook");
        assert_eq!(names(&site, "connection").await, ["clinic"]);
        assert_eq!(names(&site, "workflow").await.len(), 4, "none is gone before all webhooks are");
        assert_eq!(secrets(&site), 1);
        site.account.clear_faults().await;
    }
    site.host.cli(&CASCADE).await.ok();
    nothing_left(&site).await;
}

#[tokio::test]
async fn webhooks_that_belong_to_no_workflow_are_removed_while_there_are_credentials() {
    let site = clinic().await;
    let lost = json!({"Name": "lost", "OutgoingUrls": [format!("{}/hooks/lost", site.host.url())]});
    assert_eq!(site.account.rest("POST", "outgoingWebhooks", lost).await.0, 201);
    let answer = site.host.cli(&CASCADE).await.refused("belong to no workflow");
    assert!(answer.stderr.contains("caspian orphans remove --all --connection clinic"), "{}", answer.stderr);
    assert_eq!(secrets(&site), 1);
    site.host.cli(&["orphans", "remove", "--all", "--connection", "clinic"]).await.ok();
    site.host.cli(&CASCADE).await.ok();
    nothing_left(&site).await;
}

#[tokio::test]
async fn a_connection_whose_credentials_are_dead_goes_when_nothing_of_it_is_in_caspio() {
    let site = Site::start().await;
    crate::deploy_inactive(&site, &ManifestBuilder::probe("asleep", "echo")).await;
    let refused = json!({"Kind": "status", "Status": 400, "Json": {"error": "invalid_client"}});
    site.account.fault("POST", "/oauth/token", None, refused).await;
    site.account.revoke_tokens().await;
    site.host.cli(&CASCADE).await.ok();
    assert_eq!(names(&site, "connection").await, Vec::<String>::new());
}

#[tokio::test]
async fn when_the_profile_was_deleted_first_the_webhooks_that_are_left_are_named() {
    let site = clinic().await;
    let leave = ["connection", "remove", "clinic", "--cascade", "--leave-webhooks"];
    assert_eq!(site.host.cli(&["connection", "remove", "clinic", "--leave-webhooks"]).await.code, 2);
    // What may go away by itself leaves nothing behind.
    site.account.fault("DELETE", WEBHOOKS, Some(1), json!({"Kind": "drop-before"})).await;
    site.host.cli(&leave).await.refused("deleting the webhook");
    assert_eq!(names(&site, "workflow").await.len(), 4);
    let refused = json!({"Kind": "status", "Status": 400, "Json": {"error": "invalid_client"}});
    site.account.fault("POST", "/oauth/token", None, refused).await;
    site.account.revoke_tokens().await;
    site.host.cli(&CASCADE).await.refused("Caspio refused the credentials");
    assert_eq!(names(&site, "connection").await, ["clinic"]);
    let said = site.host.cli(&leave).await.ok().stdout;
    let there = site.account.webhooks().await;
    let left: Vec<_> = there.iter().filter(|hook| hook["Name"] != "theirs").collect();
    assert_eq!(left.len(), 3);
    for hook in left {
        let id = hook["Id"].as_str().unwrap();
        assert!(said.contains(&format!("webhook {id} is left in Caspio")), "{said}");
    }
    for command in ["workflow", "connection"] {
        assert_eq!(names(&site, command).await, Vec::<String>::new(), "{command}");
    }
    assert_eq!(secrets(&site), 0);
    // They still fire, and are answered.
    site.account.add_patient("Late").await;
    until("they are answered", async || {
        let messages = site.account.messages().await;
        (messages.len() == 3 && messages.iter().all(|message| message["HttpStatus"] == 200)).then_some(())
    })
    .await;
    // With new credentials to the account they are orphans.
    site.account.clear_faults().await;
    site.connect("demo-secret").await.ok();
    site.host.cli(&["orphans", "remove", "--all"]).await.ok();
    nothing_of_ours(&site).await;
}

/// The host dies at this point; after the restart the same command finishes, or had finished.
async fn killed(failpoint: &str) {
    let mut site = clinic().await;
    site.restart_with(failpoint).await;
    assert_ne!(site.host.cli(&CASCADE).await.code, 0);
    site.host.until_dead().await;
    if site.account.webhooks().await.len() > 1 {
        assert_eq!(secrets(&site), 1, "as long as a webhook is there, so are the credentials");
    }
    site.restart_with("").await;
    let again = site.host.cli(&CASCADE).await;
    if again.code != 0 {
        again.refused("there is no connection 'clinic'");
    }
    nothing_left(&site).await;
}

macro_rules! killed {
    ($($name:ident: $failpoint:literal),+ $(,)?) => {
        mod killed {
            $(#[tokio::test] async fn $name() { super::killed($failpoint).await; })+
        }
    };
}

killed! {
    before_the_first_webhook: "cascade.before-deactivate=return(kill)",
    before_a_webhook_is_deleted: "trigger.before-remove=return(kill)",
    after_a_webhook_was_deleted: "trigger.after-remove=return(kill)",
    after_the_first_was_deactivated: "cascade.after-deactivate=return(kill)",
    before_the_last_webhook: "trigger.before-remove=2*off->return(kill)",
    after_the_last_webhook: "trigger.after-remove=2*off->return(kill)",
    before_the_first_workflow: "cascade.before-delete=return(kill)",
    after_the_first_workflow: "cascade.after-delete=return(kill)",
    after_the_last_workflow: "cascade.after-delete=3*off->return(kill)",
    before_the_credentials: "cascade.before-credentials=return(kill)",
    after_the_credentials: "cascade.after-credentials=return(kill)",
}
