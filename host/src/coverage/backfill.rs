//! A workflow run over rows that were there before it, some a minute.

use std::time::Duration;

use crate::caspio::CallContext;
use crate::clock::{self, Time};
use crate::faults;
use crate::ingress::{Found, Sequence, found_message};
use crate::model::{
    BackfillId, BackfillState, ConnectionId, Criteria, Event, Operator, Query, Row, SortKey, TableSchema,
    TenantId, TriggerKind, Value, WorkflowId,
};
use crate::store::{BackfillRecord, BackfillStep};

use super::page::{ROWS, rows_after};
use super::{Coverage, CoverageError, FAILED, failed_for};

/// Longest pause of a backfill that fails again and again.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What a person asks for.
pub struct NewBackfill {
    /// Owner.
    pub tenant: TenantId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// By which account.
    pub connection: ConnectionId,
    /// What the rows are given as.
    pub kind: TriggerKind,
    /// The table's fields.
    pub schema: TableSchema,
    /// Which rows; none: all.
    pub criteria: Option<Criteria>,
    /// Rows a minute.
    pub per_minute: u32,
}

impl Coverage {
    /// Begins a backfill. Its rows are those that are there now: later ones have webhooks.
    ///
    /// # Errors
    /// When Caspio refuses the criteria or does not answer, or another backfill of the workflow is under way.
    pub async fn begin_backfill(&self, new: NewBackfill) -> Result<BackfillId, CoverageError> {
        let caspio = self.parts.connector.connect(new.connection).await?;
        let context = CallContext::of_host(Some(new.workflow), "backfill");
        let newest = Query {
            select: vec!["PK_ID".to_owned()],
            criteria: new.criteria.clone(),
            order: vec![SortKey { field: "PK_ID".to_owned(), descending: true }],
            limit: Some(1),
        };
        let last = caspio.list(&context, &new.schema, &newest).await?;
        let id = BackfillId::new();
        let key = self.parts.keys.tenant(&new.tenant).await?;
        let plain = serde_json::to_vec(&(&new.criteria, &new.schema)).map_err(|_| CoverageError::Damaged)?;
        let sealed = key.seal("backfills", "criteria", id.as_bytes(), &plain);
        let at = Time::now();
        self.parts
            .store
            .add_backfill(BackfillRecord {
                id,
                tenant: new.tenant,
                workflow: new.workflow,
                workflow_name: String::new(),
                connection: new.connection,
                table: new.schema.table,
                kind: new.kind,
                sealed_criteria: sealed.map_err(crate::accounts::KeyError::from)?,
                state: BackfillState::Running,
                reached: 0,
                last: last.first().and_then(Row::pk_id).unwrap_or(0),
                rows: 0,
                per_minute: new.per_minute,
                next_at: at,
                error: None,
                failures: 0,
                created_at: at,
                finished_at: None,
            })
            .await?;
        self.wake();
        Ok(id)
    }

    /// Takes the next rows of a backfill.
    pub(super) async fn fill(&self, backfill: BackfillRecord) {
        if let Err(error) = self.take(&backfill).await {
            let code = error.code();
            tracing::warn!(workflow = %backfill.workflow_name, code, %error, "a backfill does not go on; trying again");
            let again = Time::now().after(failed_for(backfill.failures).min(LONGEST_PAUSE));
            if let Err(error) = self.parts.store.put_off_backfill(backfill.id, code, again).await {
                tracing::error!(code = error.code(), "the state of a backfill can't be written");
                clock::sleep(FAILED).await;
            }
        }
    }

    async fn take(&self, backfill: &BackfillRecord) -> Result<(), CoverageError> {
        let key = self.parts.keys.tenant(&backfill.tenant).await?;
        let plain = key
            .open("backfills", "criteria", backfill.id.as_bytes(), &backfill.sealed_criteria)
            .map_err(crate::accounts::KeyError::from)?;
        let (criteria, schema): (Option<Criteria>, TableSchema) =
            serde_json::from_slice(&plain).map_err(|_| CoverageError::Damaged)?;
        let caspio = self.parts.connector.connect(backfill.connection).await?;
        let context = CallContext::of_host(Some(backfill.workflow), "backfill").in_background();
        let last = Criteria::Compare {
            field: "PK_ID".to_owned(),
            operator: Operator::LessOrEqual(Value::Integer(backfill.last)),
        };
        let criteria = match criteria {
            Some(criteria) => Criteria::All(vec![last, criteria]),
            None => last,
        };
        let size = backfill.per_minute.clamp(1, ROWS);
        let rows = rows_after(&caspio, &context, &schema, backfill.reached, Some(criteria), size).await?;
        let at = Time::now();
        let found: Vec<Found> = rows
            .iter()
            .map(|row| {
                Found::of(Event {
                    kind: backfill.kind,
                    connection: caspio.name().to_owned(),
                    table: schema.table.clone(),
                    rows: vec![row.clone()],
                    event_date: at.event_date(),
                    message_id: String::new(),
                    reconciled: true,
                })
            })
            .collect();
        let message = match found.is_empty() {
            true => None,
            false => {
                let sequence = Sequence::of_workflow(&*self.parts.store, backfill.workflow).await?;
                Some(found_message(&key, &backfill.tenant, backfill.workflow, &found, &sequence)?)
            }
        };
        let taken = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let reached = rows.last().and_then(Row::pk_id).unwrap_or(backfill.reached);
        let step = BackfillStep {
            id: backfill.id,
            message,
            reached,
            rows: taken,
            done: taken < u64::from(size) || reached >= backfill.last,
            next_at: at.after(Duration::from_secs(60)),
            at,
        };
        faults::pass("backfill.before-commit");
        if self.parts.store.commit_backfill(step).await? {
            faults::pass("backfill.after-commit");
            self.parts.queued.notify_one();
        }
        Ok(())
    }
}
