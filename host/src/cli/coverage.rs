//! `caspian coverage`, and `caspian workflow backfill`

use clap::Args;
use serde_json::{Value, json};

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::output::{self, cell};

#[derive(Debug, Args)]
pub(super) struct CoverageArgs {
    /// Only of this workflow
    workflow: Option<String>,
    /// Begin a round of the workflow's sweeps now, e.g. after an import
    #[arg(long, requires = "workflow")]
    now: bool,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// Name
    name: String,
    /// Table whose rows are meant, when the triggers are of several
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// What the rows are given as: record-insert or record-update [default: the kind of the first trigger]
    #[arg(long = "as", value_name = "EVENT")]
    event: Option<String>,
    /// Only rows of which this holds, e.g. Status=Active or "PK_ID>=100" (signs: = != < <= > >=); all of several
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// Rows a minute
    #[arg(long, value_name = "N", default_value_t = 60)]
    per_minute: u32,
    /// End the backfill that is under way; runs that it queued go on
    #[arg(long, conflicts_with_all = ["table", "event", "conditions"])]
    cancel: bool,
}

pub(super) async fn coverage(api: &Api, args: CoverageArgs) -> Result<(), CliError> {
    if let (true, Some(name)) = (args.now, &args.workflow) {
        api.post(&format!("workflows/{}/sweep", segment(name)), &json!({})).await?;
        output::line(&format!("the tables of {name} are being swept; see: caspian coverage {name}"));
        return Ok(());
    }
    let query: Vec<_> = args.workflow.into_iter().map(|name| ("workflow", name)).collect();
    let shown = api.get("coverage", &query).await?;
    output::answer(args.format, &shown, |shown| {
        let list = |name: &str| shown.get(name).cloned().unwrap_or_default();
        if list("sweeps").as_array().is_some_and(|all| !all.is_empty()) {
            output::objects(&list("sweeps"), &SWEEPS);
        } else {
            output::line("no table is swept (see `reconcile` in docs/manifest.md)");
        }
        if list("backfills").as_array().is_some_and(|all| !all.is_empty()) {
            output::line("");
            output::objects(&list("backfills"), &BACKFILLS);
        }
    });
    Ok(())
}

const SWEEPS: [(&str, &str); 11] = [
    ("WORKFLOW", "workflow"),
    ("TABLE", "table"),
    ("ROUNDS", "rounds"),
    ("ROWS", "rows"),
    ("INSERTS", "inserts"),
    ("UPDATES", "updates"),
    ("DELETES", "deletes"),
    ("LATE", "late"),
    ("CALLS", "calls"),
    ("NEXT", "next_at"),
    ("ERROR", "error"),
];

const BACKFILLS: [(&str, &str); 8] = [
    ("BACKFILL", "workflow"),
    ("TABLE", "table"),
    ("AS", "event"),
    ("STATE", "state"),
    ("ROWS", "rows"),
    ("REACHED", "reached"),
    ("LAST", "last"),
    ("ERROR", "error"),
];

pub(super) async fn backfill(api: &Api, args: BackfillArgs) -> Result<(), CliError> {
    let path = format!("workflows/{}/backfill", segment(&args.name));
    if args.cancel {
        api.delete(&path, &[]).await?;
        output::line(&format!("the backfill of {} is ended; its runs go on", args.name));
        return Ok(());
    }
    let request = json!({
        "table": args.table,
        "event": args.event,
        "conditions": args.conditions,
        "per_minute": args.per_minute,
    });
    let begun: Value = api.post(&path, &request).await?;
    output::line(&format!(
        "{} runs over rows of {} up to PK_ID {}, {} a minute; see: caspian coverage {0}",
        args.name,
        cell(&begun, "table"),
        cell(&begun, "last"),
        cell(&begun, "per_minute")
    ));
    Ok(())
}
