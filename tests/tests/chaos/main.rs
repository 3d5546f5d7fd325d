//! The fault campaign: schedules of faults, each drawn from the seed and its number, on an account and a host of its own.
//!
//! A schedule is a workload (workflows of several kinds, and what people do in Caspio that starts them) and a list of what goes
//! wrong: the host is killed or fails at points of its source, calls are cut, delayed, answered by silence, done late;
//! deliveries are doubled, reordered, delayed. It goes on until all is quiet, people resolve what is parked, and then
//! the tables are compared with those of the same workload without faults. Time of host and account runs faster
//! ([`run::FACTOR`]), so that nobody waits for back-offs.
//!
//! `make chaos N=1000 SEED=1 [SECONDS=…] [ONLY=number]`; without variables as many as fit into [`SECONDS`], at least [`LEAST`].

mod chance;
mod faults;
mod kinds;
mod operations;
mod run;
mod schedule;
mod verdict;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chance::Chance;
use faults::Faults;
use schedule::{Report, Surroundings, WORKLOADS, Workload, carry_out};
use verdict::Outcome;

/// What a campaign in `make test` may take, in seconds, and how many schedules it has at least.
const SECONDS: u64 = 150;
const LEAST: u64 = 30;
/// From so many schedules on, every point must have been hit.
const ALL_POINTS: u64 = 1000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// What the schedules so far came to.
#[derive(Default)]
struct Tally {
    schedules: u64,
    hits: BTreeMap<String, u64>,
    missed: usize,
    parked: usize,
    lost: usize,
    doubled: usize,
    diverged: usize,
}

impl Tally {
    fn add(&mut self, number: u64, seed: u64, report: &Report) {
        self.schedules += 1;
        self.missed += report.missed;
        self.parked += report.parked;
        for hit in &report.hits {
            *self.hits.entry(hit.clone()).or_default() += 1;
        }
        for wrong in &report.wrong {
            match wrong.split(':').next() {
                Some("lost") => self.lost += 1,
                Some("doubled") => self.doubled += 1,
                _ => self.diverged += 1,
            }
            println!("chaos: schedule {number}: {wrong}\n  again with: make chaos SEED={seed} ONLY={number}");
        }
    }
}

struct Campaign {
    seed: u64,
    start: i64,
    points: Vec<(String, bool)>,
    references: Vec<OnceLock<Outcome>>,
    tally: Mutex<Tally>,
}

impl Campaign {
    /// A schedule in a runtime of its own; whatever goes wrong in it is said.
    fn schedule(&self, number: u64, compiled: &Path, keep: bool) {
        let mut chance = Chance::of(self.seed, number);
        let which = number % WORKLOADS;
        let workload = Workload::draw(self.seed, which);
        let faults = Faults::draw(number, &self.points, workload.acts(), &mut chance);
        if keep {
            println!("{workload:#?}\n{faults:#?}");
        }
        let around = Surroundings { start: self.start, compiled: Some(compiled), keep };
        let report = catch_unwind(AssertUnwindSafe(|| {
            let reference = self.reference(which, compiled);
            block_on(carry_out(&workload, &faults, &around, Some(reference)))
        }));
        let report = match report {
            Ok(Ok(report)) => report,
            Ok(Err(error)) => Report { wrong: vec![format!("{error:#}")], ..Report::default() },
            Err(_) => {
                Report { wrong: vec!["lost: the schedule ended in a panic".to_owned()], ..Report::default() }
            }
        };
        self.tally.lock().expect("no panic holds it").add(number, self.seed, &report);
    }

    /// What a workload comes to without faults.
    fn reference(&self, which: u64, compiled: &Path) -> &Outcome {
        self.references[usize::try_from(which).expect("small")].get_or_init(|| {
            let around = Surroundings { start: self.start, compiled: Some(compiled), keep: false };
            let workload = Workload::draw(self.seed, which);
            let report = block_on(carry_out(&workload, &Faults::default(), &around, None));
            report.expect("a workload without faults succeeds").outcome
        })
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// The probe's code, compiled once by a host that a schedule without workflows starts.
fn compiled(start: i64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    block_on(async {
        let mut life = run::Life::new(vec![kinds::kind("reader")], start, None, None).await.expect("a host");
        life.deploy_all().await.expect("a workflow");
        for file in std::fs::read_dir(life.host.data().join("compiled")).expect("a folder") {
            let file = file.expect("it");
            std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
        }
    });
    folder
}

#[test]
fn whatever_fails_nothing_is_lost_doubled_or_diverged() {
    let (seed, only) = (number("CHAOS_SEED").unwrap_or(1), number("CHAOS_ONLY"));
    let (most, seconds) = (number("CHAOS_N"), number("CHAOS_SECONDS"));
    let least = if most.is_some() || seconds.is_some() { 0 } else { LEAST };
    let bound = seconds.or(most.is_none().then_some(SECONDS)).map(Duration::from_secs);
    let most = most.unwrap_or(u64::MAX);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_micros();
    let start = i64::try_from(since).expect("a time");
    caspio_emulator::run_faster(start, run::FACTOR);
    let campaign = Campaign {
        seed,
        start,
        points: faults::points(),
        references: (0..WORKLOADS).map(|_| OnceLock::new()).collect(),
        tally: Mutex::default(),
    };
    let code = compiled(start);
    let (began, next, over) = (Instant::now(), AtomicU64::new(0), AtomicBool::new(false));
    let lane = || {
        while !over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let late = bound.is_some_and(|bound| began.elapsed() >= bound);
            if number >= most || (late && number >= least) {
                break;
            }
            campaign.schedule(number, code.path(), false);
            if number % 50 == 49 {
                println!("chaos: {} schedules after {} s", number + 1, began.elapsed().as_secs());
            }
        }
        over.store(true, Ordering::Relaxed);
    };
    match only {
        Some(number) => campaign.schedule(number, code.path(), true),
        None => std::thread::scope(|scope| {
            // They mostly wait for processes and for each other's commits.
            let lanes = number("CHAOS_LANES").unwrap_or(4);
            for _ in 0..lanes {
                scope.spawn(lane);
            }
        }),
    }
    conclude(&campaign, began.elapsed(), only.is_some());
}

fn conclude(campaign: &Campaign, took: Duration, only: bool) {
    let tally = campaign.tally.lock().expect("no panic holds it");
    println!(
        "chaos: seed {}, {} s, {} runs resolved by people, {} faults not reached; faults hit:",
        campaign.seed,
        took.as_secs(),
        tally.parked,
        tally.missed
    );
    for (kind, count) in &tally.hits {
        println!("  {count:>6}  {kind}");
    }
    let hit =
        |name: &str| ["kill", "fail"].iter().any(|how| tally.hits.contains_key(&format!("{how} {name}")));
    let never: Vec<&str> =
        campaign.points.iter().map(|(name, _)| name.as_str()).filter(|name| !hit(name)).collect();
    if !never.is_empty() && !only {
        println!("  never hit: {}", never.join(", "));
    }
    let Tally { schedules, lost, doubled, diverged, .. } = *tally;
    let bad = lost + doubled + diverged > 0;
    let word = if bad { "failed" } else { "ok" };
    println!("chaos: {word} schedules={schedules} lost={lost} doubled={doubled} diverged={diverged}");
    assert!(!bad, "seed {}: see above", campaign.seed);
    assert!(never.is_empty() || schedules < ALL_POINTS, "points that no schedule hits: {never:?}");
}
