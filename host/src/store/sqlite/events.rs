//! Events, listed and shown with the runs that they started.

use rusqlite::{Connection, Row, params};

use crate::model::{EventId, MessageId, RunId, TenantId, TriggerKind, WorkflowId};
use crate::store::{EventFilter, EventRecord, Result};

use super::rows::{all, first, id, parsed, time};

const EVENT: &str = "SELECT e.id, e.message, m.workflow, w.name, m.message_id, m.webhook IS NULL, e.kind,
      e.table_name, e.pk_id, e.event_date, e.sealed_typed, e.created_at, e.reconciled
    FROM events e JOIN messages m ON m.id = e.message JOIN workflows w ON w.id = m.workflow";

fn read(r: &Row<'_>) -> rusqlite::Result<EventRecord> {
    Ok(EventRecord {
        id: id(r, 0, EventId::from_slice)?,
        message: id(r, 1, MessageId::from_slice)?,
        workflow: id(r, 2, WorkflowId::from_slice)?,
        workflow_name: r.get(3)?,
        caspio_message_id: r.get(4)?,
        by_host: r.get(5)?,
        kind: parsed(r, 6, TriggerKind::parse)?,
        table: r.get(7)?,
        pk_id: r.get(8)?,
        event_date: r.get(9)?,
        sealed_typed: r.get(10)?,
        created_at: time(r, 11)?,
        reconciled: r.get(12)?,
    })
}

pub(super) fn list(c: &Connection, tenant: &TenantId, filter: &EventFilter) -> Result<Vec<EventRecord>> {
    let workflow = filter.workflow.map(|w| *w.as_bytes());
    let before = filter.before.map(|b| *b.as_bytes());
    let sql = format!(
        "{EVENT} WHERE e.tenant = ?1 AND (?2 IS NULL OR m.workflow = ?2) AND (?3 IS NULL OR e.id < ?3)
         ORDER BY e.id DESC LIMIT ?4"
    );
    all(c, &sql, params![tenant.as_str(), workflow, before, filter.limit], read)
}

pub(super) fn one(c: &Connection, tenant: &TenantId, which: EventId) -> Result<Option<EventRecord>> {
    let sql = format!("{EVENT} WHERE e.tenant = ?1 AND e.id = ?2");
    first(c, &sql, params![tenant.as_str(), which.as_bytes()], read)
}

pub(super) fn runs(c: &Connection, which: EventId) -> Result<Vec<RunId>> {
    let sql = "SELECT id FROM runs WHERE event = ?1 ORDER BY id";
    all(c, sql, params![which.as_bytes()], |r| id(r, 0, RunId::from_slice))
}
