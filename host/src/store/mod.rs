//! What is kept: tenants, connections, workflows, webhooks, messages, events, runs, journal, calls, audit.
//!
//! [`Store`] is the seam: SQLite in one file is the default, another database is another
//! implementation under the same tests. It only ever sees ciphertext of what belongs to a tenant's
//! records (see `secrets`). A write that returned `Ok` is durable. Every write of a run is fenced by
//! its lease, so that a host that lost a run can't write to it any more.

mod fair;
mod records;
pub mod sqlite;

use async_trait::async_trait;

use crate::clock::Time;
use crate::model::{ConnectionId, RunId, TenantId, WebhookId, WorkflowId};

pub use fair::{Load, Shares, Waiting};
pub use records::*;

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A name is taken.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// It is not there.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// No space, or a size limit of the file was reached.
    #[error(
        "the store is full: free space on the disk of the data folder; nothing was lost, work goes on by itself"
    )]
    Full,
    /// The disk or the file refused.
    #[error("the store can't write or read its file ({0}); check the disk of the data folder")]
    Io(String),
    /// A row is not as it must be.
    #[error("the store holds something unexpected ({0}); restore a backup, or report it")]
    Corrupt(String),
    /// The run belongs to another host, or to nobody, by now.
    #[error("the run's lease was lost; it goes on elsewhere")]
    LeaseLost,
    /// A legal hold keeps it.
    #[error("the legal hold '{0}' keeps it; see: caspian retention holds")]
    Held(String),
    /// The store was closed.
    #[error("the host is shutting down")]
    Closed,
}

impl StoreError {
    /// Stable code for API and logs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists(_) => "exists",
            Self::Missing(_) => "not-found",
            Self::Full => "store-full",
            Self::Io(_) => "store-io",
            Self::Corrupt(_) => "store-corrupt",
            Self::LeaseLost => "lease-lost",
            Self::Held(_) => "held",
            Self::Closed => "shutting-down",
        }
    }

    /// Whether the same write may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::Io(_))
    }
}

/// Result of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// See the module's text.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The tenant's wrapped key; none when there is no such tenant.
    async fn tenant_key(&self, tenant: &TenantId) -> Result<Option<Vec<u8>>>;
    /// Adds a tenant. `Exists` when it is there.
    async fn add_tenant(&self, tenant: &TenantId, wrapped_key: Vec<u8>, at: Time) -> Result<()>;

    /// Keeps a token of the control API for all tenants, by the SHA-256 of it. `Exists` when the name is taken.
    async fn add_token(&self, hash: [u8; 32], token: TokenRecord) -> Result<()>;
    /// What a token may do; none when it is not known.
    async fn token_scope(&self, hash: [u8; 32]) -> Result<Option<crate::model::TokenScope>>;
    /// All tokens by name.
    async fn tokens(&self) -> Result<Vec<TokenRecord>>;
    /// Removes a token, unless it is the last of an administrator: whether it did.
    async fn remove_token(&self, name: &str) -> Result<bool>;
    /// How many tokens there are.
    async fn token_count(&self) -> Result<u64>;

    /// Adds a connection. `Exists` when the name is taken.
    async fn add_connection(&self, connection: ConnectionRecord) -> Result<()>;
    /// All connections of a tenant by name.
    async fn connections(&self, tenant: &TenantId) -> Result<Vec<ConnectionRecord>>;
    /// One connection by name.
    async fn connection_named(&self, tenant: &TenantId, name: &str) -> Result<Option<ConnectionRecord>>;
    /// One connection by id.
    async fn connection(&self, id: ConnectionId) -> Result<Option<ConnectionRecord>>;

    /// Gives a connection a new secret.
    async fn set_secret(&self, id: ConnectionId, sealed: Vec<u8>) -> Result<()>;
    /// Sets a connection's budget of calls.
    async fn set_budget(&self, id: ConnectionId, budget: CallBudget) -> Result<()>;
    /// Makes runs due that wait for their connection for this cause.
    async fn hurry(&self, connection: ConnectionId, cause: crate::model::Cause, at: Time) -> Result<()>;
    /// Names of the workflows that use a connection: by their active version, their webhook, or unfinished runs.
    async fn connection_users(&self, id: ConnectionId) -> Result<Vec<String>>;
    /// Discards all unfinished runs of a connection; returns how many.
    async fn discard_runs(&self, connection: ConnectionId, at: Time) -> Result<u64>;
    /// Removes a connection with its secret, unless workflows use it: answers their names.
    async fn remove_connection(&self, id: ConnectionId, at: Time) -> Result<Vec<String>>;

    /// Adds a version, and the workflow when it is new, and makes it the active version. A webhook that is ready is
    /// unfinished from then on, until its events are as this version wants them.
    async fn deploy(&self, version: NewVersion) -> Result<Deployed>;
    /// Makes an earlier version the active one, as [`deploy`](Self::deploy) does a new one, with a line in the audit log.
    /// False when `from` is not the active one any more.
    async fn roll_back(&self, workflow: WorkflowId, from: u32, to: u32, entry: AuditEntry) -> Result<bool>;
    /// All versions of a workflow, newest first.
    async fn history(&self, workflow: WorkflowId) -> Result<Vec<PastVersion>>;
    /// One workflow by name.
    async fn workflow(&self, tenant: &TenantId, name: &str) -> Result<Option<WorkflowRecord>>;
    /// All workflows of a tenant by name.
    async fn workflows(&self, tenant: &TenantId) -> Result<Vec<WorkflowRecord>>;
    /// One version.
    async fn version(&self, workflow: WorkflowId, number: u32) -> Result<Option<VersionRecord>>;
    /// The version that a workflow's new runs bind to.
    async fn active_version(&self, workflow: WorkflowId) -> Result<Option<VersionRecord>>;
    /// The component digest of each active version.
    async fn active_components(&self) -> Result<Vec<[u8; 32]>>;
    /// The components that workflows of a tenant (none: of all) need, by workflow and version.
    async fn needed_components(&self, tenant: Option<&TenantId>) -> Result<Vec<NeededComponent>>;
    /// The component digests of all versions of workflows that are not deleted: runs and history need them.
    async fn components(&self) -> Result<Vec<[u8; 32]>>;
    /// Sets a workflow's state.
    async fn set_workflow_state(
        &self,
        workflow: WorkflowId,
        state: crate::model::WorkflowState,
    ) -> Result<()>;

    /// Sets a workflow active, unless it is paused and is not to be resumed.
    async fn activate_workflow(&self, workflow: WorkflowId, resume: bool) -> Result<()>;

    /// Sets a workflow's state if it is still `from`; whether it was.
    async fn switch_workflow_state(
        &self,
        workflow: WorkflowId,
        from: crate::model::WorkflowState,
        to: crate::model::WorkflowState,
    ) -> Result<bool>;

    /// Deletes an inactive workflow and the keys of its messages. Its unfinished runs are discarded when
    /// `discard` is set; otherwise, when there are some, nothing is done and their number is answered. `Held` when a hold
    /// keeps them.
    async fn delete_workflow(&self, workflow: WorkflowId, discard: bool, at: Time) -> Result<u64>;

    /// Keeps a webhook that is about to be made, with its triggers.
    async fn plan_webhook(&self, webhook: WebhookRecord) -> Result<()>;
    /// Keeps a webhook that is to take the place of an old one, whose messages count on: it is a tombstone until then,
    /// or, without that time, goes on firing (`retiring`).
    async fn replace_webhook(&self, old: WebhookId, until: Option<Time>, new: WebhookRecord) -> Result<()>;
    /// Says when the retiring webhooks of a workflow are removed.
    async fn retire_at(&self, workflow: WorkflowId, at: Time) -> Result<()>;
    /// Writes a webhook's changed state, Caspio id, secret, public URL and tombstone. Removing one ends that messages of
    /// those whose place it took count.
    async fn update_webhook(&self, update: WebhookUpdate) -> Result<()>;
    /// Keeps Caspio's id of one trigger's event.
    async fn trigger_made(&self, webhook: WebhookId, position: u32, caspio_id: String) -> Result<()>;
    /// Replaces the triggers of a webhook (a new version was deployed).
    async fn replace_triggers(&self, webhook: WebhookId, triggers: Vec<TriggerRecord>) -> Result<()>;
    /// The webhook of a workflow that is neither retiring nor a tombstone.
    async fn webhook_of(&self, workflow: WorkflowId) -> Result<Option<WebhookRecord>>;
    /// The webhooks of a workflow whose place another one takes.
    async fn retiring_webhooks(&self, workflow: WorkflowId) -> Result<Vec<WebhookRecord>>;
    /// All webhooks of all tenants that are, or may be, in Caspio.
    async fn webhooks(&self) -> Result<Vec<WebhookRecord>>;
    /// Webhooks whose making or removing was cut off, that Caspio knows by another public URL than this one, or whose
    /// time to retire has come.
    async fn unfinished_webhooks(&self, public_url: Option<&str>, now: Time) -> Result<Vec<WebhookRecord>>;
    /// A webhook was compared with Caspio: keeps when, and what could not be mended.
    async fn webhook_checked(&self, webhook: WebhookId, at: Time, trouble: Option<String>) -> Result<()>;
    /// Whether a message of this webhook was kept since then.
    async fn heard_since(&self, webhook: WebhookId, since: Time) -> Result<bool>;
    /// The webhook behind a URL, by the SHA-256 of its URL id.
    async fn webhook_by_url(&self, url_hash: [u8; 32]) -> Result<Option<WebhookRecord>>;
    /// Drops tombstones that ended before `now`, with their secrets; returns how many.
    async fn drop_tombstones(&self, now: Time) -> Result<u64>;
    /// Counts a refused message.
    async fn reject_message(&self, webhook: WebhookId, reason: &'static str, at: Time) -> Result<()>;

    /// Keeps a message with its events and runs, once.
    async fn ingest(&self, message: NewMessage) -> Result<Ingested>;

    /// Takes queued runs that are due, fair between tenants and workflows, within the limits of runs at once, those of a
    /// record in their order.
    async fn claim(&self, claim: Claim) -> Result<Claimed>;
    /// Forgets which events were done before this time; returns of how many records.
    async fn drop_done(&self, before: Time) -> Result<u64>;
    /// After a start: runs that an earlier process left `running` are queued again, or dead with
    /// `host-crash` after `max_crashes` crashes without progress. Returns (queued, dead).
    async fn recover(&self, now: Time, max_crashes: u32) -> Result<(u64, u64)>;
    /// The journal of a run, by step number.
    async fn steps(&self, run: RunId) -> Result<Vec<StepRecord>>;
    /// Writes steps of a run that `owner` holds. True when runs that waited for its writes are due now.
    async fn record(&self, run: RunId, owner: &str, write: JournalWrite) -> Result<bool>;
    /// Registered writes that each row may come from, the latest first.
    async fn own_writes(&self, query: WriteQuery) -> Result<Vec<Vec<OwnWrite>>>;
    /// Drops registered writes that are older, unless a sweep of their table may still find them; returns how many.
    async fn drop_writes(&self, before: Time) -> Result<u64>;
    /// Changes a key of a workflow's state and writes the steps of the run that does it, which `owner` holds, in one
    /// commit. When the change is refused, neither is written.
    async fn change_state(
        &self,
        run: RunId,
        owner: &str,
        write: JournalWrite,
        change: StateChange,
    ) -> Result<StateOutcome>;
    /// One key of a workflow's state.
    async fn state_entry(&self, workflow: WorkflowId, hash: [u8; 32]) -> Result<Option<StateRecord>>;
    /// All keys of a workflow's state, without values, in no order.
    async fn state_keys(&self, workflow: WorkflowId) -> Result<Vec<StateRecord>>;
    /// How much a workflow keeps.
    async fn state_use(&self, workflow: WorkflowId) -> Result<StateUse>;
    /// Deletes a key of a workflow's state (none: all of them); returns how many.
    async fn drop_state(&self, workflow: WorkflowId, hash: Option<[u8; 32]>) -> Result<u64>;
    /// Ends an attempt: steps, output, counters and new state in one commit.
    async fn finish(&self, run: RunId, owner: &str, finish: Finish) -> Result<()>;

    /// Runs, newest first.
    async fn runs(&self, tenant: &TenantId, filter: RunFilter) -> Result<Vec<RunRecord>>;
    /// One run.
    async fn run(&self, tenant: &TenantId, run: RunId) -> Result<Option<RunRecord>>;
    /// One run with all that executing it again from its journal needs, as of one moment.
    async fn recorded_run(&self, tenant: &TenantId, run: RunId) -> Result<Option<RecordedRun>>;
    /// What attempts of a run wrote, by attempt.
    async fn output(&self, run: RunId) -> Result<Vec<OutputRecord>>;
    /// The wrapped data key of a message.
    async fn data_key(&self, message: crate::model::MessageId) -> Result<Option<Vec<u8>>>;
    /// Events, newest first.
    async fn events(&self, tenant: &TenantId, filter: EventFilter) -> Result<Vec<EventRecord>>;
    /// One event, and the runs that it started.
    async fn event(
        &self,
        tenant: &TenantId,
        event: crate::model::EventId,
    ) -> Result<Option<(EventRecord, Vec<RunId>)>>;
    /// Names of connections whose runs wait because their credentials are refused.
    async fn waiting_connections(&self, tenant: &TenantId) -> Result<Vec<String>>;
    /// Queues runs again that are parked as `restored`: one, or all of a workflow (none: of all); returns how many.
    async fn resume_restored(
        &self,
        tenant: &TenantId,
        run: Option<RunId>,
        workflow: Option<WorkflowId>,
        at: Time,
    ) -> Result<u64>;
    /// Names of workflows with queued runs that wait for this cause, and how many.
    async fn waiting_workflows(
        &self,
        tenant: &TenantId,
        cause: crate::model::Cause,
    ) -> Result<Vec<(String, u64)>>;
    /// Names of workflows of which dead or parked runs hold up others of their record, and how many do.
    async fn held_up(&self, tenant: &TenantId) -> Result<Vec<(String, u64)>>;
    /// How many runs of a tenant (none: of all) are in which state.
    async fn run_totals(&self, tenant: Option<&TenantId>) -> Result<Vec<(crate::model::RunState, u64)>>;
    /// Writes a consistent copy of the whole store into a new file while work goes on.
    async fn copy_to(&self, file: std::path::PathBuf) -> Result<()>;
    /// How many runs of a workflow are in which state.
    async fn run_counts(&self, workflow: WorkflowId) -> Result<Vec<(crate::model::RunState, u64)>>;
    /// How many messages of a workflow's webhooks are in which state.
    async fn message_counts(&self, workflow: WorkflowId) -> Result<Vec<(crate::model::MessageState, u64)>>;

    /// A run with what deciding about it needs.
    async fn letter(&self, tenant: &TenantId, run: RunId) -> Result<Option<Letter>>;
    /// Dead and parked runs, oldest first.
    async fn letters(&self, filter: LetterFilter) -> Result<Vec<RunId>>;
    /// Dead and parked runs by workflow and cause.
    async fn letter_counts(&self, tenant: &TenantId) -> Result<Vec<LetterCount>>;
    /// A person's decision about a run that `was` in this state. False when it is not any more.
    async fn decide(
        &self,
        run: RunId,
        was: (crate::model::RunState, Option<crate::model::Cause>),
        decision: Decision,
        at: Time,
    ) -> Result<bool>;

    /// Schedules whose next tick has come.
    async fn due_schedules(&self, now: Time) -> Result<Vec<ScheduleRecord>>;
    /// The earliest next tick.
    async fn next_tick(&self) -> Result<Option<Time>>;
    /// Queues a tick's event and keeps the tick after it. False when the schedule changed meanwhile.
    async fn commit_tick(&self, tick: Tick) -> Result<bool>;

    /// Every table that is to be swept, now or later. Without counts.
    async fn sweeps(&self) -> Result<Vec<SweepRecord>>;
    /// How far a sweep is, with counts.
    async fn sweep_progress(&self, workflow: WorkflowId, table: &str) -> Result<SweepProgress>;
    /// `PK_ID`s after one and up to another that a sweep has seen, at most `limit`, smallest first.
    async fn swept_rows(
        &self,
        workflow: WorkflowId,
        table: &str,
        after: i64,
        until: Option<i64>,
        limit: u32,
    ) -> Result<Vec<i64>>;
    /// Rows that should be in a page and are not.
    async fn missing_rows(&self, page: SweepPage) -> Result<Vec<i64>>;
    /// What is in a page that no webhook told of.
    async fn sweep_findings(&self, page: SweepPage) -> Result<Vec<Finding>>;
    /// Writes a page down and queues the events of its findings, in one commit.
    async fn commit_sweep(&self, step: SweepStep) -> Result<SweepCommit>;
    /// A round goes on later: its calls are used up (no `error`), or something failed.
    async fn put_off_sweep(
        &self,
        sweep: &SweepRecord,
        error: Option<String>,
        calls: u32,
        next_at: Time,
    ) -> Result<()>;
    /// Makes the sweeps of a workflow due; how many there are.
    async fn sweep_now(&self, workflow: WorkflowId, at: Time) -> Result<u64>;
    /// Forgets what was told of swept tables before this time.
    async fn purge_told(&self, before: Time) -> Result<u64>;

    /// Begins a backfill. `Exists` when one of the workflow is under way.
    async fn add_backfill(&self, backfill: BackfillRecord) -> Result<()>;
    /// Backfills of a tenant (none: of all), newest first; of a state, when it is given.
    async fn backfills(
        &self,
        tenant: Option<&TenantId>,
        state: Option<crate::model::BackfillState>,
    ) -> Result<Vec<BackfillRecord>>;
    /// Queues the runs of some rows. False when the backfill was ended meanwhile: nothing is done then.
    async fn commit_backfill(&self, step: BackfillStep) -> Result<bool>;
    /// A backfill goes on later, because something failed.
    async fn put_off_backfill(
        &self,
        which: crate::model::BackfillId,
        error: String,
        next_at: Time,
    ) -> Result<()>;
    /// Ends the backfill of a workflow that is under way. `Missing` when there is none.
    async fn cancel_backfill(&self, workflow: WorkflowId, at: Time) -> Result<()>;

    /// All tenants.
    async fn tenants(&self) -> Result<Vec<TenantId>>;
    /// What a tenant wants kept for how long, as JSON; none: what the host's configuration says.
    async fn retention(&self, tenant: &TenantId) -> Result<Option<String>>;
    /// Sets that, or (none) goes back to the configuration's.
    async fn set_retention(&self, tenant: &TenantId, wanted: Option<String>) -> Result<()>;
    /// Adds a legal hold. `Exists` when the name is taken.
    async fn add_hold(&self, hold: HoldRecord) -> Result<()>;
    /// Legal holds of a tenant by name.
    async fn holds(&self, tenant: &TenantId) -> Result<Vec<HoldRecord>>;
    /// Ends a legal hold. `Missing` when there is none of that name.
    async fn remove_hold(&self, tenant: &TenantId, name: &str) -> Result<()>;
    /// The name of a hold that keeps a workflow, if one does.
    async fn holding(&self, workflow: WorkflowId) -> Result<Option<String>>;
    /// Messages whose time is over, from one id on; their runs all ended, and no hold keeps them.
    async fn over(&self, what: Over) -> Result<OverPage>;
    /// Drops the keys of messages whose contents' time is (still) over, and overwrites what they sealed; returns how many.
    async fn shred(&self, which: Vec<crate::model::MessageId>, over: Over) -> Result<u64>;
    /// Deletes the records of messages whose time is (still) over; returns how many.
    async fn forget(&self, which: Vec<crate::model::MessageId>, over: Over) -> Result<u64>;
    /// Empties the write-ahead log, in which overwritten content may be left. False when readers were in the way.
    async fn truncate_log(&self) -> Result<bool>;

    /// Names of a tenant's workflows, deleted ones included.
    async fn workflow_names(&self, tenant: &TenantId) -> Result<Vec<(WorkflowId, String)>>;
    /// Names of a tenant's connections, removed ones included.
    async fn connection_names(&self, tenant: &TenantId) -> Result<Vec<(ConnectionId, String)>>;
    /// Adds to the counters of integration calls.
    async fn count_calls(&self, calls: Vec<CallCount>) -> Result<()>;
    /// The counters of a tenant since a day, `YYYY-MM-DD`.
    async fn calls(&self, tenant: &TenantId, since: &str) -> Result<Vec<CallCount>>;
    /// How many calls a connection sent since a day.
    async fn spent(&self, tenant: &TenantId, connection: ConnectionId, since: &str) -> Result<u64>;
    /// Whether alerts are written down from now on; when they are not, those that are there are forgotten.
    async fn want_alerts(&self, wanted: bool) -> Result<()>;
    /// Writes an alert about the host itself down.
    async fn add_alert(&self, kind: crate::model::AlertKind, cause: &str) -> Result<()>;
    /// Alerts that are due to be told, each under its id until [`end_alert`](Self::end_alert).
    async fn take_alerts(&self, now: Time, limit: u32) -> Result<Vec<AlertRecord>>;
    /// When the next alert is due.
    async fn next_alert(&self) -> Result<Option<Time>>;
    /// All alerts that were not told yet.
    async fn alerts(&self) -> Result<Vec<AlertRecord>>;
    /// What came of telling an alert.
    async fn end_alert(&self, which: crate::model::AlertId, end: AlertEnd) -> Result<()>;
    /// Adds a line to the audit log.
    async fn audit(&self, entry: AuditEntry) -> Result<()>;
    /// Whether what is kept is whole.
    async fn check(&self) -> Result<()>;
    /// Parks every unfinished run as `restored`; returns how many.
    async fn park_unfinished(&self, at: Time) -> Result<u64>;
    /// Ends the writer after what was given to it is done.
    async fn close(&self);
}
