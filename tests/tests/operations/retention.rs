//! `retention`: what was kept long enough is unreadable for everybody, what a hold keeps is not.

use caspian_e2e::{ManifestBuilder, Site, until};
use serde_json::{Value, json};

use crate::{add_patients, audited, count, create, probes, titles, titles_of, until_probes};

const KEYS: &str = "SELECT count(*) FROM data_keys";

async fn purge(site: &Site) -> String {
    site.host.cli(&["retention", "purge"]).await.ok().stdout
}

fn key(site: &Site) -> Vec<u8> {
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    database
        .query_row("SELECT wrapped FROM data_keys ORDER BY message LIMIT 1", [], |row| row.get(0))
        .unwrap()
}

/// Whether these bytes are anywhere in the database's files.
fn is_on_disk(site: &Site, bytes: &[u8]) -> bool {
    ["caspian.db", "caspian.db-wal"].iter().any(|file| {
        let content = std::fs::read(site.host.data().join(file)).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

async fn refuse_values(site: &Site, run: &Value) {
    let id = run["id"].as_str().unwrap();
    let shown = site.run(id).await;
    assert_eq!((&shown["contents"], &shown["result"]), (&json!("deleted"), &Value::Null), "{shown:#}");
    assert_eq!(shown["steps"][0]["action"], "records.create", "how it went stays: {shown:#}");
    site.host.cli(&["run", "show", id, "--values"]).await.refused("the contents can't be read any more");
    site.host.cli(&["run", "replay", id]).await.refused("are not kept any more");
}

#[tokio::test]
async fn contents_are_shredded_when_their_time_is_over_and_the_message_stays_known() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let patients = add_patients(&site, 2).await;
    let runs = until_probes(&site, 2, "succeeded").await;
    let wrapped = key(&site);
    assert!(is_on_disk(&site, &wrapped));

    // By default nothing is old enough.
    assert!(purge(&site).await.contains("contents of 0 messages"));
    let show = site.host.cli(&["retention", "show", "--json"]).await.json();
    assert_eq!((&show["kept"]["succeeded"], &show["kept"]["dead"]), (&json!("30d"), &json!("forever")));
    site.host.cli(&["retention", "set", "--succeeded", "0s"]).await.ok();
    let dry = site.host.cli(&["retention", "purge", "--dry-run"]).await.ok().stdout;
    assert!(dry.contains("would be: contents of 2 messages") && count(&site, KEYS) == 2, "{dry}");

    assert!(purge(&site).await.contains("contents of 2 messages"));
    assert_eq!(count(&site, KEYS), 0);
    assert!(!is_on_disk(&site, &wrapped), "the key is gone from the file and its log");
    for run in &runs {
        refuse_values(&site, run).await;
    }
    let event =
        site.host.cli(&["event", "list", "--json"]).await.json()[0]["id"].as_str().unwrap().to_owned();
    site.host.cli(&["event", "show", &event]).await.ok();
    site.host.cli(&["event", "show", &event, "--values"]).await.refused("can't be read any more");
    assert!(purge(&site).await.contains("contents of 0 messages"));

    // Caspio sends it again: it is known.
    let message = site.account.messages().await[0]["MessageId"].as_str().unwrap().to_owned();
    site.account.redeliver(&message).await;
    site.still_serves().await;
    assert_eq!((probes(&site).await.len(), titles(&site).await), (2, titles_of(&patients)));
    assert_eq!(audited(&site, "retention.set"), 1);
    assert_eq!(audited(&site, "retention.purge"), 3);
}

#[tokio::test]
async fn what_waits_for_a_person_is_kept() {
    let site = Site::start().await;
    let fatal = ManifestBuilder::probe("probe", "fatal").setting("message", "canary-of-the-failure");
    site.deploy(&fatal).await.ok();
    site.account.add_patient("Ada").await;
    let dead = until_probes(&site, 1, "dead").await.remove(0);
    let id = dead["id"].as_str().unwrap();
    site.host
        .cli(&[
            "retention",
            "set",
            "--succeeded",
            "0s",
            "--skipped",
            "0s",
            "--discarded",
            "0s",
            "--unparsable",
            "0s",
        ])
        .await
        .ok();
    assert!(purge(&site).await.contains("contents of 0 messages"));
    assert_ne!(site.run(id).await["contents"], "deleted");
    // Given up, its time begins.
    site.host.cli(&["run", "discard", id, "--reason", "a test"]).await.ok();
    assert!(purge(&site).await.contains("contents of 1 messages"));
    assert_eq!(site.run(id).await["contents"], "deleted");
    // A queued run is not over, however short the times are.
    site.host.cli(&["workflow", "pause", "probe"]).await.ok();
    site.account.add_patient("Queued").await;
    until("it is queued", async || (probes(&site).await.len() == 2).then_some(())).await;
    site.host.cli(&["retention", "set", "--dead", "0s"]).await.ok();
    assert!(purge(&site).await.contains("contents of 0 messages"));
    site.host.cli(&["workflow", "resume", "probe"]).await.ok();
    until("it is dead", async || (probes(&site).await[0]["state"] == "dead").then_some(())).await;
    assert!(purge(&site).await.contains("contents of 1 messages"));
    // What can't be read can't go on.
    let dead = probes(&site).await.remove(0);
    let id = dead["id"].as_str().unwrap();
    site.host.cli(&["run", "redrive", id]).await.refused("the contents can't be read any more");
}

#[tokio::test]
async fn a_hold_keeps_contents_and_workflow_until_it_is_released() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    add_patients(&site, 2).await;
    let runs = until_probes(&site, 2, "succeeded").await;
    let held = runs[0]["id"].as_str().unwrap();
    let hold = ["retention", "hold", "case-7", "--run", held, "--reason", "canary-of-the-reason"];
    let answer = site.host.cli(&hold).await.ok();
    assert!(answer.stdout.contains(&format!("the message of run {held}")), "{}", answer.stdout);
    site.host.cli(&hold).await.refused("there is a hold 'case-7' already");
    site.host.cli(&["retention", "set", "--succeeded", "0s"]).await.ok();
    assert!(purge(&site).await.contains("contents of 1 messages"));
    assert_ne!(site.run(held).await["contents"], "deleted");
    refuse_values(&site, &runs[1]).await;

    site.host.cli(&["workflow", "delete", "probe"]).await.refused("the legal hold 'case-7' keeps it");
    assert_eq!(site.account.webhooks().await.len(), 1, "nothing was begun");
    let cascade = ["connection", "remove", "clinic", "--cascade", "--discard-runs"];
    site.host.cli(&cascade).await.refused("case-7");
    assert!(!is_on_disk(&site, b"canary-of-the-reason"));
    let holds = site.host.cli(&["retention", "holds", "--json"]).await.json();
    assert_eq!((holds.as_array().unwrap().len(), &holds[0]["reason"]), (1, &json!("canary-of-the-reason")));

    site.host.cli(&["retention", "release", "case-7"]).await.ok();
    site.host.cli(&["retention", "hold", "all", "--reason", "a law suit"]).await.ok();
    assert!(purge(&site).await.contains("contents of 0 messages"));
    site.host.cli(&["retention", "release", "all"]).await.ok();
    site.host.cli(&["retention", "hold", "one", "--workflow", "probe", "--reason", "a law suit"]).await.ok();
    assert!(purge(&site).await.contains("contents of 0 messages"));
    site.host.cli(&["retention", "release", "one"]).await.ok();
    assert!(purge(&site).await.contains("contents of 1 messages"));
    site.host.cli(&["workflow", "delete", "probe"]).await.ok();
    assert_eq!((audited(&site, "retention.hold"), audited(&site, "retention.release")), (3, 3));
}

#[tokio::test]
async fn a_purge_that_was_killed_is_gone_on_with_by_the_next_start() {
    for point in ["purge.before-commit", "purge.after-commit"] {
        let mut site = Site::start().await;
        site.deploy(&create()).await.ok();
        add_patients(&site, 2).await;
        until_probes(&site, 2, "succeeded").await;
        let wrapped = key(&site);
        site.restart_with(&format!("{point}=return(kill)")).await;
        site.host.cli(&["retention", "set", "--succeeded", "0s"]).await.ok();
        let broken = site.host.cli(&["retention", "purge"]).await;
        assert_ne!(broken.code, 0, "{point}");
        site.host.until_dead().await;
        site.restart_with("").await;
        until("the host purges by itself", async || (count(&site, KEYS) == 0).then_some(())).await;
        until("its log is emptied", async || (!is_on_disk(&site, &wrapped)).then_some(())).await;
        site.still_serves().await;
    }
}

#[tokio::test]
async fn times_and_holds_that_can_not_be_are_refused() {
    let site = Site::start().await;
    let set = |what: &'static str, time: &'static str| ["retention", "set", what, time];
    site.host.cli(&set("--records", "6d")).await.refused("for at least 7 days");
    for time in ["30", "1w", "-1d", "never", ""] {
        assert_eq!(site.host.cli(&set("--dead", time)).await.code, 2, "{time}");
    }
    assert_eq!(site.host.cli(&["retention", "set"]).await.code, 2);
    let nobody = "00000000-0000-7000-8000-000000000000";
    for (arguments, why) in [
        (&["a b", "--reason", "r"][..], "name is not usable"),
        (&["a", "--reason", " "], "the reason is empty"),
        (&["a", "--reason", "r", "--workflow", "none"], "there is no workflow 'none'"),
        (&["a", "--reason", "r", "--run", nobody], "a run that exists"),
    ] {
        site.host.cli(&[&["retention", "hold"], arguments].concat()).await.refused(why);
    }
    site.host.cli(&["retention", "release", "none"]).await.refused("there is no hold 'none'");
    site.host.cli(&set("--dead", "90d")).await.ok();
    site.host.cli(&["retention", "reset"]).await.ok();
    let show = site.host.cli(&["retention", "show", "--json"]).await.json();
    assert_eq!((&show["kept"]["dead"], &show["own"]), (&json!("forever"), &json!({})));
}
