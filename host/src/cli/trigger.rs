//! `caspian trigger list|check|repair`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Format;
use super::api::Api;
use super::error::CliError;
use super::output::{self, cell};

#[derive(Debug, Subcommand)]
pub(super) enum TriggerCommand {
    /// List triggers with their webhooks, and what was found when they were last compared with Caspio
    List(Which),
    /// Compare webhooks with Caspio and say what is wrong; nothing is changed, exit code 1 when something is
    Check(Which),
    /// Put right what people changed in Caspio: webhooks and events deleted, disabled or edited
    Repair {
        #[command(flatten)]
        which: Which,
        /// Make a new webhook, with a new URL and secret, in place of the workflow's; no event is lost meanwhile
        #[arg(long, requires = "workflow")]
        new_secret: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only of this workflow
    workflow: Option<String>,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(api: &Api, command: TriggerCommand) -> Result<(), CliError> {
    match command {
        TriggerCommand::List(Which { workflow, format }) => {
            let query: Vec<_> = workflow.map(|name| ("workflow", name)).into_iter().collect();
            let list = api.get("triggers", &query).await?;
            output::answer(format, &list, |list| {
                let columns = [
                    ("WORKFLOW", "workflow"),
                    ("EVENT", "event"),
                    ("TABLE", "table"),
                    ("WEBHOOK", "webhook"),
                    ("STAGE", "stage"),
                    ("CHECKED", "checked_at"),
                    ("TROUBLE", "trouble"),
                ];
                output::objects(list, &columns);
            });
            Ok(())
        }
        TriggerCommand::Check(Which { workflow, format }) => {
            let body = json!({ "workflow": workflow });
            let found = api.post("triggers/check", &body).await?;
            output::answer(format, &found, show);
            say(&found, "mend them with: caspian trigger repair")
        }
        TriggerCommand::Repair { which: Which { workflow, format }, new_secret } => {
            let body = json!({ "workflow": workflow, "new_secret": new_secret });
            let found = api.post("triggers/repair", &body).await?;
            output::answer(format, &found, show);
            say(&found, "do what is said beside them, and give the command again")
        }
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn show(found: &Value) {
    let mut rows = Vec::new();
    for view in found.as_array().into_iter().flatten() {
        let row = |what: String, now: &str| {
            vec![cell(view, "workflow"), cell(view, "webhook"), what, now.to_owned()]
        };
        let now = if cell(view, "mended") == "true" { "mended" } else { "wrong" };
        let findings = list(view, "findings");
        rows.extend(findings.iter().map(|finding| row(cell(finding, "text"), now)));
        let error = cell(view, "error");
        if !error.is_empty() {
            rows.push(row(error, "failed"));
        } else if findings.is_empty() {
            rows.push(row("it is as it should be".to_owned(), "right"));
        }
    }
    output::table(&["WORKFLOW", "WEBHOOK", "WHAT", "NOW"], &rows);
}

/// An error when something is wrong still.
fn say(found: &Value, next: &str) -> Result<(), CliError> {
    let wrong = |view: &&Value| {
        let mended = cell(view, "mended") == "true" || list(view, "findings").is_empty();
        !mended || !cell(view, "error").is_empty()
    };
    match found.as_array().into_iter().flatten().filter(wrong).count() {
        0 => Ok(()),
        1 => Err(CliError::failed(format!("one webhook is not as it should be; {next}"))),
        n => Err(CliError::failed(format!("{n} webhooks are not as they should be; {next}"))),
    }
}
