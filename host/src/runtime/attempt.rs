//! One attempt: a fresh store, `handle`, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};

use crate::model::{Action, ActionError, Answer, Cause, Event, EventId, Limits};

use super::bindings::caspian::workflow::types::Failure;
use super::components::{Prepared, Runtime};
use super::event;
use super::guest::{CallSlot, Guest, HANDLES, LimitHit, Reply};
use super::output::{OutputLine, RunLog};
use super::wall::WallBudget;

/// Bytes of lists and strings that one call may carry into the host: a file's size, not a memory's.
const HOSTCALL_BYTES: usize = 32 << 20;
const _: () = assert!(crate::caspio::LARGEST_FILE < HOSTCALL_BYTES, "the largest file fits a call");
/// Longest text of a result or failure that is kept.
const TEXT_MAX: usize = 64 << 10;
/// How much of standard error explains a trap.
const STDERR_SHOWN: usize = 4 << 10;
/// How long a guest waits that finds no place in the pool, before it looks again.
const PLACE_PAUSE: Duration = Duration::from_millis(20);

/// Answers the calls of a guest, one after the other.
pub trait Steps: Send {
    /// Why an attempt may end in the middle of a call.
    type End: Send;

    /// The guest's next call. An `Err` ends the attempt; the guest is dropped.
    ///
    /// May be cancelled by dropping the future, when the attempt's time is up.
    fn step(
        &mut self,
        action: Action,
    ) -> impl Future<Output = Result<Result<Answer, ActionError>, Self::End>> + Send;

    /// Virtual time of the last step since the start of the run.
    fn elapsed(&self) -> Duration;
}

/// What an attempt is given.
pub struct AttemptInput {
    /// The event's id.
    pub event_id: EventId,
    /// The event.
    pub event: Arc<Event>,
    /// Which try it is, from 1.
    pub attempt: u32,
    /// What it may use.
    pub limits: Limits,
    /// Settings of the manifest.
    pub settings: Arc<BTreeMap<String, String>>,
    /// Seed of everything random.
    pub seed: [u8; 32],
    /// Start of virtual time.
    pub run_start: SystemTime,
    /// How long it may still take.
    pub wall: WallBudget,
    /// True: the attempt ends where it is, because the host does.
    pub stop: watch::Receiver<bool>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum AttemptOutcome<E> {
    /// `handle` returned ok.
    Succeeded(Option<String>),
    /// `handle` wants another try.
    Retry {
        /// Why.
        message: String,
        /// Not before so many seconds.
        delay_seconds: Option<u32>,
    },
    /// `handle` says that trying again is of no use.
    Fatal(String),
    /// A limit was reached.
    Limit {
        /// Which: one of the `Limit…` causes.
        kind: Cause,
        /// What it was and what to raise.
        text: String,
    },
    /// The guest trapped.
    Trap {
        /// Which trap. Holds no values.
        text: String,
        /// What it last wrote to standard error. May hold values: only ever stored sealed.
        sensitive: String,
    },
    /// The host is ending.
    Stopped,
    /// A call ended the attempt.
    Ended(E),
}

/// What an attempt leaves.
pub struct AttemptReport<E> {
    /// How it ended.
    pub outcome: AttemptOutcome<E>,
    /// What the guest wrote.
    pub output: Vec<OutputLine>,
    /// Something of it was cut off.
    pub output_truncated: bool,
    /// Fuel used.
    pub fuel: u64,
}

pub(super) fn log_limit_text(limits: &Limits) -> String {
    format!("the guest wrote more than {} KiB of log and output; raise limits.log_kib", limits.log >> 10)
}

/// What `handle` returned, or why it did not.
pub(super) type Handled = wasmtime::Result<Result<Option<String>, Failure>>;

enum Ended<E> {
    Handled(Handled),
    Call(E),
    Wall,
    Stopped,
}

impl Runtime {
    /// Executes `handle` once. Gives the steps back, which may still have an effect under way.
    pub async fn attempt<S: Steps>(
        &self,
        prepared: &Prepared,
        mut input: AttemptInput,
        mut steps: S,
    ) -> (AttemptReport<S::End>, S) {
        let (ended, hit, fuel, log) = loop {
            let log = RunLog::new(input.limits.log);
            let calls = CallSlot::default();
            let mut store = Store::new(self.engine(), Guest::new(&input, calls.clone(), log.clone()));
            let ended = match prepare_store(&mut store, input.limits.fuel) {
                Ok(()) => {
                    let handle = prepared
                        .handle(&mut store, event::lowered(input.event_id, &input.event, input.attempt));
                    drive(handle, &calls, &mut steps, &input.wall, &mut input.stop).await
                }
                Err(error) => Ended::Handled(Err(error)),
            };
            let fuel = input.limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
            if has_no_place(&ended) && store.data().host_calls == 0 {
                drop(store);
                let _pause = input.wall.pause();
                tokio::time::sleep(PLACE_PAUSE).await;
                continue;
            }
            let hit = store.data_mut().hit.take();
            drop(store);
            break (ended, hit, fuel, log);
        };
        log.end_lines();
        let outcome = judge(ended, hit, &log, &input.limits);
        let (output, output_truncated) = log.take();
        (AttemptReport { outcome, output, output_truncated, fuel }, steps)
    }
}

/// Others have all places of the pool, which is no fault of this guest. One comes free when a limit ends
/// the longest of them, since the pool is large enough for every component alone.
fn has_no_place<E>(ended: &Ended<E>) -> bool {
    matches!(ended, Ended::Handled(Err(error)) if error.is::<PoolConcurrencyLimitError>())
}

fn prepare_store(store: &mut Store<Guest>, fuel: u64) -> wasmtime::Result<()> {
    store.limiter(|guest| guest);
    store.set_fuel(fuel)?;
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    store.set_max_component_handles(HANDLES);
    Ok(())
}

/// Lets the guest run until it ends, answering its calls. When this returns, the guest is dropped.
async fn drive<S: Steps>(
    handle: impl Future<Output = Handled>,
    calls: &CallSlot,
    steps: &mut S,
    wall: &WallBudget,
    stop: &mut watch::Receiver<bool>,
) -> Ended<S::End> {
    let mut stopped = std::pin::pin!(async move {
        // Nobody left who could say stop: go on.
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    let mut handle = std::pin::pin!(handle);
    let mut used_up = std::pin::pin!(wall.used_up());
    loop {
        let action = tokio::select! {
            biased;
            handled = &mut handle => return Ended::Handled(handled),
            action = calls.called() => action,
            () = &mut used_up => return Ended::Wall,
            () = &mut stopped => return Ended::Stopped,
        };
        let result = tokio::select! {
            // A step that ends because the time is up says more than that the time is up.
            biased;
            result = steps.step(action) => result,
            () = &mut used_up => return Ended::Wall,
            () = &mut stopped => return Ended::Stopped,
        };
        match result {
            Ok(result) => calls.answer(Reply { result, elapsed: steps.elapsed() }),
            Err(end) => return Ended::Call(end),
        }
    }
}

fn judge<E>(ended: Ended<E>, hit: Option<LimitHit>, log: &RunLog, limits: &Limits) -> AttemptOutcome<E> {
    let error = match ended {
        Ended::Call(end) => return AttemptOutcome::Ended(end),
        Ended::Stopped => return AttemptOutcome::Stopped,
        Ended::Wall => {
            let text = format!(
                "the attempt took longer than {} s; raise limits.wall_seconds",
                limits.wall.as_secs()
            );
            return AttemptOutcome::Limit { kind: Cause::LimitWall, text };
        }
        Ended::Handled(Ok(Ok(text))) => return AttemptOutcome::Succeeded(text.map(shortened)),
        Ended::Handled(Ok(Err(Failure::Retry(retry)))) => {
            return AttemptOutcome::Retry {
                message: shortened(retry.message),
                delay_seconds: retry.delay_seconds,
            };
        }
        Ended::Handled(Ok(Err(Failure::Fatal(text)))) => return AttemptOutcome::Fatal(shortened(text)),
        Ended::Handled(Err(error)) => error,
    };
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::OutOfFuel) {
        let text = format!("the guest used more than {} units of fuel (CPU); raise limits.fuel", limits.fuel);
        return AttemptOutcome::Limit { kind: Cause::LimitFuel, text };
    }
    if log.exceeded() {
        return AttemptOutcome::Limit { kind: Cause::LimitLog, text: log_limit_text(limits) };
    }
    if let Some(hit) = hit {
        return AttemptOutcome::Limit { kind: hit.kind, text: hit.text };
    }
    let text = match (trap, error.downcast_ref::<wasmtime_wasi::I32Exit>()) {
        (Some(trap), _) => format!("the component trapped ({trap})"),
        (None, Some(exit)) => format!("the component ended itself with exit code {}", exit.0),
        // Texts of the engine: what could not be instantiated, lifted or lowered. They hold no values.
        (None, None) => format!("the component could not go on ({})", error.root_cause()),
    };
    AttemptOutcome::Trap { text, sensitive: log.last_stderr(STDERR_SHOWN) }
}

/// At most the kept length, cut at a character.
fn shortened(mut text: String) -> String {
    if text.len() > TEXT_MAX {
        let mut end = TEXT_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("… (cut off)");
    }
    text
}
