//! `[alerts]`: what needs a person is told, once it can be, not lost by a kill, and not ten thousand times.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use caspian_e2e::{Host, HostOptions, ManifestBuilder, Post, Receiver, Site, SiteOptions, sign, until};
use serde_json::{Value, json};

use crate::{attention, create};

const TASKS: &str = "/integrations/rest/v3/tables/Tasks/records";
const SECRET: &str = "the secret of alerts";

/// A site that tells this address, groups being told together for so long.
async fn site(address: SocketAddr, group_seconds: u32) -> Site {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), format!("{SECRET}\n")).unwrap();
    let (_, path) = secret.keep().unwrap();
    let config = format!(
        "[alerts]\nwebhook = \"http://{address}/alerts\"\nwebhook_secret_file = {path:?}\ngroup_seconds = {group_seconds}\n"
    );
    Site::with(SiteOptions {
        host: HostOptions { config, ..HostOptions::default() },
        ..SiteOptions::default()
    })
    .await
}

fn deadly() -> ManifestBuilder {
    ManifestBuilder::probe("deadly", "fatal")
}

async fn untold(host: &Host) -> Vec<Value> {
    host.cli(&["alert", "list", "--json"]).await.json().as_array().cloned().unwrap()
}

/// Waits until alerts of this kind came; each once by its id.
async fn until_told(receiver: &Receiver, kind: &str, count: u64) -> Vec<Post> {
    until(&format!("{count} of kind {kind} are told"), async || {
        let mut ids = BTreeSet::new();
        let mut posts = receiver.posts();
        posts.retain(|post| post.json()["kind"] == kind && ids.insert(post.json()["id"].to_string()));
        let told: u64 = posts.iter().map(|post| post.json()["count"].as_u64().unwrap()).sum();
        assert!(told <= count, "{posts:?}");
        (told == count).then_some(posts)
    })
    .await
}

/// Nothing is left to be told.
async fn until_all_told(host: &Host) {
    until("all is told", async || untold(host).await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_dead_run_is_told_with_its_cause_and_what_to_do_and_signed() {
    let receiver = Receiver::start(Receiver::address()).await;
    let site = site(receiver.url()[7..].trim_end_matches("/alerts").parse().unwrap(), 3600).await;
    site.host.cli(&["alert", "test"]).await.ok();
    let run = site.one_run(&deadly(), &["dead"]).await;
    let post = until_told(&receiver, "dead", 1).await.remove(0);
    let alert = post.json();
    for (member, value) in [
        ("tenant", json!("default")),
        ("workflow", json!("deadly")),
        ("state", json!("dead")),
        ("cause", json!("fatal")),
        ("caspian", json!(site.host.url())),
        ("first_run", run["id"].clone()),
        ("last_run", run["id"].clone()),
    ] {
        assert_eq!(alert[member], value, "{alert:#}");
    }
    let text = alert["text"].as_str().unwrap();
    assert!(
        text.contains("1 run of 'deadly' is dead (fatal); ") && text.contains("caspian run redrive"),
        "{text}"
    );
    let signature = format!("sha256={}", sign(SECRET, &post.body));
    assert_eq!(post.header("x-caspian-signature"), Some(signature));
    assert_eq!(post.header("x-caspian-alert").as_deref(), alert["id"].as_str());
    assert_eq!(post.header("content-type").as_deref(), Some("application/json"));
    let test = until_told(&receiver, "test", 1).await.remove(0);
    assert_eq!(test.header("x-caspian-signature"), Some(format!("sha256={}", sign(SECRET, &test.body))));
    until_all_told(&site.host).await;
    assert_eq!(receiver.posts().len(), 2);
}

#[tokio::test]
async fn runs_that_die_for_one_cause_are_told_at_once_and_then_together() {
    let receiver = Receiver::start(Receiver::address()).await;
    let site = site(receiver.url()[7..].trim_end_matches("/alerts").parse().unwrap(), 3600).await;
    let first = site.one_run(&deadly(), &["dead"]).await;
    until_told(&receiver, "dead", 1).await;
    for n in 0..20 {
        site.account.add_patient(&format!("Many {n}")).await;
    }
    let runs = site.until_runs(21, &["dead"]).await;
    // Their turn is in an hour.
    let waiting = untold(&site.host).await;
    assert_eq!(waiting.len(), 1, "{waiting:#?}");
    assert_eq!((&waiting[0]["count"], &waiting[0]["tries"]), (&json!(20), &json!(0)), "{waiting:#?}");
    assert_eq!(receiver.posts().len(), 1);
    let others: BTreeSet<String> =
        runs.iter().filter(|run| run["id"] != first["id"]).map(|run| run["id"].to_string()).collect();
    for member in ["first_run", "last_run"] {
        assert!(others.contains(&waiting[0][member].to_string()), "{waiting:#?}");
    }
    // Another workflow's are another matter.
    site.deploy(&ManifestBuilder::probe("other", "fatal")).await.ok();
    site.account.add_patient("Other").await;
    until("the other is told", async || (receiver.posts().len() == 2).then_some(())).await;
    assert_eq!(receiver.posts()[1].json()["workflow"], "other");
    let untold = site.host.cli(&["alert", "list"]).await.ok().stdout;
    assert!(untold.contains("deadly") && untold.contains("21"), "{untold}");
    assert_eq!(attention(&site).await.iter().filter(|text| text.contains("alert")).count(), 0);
}

#[tokio::test]
async fn what_follows_is_told_when_the_group_has_its_turn_each_run_once() {
    let receiver = Receiver::start(Receiver::address()).await;
    let site = site(receiver.url()[7..].trim_end_matches("/alerts").parse().unwrap(), 1).await;
    site.deploy(&deadly()).await.ok();
    for n in 0..20 {
        site.account.add_patient(&format!("Many {n}")).await;
    }
    site.until_runs(20, &["dead"]).await;
    until_told(&receiver, "dead", 20).await;
    until_all_told(&site.host).await;
}

#[tokio::test]
async fn a_receiver_that_is_down_gets_everything_later_also_after_a_kill() {
    let address = Receiver::address();
    let mut site = site(address, 1).await;
    site.one_run(&deadly(), &["dead"]).await;
    site.deploy(&create()).await.ok();
    site.account.fault("POST", TASKS, Some(1), json!({"Kind": "drop-after"})).await;
    site.account.add_patient("Parked").await;
    let failing = async |site: &Site| {
        until("telling fails", async || {
            let untold = untold(&site.host).await;
            let failed = untold.iter().filter(|alert| alert["tries"].as_u64() > Some(0)).count();
            (failed == 2).then_some(untold)
        })
        .await
    };
    let untold_ones = failing(&site).await;
    assert_eq!(untold_ones[0]["error"], "webhook: it can't be reached", "{untold_ones:#?}");
    let said = attention(&site).await;
    assert!(said.iter().any(|text| text.contains("caspian alert list")), "{said:?}");
    site.host.start().await;
    let receiver = Receiver::start(address).await;
    // The event of the second patient went to both workflows.
    until_told(&receiver, "dead", 2).await;
    let parked = until_told(&receiver, "parked", 1).await.remove(0).json();
    assert_eq!((&parked["workflow"], &parked["cause"]), (&json!("probe"), &json!("undecided")), "{parked:#}");
    assert!(parked["text"].as_str().unwrap().contains("caspian run resolve"), "{parked:#}");
    until_all_told(&site.host).await;
    let said = attention(&site).await;
    assert!(said.iter().all(|text| !text.contains("alert list")), "{said:?}");
}

#[tokio::test]
async fn a_kill_around_telling_loses_nothing_and_tells_again_under_the_same_id() {
    for (failpoint, posts) in [("run.after-finish", 1), ("alert.before-send", 1), ("alert.after-send", 2)] {
        let address = Receiver::address();
        let receiver = Receiver::start(address).await;
        let mut site = site(address, 3600).await;
        site.deploy(&deadly()).await.ok();
        site.restart_with(&format!("{failpoint}=return(kill)")).await;
        site.account.add_patient("Ada").await;
        site.host.until_dead().await;
        site.restart_with("").await;
        until_told(&receiver, "dead", 1).await;
        until_all_told(&site.host).await;
        let told = receiver.posts();
        let ids: BTreeSet<String> = told.iter().map(|post| post.json()["id"].to_string()).collect();
        // Killed right after the run died, the host may have been telling already.
        assert!(
            ids.len() == 1 && (told.len() == posts || failpoint == "run.after-finish"),
            "{failpoint}: {told:?}"
        );
    }
}

#[tokio::test]
async fn redirects_and_refusals_are_no_success() {
    let address = Receiver::address();
    let receiver = Receiver::start(address).await;
    receiver.answer(307);
    let site = site(address, 1).await;
    site.host.cli(&["alert", "test"]).await.refused("webhook: it answered 307");
    site.one_run(&deadly(), &["dead"]).await;
    until("it fails", async || {
        let untold = untold(&site.host).await;
        (untold.first()?["error"] == "webhook: it answered 307").then_some(())
    })
    .await;
    receiver.answer(500);
    until("it fails otherwise", async || {
        let untold = untold(&site.host).await;
        (untold.first()?["error"] == "webhook: it answered 500").then_some(())
    })
    .await;
    assert!(
        receiver.posts().iter().all(|post| post.head.starts_with("post /alerts ")),
        "a redirect was followed"
    );
    receiver.answer(204);
    until_all_told(&site.host).await;
}

#[tokio::test]
async fn messages_are_told_when_refused_or_unreadable_and_a_silent_caspio_when_it_goes_and_comes() {
    let address = Receiver::address();
    let receiver = Receiver::start(address).await;
    let site = site(address, 1).await;
    site.deploy(&create()).await.ok();
    let delivery = site.delivery().await;
    assert_eq!(delivery.send("{}", &[("X-Caspio-Signature", "00")]).await, 401);
    let rejected = until_told(&receiver, "rejected", 1).await.remove(0).json();
    assert_eq!(rejected["workflow"], "probe", "{rejected:#}");
    let body = "canary-9182 is no JSON";
    let signature = sign(&delivery.secret, body.as_bytes());
    assert_eq!(delivery.send(body, &[("X-Caspio-Signature", &signature)]).await, 200);
    let unparsable = until_told(&receiver, "unparsable", 1).await.remove(0).json();
    assert_eq!(unparsable["cause"], "not-json", "{unparsable:#}");

    site.account.fault("*", "*", None, json!({"Kind": "status", "Status": 503})).await;
    for _ in 0..3 {
        let _ = site.host.cli(&["connection", "check", "clinic"]).await;
    }
    let open = until_told(&receiver, "breaker-open", 1).await.remove(0).json();
    assert!(site.account.url().ends_with(open["caspio"].as_str().unwrap()), "{open:#}");
    assert!(open["tenant"].is_null() && open["cause"].is_null(), "{open:#}");
    site.account.clear_faults().await;
    until_told(&receiver, "breaker-closed", 1).await;
    until_all_told(&site.host).await;
}

#[tokio::test]
async fn a_command_gets_alerts_on_its_standard_input_without_the_hosts_environment() {
    let folder = tempfile::tempdir().unwrap();
    let (script, out) = (folder.path().join("notify"), folder.path().join("out"));
    std::fs::write(
        &script,
        format!("#!/bin/bash\n[ -e {0}.fail ] && exit 3\ncat >> {0}\nenv >> {0}.env\necho \"$@\" >> {0}.arguments\n", out.display()),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let config =
        format!("[alerts]\ncommand = [{script:?}, \"--to\", \"a b; $(touch nothing)\"]\ngroup_seconds = 1\n");
    let environment = vec![("CASPIAN_TEST_KEY".to_owned(), "canary-9182".to_owned())];
    let host = HostOptions { config, environment, ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    let fail = folder.path().join("out.fail");
    std::fs::write(&fail, "").unwrap();
    site.host.cli(&["alert", "test"]).await.refused("command: it ended with code 3");
    site.deploy(&deadly()).await.ok();
    site.account.insert("Patients", json!({"FirstName": "canary-9182", "LastName": "canary-9182"})).await;
    site.until_runs(1, &["dead"]).await;
    until("telling fails", async || {
        (untold(&site.host).await.first()?["tries"].as_u64() > Some(0)).then_some(())
    })
    .await;
    std::fs::remove_file(&fail).unwrap();
    until_all_told(&site.host).await;
    let told = std::fs::read_to_string(&out).unwrap();
    let alert: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&alert["kind"], &alert["cause"], told.lines().count()),
        (&json!("dead"), &json!("fatal"), 1),
        "{told}"
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("out.arguments")).unwrap(),
        "--to a b; $(touch nothing)\n"
    );
    let environment = std::fs::read_to_string(folder.path().join("out.env")).unwrap();
    assert!(!environment.contains("canary") && !environment.contains("CASPIAN"), "{environment}");
    assert!(!told.contains("canary"), "{told}");
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_and_runs_do_not_wait_for_it() {
    let config = "[alerts]\ncommand = [\"/bin/sleep\", \"1000\"]\ntimeout_seconds = 1\n";
    let host = HostOptions { config: config.to_owned(), ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    site.one_run(&deadly(), &["dead"]).await;
    until("it was ended", async || {
        (untold(&site.host).await.first()?["error"] == "command: it did not end in time").then_some(())
    })
    .await;
    site.still_serves().await;
}

#[tokio::test]
async fn without_a_receiver_nothing_is_kept_and_a_test_says_what_to_do() {
    let site = Site::start().await;
    site.one_run(&deadly(), &["dead"]).await;
    assert_eq!(untold(&site.host).await, Vec::<Value>::new());
    let answer = site.host.cli(&["alert", "test"]).await.refused("nobody is told of anything");
    assert!(answer.stderr.contains("alerts.webhook"), "{}", answer.stderr);
}

#[tokio::test]
async fn no_value_of_a_record_is_in_an_alert() {
    let address = Receiver::address();
    let receiver = Receiver::start(address).await;
    let site = site(address, 1).await;
    // Its failure quotes what it was asked for.
    site.deploy(
        &ManifestBuilder::probe("probe", "diverge")
            .grant("Tasks", "create")
            .setting("table", "Tasks")
            .setting("field", "Title"),
    )
    .await
    .ok();
    site.deploy(&deadly()).await.ok();
    let row =
        json!({"FirstName": "canary-9182", "LastName": "canary-9182", "Email": "canary-9182@example.com"});
    site.account.insert("Patients", row).await;
    site.until_runs(2, &["dead", "parked"]).await;
    until_told(&receiver, "dead", 1).await;
    until_told(&receiver, "parked", 1).await;
    for post in receiver.posts() {
        let text = String::from_utf8(post.body).unwrap();
        assert!(!text.contains("canary") && !text.contains("9182"), "{text}");
    }
    assert!(!site.host.log().contains(SECRET));
}
