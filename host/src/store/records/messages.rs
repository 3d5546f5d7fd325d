//! Messages and the events that are cut from them. `sealed` fields are ciphertext (see `secrets`).

use crate::clock::Time;
use crate::model::{
    EventId, MessageId, MessageState, RowTags, RunId, TenantId, TriggerKind, WebhookId, WorkflowId,
};

use super::Suspicion;

/// Where a message came from.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    /// Caspio sent it to this webhook.
    Webhook(WebhookId),
    /// A person sent it to this workflow.
    Person(WorkflowId),
    /// A sweep found it for this workflow.
    Sweep(WorkflowId),
    /// This workflow's schedule ticked.
    Schedule(WorkflowId),
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
    /// Writes that its rows may come from.
    pub suspicion: Option<Suspicion>,
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
    /// Its rows, when their table is swept.
    pub tags: Vec<(i64, RowTags)>,
    /// Keyed fingerprint of what it shares with events that run one after another with it.
    pub order_key: Option<[u8; 32]>,
    /// Keyed fingerprint of the change, when another webhook of the workflow may tell of it, too.
    pub twin: Option<[u8; 32]>,
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
    /// No webhook told of it.
    pub by_host: bool,
    /// A sweep found it, or a backfill took its row.
    pub reconciled: bool,
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
