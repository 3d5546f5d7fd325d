//! Runs: claimed, listed. `sealed` fields are ciphertext (see `secrets`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Time;
use crate::model::{
    Cause, ConnectionId, EventId, MessageId, RunId, RunState, TenantId, TriggerKind, WorkflowId,
};

use super::{OutputRecord, StepRecord, VersionRecord};

/// Where a run is in a chain of runs, each caused by a write of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lineage {
    /// Runs before it.
    pub depth: u32,
    /// Runs of the same workflow before it.
    pub self_depth: u32,
    /// Run and step whose write caused its event.
    pub caused_by: Option<(RunId, u32)>,
}

/// A wish for runs.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who claims.
    pub owner: String,
    /// At most so many.
    pub limit: usize,
    /// Now.
    pub now: Time,
    /// Until when the claim holds.
    pub lease_until: Time,
    /// Connections without budget now.
    pub blocked: Vec<ConnectionId>,
    /// Those of them whose budget of calls is used up, so that their runs say so.
    pub no_calls_left: Vec<ConnectionId>,
    /// How places are shared.
    pub shares: Arc<ShareSettings>,
}

/// How the operator shares places.
#[derive(Debug, Clone)]
pub struct ShareSettings {
    /// Weights of tenants; one that is not named has 1.
    pub tenant_weights: BTreeMap<String, u32>,
    /// What a workflow's weight counts for at most.
    pub max_weight: u32,
    /// Runs under way at once against one integration host.
    pub runs_per_host: u32,
}

/// Claimed runs.
#[derive(Debug)]
pub struct Claimed {
    /// The runs.
    pub runs: Vec<ClaimedRun>,
    /// When the next run falls due that was not due yet. What is due and was not claimed waits for a place, or for its connection.
    pub next_at: Option<Time>,
}

/// A claimed run with all that an attempt needs.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    /// Id.
    pub id: RunId,
    /// Owner.
    pub tenant: TenantId,
    /// The event.
    pub event: EventId,
    /// The message the event was cut from.
    pub message: MessageId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Its name.
    pub workflow_name: String,
    /// The connection that its event came by, also when the version was deployed for another.
    pub connection: ConnectionId,
    /// The version it is bound to.
    pub version: VersionRecord,
    /// Counted attempts before this one.
    pub attempts: u32,
    /// The step that waited last, and how often.
    pub waiting: Option<(u32, u32)>,
    /// Whether it has recorded steps.
    pub has_steps: bool,
    /// Its place in a chain of runs.
    pub lineage: Lineage,
    /// Every row of its event is surely a write of a run.
    pub all_own: bool,
    /// `eventDate` of the newest event of its record that its workflow is done with; only where older ones are skipped.
    pub newest_done: Option<String>,
    /// See [`crate::model::JOURNAL_VERSION`].
    pub journal_version: u32,
    /// Start of the run's virtual time.
    pub run_start: Time,
    /// The trace that its message came in.
    pub trace: Option<String>,
    /// Sealed typed event.
    pub sealed_typed: Vec<u8>,
    /// Sealed seed.
    pub sealed_seed: Vec<u8>,
    /// Wrapped data key.
    pub wrapped_key: Vec<u8>,
}

/// A run with all that executing it again from its journal needs.
#[derive(Debug, Clone)]
pub struct RecordedRun {
    /// The run.
    pub run: RunRecord,
    /// As it was claimed; none when it never was, or its contents are gone.
    pub claimed: Option<ClaimedRun>,
    /// The attempt that was begun last, as its guest was told; 0 when none was.
    pub tried: u32,
    /// Its journal.
    pub steps: Vec<StepRecord>,
    /// What the attempt that was begun last wrote; none also when it did not come to its end.
    pub output: Option<OutputRecord>,
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this workflow.
    pub workflow: Option<WorkflowId>,
    /// In this state.
    pub state: Option<RunState>,
    /// For this cause.
    pub cause: Option<Cause>,
    /// Older than this run.
    pub before: Option<RunId>,
    /// At most so many.
    pub limit: u32,
}

/// A run, as listed.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Id.
    pub id: RunId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Its name.
    pub workflow_name: String,
    /// Bound version.
    pub version: Option<u32>,
    /// 1, or more when started afresh.
    pub generation: u32,
    /// State.
    pub state: RunState,
    /// Why.
    pub cause: Option<Cause>,
    /// Counted attempts.
    pub attempts: u32,
    /// Wake-ups.
    pub wakeups: u32,
    /// Crashes of the host while it ran, without progress since.
    pub host_crashes: u32,
    /// When it is due again.
    pub next_at: Option<Time>,
    /// The event.
    pub event: EventId,
    /// The message.
    pub message: MessageId,
    /// Caspio's `messageId`.
    pub caspio_message_id: Option<String>,
    /// Kind of the event.
    pub kind: TriggerKind,
    /// Table of the event.
    pub table: String,
    /// `PK_ID` of the event's row.
    pub pk_id: Option<i64>,
    /// Caspio's `eventDate`.
    pub event_date: String,
    /// Sealed result text.
    pub sealed_result: Option<Vec<u8>>,
    /// Sealed failure text.
    pub sealed_failure: Option<Vec<u8>>,
    /// When it was queued.
    pub created_at: Time,
    /// First claim.
    pub started_at: Option<Time>,
    /// End.
    pub finished_at: Option<Time>,
    /// Why a person gave it up, sealed.
    pub sealed_note: Option<Vec<u8>>,
    /// The run that this one began anew.
    pub origin: Option<RunId>,
    /// The run that began this one anew.
    pub successor: Option<RunId>,
    /// The run that it waits for in order.
    pub waits_for: Option<RunId>,
    /// Its place in a chain of runs.
    pub lineage: Lineage,
}
