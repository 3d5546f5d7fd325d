//! `caspian token add|list|remove`

use clap::Subcommand;
use serde_json::json;

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::output::{self, cell};
use crate::model::TokenScope;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Add a token; it is printed once
    Add {
        /// Name
        name: String,
        /// What it may do: admin (everything) or metrics (read /metrics)
        #[arg(long, value_name = "S")]
        scope: TokenScope,
    },
    /// List tokens
    List(Format),
    /// Remove a token: from now on it is not known
    Remove {
        /// Name
        name: String,
    },
}

pub(super) async fn run(api: &Api, command: TokenCommand) -> Result<(), CliError> {
    match command {
        TokenCommand::Add { name, scope } => {
            let made = api.post("tokens", &json!({"name": name, "scope": scope})).await?;
            output::line(&cell(&made, "token"));
        }
        TokenCommand::List(format) => {
            let list = api.get("tokens", &[]).await?;
            let columns = [("NAME", "name"), ("SCOPE", "scope"), ("ADDED", "created_at")];
            output::answer(format, &list, |list| output::objects(list, &columns));
        }
        TokenCommand::Remove { name } => {
            api.delete(&format!("tokens/{}", segment(&name)), &[]).await?;
            output::line(&format!("token {name} removed"));
        }
    }
    Ok(())
}
