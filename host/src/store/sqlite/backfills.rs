//! Backfills: rows taken and their runs queued in one transaction.

use rusqlite::{Connection, Row, params};

use crate::clock::Time;
use crate::model::{BackfillId, BackfillState, ConnectionId, TenantId, TriggerKind, WorkflowId};
use crate::store::{BackfillRecord, BackfillStep, Result, StoreError};

use super::messages;
use super::rows::{all, id, insert, parsed, run, time, time_opt};

pub(super) fn add(c: &Connection, x: &BackfillRecord) -> Result<()> {
    let sql =
        "INSERT INTO backfills (id, tenant, workflow, connection, table_name, kind, sealed_criteria, state,
                 reached, last, rows, per_minute, next_at, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    insert(
        c,
        "a backfill of this workflow",
        sql,
        params![
            x.id.as_bytes(),
            x.tenant.as_str(),
            x.workflow.as_bytes(),
            x.connection.as_bytes(),
            x.table,
            x.kind.as_str(),
            x.sealed_criteria,
            x.state.as_str(),
            x.reached,
            x.last,
            i64::try_from(x.rows).unwrap_or(i64::MAX),
            x.per_minute,
            x.next_at.0,
            x.created_at.0
        ],
    )
}

fn read(r: &Row<'_>) -> rusqlite::Result<BackfillRecord> {
    Ok(BackfillRecord {
        id: id(r, 0, BackfillId::from_slice)?,
        tenant: parsed(r, 1, |t| t.parse().ok())?,
        workflow: id(r, 2, WorkflowId::from_slice)?,
        workflow_name: r.get(3)?,
        connection: id(r, 4, ConnectionId::from_slice)?,
        table: r.get(5)?,
        kind: parsed(r, 6, TriggerKind::parse)?,
        sealed_criteria: r.get(7)?,
        state: parsed(r, 8, |t| t.parse().ok())?,
        reached: r.get(9)?,
        last: r.get(10)?,
        rows: r.get::<_, i64>(11)?.unsigned_abs(),
        per_minute: r.get(12)?,
        next_at: time(r, 13)?,
        error: r.get(14)?,
        created_at: time(r, 15)?,
        finished_at: time_opt(r, 16)?,
        failures: r.get(17)?,
    })
}

/// Of a tenant (none: of all), newest first; only those in a state, when it is given.
pub(super) fn list(
    c: &Connection,
    tenant: Option<&TenantId>,
    state: Option<BackfillState>,
) -> Result<Vec<BackfillRecord>> {
    let sql = "SELECT b.id, b.tenant, b.workflow, w.name, b.connection, b.table_name, b.kind, b.sealed_criteria, b.state,
                 b.reached, b.last, b.rows, b.per_minute, b.next_at, b.error, b.created_at, b.finished_at, b.failures
               FROM backfills b JOIN workflows w ON w.id = b.workflow
               WHERE (?1 IS NULL OR b.tenant = ?1) AND (?2 IS NULL OR b.state = ?2) ORDER BY b.id DESC LIMIT 1000";
    all(c, sql, params![tenant.map(TenantId::as_str), state.map(BackfillState::as_str)], read)
}

/// False when it was ended meanwhile: nothing is written then.
pub(super) fn commit(c: &Connection, x: &BackfillStep) -> Result<bool> {
    let sql = "UPDATE backfills SET reached = ?2, rows = rows + ?3, next_at = ?4, error = NULL, failures = 0,
                 state = CASE WHEN ?5 THEN 'done' ELSE state END, finished_at = CASE WHEN ?5 THEN ?6 END
               WHERE id = ?1 AND state = 'running' AND reached <= ?2
                 AND (SELECT w.state <> 'inactive' FROM workflows w WHERE w.id = workflow)";
    let rows = i64::try_from(x.rows).unwrap_or(i64::MAX);
    if run(c, sql, params![x.id.as_bytes(), x.reached, rows, x.next_at.0, x.done, x.at.0])? == 0 {
        return Ok(false);
    }
    if let Some(message) = &x.message {
        messages::ingest(c, message)?;
    }
    Ok(true)
}

pub(super) fn put_off(c: &Connection, which: BackfillId, error: &str, next_at: Time) -> Result<()> {
    let sql = "UPDATE backfills SET error = ?2, next_at = ?3, failures = failures + 1 WHERE id = ?1";
    run(c, sql, params![which.as_bytes(), error, next_at.0]).map(drop)
}

/// Ends the one of a workflow that is under way.
pub(super) fn cancel(c: &Connection, workflow: WorkflowId, at: Time) -> Result<()> {
    let sql = "UPDATE backfills SET state = 'cancelled', finished_at = ?2 WHERE workflow = ?1 AND state = 'running'";
    match run(c, sql, params![workflow.as_bytes(), at.0])? {
        0 => Err(StoreError::Missing("backfill under way")),
        _ => Ok(()),
    }
}
