//! The host's own log: lines for people, or JSON. Never a value of a record, a secret or a token.

mod metrics;
mod traces;

use serde::{Deserialize, Serialize};
use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

pub use metrics::Metrics;
pub use traces::{OtlpEncoding, TelemetrySettings, Traces, current, follow};

/// `[log]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// What is logged: a level, or a filter as in `RUST_LOG`. Default info: what happens to the host, not a line a message.
    pub level: String,
    /// How lines look. Default text: a service manager's log is read by people first.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// Whether a text says what is logged.
#[must_use]
pub fn is_filter(text: &str) -> bool {
    EnvFilter::try_new(text).is_ok()
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why nothing can be logged or traced.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A filter that can't be read.
    #[error("'{0}' is no log filter; give a level (error, warn, info, debug, trace) or e.g. caspian=debug")]
    Filter(String),
    /// Traces can't be sent there.
    #[error("traces can't be sent ({0}); correct telemetry.otlp_endpoint, e.g. http://127.0.0.1:4318")]
    Traces(String),
}

/// Starts logging to standard error, and tracing when it is configured. `filter` as in `RUST_LOG`, e.g. `info` or
/// `caspian=debug`. Not to be called on a thread of the async runtime.
///
/// # Errors
/// When the filter can't be read, or traces can't be sent.
pub fn start(
    filter: &str,
    format: LogFormat,
    settings: &TelemetrySettings,
) -> Result<Option<Traces>, TelemetryError> {
    let filter = EnvFilter::try_new(filter).map_err(|_| TelemetryError::Filter(filter.to_owned()))?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // Libraries that log requests, bodies or frames would show values, whatever the filter says.
    let quiet = filter_fn(|line| *line.level() <= Level::WARN || is_ours(line.target()));
    let lines = lines.with_filter(filter).with_filter(quiet);
    let (traces, tracer) = Traces::new(settings).map_err(|e| TelemetryError::Traces(e.to_string()))?.unzip();
    let spans = tracer.map(|tracer| {
        let ours = filter_fn(|span| span.is_span() && *span.level() <= Level::INFO && is_ours(span.target()));
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours)
    });
    // A second start (in tests) keeps the first.
    let _ = registry().with(lines).with(spans).try_init();
    Ok(traces)
}

/// A line or span of this program, whose code keeps values out of it.
fn is_ours(target: &str) -> bool {
    let part = target.split("::").next().unwrap_or(target);
    matches!(part, "caspian" | "caspio_emulator")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_lines_go_below_warn() {
        assert!(is_ours("caspian") && is_ours("caspian::ingress") && is_ours("caspio_emulator::rest"));
        for other in ["axum::rejection", "hyper_util::client", "log", "caspian_spy", "sqlparser"] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
