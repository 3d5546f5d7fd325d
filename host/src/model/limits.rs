//! What one attempt may use.

use std::time::Duration;

/// Limits of one attempt. Each has its own error (see [`Cause`](super::Cause)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time of the guest and of its reads; waiting for Caspio's rate limit and effects under way don't count.
    pub wall: Duration,
    /// CPU: units of fuel, about one a WebAssembly instruction.
    pub fuel: u64,
    /// Linear memory in bytes, all memories of the component together.
    pub memory: usize,
    /// Calls of `caspian:workflow` imports.
    pub host_calls: u32,
    /// Bytes of log, stdout and stderr together.
    pub log: usize,
}
