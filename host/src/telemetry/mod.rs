//! The host's own log: lines for people, or JSON. Never a value of a record, a secret or a token.

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `filter` as in `RUST_LOG`, e.g. `info` or `caspian=debug`.
pub fn start(filter: &str, format: LogFormat) {
    // Libraries that log requests or frames could show values at trace level.
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let quiet =
        ["hyper", "hyper_util", "h2", "reqwest", "rustls", "sqlparser", "cranelift_codegen", "wasmtime"];
    let filter = quiet.iter().fold(filter, |filter, name| match format!("{name}=warn").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (in tests) keeps the first.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
