//! A schedule: what people do, what goes wrong meanwhile, and what came out.

use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::faults::{Delivery, End, Faults, Network};
use crate::kinds::{self, KINDS, Kind};
use crate::run::Life;
use crate::verdict::Outcome;

/// So many different workloads a campaign has; each is done once without faults, to compare with.
pub const WORKLOADS: u64 = 16;

/// What a person does in Caspio.
#[derive(Debug, Clone, Copy)]
enum Act {
    AddPatient,
    ChangeVisit(usize),
    DeleteVisit(usize),
}

/// Workflows, and what people do that starts them.
#[derive(Debug, Clone)]
pub struct Workload {
    pub kinds: Vec<Kind>,
    acts: Vec<Act>,
}

impl Workload {
    /// Workload `number` of a campaign.
    pub fn draw(seed: u64, number: u64) -> Self {
        let mut chance = Chance::of(seed, u64::MAX - number);
        let ordinary: Vec<&str> =
            KINDS.iter().map(|kind| kind.name).filter(|name| !["ticker", "chained"].contains(name)).collect();
        // Every kind gets its turn.
        let turn = usize::try_from(number).expect("small") % ordinary.len();
        let mut names = vec![ordinary[turn]];
        names.extend(chance.some(2, &ordinary).into_iter().filter(|name| *name != ordinary[turn]));
        if names.contains(&"chain") {
            names.push("chained");
        }
        // Mostly few, so that a schedule is short; now and then a crowd.
        let patients = if number % 8 == 7 { 25 } else { 2 + chance.below(3) };
        let mut acts = vec![Act::AddPatient; patients];
        for n in 1..=2 {
            if names.contains(&"touch") {
                acts.insert(chance.below(acts.len()), Act::ChangeVisit(n));
            }
            if names.contains(&"gone") {
                acts.insert(chance.below(acts.len()), Act::DeleteVisit(5 + n));
            }
        }
        Self { kinds: names.into_iter().map(kinds::kind).collect(), acts }
    }

    pub fn acts(&self) -> usize {
        self.acts.len()
    }
}

/// What came of a schedule.
#[derive(Debug, Default)]
pub struct Report {
    pub outcome: Outcome,
    /// Faults that were hit.
    pub hits: Vec<String>,
    /// Faults that were never reached.
    pub missed: usize,
    /// Runs that people had to resolve.
    pub parked: usize,
    /// What is wrong: "lost: …", "doubled: …", "diverged: …".
    pub wrong: Vec<String>,
}

/// Everything that a schedule needs from outside.
pub struct Surroundings<'a> {
    /// When the campaign began, in microseconds since 1970.
    pub start: i64,
    /// Compiled code of the components.
    pub compiled: Option<&'a Path>,
    /// Whether its folder is kept.
    pub keep: bool,
}

/// Carries a schedule out. Without a reference it is one itself, and has no faults.
pub async fn carry_out(
    workload: &Workload,
    faults: &Faults,
    around: &Surroundings<'_>,
    reference: Option<&Outcome>,
) -> Result<Report> {
    let mut all = workload.kinds.clone();
    if faults.ticks {
        all.push(kinds::kind("ticker"));
    }
    let mut life = Life::new(all, around.start, around.compiled, faults.deploy.clone()).await?;
    let report = go_through(&mut life, workload, faults, reference).await;
    if around.keep {
        println!("kept: {}", life.keep());
    }
    report
}

async fn go_through(
    life: &mut Life,
    workload: &Workload,
    faults: &Faults,
    reference: Option<&Outcome>,
) -> Result<Report> {
    if let Some(fault) = &faults.webhooks {
        life.strike(fault).await;
    }
    life.deploy_all().await?;
    set_up(life, faults).await;
    let middle = faults.operation.as_ref().filter(|(operation, _)| operation.is_in_the_middle());
    life.points(faults.lives.clone());
    life.points(middle.and_then(|(_, point)| point.clone()).into_iter().collect());
    if life.has_points() || middle.is_some() {
        life.begin().await?;
    }
    let half = workload.acts.len() / 2;
    for (number, act) in workload.acts.iter().enumerate() {
        carry_out_act(life, number, *act).await;
        for (_, end) in faults.ends.iter().filter(|(after, _)| *after == number) {
            match end {
                _ if !life.host.is_running() => {}
                End::Kill => life.host.kill().await,
                End::Terminate => drop(life.host.terminate().await),
            }
            life.hits.push(format!("end {end:?}").to_lowercase());
            life.begin().await?;
        }
        if let Some((operation, _)) = middle.filter(|_| number == half) {
            operation.carry_out(life).await?;
        }
    }
    life.calm().await;
    life.quiet().await?;
    while life.has_points() {
        // What was not reached in its life; those to come get theirs.
        life.begin().await?;
        life.quiet().await?;
    }
    let mut wrong = if faults.ticks { ticks(life).await? } else { Vec::new() };
    let runs = life.quiet().await?;
    let parked = runs.iter().filter(|run| run["state"] == "parked").count();
    let network = faults.webhooks.iter().map(|fault| format!("webhook {}", fault.kind()));
    let network: Vec<String> = network.chain(faults.network.iter().map(Network::kind)).collect();
    let deliveries: Vec<String> =
        faults.deliveries.iter().map(|delivery| format!("delivery {delivery:?}").to_lowercase()).collect();
    life.note_hits(&network, &deliveries).await;
    life.account.clear_faults().await;
    if let Some(reference) = reference {
        wrong.extend(Outcome::of(life, &workload.kinds, &runs).await?.twice(&workload.kinds, reference));
    }
    let runs = life.resolve().await?;
    wrong.extend(runs.iter().filter_map(|run| bad_end(run, reference.is_some())));
    let outcome = Outcome::of(life, &workload.kinds, &runs).await?;
    if let Some(reference) = reference {
        wrong.extend(outcome.compare(&workload.kinds, reference));
    } else {
        ensure!(wrong.is_empty(), "without faults: {wrong:?}");
    }
    wrong.extend(webhooks(life).await?);
    if let Some((operation, point)) = faults.operation.as_ref().filter(|(it, _)| !it.is_in_the_middle()) {
        life.points(point.iter().cloned().collect());
        life.begin().await?;
        operation.carry_out(life).await?;
    }
    let expected = network.len()
        + deliveries.len()
        + faults.lives.len()
        + faults.ends.len()
        + usize::from(faults.deploy.is_some())
        + usize::from(faults.operation.as_ref().is_some_and(|(_, point)| point.is_some()));
    wrong.sort();
    wrong.dedup();
    let hits = std::mem::take(&mut life.hits);
    Ok(Report { outcome, missed: expected.saturating_sub(hits.len()), hits, parked, wrong })
}

/// The faults of the line and of deliveries are in force.
async fn set_up(life: &Life, faults: &Faults) {
    for fault in &faults.network {
        life.strike(fault).await;
    }
    for delivery in &faults.deliveries {
        life.knobs(match delivery {
            Delivery::Duplicates => json!({"DuplicateProbability": 1.0}),
            Delivery::Reordered => json!({"ReorderProbability": 0.6, "ReorderDelayMillis": 150}),
            Delivery::Impatient => json!({"TimeoutMillis": 5}),
            Delivery::Delayed => json!({"ConcurrentCalls": 1, "RetryDelaysMillis": [250]}),
        })
        .await;
    }
}

async fn carry_out_act(life: &Life, number: usize, act: Act) {
    match act {
        Act::AddPatient => {
            let row = json!({"Text": format!("Patient {number}"), "Mark": format!("patient-{number}")});
            life.account.insert("Patients", row).await;
        }
        Act::ChangeVisit(visit) => {
            life.account.update("Visits", &format!("PK_ID={visit}"), json!({"Notes": "they came"})).await;
        }
        Act::DeleteVisit(visit) => life.account.delete("Visits", &format!("PK_ID={visit}")).await,
    }
}

/// A run that did not end as it does without faults.
fn bad_end(run: &Value, faulty: bool) -> Option<String> {
    let text = |name: &str| run[name].as_str().unwrap_or_default();
    match text("state") {
        "succeeded" => None,
        // Two webhooks told of the same, or the workflow was gone before a tick's turn.
        "skipped" if faulty && ["duplicate", "inactive"].contains(&text("cause")) => None,
        _ => Some(format!(
            "diverged: run {} of {} is {} ({})",
            text("id"),
            text("workflow"),
            text("state"),
            text("cause")
        )),
    }
}

/// Every tick came once, none was left out.
async fn ticks(life: &mut Life) -> Result<Vec<String>> {
    let came = async |life: &mut Life| -> Result<Vec<String>> {
        let list = life.json(&["event", "list", "--json", "--limit", "1000"]).await?;
        let ticks = list.as_array().into_iter().flatten().filter(|event| event["from"] == "schedule");
        Ok(ticks.map(|event| event["event_date"].as_str().unwrap_or_default().to_owned()).collect())
    };
    life.until("schedules tick", async |life: &mut Life| Ok((came(life).await?.len() >= 3).then_some(())))
        .await?;
    life.command(&["workflow", "deactivate", "ticker"], &[]).await?;
    let mut ticks =
        life.until("ticks are listed", async |life: &mut Life| Ok(Some(came(life).await?))).await?;
    ticks.sort();
    let mut wrong = Vec::new();
    for pair in ticks.windows(2) {
        let second = |text: &str| text.parse::<jiff::civil::DateTime>();
        let apart = second(&pair[1])?.duration_since(second(&pair[0])?).as_secs();
        match apart {
            20 => {}
            0 => wrong.push(format!("doubled: the tick {}", pair[0])),
            _ => wrong.push(format!("lost: ticks between {} and {}", pair[0], pair[1])),
        }
    }
    Ok(wrong)
}

/// Caspio has one webhook for each that the host knows, with one event a trigger.
async fn webhooks(life: &mut Life) -> Result<Vec<String>> {
    let known = life
        .until("webhooks are listed", async |life: &mut Life| life.get("triggers").await.map(Some))
        .await?;
    let (known, made) = (known.as_array().map_or(0, Vec::len), life.account.webhooks().await);
    let mut wrong = Vec::new();
    if made.len() != known {
        wrong.push(format!("doubled: {} webhooks in Caspio, of which the host knows {known}", made.len()));
    }
    let events = |hook: &Value| hook["Events"].as_array().map_or(0, Vec::len);
    wrong.extend(
        made.iter()
            .filter(|hook| events(hook) != 1)
            .map(|hook| format!("doubled: events of a webhook: {}", events(hook))),
    );
    Ok(wrong)
}
