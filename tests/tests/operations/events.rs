//! `event send`, `list` and `show`; values of records are shown only when asked for, and that is audited.

use caspian_e2e::{Answer, ManifestBuilder, Site};
use serde_json::{Value, json};

use crate::{attention, audited, count, create, titles, until_probes};

async fn send_text(site: &Site, workflow: &str, text: &str) -> Answer {
    let file = site.folder().join("event.json");
    std::fs::write(&file, text).unwrap();
    site.host.cli(&["event", "send", workflow, "--file", &file.display().to_string()]).await
}

async fn send(site: &Site, event: Value) -> Answer {
    send_text(site, "probe", &event.to_string()).await
}

#[tokio::test]
async fn each_mistake_in_an_event_is_named_and_starts_nothing() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let good = json!({"event": "record-insert", "table": "Patients", "rows": [{"PK_ID": 7}]});
    send_text(&site, "nothing", &good.to_string()).await.refused("there is no workflow 'nothing'");
    send_text(&site, "probe", "{\n  \"event\": oops\n}")
        .await
        .refused("event.json, line 2, column 12: no JSON");
    let missing = site.folder().join("nothing.json").display().to_string();
    site.host.cli(&["event", "send", "probe", "--file", &missing]).await.refused("can't be read");
    let with = |name: &str, value: Value| {
        let mut event = good.clone();
        event[name] = value;
        event
    };
    let without = |name: &str| {
        let mut event = good.clone();
        event.as_object_mut().unwrap().remove(name);
        event
    };
    for (event, part) in [
        (with("event", json!("record-insrt")), "\"event\" is missing or no kind of event"),
        (with("event", json!("schedule")), "\"event\" is missing or no kind of event"),
        (with("event", json!(7)), "\"event\" is missing or no kind of event"),
        (without("event"), "\"event\" is missing or no kind of event"),
        (with("event", json!("record-delete")), "has no trigger for record-delete"),
        (with("table", json!("Tasks")), "has no trigger for record-insert of this table"),
        (with("table", json!(null)), "\"table\" is missing or no text"),
        (without("table"), "\"table\" is missing or no text"),
        (with("rows", json!([])), "the event has no rows"),
        (with("rows", json!({"PK_ID": 7})), "\"rows\" is missing or no list"),
        (without("rows"), "\"rows\" is missing or no list"),
        (with("rows", json!([{"PK_ID": 7}, "canary-value"])), "row 2 is no object"),
        (with("rows", json!([{"PK_ID": "canary-value"}])), "row 1: PK_ID is no whole number"),
        (with("rows", json!([{"PK_ID": 7}, {"Email": "canary-value"}])), "row 2: PK_ID is missing"),
        (with("rows", json!([{"PK_ID": 7, "canary-value": 1}])), "a field that the table has not"),
        (with("rows", json!([{"PK_ID": 7, "DateOfBirth": "canary-value"}])), "DateOfBirth is not a date"),
        (with("event_date", json!("yesterday")), "\"event_date\" is no date"),
        (with("event_date", json!(20260116)), "\"event_date\" is no date"),
        (with("canary-value", json!("canary-value")), "members that none has"),
        (json!([good]), "not the JSON that this call takes"),
        (json!("canary-value"), "not the JSON that this call takes"),
    ] {
        let answer = send(&site, event).await.refused(part);
        assert!(!answer.stderr.contains("canary-value"), "it quotes a value: {}", answer.stderr);
    }
    assert_eq!(site.runs().await.len(), 0);
    assert_eq!(count(&site, "SELECT count(*) FROM messages"), 0);
    assert_eq!(audited(&site, "event.send"), 0);
    site.still_serves().await;
}

#[tokio::test]
async fn an_event_by_hand_is_typed_as_a_webhooks_is() {
    let site = Site::start().await;
    site.deploy(&ManifestBuilder::probe("probe", "values")).await.ok();
    let patient = json!({
        "FirstName": "Ada", "LastName": "O'Hara", "Email": "ada@example.com",
        "DateOfBirth": "1990-02-03", "Active": true,
    });
    let row = site.account.insert("Patients", patient).await.remove(0);
    let by_webhook = site.until_runs(1, &["succeeded"]).await.remove(0);
    let event = json!({
        "event": "record-insert", "table": "patients", "rows": [row], "event_date": "2026-01-16T14:52:55-05:00",
    });
    let answer = send(&site, event).await.ok();
    let runs = site.until_runs(2, &["succeeded"]).await;
    let by_hand = &runs[1];
    assert_eq!(answer.stdout.trim(), format!("run {} queued", by_hand["id"].as_str().unwrap()));
    let lines = |run: &Value| {
        let mut lines: Vec<String> = run["result"].as_str().unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(by_hand), lines(&by_webhook));
    assert_eq!(by_hand["event_date"], "2026-01-16T19:52:55");
    assert_eq!((&by_hand["table"], &by_hand["message_id"]), (&json!("Patients"), &Value::Null));
    assert_eq!(audited(&site, "event.send"), 1);
}

#[tokio::test]
async fn each_row_of_an_event_by_hand_is_a_run_and_acts_in_caspio() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let event =
        json!({"event": "record-insert", "table": "Patients", "rows": [{"PK_ID": 70}, {"PK_ID": 71}]});
    let answer = send(&site, event.clone()).await.ok();
    assert_eq!(answer.stdout.lines().count(), 2, "{}", answer.stdout);
    until_probes(&site, 2, "succeeded").await;
    assert_eq!(titles(&site).await, ["70", "71"]);
    // A person may mean the same once more.
    send(&site, event).await.ok();
    until_probes(&site, 4, "succeeded").await;
    assert_eq!(titles(&site).await, ["70", "70", "71", "71"]);

    // Without its webhook a workflow still runs what a person sends; a paused one lets it queue.
    site.host.cli(&["workflow", "deactivate", "probe"]).await.ok();
    let third = json!({"event": "record-insert", "table": "Patients", "rows": [{"PK_ID": 72}]});
    send(&site, third).await.ok();
    until_probes(&site, 5, "succeeded").await;
    assert_eq!(titles(&site).await, ["70", "70", "71", "71", "72"]);
    assert_eq!(attention(&site).await, Vec::<String>::new());
}

#[tokio::test]
async fn events_are_listed_with_where_they_came_from_and_pages_fit_together() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    let id = site.account.add_patient("Ada").await;
    until_probes(&site, 1, "succeeded").await;
    send(&site, json!({"event": "record-insert", "table": "Patients", "rows": [{"PK_ID": 70}]})).await.ok();
    until_probes(&site, 2, "succeeded").await;
    site.still_serves().await;
    let list = site.host.cli(&["event", "list", "--workflow", "probe", "--json"]).await.json();
    let list = list.as_array().unwrap();
    let facts: Vec<_> =
        list.iter().map(|e| (e["pk_id"].as_i64().unwrap(), e["from"].as_str().unwrap())).collect();
    assert_eq!(facts, [(70, "person"), (id, "webhook")]);
    let sent = site.account.messages().await;
    assert_eq!(list[1]["message_id"], sent[0]["MessageId"]);
    assert!(list[0]["message_id"].is_null());

    let all = site.host.cli(&["event", "list", "--json"]).await.json();
    assert_eq!(all.as_array().unwrap().len(), 3);
    let mut paged = Vec::new();
    let mut before: Option<String> = None;
    loop {
        let mut command = vec!["event", "list", "--limit", "1", "--json"];
        if let Some(id) = &before {
            command.extend(["--before", id]);
        }
        let page = site.host.cli(&command).await.json();
        let Some(event) = page.as_array().unwrap().first().cloned() else { break };
        before = event["id"].as_str().map(str::to_owned);
        paged.push(event);
    }
    assert_eq!(&paged, all.as_array().unwrap());
    let text = site.host.cli(&["event", "list"]).await.ok();
    assert!(text.stdout.starts_with("ID ") && text.stdout.lines().count() == 4, "{}", text.stdout);
    site.host
        .cli(&["event", "list", "--workflow", "nothing"])
        .await
        .refused("there is no workflow 'nothing'");
    let answer = site.host.cli(&["event", "list", "--before", "zzz"]).await.refused("this is no event id");
    assert!(answer.stderr.contains("caspian event list"), "{}", answer.stderr);
    site.host.cli(&["run", "list", "--before", "zzz"]).await.refused("this is no run id");
}

#[tokio::test]
async fn values_are_shown_only_when_asked_for_and_that_is_audited() {
    let site = Site::start().await;
    site.deploy(&create()).await.ok();
    site.account.add_patient("Canary").await;
    let run = until_probes(&site, 1, "succeeded").await.remove(0);
    let run = run["id"].as_str().unwrap();
    let list = site.host.cli(&["event", "list", "--json"]).await.json();
    let event = list[0]["id"].as_str().unwrap().to_owned();
    assert!(!list.to_string().contains("canary@"), "{list:#}");

    for json in [&["--json"][..], &[]] {
        let hidden = site.host.cli(&[&["event", "show", &event], json].concat()).await.ok();
        assert!(!hidden.stdout.contains("canary@example.com"), "{}", hidden.stdout);
        assert!(hidden.stdout.contains(run), "its run is shown: {}", hidden.stdout);
        let hidden = site.host.cli(&[&["run", "show", run], json].concat()).await.ok();
        assert!(!hidden.stdout.contains("request"), "{}", hidden.stdout);
    }
    assert_eq!(audited(&site, "event.show-values") + audited(&site, "run.show-values"), 0);
    for json in [&["--json"][..], &[]] {
        let shown = site.host.cli(&[&["event", "show", &event, "--values"], json].concat()).await.ok();
        assert!(shown.stdout.contains("canary@example.com"), "{}", shown.stdout);
        let shown = site.host.cli(&[&["run", "show", run, "--values"], json].concat()).await.ok();
        assert!(shown.stdout.contains("request"), "{}", shown.stdout);
    }
    assert_eq!((audited(&site, "event.show-values"), audited(&site, "run.show-values")), (2, 2));
    let subject = format!("SELECT count(*) FROM audit WHERE subject = '{event}' AND tenant = 'default'");
    assert_eq!(count(&site, &subject), 2);

    site.host.cli(&["event", "show", "17"]).await.refused("this is no event id");
    let unknown = "0190a1b2-0000-7000-8000-000000000000";
    site.host.cli(&["event", "show", unknown]).await.refused("there is no event 0190a1b2");
    for kind in ["event", "run"] {
        let id = if kind == "event" { &event } else { run };
        let other = ["--tenant", "other", kind, "show", id, "--values"];
        let answer = site.host.cli(&[&other[2..], &other[..2]].concat()).await;
        answer.refused(&format!("there is no {kind}"));
    }
    assert_eq!(audited(&site, "event.show-values"), 2);
}

#[tokio::test]
async fn a_shown_event_can_be_sent_again() {
    let site = Site::start().await;
    site.deploy(&ManifestBuilder::probe("probe", "values")).await.ok();
    let patient = json!({
        "FirstName": "Zoë \"O'Hara\"", "LastName": "Test", "Email": "zoe@example.com", "DateOfBirth": "1990-02-03",
        "Active": true,
    });
    site.account.insert("Patients", patient).await;
    let first = site.until_runs(1, &["succeeded"]).await.remove(0);
    let event =
        site.host.cli(&["event", "list", "--json"]).await.json()[0]["id"].as_str().unwrap().to_owned();
    let shown = site.host.cli(&["event", "show", &event, "--values", "--json"]).await.ok().stdout;
    let rows = serde_json::from_str::<Value>(&shown).unwrap()["rows"].clone();
    assert_eq!(rows[0]["Email"], "zoe@example.com", "{rows:#}");
    assert_eq!(rows[0]["DateOfBirth"], "1990-02-03T00:00:00", "{rows:#}");
    assert_eq!(rows[0]["PK_ID"], first["pk_id"], "{rows:#}");
    send_text(&site, "probe", &shown).await.ok();
    let runs = site.until_runs(2, &["succeeded"]).await;
    for member in ["result", "pk_id", "event_date", "table"] {
        assert_eq!(runs[1][member], runs[0][member], "{member}");
    }
}

#[tokio::test]
async fn an_event_may_be_as_large_as_a_message_and_a_larger_one_is_refused() {
    let site = Site::start().await;
    site.deploy(
        &ManifestBuilder::probe("probe", "echo")
            .triggers("[[trigger]]\nevent = \"record-insert\"\ntable = \"Patients\"\nbatch = true\n"),
    )
    .await
    .ok();
    let event = |mib: usize| {
        let notes = "x".repeat(50_000);
        let rows: Vec<Value> = (1..=mib * 21).map(|n| json!({"PK_ID": n, "LastName": notes})).collect();
        json!({"event": "record-insert", "table": "Patients", "rows": rows}).to_string()
    };
    for (mib, taken) in [(3, true), (6, true), (13, false), (40, false)] {
        let answer = send_text(&site, "probe", &event(mib)).await;
        if taken {
            answer.ok();
        } else {
            let answer = answer.refused("the event is larger than 12 MiB");
            assert!(answer.stderr.contains("several events"), "{}", answer.stderr);
        }
    }
    assert_eq!(site.runs().await.len(), 2);
    // Other calls have their own limit, and say so.
    let manifest = site.folder().join("large.toml");
    let text = ManifestBuilder::probe("large", "echo").text() + "# " + &"x".repeat(5 << 20);
    std::fs::write(&manifest, text).unwrap();
    let answer = site.host.cli(&["deploy", &manifest.display().to_string()]).await;
    answer.refused("the body is larger than 2 MiB");
}
