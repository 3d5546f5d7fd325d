//! `caspian orphans list|remove`

use clap::Subcommand;
use serde_json::{Value, json};

use super::Format;
use super::api::Api;
use super::error::CliError;
use super::output::{self, cell};

#[derive(Debug, Subcommand)]
pub(super) enum OrphansCommand {
    /// List webhooks in Caspio that send to this host's public URL and belong to no workflow of it
    List {
        /// Only in the account of this connection
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Delete such webhooks in Caspio
    Remove {
        /// Caspio's ids, as listed
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Vec<String>,
        /// All of them
        #[arg(long)]
        all: bool,
        /// Only in the account of this connection
        #[arg(long, value_name = "NAME")]
        connection: Option<String>,
    },
}

pub(super) async fn run(api: &Api, command: OrphansCommand) -> Result<(), CliError> {
    match command {
        OrphansCommand::List { connection, format } => {
            let query: Vec<_> = connection.map(|name| ("connection", name)).into_iter().collect();
            let list = api.get("orphans", &query).await?;
            output::answer(format, &list, |list| {
                let columns = [
                    ("ID", "id"),
                    ("NAME", "name"),
                    ("CONNECTION", "connection"),
                    ("ACTIVE", "active"),
                    ("ONCE OURS", "known"),
                ];
                output::objects(list, &columns);
            });
            Ok(())
        }
        OrphansCommand::Remove { id, all, connection } => {
            let body = json!({ "connection": connection, "ids": id, "all": all });
            let done = api.post("orphans/remove", &body).await?;
            let removed = done.get("removed").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for orphan in removed {
                output::line(&format!(
                    "webhook {} ({}) deleted in Caspio",
                    cell(orphan, "id"),
                    cell(orphan, "name")
                ));
            }
            match cell(&done, "error") {
                error if !error.is_empty() => Err(CliError::failed(error)),
                _ if removed.is_empty() => {
                    output::line("there are no orphans");
                    Ok(())
                }
                _ => Ok(()),
            }
        }
    }
}
