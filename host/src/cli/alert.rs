//! `caspian alert list|test`

use clap::Subcommand;
use serde_json::{Value, json};

use super::Format;
use super::api::Api;
use super::error::CliError;
use super::output::{self, cell};

#[derive(Debug, Subcommand)]
pub(super) enum AlertCommand {
    /// List alerts that were not told yet: their group's turn is later, or no receiver took them
    List(Format),
    /// Send a test alert to the webhook and the command of the configuration
    Test,
}

pub(super) async fn run(api: &Api, command: AlertCommand) -> Result<(), CliError> {
    match command {
        AlertCommand::List(format) => {
            let list = api.get("alerts", &[]).await?;
            let columns = [
                ("KIND", "kind"),
                ("WORKFLOW", "workflow"),
                ("CAUSE", "cause"),
                ("COUNT", "count"),
                ("SINCE", "first_at"),
                ("NEXT", "due_at"),
                ("TRIES", "tries"),
                ("ERROR", "error"),
            ];
            output::answer(format, &list, |list| output::objects(list, &columns));
        }
        AlertCommand::Test => {
            let tested = api.post("alerts/test", &json!({})).await?;
            let mut failed = Vec::new();
            for one in tested.as_array().into_iter().flatten() {
                let receiver = cell(one, "receiver");
                match one.get("error").and_then(Value::as_str) {
                    None => output::line(&format!("{receiver}: it took the alert")),
                    Some(error) => failed.push(format!("{receiver}: {error}")),
                }
            }
            if !failed.is_empty() {
                return Err(CliError::failed(format!(
                    "the alert was not taken by all ({}); mend [alerts] in the configuration, or the receiver",
                    failed.join(", ")
                )));
            }
        }
    }
    Ok(())
}
