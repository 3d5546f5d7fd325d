//! `[caspio]` of the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Most that `max_file_bytes` may be: a call of a guest carries 32 MiB in all (see the runtime).
pub const LARGEST_FILE: usize = 24 << 20;

/// How calls to Caspio are made. Every value has a default that fits an ordinary account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSettings {
    /// Seconds until a connection must stand. Default 10: a network that needs longer is down.
    pub connect_timeout_seconds: u64,
    /// Seconds until a whole call must be answered. Default 60: a page of 1,000 wide rows is slow,
    /// and an effect cut off too early is undecided.
    pub request_timeout_seconds: u64,
    /// Seconds that an unused connection is kept. Default 30: shorter than servers keep theirs, since
    /// an effect sent into a connection that is just being closed is undecided.
    pub idle_connection_seconds: u64,
    /// Calls a second to one integration host. Default 5: Caspio allows about 2,000 in 300 seconds,
    /// and other clients of the account need some of them.
    pub calls_per_second: f64,
    /// Calls that may go at once after a quiet time. Default 10: one run's calls are not slowed down.
    pub burst: u32,
    /// Seconds that a call waits for the rate limit at most; a longer wait is answered as throttled, so
    /// that the run is put aside instead of held in memory. Default 15: 64 runs at once get through in 13.
    pub longest_wait_seconds: u64,
    /// Seconds of silence after Caspio says that the rate limit is exceeded, doubled each time it says so
    /// again. Default 1. `Retry-After` has precedence.
    pub first_pause_seconds: f64,
    /// Longest such silence, in seconds. Default 60.
    pub longest_pause_seconds: f64,
    /// Largest answer, in bytes; of a list, all its pages together. Default 64 MiB: it is held in memory.
    pub max_response_bytes: usize,
    /// Largest file, up or down, in bytes. Default 8 MiB: it is in the memory of guest and host, and kept, encrypted, in
    /// the journal. At most 24 MiB, what one call of a guest can carry.
    pub max_file_bytes: usize,
    /// How often a read or a token call is repeated on failures of the network or of Caspio.
    /// Default 3: bridges a hiccup; longer failures are waited for by the run.
    pub read_retries: u32,
    /// First pause before a repetition, in milliseconds, doubled each time. Default 200.
    pub retry_pause_ms: u64,
    /// Calls in a row without an answer, or with one of 5xx, after which a host is left alone (see `breaker`). Default 5: a hiccup
    /// fails one call and its repetitions, an outage all.
    pub breaker_failures: u32,
    /// Seconds until such a host is tried again, doubled each time it fails again. Default 5: most restarts take longer than one
    /// call's repetitions, and hardly longer than this.
    pub breaker_pause_seconds: f64,
    /// Longest such pause, in seconds. Default 60: a call a minute costs nothing, and work goes on within a minute.
    pub breaker_longest_pause_seconds: f64,
    /// Seconds before its end at which a token is renewed. Default 300: longer than any call.
    pub token_reserve_seconds: u64,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            connect_timeout_seconds: 10,
            request_timeout_seconds: 60,
            idle_connection_seconds: 30,
            calls_per_second: 5.0,
            burst: 10,
            longest_wait_seconds: 15,
            first_pause_seconds: 1.0,
            longest_pause_seconds: 60.0,
            max_response_bytes: 64 * 1024 * 1024,
            max_file_bytes: 8 * 1024 * 1024,
            read_retries: 3,
            retry_pause_ms: 200,
            breaker_failures: 5,
            breaker_pause_seconds: 5.0,
            breaker_longest_pause_seconds: 60.0,
            token_reserve_seconds: 300,
        }
    }
}

impl ClientSettings {
    /// Pause before repetition number `tries` (from 0): doubled each time, at most 5 seconds, spread.
    pub(super) fn retry_pause(&self, tries: u32) -> Duration {
        let doubled = self.retry_pause_ms.saturating_mul(1 << tries.min(16));
        spread(Duration::from_millis(doubled.min(5_000)))
    }
}

/// No time of the configuration is taken as longer, so that sums of them stay within what the clock can say.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Seconds of the configuration.
pub(super) fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::from_secs(1)).min(LONGEST)
}

/// A random half to whole of a pause, so that what failed together does not come back together.
pub(super) fn spread(pause: Duration) -> Duration {
    let mut byte = [0_u8; 1];
    match getrandom::fill(&mut byte) {
        Ok(()) => pause.mul_f64(0.5 + f64::from(byte[0]) / 510.0),
        Err(_) => pause,
    }
}
