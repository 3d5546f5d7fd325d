//! Registered writes, and which events they caused.
//!
//! An event that may come from a write has its suspects stored with it, and is settled in the commit in which the last
//! of them is decided: each row takes the latest write that fits and accounts for no other row. Until then its run
//! waits. All in the one writer, so that two events never take the same write.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use crate::clock::Time;
use crate::model::{Cause, RunId, TenantId, TriggerKind};
use crate::store::{NewWrite, OwnWrite, Result, Suspicion, WriteEnd, WriteQuery};

use super::rows::{all, first, id, json, parsed, run, time, time_opt, to_json};

/// Which tables were written when, so that events of others need no look into the file.
#[derive(Debug)]
pub(super) struct Recent(Mutex<HashMap<(TenantId, String), Time>>);

impl Recent {
    /// As the file says, before anything else is written.
    pub(super) fn read(c: &Connection) -> Result<Self> {
        let sql = "SELECT tenant, LOWER(table_name), MAX(at) FROM writes GROUP BY 1, 2";
        let known = all(c, sql, [], |r| {
            Ok(((parsed(r, 0, |t| t.parse().ok())?, r.get(1)?), time(r, 2)?.after(LONGEST_EFFECT)))
        })?;
        Ok(Self(Mutex::new(known.into_iter().collect())))
    }

    /// Before the write is committed. A write ends a while after this: that is counted in.
    pub(super) fn note(&self, x: &NewWrite) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert((x.tenant.clone(), x.table.to_ascii_lowercase()), x.at.after(LONGEST_EFFECT));
    }

    pub(super) fn may_hold(&self, x: &WriteQuery) -> bool {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.get(&(x.tenant.clone(), x.table.to_ascii_lowercase())).is_some_and(|at| *at >= x.since)
    }
}

pub(super) fn register(c: &Connection, which: RunId, x: &NewWrite) -> Result<()> {
    // Sent once more after a crash: it is still the same write.
    let sql = "INSERT INTO writes
                 (run, step, tenant, connection, kind, table_name, fields, pk_known, at, began_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING";
    let key = which.as_bytes();
    run(
        c,
        sql,
        params![
            key,
            x.step,
            x.tenant.as_str(),
            x.connection.as_bytes(),
            x.kind.as_str(),
            x.table,
            to_json(&x.fields)?,
            x.kind != TriggerKind::RecordInsert,
            x.at.0,
            x.began_at.0
        ],
    )?;
    let sql = "INSERT INTO written (pk_id, run, step) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    for pk_id in &x.pk_ids {
        run(c, sql, params![pk_id, key, x.step])?;
    }
    Ok(())
}

/// A write is decided. True when runs that waited for it are due now.
pub(super) fn end(c: &Connection, which: RunId, x: &WriteEnd) -> Result<bool> {
    let key = which.as_bytes();
    if !x.done {
        return forget(c, which, x.step, x.step, x.at);
    }
    let sql = "UPDATE writes SET decided = 1, at = ?3, ended_at = ?4, pk_known = pk_known OR ?5,
                 fields = json_patch(fields, ?6)
               WHERE run = ?1 AND step = ?2";
    run(c, sql, params![key, x.step, x.at.0, x.ended_at.0, x.pk_id.is_some(), to_json(&x.fields)?])?;
    let sql = "INSERT INTO written (pk_id, run, step)
               SELECT ?3, run, step FROM writes WHERE run = ?1 AND step = ?2 AND kind = 'record-insert'
               ON CONFLICT DO NOTHING";
    if let Some(pk_id) = x.pk_id {
        run(c, sql, params![key, x.step, pk_id])?;
    }
    settle_all(c, which, x.step, x.step, x.at)
}

/// Steps of these numbers did not happen.
pub(super) fn forget(c: &Connection, which: RunId, from: u32, to: u32, now: Time) -> Result<bool> {
    for table in ["writes", "written", "attributed"] {
        let sql = format!("DELETE FROM {table} WHERE run = ?1 AND step BETWEEN ?2 AND ?3");
        run(c, &sql, params![which.as_bytes(), from, to])?;
    }
    settle_all(c, which, from, to, now)
}

fn settle_all(c: &Connection, which: RunId, from: u32, to: u32, now: Time) -> Result<bool> {
    let sql = "SELECT DISTINCT event FROM suspects WHERE run = ?1 AND step BETWEEN ?2 AND ?3";
    let events: Vec<[u8; 16]> = all(c, sql, params![which.as_bytes(), from, to], |r| r.get(0))?;
    let mut due = false;
    for event in events {
        due |= settle(c, event, now, false)?;
    }
    Ok(due)
}

/// Writes of this kind, table and account that may have caused a row, the latest first.
pub(super) fn own_writes(c: &Connection, x: &WriteQuery) -> Result<Vec<Vec<OwnWrite>>> {
    const OF: &str = "SELECT w.run, w.step, w.fields, w.at, w.began_at, w.ended_at FROM writes w";
    const WHERE: &str = "w.tenant = ?1 AND w.kind = ?2 AND w.table_name = ?3 AND w.at >= ?4
        AND w.connection IN (SELECT id FROM connections WHERE tenant = ?1
          AND base_url = (SELECT base_url FROM connections WHERE id = ?5))";
    let read = |r: &Row<'_>, of_record: bool| {
        Ok(OwnWrite {
            run: id(r, 0, RunId::from_slice)?,
            step: r.get(1)?,
            fields: json(r, 2)?,
            of_record,
            at: time(r, 3)?,
            began_at: time(r, 4)?,
            ended_at: time_opt(r, 5)?,
        })
    };
    let (tenant, kind, connection) = (x.tenant.as_str(), x.kind.as_str(), x.connection.as_bytes());
    let sql = format!("{OF} WHERE w.pk_known = 0 AND {WHERE} ORDER BY w.began_at DESC");
    let unknown = match x.kind {
        TriggerKind::RecordInsert => {
            all(c, &sql, params![tenant, kind, x.table, x.since.0, connection], |r| read(r, false))?
        }
        _ => Vec::new(),
    };
    let sql = format!(
        "{OF} JOIN written p ON p.run = w.run AND p.step = w.step
         WHERE p.pk_id = ?6 AND {WHERE} ORDER BY w.began_at DESC"
    );
    let mut found = Vec::with_capacity(x.pk_ids.len());
    for pk_id in &x.pk_ids {
        let mut of_row = match pk_id {
            Some(pk_id) => {
                let asked = params![tenant, kind, x.table, x.since.0, connection, pk_id];
                all(c, &sql, asked, |r| read(r, true))?
            }
            None => Vec::new(),
        };
        of_row.extend(unknown.iter().cloned());
        found.push(of_row);
    }
    Ok(found)
}

/// Keeps the suspects of a new event and settles it when none of them is undecided. True when its run waits.
pub(super) fn suspect(c: &Connection, event: [u8; 16], x: &Suspicion, now: Time) -> Result<bool> {
    run(c, "UPDATE events SET all_own = ?2 WHERE id = ?1", params![event, x.all_rows])?;
    let sql = "INSERT INTO suspects (event, row, part, pk_id, run, step, webhook, position)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    let webhook = x.webhook.as_bytes();
    for row in &x.rows {
        let pk_id = row.pk_id.unwrap_or_default();
        for (part, writes) in (0_u32..).zip(&row.parts) {
            for (which, step) in writes {
                let which = which.as_bytes();
                run(c, sql, params![event, row.row, part, pk_id, which, step, webhook, x.position])?;
            }
        }
    }
    if settle(c, event, now, false)? {
        return Ok(false);
    }
    let sql = "UPDATE runs SET cause = ?2, next_at = ?3 WHERE event = ?1 AND state = 'queued'";
    run(c, sql, params![event, Cause::OwnWrite.as_str(), x.wait_until.0])?;
    Ok(true)
}

/// An update of many records is sent in parts, each with its own wait; longer than this none takes.
const LONGEST_EFFECT: Duration = Duration::from_secs(3600);

struct Suspect {
    row: u32,
    part: u32,
    pk_id: i64,
    run: RunId,
    step: u32,
    webhook: [u8; 16],
    position: u32,
    /// None: it did not happen.
    decided: Option<bool>,
    /// It accounts for another row already.
    taken: bool,
    /// It created another record.
    other: bool,
}

fn suspects(c: &Connection, event: [u8; 16]) -> Result<Vec<Suspect>> {
    let sql = "SELECT s.row, s.part, s.pk_id, s.run, s.step, s.webhook, s.position, w.decided,
          EXISTS (SELECT 1 FROM attributed a WHERE a.run = s.run AND a.step = s.step
            AND (a.pk_id = s.pk_id OR w.kind = 'record-insert') AND a.webhook = s.webhook AND a.position = s.position AND a.event <> s.event),
          COALESCE(w.pk_known, 0) AND NOT EXISTS
            (SELECT 1 FROM written p WHERE p.pk_id = s.pk_id AND p.run = s.run AND p.step = s.step)
        FROM suspects s LEFT JOIN writes w ON w.run = s.run AND w.step = s.step
        WHERE s.event = ?1 ORDER BY s.row, s.part, w.began_at DESC, s.step DESC";
    all(c, sql, params![event], |r| {
        Ok(Suspect {
            row: r.get(0)?,
            part: r.get(1)?,
            pk_id: r.get(2)?,
            run: id(r, 3, RunId::from_slice)?,
            step: r.get(4)?,
            webhook: r.get(5)?,
            position: r.get(6)?,
            decided: r.get(7)?,
            taken: r.get(8)?,
            other: r.get(9)?,
        })
    })
}

/// The write that a part of a row comes from: one that is decided, if there is one.
fn fitting(of_part: &[Suspect]) -> Option<&Suspect> {
    let mut fit = of_part.iter().filter(|s| s.decided.is_some() && !s.taken && !s.other);
    fit.clone().find(|s| s.decided == Some(true)).or_else(|| fit.next())
}

/// Finds the writes that each row comes from, unless one is still undecided; `expired`: then too. True when the event
/// is settled: its run is due.
pub(super) fn settle(c: &Connection, event: [u8; 16], now: Time, expired: bool) -> Result<bool> {
    let suspects = suspects(c, event)?;
    let mut chosen: Vec<&Suspect> = Vec::new();
    let (mut waits, mut sure) = (false, true);
    for of_row in suspects.chunk_by(|a, b| a.row == b.row) {
        let of_parts: Option<Vec<&Suspect>> = of_row.chunk_by(|a, b| a.part == b.part).map(fitting).collect();
        let Some(found) = of_parts else {
            sure = false;
            continue;
        };
        if found.iter().any(|s| s.decided == Some(false)) {
            waits = true;
            sure = false;
        } else {
            // From now on they account for no other row, also while this event still waits.
            for write in &found {
                take(c, event, write)?;
            }
        }
        chosen.extend(found);
    }
    if waits && !expired {
        return Ok(false);
    }
    for found in &chosen {
        take(c, event, found)?;
    }
    run(c, "DELETE FROM suspects WHERE event = ?1", params![event])?;
    let all_own = "UPDATE events SET all_own = all_own AND ?2 WHERE id = ?1";
    run(c, all_own, params![event, sure && !chosen.is_empty()])?;
    let sql =
        "UPDATE runs SET cause = NULL, next_at = ?2 WHERE event = ?1 AND state = 'queued' AND cause = ?3";
    run(c, sql, params![event, now.0, Cause::OwnWrite.as_str()])?;
    let chosen: Vec<(RunId, u32)> = chosen.iter().map(|s| (s.run, s.step)).collect();
    link(c, event, chosen)?;
    Ok(true)
}

fn take(c: &Connection, event: [u8; 16], x: &Suspect) -> Result<()> {
    let sql = "INSERT INTO attributed (run, step, pk_id, webhook, position, event)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    run(c, sql, params![x.run.as_bytes(), x.step, x.pk_id, x.webhook, x.position, event]).map(drop)
}

/// Puts the event's run into the chain of the runs that caused it: behind the deepest of them.
fn link(c: &Connection, event: [u8; 16], mut causes: Vec<(RunId, u32)>) -> Result<()> {
    causes.sort_unstable_by_key(|(which, step)| (*which.as_bytes(), *step));
    causes.dedup_by_key(|(which, _)| *which);
    let mut deepest: Option<((RunId, u32), u32)> = None;
    let mut self_depth = 0;
    for cause in causes {
        let sql = "SELECT depth FROM runs WHERE id = ?1";
        let depth: u32 = first(c, sql, params![cause.0.as_bytes()], |r| r.get(0))?.unwrap_or_default();
        if deepest.is_none_or(|(_, other)| depth > other) {
            deepest = Some((cause, depth));
        }
        let sql = "WITH RECURSIVE chain (id, cut) AS (
              SELECT ?1, 0
              UNION ALL
              SELECT e.caused_by, chain.cut + 1 FROM chain
              JOIN runs r ON r.id = chain.id JOIN events e ON e.id = r.event
              WHERE e.caused_by IS NOT NULL AND chain.cut < 1000)
            SELECT COUNT(*) FROM chain JOIN runs r ON r.id = chain.id
            WHERE r.workflow = (SELECT workflow FROM runs WHERE event = ?2 LIMIT 1)";
        let earlier: u32 =
            first(c, sql, params![cause.0.as_bytes(), event], |r| r.get(0))?.unwrap_or_default();
        self_depth = self_depth.max(earlier);
    }
    let Some(((which, step), depth)) = deepest else { return Ok(()) };
    let sql = "UPDATE events SET caused_by = ?2, caused_step = ?3 WHERE id = ?1";
    run(c, sql, params![event, which.as_bytes(), step])?;
    let sql = "UPDATE runs SET depth = ?2, self_depth = ?3 WHERE event = ?1";
    run(c, sql, params![event, depth.saturating_add(1), self_depth]).map(drop)
}

/// Drops what is older and what no sweep of its table may find any more.
pub(super) fn drop_old(c: &Connection, before: Time, now: Time) -> Result<u64> {
    let tables =
        all(c, "SELECT DISTINCT tenant, table_name FROM writes WHERE at < ?1", params![before.0], |r| {
            Ok((parsed(r, 0, |t| t.parse().ok())?, r.get::<_, String>(1)?))
        })?;
    let mut dropped = 0;
    for (tenant, table) in tables {
        let before =
            super::coverage::needed_since(c, &tenant, &table, now)?.map_or(before, |at| at.min(before));
        const OLD: &str = "tenant = ?1 AND table_name = ?2 AND at < ?3";
        let old = params![tenant.as_str(), table, before.0];
        for of_writes in ["written", "attributed", "suspects"] {
            let sql = format!(
                "DELETE FROM {of_writes} WHERE (run, step) IN (SELECT run, step FROM writes WHERE {OLD})"
            );
            run(c, &sql, old)?;
        }
        dropped += run(c, &format!("DELETE FROM writes WHERE {OLD}"), old)?;
    }
    Ok(dropped as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    /// A write of the table `Tasks`, so many days ago.
    fn add(c: &Connection, days: i64) {
        let sql = "INSERT INTO writes (run, step, tenant, connection, kind, table_name, fields, pk_known, at, began_at)
                   VALUES (?1, 1, 'default', x'00', 'record-update', 'Tasks', '{}', 1, ?2, ?2)";
        let key = RunId::new();
        run(c, sql, params![key.as_bytes(), (1000 - days) * DAY]).unwrap();
        run(c, "INSERT INTO written (pk_id, run, step) VALUES (7, ?1, 1)", params![key.as_bytes()]).unwrap();
    }

    fn left(c: &Connection) -> (i64, i64) {
        let sql = "SELECT (SELECT COUNT(*) FROM writes), (SELECT COUNT(*) FROM written)";
        first(c, sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().unwrap()
    }

    #[test]
    fn a_write_to_a_swept_table_is_kept_until_two_rounds_have_looked_for_it() {
        let c = Connection::open_in_memory().unwrap();
        c.execute_batch(include_str!("schema.sql")).unwrap();
        c.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        let (now, before) = (Time(1000 * DAY), Time(1000 * DAY - 1));
        for days in [1, 3, 5, 100] {
            add(&c, days);
        }
        let sql = "INSERT INTO workflows (id, tenant, name, state, active_version, created_at)
                   VALUES (x'01', 'default', 'w', 'active', 1, 0);
                   INSERT INTO webhooks (id, tenant, workflow, connection, name, url_hash, sealed_url_id, stage, created_at)
                   VALUES (x'02', 'default', x'01', x'00', 'w', x'', x'', 'ready', 0);
                   INSERT INTO triggers (webhook, position, tenant, kind, table_name, fields, sources, batch, schema, reconcile)
                   VALUES (x'02', 0, 'default', 'record-update', 'tasks', '[]', '[]', 0, '',
                     '{\"every_seconds\":86400,\"max_calls\":1}')";
        c.execute_batch(sql).unwrap();
        // No round was finished yet: nothing is dropped but what nobody waits for any more.
        assert_eq!(drop_old(&c, before, now).unwrap(), 1);
        assert_eq!(left(&c), (3, 3));
        let sql = "INSERT INTO sweeps (tenant, workflow, table_name, seen_from) VALUES ('default', x'01', 'Tasks', ?1)";
        run(&c, sql, params![996 * DAY]).unwrap();
        assert_eq!(drop_old(&c, before, now).unwrap(), 1, "a round that began after it is finished");
        run(&c, "UPDATE sweeps SET seen_from = ?1", params![now.0]).unwrap();
        assert_eq!(drop_old(&c, before, now).unwrap(), 1, "not the one of yesterday");
        assert_eq!(left(&c), (1, 1));
        run(&c, "UPDATE workflows SET state = 'inactive'", []).unwrap();
        assert_eq!(drop_old(&c, before, now).unwrap(), 1, "nobody sweeps");
        assert_eq!(left(&c), (0, 0));
    }
}
