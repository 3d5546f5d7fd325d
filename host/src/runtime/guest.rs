//! What a store holds: the state behind the imports of one attempt, and its limits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use wasmtime::ResourceLimiter;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::random::insecure_seed;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::model::{Action, ActionError, Answer, Cause, Limits};

use super::attempt::AttemptInput;
use super::bindings::Workflow;
use super::clock::{ClockView, HasClock, VirtualClock};
use super::output::{OutputSource, RunLog};
use super::{random, weight};

/// Elements of all tables of a guest: function pointers, mostly; a large guest has some 10,000.
const TABLE_ELEMENTS: usize = 200_000;
/// WASI handles (streams, pollables, descriptors) that a guest may hold at a time; each is memory of the host.
pub(super) const HANDLES: usize = 10_000;
/// Bytes that the calls of an attempt and their answers may carry in all: until the next commit all of them are in
/// the host's memory. As much as one answer of Caspio may be, which no guest of ordinary size can hold.
const CARRIED: usize = 64 << 20;
/// Random bytes of one call; they are made in the host's memory.
const RANDOM_BYTES: u64 = 1 << 20;

/// A call of the guest on its way to whoever drives it, and the answer on its way back.
#[derive(Default)]
enum Exchange {
    #[default]
    Nothing,
    /// The guest has called.
    Called(Action),
    /// It has its answer.
    Answered(Reply),
}

/// Where a guest and whoever drives it exchange calls and answers. Both are polled by one task, the guest first, so
/// nobody has to be woken for a call.
#[derive(Clone, Default)]
pub(super) struct CallSlot(Arc<Mutex<(Exchange, Option<Waker>)>>);

impl CallSlot {
    fn lock(&self) -> MutexGuard<'_, (Exchange, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guest's side of a call.
    async fn call(&self, action: Action) -> Reply {
        self.lock().0 = Exchange::Called(action);
        std::future::poll_fn(|context| {
            let mut slot = self.lock();
            match std::mem::take(&mut slot.0) {
                Exchange::Answered(reply) => Poll::Ready(reply),
                open => {
                    *slot = (open, Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The guest's next call. Must be polled after the guest, in the same task.
    pub(super) async fn called(&self) -> Action {
        std::future::poll_fn(|_| {
            let mut slot = self.lock();
            match std::mem::take(&mut slot.0) {
                Exchange::Called(action) => Poll::Ready(action),
                open => {
                    slot.0 = open;
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Answers the call that was taken last. A guest that is gone does not mind.
    pub(super) fn answer(&self, reply: Reply) {
        let waker = {
            let mut slot = self.lock();
            slot.0 = Exchange::Answered(reply);
            slot.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The answer, with the time at which the step ended.
pub(super) struct Reply {
    pub(super) result: Result<Answer, ActionError>,
    pub(super) elapsed: Duration,
}

/// A limit that was hit.
#[derive(Debug, Clone)]
pub(super) struct LimitHit {
    pub(super) kind: Cause,
    pub(super) text: String,
}

/// The store's data.
pub(super) struct Guest {
    calls: CallSlot,
    pub(super) host_calls: u32,
    pub(super) limits: Limits,
    pub(super) hit: Option<LimitHit>,
    pub(super) log: RunLog,
    pub(super) settings: Arc<BTreeMap<String, String>>,
    seed: [u8; 32],
    pub(super) clock: VirtualClock,
    memory: usize,
    table_elements: usize,
    /// See [`CARRIED`].
    carried: usize,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl Guest {
    pub(super) fn new(input: &AttemptInput, calls: CallSlot, log: RunLog) -> Self {
        let clock = VirtualClock::new(input.run_start);
        let mut table = ResourceTable::new();
        // The store's own limit comes first.
        table.set_max_capacity(2 * HANDLES);
        let wasi = WasiCtx::builder()
            .stdout(log.stream(OutputSource::Stdout))
            .stderr(log.stream(OutputSource::Stderr))
            .wall_clock(clock.clone())
            .monotonic_clock(clock.clone())
            .secure_random(random::Stream::secure(input.seed))
            .insecure_random(random::Stream::insecure(input.seed))
            // Never asked for: see `link`.
            .insecure_random_seed(0)
            .max_random_size(RANDOM_BYTES)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        Self {
            calls,
            host_calls: 0,
            limits: input.limits,
            hit: None,
            log,
            settings: input.settings.clone(),
            seed: input.seed,
            clock,
            memory: 0,
            table_elements: 0,
            carried: 0,
            wasi,
            table,
        }
    }

    /// Counts a call of an import; an error ends the attempt.
    pub(super) fn count_call(&mut self) -> wasmtime::Result<()> {
        self.host_calls = self.host_calls.saturating_add(1);
        if self.host_calls > self.limits.host_calls {
            return Err(self.end(
                Cause::LimitHostCalls,
                format!(
                    "the attempt made more than {} host calls; raise limits.host_calls",
                    self.limits.host_calls
                ),
            ));
        }
        Ok(())
    }

    /// Notes the limit and makes the error that unwinds the guest.
    pub(super) fn end(&mut self, kind: Cause, text: String) -> wasmtime::Error {
        self.hit.get_or_insert(LimitHit { kind, text });
        wasmtime::Error::msg("a limit was reached")
    }

    /// One step: out to whoever drives the attempt, and back.
    pub(super) async fn step(&mut self, action: Action) -> wasmtime::Result<Result<Answer, ActionError>> {
        self.count_call()?;
        // Counted alike in every attempt, since recorded calls have the same size again.
        let carried = self.carried.saturating_add(weight::of_action(&action));
        if carried > CARRIED {
            return Ok(Err(ActionError::Limit(format!(
                "the calls of this attempt carry more than {} MiB; select fewer fields and records, or work in several runs",
                CARRIED >> 20
            ))));
        }
        let reply = self.calls.call(action).await;
        self.clock.step_ended(reply.elapsed);
        self.carried = carried.saturating_add(weight::of_answer(&reply.result));
        Ok(reply.result)
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.limits.memory {
            // The guest sees a failed growth and mostly gives up; then this is why.
            let mib = self.limits.memory >> 20;
            let text = format!("the guest wanted more than {mib} MiB of memory; raise limits.memory_mib");
            self.hit.get_or_insert(LimitHit { kind: Cause::LimitMemory, text });
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }
    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > TABLE_ELEMENTS {
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }
    fn instances(&self) -> usize {
        64
    }
    fn memories(&self) -> usize {
        8
    }
    fn tables(&self) -> usize {
        64
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl insecure_seed::Host for Guest {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok(random::insecure_seed(self.seed))
    }
}

/// Everything that a component may import.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // Its own clock waits in real time.
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<Guest, HasClock>(linker, |guest| ClockView {
        clock: &guest.clock,
        table: &mut guest.table,
    })?;
    // Worked out only for guests that ask.
    insecure_seed::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    linker.allow_shadowing(false);
    Workflow::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}
