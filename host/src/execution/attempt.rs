//! From a claimed run to its new state.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tracing::Instrument as _;

use crate::accounts::{ConnectError, Connector, KeyError, Keyring};
use crate::caspio::{CallContext, Caspio};
use crate::clock::{self, Time};
use crate::journal::{Journal, JournalError, Opened};
use crate::manifest::{Manifest, Stale};
use crate::model::{Cause, Event, RunId, RunState, WorkflowId};
use crate::runtime::{
    AttemptInput, AttemptReport, ComponentDigest, OutputLine, Prepared, Runtime, WallBudget,
};
use crate::secrets::DataKey;
use crate::store::{ClaimedRun, Counted, Finish, JournalWrite, Lineage, NewOutput, Store, StoreError};
use crate::telemetry;

use super::feed::{Change, Feed};
use super::outcome::{Tries, Verdict};
use super::pace::Pace;
use super::perform::{Origin, Performer};
use super::retry::RetrySettings;
use super::schemas::Schemas;
use super::state::{KeptState, StateSettings};
use super::steps::{End, RunSteps, Waits};

/// First and longest pause between tries of committing the end of an attempt.
const COMMIT_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Parsed manifests kept; each is a few KiB.
const MANIFESTS: u64 = 2_000;

/// When a run is tried again that the store could not serve.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What an executor works with.
pub struct ExecutorParts {
    /// Where runs are kept.
    pub store: Arc<dyn Store>,
    /// Keys.
    pub keys: Keyring,
    /// Runs components.
    pub runtime: Runtime,
    /// Clients of connections.
    pub connector: Connector,
    /// Fields of tables.
    pub schemas: Arc<Schemas>,
    /// Folder of the components, `{digest}.wasm`.
    pub components: PathBuf,
    /// Waits and limits of retries.
    pub retry: RetrySettings,
    /// How much a workflow may keep.
    pub state: StateSettings,
    /// Told of every change.
    pub feed: Feed,
    /// Name of this host in leases.
    pub owner: String,
    /// Told when runs are due that waited for a write.
    pub wake: Arc<Notify>,
}

/// Executes attempts. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    parts: Arc<ExecutorParts>,
    manifests: moka::future::Cache<(WorkflowId, u32), Arc<Manifest>>,
    pace: Arc<Pace>,
}

/// Why an attempt could not be begun.
enum NotBegun {
    /// The store or a key failed.
    Internal(JournalError),
    /// This verdict is due at once.
    Verdict(Box<Verdict>),
}

impl From<KeyError> for NotBegun {
    fn from(error: KeyError) -> Self {
        Self::Internal(match error {
            KeyError::Store(e) => e.into(),
            KeyError::Seal(e) => e.into(),
        })
    }
}

impl From<StoreError> for NotBegun {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

/// All that an attempt needs, opened.
struct Begun {
    manifest: Arc<Manifest>,
    prepared: Arc<Prepared>,
    input: AttemptInput,
    steps: RunSteps,
    data_key: DataKey,
}

impl Executor {
    /// An executor of these parts.
    #[must_use]
    pub fn new(parts: ExecutorParts) -> Self {
        Self { parts: Arc::new(parts), manifests: moka::future::Cache::new(MANIFESTS), pace: Arc::default() }
    }

    /// What it works with.
    #[must_use]
    pub fn parts(&self) -> &ExecutorParts {
        &self.parts
    }

    /// Executes one attempt of a run that this host has claimed, and commits its new state. When `stop`
    /// says true, the attempt ends where it is, and the run is handed back.
    pub async fn execute(&self, run: ClaimedRun, stop: watch::Receiver<bool>) {
        let span = tracing::info_span!("run", run = %run.id, workflow = %run.workflow_name);
        if let Some(trace) = &run.trace {
            telemetry::follow(&span, trace);
        }
        async {
            let id = run.id;
            self.announce(&run, RunState::Running, None);
            let started = std::time::Instant::now();
            metrics::gauge!("caspian_attempts_running").increment(1);
            let finish = match self.attempt(&run, stop).await {
                Ok(finish) => finish,
                Err(error) => match handed_back(&error) {
                    Some(finish) => {
                        tracing::error!(%error, state = %finish.state, "the attempt could not be carried through");
                        finish
                    }
                    None => {
                        metrics::gauge!("caspian_attempts_running").decrement(1);
                        return;
                    }
                },
            };
            let (state, cause) = (finish.state, finish.cause);
            metrics::gauge!("caspian_attempts_running").decrement(1);
            metrics::histogram!("caspian_attempt_seconds").record(started.elapsed());
            let why = cause.map_or("", Cause::as_str);
            metrics::counter!("caspian_attempts_total", "state" => state.as_str(), "cause" => why).increment(1);
            if self.commit(id, finish).await {
                self.announce(&run, state, cause);
            }
        }
        .instrument(span)
        .await;
    }

    /// Parks a run whose attempt can't say any more what became of it.
    pub async fn park(&self, run: RunId, cause: Cause) {
        self.commit(run, unsaid(RunState::Parked, cause, None)).await;
    }

    fn announce(&self, run: &ClaimedRun, state: RunState, cause: Option<Cause>) {
        self.parts.feed.announce(Change {
            tenant: run.tenant.clone(),
            at: Time::now().to_string(),
            workflow: run.workflow_name.clone(),
            run: run.id,
            state,
            cause,
        });
    }

    async fn attempt(&self, run: &ClaimedRun, stop: watch::Receiver<bool>) -> Result<Finish, JournalError> {
        let data_key = self.data_key(run).await?;
        let begun = match self.begin(run, data_key.clone(), stop).await {
            Ok(begun) => begun,
            Err(NotBegun::Internal(error)) => return Err(error),
            Err(NotBegun::Verdict(verdict)) => {
                return finish(&data_key, run.id, *verdict, JournalWrite::default(), None);
            }
        };
        let Begun { manifest, prepared, input, steps, data_key } = begun;
        let (report, mut steps) = self.parts.runtime.attempt(&prepared, input, steps).await;
        let AttemptReport { outcome, output, output_truncated, .. } = report;
        let (journal, left) = steps.settle().await;
        let tries = Tries { retry: &manifest.retry, before: run.attempts };
        let mut verdict = match left {
            // An effect that outlived its guest ended in a way that decides about the run.
            Some(end @ (End::Undecided { .. } | End::Journal(_))) => tries.ended(end)?,
            _ => tries.judge(outcome)?,
        };
        let mut pending = JournalWrite::default();
        if let Some(mut journal) = journal {
            match verdict.state {
                RunState::Succeeded => {
                    if let Some(divergence) = journal.uncalled()? {
                        verdict = Verdict::diverged(&divergence);
                    }
                }
                // An effect whose end is not known must not be buried with its run.
                RunState::Dead => {
                    if let Some((number, action)) = journal.open_intent() {
                        let why = verdict.failure.take().unwrap_or_default();
                        verdict = Verdict::undecided(number, action, false);
                        verdict.failure =
                            verdict.failure.map(|text| format!("{text} (the run itself failed: {why})"));
                    }
                }
                _ => {}
            }
            pending = journal.take_pending();
        }
        finish(&data_key, run.id, verdict, pending, Some((output, output_truncated)))
    }

    async fn data_key(&self, run: &ClaimedRun) -> Result<DataKey, JournalError> {
        let tenant = self.parts.keys.tenant(&run.tenant).await.map_err(|e| match e {
            KeyError::Store(e) => JournalError::from(e),
            KeyError::Seal(e) => e.into(),
        })?;
        Ok(tenant.unwrap_data_key(run.message.as_bytes(), &run.wrapped_key)?)
    }

    async fn begin(
        &self,
        run: &ClaimedRun,
        data_key: DataKey,
        stop: watch::Receiver<bool>,
    ) -> Result<Begun, NotBegun> {
        let parts = &self.parts;
        let sealed = |e: crate::secrets::SealError| NotBegun::Internal(e.into());
        let damaged = || NotBegun::Internal(StoreError::Corrupt("a typed event".to_owned()).into());
        let typed =
            data_key.open("events", "typed", run.event.as_bytes(), &run.sealed_typed).map_err(sealed)?;
        let event: Arc<Event> = serde_json::from_slice(&typed).map(Arc::new).map_err(|_| damaged())?;
        let seed = data_key.open("runs", "seed", run.id.as_bytes(), &run.sealed_seed).map_err(sealed)?;
        let seed = <[u8; 32]>::try_from(seed.as_slice()).map_err(|_| damaged())?;

        let manifest = self.manifest(run).await?;
        self.admit(run, &manifest, &event)?;
        let tries = Tries { retry: &manifest.retry, before: run.attempts };
        let prepared = self.prepare(run, &tries).await?;
        let caspio = self.connect(run).await?;

        let opened = Journal::open(
            parts.store.clone(),
            run,
            parts.owner.clone(),
            parts.keys.tenant(&run.tenant).await?,
            data_key.clone(),
        );
        let journal = match opened.await.map_err(NotBegun::Internal)? {
            Opened::Ready(journal) => journal,
            Opened::Undecided { number, action } => {
                return Err(NotBegun::Verdict(Box::new(Verdict::undecided(number, &action, false))));
            }
        };
        let limits = manifest.limits.to_limits();
        let wall = WallBudget::new(limits.wall);
        let performer = Arc::new(Performer {
            caspio,
            schemas: parts.schemas.clone(),
            manifest: manifest.clone(),
            context: CallContext::of_run(run.workflow, run.id).holding_while_waiting({
                let wall = wall.clone();
                move || wall.pause()
            }),
            origin: Origin {
                tenant: run.tenant.clone(),
                key: parts.keys.tenant(&run.tenant).await?,
                run: run.id,
                event: event.clone(),
            },
        });
        let waits = Waits { before: run.waiting, settings: parts.retry, progressed: false };
        let key = parts.keys.tenant(&run.tenant).await?;
        let (store, tenant) = (parts.store.clone(), run.tenant.clone());
        let state = KeptState::new(store, key, tenant, run.workflow, parts.state);
        let steps = RunSteps::new(journal, performer, state, waits, wall.clone(), parts.wake.clone());
        let input = AttemptInput {
            event_id: run.event,
            event,
            attempt: run.attempts.saturating_add(1),
            limits,
            settings: Arc::new(manifest.settings.clone()),
            seed,
            run_start: run.run_start.to_system_time(),
            wall,
            stop,
        };
        Ok(Begun { manifest, prepared, input, steps, data_key })
    }

    /// Whether a run that has not begun may begin: not at the end of a chain that is as long as it may be, and not when its
    /// record has started enough runs in this minute.
    fn admit(&self, run: &ClaimedRun, manifest: &Manifest, event: &Event) -> Result<(), NotBegun> {
        if run.attempts > 0 || run.has_steps {
            return Ok(());
        }
        let verdict = |verdict| Err(NotBegun::Verdict(Box::new(verdict)));
        let (chain, Lineage { depth, self_depth, caused_by }) = (&manifest.chain, run.lineage);
        if run.all_own
            && let Some((cause, step)) = caused_by
            && (depth > chain.max_depth || self_depth > chain.self_depth)
        {
            return verdict(Verdict::skipped(
                Cause::Loop,
                format!(
                    "run {cause} caused it by its step {step}: depth {depth} (at most {}), of which {self_depth} of this \
                     workflow (at most {}); if that is wanted, raise loop.max_depth or loop.self_depth in the manifest",
                    chain.max_depth, chain.self_depth
                ),
            ));
        }
        if let Some(newest) = run.newest_done.as_deref().filter(|newest| *newest > event.event_date.as_str())
            && manifest.order.stale == Stale::Skip
            && !event.event_date.is_empty()
        {
            return verdict(Verdict::skipped(
                Cause::Stale,
                format!(
                    "an event of the same record of {newest} is done already, and this one is of {}; if such events are \
                     to run, set order.stale = \"run\" in the manifest",
                    event.event_date
                ),
            ));
        }
        let [row] = event.rows.as_slice() else { return Ok(()) };
        let Some(pk_id) = row.pk_id() else { return Ok(()) };
        let record = (run.workflow, event.table.clone(), pk_id);
        match self.pace.admit(record, run.id, chain.record_runs_per_minute, Instant::now()) {
            Ok(()) => Ok(()),
            Err(wait) => verdict(Verdict::later(Cause::RecordPace, wait, run.waiting)),
        }
    }

    /// A version's manifest never changes: it is parsed once.
    async fn manifest(&self, run: &ClaimedRun) -> Result<Arc<Manifest>, NotBegun> {
        let key = (run.workflow, run.version.number);
        let parsed = async { Manifest::parse(&run.version.manifest).map(Arc::new) };
        self.manifests
            .try_get_with(key, parsed)
            .await
            .map_err(|e| NotBegun::Verdict(Box::new(Verdict::dead(Cause::Component, e.to_string()))))
    }

    async fn prepare(&self, run: &ClaimedRun, tries: &Tries<'_>) -> Result<Arc<Prepared>, NotBegun> {
        let digest = ComponentDigest(run.version.component);
        let file = self.parts.components.join(format!("{digest}.wasm"));
        self.parts.runtime.prepare(&digest, &file).await.map_err(|e| {
            tracing::warn!(error = %e, "the component can't be loaded");
            let verdict = tries.again(Cause::Component, Cause::Component, e.to_string(), Duration::ZERO);
            NotBegun::Verdict(Box::new(verdict))
        })
    }

    async fn connect(&self, run: &ClaimedRun) -> Result<Arc<Caspio>, NotBegun> {
        self.parts.connector.connect(run.connection).await.map_err(|error| match error {
            ConnectError::Key(error) => error.into(),
            gone => NotBegun::Verdict(Box::new(Verdict::dead(Cause::Connection, gone.to_string()))),
        })
    }

    /// Commits the end of an attempt, however long the store needs for it. False when the run isn't ours any more.
    async fn commit(&self, run: RunId, finish: Finish) -> bool {
        let mut pause = COMMIT_PAUSE.0;
        let sleeps = finish.state == RunState::Sleeping;
        loop {
            let full =
                crate::faults::hit("run.before-finish") || (sleeps && crate::faults::hit("run.before-sleep"));
            let committed = match full {
                true => Err(StoreError::Full),
                false => self.parts.store.finish(run, &self.parts.owner, finish.clone()).await,
            };
            match committed {
                Ok(()) => {
                    let cause = finish.cause.map(|c| c.as_str());
                    tracing::info!(state = %finish.state, cause, "attempt ended");
                    if sleeps {
                        crate::faults::pass("run.after-sleep");
                    }
                    crate::faults::pass("run.after-finish");
                    return true;
                }
                Err(e) if e.is_transient() => {
                    tracing::warn!(code = e.code(), "the run's state is not committed yet; trying again");
                    clock::sleep(pause).await;
                    pause = (pause * 2).min(COMMIT_PAUSE.1);
                }
                Err(e) => {
                    tracing::error!(code = e.code(), "the run's state can't be committed");
                    return false;
                }
            }
        }
    }
}

/// The state of a run whose attempt was broken off by the store or a key: nothing of the attempt is
/// written, so what it did is as if the process had died here. None when the run isn't ours any more.
fn handed_back(error: &JournalError) -> Option<Finish> {
    let (state, cause, next_at) = match error {
        JournalError::Store(StoreError::LeaseLost | StoreError::Closed) => return None,
        JournalError::Store(e) if e.is_transient() => {
            (RunState::Queued, Cause::Store, Some(Time::now().after(STORE_PAUSE)))
        }
        _ => (RunState::Parked, Cause::Damaged, None),
    };
    Some(unsaid(state, cause, next_at))
}

/// An end without anything to say.
fn unsaid(state: RunState, cause: Cause, next_at: Option<Time>) -> Finish {
    Finish {
        state,
        cause: Some(cause),
        next_at,
        counted: Counted::Wakeup,
        waiting: None,
        sealed_result: None,
        sealed_failure: None,
        output: None,
        journal: JournalWrite::default(),
        at: Time::now(),
    }
}

/// Seals a verdict.
fn finish(
    key: &DataKey,
    run: RunId,
    verdict: Verdict,
    journal: JournalWrite,
    output: Option<(Vec<OutputLine>, bool)>,
) -> Result<Finish, JournalError> {
    let seal = |table: &str, column: &str, text: &[u8]| key.seal(table, column, run.as_bytes(), text);
    let text = |column: &str, text: &Option<String>| {
        text.as_ref().map(|t| seal("runs", column, t.as_bytes())).transpose()
    };
    let output = match output {
        Some((lines, truncated)) if truncated || !lines.is_empty() => {
            let plain = serde_json::to_vec(&lines)
                .map_err(|_| StoreError::Corrupt("output without JSON".to_owned()))?;
            Some(NewOutput { sealed_lines: seal("run_output", "lines", &plain)?, truncated })
        }
        _ => None,
    };
    Ok(Finish {
        state: verdict.state,
        cause: verdict.cause,
        next_at: verdict.next_at,
        counted: verdict.counted,
        waiting: verdict.waiting,
        sealed_result: text("result", &verdict.result)?,
        sealed_failure: text("failure", &verdict.failure)?,
        output,
        journal,
        at: Time::now(),
    })
}
