//! Ticks: the event and the next tick are one commit, so that each tick is there once.

use rusqlite::{Connection, params};

use crate::clock::Time;
use crate::manifest::{Manifest, Schedule};
use crate::model::WorkflowId;
use crate::store::{Result, ScheduleRecord, StoreError, Tick};

use super::messages;
use super::rows::{all, first, id, json, parsed, run, time, time_opt, to_json};

/// The schedules of a workflow are those of its active version, unless it is inactive. Those that are the same keep their
/// next tick.
pub(super) fn set(c: &Connection, workflow: WorkflowId, now: Time) -> Result<()> {
    let key = workflow.as_bytes();
    let sql = "SELECT v.manifest FROM workflows w
               JOIN workflow_versions v ON v.workflow = w.id AND v.number = w.active_version
               WHERE w.id = ?1 AND w.state <> 'inactive' AND w.deleted_at IS NULL";
    let Some(text) = first(c, sql, params![key], |r| r.get::<_, String>(0))? else { return Ok(()) };
    let manifest =
        Manifest::parse(&text).map_err(|_| StoreError::Corrupt("the manifest of a version".to_owned()))?;
    let sql = "SELECT schedule, next_at FROM schedules WHERE workflow = ?1";
    let known: Vec<(Schedule, Time)> = all(c, sql, params![key], |r| Ok((json(r, 0)?, time(r, 1)?)))?;
    forget(c, workflow)?;
    let sql = "INSERT INTO schedules (workflow, position, tenant, schedule, next_at)
               SELECT ?1, ?2, tenant, ?3, ?4 FROM workflows WHERE id = ?1";
    for (position, schedule) in manifest.schedules.iter().enumerate() {
        let before = known.iter().find(|(other, _)| other == schedule).map(|(_, next_at)| *next_at);
        let Some(next_at) = before.or_else(|| schedule.next_after(now)) else { continue };
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        run(c, sql, params![key, position, to_json(schedule)?, next_at.0])?;
    }
    Ok(())
}

pub(super) fn forget(c: &Connection, workflow: WorkflowId) -> Result<()> {
    run(c, "DELETE FROM schedules WHERE workflow = ?1", params![workflow.as_bytes()]).map(drop)
}

/// The earliest first.
pub(super) fn due(c: &Connection, now: Time) -> Result<Vec<ScheduleRecord>> {
    let sql = "SELECT s.tenant, s.workflow, w.name, k.name, s.position, s.schedule, s.next_at
               FROM schedules s JOIN workflows w ON w.id = s.workflow
               JOIN workflow_versions v ON v.workflow = w.id AND v.number = w.active_version
               JOIN connections k ON k.id = v.connection
               WHERE s.next_at <= ?1 ORDER BY s.next_at LIMIT 100";
    all(c, sql, params![now.0], |r| {
        Ok(ScheduleRecord {
            tenant: parsed(r, 0, |t| t.parse().ok())?,
            workflow: id(r, 1, WorkflowId::from_slice)?,
            workflow_name: r.get(2)?,
            connection_name: r.get(3)?,
            position: r.get(4)?,
            schedule: json(r, 5)?,
            next_at: time(r, 6)?,
        })
    })
}

pub(super) fn next(c: &Connection) -> Result<Option<Time>> {
    Ok(first(c, "SELECT MIN(next_at) FROM schedules", [], |r| time_opt(r, 0))?.flatten())
}

/// False when the schedule changed meanwhile: nothing is done then.
pub(super) fn commit(c: &Connection, x: &Tick) -> Result<bool> {
    let key = x.workflow.as_bytes();
    let changed = match x.next_at {
        Some(next_at) => {
            let sql =
                "UPDATE schedules SET next_at = ?4 WHERE workflow = ?1 AND position = ?2 AND next_at = ?3";
            run(c, sql, params![key, x.position, x.was.0, next_at.0])?
        }
        None => {
            let sql = "DELETE FROM schedules WHERE workflow = ?1 AND position = ?2 AND next_at = ?3";
            run(c, sql, params![key, x.position, x.was.0])?
        }
    };
    if changed == 0 {
        return Ok(false);
    }
    if let Some(message) = &x.message {
        messages::ingest(c, message)?;
    }
    Ok(true)
}
