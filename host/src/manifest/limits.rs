//! `[limits]`, `[retry]`, `[loop]` and `[run]`: names, defaults, units, reasons.

use serde::Deserialize;

/// `[limits]` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Seconds an attempt may take, effects and waits for Caspio not counted. Default 30, at most
    /// 3600: a workflow is a few calls; what takes longer hangs.
    pub wall_seconds: u64,
    /// CPU in units of fuel, about one a WebAssembly instruction. Default 1,000,000,000 (about half
    /// a second), at most 1,000,000,000,000: enough to parse megabytes, too little to hold up the others.
    pub fuel: u64,
    /// Linear memory in MiB. Default 64, at most 1024 (and the host's own `max_memory_mib`): a guest in Rust needs 2, one with
    /// a JavaScript engine about 20.
    pub memory_mib: u32,
    /// Calls of imports. Default 1000, at most 100,000: every one is a step in the journal, and most cost
    /// an integration call.
    pub host_calls: u32,
    /// KiB of log, stdout and stderr together; a line counts 16 bytes besides its text. Default 256, at most 4096: it
    /// is kept, encrypted, with the run.
    pub log_kib: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { wall_seconds: 30, fuel: 1_000_000_000, memory_mib: 64, host_calls: 1000, log_kib: 256 }
    }
}

impl LimitSettings {
    /// The first one that is out of range: its name and what is allowed.
    pub(super) fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let checks: [(&'static str, bool, &'static str); 5] = [
            ("wall_seconds", (1..=3600).contains(&self.wall_seconds), "1 to 3600"),
            ("fuel", (100_000..=1_000_000_000_000).contains(&self.fuel), "100000 to 1000000000000"),
            ("memory_mib", (1..=1024).contains(&self.memory_mib), "1 to 1024"),
            ("host_calls", (1..=100_000).contains(&self.host_calls), "1 to 100000"),
            ("log_kib", (1..=4096).contains(&self.log_kib), "1 to 4096"),
        ];
        checks.into_iter().find(|(_, ok, _)| !ok).map(|(name, _, allowed)| (name, allowed))
    }
}

/// `[retry]` of a manifest: attempts of a run, with exponential back-off between them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Attempts before the run is dead, the first one included. Default 6, at most 100.
    pub attempts: u32,
    /// Seconds before the second attempt, doubled before each further one. Default 2.
    pub initial_seconds: f64,
    /// Longest pause in seconds. Default 600, at most 86,400: six attempts take about two minutes.
    pub max_seconds: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 6, initial_seconds: 2.0, max_seconds: 600.0 }
    }
}

impl Retry {
    /// The first one that is out of range: its name and what is allowed.
    pub(super) fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let checks: [(&'static str, bool, &'static str); 3] = [
            ("attempts", (1..=100).contains(&self.attempts), "1 to 100"),
            ("initial_seconds", (0.0..=3600.0).contains(&self.initial_seconds), "0 to 3600"),
            ("max_seconds", (0.0..=86_400.0).contains(&self.max_seconds), "0 to 86400"),
        ];
        checks.into_iter().find(|(_, ok, _)| !ok).map(|(name, _, allowed)| (name, allowed))
    }
}

/// `[loop]` of a manifest: how long a chain may be of runs that each were caused by a write of the one before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chain {
    /// Runs before this one in its chain. Default 8, at most 100: workflows that hand work on to each other are a few; what
    /// is longer goes round in circles.
    pub max_depth: u32,
    /// Runs of this same workflow before it. Default 0, at most `max_depth`: a workflow that starts itself again is
    /// mostly a mistake.
    pub self_depth: u32,
    /// Runs that one record may start in a minute; those beyond wait. Default 20, at most 6000: a person who fills in a
    /// form field by field starts fewer, a loop through another system more.
    pub record_runs_per_minute: u32,
}

impl Default for Chain {
    fn default() -> Self {
        Self { max_depth: 8, self_depth: 0, record_runs_per_minute: 20 }
    }
}

impl Chain {
    /// The first one that is out of range: its name and what is allowed.
    pub(super) fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let checks: [(&'static str, bool, &'static str); 3] = [
            ("max_depth", self.max_depth <= 100, "0 to 100"),
            ("self_depth", self.self_depth <= self.max_depth, "no more than `loop.max_depth`"),
            ("record_runs_per_minute", (1..=6000).contains(&self.record_runs_per_minute), "1 to 6000"),
        ];
        checks.into_iter().find(|(_, ok, _)| !ok).map(|(name, _, allowed)| (name, allowed))
    }
}

/// `[run]` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunSettings {
    /// The same read again within a run is answered from the first one, without a call, until the run writes to the
    /// table. Default false: a workflow that reads again may want to see what others changed.
    pub cache_reads: bool,
    /// Runs under way at once, at most 10,000. Default none: as many as there are places. For a workflow whose runs
    /// get in each other's way.
    pub concurrency: Option<u32>,
    /// Share of the places against the tenant's other workflows, when more runs are due than there are places.
    /// Default 1, at most 100 (and the host's own `scheduler.max_weight`).
    pub weight: u32,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self { cache_reads: false, concurrency: None, weight: 1 }
    }
}

impl RunSettings {
    /// The first one that is out of range: its name and what is allowed.
    pub(super) fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let checks: [(&'static str, bool, &'static str); 2] = [
            ("concurrency", self.concurrency.is_none_or(|n| (1..=10_000).contains(&n)), "1 to 10000"),
            ("weight", (1..=100).contains(&self.weight), "1 to 100"),
        ];
        checks.into_iter().find(|(_, ok, _)| !ok).map(|(name, _, allowed)| (name, allowed))
    }
}
