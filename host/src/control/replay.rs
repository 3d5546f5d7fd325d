//! Replaying a run: it is executed again from its journal, with its own version or with another build, and compared. Nothing
//! of it changes and nothing is called. Values of records and what guests wrote are shown only when asked for, and that is
//! audited.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::execution::{GuestEnd, RecordedEnd, ReplayVerdict, Replayed};
use crate::journal::{CallDifference, DifferenceKind, JournalError};
use crate::manifest::Manifest;
use crate::model::{Action, Cause, JOURNAL_VERSION, RunId, RunState, TenantId};
use crate::runtime::{ComponentDigest, OutputLine, Prepared};
use crate::store::{ClaimedRun, RecordedRun};

use super::deploy::parse_digest;
use super::{Control, ControlError, Kind, Result};

/// With what a run is replayed; what is left out is of the version that it ran with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// SHA-256 of an uploaded component, in hex.
    pub component: Option<String>,
    /// Text of a manifest, for its settings and limits.
    pub manifest: Option<String>,
    /// Another version of its workflow.
    pub version: Option<u32>,
    /// With values of records, and what guests wrote.
    #[serde(default)]
    pub show_values: bool,
}

/// What a replay found.
#[derive(Debug, Serialize)]
pub struct ReplayView {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The version that it ran with.
    pub version: u32,
    /// Its state.
    pub state: RunState,
    /// SHA-256 of the component that it was replayed with.
    pub component: String,
    /// `same`, `different` or `incomplete`.
    pub verdict: ReplayVerdict,
    /// Calls that are the recorded ones.
    pub same_calls: u32,
    /// Calls that are not.
    pub calls: Vec<CallDifferenceView>,
    /// A call beyond the journal, at which the replay ended.
    pub next: Option<CallView>,
    /// How the recorded attempt ended; none when that is not to be replayed.
    pub recorded_end: Option<EndView>,
    /// How the guest ended now; none when it did not.
    pub end: Option<EndView>,
    /// Whether both ends are the same; none when that can't be said.
    pub same_end: Option<bool>,
    /// Lines of output that were compared; none when there are none to compare with.
    pub lines: Option<usize>,
    /// Lines that differ.
    pub output: Vec<LineView>,
    /// What can't be known, in sentences.
    pub notes: Vec<String>,
}

/// How calls differ.
#[derive(Debug, Serialize)]
pub struct CallDifferenceView {
    /// Number of the recorded step.
    pub step: u32,
    /// `changed`, `not-called` or `other`.
    pub kind: DifferenceKind,
    /// What is recorded.
    pub recorded: CallView,
    /// What was called instead.
    pub called: Option<CallView>,
    /// Names of the arguments that differ; fields of records as `row.Name` and `changes.Name`.
    pub differs: Vec<String>,
}

/// A call, without its values unless they were asked for.
#[derive(Debug, Serialize)]
pub struct CallView {
    /// Action.
    pub action: &'static str,
    /// Table or view.
    pub table: Option<String>,
    /// The record, when one is named.
    pub pk_id: Option<i64>,
    /// Names of its arguments.
    pub arguments: Vec<String>,
    /// The whole call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
}

/// How a guest ended.
#[derive(Serialize)]
pub struct EndView {
    /// `succeeded`, `retry`, `fatal`, `trap`, or the code of a limit.
    pub kind: &'static str,
    /// Length of result or failure in bytes.
    pub bytes: usize,
    /// Result or failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl std::fmt::Debug for EndView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EndView({})", self.kind)
    }
}

/// A line of output that differs.
#[derive(Serialize)]
pub struct LineView {
    /// Number, from 1.
    pub line: usize,
    /// There is such a line in the recorded output.
    pub recorded: bool,
    /// There was one now.
    pub written: bool,
    /// What is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_line: Option<OutputLine>,
    /// What was written now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_line: Option<OutputLine>,
}

impl std::fmt::Debug for LineView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LineView({})", self.line)
    }
}

impl Control {
    /// Executes a run again from its journal and compares.
    ///
    /// # Errors
    /// When the run has not begun or its contents are gone, or the component or manifest can't be used.
    pub async fn replay_run(
        &self,
        tenant: &TenantId,
        id: RunId,
        request: ReplayRequest,
    ) -> Result<ReplayView> {
        let recorded = self.store.recorded_run(tenant, id).await?.ok_or_else(|| {
            ControlError::not_found("run-not-found", format!("there is no run {id}; see `caspian run list`"))
        })?;
        let claimed = replayable(&recorded)?;
        let (digest, prepared, manifest) = self.replayed_with(&recorded, claimed, &request).await?;
        if request.show_values {
            self.audit(tenant, "run.replay-values", &id.to_string()).await?;
        }
        let replayed = self.replayer.replay(&recorded, claimed, &prepared, &manifest).await;
        let replayed = replayed.map_err(|error| match error {
            JournalError::Store(e) => ControlError::from(e),
            JournalError::Seal(e) => e.into(),
            JournalError::Broken => ControlError::new(Kind::Unavailable, "replay", error.to_string()),
        })?;
        Ok(view(&recorded, claimed, digest, replayed, request.show_values))
    }

    async fn replayed_with(
        &self,
        recorded: &RecordedRun,
        claimed: &ClaimedRun,
        request: &ReplayRequest,
    ) -> Result<(ComponentDigest, Arc<Prepared>, Manifest)> {
        let name = &recorded.run.workflow_name;
        let version = match request.version {
            None => claimed.version.clone(),
            Some(number) => self.store.version(claimed.workflow, number).await?.ok_or_else(|| {
                ControlError::not_found(
                    "version-not-found",
                    format!(
                        "the workflow '{name}' has no version {number}; see: caspian workflow history {name}"
                    ),
                )
            })?,
        };
        let digest = match &request.component {
            Some(digest) => parse_digest(digest)?,
            None => ComponentDigest(version.component),
        };
        let manifest = Manifest::parse(request.manifest.as_ref().unwrap_or(&version.manifest))?;
        if manifest.name != *name {
            return Err(ControlError::invalid(
                "manifest-name",
                format!(
                    "the run is one of '{name}', the manifest is another workflow's; give a manifest of '{name}'"
                ),
            ));
        }
        self.fits_host(&manifest)?;
        Ok((digest, self.prepared(digest).await?, manifest))
    }
}

/// The run as it was claimed, when there is something to replay.
fn replayable(recorded: &RecordedRun) -> Result<&ClaimedRun> {
    let (id, state) = (recorded.run.id, recorded.run.state);
    let refused = |code: &str, text: String| Err(ControlError::new(Kind::Conflict, code, text));
    if state == RunState::Skipped || recorded.tried == 0 {
        return refused(
            "not-begun",
            format!(
                "the run {id} is {state} and was never executed, so nothing is recorded; see: caspian run show {id}"
            ),
        );
    }
    let Some(claimed) = &recorded.claimed else {
        return refused(
            "contents-deleted",
            format!(
                "the event and the calls of the run {id} are not kept any more, and a replay needs them; what is left: caspian \
                 run show {id}"
            ),
        );
    };
    if claimed.journal_version > JOURNAL_VERSION {
        return refused(
            "journal-version",
            format!("the run {id} was recorded by a newer caspian; replay it with that one"),
        );
    }
    Ok(claimed)
}

fn view(
    recorded: &RecordedRun,
    claimed: &ClaimedRun,
    digest: ComponentDigest,
    x: Replayed,
    values: bool,
) -> ReplayView {
    let notes = notes(recorded, &x);
    let end = |end: GuestEnd| EndView {
        kind: end.kind,
        bytes: end.text.as_ref().map_or(0, String::len),
        text: end.text.filter(|_| values),
    };
    let line = |x: crate::execution::OutputDifference| LineView {
        line: x.line,
        recorded: x.recorded.is_some(),
        written: x.replayed.is_some(),
        recorded_line: x.recorded.filter(|_| values),
        written_line: x.replayed.filter(|_| values),
    };
    ReplayView {
        run: recorded.run.id,
        workflow: recorded.run.workflow_name.clone(),
        version: claimed.version.number,
        state: recorded.run.state,
        component: digest.to_string(),
        verdict: x.verdict,
        same_calls: x.playback.same,
        calls: x.playback.differences.into_iter().map(|call| difference(call, values)).collect(),
        next: x.next.map(|action| call(action, values)),
        recorded_end: match x.recorded {
            RecordedEnd::Guest(before) => Some(end(before)),
            RecordedEnd::Cut(_) => None,
        },
        end: x.ended.map(end),
        same_end: x.same_end,
        lines: x.lines,
        output: x.output.into_iter().map(line).collect(),
        notes,
    }
}

/// What this replay can't know.
fn notes(recorded: &RecordedRun, x: &Replayed) -> Vec<String> {
    let mut notes = Vec::new();
    if let RecordedEnd::Cut(cause) = &x.recorded {
        let state = recorded.run.state;
        notes.push(match cause {
            Some(Cause::LimitWall) => {
                "the attempt ended by its wall limit, which is recorded and never replayed".to_owned()
            }
            Some(cause) => format!("the run is {state} ({cause}), which is nothing that a replay can end in"),
            None => format!("the run is {state}, and its last attempt has no recorded end"),
        });
    }
    let assumed = x.playback.differences.iter().find(|call| call.kind == DifferenceKind::Changed);
    if let Some(call) = assumed {
        notes.push(format!(
            "from step {} on it is assumed that Caspio would answer a changed call as it answered the recorded one",
            call.number
        ));
    }
    if x.playback.differences.last().is_some_and(|call| call.kind == DifferenceKind::Other) {
        notes.push(format!(
            "what Caspio would answer to the other call is not known: the replay ended there, {} recorded calls before the end",
            x.playback.left()
        ));
    }
    if x.next.is_some() {
        notes.push(
            "what Caspio would answer to the next call is not recorded: the replay ended there".to_owned(),
        );
    }
    if let Some(step) = x.open {
        notes.push(format!("step {step} is recorded without a result: the replay ended there"));
    }
    if x.verdict == ReplayVerdict::Incomplete {
        notes.push(
            "the replay itself took longer than the wall limit of the manifest, and was stopped".to_owned(),
        );
    }
    notes
}

fn difference(x: CallDifference, values: bool) -> CallDifferenceView {
    let mut differs = Vec::new();
    if let (DifferenceKind::Changed, Some(called)) = (x.kind, &x.called) {
        let (before, now) = (arguments(&x.recorded), arguments(called));
        let names =
            before.iter().chain(now.iter().filter(|(name, _)| !before.iter().any(|(n, _)| n == name)));
        let value = |list: &[(String, Value)], name: &str| {
            list.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
        };
        let names = names.filter(|(name, _)| value(&before, name) != value(&now, name));
        differs.extend(names.map(|(name, _)| name.clone()));
    }
    let called = x.called.map(|action| call(action, values));
    CallDifferenceView { step: x.number, kind: x.kind, recorded: call(x.recorded, values), called, differs }
}

fn call(action: Action, values: bool) -> CallView {
    let pk_id = match &action {
        Action::GetRecord { pk_id, .. } => Some(*pk_id),
        Action::UpdateRecords { criteria, .. }
        | Action::UpsertRecord { criteria, .. }
        | Action::DeleteRecords { criteria, .. } => criteria.as_pk_id(),
        _ => None,
    };
    CallView {
        action: action.name(),
        table: action.table().or(action.view()).map(str::to_owned),
        pk_id,
        arguments: arguments(&action).into_iter().map(|(name, _)| name).collect(),
        request: values.then(|| serde_json::to_value(action.without_content()).unwrap_or_default()),
    }
}

/// The arguments of a call by name, those of a row by field: all but the table or view, which is shown beside them.
fn arguments(action: &Action) -> Vec<(String, Value)> {
    let Ok(mut inner) = serde_json::to_value(action) else { return Vec::new() };
    // {"create-record": {…}}, {"view": {"records": {…}}}
    while let Value::Object(map) = &mut inner
        && map.len() == 1
        && let Some(only) = map.values_mut().next()
        && only.is_object()
    {
        inner = only.take();
    }
    let Value::Object(map) = inner else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in map {
        match (name.as_str(), value) {
            ("table" | "view", _) => {}
            ("row" | "changes", Value::Array(fields)) => {
                for field in fields {
                    let value = field.get(1).cloned().unwrap_or_default();
                    let of = field.get(0).and_then(Value::as_str).unwrap_or_default();
                    found.push((format!("{name}.{of}"), value));
                }
            }
            (_, value) => found.push((name, value)),
        }
    }
    found
}
