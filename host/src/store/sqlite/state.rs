//! What workflows keep from run to run. A change is decided here and committed with the step that makes it.

use rusqlite::{Connection, Row, params};

use crate::model::{RunId, WorkflowId};
use crate::store::{Expected, JournalWrite, Result, StateChange, StateOutcome, StateRecord, StateUse};

use super::journal;
use super::rows::{all, first, run, time};
use super::runs::check_lease;

pub(super) fn change(
    c: &Connection,
    which: RunId,
    owner: &str,
    write: &JournalWrite,
    change: &StateChange,
) -> Result<StateOutcome> {
    // Of a workflow that was deleted meanwhile nothing may be left.
    check_lease(c, which, owner)?;
    match apply(c, change)? {
        StateOutcome::Done { .. } => Ok(StateOutcome::Done { due: journal::record(c, which, owner, write)? }),
        refused => Ok(refused),
    }
}

fn apply(c: &Connection, x: &StateChange) -> Result<StateOutcome> {
    let sql = "SELECT version, size FROM state WHERE workflow = ?1 AND key_hash = ?2";
    let key = params![x.workflow.as_bytes(), x.hash];
    let old: Option<(u64, i64)> =
        first(c, sql, key, |r| Ok((r.get::<_, i64>(0)?.unsigned_abs(), r.get(1)?)))?;
    let is_so = match x.expected {
        Expected::Anything => true,
        Expected::Nothing => old.is_none(),
        Expected::Version(version) => old.is_some_and(|(is, _)| is == version),
    };
    if !is_so {
        return Ok(StateOutcome::Conflict);
    }
    let Some(entry) = &x.entry else {
        return Ok(match forget(c, x.workflow, Some(x.hash))? {
            0 => StateOutcome::Missing,
            _ => StateOutcome::Done { due: false },
        });
    };
    let is = used(c, x.workflow)?;
    let (more_keys, more_bytes) =
        (i64::from(old.is_none()), whole(entry.size).saturating_sub(old.map_or(0, |(_, size)| size)));
    // What keeps no more than before is always taken, also when the limit was lowered.
    if (more_keys > 0 && is.keys >= x.most.keys)
        || (more_bytes > 0 && whole(is.bytes).saturating_add(more_bytes) > whole(x.most.bytes))
    {
        return Ok(StateOutcome::Full(is));
    }
    let sql = "INSERT OR REPLACE INTO state
                 (workflow, key_hash, tenant, version, size, changed_at, sealed_key, sealed_value)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    run(
        c,
        sql,
        params![
            x.workflow.as_bytes(),
            x.hash,
            x.tenant.as_str(),
            whole(entry.version),
            whole(entry.size),
            entry.changed_at.0,
            entry.sealed_key,
            entry.sealed_value
        ],
    )?;
    let sql = "INSERT INTO state_use (workflow, tenant, keys, bytes) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET keys = keys + excluded.keys, bytes = bytes + excluded.bytes";
    run(c, sql, params![x.workflow.as_bytes(), x.tenant.as_str(), more_keys, more_bytes])?;
    Ok(StateOutcome::Done { due: false })
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read(r: &Row<'_>) -> rusqlite::Result<StateRecord> {
    Ok(StateRecord {
        hash: r.get(0)?,
        version: r.get::<_, i64>(1)?.unsigned_abs(),
        size: r.get::<_, i64>(2)?.unsigned_abs(),
        changed_at: time(r, 3)?,
        sealed_key: r.get(4)?,
        sealed_value: r.get(5)?,
    })
}

pub(super) fn entry(c: &Connection, workflow: WorkflowId, hash: [u8; 32]) -> Result<Option<StateRecord>> {
    let sql = "SELECT key_hash, version, size, changed_at, sealed_key, sealed_value FROM state
               WHERE workflow = ?1 AND key_hash = ?2";
    first(c, sql, params![workflow.as_bytes(), hash], read)
}

pub(super) fn keys(c: &Connection, workflow: WorkflowId) -> Result<Vec<StateRecord>> {
    let sql = "SELECT key_hash, version, size, changed_at, sealed_key, x'' FROM state WHERE workflow = ?1";
    all(c, sql, params![workflow.as_bytes()], read)
}

pub(super) fn used(c: &Connection, workflow: WorkflowId) -> Result<StateUse> {
    let sql = "SELECT keys, bytes FROM state_use WHERE workflow = ?1";
    let found = first(c, sql, params![workflow.as_bytes()], |r| {
        Ok(StateUse { keys: r.get::<_, i64>(0)?.unsigned_abs(), bytes: r.get::<_, i64>(1)?.unsigned_abs() })
    })?;
    Ok(found.unwrap_or_default())
}

/// Deletes one key, or all; how many there were.
pub(super) fn forget(c: &Connection, workflow: WorkflowId, hash: Option<[u8; 32]>) -> Result<u64> {
    let (from, to) = hash.map_or(([0; 32], [u8::MAX; 32]), |hash| (hash, hash));
    let sql = "UPDATE state_use SET
                 (keys, bytes) = (SELECT keys - COUNT(*), bytes - COALESCE(SUM(size), 0) FROM state
                                  WHERE workflow = ?1 AND key_hash BETWEEN ?2 AND ?3)
               WHERE workflow = ?1";
    run(c, sql, params![workflow.as_bytes(), from, to])?;
    let sql = "DELETE FROM state WHERE workflow = ?1 AND key_hash BETWEEN ?2 AND ?3";
    Ok(run(c, sql, params![workflow.as_bytes(), from, to])? as u64)
}
