//! `caspian workflow state list|get|delete`

use clap::Subcommand;
use serde_json::Value;

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::output::{self, cell};

#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// List its keys with their sizes (audited: keys may be values of records)
    List {
        /// Name of the workflow
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Show the value of a key (audited)
    Get {
        /// Name of the workflow
        name: String,
        /// The key
        key: String,
        #[command(flatten)]
        format: Format,
    },
    /// Delete a key, or all
    #[command(group(clap::ArgGroup::new("which").required(true).args(["key", "all"])))]
    Delete {
        /// Name of the workflow
        name: String,
        /// The key
        key: Option<String>,
        /// All keys
        #[arg(long)]
        all: bool,
    },
}

pub(super) async fn run(api: &Api, command: StateCommand) -> Result<(), CliError> {
    match command {
        StateCommand::List { name, format } => {
            let list = api.get(&format!("workflows/{}/state", segment(&name)), &[]).await?;
            output::answer(format, &list, show);
        }
        StateCommand::Get { name, key, format } => {
            let path = format!("workflows/{}/state/entry", segment(&name));
            let entry = api.get(&path, &[("key", key)]).await?;
            output::answer(format, &entry, |entry| match entry.get("text").and_then(Value::as_str) {
                Some(text) => output::line(text),
                None => output::line(&format!(
                    "{} bytes that are no text; --json shows them in Base64",
                    cell(entry, "size")
                )),
            });
        }
        StateCommand::Delete { name, key, all } => {
            let mut query = Vec::new();
            query.extend(key.map(|key| ("key", key)));
            if all {
                query.push(("all", "true".to_owned()));
            }
            let done = api.delete(&format!("workflows/{}/state", segment(&name)), &query).await?;
            output::line(&match cell(&done, "deleted").as_str() {
                "1" => "1 key deleted".to_owned(),
                n => format!("{n} keys deleted"),
            });
        }
    }
    Ok(())
}

fn show(x: &Value) {
    let keys = x.get("keys").cloned().unwrap_or_default();
    output::objects(&keys, &[("KEY", "key"), ("BYTES", "size"), ("CHANGED", "changed_at")]);
    output::line(&format!(
        "\n{} of at most {} keys, {} of at most {} bytes",
        cell(x, "keys_used"),
        cell(x, "max_keys"),
        cell(x, "bytes_used"),
        cell(x, "max_bytes")
    ));
}
