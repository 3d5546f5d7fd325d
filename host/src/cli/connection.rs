//! `caspian connection add|list|check|rotate|budget|remove`

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::output;

#[derive(Debug, Subcommand)]
pub(super) enum ConnectionCommand {
    /// Add a connection; its credentials are checked against Caspio first
    Add(AddArgs),
    /// List connections
    List(Format),
    /// Ask Caspio whether it takes the stored credentials
    Check {
        /// Name
        name: String,
    },
    /// Replace the client secret, after Caspio took the new one
    Rotate {
        /// Name
        name: String,
        #[command(flatten)]
        secret: SecretArgs,
    },
    /// Set how many integration calls runs may spend; beyond it they wait for the next day or month
    Budget(BudgetArgs),
    /// Remove a connection that no workflow uses, with its secret
    Remove {
        /// Name
        name: String,
        /// First the workflows that use it: their webhooks in Caspio, then themselves
        #[arg(long)]
        cascade: bool,
        /// Give up on runs that have not ended
        #[arg(long, requires = "cascade")]
        discard_runs: bool,
        /// Leave webhooks that Caspio does not let this host delete; delete them there by hand
        #[arg(long, requires = "cascade")]
        leave_webhooks: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Name, as manifests use it
    name: String,
    /// Integration URL of the Web services profile, e.g. https://c1abc123.caspio.com
    #[arg(long, value_name = "URL")]
    url: String,
    /// Client ID of the profile
    #[arg(long, value_name = "ID")]
    client_id: String,
    #[command(flatten)]
    secret: SecretArgs,
}

#[derive(Debug, Args)]
pub(super) struct BudgetArgs {
    /// Name
    name: String,
    /// Calls a calendar month (UTC)
    #[arg(long, value_name = "N", required_unless_present_any = ["calls_per_day", "none"])]
    calls_per_month: Option<u32>,
    /// Calls a day (UTC)
    #[arg(long, value_name = "N")]
    calls_per_day: Option<u32>,
    /// As many calls as wanted
    #[arg(long, conflicts_with_all = ["calls_per_month", "calls_per_day"])]
    none: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct SecretArgs {
    /// File that holds the client secret
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Read the client secret from standard input
    #[arg(long)]
    client_secret_stdin: bool,
}

impl SecretArgs {
    fn read(&self) -> Result<String, CliError> {
        let mut text = String::new();
        match &self.client_secret_file {
            Some(path) => {
                text = std::fs::read_to_string(path).map_err(|e| {
                    CliError::failed(format!("{} can't be read ({e}); check the path", path.display()))
                })?;
            }
            None => {
                std::io::stdin().read_to_string(&mut text).map_err(|e| {
                    CliError::failed(format!("standard input can't be read ({e}); pipe the secret into it"))
                })?;
            }
        }
        let secret = text.trim().to_owned();
        if secret.is_empty() {
            return Err(CliError::failed(
                "the client secret is empty; copy it from the Web services profile",
            ));
        }
        Ok(secret)
    }
}

pub(super) async fn run(api: &Api, command: ConnectionCommand) -> Result<(), CliError> {
    match command {
        ConnectionCommand::Add(args) => {
            let body = json!({
                "name": args.name,
                "url": args.url,
                "client_id": args.client_id,
                "client_secret": args.secret.read()?,
            });
            let added = api.post("connections", &body).await?;
            let (name, url) = (output::cell(&added, "name"), output::cell(&added, "url"));
            output::line(&format!("connection {name} added: Caspio at {url} took the credentials"));
        }
        ConnectionCommand::Check { name } => {
            let checked = api.post(&format!("connections/{}/check", segment(&name)), &json!({})).await?;
            output::line(&format!(
                "connection {name}: Caspio at {} takes the credentials",
                output::cell(&checked, "url")
            ));
        }
        ConnectionCommand::Rotate { name, secret } => {
            let body = json!({ "client_secret": secret.read()? });
            api.post(&format!("connections/{}/rotate", segment(&name)), &body).await?;
            output::line(&format!("connection {name}: Caspio took the new secret; it is used from now on"));
        }
        ConnectionCommand::Budget(BudgetArgs { name, calls_per_month, calls_per_day, none }) => {
            let body = json!({ "calls_per_month": calls_per_month, "calls_per_day": calls_per_day });
            api.post(&format!("connections/{}/budget", segment(&name)), &body).await?;
            let said = |limit: Option<u32>, period: &str| limit.map(|n| format!("{n} calls a {period}"));
            let limits: Vec<String> =
                [said(calls_per_month, "month"), said(calls_per_day, "day")].into_iter().flatten().collect();
            output::line(&match none {
                true => format!("connection {name}: no budget"),
                false => format!("connection {name}: {}; beyond that runs wait", limits.join(" and ")),
            });
        }
        ConnectionCommand::Remove { name, cascade, discard_runs, leave_webhooks } => {
            let query = [
                ("cascade", cascade.to_string()),
                ("discard_runs", discard_runs.to_string()),
                ("leave_webhooks", leave_webhooks.to_string()),
            ];
            let removed = api.delete(&format!("connections/{}", segment(&name)), &query).await?;
            let list =
                |name: &str| removed.get(name).and_then(serde_json::Value::as_array).into_iter().flatten();
            for workflow in list("workflows").filter_map(serde_json::Value::as_str) {
                output::line(&format!("workflow {workflow} deleted"));
            }
            for webhook in list("left").filter_map(serde_json::Value::as_str) {
                output::line(&format!("webhook {webhook} is left in Caspio: delete it there by hand"));
            }
            output::line(&format!("connection {name} removed, with its secret"));
        }
        ConnectionCommand::List(format) => {
            let list = api.get("connections", &[]).await?;
            if format.json {
                output::json(&list);
            } else {
                let columns =
                    [("NAME", "name"), ("URL", "url"), ("CLIENT ID", "client_id"), ("ADDED", "created_at")];
                output::objects(&list, &columns);
            }
        }
    }
    Ok(())
}
