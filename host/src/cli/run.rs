//! `caspian run list|show|replay|resume|wake|…`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::letters::{self, LetterCommand};
use super::output::{self, cell};
use super::replay::{self, ReplayArgs};
use crate::model::{Cause, RunState};

#[derive(Debug, Subcommand)]
pub(super) enum RunCommand {
    /// List runs, newest first
    List(ListArgs),
    /// Show one run with its steps
    Show {
        /// Id of the run
        id: String,
        /// Show calls and answers with the values of records (audited)
        #[arg(long)]
        values: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Execute a run again from its journal, without any call or change, and compare: exit code 4 when it differs
    Replay(ReplayArgs),
    #[command(flatten)]
    Letter(LetterCommand),
    /// Wake a sleeping run before its time
    Wake {
        /// Id of the run
        id: String,
    },
    /// Let runs go on that a restore parked, since the original host may have gone on with them: it did not
    Resume(ResumeArgs),
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Id of the run
    #[arg(required_unless_present = "cause", conflicts_with = "cause")]
    id: Option<String>,
    /// All that are parked for this reason: restored
    #[arg(long, value_name = "C", value_parser = ["restored"])]
    cause: Option<String>,
    /// Only of this workflow
    #[arg(long, value_name = "W", requires = "cause")]
    workflow: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Of this workflow
    #[arg(long, value_name = "W")]
    workflow: Option<String>,
    /// In this state: queued, running, sleeping, parked, succeeded, dead, discarded, skipped
    #[arg(long, value_name = "S")]
    state: Option<RunState>,
    /// For this cause, e.g. fatal, trap, undecided
    #[arg(long, value_name = "C")]
    cause: Option<Cause>,
    /// Older than this run, for the next page
    #[arg(long, value_name = "ID")]
    before: Option<String>,
    /// At most so many, up to 1000
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u32,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(api: &Api, command: RunCommand) -> Result<(), CliError> {
    match command {
        RunCommand::List(args) => {
            let mut query = vec![("limit", args.limit.to_string())];
            query.extend(args.workflow.map(|w| ("workflow", w)));
            query.extend(args.state.map(|s| ("state", s.to_string())));
            query.extend(args.cause.map(|c| ("cause", c.to_string())));
            query.extend(args.before.map(|b| ("before", b)));
            let list = api.get("runs", &query).await?;
            let columns = [
                ("ID", "id"),
                ("WORKFLOW", "workflow"),
                ("STATE", "state"),
                ("CAUSE", "cause"),
                ("ATTEMPTS", "attempts"),
                ("EVENT", "event"),
                ("TABLE", "table"),
                ("PK_ID", "pk_id"),
                ("QUEUED", "created_at"),
                ("DUE", "next_at"),
            ];
            output::answer(args.format, &list, |list| output::objects(list, &columns));
        }
        RunCommand::Show { id, values, format } => {
            let query = if values { vec![("values", "true".to_owned())] } else { Vec::new() };
            let shown = api.get(&format!("runs/{}", segment(&id)), &query).await?;
            output::answer(format, &shown, show);
        }
        RunCommand::Replay(args) => replay::run(api, args).await?,
        RunCommand::Letter(command) => letters::run(api, command).await?,
        RunCommand::Wake { id } => {
            let woken = api.post(&format!("runs/{}/wake", segment(&id)), &json!({})).await?;
            output::line(&format!("run {} is {}", cell(&woken, "run"), cell(&woken, "state")));
        }
        RunCommand::Resume(ResumeArgs { id: Some(id), .. }) => {
            api.post(&format!("runs/{}/resume", segment(&id)), &json!({})).await?;
            output::line(&format!("run {id} queued"));
        }
        RunCommand::Resume(ResumeArgs { cause, workflow, .. }) => {
            let resumed = api.post("runs/resume", &json!({"cause": cause, "workflow": workflow})).await?;
            output::line(&match cell(&resumed, "runs").as_str() {
                "1" => "1 run queued".to_owned(),
                n => format!("{n} runs queued"),
            });
        }
    }
    Ok(())
}

fn show(x: &Value) {
    let members = [
        ("run", "id"),
        ("workflow", "workflow"),
        ("version", "version"),
        ("state", "state"),
        ("cause", "cause"),
        ("attempts", "attempts"),
        ("wake-ups", "wakeups"),
        ("event", "event"),
        ("table", "table"),
        ("pk_id", "pk_id"),
        ("event date", "event_date"),
        ("message", "message_id"),
        ("queued", "created_at"),
        ("started", "started_at"),
        ("finished", "finished_at"),
        ("due again", "next_at"),
        ("waits for", "waits"),
        ("result", "result"),
        ("failure", "failure"),
        ("next", "next"),
        ("given up", "note"),
        ("begun anew", "successor"),
        ("anew of", "origin"),
    ];
    output::members(x, &members);
    if let Some(by) = x.get("caused_by").filter(|by| by.is_object()) {
        output::line(&format!(
            "{:<11} run {}, step {} (depth {}, of which this workflow {})",
            "caused by",
            cell(by, "run"),
            cell(by, "step"),
            cell(x, "depth"),
            cell(x, "self_depth")
        ));
    }
    if cell(x, "contents") == "deleted" {
        output::line(&format!(
            "{:<11} deleted: result, failure and output went with the workflow, or their time was over",
            "contents"
        ));
    }
    if let Some(steps) = x.get("steps").filter(|s| s.as_array().is_some_and(|s| !s.is_empty())) {
        output::line("");
        let columns = [
            ("STEP", "number"),
            ("ACTION", "action"),
            ("TABLE", "table"),
            ("STATE", "state"),
            ("OUTCOME", "outcome"),
            ("RECORDS", "affected"),
            ("CALLS", "calls"),
            ("DONE", "finished_at"),
        ];
        output::objects(steps, &columns);
        for step in steps.as_array().into_iter().flatten() {
            for name in ["request", "result"] {
                if let Some(value) = step.get(name) {
                    output::line(&format!("  step {} {name}: {value}", cell(step, "number")));
                }
            }
        }
    }
    for attempt in x.get("output").and_then(Value::as_array).into_iter().flatten() {
        let cut = if cell(attempt, "truncated") == "true" { ", cut off" } else { "" };
        output::line(&format!("\noutput {} ({}{cut})", cell(attempt, "number"), cell(attempt, "at")));
        for line in attempt.get("lines").and_then(Value::as_array).into_iter().flatten() {
            output::line(&format!("  {:<6} {}", cell(line, "source"), cell(line, "text")));
        }
    }
}
