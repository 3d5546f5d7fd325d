//! Figures for Prometheus. Names are `caspian_…`, units in the name; labels are few and never values of records.
//!
//! | name | labels | meaning |
//! |---|---|---|
//! | `caspian_messages_total` | `outcome` | webhook messages: stored, skipped, unparsable, duplicate, refused, failed |
//! | `caspian_message_seconds` | | from the whole body to the answer |
//! | `caspian_attempts_total` | `state`, `cause` | ends of attempts by the run's new state |
//! | `caspian_attempt_seconds` | | from claim to committed end |
//! | `caspian_attempts_running` | | attempts under way |
//! | `caspian_steps_total` | `action`, `outcome` | steps that were performed (not those answered from the journal) |
//! | `caspian_caspio_calls_total` | `action`, `status` | calls to Caspio; status 0: no answer |
//! | `caspian_caspio_call_seconds` | | |
//! | `caspian_caspio_throttled_total` | | answers that said the rate limit is reached |
//! | `caspian_limiter_waiting_calls` | `host` | calls that wait for their turn at the rate limit |
//! | `caspian_limiter_calls_per_second` | `host` | the pace now: the configured one, less after a rate limit |
//! | `caspian_limiter_blocked_seconds` | `host` | how long nothing will be sent, since Caspio limited the account |
//! | `caspian_breaker_state` | `host` | 0: Caspio answers; 1: it is being tried; 2: it does not answer |
//! | `caspian_breaker_opened_total` | `host` | how often it did not answer any more |
//! | `caspian_sweep_findings_total` | `kind` | changes that no webhook told of |
//! | `caspian_alerts_total` | `receiver`, `outcome` | alerts to the operator: told, failed |
//! | `caspian_commit_commands` | | commands in one commit; its count is the number of commits |
//! | `caspian_commit_seconds` | | from the first of them to the disk's answer |
//! | `caspian_claim_seconds` | | claims of due runs, without those that found none |
//! | `caspian_runs` | `state` | runs in the store |
//! | `caspian_webhooks`, `caspian_webhooks_troubled` | | webhooks in Caspio; those that could not be put right |
//! | `caspian_webhooks_mended_total` | `finding` | webhooks that were changed in Caspio and put right |
//! | `caspian_pool_instances`, `caspian_pool_memories` | | places of the pool in use |

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds in seconds: from a cached answer to the longest call.
const SECONDS: &[f64] = &[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0];
/// Upper bounds of commands in one transaction.
const COMMANDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// What was counted since the process started.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts counting for the whole process.
    ///
    /// # Errors
    /// When something counts already.
    pub fn start() -> Result<Self, BuildError> {
        PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), COMMANDS)?
            .install_recorder()
            .map(Self)
    }

    /// In Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}
