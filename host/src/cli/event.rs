//! `caspian event send|list|show`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::output;

#[derive(Debug, Subcommand)]
pub(super) enum EventCommand {
    /// Start a workflow over an event of your own
    Send {
        /// Workflow
        workflow: String,
        /// JSON, up to 12 MiB: {"event": "record-insert", "table": "Patients", "rows": [{"PK_ID": 1, …}], "event_date":
        /// "…"}; or what `event show --values --json` printed
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// List events, newest first
    List(ListArgs),
    /// Show one event and its runs
    Show {
        /// Id of the event
        id: String,
        /// Show the values of its rows (audited)
        #[arg(long)]
        values: bool,
        #[command(flatten)]
        format: Format,
    },
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Of this workflow
    #[arg(long, value_name = "W")]
    workflow: Option<String>,
    /// Older than this event, for the next page
    #[arg(long, value_name = "ID")]
    before: Option<String>,
    /// At most so many, up to 1000
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u32,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(api: &Api, command: EventCommand) -> Result<(), CliError> {
    match command {
        EventCommand::Send { workflow, file } => {
            let text = std::fs::read_to_string(&file).map_err(|e| {
                CliError::failed(format!("{} can't be read ({e}); check the path", file.display()))
            })?;
            let event: Value = serde_json::from_str(&text).map_err(|e| {
                let (line, column) = (e.line(), e.column());
                CliError::failed(format!(
                    "{}, line {line}, column {column}: no JSON; correct the file",
                    file.display()
                ))
            })?;
            let sent = api.post(&format!("workflows/{}/events", segment(&workflow)), &event).await?;
            for run in sent.get("runs").and_then(Value::as_array).into_iter().flatten() {
                output::line(&format!("run {} queued", run.as_str().unwrap_or_default()));
            }
        }
        EventCommand::List(args) => {
            let mut query = vec![("limit", args.limit.to_string())];
            query.extend(args.workflow.map(|w| ("workflow", w)));
            query.extend(args.before.map(|b| ("before", b)));
            let list = api.get("events", &query).await?;
            let columns = [
                ("ID", "id"),
                ("WORKFLOW", "workflow"),
                ("EVENT", "event"),
                ("TABLE", "table"),
                ("PK_ID", "pk_id"),
                ("EVENT DATE", "event_date"),
                ("FROM", "from"),
                ("STORED", "created_at"),
            ];
            output::answer(args.format, &list, |list| output::objects(list, &columns));
        }
        EventCommand::Show { id, values, format } => {
            let query = if values { vec![("values", "true".to_owned())] } else { Vec::new() };
            let shown = api.get(&format!("events/{}", segment(&id)), &query).await?;
            output::answer(format, &shown, show);
        }
    }
    Ok(())
}

fn show(x: &Value) {
    let members = [
        ("event", "id"),
        ("workflow", "workflow"),
        ("kind", "event"),
        ("table", "table"),
        ("pk_id", "pk_id"),
        ("event date", "event_date"),
        ("message", "message_id"),
        ("from", "from"),
        ("stored", "created_at"),
    ];
    output::members(x, &members);
    if let Some(rows) = x.get("rows") {
        output::line(&format!("{:<11} {rows}", "rows"));
    }
    if let Some(runs) = x.get("runs") {
        output::line("");
        output::objects(
            runs,
            &[("RUN", "id"), ("STATE", "state"), ("CAUSE", "cause"), ("ATTEMPTS", "attempts")],
        );
    }
}
