//! Rounds of SIGKILL during load, at moments that chance chooses; then everything is compared with what
//! Caspio knows. `CASPIAN_CAMPAIGN_ROUNDS` sets how many (default 20), `CASPIAN_CAMPAIGN_SEED` repeats a choice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use caspian_e2e::{ManifestBuilder, Site, SiteOptions, repository, until};
use serde_json::{Value, json};

/// Points at which a round may end; the others end at any moment.
const POINTS: [&str; 12] = [
    "ingress.before-commit",
    "ingress.after-commit",
    "scheduler.before-claim",
    "scheduler.after-claim",
    "journal.before-intent",
    "journal.after-intent",
    "effect.before-send",
    "effect.after-send",
    "journal.before-result",
    "journal.after-result",
    "run.before-finish",
    "run.after-finish",
];

/// The probe writes three tasks a patient, marked with its key; onboarding a task and a contact.
async fn deploy(site: &Site) {
    let marker = ManifestBuilder::probe("marker", "create")
        .grant("AuditTrail", "create")
        .setting("table", "AuditTrail")
        .setting("field", "Details")
        .setting("count", "3");
    site.deploy(&marker).await.ok();
    site.deploy(
        &ManifestBuilder::probe("reader", "list").grant("Contacts", "read").setting("table", "Contacts"),
    )
    .await
    .ok();
    let onboarding = repository().join("plugins/patient-onboarding/workflow.toml");
    site.host.cli(&["deploy", &onboarding.display().to_string(), "--activate"]).await.ok();
}

/// A small generator of our own, so that a seed repeats the choices.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let given = std::env::var("CASPIAN_CAMPAIGN_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
        println!("CASPIAN_CAMPAIGN_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

async fn all_runs(site: &Site) -> Vec<Value> {
    let mut runs: Vec<Value> = Vec::new();
    loop {
        let mut arguments = vec!["run", "list", "--json", "--limit", "1000"];
        let last = runs.last().map(|run| run["id"].as_str().unwrap().to_owned());
        if let Some(last) = &last {
            arguments.extend(["--before", last]);
        }
        let page = site.host.cli(&arguments).await.json();
        let page = page.as_array().unwrap();
        runs.extend(page.iter().cloned());
        if page.len() < 1000 {
            return runs;
        }
    }
}

/// Patients come in all the time.
async fn people(account: &caspian_e2e::Account, stop: &AtomicBool) {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        account.add_patient(&format!("Campaign {count}")).await;
        count += 1;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
}

/// Starts the host with a point to die at or not, lets it work, and kills it.
async fn rounds(host: &mut caspian_e2e::Host, chance: &mut Chance) {
    let rounds: u32 =
        std::env::var("CASPIAN_CAMPAIGN_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    for round in 0..rounds {
        let point = usize::try_from(chance.below(2 * POINTS.len() as u64)).unwrap();
        let failpoint = match POINTS.get(point) {
            Some(point) => format!("{point}={}*off->return(kill)", 1 + chance.below(30)),
            None => String::new(),
        };
        host.options().failpoints.clone_from(&failpoint);
        host.try_start().await;
        // How long it works does not matter to what must be true afterwards.
        let ends = tokio::time::Instant::now() + Duration::from_millis(200 + chance.below(1500));
        while host.is_running() && tokio::time::Instant::now() < ends {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("round {round}: {failpoint} {}", if host.is_running() { "killed" } else { "died" });
        host.kill().await;
    }
}

#[tokio::test]
async fn killed_again_and_again_under_load_nothing_is_lost_and_nothing_done_twice() {
    let account = |settings: &mut caspio_emulator::Settings| {
        settings.duplicate_probability = 0.2;
        settings.reorder_probability = 0.2;
    };
    let mut site = Site::with(SiteOptions { account: Some(account), ..Default::default() }).await;
    deploy(&site).await;
    let mut chance = Chance::new();
    let stop = AtomicBool::new(false);
    let killing = async {
        rounds(&mut site.host, &mut chance).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(killing, people(&site.account, &stop));

    site.restart_with("").await;
    until("Caspio has delivered all messages", async || {
        (site.account.get("messages/summary").await["Queued"] == 0).then_some(())
    })
    .await;
    let unfinished = async |site: &Site| {
        let mut left = 0;
        for state in ["queued", "running", "sleeping"] {
            let runs = site.host.cli(&["run", "list", "--json", "--state", state]).await.json();
            left += runs.as_array().unwrap().len();
        }
        left
    };
    until("all runs have come to an end", async || (unfinished(&site).await == 0).then_some(())).await;

    let (messages, runs) = (site.account.messages().await, all_runs(&site).await);
    assert!(messages.iter().all(|message| message["State"] == "delivered"));
    each_message_has_its_run(&messages, &runs);
    let parked = finished_or_undecided(&site, &runs).await;
    let (audit, tasks) = (site.account.rows("AuditTrail").await, site.account.rows("Tasks").await);
    nothing_twice(&audit, "Details");
    nothing_twice(&tasks[1..], "PatientId");
    nothing_twice(&site.account.rows("Contacts").await, "Email");
    what_succeeded_is_there(&runs, &audit, &tasks);
    println!(
        "{} messages, {} runs, {parked} parked, {} records",
        messages.len(),
        runs.len(),
        audit.len() + tasks.len()
    );
    assert!(messages.len() > 30, "there was load: {}", messages.len());
}

fn each_message_has_its_run(messages: &[Value], runs: &[Value]) {
    let mut of_message: HashMap<&str, usize> = HashMap::new();
    for run in runs {
        *of_message.entry(run["message_id"].as_str().unwrap()).or_default() += 1;
    }
    for message in messages {
        let rows = message["PkIds"].as_array().unwrap().len();
        let id = message["MessageId"].as_str().unwrap();
        assert_eq!(of_message.remove(id), Some(rows), "{message}");
    }
    assert!(of_message.is_empty(), "runs without a message: {of_message:?}");
}

/// Every run succeeded, or is parked on exactly a create whose result is not known. Answers how many are parked.
async fn finished_or_undecided(site: &Site, runs: &[Value]) -> usize {
    let mut parked = 0;
    for run in runs.iter().filter(|run| run["state"] != "succeeded") {
        let shown = site.run(run["id"].as_str().unwrap()).await;
        assert_eq!((&shown["state"], &shown["cause"]), (&json!("parked"), &json!("undecided")), "{shown:#}");
        let steps = shown["steps"].as_array().unwrap();
        let (last, before) = steps.split_last().unwrap();
        assert!(
            ["records.create", "records.upsert"].contains(&last["action"].as_str().unwrap()),
            "{shown:#}"
        );
        assert_eq!(last["state"], "intent", "{shown:#}");
        assert!(before.iter().all(|step| step["state"] == "done"), "{shown:#}");
        parked += 1;
    }
    parked
}

fn nothing_twice(rows: &[Value], field: &str) {
    let mut seen: HashMap<String, &Value> = HashMap::new();
    for row in rows {
        if let Some(other) = seen.insert(row[field].to_string(), row) {
            panic!("twice: {row} and {other}");
        }
    }
}

fn what_succeeded_is_there(runs: &[Value], audit: &[Value], tasks: &[Value]) {
    for run in runs.iter().filter(|run| run["state"] == "succeeded") {
        let id = run["pk_id"].as_i64().unwrap();
        match run["workflow"].as_str().unwrap() {
            "marker" => {
                for n in 0..3 {
                    let marker = format!("{id}-{n}");
                    assert!(audit.iter().any(|row| row["Details"] == marker), "{marker} is missing: {run}");
                }
            }
            "patient-onboarding" => assert!(tasks.iter().any(|row| row["PatientId"] == id), "{run}"),
            _ => {}
        }
    }
}
