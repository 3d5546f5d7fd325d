//! `caspian status` and `caspian tail`: what a host does.

use futures_util::StreamExt as _;
use serde_json::Value;

use super::Format;
use super::api::Api;
use super::error::CliError;
use super::output::{self, cell};

pub(super) async fn status(api: &Api, format: Format) -> Result<(), CliError> {
    let status = api.get("status", &[]).await?;
    if format.json {
        output::json(&status);
        return Ok(());
    }
    output::line(&format!("{:<11} caspian {}", "host", cell(&status, "version")));
    let ready = if cell(&status, "ready") == "true" { "ready" } else { "starting" };
    output::line(&format!("{:<11} {ready}", "health"));
    let url = cell(&status, "public_url");
    output::line(&format!(
        "{:<11} {}",
        "public URL",
        if url.is_empty() { "none (start with --public-url)" } else { &url }
    ));
    for name in ["workflows", "runs"] {
        output::line(&format!("{name:<11} {}", output::counts(&status, name)));
    }
    for text in
        status.get("attention").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        output::line(&format!("{:<11} {text}", "attention"));
    }
    Ok(())
}

/// Prints changes of runs until the host ends or the command is interrupted.
pub(super) async fn tail(api: &Api, workflow: Option<String>, format: Format) -> Result<(), CliError> {
    let query: Vec<_> = workflow.map(|w| ("workflow", w)).into_iter().collect();
    let mut changes = api.stream("tail", &query).await?.bytes_stream();
    let mut rest = Vec::new();
    while let Some(bytes) = changes.next().await {
        let bytes =
            bytes.map_err(|_| CliError::unreachable("the host ended the stream; start the command again"))?;
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let Some(data) = line.strip_prefix(b"data:") else { continue };
            let Ok(change) = serde_json::from_slice::<Value>(data.trim_ascii()) else { continue };
            if format.json {
                output::line(&change.to_string());
            } else {
                print(&change);
            }
        }
    }
    Ok(())
}

fn print(change: &Value) {
    let cause = cell(change, "cause");
    let cause = if cause.is_empty() { cause } else { format!(" ({cause})") };
    let cells: Vec<String> =
        ["at", "workflow", "run", "state"].iter().map(|name| cell(change, name)).collect();
    output::line(&format!("{}{cause}", cells.join(" ")));
}
