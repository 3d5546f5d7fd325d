//! When a run is due again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[retry]` of a manifest, and the steps' own waits.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySettings {
    /// How often one step may wait for Caspio (throttled, unavailable) before the guest is told.
    /// Default 10: with the back-off below about two hours, longer than a maintenance window.
    pub step_waits: u32,
    /// First wait of a step, in seconds. Default 1.
    pub step_initial_seconds: f64,
    /// Longest wait of a step, in seconds. Default 1800.
    pub step_max_seconds: f64,
    /// How often a run may crash the host at the same place before it is dead. Default 10: a run
    /// that was merely running when the machine lost power must not be given up.
    pub max_host_crashes: u32,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { step_waits: 10, step_initial_seconds: 1.0, step_max_seconds: 1800.0, max_host_crashes: 10 }
    }
}

/// Exponential back-off: `initial` doubled with every try, at most `max`, of which a random half to
/// whole is waited, so that runs that failed together don't come back together.
pub(super) fn backoff(initial: f64, max: f64, tries_before: u32) -> Duration {
    let exponent = i32::try_from(tries_before.min(32)).unwrap_or(32);
    let full = (initial.max(0.0) * 2_f64.powi(exponent)).min(max.max(0.0));
    let mut byte = [0_u8; 1];
    let share = match getrandom::fill(&mut byte) {
        Ok(()) => 0.5 + f64::from(byte[0]) / 510.0,
        Err(_) => 1.0,
    };
    Duration::try_from_secs_f64(full * share).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_longest_and_is_spread() {
        for (tries, full) in [(0, 2.0), (1, 4.0), (2, 8.0), (30, 60.0), (u32::MAX, 60.0)] {
            for _ in 0..50 {
                let wait = backoff(2.0, 60.0, tries).as_secs_f64();
                assert!(wait >= full / 2.0 - 1e-9 && wait <= full + 1e-9, "{tries}: {wait}");
            }
        }
        assert_eq!(backoff(0.0, 60.0, 5), Duration::ZERO);
    }
}
