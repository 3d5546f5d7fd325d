//! The host's own log: lines for people, or JSON. Never a value of a record, a secret or a token.

use tracing::Level;
mod metrics;

pub use metrics::Metrics;

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A filter that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is no log filter; give a level (error, warn, info, debug, trace) or e.g. caspian=debug")]
pub struct FilterError(String);

/// Starts logging to standard error. `filter` as in `RUST_LOG`, e.g. `info` or `caspian=debug`.
///
/// # Errors
/// When the filter can't be read.
pub fn start(filter: &str, format: LogFormat) -> Result<(), FilterError> {
    let filter = EnvFilter::try_new(filter).map_err(|_| FilterError(filter.to_owned()))?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // Libraries that log requests, bodies or frames would show values, whatever the filter says.
    let quiet = filter_fn(|line| *line.level() <= Level::WARN || is_ours(line.target()));
    // A second start (in tests) keeps the first.
    let _ = registry().with(lines).with(filter).with(quiet).try_init();
    Ok(())
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
