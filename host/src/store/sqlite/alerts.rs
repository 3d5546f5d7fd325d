//! Alerts: what happened is counted by the schema's triggers, in the commit in which it happens; here it is taken out, told once at
//! a time a group.

use rusqlite::{Connection, Row, params};

use crate::clock::Time;
use crate::model::{AlertId, AlertKind, RunId};
use crate::store::{AlertEnd, AlertRecord, Result};

use super::rows::{all, first, id_opt, parsed, run, time, time_opt};

/// A group of which nothing was heard for so long is forgotten: its next alert is told at once. In microseconds.
const QUIET: i64 = 24 * 3_600_000_000;

pub(super) fn want(c: &Connection, wanted: bool) -> Result<()> {
    run(c, "UPDATE alerting SET wanted = ?1", params![wanted])?;
    if !wanted {
        run(c, "DELETE FROM alerts", [])?;
    }
    Ok(())
}

/// About the host itself.
pub(super) fn add(c: &Connection, kind: AlertKind, cause: &str) -> Result<()> {
    let sql = "INSERT INTO alert_news (kind, tenant, workflow, cause, run) VALUES (?1, '', '', ?2, NULL)";
    run(c, sql, params![kind.as_str(), cause]).map(drop)
}

/// What waits and is due becomes what is being told; answers all of that whose time has come.
pub(super) fn take(c: &Connection, now: Time, limit: u32) -> Result<Vec<AlertRecord>> {
    let sql = "DELETE FROM alerts WHERE count = 0 AND told_id IS NULL AND due_at < ?1";
    run(c, sql, params![now.0.saturating_sub(QUIET)])?;
    let sql = "SELECT rowid FROM alerts WHERE told_id IS NULL AND count > 0 AND due_at <= ?1 ORDER BY due_at LIMIT ?2";
    for which in all(c, sql, params![now.0, limit], |r| r.get::<_, i64>(0))? {
        let sql = "UPDATE alerts SET told_id = ?2, told_count = count, told_first_at = first_at, told_last_at = last_at,
                     told_first_run = first_run, told_last_run = last_run, count = 0 WHERE rowid = ?1";
        run(c, sql, params![which, AlertId::new().as_bytes()])?;
    }
    let sql = format!("{TOLD} WHERE told_id IS NOT NULL AND due_at <= ?1 ORDER BY due_at LIMIT ?2");
    all(c, &sql, params![now.0, limit], read)
}

const TOLD: &str =
    "SELECT told_id, kind, tenant, workflow, cause, told_count, told_first_at, told_last_at, told_first_run,
    told_last_run, done, tries, error, due_at FROM alerts";
const WAITING: &str = "SELECT NULL, kind, tenant, workflow, cause, count, first_at, last_at, first_run, last_run, '', 0, NULL, due_at
    FROM alerts";

fn read(r: &Row<'_>) -> rusqlite::Result<AlertRecord> {
    Ok(AlertRecord {
        id: id_opt(r, 0, AlertId::from_slice)?,
        kind: parsed(r, 1, |t| t.parse().ok())?,
        tenant: r.get(2)?,
        workflow: r.get(3)?,
        cause: r.get(4)?,
        count: r.get::<_, i64>(5)?.unsigned_abs(),
        first_at: time(r, 6)?,
        last_at: time(r, 7)?,
        first_run: id_opt(r, 8, RunId::from_slice)?,
        last_run: id_opt(r, 9, RunId::from_slice)?,
        done: r.get(10)?,
        tries: r.get(11)?,
        error: r.get(12)?,
        due_at: time(r, 13)?,
    })
}

/// What is being told, then what waits; the oldest first.
pub(super) fn list(c: &Connection) -> Result<Vec<AlertRecord>> {
    let mut found = all(c, &format!("{TOLD} WHERE told_id IS NOT NULL ORDER BY told_first_at"), [], read)?;
    found.extend(all(c, &format!("{WAITING} WHERE count > 0 ORDER BY first_at"), [], read)?);
    Ok(found)
}

pub(super) fn next(c: &Connection) -> Result<Option<Time>> {
    let sql = "SELECT MIN(due_at) FROM alerts WHERE told_id IS NOT NULL OR count > 0";
    Ok(first(c, sql, [], |r| time_opt(r, 0))?.flatten())
}

pub(super) fn end(c: &Connection, which: AlertId, end: &AlertEnd) -> Result<()> {
    match end {
        AlertEnd::Told(again_at) => {
            let sql = "UPDATE alerts SET told_id = NULL, done = '', tries = 0, error = NULL, due_at = ?2 WHERE told_id = ?1";
            run(c, sql, params![which.as_bytes(), again_at.0])
        }
        AlertEnd::Failed { done, error, again_at } => {
            let sql = "UPDATE alerts SET done = ?2, tries = tries + 1, error = ?3, due_at = ?4 WHERE told_id = ?1";
            run(c, sql, params![which.as_bytes(), done, error, again_at.0])
        }
    }
    .map(drop)
}
