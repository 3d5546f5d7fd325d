//! Values of records, secrets and tokens are planted as canaries; none may be found in the log at trace level, in
//! the files of the data folder, or in what commands say.

use std::path::Path;

use caspian_e2e::{Delivery, HostOptions, ManifestBuilder, Site, SiteOptions, sign};
use reqwest::Method;
use serde_json::{Value, json};

const FIRST: &str = "canaryfirst8271";
const LAST: &str = "canarylast8271";
const EMAIL: &str = "canaryemail8271@example.com";
const PHONE: &str = "canaryphone8271";
const FORGED: &str = "canaryforged8271";
const WRONG_SECRET: &str = "canarysecret8271";
const WRONG_TOKEN: &str = "canarytoken8271";
/// All of them have these in common.
const CANARY: &[&str] = &["canary", "8271"];

async fn site() -> Site {
    let host = HostOptions { log: Some("trace".to_owned()), ..HostOptions::default() };
    Site::with(SiteOptions { host, ..SiteOptions::default() }).await
}

/// What must be found nowhere.
async fn secrets(site: &Site) -> Vec<String> {
    let mut all = vec!["demo-secret".to_owned(), site.host.token().to_owned()];
    all.extend([FIRST, LAST, "canaryemail8271", PHONE, FORGED, WRONG_SECRET, WRONG_TOKEN].map(str::to_owned));
    for webhook in site.account.webhooks().await {
        let delivery = Delivery::of(&webhook);
        all.push(delivery.secret);
        all.push(delivery.url.rsplit('/').next().expect("the URL's id").to_owned());
    }
    let key = std::fs::read_to_string(site.host.data().join("master.key")).unwrap();
    all.push(key.trim().to_owned());
    assert!(all.iter().all(|secret| secret.len() > 10), "{}", all.len());
    all
}

/// The forms in which a text could be written: as it is, in hex, and as a list of bytes.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let bytes: Vec<String> = secret.bytes().map(|b| b.to_string()).collect();
    vec![secret.as_bytes().to_vec(), hex::encode(secret).into_bytes(), bytes.join(", ").into_bytes()]
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn assert_none(place: &str, content: &[u8], secrets: &[String]) {
    for (number, secret) in secrets.iter().enumerate() {
        for form in forms(secret) {
            // Not the secret itself, which a failing test must not print either.
            assert!(!holds(content, &form), "secret {number} ({:.9}…) is in {place}", secret);
        }
    }
    // An access token of the emulator: 300 characters without a break.
    let long = content.split(|b| !b.is_ascii_alphanumeric() && *b != b'-' && *b != b'_');
    assert!(long.map(<[u8]>::len).all(|n| n < 250), "something like an access token is in {place}");
}

/// Every file below a folder, but those whose purpose is to hold a secret, and components.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name().display().to_string());
        if path.is_dir() {
            if name != "components" && name != "compiled" {
                files(&path, found);
            }
        } else if name != "master.key" && name != "admin.token" {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

fn search(site: &Site, secrets: &[String]) {
    let log = site.host.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is detailed");
    assert_none("the log", log.as_bytes(), secrets);
    let mut found = Vec::new();
    files(&site.host.data(), &mut found);
    assert!(found.iter().any(|(name, _)| name.ends_with("caspian.db")));
    for (name, content) in found {
        assert_none(&name, &content, secrets);
    }
}

fn patients() -> ManifestBuilder {
    ManifestBuilder::probe("spread", "spread")
        .grant("Contacts", "read create update delete")
        .grant("Tasks", "read create update delete")
}

fn retried(name: &str, mode: &str) -> ManifestBuilder {
    ManifestBuilder::probe(name, mode).sections("[retry]\nattempts = 2\ninitial_seconds = 0.05\n")
}

async fn add_canary(site: &Site) {
    let row = json!({"FirstName": FIRST, "LastName": LAST, "Email": EMAIL, "Phone": PHONE});
    site.account.insert("Patients", row).await;
}

/// What is said to the guest about its mistakes holds no value, and says what is wrong.
fn check_errors(run: &Value) {
    let result = run["result"].as_str().unwrap();
    for (call, part) in [
        ("create", "ok"),
        ("conflict", "Unique"),
        ("list", "ok"),
        ("update", "ok"),
        ("upsert", "ok"),
        ("wrong-number", "PatientId"),
        ("wrong-date", "DueDate"),
        ("too-long", "Title"),
        ("wrong-criteria", "PatientId"),
        ("wrong-order", "field"),
        ("quoted", "ok"),
        ("no-table", "[grants]"),
        ("no-field", "NoSuchField"),
        ("delete", "ok"),
    ] {
        let line = result.lines().find_map(|line| line.strip_prefix(&format!("{call}: ")));
        let line = line.unwrap_or_else(|| panic!("no {call} in: {result}"));
        assert!(line.contains(part), "{call}: '{part}' is not in: {line}");
        // A name that the guest made up is shown back to it; a value never.
        if call != "wrong-order" {
            assert!(!CANARY.iter().all(|part| line.contains(part)), "{call} shows a value: {line}");
        }
    }
}

#[tokio::test]
async fn no_value_of_a_record_is_in_the_log_or_readable_in_the_store() {
    let mut site = site().await;
    site.deploy(&retried("leak", "leak")).await.ok();
    site.deploy(&retried("leak-panic", "leak").setting("then_panic", "yes")).await.ok();
    site.deploy(&patients()).await.ok();
    site.deploy(&ManifestBuilder::probe("values", "values")).await.ok();
    site.deploy(&ManifestBuilder::probe("remember", "remember").grants("state = true")).await.ok();
    add_canary(&site).await;
    let runs = site.until_runs(5, &["succeeded", "dead"]).await;
    for run in &runs {
        match run["workflow"].as_str().unwrap() {
            "leak-panic" => {
                assert_eq!((&run["state"], &run["cause"]), (&json!("dead"), &json!("trap")));
                assert!(run["failure"].as_str().unwrap().contains(FIRST), "the panic's text is with the run");
            }
            "spread" => check_errors(run),
            "leak" => {
                let output = run["output"].to_string();
                for source in ["debug", "info", "warn", "error", "stdout", "stderr"] {
                    assert!(output.contains(&format!(r#""source":"{source}""#)), "{source} is kept");
                }
                assert!(output.contains(FIRST) && run["result"].as_str().unwrap().contains(EMAIL));
            }
            _ => assert_eq!(run["state"], "succeeded"),
        }
    }
    let kept = site.host.cli(&["workflow", "state", "get", "remember", FIRST]).await.ok();
    assert!(kept.stdout.contains(EMAIL), "{}", kept.stdout);
    let secrets = secrets(&site).await;
    search(&site, &secrets);
    assert_eq!(site.host.terminate().await, 0);
    search(&site, &secrets);
}

#[tokio::test]
async fn values_are_shown_only_when_asked_for_and_that_is_audited() {
    let site = site().await;
    let run = site.one_run(&patients(), &["succeeded"]).await;
    let id = run["id"].as_str().unwrap();
    assert!(!run["steps"].to_string().contains("ada@example.com"), "steps hide values");
    assert!(run["steps"][0]["request"].is_null());
    let list = site.host.cli(&["run", "list"]).await.ok();
    assert!(!list.stdout.contains("Ada"), "{}", list.stdout);
    let audited = || {
        let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
        let count = "SELECT count(*) FROM audit WHERE action = 'run.show-values'";
        database.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(audited(), 0);
    let shown = site.host.cli(&["run", "show", id, "--values", "--json"]).await.json();
    assert!(shown["steps"][0]["request"].to_string().contains("ada@example.com"), "{shown:#}");
    let text = site.host.cli(&["run", "show", id, "--values"]).await.ok();
    assert!(text.stdout.contains("ada@example.com"), "{}", text.stdout);
    assert_eq!(audited(), 2);
}

#[tokio::test]
async fn broken_and_forged_messages_leave_no_trace_of_what_they_hold() {
    let site = site().await;
    site.deploy(&ManifestBuilder::probe("leak", "leak")).await.ok();
    let delivery = Delivery::of(&site.account.webhooks().await[0]);
    let sane = delivery.message("forged", json!([{"PK_ID": 1, "FirstName": FORGED}]));
    assert_eq!(delivery.send(sane.to_string(), &[]).await, 401, "unauthentic");
    let header = [("X-Caspio-Signature", FORGED), ("Authorization", FORGED), ("Cookie", FORGED)];
    assert_eq!(delivery.send(sane.to_string(), &header).await, 401, "wrongly signed");
    let mut with_secret = sane.clone();
    with_secret["secret"] = json!(FORGED);
    assert_eq!(delivery.send(with_secret.to_string(), &[]).await, 401, "wrong secret");
    let nowhere = Delivery { url: format!("{}/hooks/{FORGED}", site.host.url()), ..delivery.clone() };
    assert_eq!(nowhere.send(sane.to_string(), &[]).await, 404);
    for body in [
        format!("{{\"data\": \"{FORGED}"),
        format!("[\"{FORGED}\"]"),
        delivery.message("shape", json!(FORGED)).to_string(),
        delivery.message("rows", json!([FORGED, 7, null])).to_string(),
        delivery
            .message("kinds", json!([{"PK_ID": FORGED, "Balance": FORGED, "DateOfBirth": FORGED}]))
            .to_string(),
    ] {
        let signature = sign(&delivery.secret, body.as_bytes());
        assert_eq!(delivery.send(body, &[("X-Caspio-Signature", &signature)]).await, 200);
    }
    site.still_serves().await;
    search(&site, &secrets(&site).await);
}

#[tokio::test]
async fn refusals_repeat_no_secret() {
    let site = site().await;
    let url = site.account.url();
    let mut said = Vec::new();
    let add =
        ["connection", "add", "second", "--url", &url, "--client-id", "demo-client", "--client-secret-stdin"];
    said.push(site.host.cli_with_input(&add, WRONG_SECRET).await.refused("refused the credentials"));
    let answer = site.host.cli(&["run", "list", "--token", WRONG_TOKEN]).await;
    said.push(answer.refused("the token is missing or not known"));
    let with_user = url.replace("http://", &format!("http://user:{WRONG_SECRET}@"));
    let add =
        ["connection", "add", "third", "--url", &with_user, "--client-id", "x", "--client-secret-stdin"];
    said.push(site.host.cli_with_input(&add, WRONG_SECRET).await.refused("user name or password"));

    // Bodies of the wrong shape: a library's own message would quote them.
    for (path, body) in [
        (
            "connections",
            json!({"name": "x", "url": url, "client_id": "x", "client_secret": 8_271_827_182_718_271_u64}),
        ),
        ("connections", json!({"name": "x", "url": url, "client_id": "x", WRONG_SECRET: "x"})),
        ("workflows", json!({"manifest": "", "component": "", "activate": WRONG_SECRET})),
        ("workflows", json!({"manifest": "", "component": WRONG_SECRET})),
        ("workflows", json!({"manifest": format!("[settings]\nx = {WRONG_SECRET}"), "component": ""})),
    ] {
        let error = site.host.refusal(site.host.api(Method::POST, path).json(&body)).await;
        assert!(!format!("{error:?}").contains("8271"), "{error:?}");
    }
    let broken = format!("{{\"client_secret\": \"{WRONG_SECRET}\", ");
    let call =
        site.host.api(Method::POST, "connections").header("content-type", "application/json").body(broken);
    site.host.refusal(call).await.is("bad-request", "not the JSON");

    let mut secrets = secrets(&site).await;
    secrets.push("8271827182718271".to_owned());
    for answer in said {
        assert_none("standard error", answer.stderr.as_bytes(), &secrets);
        assert_none("standard output", answer.stdout.as_bytes(), &secrets);
    }
    search(&site, &secrets);
}

#[tokio::test]
async fn no_filter_makes_a_library_log_what_it_carries() {
    let log = Some(
        "trace,hyper=trace,hyper_util=trace,h2=trace,reqwest=trace,axum=trace,rusqlite=trace".to_owned(),
    );
    let environment = vec![("CASPIAN_LOG_FORMAT".to_owned(), "json".to_owned())];
    let host = HostOptions { log, environment, ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    site.deploy(&patients()).await.ok();
    add_canary(&site).await;
    site.until_runs(1, &["succeeded"]).await;
    let body = json!({"manifest": "", "component": "", "activate": WRONG_SECRET});
    site.host.refusal(site.host.api(Method::POST, "workflows").json(&body)).await;
    assert!(site.host.log().lines().all(|line| line.starts_with('{')), "lines are JSON");
    search(&site, &secrets(&site).await);
}
