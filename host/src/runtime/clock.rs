//! Virtual time: start of the run + time of the last journalled step + 1 µs a read.
//!
//! Two executions of the same calls read the same times, whenever they happen. A WASI sleep moves
//! the time forward and returns at once; what must really wait is a retry or a timer of the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// What one read of a clock adds.
const READ: u64 = 1_000;
/// The latest time, some 290 years after the start: a guest may sleep for ever and read on.
const LATEST: u64 = u64::MAX / 2;

/// The clock of one attempt. Cheap to clone; clones are the same clock.
#[derive(Debug, Clone)]
pub(super) struct VirtualClock {
    start: Duration,
    /// Nanoseconds since the start of the run.
    now: Arc<AtomicU64>,
}

impl VirtualClock {
    pub(super) fn new(start: SystemTime) -> Self {
        let start = start.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start, now: Arc::default() }
    }

    /// A step ended at this time since the start of the run.
    pub(super) fn step_ended(&self, elapsed: Duration) {
        self.forward(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
    }

    fn forward(&self, to: u64) {
        self.now.fetch_max(to.min(LATEST), Ordering::Relaxed);
    }

    /// The time of the last read or step, since the start of the run.
    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now.load(Ordering::Relaxed))
    }

    /// Reads the time of day, since 1970.
    pub(super) fn read_wall(&self) -> Duration {
        self.start.saturating_add(Duration::from_nanos(self.read()))
    }

    fn read(&self) -> u64 {
        self.now.fetch_add(READ, Ordering::Relaxed).saturating_add(READ)
    }
}

impl HostWallClock for VirtualClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(READ)
    }
    fn now(&self) -> Duration {
        self.read_wall()
    }
}

impl HostMonotonicClock for VirtualClock {
    fn resolution(&self) -> u64 {
        READ
    }
    fn now(&self) -> u64 {
        self.read()
    }
}

/// What `wasi:clocks/monotonic-clock` works on.
pub(super) struct ClockView<'a> {
    pub(super) clock: &'a VirtualClock,
    pub(super) table: &'a mut ResourceTable,
}

/// Selects a [`ClockView`] from the store's data.
pub(super) struct HasClock;

impl HasData for HasClock {
    type Data<'a> = ClockView<'a>;
}

impl monotonic_clock::Host for ClockView<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.read())
    }
    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(READ)
    }
    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.table.push(Timer { clock: self.clock.clone(), until: when })?;
        subscribe(self.table, timer)
    }
    fn subscribe_duration(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let until = self.clock.now.load(Ordering::Relaxed).saturating_add(when);
        self.subscribe_instant(until)
    }
}

struct Timer {
    clock: VirtualClock,
    until: u64,
}

#[async_trait::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        self.clock.forward(self.until);
        // A guest that polls in a loop must not keep its thread.
        tokio::task::yield_now().await;
    }
}
