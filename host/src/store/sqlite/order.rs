//! Runs one after another: what a run waits for, and what a workflow is done with.
//!
//! A run with an order key begins when no run of the key before it is unfinished, and none is under way. Otherwise it waits
//! (`queued`, cause `order`, no time at which it is due) until triggers of the schema make it due. Checked when it is stored and again at its claim.

use rusqlite::{Connection, params};

use crate::clock::Time;
use crate::model::{Cause, RunId, WorkflowId};
use crate::store::Result;

use super::rows::{first, run};

/// What the manifest says, as stored.
pub(super) const BLOCK: &str = "block";

/// The place behind all runs of a key that are unfinished.
pub(super) fn next_place(c: &Connection, workflow: [u8; 16], key: &[u8; 32]) -> Result<i64> {
    let sql = "SELECT place FROM runs INDEXED BY runs_in_order
               WHERE workflow = ?1 AND order_key = ?2 AND state NOT IN ('succeeded', 'skipped', 'discarded')
               ORDER BY place DESC LIMIT 1";
    Ok(first(c, sql, params![workflow, key], |r| r.get::<_, i64>(0))?.unwrap_or(0) + 1)
}

/// Whether the run at a place must wait: for an earlier one, or for one that is under way. `which`: none when it is not stored yet.
pub(super) fn waits(
    c: &Connection,
    workflow: [u8; 16],
    (key, place): (&[u8; 32], i64),
    ordered: &str,
    which: Option<RunId>,
) -> Result<bool> {
    let sql = "SELECT 1 FROM runs INDEXED BY runs_in_order
               WHERE workflow = ?1 AND order_key = ?2 AND place < ?3
                 AND state NOT IN ('succeeded', 'skipped', 'discarded') AND (?4 OR state NOT IN ('dead', 'parked'))
               LIMIT 1";
    if first(c, sql, params![workflow, key, place, ordered == BLOCK], |_| Ok(()))?.is_some() {
        return Ok(true);
    }
    // One that came later goes on alone when a person lets an earlier one go on beside it.
    let sql = "SELECT 1 FROM runs INDEXED BY runs_running
               WHERE workflow = ?1 AND state = 'running' AND order_key = ?2 AND id IS NOT ?3 LIMIT 1";
    let which = which.map(|id| *id.as_bytes());
    Ok(first(c, sql, params![workflow, key, which], |_| Ok(()))?.is_some())
}

/// It is its turn when triggers say so.
pub(super) fn put_off(c: &Connection, which: RunId) -> Result<()> {
    let sql = "UPDATE runs SET cause = ?2, next_at = NULL WHERE id = ?1";
    run(c, sql, params![which.as_bytes(), Cause::Order.as_str()]).map(drop)
}

/// Keeps how new the event is that a run is done with, where its version skips older ones.
pub(super) fn note_done(c: &Connection, which: RunId, at: Time) -> Result<()> {
    let sql = "INSERT INTO done (workflow, table_name, pk_id, tenant, event_date, at)
               SELECT r.workflow, e.table_name, e.pk_id, r.tenant, e.event_date, ?2
               FROM runs r JOIN workflow_versions v ON v.workflow = r.workflow AND v.number = r.version
               JOIN events e ON e.id = r.event
               WHERE r.id = ?1 AND v.skips_stale AND e.pk_id IS NOT NULL AND e.event_date <> ''
               ON CONFLICT (workflow, table_name, pk_id) DO UPDATE SET
                 event_date = MAX(event_date, excluded.event_date), at = excluded.at";
    run(c, sql, params![which.as_bytes(), at.0]).map(drop)
}

/// Forgets what was done before.
pub(super) fn drop_done(c: &Connection, before: Time) -> Result<u64> {
    Ok(run(c, "DELETE FROM done WHERE at < ?1", params![before.0])? as u64)
}

/// A workflow that is deleted is done with nothing.
pub(super) fn forget(c: &Connection, workflow: WorkflowId) -> Result<()> {
    run(c, "DELETE FROM done WHERE workflow = ?1", params![workflow.as_bytes()]).map(drop)
}
