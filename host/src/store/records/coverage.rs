//! Sweeps of tables and backfills: what finds changes that no webhook told of. `sealed` fields are ciphertext.

use crate::clock::Time;
use crate::model::{
    BackfillId, BackfillState, ConnectionId, NameTag, RowTags, TenantId, TriggerKind, WebhookId, WorkflowId,
};

use super::{NewMessage, TriggerRecord};

/// A table that is to be swept for a workflow.
#[derive(Debug, Clone)]
pub struct SweepRecord {
    /// Owner.
    pub tenant: TenantId,
    /// Whose triggers.
    pub workflow: WorkflowId,
    /// Its name.
    pub workflow_name: String,
    /// Its webhook.
    pub webhook: WebhookId,
    /// By which account.
    pub connection: ConnectionId,
    /// Its name, as events show it.
    pub connection_name: String,
    /// The table.
    pub table: String,
    /// The workflow's triggers of this table; at least one has `reconcile`.
    pub triggers: Vec<TriggerRecord>,
    /// How far it is.
    pub progress: SweepProgress,
}

/// How far a sweep is.
#[derive(Debug, Clone, Default)]
pub struct SweepProgress {
    /// Finished rounds; the first one only takes stock.
    pub rounds: u64,
    /// `PK_ID` up to which the round under way has come.
    pub reached: Option<i64>,
    /// Calls of the round.
    pub calls: u32,
    /// Calls of all rounds.
    pub all_calls: u64,
    /// When it goes on.
    pub next_at: Time,
    /// Start of the round under way or the last.
    pub started_at: Option<Time>,
    /// End of the last one.
    pub finished_at: Option<Time>,
    /// Code of what stopped it last.
    pub error: Option<String>,
    /// How often in a row it was stopped.
    pub failures: u32,
    /// Rows known.
    pub rows: u64,
    /// Events it made, by kind.
    pub found: Vec<(TriggerKind, u64)>,
    /// Events it made of which a webhook told later.
    pub late: u64,
}

/// Which changes a workflow wants to hear of.
#[derive(Debug, Clone, Default)]
pub struct Wants {
    /// Rows that are new.
    pub inserts: bool,
    /// Rows that changed, when one of these fields did (empty: any); one list a trigger.
    pub updates: Vec<Vec<NameTag>>,
    /// Rows that are gone.
    pub deletes: bool,
}

/// A stretch of a table as it was read.
#[derive(Debug, Clone)]
pub struct SweepPage {
    /// Owner.
    pub tenant: TenantId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// The table.
    pub table: String,
    /// It begins after this `PK_ID`.
    pub after: i64,
    /// It ends with this one; none: with the table.
    pub until: Option<i64>,
    /// Its rows.
    pub rows: Vec<(i64, RowTags)>,
    /// Rows of the round before that are gone, as Caspio said when it was asked for them.
    pub gone: Vec<i64>,
    /// When reading it began.
    pub at: Time,
    /// The same by Caspio's clock, as its `eventDate`s are written.
    pub date: String,
    /// What is wanted.
    pub wants: Wants,
    /// Found in it, but made by runs, of which the trigger does not want to hear.
    pub unheard: Vec<Finding>,
}

/// A change that no webhook told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Kind.
    pub kind: TriggerKind,
    /// The row.
    pub pk_id: i64,
    /// For an update, which of the wanted ones.
    pub trigger: usize,
    /// For an update, the changed fields among those that are wanted.
    pub changed: Vec<NameTag>,
    /// It differs from what was known then, by this machine's clock.
    pub since: Time,
    /// When what was known had happened, as in an `eventDate`, if a webhook told it; else "".
    pub told: String,
}

/// A page that was looked at, to be written down.
#[derive(Debug, Clone)]
pub struct SweepStep {
    /// The page.
    pub page: SweepPage,
    /// What was found in it, and what the events of `messages` are about.
    pub findings: Vec<Finding>,
    /// One message for all of them.
    pub message: Option<NewMessage>,
    /// Calls spent.
    pub calls: u32,
    /// When it goes on: at once, or in the next round.
    pub next_at: Time,
}

/// What became of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweepCommit {
    /// It is written down, and its events are queued.
    Done,
    /// Webhooks told of some of it meanwhile: these are left.
    Changed(Vec<Finding>),
    /// The workflow has no such trigger any more.
    Gone,
}

/// A workflow being run over existing rows.
#[derive(Debug, Clone)]
pub struct BackfillRecord {
    /// Id.
    pub id: BackfillId,
    /// Owner.
    pub tenant: TenantId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Its name.
    pub workflow_name: String,
    /// By which account.
    pub connection: ConnectionId,
    /// The table.
    pub table: String,
    /// What the rows are given as.
    pub kind: TriggerKind,
    /// Criteria sealed by the tenant key: table `backfills`, column `criteria`, row = id.
    pub sealed_criteria: Vec<u8>,
    /// State.
    pub state: BackfillState,
    /// `PK_ID` of the last row that has its run.
    pub reached: i64,
    /// The largest `PK_ID` when it was begun.
    pub last: i64,
    /// Rows that have their runs.
    pub rows: u64,
    /// Rows a minute.
    pub per_minute: u32,
    /// When it goes on.
    pub next_at: Time,
    /// Code of what stopped it last.
    pub error: Option<String>,
    /// How often in a row it was stopped.
    pub failures: u32,
    /// When it was begun.
    pub created_at: Time,
    /// When it ended.
    pub finished_at: Option<Time>,
}

/// Some rows of a backfill, to be written down with their runs.
#[derive(Debug, Clone)]
pub struct BackfillStep {
    /// Which.
    pub id: BackfillId,
    /// Their events.
    pub message: Option<NewMessage>,
    /// `PK_ID` of the last of them.
    pub reached: i64,
    /// How many.
    pub rows: u64,
    /// It was the last of it.
    pub done: bool,
    /// When it goes on.
    pub next_at: Time,
    /// Now.
    pub at: Time,
}
