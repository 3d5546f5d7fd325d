//! `[limits]` and `[retry]`: names, defaults, units, reasons.

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
