//! Actions against Caspio: reads, plans of effects, effects.

use std::collections::HashMap;
use std::sync::Arc;

use crate::caspio::{CallContext, Caspio, CaspioError};
use crate::clock::Time;
use crate::journal::Plan;
use crate::lineage::{Writing, changes_nothing, register, shown};
use crate::manifest::Manifest;
use crate::model::{
    Action, ActionError, Answer, Criteria, Event, Query, Row, RunId, TableSchema, TenantId, TriggerKind,
};
use crate::secrets::TenantKey;
use crate::store::{NewWrite, WriteEnd};

use super::grants::may_see;
use super::schemas::{Named, Schemas};

mod attachments;
mod creates;
mod directories;
mod files;
mod tasks;
mod views;

/// Records that `records.list` answers at most when the guest names no limit, and that one update
/// or delete may touch. More belongs into several runs: every one of them is in memory and in the journal.
const MAX_RECORDS: u32 = 10_000;

/// What an effect will be.
pub(super) enum Planned {
    /// This.
    Do(Plan),
    /// Nothing matches, so nothing is sent.
    Nothing(Answer),
}

/// Performs the actions of one run.
pub(super) struct Performer {
    pub(super) caspio: Arc<Caspio>,
    pub(super) schemas: Arc<Schemas>,
    pub(super) manifest: Arc<Manifest>,
    pub(super) context: CallContext,
    pub(super) origin: Origin,
}

/// Which run it is, and what it is about.
pub(super) struct Origin {
    pub(super) tenant: TenantId,
    pub(super) key: TenantKey,
    pub(super) run: RunId,
    pub(super) event: Arc<Event>,
}

impl Performer {
    fn context(&self, action: &Action) -> CallContext {
        self.context.for_action(action.name())
    }

    /// Calls spent so far by this run.
    pub(super) fn calls(&self) -> u32 {
        self.context.spent()
    }

    async fn schema(&self, context: &CallContext, table: &str) -> Result<Arc<TableSchema>, CaspioError> {
        self.schema_of(context, Named::Table(table)).await
    }

    async fn schema_of(
        &self,
        context: &CallContext,
        named: Named<'_>,
    ) -> Result<Arc<TableSchema>, CaspioError> {
        self.schemas.get(&self.caspio, context, named).await
    }

    /// A field that is not found may be newer than the schema. True: the schema is another now, so it is worth
    /// another try. What Caspio fails at (it does so at unknown fields, too) is only asked anew next time.
    async fn learned(&self, action: &Action, error: &CaspioError) -> bool {
        let Some(named) = named(action).filter(|_| error.is_about_schema()) else { return false };
        if error.transient_cause().is_some() {
            self.schemas.forget(self.caspio.connection(), named).await;
            return false;
        }
        self.schemas.renew(&self.caspio, &self.context(action), named).await
    }

    /// Does everything that can fail or take time before an effect is sent, so that nothing is left between its
    /// intent and the request.
    pub(super) async fn prepare(&self, action: &Action) -> Result<(), CaspioError> {
        let mut checked = self.check(action).await;
        if let Err(error) = &checked
            && self.learned(action, error).await
        {
            checked = self.check(action).await;
        }
        checked?;
        self.caspio.reserve(&self.context(action)).await
    }

    /// Whether what is to be sent fits.
    async fn check(&self, action: &Action) -> Result<(), CaspioError> {
        let context = self.context(action);
        match action {
            Action::Attachment { table, field, action } => {
                self.check_attachment(&context, table, field, action).await
            }
            Action::File(action) => self.check_file(action),
            Action::Directory(action) => self.check_directory(&context, action).await,
            Action::Task(_) => Ok(()),
            _ => {
                let Some(table) = action.table() else {
                    return Err(CaspioError::misuse("an effect without a table"));
                };
                let schema = self.schema(&context, table).await?;
                match action {
                    // An upsert's row must do for both: what it will be is decided by its plan, which checks again.
                    Action::CreateRecord { row, .. } => self.caspio.check_new(&schema, row),
                    Action::UpdateRecords { changes: row, .. } | Action::UpsertRecord { row, .. } => {
                        self.caspio.check_changes(&schema, row)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// An action without effect.
    pub(super) async fn read(&self, action: &Action) -> Result<Answer, CaspioError> {
        match self.read_once(action).await {
            Err(error) if self.learned(action, &error).await => self.read_once(action).await,
            answer => answer,
        }
    }

    async fn read_once(&self, action: &Action) -> Result<Answer, CaspioError> {
        let context = self.context(action);
        match action {
            Action::ListRecords { table, query } => {
                let schema = self.schema(&context, table).await?;
                self.rows(&context, &schema, query).await.map(Answer::Rows)
            }
            Action::GetRecord { table, pk_id } => {
                let schema = self.schema(&context, table).await?;
                self.caspio.get(&context, &schema, *pk_id).await.map(Answer::Record)
            }
            Action::ListTables => {
                let mut names = self.caspio.tables(&context).await?;
                names.retain(|name| may_see(&self.manifest.grants, name));
                Ok(Answer::Tables(names))
            }
            Action::ListFields { table } => {
                let schema = self.schema(&context, table).await?;
                Ok(Answer::Fields(schema.fields.clone()))
            }
            Action::Count { source, criteria } => self.count(&context, source, criteria.as_ref()).await,
            Action::Aggregate { source, aggregation } => self.aggregate(&context, source, aggregation).await,
            Action::View(action) => self.read_view(&context, action).await,
            Action::Attachment { table, field, action } => {
                self.read_attachment(&context, table, field, action).await
            }
            Action::File(action) => self.read_files(&context, action).await,
            Action::Directory(action) => self.read_directory(&context, action).await,
            Action::Task(action) => self.read_task(&context, action).await,
            Action::CreateRecord { .. }
            | Action::UpdateRecords { .. }
            | Action::UpsertRecord { .. }
            | Action::DeleteRecords { .. }
            // The host answers these itself.
            | Action::Timer(_)
            | Action::State(_) => Err(performed_as_read()),
        }
    }

    /// Never a part without a word: the guest would take it for the whole.
    async fn rows(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        query: &Query,
    ) -> Result<Vec<Row>, CaspioError> {
        let wanted = query.limit.unwrap_or(u32::MAX);
        let query = Query { limit: Some(wanted.min(MAX_RECORDS + 1)), ..query.clone() };
        let rows = self.caspio.list(context, schema, &query).await?;
        if rows.len() > MAX_RECORDS as usize { Err(too_many()) } else { Ok(rows) }
    }

    /// Decides what an effect will do: which records it touches is read before it is sent.
    pub(super) async fn plan(&self, action: &Action) -> Result<Planned, CaspioError> {
        let context = self.context(action);
        match action {
            Action::CreateRecord { table, row } => self.create_plan(table, row).map(Planned::Do),
            Action::UpdateRecords { criteria, .. } | Action::UpsertRecord { criteria, .. }
                if !criteria.restricts() =>
            {
                Err(unrestricted())
            }
            Action::UpsertRecord { table, criteria, row } => {
                let found = self.pin(&context, action, criteria, 1).await?;
                Ok(Planned::Do(match found.first() {
                    Some(first) => Plan::Update { pk_ids: vec![*first] },
                    None => self.create_plan(table, row)?,
                }))
            }
            Action::UpdateRecords { criteria, .. } => {
                let pk_ids = self.pin_all(&context, action, criteria).await?;
                Ok(if pk_ids.is_empty() {
                    Planned::Nothing(Answer::Updated { affected: 0, rows: Vec::new() })
                } else {
                    Planned::Do(Plan::Update { pk_ids })
                })
            }
            Action::DeleteRecords { criteria, .. } => {
                if !criteria.restricts() {
                    return Err(unrestricted());
                }
                let pk_ids = self.pin_all(&context, action, criteria).await?;
                Ok(if pk_ids.is_empty() {
                    Planned::Nothing(Answer::Deleted(0))
                } else {
                    Planned::Do(Plan::Delete { pk_ids })
                })
            }
            // One attachment a record: whatever is done twice leaves the same.
            Action::Attachment { .. } => Ok(call(true, None)),
            Action::File(action) => Ok(call(files::is_repeatable(action), None)),
            Action::Directory(action) => Ok(call(directories::is_repeatable(action), None)),
            Action::Task(action) => self.plan_task(&context, action).await,
            _ => Err(CaspioError::misuse("a read was planned as an effect")),
        }
    }

    async fn pin(
        &self,
        context: &CallContext,
        action: &Action,
        criteria: &Criteria,
        limit: u32,
    ) -> Result<Vec<i64>, CaspioError> {
        let table = action.table().unwrap_or_default();
        let mut schema = self.schema(context, table).await?;
        let mut ids = self.caspio.pk_ids(context, &schema, criteria, limit).await;
        if let Err(error) = &ids
            && self.learned(action, error).await
        {
            schema = self.schema(context, table).await?;
            ids = self.caspio.pk_ids(context, &schema, criteria, limit).await;
        }
        ids
    }

    async fn pin_all(
        &self,
        context: &CallContext,
        action: &Action,
        criteria: &Criteria,
    ) -> Result<Vec<i64>, CaspioError> {
        if let Some(id) = criteria.as_pk_id() {
            return Ok(vec![id]);
        }
        let ids = self.pin(context, action, criteria, MAX_RECORDS + 1).await?;
        if ids.len() > MAX_RECORDS as usize {
            return Err(too_many());
        }
        Ok(ids)
    }

    /// What Caspio will be told, so that the webhook it sends of it is recognised. `first`: the run has not written to the
    /// table before. None when it will send none, as far as can be known.
    pub(super) async fn write(
        &self,
        action: &Action,
        plan: &Plan,
        step: u32,
        first: bool,
    ) -> Result<Option<NewWrite>, CaspioError> {
        let Some(table) = action.table() else { return Ok(None) };
        let schema = self.schema(&self.context(action), table).await?;
        let row = match action {
            Action::CreateRecord { row, .. } | Action::UpsertRecord { row, .. } => Some(row),
            Action::UpdateRecords { changes, .. } => Some(changes),
            _ => None,
        };
        let Origin { tenant, key, run, event } = &self.origin;
        let (kind, pk_ids) = match plan {
            Plan::Create | Plan::CreateAgain | Plan::CreateStamped { .. } => {
                (TriggerKind::RecordInsert, Vec::new())
            }
            Plan::Delete { pk_ids } => (TriggerKind::RecordDelete, pk_ids.clone()),
            Plan::Update { pk_ids } => {
                // As the event shows the record: what is so already is no change, and causes no webhook.
                let of_event = first && event.table.eq_ignore_ascii_case(table);
                let seen: HashMap<i64, &Row> = match of_event {
                    true => event.rows.iter().filter_map(|seen| Some((seen.pk_id()?, seen))).collect(),
                    false => HashMap::new(),
                };
                let is_so = |pk_id: &i64| {
                    seen.get(pk_id).zip(row).is_some_and(|(seen, row)| changes_nothing(&schema, seen, row))
                };
                let changed: Vec<i64> = pk_ids.iter().copied().filter(|pk_id| !is_so(pk_id)).collect();
                if changed.is_empty() {
                    return Ok(None);
                }
                (TriggerKind::RecordUpdate, changed)
            }
            Plan::Call { .. } => match action {
                Action::Attachment { action, .. } => {
                    (TriggerKind::RecordUpdate, action.pk_id().into_iter().collect())
                }
                _ => return Ok(None),
            },
            Plan::Sleep { .. } => return Ok(None),
        };
        let (connection, began_at) = (self.caspio.connection(), self.caspio.now());
        let writing = Writing { tenant, connection, kind, schema: &schema, row, pk_ids, began_at };
        let mut write = register(key, *run, step, writing);
        if let Action::Attachment { field, .. } = action {
            // What a webhook shows of a file can't be compared; that the field was written, a trigger may ask.
            write.fields.insert(field.to_ascii_lowercase(), String::new());
        }
        Ok(Some(write))
    }

    /// How a registered write ended.
    pub(super) async fn write_end(
        &self,
        step: u32,
        action: &Action,
        result: &Result<Answer, ActionError>,
    ) -> WriteEnd {
        let (done, pk_id) = match result {
            Ok(Answer::Created(row) | Answer::Upserted { row, .. }) => (true, row.pk_id()),
            Ok(Answer::Updated { affected, .. } | Answer::Deleted(affected)) => (*affected > 0, None),
            Ok(Answer::WasThere(was_there)) => (*was_there, None),
            Ok(_) => (true, None),
            Err(_) => (false, None),
        };
        let fields = match (action.table(), result) {
            (Some(table), Ok(Answer::Created(row) | Answer::Upserted { row, .. })) => {
                let schema = self.schemas.known(self.caspio.connection(), Named::Table(table)).await;
                schema.map(|schema| shown(&self.origin.key, self.origin.run, step, &schema, row))
            }
            _ => None,
        };
        let fields = fields.unwrap_or_default();
        WriteEnd { step, done, pk_id, fields, at: Time::now(), ended_at: self.caspio.now() }
    }

    /// Sends an effect. `repeated`: an earlier try may have done it already, so what Caspio counts
    /// as affected may be too few.
    pub(super) async fn carry_out(
        &self,
        action: &Action,
        plan: &Plan,
        repeated: bool,
    ) -> Result<Answer, CaspioError> {
        let context = self.context(action).committed();
        match action {
            Action::Attachment { table, field, action } => {
                return self.carry_out_attachment(&context, table, field, action, repeated).await;
            }
            Action::File(action) => return self.carry_out_file(&context, action, repeated).await,
            Action::Directory(action) => return self.carry_out_directory(&context, action, repeated).await,
            Action::Task(action) => return self.carry_out_task(&context, action, plan).await,
            _ => {}
        }
        let Some(table) = action.table() else {
            return Err(CaspioError::misuse("an effect without a table"));
        };
        let schema = self.schema(&context, table).await?;
        let all = |affected: u32, planned: &[i64]| {
            if repeated { u32::try_from(planned.len()).unwrap_or(u32::MAX) } else { affected }
        };
        let answer = match (action, plan) {
            (Action::CreateRecord { row, .. }, plan) if plan.creates() => {
                self.create(&context, &schema, row, plan, repeated).await.map(Answer::Created)
            }
            (Action::UpsertRecord { row, .. }, plan) if plan.creates() => {
                let created = self.create(&context, &schema, row, plan, repeated).await;
                created.map(|row| Answer::Upserted { created: true, row })
            }
            (Action::UpsertRecord { row, .. }, Plan::Update { pk_ids }) => {
                let updated = self.caspio.update_pks(&context, &schema, pk_ids, row, true).await;
                updated.and_then(|updated| match updated.rows.into_iter().next() {
                    Some(row) => Ok(Answer::Upserted { created: false, row }),
                    None => Err(CaspioError::not_found("the record that matched was deleted meanwhile")),
                })
            }
            (Action::UpdateRecords { changes, return_rows, .. }, Plan::Update { pk_ids }) => {
                let updated = self.caspio.update_pks(&context, &schema, pk_ids, changes, *return_rows).await;
                updated.map(|u| Answer::Updated { affected: all(u.affected, pk_ids), rows: u.rows })
            }
            (Action::DeleteRecords { .. }, Plan::Delete { pk_ids }) => {
                let deleted = self.caspio.delete_pks(&context, &schema, pk_ids).await;
                deleted.map(|n| Answer::Deleted(all(n, pk_ids)))
            }
            _ => Err(unfit_plan()),
        };
        if let Err(error) = &answer {
            self.learned(action, error).await;
        }
        answer
    }
}

/// Whose fields an action is about.
fn named(action: &Action) -> Option<Named<'_>> {
    match action {
        Action::Directory(directory) => directory.directory().map(Named::Directory),
        _ => action.table().map(Named::Table).or_else(|| action.view().map(Named::View)),
    }
}

/// The plan of one request.
fn call(repeatable: bool, key: Option<String>) -> Planned {
    Planned::Do(Plan::Call { repeatable, key })
}

fn performed_as_read() -> CaspioError {
    CaspioError::misuse("an effect was performed as a read")
}

fn performed_as_effect() -> CaspioError {
    CaspioError::misuse("a read was performed as an effect")
}

fn unfit_plan() -> CaspioError {
    CaspioError::misuse("the plan does not fit the action")
}

fn too_many() -> CaspioError {
    CaspioError::too_large("more than 10,000 records match; narrow the criteria, or work in several runs")
}

fn unrestricted() -> CaspioError {
    CaspioError::invalid(
        "",
        "the criteria match every record; compare a field (to mean all records compare PK_ID)",
    )
}
