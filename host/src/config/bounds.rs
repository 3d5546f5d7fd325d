//! What values must be, so that a host that starts with them works. A value beyond its bound is refused by `config
//! check` and by `serve` alike, never lowered in silence.

use std::fmt::Display;
use std::path::Path;

use crate::caspio::LARGEST_FILE;
use crate::telemetry;

use super::Config;

/// A day, in seconds.
const DAY: u64 = 86_400;

/// The first value with which nothing would work: section and key, and what it must be.
pub(super) fn unusable(config: &Config) -> Option<(&'static str, String)> {
    let Config {
        server,
        log,
        runtime,
        scheduler,
        retry,
        state,
        lineage,
        caspio,
        coverage,
        triggers,
        retention,
        alerts,
        telemetry: traces,
    } = config;
    let whole = [
        ("server.hooks_in_flight", server.hooks_in_flight as u64, 1, 100_000),
        ("server.hook_timeout_seconds", server.hook_timeout_seconds, 1, 3600),
        ("server.api_timeout_seconds", server.api_timeout_seconds, 1, DAY),
        // Each takes two reservations of 4 GiB, of the 128 TiB of addresses that a process has.
        ("runtime.instances", runtime.instances.into(), 1, 10_000),
        // What 32 bits can address.
        ("runtime.max_memory_mib", runtime.max_memory_mib.into(), 1, 4096),
        ("runtime.loaded_versions", runtime.loaded_versions, 1, 30_000),
        ("runtime.compile_seconds", runtime.compile_seconds, 1, 3600),
        ("runtime.compile_memory_mib", runtime.compile_memory_mib, 1, 1 << 20),
        ("runtime.replays", runtime.replays.into(), 1, 1000),
        ("runtime.max_component_mib", runtime.max_component_mib.into(), 1, 1024),
        ("scheduler.concurrency", scheduler.concurrency as u64, 1, 10_000),
        ("scheduler.runs_per_host", scheduler.runs_per_host.into(), 1, 10_000),
        ("scheduler.max_weight", scheduler.max_weight.into(), 1, 100),
        ("scheduler.remember_done_days", scheduler.remember_done_days.into(), 1, 3650),
        ("scheduler.lease_seconds", scheduler.lease_seconds, 1, DAY),
        ("scheduler.idle_seconds", scheduler.idle_seconds, 1, 3600),
        ("scheduler.grace_seconds", scheduler.grace_seconds, 0, 3600),
        ("retry.step_waits", retry.step_waits.into(), 0, 1_000_000),
        ("retry.max_host_crashes", retry.max_host_crashes.into(), 1, 1_000_000),
        ("state.max_keys", state.max_keys, 1, 1_000_000),
        ("state.max_bytes", state.max_bytes, 1, 1 << 40),
        // What one call of a guest can carry.
        ("state.max_value_bytes", state.max_value_bytes, 1, LARGEST_FILE as u64),
        ("lineage.window_seconds", lineage.window_seconds, 1, DAY),
        ("caspio.connect_timeout_seconds", caspio.connect_timeout_seconds, 1, 3600),
        ("caspio.request_timeout_seconds", caspio.request_timeout_seconds, 1, 3600),
        ("caspio.idle_connection_seconds", caspio.idle_connection_seconds, 0, 3600),
        ("caspio.burst", caspio.burst.into(), 1, 1_000_000),
        ("caspio.longest_wait_seconds", caspio.longest_wait_seconds, 0, DAY),
        ("caspio.max_response_bytes", caspio.max_response_bytes as u64, 1, 4 << 30),
        ("caspio.max_file_bytes", caspio.max_file_bytes as u64, 1, LARGEST_FILE as u64),
        ("caspio.read_retries", caspio.read_retries.into(), 0, 100),
        ("caspio.retry_pause_ms", caspio.retry_pause_ms, 0, 600_000),
        ("caspio.breaker_failures", caspio.breaker_failures.into(), 1, 1_000_000),
        ("caspio.token_reserve_seconds", caspio.token_reserve_seconds, 0, DAY),
        ("coverage.settle_seconds", coverage.settle_seconds, 0, DAY),
        ("triggers.check_seconds", triggers.check_seconds, 1, 30 * DAY),
        ("triggers.retire_seconds", triggers.retire_seconds, 0, 7 * DAY),
        ("alerts.group_seconds", alerts.group_seconds, 1, DAY),
        ("alerts.timeout_seconds", alerts.timeout_seconds, 1, 300),
    ];
    let seconds = [
        ("retry.step_initial_seconds", retry.step_initial_seconds),
        ("retry.step_max_seconds", retry.step_max_seconds),
        ("caspio.first_pause_seconds", caspio.first_pause_seconds),
        ("caspio.longest_pause_seconds", caspio.longest_pause_seconds),
        ("caspio.breaker_pause_seconds", caspio.breaker_pause_seconds),
        ("caspio.breaker_longest_pause_seconds", caspio.breaker_longest_pause_seconds),
    ];
    let whole = whole.into_iter().find_map(|(key, value, least, most)| outside(key, value, least, most));
    let seconds = seconds.into_iter().find_map(|(key, value)| outside(key, value, 0.0, 30.0 * DAY as f64));
    let rate = outside("caspio.calls_per_second", caspio.calls_per_second, 0.001, 1_000_000.0);
    let level = (!telemetry::is_filter(&log.level)).then(|| {
        ("log.level", "a level (error, warn, info, debug, trace) or a filter, e.g. caspian=debug".to_owned())
    });
    let endpoint = traces.otlp_endpoint.as_ref().filter(|endpoint| !is_base_url(endpoint));
    let endpoint =
        endpoint.map(|_| ("telemetry.otlp_endpoint", "a base URL, e.g. http://127.0.0.1:4318".to_owned()));
    let records = (!retention.keeps_records()).then(|| {
        ("retention.records", "7d or more, since records tell a message that comes again".to_owned())
    });
    let is_url = |url: &&String| {
        reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    let webhook = alerts.webhook.as_ref().filter(|url| !is_url(url));
    let webhook =
        webhook.map(|_| ("alerts.webhook", "a URL, e.g. https://alerts.example.com/caspian".to_owned()));
    let program = alerts.command.first().filter(|program| !Path::new(program).is_absolute());
    let program =
        program.map(|_| ("alerts.command", "the absolute path of a program, and its arguments".to_owned()));
    let weights = scheduler.tenant_weights.values().any(|weight| !(1..=1000).contains(weight));
    let weights = weights.then(|| ("scheduler.tenant_weights", "from 1 to 1000 for each tenant".to_owned()));
    whole.or(seconds).or(weights).or(rate).or(level).or(webhook).or(program).or(endpoint).or(records)
}

fn outside<T: PartialOrd + Display>(
    key: &'static str,
    value: T,
    least: T,
    most: T,
) -> Option<(&'static str, String)> {
    // So that what is no number is outside, too.
    let inside = value >= least && value <= most;
    (!inside).then(|| (key, format!("from {least} to {most}")))
}

/// `http://` or `https://` with a host, to which a path can be added.
fn is_base_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}
