//! `caspian retention show|set|reset|purge|hold|holds|release`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::output::{self, cell};
use crate::model::Keep;

#[derive(Debug, Subcommand)]
pub(super) enum RetentionCommand {
    /// Show how long contents and records are kept
    Show(Format),
    /// Set it for the tenant; what is not named stays as it is
    Set(SetArgs),
    /// Go back to what the host's configuration says
    Reset,
    /// Remove now what was kept long enough; the host does so by itself every hour
    Purge {
        /// Only count it
        #[arg(long)]
        dry_run: bool,
    },
    /// Keep everything of a workflow, a run, or the tenant until the hold is released
    Hold {
        /// Name of the hold
        name: String,
        /// All of this workflow
        #[arg(long, value_name = "W", conflicts_with = "run")]
        workflow: Option<String>,
        /// The message of this run
        #[arg(long, value_name = "ID")]
        run: Option<String>,
        /// Why, for whoever looks at it later (kept encrypted)
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List holds
    Holds(Format),
    /// End a hold
    Release {
        /// Name of the hold
        name: String,
    },
}

/// Times like 30d, 36h, 90m, 0s (as soon as it ended), forever.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct SetArgs {
    /// Contents of runs that succeeded
    #[arg(long, value_name = "TIME")]
    succeeded: Option<Keep>,
    /// Contents of runs that were skipped
    #[arg(long, value_name = "TIME")]
    skipped: Option<Keep>,
    /// Contents of runs that were discarded
    #[arg(long, value_name = "TIME")]
    discarded: Option<Keep>,
    /// Contents of dead letters
    #[arg(long, value_name = "TIME")]
    dead: Option<Keep>,
    /// Messages that could not be parsed
    #[arg(long, value_name = "TIME")]
    unparsable: Option<Keep>,
    /// Records without contents, from when the message came; 7d or more
    #[arg(long, value_name = "TIME")]
    records: Option<Keep>,
}

pub(super) async fn run(api: &Api, command: RetentionCommand) -> Result<(), CliError> {
    match command {
        RetentionCommand::Show(format) => {
            let view = api.get("retention", &[]).await?;
            output::answer(format, &view, show);
        }
        RetentionCommand::Set(args) => {
            let SetArgs { succeeded, skipped, discarded, dead, unparsable, records } = args;
            let mut wanted = serde_json::Map::new();
            for (name, keep) in [
                ("succeeded", succeeded),
                ("skipped", skipped),
                ("discarded", discarded),
                ("dead", dead),
                ("unparsable", unparsable),
                ("records", records),
            ] {
                wanted.extend(keep.map(|keep| (name.to_owned(), Value::String(keep.to_string()))));
            }
            show(&api.post("retention", &Value::Object(wanted)).await?);
        }
        RetentionCommand::Reset => {
            api.delete("retention", &[]).await?;
            output::line("everything is kept as the host's configuration says");
        }
        RetentionCommand::Purge { dry_run } => {
            let purged = api.post("retention/purge", &json!({"dry_run": dry_run})).await?;
            output::line(&format!(
                "{}contents of {} messages shredded, records of {} deleted",
                if dry_run { "would be: " } else { "" },
                cell(&purged, "shredded"),
                cell(&purged, "forgotten")
            ));
        }
        RetentionCommand::Hold { name, workflow, run, reason } => {
            let new = json!({"name": name, "workflow": workflow, "run": run, "reason": reason});
            let hold = api.post("holds", &new).await?;
            output::line(&format!("hold {} keeps {}", cell(&hold, "name"), cell(&hold, "keeps")));
        }
        RetentionCommand::Holds(format) => {
            let list = api.get("holds", &[]).await?;
            let columns =
                [("NAME", "name"), ("KEEPS", "keeps"), ("REASON", "reason"), ("SINCE", "created_at")];
            output::answer(format, &list, |list| output::objects(list, &columns));
        }
        RetentionCommand::Release { name } => {
            api.delete(&format!("holds/{}", segment(&name)), &[]).await?;
            output::line(&format!("hold {name} is released"));
        }
    }
    Ok(())
}

fn show(view: &Value) {
    let kept = view.get("kept").unwrap_or(&Value::Null);
    let own = view.get("own").unwrap_or(&Value::Null);
    let rows: Vec<Value> = ["succeeded", "skipped", "discarded", "dead", "unparsable", "records"]
        .into_iter()
        .map(|what| {
            let by = if own.get(what).is_some() { "tenant" } else { "host" };
            json!({"what": what, "kept": cell(kept, what), "by": by})
        })
        .collect();
    output::objects(&Value::Array(rows), &[("WHAT", "what"), ("KEPT", "kept"), ("SET BY", "by")]);
}
