//! Actions against Caspio: reads, plans of effects, effects.

use std::collections::HashMap;
use std::sync::Arc;

use crate::caspio::{CallContext, Caspio, CaspioError};
use crate::clock::Time;
use crate::journal::Plan;
use crate::lineage::{Writing, changes_nothing, register};
use crate::manifest::Manifest;
use crate::model::{
    Action, ActionError, Answer, Criteria, Event, Row, RunId, TableSchema, TenantId, TriggerKind,
};
use crate::secrets::TenantKey;
use crate::store::{NewWrite, WriteEnd};

use super::grants::may_see;
use super::schemas::Schemas;

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
        self.schemas.get(&self.caspio, context, table).await
    }

    /// A field that is not found may be newer than the schema: the next call asks again.
    async fn learn<T>(&self, table: &str, result: Result<T, CaspioError>) -> Result<T, CaspioError> {
        if let Err(error) = &result
            && error.is_about_schema()
        {
            self.schemas.forget(self.caspio.connection(), table).await;
        }
        result
    }

    /// Does everything that can fail or take time before an effect is sent, so that nothing is left between its
    /// intent and the request.
    pub(super) async fn prepare(&self, action: &Action) -> Result<(), CaspioError> {
        let context = self.context(action);
        let Some(table) = action.table() else {
            return Err(CaspioError::misuse("an effect without a table"));
        };
        let schema = self.schema(&context, table).await?;
        let checked = match action {
            // An upsert's row must do for both: what it will be is decided by its plan, which checks again.
            Action::CreateRecord { row, .. } => self.caspio.check_new(&schema, row),
            Action::UpdateRecords { changes: row, .. } | Action::UpsertRecord { row, .. } => {
                self.caspio.check_changes(&schema, row)
            }
            _ => Ok(()),
        };
        self.learn(table, checked).await?;
        self.caspio.reserve(&context).await
    }

    /// An action without effect.
    pub(super) async fn read(&self, action: &Action) -> Result<Answer, CaspioError> {
        let context = self.context(action);
        match action {
            Action::ListRecords { table, query } => {
                let schema = self.schema(&context, table).await?;
                let mut query = query.clone();
                let wanted = query.limit.unwrap_or(u32::MAX);
                query.limit = Some(wanted.min(MAX_RECORDS + 1));
                let rows = self.caspio.list(&context, &schema, &query).await;
                let rows = self.learn(table, rows).await?;
                // Never a part without a word: the guest would take it for the whole.
                if rows.len() > MAX_RECORDS as usize {
                    return Err(too_many());
                }
                Ok(Answer::Rows(rows))
            }
            Action::GetRecord { table, pk_id } => {
                let schema = self.schema(&context, table).await?;
                let row = self.caspio.get(&context, &schema, *pk_id).await;
                self.learn(table, row).await.map(Answer::Record)
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
            Action::CreateRecord { .. }
            | Action::UpdateRecords { .. }
            | Action::UpsertRecord { .. }
            | Action::DeleteRecords { .. } => Err(CaspioError::misuse("an effect was performed as a read")),
        }
    }

    /// Decides what an effect will do: which records it touches is read before it is sent.
    pub(super) async fn plan(&self, action: &Action) -> Result<Planned, CaspioError> {
        let context = self.context(action);
        match action {
            Action::CreateRecord { .. } => Ok(Planned::Do(Plan::Create)),
            Action::UpdateRecords { criteria, .. } | Action::UpsertRecord { criteria, .. }
                if !criteria.restricts() =>
            {
                Err(unrestricted())
            }
            Action::UpsertRecord { table, criteria, .. } => {
                let found = self.pin(&context, table, criteria, 1).await?;
                Ok(Planned::Do(match found.first() {
                    Some(first) => Plan::Update { pk_ids: vec![*first] },
                    None => Plan::Create,
                }))
            }
            Action::UpdateRecords { table, criteria, .. } => {
                let pk_ids = self.pin_all(&context, table, criteria).await?;
                Ok(if pk_ids.is_empty() {
                    Planned::Nothing(Answer::Updated { affected: 0, rows: Vec::new() })
                } else {
                    Planned::Do(Plan::Update { pk_ids })
                })
            }
            Action::DeleteRecords { table, criteria } => {
                if !criteria.restricts() {
                    return Err(unrestricted());
                }
                let pk_ids = self.pin_all(&context, table, criteria).await?;
                Ok(if pk_ids.is_empty() {
                    Planned::Nothing(Answer::Deleted(0))
                } else {
                    Planned::Do(Plan::Delete { pk_ids })
                })
            }
            _ => Err(CaspioError::misuse("a read was planned as an effect")),
        }
    }

    async fn pin(
        &self,
        context: &CallContext,
        table: &str,
        criteria: &Criteria,
        limit: u32,
    ) -> Result<Vec<i64>, CaspioError> {
        let schema = self.schema(context, table).await?;
        let ids = self.caspio.pk_ids(context, &schema, criteria, limit).await;
        self.learn(table, ids).await
    }

    async fn pin_all(
        &self,
        context: &CallContext,
        table: &str,
        criteria: &Criteria,
    ) -> Result<Vec<i64>, CaspioError> {
        if let Some(id) = criteria.as_pk_id() {
            return Ok(vec![id]);
        }
        let ids = self.pin(context, table, criteria, MAX_RECORDS + 1).await?;
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
            Plan::Create => (TriggerKind::RecordInsert, Vec::new()),
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
        };
        let (connection, began_at) = (self.caspio.connection(), self.caspio.now());
        let writing = Writing { tenant, connection, kind, schema: &schema, row, pk_ids, began_at };
        Ok(Some(register(key, *run, step, writing)))
    }

    /// How a registered write ended.
    pub(super) fn write_end(&self, step: u32, result: &Result<Answer, ActionError>) -> WriteEnd {
        let (done, pk_id) = match result {
            Ok(Answer::Created(row) | Answer::Upserted { row, .. }) => (true, row.pk_id()),
            Ok(Answer::Updated { affected, .. } | Answer::Deleted(affected)) => (*affected > 0, None),
            Ok(_) => (true, None),
            Err(_) => (false, None),
        };
        WriteEnd { step, done, pk_id, at: Time::now(), ended_at: self.caspio.now() }
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
        let Some(table) = action.table() else {
            return Err(CaspioError::misuse("an effect without a table"));
        };
        let schema = self.schema(&context, table).await?;
        let all = |affected: u32, planned: &[i64]| {
            if repeated { u32::try_from(planned.len()).unwrap_or(u32::MAX) } else { affected }
        };
        let answer = match (action, plan) {
            (Action::CreateRecord { row, .. }, Plan::Create) => {
                self.caspio.create(&context, &schema, row).await.map(Answer::Created)
            }
            (Action::UpsertRecord { row, .. }, Plan::Create) => {
                let created = self.caspio.create(&context, &schema, row).await;
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
            _ => Err(CaspioError::misuse("the plan does not fit the action")),
        };
        self.learn(table, answer).await
    }
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
