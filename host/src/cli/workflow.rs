//! `caspian workflow list|show|activate|deactivate|pause|resume|backfill|history|rollback|state|delete`

use clap::Subcommand;
use serde_json::{Value, json};

use super::Format;
use super::api::{Api, segment};
use super::coverage::{self, BackfillArgs};
use super::error::CliError;
use super::output::{self, cell};
use super::state::{self, StateCommand};
use super::versions;

#[derive(Debug, Subcommand)]
pub(super) enum WorkflowCommand {
    /// List workflows
    List(Format),
    /// Show one workflow: triggers, webhook, counts of runs and messages
    Show {
        /// Name
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Make its webhook in Caspio: from now on events start runs
    Activate {
        /// Name
        name: String,
    },
    /// Remove its webhook from Caspio; queued runs go on
    Deactivate {
        /// Name
        name: String,
    },
    /// Keep its webhook, but let its events queue
    Pause {
        /// Name
        name: String,
    },
    /// Let its queued runs go on
    Resume {
        /// Name
        name: String,
    },
    /// Run it over rows that are there already, some a minute; goes on after a restart
    Backfill(BackfillArgs),
    /// List its versions: what changed in each, and its runs
    History {
        /// Name
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Make an earlier version active again; runs that have begun end on the version that they began on
    Rollback {
        /// Name
        name: String,
        /// Version [default: the one that was active before]
        version: Option<u32>,
    },
    /// What it keeps from run to run
    State {
        #[command(subcommand)]
        command: StateCommand,
    },
    /// Remove its webhook from Caspio, then the workflow and the contents of its messages
    Delete {
        /// Name
        name: String,
        /// Give up on runs that have not ended
        #[arg(long)]
        discard_runs: bool,
    },
}

pub(super) async fn run(api: &Api, command: WorkflowCommand) -> Result<(), CliError> {
    match command {
        WorkflowCommand::List(format) => {
            let list = api.get("workflows", &[]).await?;
            if format.json {
                output::json(&list);
            } else {
                let columns = [
                    ("NAME", "name"),
                    ("STATE", "state"),
                    ("VERSION", "version"),
                    ("DEPLOYED", "created_at"),
                ];
                output::objects(&list, &columns);
            }
        }
        WorkflowCommand::Show { name, format } => {
            let shown = api.get(&format!("workflows/{}", segment(&name)), &[]).await?;
            if format.json {
                output::json(&shown);
            } else {
                show(&shown);
            }
        }
        WorkflowCommand::Activate { name } => switch(api, &name, "activate").await?,
        WorkflowCommand::Deactivate { name } => switch(api, &name, "deactivate").await?,
        WorkflowCommand::Pause { name } => switch(api, &name, "pause").await?,
        WorkflowCommand::Resume { name } => switch(api, &name, "resume").await?,
        WorkflowCommand::Backfill(args) => coverage::backfill(api, args).await?,
        WorkflowCommand::History { name, format } => versions::history(api, &name, format).await?,
        WorkflowCommand::Rollback { name, version } => versions::roll_back(api, &name, version).await?,
        WorkflowCommand::State { command } => state::run(api, command).await?,
        WorkflowCommand::Delete { name, discard_runs } => {
            let query = [("discard_runs", discard_runs.to_string())];
            api.delete(&format!("workflows/{}", segment(&name)), &query).await?;
            output::line(&format!(
                "workflow {name} deleted: its webhook is gone from Caspio, its messages can't be read any more"
            ));
        }
    }
    Ok(())
}

async fn switch(api: &Api, name: &str, verb: &str) -> Result<(), CliError> {
    let done = api.post(&format!("workflows/{}/{verb}", segment(name)), &json!({})).await?;
    output::line(&format!("workflow {} is {}", cell(&done, "name"), cell(&done, "state")));
    Ok(())
}

fn show(x: &Value) {
    let members = [
        ("name", "name"),
        ("state", "state"),
        ("version", "version"),
        ("connection", "connection"),
        ("component", "component"),
        ("deployed", "deployed_at"),
    ];
    output::members(x, &members);
    for trigger in x.get("triggers").and_then(Value::as_array).into_iter().flatten() {
        if let Some(schedule) = trigger.get("schedule") {
            let parts = ["cron", "time_zone", "missed"].map(|name| cell(schedule, name));
            let [cron, zone, missed] = parts;
            output::line(&format!("{:<11} schedule {cron} ({zone}), missed ticks: {missed}", "trigger"));
            continue;
        }
        let mut text = format!("{} of {}", cell(trigger, "event"), cell(trigger, "table"));
        for (what, name) in [("fields", "fields"), ("sources", "sources")] {
            let names: Vec<&str> = trigger
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            if !names.is_empty() {
                text.push_str(&format!(", {what} {}", names.join(" ")));
            }
        }
        output::line(&format!("{:<11} {text}", "trigger"));
    }
    if let Some(hook) = x.get("webhook").filter(|h| !h.is_null()) {
        let signed = if cell(hook, "signed") == "true" { ", signed" } else { "" };
        let (id, stage) = (cell(hook, "caspio_id"), cell(hook, "stage"));
        output::line(&format!(
            "{:<11} {} (Caspio's id {id}), {stage}{signed}",
            "webhook",
            cell(hook, "name")
        ));
        if cell(hook, "rejected") != "0" {
            output::line(&format!(
                "{:<11} {} messages refused, last: {} at {}",
                "",
                cell(hook, "rejected"),
                cell(hook, "last_rejection"),
                cell(hook, "last_rejection_at")
            ));
        }
    }
    for name in ["runs", "messages"] {
        output::line(&format!("{name:<11} {}", output::counts(x, name)));
    }
}
