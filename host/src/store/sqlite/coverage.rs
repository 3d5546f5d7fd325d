//! Sweeps: rows compared with what webhooks told of, in the transaction that queues the events of what is left.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use crate::clock::Time;
use crate::model::{ConnectionId, RowTags, TenantId, TriggerKind, WebhookId, WorkflowId};
use crate::store::{
    Finding, NewEvent, NewMessage, Origin, Result, SweepCommit, SweepPage, SweepProgress, SweepRecord,
    SweepStep,
};

use super::rows::{all, first, id, parsed, run, time, time_opt};
use super::{messages, webhooks};

/// Every table that is to be swept now or later.
pub(super) fn sweeps(c: &Connection) -> Result<Vec<SweepRecord>> {
    let sql = "SELECT DISTINCT h.id, h.tenant, h.workflow, w.name, h.connection, k.name, lower(t.table_name)
               FROM triggers t JOIN webhooks h ON h.id = t.webhook JOIN workflows w ON w.id = h.workflow
               JOIN connections k ON k.id = h.connection
               WHERE t.reconcile IS NOT NULL AND h.stage = 'ready' AND w.state <> 'inactive'
               ORDER BY h.id, lower(t.table_name)";
    let found = all(c, sql, [], |r| {
        let webhook = id(r, 0, WebhookId::from_slice)?;
        Ok((
            webhook,
            SweepRecord {
                tenant: parsed(r, 1, |t| t.parse().ok())?,
                workflow: id(r, 2, WorkflowId::from_slice)?,
                workflow_name: r.get(3)?,
                connection: id(r, 4, ConnectionId::from_slice)?,
                connection_name: r.get(5)?,
                table: r.get(6)?,
                triggers: Vec::new(),
                progress: SweepProgress::default(),
            },
        ))
    })?;
    let mut sweeps = Vec::with_capacity(found.len());
    for (webhook, mut sweep) in found {
        sweep.triggers = webhooks::triggers(c, webhook)?;
        sweep.triggers.retain(|trigger| trigger.table.eq_ignore_ascii_case(&sweep.table));
        if let Some(first) = sweep.triggers.first() {
            sweep.table.clone_from(&first.table);
        }
        sweep.progress = progress(c, sweep.workflow, &sweep.table)?;
        sweeps.push(sweep);
    }
    Ok(sweeps)
}

fn progress(c: &Connection, workflow: WorkflowId, table: &str) -> Result<SweepProgress> {
    let sql = "SELECT rounds, reached, calls, all_calls, next_at, started_at, finished_at, error, id
               FROM sweeps WHERE workflow = ?1 AND table_name = ?2";
    let found = first(c, sql, params![workflow.as_bytes(), table], |r| {
        let progress = SweepProgress {
            rounds: r.get::<_, i64>(0)?.unsigned_abs(),
            reached: r.get(1)?,
            calls: r.get(2)?,
            all_calls: r.get::<_, i64>(3)?.unsigned_abs(),
            next_at: time(r, 4)?,
            started_at: time_opt(r, 5)?,
            finished_at: time_opt(r, 6)?,
            error: r.get(7)?,
            ..SweepProgress::default()
        };
        Ok((progress, r.get::<_, i64>(8)?))
    })?;
    Ok(found.map(|(progress, _)| progress).unwrap_or_default())
}

/// As [`progress`], with the counts that people are shown.
pub(super) fn counted(c: &Connection, workflow: WorkflowId, table: &str) -> Result<SweepProgress> {
    let mut progress = progress(c, workflow, table)?;
    let sql = "SELECT COUNT(*) FROM swept_rows WHERE sweep =
                 (SELECT id FROM sweeps WHERE workflow = ?1 AND table_name = ?2)";
    let known = first(c, sql, params![workflow.as_bytes(), table], |r| r.get::<_, i64>(0))?;
    progress.rows = known.unwrap_or_default().unsigned_abs();
    let sql = "SELECT kind, COUNT(*), SUM(way = 'late') FROM told
               WHERE workflow = ?1 AND table_name = ?2 AND way <> 'webhook' GROUP BY kind ORDER BY kind";
    let found = all(c, sql, params![workflow.as_bytes(), table], |r| {
        let late: i64 = r.get(2)?;
        Ok((parsed(r, 0, TriggerKind::parse)?, r.get::<_, i64>(1)?.unsigned_abs(), late.unsigned_abs()))
    })?;
    progress.late = found.iter().map(|(_, _, late)| late).sum();
    progress.found = found.into_iter().map(|(kind, n, _)| (kind, n)).collect();
    Ok(progress)
}

/// `PK_ID`s of a stretch that the sweep has seen, at most `limit`, smallest first.
pub(super) fn known(
    c: &Connection,
    workflow: WorkflowId,
    table: &str,
    after: i64,
    until: Option<i64>,
    limit: u32,
) -> Result<Vec<i64>> {
    let sql = "SELECT s.pk_id FROM swept_rows s JOIN sweeps w ON w.id = s.sweep
               WHERE w.workflow = ?1 AND w.table_name = ?2 AND s.pk_id > ?3 AND s.pk_id <= ?4
               ORDER BY s.pk_id LIMIT ?5";
    let until = until.unwrap_or(i64::MAX);
    all(c, sql, params![workflow.as_bytes(), table, after, until, limit], |r| r.get(0))
}

fn sweep_id(c: &Connection, tenant: &TenantId, workflow: WorkflowId, table: &str) -> Result<i64> {
    let sql = "INSERT INTO sweeps (tenant, workflow, table_name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    run(c, sql, params![tenant.as_str(), workflow.as_bytes(), table])?;
    let sql = "SELECT id FROM sweeps WHERE workflow = ?1 AND table_name = ?2";
    Ok(first(c, sql, params![workflow.as_bytes(), table], |r| r.get(0))?.unwrap_or_default())
}

/// What is in a page that no webhook told of. Nothing while the first round takes stock.
pub(super) fn findings(c: &Connection, page: &SweepPage) -> Result<Vec<Finding>> {
    if progress(c, page.workflow, &page.table)?.rounds == 0 {
        return Ok(Vec::new());
    }
    let sql = "SELECT s.pk_id, s.tags, s.seen_at FROM swept_rows s JOIN sweeps w ON w.id = s.sweep
               WHERE w.workflow = ?1 AND w.table_name = ?2 AND s.pk_id > ?3 AND s.pk_id <= ?4";
    let until = page.until.unwrap_or(i64::MAX);
    let known = all(c, sql, params![page.workflow.as_bytes(), page.table, page.after, until], |r| {
        Ok((r.get::<_, i64>(0)?, (RowTags::from_bytes(r.get(1)?), time(r, 2)?)))
    })?;
    let mut known: BTreeMap<i64, (RowTags, Time)> = known.into_iter().collect();
    let mut found = Vec::new();
    for (pk_id, now) in &page.rows {
        let told = told(c, page, *pk_id)?;
        let before = match known.remove(pk_id) {
            Some((tags, seen)) => Some((tags, seen)),
            // As its webhook showed it. Webhooks overtake each other: whatever was told of it counts.
            None => told
                .iter()
                .find(|t| t.kind == TriggerKind::RecordInsert)
                .map(|t| (t.tags.clone(), Time::default())),
        };
        match before {
            None if page.wants.inserts => {
                found.push(Finding { kind: TriggerKind::RecordInsert, pk_id: *pk_id, trigger: 0 });
            }
            None => {}
            Some((was, seen)) => {
                let changed = now.differing(&was);
                let is_told = told.iter().any(|t| t.at >= seen && t.tags.agrees(now));
                let wanted = page.wants.updates.iter().enumerate().filter(|(_, fields)| {
                    !changed.is_empty() && (fields.is_empty() || fields.iter().any(|f| changed.contains(f)))
                });
                if !is_told {
                    found.extend(wanted.map(|(trigger, _)| Finding {
                        kind: TriggerKind::RecordUpdate,
                        pk_id: *pk_id,
                        trigger,
                    }));
                }
            }
        }
    }
    if page.wants.deletes {
        let mut gone: BTreeSet<i64> = known.into_keys().collect();
        // Inserted and deleted between two rounds.
        let sql = "SELECT pk_id FROM told WHERE workflow = ?1 AND table_name = ?2 AND kind = 'record-insert'
                   AND pk_id > ?3 AND pk_id <= ?4";
        let there: BTreeSet<i64> = page.rows.iter().map(|(pk_id, _)| *pk_id).collect();
        let inserted = all(c, sql, params![page.workflow.as_bytes(), page.table, page.after, until], |r| {
            r.get::<_, i64>(0)
        })?;
        gone.extend(inserted.iter().filter(|pk_id| !there.contains(pk_id)));
        for pk_id in &gone {
            if !told(c, page, *pk_id)?.iter().any(|t| t.kind == TriggerKind::RecordDelete) {
                found.push(Finding { kind: TriggerKind::RecordDelete, pk_id: *pk_id, trigger: 0 });
            }
        }
    }
    Ok(found)
}

struct Told {
    kind: TriggerKind,
    tags: RowTags,
    at: Time,
}

fn told(c: &Connection, page: &SweepPage, pk_id: i64) -> Result<Vec<Told>> {
    let sql = "SELECT kind, tags, at FROM told WHERE workflow = ?1 AND table_name = ?2 AND pk_id = ?3";
    all(c, sql, params![page.workflow.as_bytes(), page.table, pk_id], |r| {
        Ok(Told {
            kind: parsed(r, 0, TriggerKind::parse)?,
            tags: RowTags::from_bytes(r.get(1)?),
            at: time(r, 2)?,
        })
    })
}

/// Writes a page down, and queues the events of what was found in it, unless a webhook told of some of it meanwhile.
pub(super) fn commit(c: &Connection, x: &SweepStep) -> Result<SweepCommit> {
    let page = &x.page;
    let sql =
        "SELECT 1 FROM triggers t JOIN webhooks h ON h.id = t.webhook JOIN workflows w ON w.id = h.workflow
               WHERE h.workflow = ?1 AND t.table_name = ?2 COLLATE NOCASE AND t.reconcile IS NOT NULL
                 AND h.stage = 'ready' AND w.state <> 'inactive'";
    if first(c, sql, params![page.workflow.as_bytes(), page.table], |_| Ok(()))?.is_none() {
        return Ok(SweepCommit::Gone);
    }
    let left = findings(c, page)?;
    if left != x.findings {
        return Ok(SweepCommit::Changed(left));
    }
    if let Some(message) = &x.message {
        messages::ingest(c, message)?;
    }
    let sweep = sweep_id(c, &page.tenant, page.workflow, &page.table)?;
    let until = page.until.unwrap_or(i64::MAX);
    let sql = "DELETE FROM swept_rows WHERE sweep = ?1 AND pk_id > ?2 AND pk_id <= ?3";
    run(c, sql, params![sweep, page.after, until])?;
    let sql = "INSERT INTO swept_rows (sweep, pk_id, tags, seen_at) VALUES (?1, ?2, ?3, ?4)";
    for (pk_id, tags) in &page.rows {
        run(c, sql, params![sweep, pk_id, tags.as_bytes(), page.at.0])?;
    }
    let ended = page.until.is_none();
    let sql = "UPDATE sweeps SET rounds = rounds + ?2, reached = ?3, calls = CASE WHEN ?2 THEN 0 ELSE calls + ?4 END,
                 all_calls = all_calls + ?4, next_at = ?5, error = NULL,
                 started_at = CASE WHEN reached IS NULL OR started_at IS NULL THEN ?6 ELSE started_at END,
                 finished_at = CASE WHEN ?2 THEN ?6 ELSE finished_at END
               WHERE id = ?1";
    run(c, sql, params![sweep, ended, page.until, x.calls, x.next_at.0, page.at.0])?;
    Ok(SweepCommit::Done)
}

/// The round is put off: its calls are used up (`error` none), or something failed.
pub(super) fn put_off(
    c: &Connection,
    sweep: (&TenantId, WorkflowId, &str),
    error: Option<&str>,
    calls: u32,
    next_at: Time,
) -> Result<()> {
    let (tenant, workflow, table) = sweep;
    let sweep = sweep_id(c, tenant, workflow, table)?;
    let sql = "UPDATE sweeps SET error = ?2, next_at = ?3, all_calls = all_calls + ?4,
                 calls = CASE WHEN ?2 IS NULL THEN 0 ELSE calls + ?4 END WHERE id = ?1";
    run(c, sql, params![sweep, error, next_at.0, calls]).map(drop)
}

/// All sweeps of a workflow are due.
pub(super) fn now(c: &Connection, workflow: WorkflowId, at: Time) -> Result<u64> {
    let mut due = 0;
    for sweep in sweeps(c)?.into_iter().filter(|sweep| sweep.workflow == workflow) {
        let id = sweep_id(c, &sweep.tenant, workflow, &sweep.table)?;
        run(c, "UPDATE sweeps SET next_at = ?2 WHERE id = ?1", params![id, at.0])?;
        due += 1;
    }
    Ok(due)
}

/// What was known of a workflow's tables: while it is inactive, changes are not its own.
pub(super) fn forget(c: &Connection, workflow: WorkflowId) -> Result<()> {
    super::schedules::forget(c, workflow)?;
    let id = workflow.as_bytes();
    let sql = "DELETE FROM swept_rows WHERE sweep IN (SELECT id FROM sweeps WHERE workflow = ?1)";
    run(c, sql, params![id])?;
    run(c, "DELETE FROM sweeps WHERE workflow = ?1", params![id])?;
    run(c, "DELETE FROM told WHERE workflow = ?1", params![id])?;
    let sql = "UPDATE backfills SET state = 'cancelled' WHERE workflow = ?1 AND state = 'running'
               AND (SELECT deleted_at IS NOT NULL FROM workflows WHERE id = ?1)";
    run(c, sql, params![id]).map(drop)
}

/// Entries that are too old for a webhook to come that late.
pub(super) fn purge(c: &Connection, before: Time) -> Result<u64> {
    Ok(run(c, "DELETE FROM told WHERE at < ?1", params![before.0])? as u64)
}

/// Whether an event of a swept table is about what a sweep found already. If not, it is kept as told.
pub(super) fn is_known(c: &Connection, x: &NewMessage, workflow: [u8; 16], event: &NewEvent) -> Result<bool> {
    if event.tags.is_empty() {
        return Ok(false);
    }
    let from_webhook = matches!(x.origin, Origin::Webhook(_));
    if from_webhook {
        let mut late = Vec::with_capacity(event.tags.len());
        for (pk_id, tags) in &event.tags {
            late.extend(found_before(c, workflow, event, *pk_id, tags)?);
        }
        if late.len() == event.tags.len() {
            for told in late {
                run(c, "UPDATE told SET way = 'late' WHERE id = ?1", params![told])?;
            }
            return Ok(true);
        }
    }
    let sql = "INSERT INTO told (tenant, workflow, table_name, pk_id, kind, tags, at, way)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let way = if from_webhook { "webhook" } else { "sweep" };
    for (pk_id, tags) in &event.tags {
        let kind = event.kind.as_str();
        run(
            c,
            sql,
            params![x.tenant.as_str(), workflow, event.table, pk_id, kind, tags.as_bytes(), x.at.0, way],
        )?;
    }
    Ok(false)
}

/// The entry of a sweep that this change is. A row is inserted and deleted once; updates are told apart by tags.
fn found_before(
    c: &Connection,
    workflow: [u8; 16],
    event: &NewEvent,
    pk_id: i64,
    tags: &RowTags,
) -> Result<Option<i64>> {
    let sql = "SELECT id, tags FROM told WHERE workflow = ?1 AND table_name = ?2 AND pk_id = ?3
               AND kind = ?4 AND way = 'sweep' ORDER BY id";
    let found = all(c, sql, params![workflow, event.table, pk_id, event.kind.as_str()], |r| {
        Ok((r.get::<_, i64>(0)?, RowTags::from_bytes(r.get(1)?)))
    })?;
    let same = |found: &RowTags| event.kind != TriggerKind::RecordUpdate || found.agrees(tags);
    Ok(found.into_iter().find(|(_, found)| same(found)).map(|(id, _)| id))
}
