//! SQLite in one file: WAL, `synchronous=FULL`, one writer thread, readers beside it.
//!
//! Files: `open` (pragmas, migrations), `writer` (group commit), then one a subject: `setup`
//! (tenants, connections, workflows, versions), `webhooks`, `messages`, `runs` (claim, recover, list), `lanes` (their
//! queues), `order` (one after another), `journal`,
//! `writes` (of runs, and the events they caused), `alerts`.

mod alerts;
mod backfills;
mod coverage;
mod events;
mod journal;
mod lanes;
mod letters;
mod messages;
mod open;
mod order;
mod retention;
mod rows;
mod runs;
mod schedules;
mod setup;
mod state;
#[cfg(test)]
mod tests;
mod webhooks;
mod writer;
mod writes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::clock::Time;
use crate::model::{
    AlertId, AlertKind, BackfillId, BackfillState, Cause, ConnectionId, EventId, MessageId, MessageState,
    RunId, RunState, TenantId, TokenScope, WebhookId, WorkflowId, WorkflowState,
};

use super::*;

/// Connections for reading. Reads are short; more would only compete for the same file cache.
const READERS: usize = 4;

/// See the module's text.
#[derive(Debug)]
pub struct SqliteStore {
    writer: writer::Writer,
    readers: Arc<Readers>,
    recent: writes::Recent,
    shares: Arc<Mutex<Shares>>,
}

#[derive(Debug)]
struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// SQLite's error as ours. Its texts name tables and columns, never values.
fn sql_error(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt("the database file is damaged".to_owned())
        }
        Some(code) => StoreError::Io(format!("{code:?}")),
        None => StoreError::Corrupt(match error {
            rusqlite::Error::FromSqlConversionFailure(column, ..) => {
                format!("column {column} has another type")
            }
            rusqlite::Error::InvalidColumnType(_, name, _) => format!("column {name}"),
            rusqlite::Error::QueryReturnedNoRows => "a row is missing".to_owned(),
            _ => "a query failed".to_owned(),
        }),
    }
}

impl SqliteStore {
    /// Opens the file, making or migrating it.
    ///
    /// # Errors
    /// When the file can't be opened, is damaged, or was written by a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        let conn = open::writer(path)?;
        let recent = writes::Recent::read(&conn)?;
        lanes::open(&conn)?;
        let writer = writer::Writer::start(conn)?;
        let readers = Readers {
            path: path.to_owned(),
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(READERS)),
        };
        Ok(Self { writer, readers: Arc::new(readers), recent, shares: Arc::default() })
    }

    /// Runs a query on a thread where it may block.
    async fn read<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit = self.readers.permits.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let idle = readers.idle.lock().ok().and_then(|mut idle| idle.pop());
            let conn = match idle {
                Some(conn) => conn,
                None => open::reader(&readers.path)?,
            };
            let result = query(&conn);
            if let Ok(mut idle) = readers.idle.lock() {
                idle.push(conn);
            }
            result
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn tenant_key(&self, tenant: &TenantId) -> Result<Option<Vec<u8>>> {
        let tenant = tenant.clone();
        self.read(move |c| setup::tenant_key(c, &tenant)).await
    }
    async fn add_tenant(&self, tenant: &TenantId, wrapped_key: Vec<u8>, at: Time) -> Result<()> {
        let tenant = tenant.clone();
        self.writer.write(move |c| setup::add_tenant(c, &tenant, &wrapped_key, at)).await
    }
    async fn add_token(&self, hash: [u8; 32], token: TokenRecord) -> Result<()> {
        self.writer.write(move |c| setup::add_token(c, hash, &token)).await
    }
    async fn token_scope(&self, hash: [u8; 32]) -> Result<Option<TokenScope>> {
        self.read(move |c| setup::token_scope(c, hash)).await
    }
    async fn tokens(&self) -> Result<Vec<TokenRecord>> {
        self.read(setup::tokens).await
    }
    async fn remove_token(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.writer.write(move |c| setup::remove_token(c, &name)).await
    }
    async fn token_count(&self) -> Result<u64> {
        self.read(setup::token_count).await
    }
    async fn add_connection(&self, connection: ConnectionRecord) -> Result<()> {
        self.writer.write(move |c| setup::add_connection(c, &connection)).await
    }
    async fn connections(&self, tenant: &TenantId) -> Result<Vec<ConnectionRecord>> {
        let tenant = tenant.clone();
        self.read(move |c| setup::connections(c, &tenant)).await
    }
    async fn connection_named(&self, tenant: &TenantId, name: &str) -> Result<Option<ConnectionRecord>> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.read(move |c| setup::connection_named(c, &tenant, &name)).await
    }
    async fn connection(&self, id: ConnectionId) -> Result<Option<ConnectionRecord>> {
        self.read(move |c| setup::connection(c, id)).await
    }
    async fn set_secret(&self, id: ConnectionId, sealed: Vec<u8>) -> Result<()> {
        self.writer.write(move |c| setup::set_secret(c, id, &sealed)).await
    }
    async fn hurry(&self, connection: ConnectionId, cause: Cause, at: Time) -> Result<()> {
        self.writer.write(move |c| runs::hurry(c, connection, cause, at)).await
    }
    async fn connection_users(&self, id: ConnectionId) -> Result<Vec<String>> {
        self.read(move |c| setup::connection_users(c, id)).await
    }
    async fn discard_runs(&self, connection: ConnectionId, at: Time) -> Result<u64> {
        self.writer.write(move |c| runs::discard_of(c, connection, at)).await
    }
    async fn remove_connection(&self, id: ConnectionId, at: Time) -> Result<Vec<String>> {
        self.writer.write(move |c| setup::remove_connection(c, id, at)).await
    }
    async fn deploy(&self, version: NewVersion) -> Result<Deployed> {
        self.writer.write(move |c| setup::deploy(c, &version)).await
    }
    async fn roll_back(&self, workflow: WorkflowId, from: u32, to: u32, entry: AuditEntry) -> Result<bool> {
        self.writer.write(move |c| setup::roll_back(c, workflow, from, to, &entry)).await
    }
    async fn history(&self, workflow: WorkflowId) -> Result<Vec<PastVersion>> {
        self.read(move |c| setup::history(c, workflow)).await
    }
    async fn workflow(&self, tenant: &TenantId, name: &str) -> Result<Option<WorkflowRecord>> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.read(move |c| setup::workflow(c, &tenant, &name)).await
    }
    async fn workflows(&self, tenant: &TenantId) -> Result<Vec<WorkflowRecord>> {
        let tenant = tenant.clone();
        self.read(move |c| setup::workflows(c, &tenant)).await
    }
    async fn version(&self, workflow: WorkflowId, number: u32) -> Result<Option<VersionRecord>> {
        self.read(move |c| setup::version(c, workflow, number)).await
    }
    async fn active_version(&self, workflow: WorkflowId) -> Result<Option<VersionRecord>> {
        self.read(move |c| setup::active_version(c, workflow)).await
    }
    async fn components(&self) -> Result<Vec<[u8; 32]>> {
        self.read(setup::components).await
    }
    async fn needed_components(&self, tenant: Option<&TenantId>) -> Result<Vec<NeededComponent>> {
        let tenant = tenant.cloned();
        self.read(move |c| setup::needed_components(c, tenant.as_ref())).await
    }
    async fn active_components(&self) -> Result<Vec<[u8; 32]>> {
        self.read(setup::active_components).await
    }
    async fn set_workflow_state(&self, workflow: WorkflowId, state: WorkflowState) -> Result<()> {
        self.writer.write(move |c| setup::set_workflow_state(c, workflow, state)).await
    }
    async fn activate_workflow(&self, workflow: WorkflowId, resume: bool) -> Result<()> {
        self.writer.write(move |c| setup::activate_workflow(c, workflow, resume, Time::now())).await
    }
    async fn switch_workflow_state(
        &self,
        workflow: WorkflowId,
        from: WorkflowState,
        to: WorkflowState,
    ) -> Result<bool> {
        self.writer.write(move |c| setup::switch_workflow_state(c, workflow, from, to)).await
    }
    async fn delete_workflow(&self, workflow: WorkflowId, discard: bool, at: Time) -> Result<u64> {
        self.writer.write(move |c| setup::delete_workflow(c, workflow, discard, at)).await
    }
    async fn plan_webhook(&self, webhook: WebhookRecord) -> Result<()> {
        self.writer.write(move |c| webhooks::plan(c, &webhook)).await
    }
    async fn replace_webhook(&self, old: WebhookId, until: Option<Time>, new: WebhookRecord) -> Result<()> {
        self.writer.write(move |c| webhooks::replace(c, old, until, &new)).await
    }
    async fn retire_at(&self, workflow: WorkflowId, at: Time) -> Result<()> {
        self.writer.write(move |c| webhooks::retire_at(c, workflow, at)).await
    }
    async fn update_webhook(&self, update: WebhookUpdate) -> Result<()> {
        self.writer.write(move |c| webhooks::update(c, &update)).await
    }
    async fn trigger_made(&self, webhook: WebhookId, position: u32, caspio_id: String) -> Result<()> {
        self.writer.write(move |c| webhooks::trigger_made(c, webhook, position, &caspio_id)).await
    }
    async fn replace_triggers(&self, webhook: WebhookId, triggers: Vec<TriggerRecord>) -> Result<()> {
        self.writer.write(move |c| webhooks::replace_triggers(c, webhook, &triggers)).await
    }
    async fn webhook_of(&self, workflow: WorkflowId) -> Result<Option<WebhookRecord>> {
        self.read(move |c| webhooks::of_workflow(c, workflow)).await
    }
    async fn retiring_webhooks(&self, workflow: WorkflowId) -> Result<Vec<WebhookRecord>> {
        self.read(move |c| webhooks::retiring(c, workflow)).await
    }
    async fn webhooks(&self) -> Result<Vec<WebhookRecord>> {
        self.read(webhooks::in_caspio).await
    }
    async fn unfinished_webhooks(&self, public_url: Option<&str>, now: Time) -> Result<Vec<WebhookRecord>> {
        let public_url = public_url.map(str::to_owned);
        self.read(move |c| webhooks::unfinished(c, public_url.as_deref(), now)).await
    }
    async fn webhook_checked(&self, webhook: WebhookId, at: Time, trouble: Option<String>) -> Result<()> {
        self.writer.write(move |c| webhooks::checked(c, webhook, at, trouble.as_deref())).await
    }
    async fn heard_since(&self, webhook: WebhookId, since: Time) -> Result<bool> {
        self.read(move |c| messages::heard_since(c, webhook, since)).await
    }
    async fn webhook_by_url(&self, url_hash: [u8; 32]) -> Result<Option<WebhookRecord>> {
        self.read(move |c| webhooks::by_url(c, url_hash)).await
    }
    async fn drop_tombstones(&self, now: Time) -> Result<u64> {
        self.writer.write(move |c| webhooks::drop_tombstones(c, now)).await
    }
    async fn reject_message(&self, webhook: WebhookId, reason: &'static str, at: Time) -> Result<()> {
        self.writer.write(move |c| webhooks::reject(c, webhook, reason, at)).await
    }
    async fn ingest(&self, message: NewMessage) -> Result<Ingested> {
        self.writer.write(move |c| messages::ingest(c, &message)).await
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed> {
        let shares = self.shares.clone();
        self.writer.write(move |c| runs::claim(c, &claim, &shares)).await
    }
    async fn drop_done(&self, before: Time) -> Result<u64> {
        self.writer.write(move |c| order::drop_done(c, before)).await
    }
    async fn held_up(&self, tenant: &TenantId) -> Result<Vec<(String, u64)>> {
        let tenant = tenant.clone();
        self.read(move |c| runs::held_up(c, &tenant)).await
    }
    async fn recover(&self, now: Time, max_crashes: u32) -> Result<(u64, u64)> {
        self.writer.write(move |c| runs::recover(c, now, max_crashes)).await
    }
    async fn steps(&self, run: RunId) -> Result<Vec<StepRecord>> {
        self.read(move |c| journal::steps(c, run)).await
    }
    async fn record(&self, run: RunId, owner: &str, write: JournalWrite) -> Result<bool> {
        let owner = owner.to_owned();
        if let Some(registered) = &write.registered {
            self.recent.note(registered);
        }
        self.writer.write(move |c| journal::record(c, run, &owner, &write)).await
    }
    async fn change_state(
        &self,
        run: RunId,
        owner: &str,
        write: JournalWrite,
        change: StateChange,
    ) -> Result<StateOutcome> {
        let owner = owner.to_owned();
        self.writer.write(move |c| state::change(c, run, &owner, &write, &change)).await
    }
    async fn state_entry(&self, workflow: WorkflowId, hash: [u8; 32]) -> Result<Option<StateRecord>> {
        self.read(move |c| state::entry(c, workflow, hash)).await
    }
    async fn state_keys(&self, workflow: WorkflowId) -> Result<Vec<StateRecord>> {
        self.read(move |c| state::keys(c, workflow)).await
    }
    async fn state_use(&self, workflow: WorkflowId) -> Result<StateUse> {
        self.read(move |c| state::used(c, workflow)).await
    }
    async fn drop_state(&self, workflow: WorkflowId, hash: Option<[u8; 32]>) -> Result<u64> {
        self.writer.write(move |c| state::forget(c, workflow, hash)).await
    }
    async fn finish(&self, run: RunId, owner: &str, finish: Finish) -> Result<()> {
        let owner = owner.to_owned();
        self.writer.write(move |c| journal::finish(c, run, &owner, &finish)).await
    }
    async fn recorded_run(&self, tenant: &TenantId, run: RunId) -> Result<Option<RecordedRun>> {
        let tenant = tenant.clone();
        self.read(move |c| runs::recorded(c, &tenant, run)).await
    }
    async fn runs(&self, tenant: &TenantId, filter: RunFilter) -> Result<Vec<RunRecord>> {
        let tenant = tenant.clone();
        self.read(move |c| runs::list(c, &tenant, &filter)).await
    }
    async fn run(&self, tenant: &TenantId, run: RunId) -> Result<Option<RunRecord>> {
        let tenant = tenant.clone();
        self.read(move |c| runs::one(c, &tenant, run)).await
    }
    async fn output(&self, run: RunId) -> Result<Vec<OutputRecord>> {
        self.read(move |c| journal::output(c, run)).await
    }
    async fn data_key(&self, message: MessageId) -> Result<Option<Vec<u8>>> {
        self.read(move |c| messages::data_key(c, message)).await
    }
    async fn events(&self, tenant: &TenantId, filter: EventFilter) -> Result<Vec<EventRecord>> {
        let tenant = tenant.clone();
        self.read(move |c| events::list(c, &tenant, &filter)).await
    }
    async fn event(&self, tenant: &TenantId, event: EventId) -> Result<Option<(EventRecord, Vec<RunId>)>> {
        let tenant = tenant.clone();
        self.read(move |c| match events::one(c, &tenant, event)? {
            Some(found) => Ok(Some((found, events::runs(c, event)?))),
            None => Ok(None),
        })
        .await
    }
    async fn waiting_connections(&self, tenant: &TenantId) -> Result<Vec<String>> {
        let tenant = tenant.clone();
        self.read(move |c| runs::waiting_connections(c, &tenant)).await
    }
    async fn resume_restored(
        &self,
        tenant: &TenantId,
        run: Option<RunId>,
        workflow: Option<WorkflowId>,
        at: Time,
    ) -> Result<u64> {
        let tenant = tenant.clone();
        self.writer.write(move |c| runs::resume_restored(c, &tenant, run, workflow, at)).await
    }
    async fn waiting_workflows(&self, tenant: &TenantId, cause: Cause) -> Result<Vec<(String, u64)>> {
        let tenant = tenant.clone();
        self.read(move |c| runs::waiting_workflows(c, &tenant, cause)).await
    }
    async fn run_totals(&self, tenant: Option<&TenantId>) -> Result<Vec<(RunState, u64)>> {
        let tenant = tenant.cloned();
        self.read(move |c| runs::totals(c, tenant.as_ref())).await
    }
    async fn copy_to(&self, file: PathBuf) -> Result<()> {
        self.read(move |c| open::copy(c, &file)).await
    }
    async fn run_counts(&self, workflow: WorkflowId) -> Result<Vec<(RunState, u64)>> {
        self.read(move |c| runs::counts(c, workflow)).await
    }
    async fn message_counts(&self, workflow: WorkflowId) -> Result<Vec<(MessageState, u64)>> {
        self.read(move |c| messages::counts(c, workflow)).await
    }
    async fn due_schedules(&self, now: Time) -> Result<Vec<ScheduleRecord>> {
        self.read(move |c| schedules::due(c, now)).await
    }
    async fn next_tick(&self) -> Result<Option<Time>> {
        self.read(schedules::next).await
    }
    async fn commit_tick(&self, tick: Tick) -> Result<bool> {
        self.writer.write(move |c| schedules::commit(c, &tick)).await
    }
    async fn letter(&self, tenant: &TenantId, run: RunId) -> Result<Option<Letter>> {
        let tenant = tenant.clone();
        self.read(move |c| letters::one(c, &tenant, run)).await
    }
    async fn letters(&self, filter: LetterFilter) -> Result<Vec<RunId>> {
        self.read(move |c| letters::list(c, &filter)).await
    }
    async fn letter_counts(&self, tenant: &TenantId) -> Result<Vec<LetterCount>> {
        let tenant = tenant.clone();
        self.read(move |c| letters::counts(c, &tenant)).await
    }
    async fn decide(
        &self,
        run: RunId,
        was: (RunState, Option<Cause>),
        decision: Decision,
        at: Time,
    ) -> Result<bool> {
        self.writer.write(move |c| letters::decide(c, run, was, &decision, at)).await
    }
    async fn sweeps(&self) -> Result<Vec<SweepRecord>> {
        self.read(coverage::sweeps).await
    }
    async fn sweep_progress(&self, workflow: WorkflowId, table: &str) -> Result<SweepProgress> {
        let table = table.to_owned();
        self.read(move |c| coverage::counted(c, workflow, &table)).await
    }
    async fn swept_rows(
        &self,
        workflow: WorkflowId,
        table: &str,
        after: i64,
        until: Option<i64>,
        limit: u32,
    ) -> Result<Vec<i64>> {
        let table = table.to_owned();
        self.read(move |c| coverage::known(c, workflow, &table, after, until, limit)).await
    }
    async fn missing_rows(&self, page: SweepPage) -> Result<Vec<i64>> {
        self.read(move |c| coverage::missing(c, &page)).await
    }
    async fn sweep_findings(&self, page: SweepPage) -> Result<Vec<Finding>> {
        self.read(move |c| coverage::findings(c, &page)).await
    }
    async fn commit_sweep(&self, step: SweepStep) -> Result<SweepCommit> {
        self.writer.write(move |c| coverage::commit(c, &step)).await
    }
    async fn put_off_sweep(
        &self,
        sweep: &SweepRecord,
        error: Option<String>,
        calls: u32,
        next_at: Time,
    ) -> Result<()> {
        let (tenant, workflow, table) = (sweep.tenant.clone(), sweep.workflow, sweep.table.clone());
        self.writer
            .write(move |c| {
                coverage::put_off(c, (&tenant, workflow, &table), error.as_deref(), calls, next_at)
            })
            .await
    }
    async fn sweep_now(&self, workflow: WorkflowId, at: Time) -> Result<u64> {
        self.writer.write(move |c| coverage::now(c, workflow, at)).await
    }
    async fn purge_told(&self, before: Time) -> Result<u64> {
        self.writer.write(move |c| coverage::purge(c, before)).await
    }
    async fn add_backfill(&self, backfill: BackfillRecord) -> Result<()> {
        self.writer.write(move |c| backfills::add(c, &backfill)).await
    }
    async fn backfills(
        &self,
        tenant: Option<&TenantId>,
        state: Option<BackfillState>,
    ) -> Result<Vec<BackfillRecord>> {
        let tenant = tenant.cloned();
        self.read(move |c| backfills::list(c, tenant.as_ref(), state)).await
    }
    async fn commit_backfill(&self, step: BackfillStep) -> Result<bool> {
        self.writer.write(move |c| backfills::commit(c, &step)).await
    }
    async fn put_off_backfill(&self, which: BackfillId, error: String, next_at: Time) -> Result<()> {
        self.writer.write(move |c| backfills::put_off(c, which, &error, next_at)).await
    }
    async fn cancel_backfill(&self, workflow: WorkflowId, at: Time) -> Result<()> {
        self.writer.write(move |c| backfills::cancel(c, workflow, at)).await
    }
    async fn tenants(&self) -> Result<Vec<TenantId>> {
        self.read(retention::tenants).await
    }
    async fn retention(&self, tenant: &TenantId) -> Result<Option<String>> {
        let tenant = tenant.clone();
        self.read(move |c| retention::of(c, &tenant)).await
    }
    async fn set_retention(&self, tenant: &TenantId, wanted: Option<String>) -> Result<()> {
        let tenant = tenant.clone();
        self.writer.write(move |c| retention::set(c, &tenant, wanted.as_deref())).await
    }
    async fn add_hold(&self, hold: HoldRecord) -> Result<()> {
        self.writer.write(move |c| retention::add_hold(c, &hold)).await
    }
    async fn holds(&self, tenant: &TenantId) -> Result<Vec<HoldRecord>> {
        let tenant = tenant.clone();
        self.read(move |c| retention::holds(c, &tenant)).await
    }
    async fn remove_hold(&self, tenant: &TenantId, name: &str) -> Result<()> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.writer.write(move |c| retention::remove_hold(c, &tenant, &name)).await
    }
    async fn holding(&self, workflow: WorkflowId) -> Result<Option<String>> {
        self.read(move |c| retention::holding(c, workflow)).await
    }
    async fn over(&self, what: Over) -> Result<OverPage> {
        self.read(move |c| retention::over(c, &what)).await
    }
    async fn shred(&self, which: Vec<MessageId>, over: Over) -> Result<u64> {
        self.writer.write(move |c| retention::shred(c, &which, &over)).await
    }
    async fn forget(&self, which: Vec<MessageId>, over: Over) -> Result<u64> {
        self.writer.write(move |c| retention::forget(c, &which, &over)).await
    }
    async fn truncate_log(&self) -> Result<bool> {
        let path = self.readers.path.clone();
        tokio::task::spawn_blocking(move || open::truncate_log(&path))
            .await
            .map_err(|_| StoreError::Closed)?
    }
    async fn workflow_names(&self, tenant: &TenantId) -> Result<Vec<(WorkflowId, String)>> {
        let tenant = tenant.clone();
        self.read(move |c| setup::workflow_names(c, &tenant)).await
    }
    async fn connection_names(&self, tenant: &TenantId) -> Result<Vec<(ConnectionId, String)>> {
        let tenant = tenant.clone();
        self.read(move |c| setup::connection_names(c, &tenant)).await
    }
    async fn count_calls(&self, calls: Vec<CallCount>) -> Result<()> {
        self.writer.write(move |c| setup::count_calls(c, &calls)).await
    }
    async fn calls(&self, tenant: &TenantId, since: &str) -> Result<Vec<CallCount>> {
        let (tenant, since) = (tenant.clone(), since.to_owned());
        self.read(move |c| setup::calls(c, &tenant, &since)).await
    }
    async fn spent(&self, tenant: &TenantId, connection: ConnectionId, since: &str) -> Result<u64> {
        let (tenant, since) = (tenant.clone(), since.to_owned());
        self.read(move |c| setup::spent(c, &tenant, connection, &since)).await
    }
    async fn set_budget(&self, id: ConnectionId, budget: CallBudget) -> Result<()> {
        self.writer.write(move |c| setup::set_budget(c, id, budget)).await
    }
    async fn own_writes(&self, query: WriteQuery) -> Result<Vec<Vec<OwnWrite>>> {
        // Most tables are written by nobody here: their events cost no look into the file.
        if !self.recent.may_hold(&query) {
            return Ok(vec![Vec::new(); query.pk_ids.len()]);
        }
        self.read(move |c| writes::own_writes(c, &query)).await
    }
    async fn drop_writes(&self, before: Time) -> Result<u64> {
        self.writer.write(move |c| writes::drop_old(c, before, Time::now())).await
    }
    async fn want_alerts(&self, wanted: bool) -> Result<()> {
        self.writer.write(move |c| alerts::want(c, wanted)).await
    }
    async fn add_alert(&self, kind: AlertKind, cause: &str) -> Result<()> {
        let cause = cause.to_owned();
        self.writer.write(move |c| alerts::add(c, kind, &cause)).await
    }
    async fn take_alerts(&self, now: Time, limit: u32) -> Result<Vec<AlertRecord>> {
        self.writer.write(move |c| alerts::take(c, now, limit)).await
    }
    async fn next_alert(&self) -> Result<Option<Time>> {
        self.read(alerts::next).await
    }
    async fn alerts(&self) -> Result<Vec<AlertRecord>> {
        self.read(alerts::list).await
    }
    async fn end_alert(&self, which: AlertId, end: AlertEnd) -> Result<()> {
        self.writer.write(move |c| alerts::end(c, which, &end)).await
    }
    async fn audit(&self, entry: AuditEntry) -> Result<()> {
        self.writer.write(move |c| setup::audit(c, &entry)).await
    }
    async fn check(&self) -> Result<()> {
        self.read(open::check).await
    }
    async fn park_unfinished(&self, at: Time) -> Result<u64> {
        self.writer.write(move |c| runs::park_unfinished(c, at)).await
    }
    async fn close(&self) {
        self.writer.close().await;
    }
}
