//! Writes of runs, registered so that the webhooks they cause are known as theirs (see `lineage`).

use std::collections::BTreeMap;

use crate::clock::Time;
use crate::model::{ConnectionId, RunId, TenantId, TriggerKind, WebhookId};

/// Fields in lower case with the keyed fingerprints of their values.
pub type Fingerprints = BTreeMap<String, String>;

/// A write that is about to be sent.
#[derive(Debug, Clone)]
pub struct NewWrite {
    /// Owner.
    pub tenant: TenantId,
    /// Step of its run.
    pub step: u32,
    /// By which connection.
    pub connection: ConnectionId,
    /// What Caspio will say that happened.
    pub kind: TriggerKind,
    /// Table.
    pub table: String,
    /// What is written; nothing for a deletion.
    pub fields: Fingerprints,
    /// Which records; none when a record is created.
    pub pk_ids: Vec<i64>,
    /// When, by this machine's clock.
    pub at: Time,
    /// When, by Caspio's clock.
    pub began_at: Time,
}

/// How a registered write ended.
#[derive(Debug, Clone)]
pub struct WriteEnd {
    /// Step of its run.
    pub step: u32,
    /// It was done; otherwise it had no effect.
    pub done: bool,
    /// The record that was created, when Caspio said so.
    pub pk_id: Option<i64>,
    /// Fields of the record that was created, as Caspio showed it: more than were written.
    pub fields: Fingerprints,
    /// When, by this machine's clock.
    pub at: Time,
    /// When, by Caspio's clock.
    pub ended_at: Time,
}

/// Asks for writes that may have caused an event.
#[derive(Debug, Clone)]
pub struct WriteQuery {
    /// Owner.
    pub tenant: TenantId,
    /// By this connection, or another one to the same account.
    pub connection: ConnectionId,
    /// Kind of the event.
    pub kind: TriggerKind,
    /// Its table.
    pub table: String,
    /// `PK_ID` of each of its rows.
    pub pk_ids: Vec<Option<i64>>,
    /// Writes older than this are out of the question.
    pub since: Time,
}

/// A registered write.
#[derive(Debug, Clone)]
pub struct OwnWrite {
    /// The run.
    pub run: RunId,
    /// Its step.
    pub step: u32,
    /// What was written.
    pub fields: Fingerprints,
    /// It is known to be about this very record.
    pub of_record: bool,
    /// When it was registered or ended, by this machine's clock.
    pub at: Time,
    /// When it began, by Caspio's clock.
    pub began_at: Time,
    /// When it ended, by Caspio's clock; none as long as it is undecided.
    pub ended_at: Option<Time>,
}

/// Which writes the rows of a new event may come from.
#[derive(Debug, Clone)]
pub struct Suspicion {
    /// The webhook of the trigger that the event came by, or that its sweep is of.
    pub webhook: WebhookId,
    /// Position of the trigger, since each trigger is told of a write once.
    pub position: u32,
    /// Rows that may come from a write.
    pub rows: Vec<SuspectRow>,
    /// These are all of its rows.
    pub all_rows: bool,
    /// How long the event waits for writes that are undecided.
    pub wait_until: Time,
}

/// A row that may come from writes.
#[derive(Debug, Clone)]
pub struct SuspectRow {
    /// Its place in the event.
    pub row: u32,
    /// Its `PK_ID`.
    pub pk_id: Option<i64>,
    /// Run and step of the writes that each part of it may come from. It comes from writes when each part does. What a
    /// webhook tells is one part; of what a sweep finds, each field is one, since there may have been several changes.
    pub parts: Vec<Vec<(RunId, u32)>>,
}
