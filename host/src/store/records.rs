//! What goes into the store and comes out of it. `sealed` fields are ciphertext (see `secrets`).

use crate::clock::Time;
use crate::model::{
    Cause, ConnectionId, EventId, MessageId, MessageState, RunId, RunState, TableSchema, TenantId,
    TriggerKind, WebhookId, WorkflowId, WorkflowState,
};

/// A connection.
#[derive(Debug, Clone)]
pub struct ConnectionRecord {
    /// Id.
    pub id: ConnectionId,
    /// Owner.
    pub tenant: TenantId,
    /// Unique within the tenant.
    pub name: String,
    /// `https://host[:port]`
    pub base_url: String,
    /// Client ID of the Web services profile.
    pub client_id: String,
    /// Sealed by the tenant key: table `connections`, column `secret`, row = id.
    pub sealed_secret: Vec<u8>,
    /// When it was added.
    pub created_at: Time,
}

/// A version to deploy.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Owner.
    pub tenant: TenantId,
    /// The workflow's name.
    pub name: String,
    /// The manifest as given.
    pub manifest: String,
    /// SHA-256 of the component.
    pub component: [u8; 32],
    /// Which connection it uses.
    pub connection: ConnectionId,
    /// When.
    pub at: Time,
}

/// What a deploy made.
#[derive(Debug, Clone, Copy)]
pub struct Deployed {
    /// The workflow, new or not.
    pub workflow: WorkflowId,
    /// Number of the new version.
    pub number: u32,
}

/// A workflow.
#[derive(Debug, Clone)]
pub struct WorkflowRecord {
    /// Id.
    pub id: WorkflowId,
    /// Owner.
    pub tenant: TenantId,
    /// Unique within the tenant.
    pub name: String,
    /// State.
    pub state: WorkflowState,
    /// The version that new runs bind to.
    pub active_version: u32,
    /// When it was first deployed.
    pub created_at: Time,
}

/// A version of a workflow. Never changed.
#[derive(Debug, Clone)]
pub struct VersionRecord {
    /// The workflow.
    pub workflow: WorkflowId,
    /// From 1.
    pub number: u32,
    /// The manifest as given.
    pub manifest: String,
    /// SHA-256 of the component.
    pub component: [u8; 32],
    /// Which connection it uses.
    pub connection: ConnectionId,
    /// When it was deployed.
    pub created_at: Time,
}

/// How far a webhook of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookStage {
    /// Its URL id is kept; Caspio may or may not have it.
    Planned,
    /// Caspio has it, its id and secret are kept; events may be missing.
    Made,
    /// All its events are there.
    Ready,
    /// It is being removed from Caspio.
    Removing,
    /// Removed from Caspio; late messages are answered until the tombstone ends.
    Tombstone,
}

impl WebhookStage {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Made => "made",
            Self::Ready => "ready",
            Self::Removing => "removing",
            Self::Tombstone => "tombstone",
        }
    }

    /// Back from the text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Planned, Self::Made, Self::Ready, Self::Removing, Self::Tombstone]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// One of our webhooks.
#[derive(Debug, Clone)]
pub struct WebhookRecord {
    /// Our id.
    pub id: WebhookId,
    /// Owner.
    pub tenant: TenantId,
    /// Whose it is.
    pub workflow: WorkflowId,
    /// In which account it is.
    pub connection: ConnectionId,
    /// The connection's name, as events show it.
    pub connection_name: String,
    /// Its name in Caspio, unique.
    pub name: String,
    /// SHA-256 of the URL id.
    pub url_hash: [u8; 32],
    /// URL id sealed by the tenant key: table `webhooks`, column `url_id`, row = id.
    pub sealed_url_id: Vec<u8>,
    /// How far it is.
    pub stage: WebhookStage,
    /// Caspio's id.
    pub caspio_id: Option<String>,
    /// Secret sealed by the tenant key: table `webhooks`, column `secret`, row = id.
    pub sealed_secret: Option<Vec<u8>>,
    /// The signature form seen first (JSON of `ingress`), required since.
    pub pinned_signature: Option<String>,
    /// End of the tombstone.
    pub tombstone_until: Option<Time>,
    /// Refused messages.
    pub rejected: Rejected,
    /// Its triggers by position.
    pub triggers: Vec<TriggerRecord>,
    /// When it was planned.
    pub created_at: Time,
}

/// Refused messages of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub count: u64,
    /// Code of the last reason.
    pub last_reason: Option<String>,
    /// When the last one came.
    pub last_at: Option<Time>,
}

/// One trigger of a webhook: one event in Caspio.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerRecord {
    /// Position in the manifest, from 0.
    pub position: u32,
    /// Kind.
    pub kind: TriggerKind,
    /// The table.
    pub table: String,
    /// Update only: fields that matter; empty: all.
    pub fields: Vec<String>,
    /// Caspio's event sources; empty: all.
    pub sources: Vec<String>,
    /// One event for the whole message.
    pub batch: bool,
    /// Caspio's id of the event.
    pub caspio_id: Option<String>,
    /// The table's fields at activation: what typing goes by.
    pub schema: TableSchema,
}

/// A change of a webhook; `None` keeps what is there.
#[derive(Debug, Clone)]
pub struct WebhookUpdate {
    /// Which.
    pub id: WebhookId,
    /// New stage.
    pub stage: WebhookStage,
    /// Caspio's id; `Some(None)` clears it.
    pub caspio_id: Option<Option<String>>,
    /// Sealed secret; `Some(None)` clears it.
    pub sealed_secret: Option<Option<Vec<u8>>>,
    /// End of the tombstone.
    pub tombstone_until: Option<Time>,
}

/// Where a message came from.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    /// Caspio sent it to this webhook.
    Webhook(WebhookId),
    /// A person sent it to this workflow.
    Person(WorkflowId),
}

/// A message to keep.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Our id.
    pub id: MessageId,
    /// Owner.
    pub tenant: TenantId,
    /// Where it came from.
    pub origin: Origin,
    /// Caspio's `messageId`.
    pub message_id: Option<String>,
    /// Wanted state; `Skipped` is written instead when the webhook is a tombstone by now.
    pub state: MessageState,
    /// Why there is no event, as a code.
    pub reason: Option<&'static str>,
    /// Size of the body in bytes.
    pub size: u64,
    /// Data key wrapped by the tenant key.
    pub wrapped_key: Vec<u8>,
    /// Body without the secret, sealed by the data key: `messages`, `payload`, row = id.
    pub sealed_payload: Vec<u8>,
    /// The trace it came in, as W3C `traceparent`.
    pub trace: Option<String>,
    /// The signature form to pin, when none is pinned yet.
    pub pin_signature: Option<String>,
    /// Events in order.
    pub events: Vec<NewEvent>,
    /// When it came.
    pub at: Time,
}

/// An event of a message, and the run it starts.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Id.
    pub id: EventId,
    /// Kind.
    pub kind: TriggerKind,
    /// Table.
    pub table: String,
    /// `PK_ID`, when it is one row and has one.
    pub pk_id: Option<i64>,
    /// Caspio's `eventDate`.
    pub event_date: String,
    /// Typed event sealed by the data key: `events`, `typed`, row = id.
    pub sealed_typed: Vec<u8>,
    /// Id of the run.
    pub run: RunId,
    /// Seed sealed by the data key: `runs`, `seed`, row = run.
    pub sealed_seed: Vec<u8>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingested {
    /// Kept; so many runs were queued.
    Stored(usize),
    /// Kept, without runs.
    Skipped,
    /// It was there already.
    Duplicate,
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

/// State of a step in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// About to be sent, or sent without an answer yet.
    Intent,
    /// Answered.
    Done,
}

/// One step.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// From 1.
    pub number: u32,
    /// Name of the action.
    pub action: String,
    /// The table it is about.
    pub table: Option<String>,
    /// Changes something outside.
    pub effect: bool,
    /// State.
    pub state: StepState,
    /// `ok` or the error's code, when done.
    pub outcome: Option<String>,
    /// How many records it changed or answered, when done.
    pub affected: Option<u32>,
    /// HMAC of the request.
    pub fingerprint: [u8; 32],
    /// Request sealed by the data key: `steps`, `request`, row = run + number.
    pub sealed_request: Vec<u8>,
    /// What was decided before sending (pinned `PK_ID`s, insert or update), sealed: `steps`, `plan`.
    pub sealed_plan: Option<Vec<u8>>,
    /// Answer or error, sealed: `steps`, `result`.
    pub sealed_result: Option<Vec<u8>>,
    /// Virtual time since the start of the run at which the step ended.
    pub elapsed_us: u64,
    /// Integration calls spent.
    pub calls: u32,
    /// When it was begun.
    pub started_at: Time,
    /// When it was done.
    pub finished_at: Option<Time>,
}

/// A change of a run's journal. Steps are inserted or replaced by number.
#[derive(Debug, Clone, Default)]
pub struct JournalWrite {
    /// First drop every step after this number.
    pub forget_after: Option<u32>,
    /// Then write these.
    pub steps: Vec<StepRecord>,
}

/// How an attempt is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A try.
    Attempt,
    /// Waited for Caspio and will go on.
    Wakeup,
    /// Interrupted by a shutdown.
    Shutdown,
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Finish {
    /// New state.
    pub state: RunState,
    /// Why.
    pub cause: Option<Cause>,
    /// When it is due again, for `Queued`.
    pub next_at: Option<Time>,
    /// How to count it.
    pub counted: Counted,
    /// The step that waits, and how often it has.
    pub waiting: Option<(u32, u32)>,
    /// Result text sealed by the data key: `runs`, `result`, row = run.
    pub sealed_result: Option<Vec<u8>>,
    /// Failure text sealed by the data key: `runs`, `failure`, row = run.
    pub sealed_failure: Option<Vec<u8>>,
    /// What the guest wrote, sealed: `run_output`, `lines`, row = run + attempt instance.
    pub output: Option<NewOutput>,
    /// Steps not written yet.
    pub journal: JournalWrite,
    /// When.
    pub at: Time,
}

/// What one instantiation wrote.
#[derive(Debug, Clone)]
pub struct NewOutput {
    /// Sealed lines.
    pub sealed_lines: Vec<u8>,
    /// Something was cut off.
    pub truncated: bool,
}

/// What one instantiation wrote, as kept.
#[derive(Debug, Clone)]
pub struct OutputRecord {
    /// Number of the instantiation, from 1.
    pub number: u32,
    /// Sealed lines.
    pub sealed_lines: Vec<u8>,
    /// Something was cut off.
    pub truncated: bool,
    /// When it ended.
    pub at: Time,
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this workflow.
    pub workflow: Option<WorkflowId>,
    /// In this state.
    pub state: Option<RunState>,
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
}

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this workflow.
    pub workflow: Option<WorkflowId>,
    /// Older than this event.
    pub before: Option<EventId>,
    /// At most so many.
    pub limit: u32,
}

/// An event, as listed.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// Id.
    pub id: EventId,
    /// The message it was cut from.
    pub message: MessageId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Its name.
    pub workflow_name: String,
    /// Caspio's `messageId`.
    pub caspio_message_id: Option<String>,
    /// A person sent it.
    pub by_person: bool,
    /// Kind.
    pub kind: TriggerKind,
    /// Table.
    pub table: String,
    /// `PK_ID` of its row.
    pub pk_id: Option<i64>,
    /// Caspio's `eventDate`.
    pub event_date: String,
    /// Sealed typed event.
    pub sealed_typed: Vec<u8>,
    /// When it was stored.
    pub created_at: Time,
}

/// A counter of integration calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCount {
    /// Tenant.
    pub tenant: TenantId,
    /// Connection.
    pub connection: ConnectionId,
    /// Workflow; none for the host's own calls.
    pub workflow: Option<WorkflowId>,
    /// Action, e.g. `records.create` or `oauth.token`.
    pub action: String,
    /// Day in UTC, `YYYY-MM-DD`.
    pub day: String,
    /// How many.
    pub count: u64,
}

/// A line of the audit log.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// Tenant.
    pub tenant: TenantId,
    /// When.
    pub at: Time,
    /// Who, e.g. `admin`.
    pub actor: String,
    /// What, e.g. `connection.add`.
    pub action: String,
    /// About what, e.g. a name. Never a value or secret.
    pub subject: String,
}
