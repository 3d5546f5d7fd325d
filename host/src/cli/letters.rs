//! `caspian run letters|resolve|redrive|discard`

use clap::Subcommand;
use serde_json::json;

use super::Format;
use super::api::{Api, segment};
use super::error::CliError;
use super::output::{self, cell};
use crate::model::Cause;

#[derive(Debug, Subcommand)]
pub(super) enum LetterCommand {
    /// Dead and parked runs by workflow, cause, and the error of their last call
    Letters(Format),
    /// Say what became of the undecided effect of a parked run, after a look at the table in Caspio
    #[command(group(clap::ArgGroup::new("resolution").required(true).args(["done", "retry", "fail"])))]
    Resolve {
        /// Id of the run
        id: String,
        /// Caspio did it: the run goes on with its result
        #[arg(long)]
        done: bool,
        /// PK_ID of the record that Caspio created
        #[arg(long, value_name = "N", requires = "done")]
        pk_id: Option<i64>,
        /// Caspio did not do it: it is sent again
        #[arg(long)]
        retry: bool,
        /// Give the run up: it becomes a dead letter
        #[arg(long)]
        fail: bool,
    },
    /// Let a dead or parked run, or all of a workflow for a cause, go on after the last finished effect
    #[command(group(clap::ArgGroup::new("which").required(true).args(["id", "workflow"])))]
    Redrive {
        /// Id of the run
        id: Option<String>,
        /// All of this workflow
        #[arg(long, value_name = "W", requires = "cause")]
        workflow: Option<String>,
        /// For this cause, e.g. fatal, trap, diverged
        #[arg(long, value_name = "C", requires = "workflow")]
        cause: Option<Cause>,
        /// Only those whose last call failed with this code, e.g. conflict, invalid, denied
        #[arg(long, value_name = "CODE", requires = "cause")]
        code: Option<String>,
        /// With this version [default: the active one]
        #[arg(long, value_name = "V")]
        version: Option<u32>,
        /// Begin anew instead, as another run: what it did is done again
        #[arg(long, conflicts_with = "workflow")]
        from_start: bool,
    },
    /// Give a dead, parked or sleeping run up
    Discard {
        /// Id of the run
        id: String,
        /// Why, for whoever looks at it later (kept encrypted)
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(super) async fn run(api: &Api, command: LetterCommand) -> Result<(), CliError> {
    match command {
        LetterCommand::Letters(format) => {
            let list = api.get("letters", &[]).await?;
            let columns = [
                ("WORKFLOW", "workflow"),
                ("STATE", "state"),
                ("CAUSE", "cause"),
                ("LAST CALL", "action"),
                ("CODE", "code"),
                ("RUNS", "count"),
                ("SINCE", "oldest"),
            ];
            output::answer(format, &list, |list| output::objects(list, &columns));
        }
        LetterCommand::Resolve { id, done, pk_id, retry, .. } => {
            let resolution = match (done, retry) {
                (true, _) => "done",
                (_, true) => "retry",
                _ => "fail",
            };
            let request = json!({"resolution": resolution, "pk_id": pk_id});
            let decided = api.post(&format!("runs/{}/resolve", segment(&id)), &request).await?;
            output::line(&format!("run {} is {}", cell(&decided, "run"), cell(&decided, "state")));
        }
        LetterCommand::Redrive { id: Some(id), version, from_start, .. } => {
            let request = json!({"version": version, "from_start": from_start});
            let decided = api.post(&format!("runs/{}/redrive", segment(&id)), &request).await?;
            output::line(&format!("run {} is {}", cell(&decided, "run"), cell(&decided, "state")));
        }
        LetterCommand::Redrive { workflow, cause, code, version, .. } => {
            let request = json!({"workflow": workflow, "cause": cause, "code": code, "version": version});
            let done = api.post("letters/redrive", &request).await?;
            output::line(&format!(
                "{} runs go on, {} are left",
                cell(&done, "redriven"),
                cell(&done, "left")
            ));
        }
        LetterCommand::Discard { id, reason } => {
            let decided =
                api.post(&format!("runs/{}/discard", segment(&id)), &json!({"reason": reason})).await?;
            output::line(&format!("run {} is {}", cell(&decided, "run"), cell(&decided, "state")));
        }
    }
    Ok(())
}
