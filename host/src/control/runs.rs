//! Runs: state, steps, what the guest wrote; and going on with those that a restore parked. Values of records are
//! shown only when asked for, and that is audited.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::journal::decode_step;
use crate::manifest::Manifest;
use crate::model::{Answer, Cause, RunId, RunState, TenantId, WorkflowState};
use crate::runtime::OutputLine;
use crate::secrets::DataKey;
use crate::store::{RunFilter, RunRecord, StepRecord, StepState};

use super::{Control, ControlError, Kind, Result, contents_gone};

/// Longest list.
const MAX_LIST: u32 = 1000;

/// Which runs to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunQuery {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// In this state.
    pub state: Option<RunState>,
    /// For this cause.
    pub cause: Option<Cause>,
    /// Older than the run of this id.
    pub before: Option<String>,
    /// At most so many; default 100, at most 1000.
    pub limit: Option<u32>,
}

/// Which parked runs are to go on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// Why they were parked.
    pub cause: Cause,
    /// Of this workflow.
    pub workflow: Option<String>,
}

/// How many runs go on.
#[derive(Debug, Serialize)]
pub struct ResumedView {
    /// So many are queued again.
    pub runs: u64,
}

/// A run, as listed.
#[derive(Debug, Serialize)]
pub struct RunView {
    /// Id.
    pub id: RunId,
    /// Workflow.
    pub workflow: String,
    /// Version it is bound to; none before its first claim.
    pub version: Option<u32>,
    /// From 1.
    pub generation: u32,
    /// State.
    pub state: RunState,
    /// Why.
    pub cause: Option<Cause>,
    /// Counted attempts.
    pub attempts: u32,
    /// Wake-ups.
    pub wakeups: u32,
    /// Crashes of the host while it ran, since its last progress.
    pub host_crashes: u32,
    /// Kind of the event.
    pub event: String,
    /// Table of the event.
    pub table: String,
    /// `PK_ID` of the event's row.
    pub pk_id: Option<i64>,
    /// Caspio's `eventDate`.
    pub event_date: String,
    /// Caspio's `messageId`.
    pub message_id: Option<String>,
    /// When it was queued.
    pub created_at: String,
    /// Runs before it in its chain, each caused by a write of the one before.
    pub depth: u32,
    /// Runs of the same workflow among them.
    pub self_depth: u32,
    /// Whose write its event is.
    pub caused_by: Option<CausedBy>,
    /// First claim.
    pub started_at: Option<String>,
    /// End.
    pub finished_at: Option<String>,
    /// When it is due again.
    pub next_at: Option<String>,
}

/// A step of a run.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CausedBy {
    /// The run.
    pub run: RunId,
    /// Number of the step.
    pub step: u32,
}

impl From<RunRecord> for RunView {
    fn from(x: RunRecord) -> Self {
        Self {
            id: x.id,
            workflow: x.workflow_name,
            version: x.version,
            generation: x.generation,
            state: x.state,
            cause: x.cause,
            attempts: x.attempts,
            wakeups: x.wakeups,
            host_crashes: x.host_crashes,
            event: x.kind.as_str().to_owned(),
            table: x.table,
            pk_id: x.pk_id,
            event_date: x.event_date,
            message_id: x.caspio_message_id,
            depth: x.lineage.depth,
            self_depth: x.lineage.self_depth,
            caused_by: x.lineage.caused_by.map(|(run, step)| CausedBy { run, step }),
            created_at: x.created_at.to_string(),
            started_at: x.started_at.map(|t| t.to_string()),
            finished_at: x.finished_at.map(|t| t.to_string()),
            next_at: x.next_at.map(|t| t.to_string()),
        }
    }
}

/// A run with everything that is kept of it.
#[derive(Debug, Serialize)]
pub struct RunDetail {
    /// As listed.
    #[serde(flatten)]
    pub run: RunView,
    /// `kept`; or `deleted`, with its workflow: then result, failure, output and values can't be read any more.
    pub contents: &'static str,
    /// What `handle` returned.
    pub result: Option<String>,
    /// Why it failed or waits.
    pub failure: Option<String>,
    /// What a person can do about it.
    pub next: Option<String>,
    /// Why a person gave it up.
    pub note: Option<String>,
    /// The run that this one began anew.
    pub origin: Option<RunId>,
    /// The run that began this one anew.
    pub successor: Option<RunId>,
    /// What it waits for, when it is queued.
    pub waits: Option<String>,
    /// Its steps.
    pub steps: Vec<StepView>,
    /// What its attempts wrote.
    pub output: Vec<OutputView>,
}

/// A step, as shown.
#[derive(Debug, Serialize)]
pub struct StepView {
    /// From 1.
    pub number: u32,
    /// Action.
    pub action: String,
    /// Table.
    pub table: Option<String>,
    /// It changes something outside.
    pub effect: bool,
    /// `intent` or `done`.
    pub state: &'static str,
    /// `ok` or the error's code.
    pub outcome: Option<String>,
    /// Records changed or answered.
    pub affected: Option<u32>,
    /// Integration calls.
    pub calls: u32,
    /// When it was begun.
    pub started_at: String,
    /// When it was done.
    pub finished_at: Option<String>,
    /// The call, when values were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<serde_json::Value>,
    /// The answer, when values were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
}

/// What one instantiation wrote.
#[derive(Serialize)]
pub struct OutputView {
    /// Number of the instantiation.
    pub number: u32,
    /// When it ended.
    pub at: String,
    /// Something was cut off.
    pub truncated: bool,
    /// Lines.
    pub lines: Vec<OutputLine>,
}

impl std::fmt::Debug for OutputView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OutputView({} lines)", self.lines.len())
    }
}

impl Control {
    /// Lists runs, newest first.
    ///
    /// # Errors
    /// When the workflow does not exist.
    pub async fn runs(&self, tenant: &TenantId, query: RunQuery) -> Result<Vec<RunView>> {
        let workflow = match &query.workflow {
            Some(name) => Some(self.workflow_named(tenant, name).await?.id),
            None => None,
        };
        let filter = RunFilter {
            workflow,
            state: query.state,
            cause: query.cause,
            before: query.before.as_deref().map(|id| super::id(id, "run")).transpose()?,
            limit: query.limit.unwrap_or(100).clamp(1, MAX_LIST),
        };
        Ok(self.store.runs(tenant, filter).await?.into_iter().map(RunView::from).collect())
    }

    /// One run with its steps. `values`: with the calls and answers in clear.
    ///
    /// # Errors
    /// When there is none, or its key does not fit.
    pub async fn run(&self, tenant: &TenantId, id: RunId, values: bool) -> Result<RunDetail> {
        let record = self.store.run(tenant, id).await?.ok_or_else(|| no_run(id))?;
        let Some(key) = self.data_key(tenant, record.message).await? else {
            if values {
                return Err(contents_gone());
            }
            // The outside of its steps is not encrypted.
            let steps = self.store.steps(id).await?.into_iter().map(outside).collect();
            let (origin, successor) = (record.origin, record.successor);
            let run = RunView::from(record);
            return Ok(RunDetail {
                run,
                contents: "deleted",
                result: None,
                failure: None,
                next: None,
                note: None,
                origin,
                successor,
                waits: None,
                steps,
                output: Vec::new(),
            });
        };
        if values {
            self.audit(tenant, "run.show-values", &id.to_string()).await?;
        }
        let text = |column: &str, sealed: &Option<Vec<u8>>| -> Result<Option<String>> {
            let opened = sealed.as_ref().map(|s| key.open("runs", column, id.as_bytes(), s)).transpose()?;
            Ok(opened.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let result = text("result", &record.sealed_result)?;
        let failure = text("failure", &record.sealed_failure)?;
        let note = text("note", &record.sealed_note)?;
        let (origin, successor) = (record.origin, record.successor);
        let steps = self.store.steps(id).await?;
        let steps = steps.into_iter().map(|s| step(&key, id, s, values)).collect::<Result<_>>()?;
        let mut output = Vec::new();
        for kept in self.store.output(id).await? {
            let plain = key.open("run_output", "lines", id.as_bytes(), &kept.sealed_lines)?;
            output.push(OutputView {
                number: kept.number,
                at: kept.at.to_string(),
                truncated: kept.truncated,
                lines: serde_json::from_slice(&plain).unwrap_or_default(),
            });
        }
        let next = super::letters::next_step(id, record.state, record.cause);
        let waits = self.waits(tenant, &record).await?;
        let run = record.into();
        Ok(RunDetail {
            run,
            contents: "kept",
            result,
            failure,
            next,
            note,
            origin,
            successor,
            waits,
            steps,
            output,
        })
    }
}

impl Control {
    /// Queues a run again that was parked when the store was restored from a backup.
    ///
    /// # Errors
    /// When it is not parked so: whether another one may go on is for a person to find out, step by step.
    pub async fn resume_run(&self, tenant: &TenantId, id: RunId) -> Result<RunView> {
        let resumed = self.store.resume_restored(tenant, Some(id), None, Time::now()).await?;
        let record = self.store.run(tenant, id).await?.ok_or_else(|| no_run(id))?;
        if resumed == 0 {
            let cause = record.cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
            let next = super::letters::next_step(id, record.state, record.cause)
                .unwrap_or_else(|| format!("see what became of it: caspian run show {id}"));
            return Err(ControlError::new(
                Kind::Conflict,
                "run-state",
                format!(
                    "the run is {}{cause}, and only one that is parked (restored) can be resumed; {next}",
                    record.state
                ),
            ));
        }
        self.audit(tenant, "run.resume", &id.to_string()).await?;
        self.wake.notify_one();
        Ok(record.into())
    }

    /// Queues all runs again that were parked when the store was restored from a backup.
    ///
    /// # Errors
    /// When the workflow does not exist, or the cause is another one.
    pub async fn resume_runs(&self, tenant: &TenantId, request: ResumeRequest) -> Result<ResumedView> {
        if request.cause != Cause::Restored {
            return Err(ControlError::invalid(
                "cause",
                format!(
                    "runs that are parked ({}) can't be resumed together; look at each: caspian run list --state parked",
                    request.cause
                ),
            ));
        }
        let workflow = match &request.workflow {
            Some(name) => Some(self.workflow_named(tenant, name).await?.id),
            None => None,
        };
        let runs = self.store.resume_restored(tenant, None, workflow, Time::now()).await?;
        let of = request.workflow.map(|name| format!(" of {name}")).unwrap_or_default();
        self.audit(tenant, "run.resume", &format!("{runs} restored{of}")).await?;
        self.wake.notify_one();
        Ok(ResumedView { runs })
    }
}

impl Control {
    /// What a queued run waits for, when that is another run or a place.
    async fn waits(&self, tenant: &TenantId, record: &RunRecord) -> Result<Option<String>> {
        if record.state != RunState::Queued {
            return Ok(None);
        }
        if let Some(earlier) = record.waits_for {
            let of = match self.store.run(tenant, earlier).await? {
                Some(run) => format!(", which is {}", run.state),
                None => String::new(),
            };
            return Ok(Some(format!(
                "the run {earlier} comes before it{of}; see: caspian run show {earlier}"
            )));
        }
        let now = Time::now();
        if record.cause.is_some() || record.next_at.is_none_or(|due| due > now) {
            return Ok(None);
        }
        let Some(workflow) = self.store.workflow(tenant, &record.workflow_name).await? else {
            return Ok(None);
        };
        if workflow.state == WorkflowState::Paused {
            let name = workflow.name;
            return Ok(Some(format!("'{name}' is paused; go on with: caspian workflow resume {name}")));
        }
        let running = self.store.run_counts(workflow.id).await?;
        let running = running.iter().find(|(state, _)| *state == RunState::Running).map_or(0, |(_, n)| *n);
        let version = self.store.active_version(workflow.id).await?;
        let limit = version.and_then(|version| Manifest::parse(&version.manifest).ok());
        let limit = limit.and_then(|manifest| manifest.run.concurrency);
        Ok(Some(match limit {
            Some(limit) if running >= u64::from(limit) => {
                format!(
                    "{running} runs of '{}' are under way, as many as run.concurrency allows",
                    workflow.name
                )
            }
            _ => "a place: runs of other workflows are under way, or its connection takes no calls now"
                .to_owned(),
        }))
    }
}

pub(super) fn no_run(id: RunId) -> ControlError {
    ControlError::not_found("run-not-found", format!("there is no run {id}; see `caspian run list`"))
}

fn step(key: &DataKey, run: RunId, record: StepRecord, values: bool) -> Result<StepView> {
    if !values {
        return Ok(outside(record));
    }
    let clear = decode_step(key, run, &record)?;
    // A file's bytes are no use to whoever looks.
    let result = clear.result.map(|result| match result {
        Ok(Answer::Content(file)) => {
            serde_json::json!({"Ok": {"content": format!("{} bytes", file.0.len())}})
        }
        result => serde_json::to_value(&result).unwrap_or_default(),
    });
    let request = serde_json::to_value(clear.request.without_content()).ok();
    Ok(StepView { request, result, ..outside(record) })
}

/// A step without the values of its call and answer.
fn outside(record: StepRecord) -> StepView {
    StepView {
        number: record.number,
        action: record.action,
        table: record.table,
        effect: record.effect,
        state: match record.state {
            StepState::Intent => "intent",
            StepState::Done => "done",
        },
        outcome: record.outcome,
        affected: record.affected,
        calls: record.calls,
        started_at: record.started_at.to_string(),
        finished_at: record.finished_at.map(|t| t.to_string()),
        request: None,
        result: None,
    }
}
