//! What a store holds: the state behind the imports of one attempt, and its limits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;
use wasmtime::ResourceLimiter;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::model::{Action, ActionError, Answer, Cause, Limits};

use super::attempt::AttemptInput;
use super::bindings::Workflow;
use super::clock::{ClockView, HasClock, VirtualClock};
use super::output::{OutputSource, RunLog};
use super::weight;

/// Elements of all tables of a guest: function pointers, mostly; a large guest has some 10,000.
const TABLE_ELEMENTS: usize = 200_000;
/// WASI handles (streams, pollables, descriptors) that a guest may hold at a time; each is memory of the host.
pub(super) const HANDLES: usize = 10_000;
/// Bytes that the calls of an attempt and their answers may carry in all: until the next commit all of them are in
/// the host's memory. As much as one answer of Caspio may be, which no guest of ordinary size can hold.
const CARRIED: usize = 64 << 20;
/// Random bytes of one call; they are made in the host's memory.
const RANDOM_BYTES: u64 = 1 << 20;

/// A call of the guest and where its answer goes, with the time at which the step ended.
pub(super) struct Call {
    pub(super) action: Action,
    pub(super) answer: oneshot::Sender<Reply>,
}

/// Where a guest leaves its call for whoever drives it. Both are polled by one task, the guest first, so
/// nobody has to be woken.
#[derive(Clone, Default)]
pub(super) struct CallSlot(Arc<Mutex<Option<Call>>>);

impl CallSlot {
    fn put(&self, call: Call) {
        if let Ok(mut slot) = self.0.lock() {
            *slot = Some(call);
        }
    }

    /// The guest's next call. Must be polled after the guest, in the same task.
    pub(super) async fn called(&self) -> Call {
        std::future::poll_fn(|_| match self.0.lock().ok().and_then(|mut slot| slot.take()) {
            Some(call) => Poll::Ready(call),
            None => Poll::Pending,
        })
        .await
    }
}

/// See [`Call`].
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
        use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
        let clock = VirtualClock::new(input.run_start);
        let mut random = rand_chacha::ChaCha20Rng::from_seed(input.seed);
        random.set_stream(1);
        let mut insecure = rand_chacha::ChaCha20Rng::from_seed(input.seed);
        insecure.set_stream(2);
        // Seeds the guest's hash maps. From a stream of its own: the secret seed never reaches a guest.
        let mut third = rand_chacha::ChaCha8Rng::from_seed(input.seed);
        third.set_stream(3);
        let insecure_seed = u128::from(third.next_u64()) << 64 | u128::from(third.next_u64());
        let mut table = ResourceTable::new();
        // The store's own limit comes first.
        table.set_max_capacity(2 * HANDLES);
        let wasi = WasiCtx::builder()
            .stdout(log.stream(OutputSource::Stdout))
            .stderr(log.stream(OutputSource::Stderr))
            .wall_clock(clock.clone())
            .monotonic_clock(clock.clone())
            .secure_random(random)
            .insecure_random(insecure)
            .insecure_random_seed(insecure_seed)
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
        let (answer, answered) = oneshot::channel();
        self.calls.put(Call { action, answer });
        let reply = answered.await.map_err(|_| wasmtime::Error::msg("the attempt has ended"))?;
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

/// Everything that a component may import.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // Its own clock waits in real time.
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<Guest, HasClock>(linker, |guest| ClockView {
        clock: &guest.clock,
        table: &mut guest.table,
    })?;
    linker.allow_shadowing(false);
    Workflow::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}
