//! (a) Attempts a second on one thread: fresh instance, `handle`, one host call.
//!
//! The host's own `Runtime::attempt`, against the bare engine doing the same with the same component
//! in the same pool, and against a function of our own that does the same work without a sandbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use caspian::model::{Action, ActionError, Answer, Event, EventId, Limits, Row, TriggerKind, Value};
use caspian::runtime::{
    AttemptInput, AttemptOutcome, ComponentDigest, Prepared, Runtime, RuntimeSettings, Steps, WallBudget,
};
use tokio::sync::watch;

use crate::Bench;
use crate::bare::Bare;
use crate::report::{Bar, most, say};

/// How long one measurement takes.
const LONG: Duration = Duration::from_millis(1500);

/// Answers every call at once.
struct Ready;

impl Steps for Ready {
    type End = ();

    async fn step(&mut self, action: Action) -> Result<Result<Answer, ActionError>, ()> {
        match action {
            Action::GetRecord { pk_id, .. } => Ok(Ok(Answer::Record(Some(row(pk_id))))),
            _ => Err(()),
        }
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

fn row(pk_id: i64) -> Row {
    let text = |text: &str| Value::Text(text.to_owned());
    let fields = [
        ("PK_ID", Value::Integer(pk_id)),
        ("FirstName", text("Ada")),
        ("LastName", text("Byron")),
        ("Email", text("ada@example.org")),
        ("Phone", text("+1 555 0100")),
        ("Active", Value::Boolean(true)),
        ("Balance", Value::Decimal("120.5".to_owned())),
        ("Created", Value::DateTime("2026-01-05T09:00:00".to_owned())),
    ];
    Row(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

struct Host {
    runtime: Runtime,
    prepared: Arc<Prepared>,
    event: Arc<Event>,
    settings: Arc<BTreeMap<String, String>>,
    stop: watch::Receiver<bool>,
    id: EventId,
}

impl Host {
    async fn once(&self) -> anyhow::Result<()> {
        let limits = Limits {
            wall: Duration::from_secs(30),
            fuel: 1_000_000_000,
            memory: 64 << 20,
            host_calls: 1000,
            log: 256 << 10,
        };
        let input = AttemptInput {
            event_id: self.id,
            event: self.event.clone(),
            attempt: 1,
            limits,
            settings: self.settings.clone(),
            seed: [7; 32],
            run_start: SystemTime::now(),
            wall: WallBudget::new(limits.wall),
            stop: self.stop.clone(),
        };
        let (report, _) = self.runtime.attempt(&self.prepared, input, Ready).await;
        match report.outcome {
            AttemptOutcome::Succeeded(_) => Ok(()),
            other => bail!("the attempt ended otherwise: {other:?}"),
        }
    }
}

/// The same work without a sandbox: looks at the event, reads the record.
async fn native(event: &Event) -> anyhow::Result<()> {
    // A guest gets a copy of its own.
    let event = event.clone();
    let key = event.rows.first().and_then(Row::pk_id).context("a key")?;
    let action = Action::GetRecord { table: "Patients".to_owned(), pk_id: key };
    match std::hint::black_box(&mut Ready).step(action).await {
        Ok(Ok(Answer::Record(Some(row)))) => drop(std::hint::black_box(row)),
        _ => bail!("no record"),
    }
    Ok(())
}

/// How often a second.
async fn rate(mut once: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < LONG {
        for _ in 0..16 {
            once().await?;
        }
        count += 16;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

/// See the module's text.
pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("caspian-bench-").tempdir()?;
    let bytes = std::fs::read(&bench.guest)?;
    let one_thread = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut host_rates, mut bare_rates, mut native_rates) = (Vec::new(), Vec::new(), Vec::new());
    one_thread.block_on(async {
        let runtime =
            Runtime::new(RuntimeSettings::default(), folder.path().join("compiled"), bench.caspian.clone())?;
        let bare = Bare::new(runtime.engine(), &bytes)?;
        let prepared = runtime.prepare(&ComponentDigest::of(&bytes), &bench.guest).await?;
        // The sender stays: nobody says stop.
        let (_stop, stop) = watch::channel(false);
        let event = Arc::new(Event {
            kind: TriggerKind::RecordUpdate,
            connection: "clinic".to_owned(),
            table: "Patients".to_owned(),
            rows: vec![row(1)],
            event_date: "2026-01-16T19:52:55".to_owned(),
            message_id: "message".to_owned(),
            reconciled: false,
        });
        let host = Host {
            runtime,
            prepared,
            event: event.clone(),
            settings: Arc::default(),
            stop,
            id: EventId::new(),
        };
        for _ in 0..bench.rounds {
            host_rates.push(rate(async || host.once().await).await?);
            bare_rates.push(rate(async || bare.once().await).await?);
            native_rates.push(rate(async || native(&event).await).await?);
        }
        anyhow::Ok(())
    })?;
    say(&format!(
        "attempts/s: host {host_rates:.0?}, bare engine {bare_rates:.0?}, native {native_rates:.0?}"
    ));
    bench.report.add("attempt", most(&host_rates), "per_s", most(&bare_rates), Bar::RatioAtLeast(0.85));
    bench.report.add("attempt-native", most(&host_rates), "per_s", most(&native_rates), Bar::None);
    Ok(())
}
