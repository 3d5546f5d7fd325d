//! Sweeps: rows compared with what webhooks told of, in the transaction that queues the events of what is left.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::clock::Time;
use crate::model::{ConnectionId, NameTag, RowTags, TenantId, TriggerKind, WebhookId, WorkflowId};
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
                webhook,
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
    let sql =
        "SELECT rounds, reached, calls, all_calls, next_at, started_at, finished_at, error, id, failures
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
            failures: r.get(9)?,
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

/// Rows of a page that the round before knew, or whose insert was told before the page was read, and that are not in it.
pub(super) fn missing(c: &Connection, page: &SweepPage) -> Result<Vec<i64>> {
    let until = page.until.unwrap_or(i64::MAX);
    let there: BTreeSet<i64> = page.rows.iter().map(|(pk_id, _)| *pk_id).collect();
    let sql = "SELECT s.pk_id FROM swept_rows s JOIN sweeps w ON w.id = s.sweep
               WHERE w.workflow = ?1 AND w.table_name = ?2 AND s.pk_id > ?3 AND s.pk_id <= ?4
               UNION
               SELECT pk_id FROM told WHERE workflow = ?1 AND table_name = ?2 AND kind = 'record-insert'
                 AND pk_id > ?3 AND pk_id <= ?4 AND at < ?5
               ORDER BY 1";
    let key = page.workflow.as_bytes();
    let known = all(c, sql, params![key, page.table, page.after, until, page.at.0], |r| r.get::<_, i64>(0))?;
    let mut missing = Vec::new();
    for pk_id in known.into_iter().filter(|pk_id| !there.contains(pk_id)) {
        if !told(c, page, pk_id)?.iter().any(|t| t.kind == TriggerKind::RecordDelete) {
            missing.push(pk_id);
        }
    }
    Ok(missing)
}

/// What is in a page that no webhook told of. Nothing while the first round takes stock.
///
/// The latest known state of a row is what it was swept with or what was told of it, by Caspio's clock; webhooks
/// overtake each other. Rows of which something was told since the page was read are left to the next round.
pub(super) fn findings(c: &Connection, page: &SweepPage) -> Result<Vec<Finding>> {
    if progress(c, page.workflow, &page.table)?.rounds == 0 {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (pk_id, now) in &page.rows {
        let told = told(c, page, *pk_id)?;
        if told.iter().any(|t| t.at > page.at) {
            continue;
        }
        let swept = swept(c, page, *pk_id)?;
        if swept.is_none() && !told.iter().any(|t| t.kind == TriggerKind::RecordInsert) {
            found.extend(page.wants.inserts.then(|| finding(TriggerKind::RecordInsert, *pk_id)));
            continue;
        }
        let Change { fields, since, told } = changed(now, swept, &told);
        for (trigger, wanted) in page.wants.updates.iter().enumerate() {
            let is_wanted = |field: &&NameTag| wanted.is_empty() || wanted.contains(field);
            let changed: Vec<NameTag> = fields.iter().filter(is_wanted).copied().collect();
            if !changed.is_empty() {
                let told = told.clone();
                let finding = finding(TriggerKind::RecordUpdate, *pk_id);
                found.push(Finding { trigger, changed, since, told, ..finding });
            }
        }
    }
    if page.wants.deletes {
        for pk_id in &page.gone {
            let told = told(c, page, *pk_id)?;
            if !told.iter().any(|t| t.at > page.at || t.kind == TriggerKind::RecordDelete) {
                found.push(finding(TriggerKind::RecordDelete, *pk_id));
            }
        }
    }
    found.retain(|finding| !page.unheard.contains(finding));
    Ok(found)
}

fn finding(kind: TriggerKind, pk_id: i64) -> Finding {
    Finding { kind, pk_id, trigger: 0, changed: Vec::new(), since: Time::default(), told: String::new() }
}

/// How a row differs from its latest known state.
#[derive(Default)]
struct Change {
    fields: Vec<NameTag>,
    since: Time,
    told: String,
}

fn changed(now: &RowTags, swept: Option<Swept>, told: &[Told]) -> Change {
    let told = told.iter().filter(|t| t.kind != TriggerKind::RecordDelete);
    let latest = told.clone().map(|t| t.event_date.as_str()).max().unwrap_or_default();
    match swept {
        Some(swept) if *swept.date > *latest => swept.change(now),
        swept => {
            // Of what happened within one second the order is not known.
            let of_latest: Vec<&Told> = told.filter(|t| t.event_date == latest).collect();
            if of_latest.iter().any(|t| t.tags.agrees(now)) {
                return Change::default();
            }
            match (of_latest.last(), swept) {
                // The same read: when it was, is known by this machine's clock.
                (Some(told), Some(swept)) if told.by_sweep && swept.date == told.event_date => {
                    Change { fields: now.differing(&told.tags), ..swept.change(now) }
                }
                (Some(told), _) => Change {
                    fields: now.differing(&told.tags),
                    since: told.at,
                    told: told.event_date.clone(),
                },
                (None, Some(swept)) => swept.change(now),
                (None, None) => Change::default(),
            }
        }
    }
}

struct Swept {
    tags: RowTags,
    seen_at: Time,
    date: String,
}

impl Swept {
    fn change(&self, now: &RowTags) -> Change {
        Change { fields: now.differing(&self.tags), since: self.seen_at, told: String::new() }
    }
}

fn swept(c: &Connection, page: &SweepPage, pk_id: i64) -> Result<Option<Swept>> {
    let sql = "SELECT s.tags, s.seen_at, s.date FROM swept_rows s JOIN sweeps w ON w.id = s.sweep
               WHERE w.workflow = ?1 AND w.table_name = ?2 AND s.pk_id = ?3";
    first(c, sql, params![page.workflow.as_bytes(), page.table, pk_id], |r| {
        Ok(Swept { tags: RowTags::from_bytes(r.get(0)?), seen_at: time(r, 1)?, date: r.get(2)? })
    })
}

struct Told {
    kind: TriggerKind,
    tags: RowTags,
    at: Time,
    event_date: String,
    by_sweep: bool,
}

/// In the order in which it came.
fn told(c: &Connection, page: &SweepPage, pk_id: i64) -> Result<Vec<Told>> {
    let sql = "SELECT kind, tags, at, event_date, way <> 'webhook' FROM told
               WHERE workflow = ?1 AND table_name = ?2 AND pk_id = ?3 ORDER BY id";
    all(c, sql, params![page.workflow.as_bytes(), page.table, pk_id], |r| {
        Ok(Told {
            kind: parsed(r, 0, TriggerKind::parse)?,
            tags: RowTags::from_bytes(r.get(1)?),
            at: time(r, 2)?,
            event_date: r.get(3)?,
            by_sweep: r.get(4)?,
        })
    })
}

/// How long it is kept at most what runs wrote to a table whose sweeps do not come to an end.
const LONGEST: Duration = Duration::from_secs(90 * 86_400);

/// Since when writes of runs to this table may still be found by a sweep; none when the table is not swept. A round
/// leaves out rows that change meanwhile, so what was written is looked for in two.
pub(super) fn needed_since(
    c: &Connection,
    tenant: &TenantId,
    table: &str,
    now: Time,
) -> Result<Option<Time>> {
    let sql = "SELECT s.seen_from, json_extract(t.reconcile, '$.every_seconds')
               FROM triggers t JOIN webhooks h ON h.id = t.webhook JOIN workflows w ON w.id = h.workflow
               LEFT JOIN sweeps s ON s.workflow = h.workflow AND s.table_name = t.table_name
               WHERE t.reconcile IS NOT NULL AND h.tenant = ?1 AND t.table_name = ?2 COLLATE NOCASE
                 AND h.stage = 'ready' AND w.state <> 'inactive'";
    let of_sweeps = all(c, sql, params![tenant.as_str(), table], |r| {
        Ok((time_opt(r, 0)?.unwrap_or_default(), r.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    let ago =
        |time: Duration| Time(now.0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)));
    let since = |(seen, every)| ago(Duration::from_secs(every).saturating_mul(2)).min(seen).max(ago(LONGEST));
    Ok(of_sweeps.into_iter().map(since).min())
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
    let key = page.workflow.as_bytes();
    // What was told since it was read is newer than what was read.
    let sql = "SELECT DISTINCT pk_id FROM told WHERE workflow = ?1 AND table_name = ?2 AND at > ?3
                 AND way <> 'sweep'";
    let newer = all(c, sql, params![key, page.table, page.at.0], |r| r.get::<_, i64>(0))?;
    let newer: BTreeSet<i64> = newer.into_iter().collect();
    let sql =
        "INSERT OR REPLACE INTO swept_rows (sweep, pk_id, tags, seen_at, date) VALUES (?1, ?2, ?3, ?4, ?5)";
    for (pk_id, tags) in page.rows.iter().filter(|(pk_id, _)| !newer.contains(pk_id)) {
        run(c, sql, params![sweep, pk_id, tags.as_bytes(), page.at.0, page.date])?;
    }
    for pk_id in page.gone.iter().filter(|pk_id| !newer.contains(pk_id)) {
        run(c, "DELETE FROM swept_rows WHERE sweep = ?1 AND pk_id = ?2", params![sweep, pk_id])?;
    }
    let ended = page.until.is_none();
    let sql = "UPDATE sweeps SET rounds = rounds + ?2, reached = ?3, calls = CASE WHEN ?2 THEN 0 ELSE calls + ?4 END,
                 all_calls = all_calls + ?4, next_at = ?5, error = NULL, failures = 0,
                 started_at = CASE WHEN reached IS NULL OR started_at IS NULL THEN ?6 ELSE started_at END,
                 finished_at = CASE WHEN ?2 THEN ?6 ELSE finished_at END,
                 seen_from = CASE WHEN NOT ?2 THEN seen_from WHEN reached IS NULL OR started_at IS NULL THEN ?6
                   ELSE started_at END
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
                 calls = CASE WHEN ?2 IS NULL THEN 0 ELSE calls + ?4 END,
                 failures = CASE WHEN ?2 IS NULL THEN 0 ELSE failures + 1 END WHERE id = ?1";
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
    let sql = "UPDATE backfills SET state = 'cancelled' WHERE workflow = ?1 AND state = 'running'";
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
    let sql = "INSERT INTO told (tenant, workflow, table_name, pk_id, kind, tags, at, event_date, way)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let way = if from_webhook { "webhook" } else { "sweep" };
    let kind = event.kind.as_str();
    let date = match event.event_date.is_empty() {
        true => x.at.event_date(),
        false => event.event_date.clone(),
    };
    let mut all_known = from_webhook;
    for (pk_id, tags) in &event.tags {
        let found = if from_webhook { found_before(c, x, workflow, event, *pk_id, tags)? } else { None };
        if let Some(found) = found {
            run(c, "UPDATE told SET way = 'late' WHERE id = ?1", params![found])?;
            continue;
        }
        all_known = false;
        let tags = tags.as_bytes();
        run(c, sql, params![x.tenant.as_str(), workflow, event.table, pk_id, kind, tags, x.at.0, date, way])?;
    }
    // Of a message for all rows at once some may be known: it runs, since the others are news.
    Ok(all_known)
}

/// How far Caspio's clock may be ahead of what its answers tell of it.
const SLACK_SECONDS: i64 = 2;
/// A webhook that does not say when it happened is one about what a sweep found, when it comes so soon after.
const SOON: Duration = Duration::from_secs(3600);

/// The entry of a sweep that this change is. A row is inserted and deleted once. An update is one that led to what the sweep
/// read: it shows the same, and happened before.
fn found_before(
    c: &Connection,
    x: &NewMessage,
    workflow: [u8; 16],
    event: &NewEvent,
    pk_id: i64,
    tags: &RowTags,
) -> Result<Option<i64>> {
    let sql =
        "SELECT id, tags, at, event_date FROM told WHERE workflow = ?1 AND table_name = ?2 AND pk_id = ?3
               AND kind = ?4 AND way = 'sweep' ORDER BY id";
    let found = all(c, sql, params![workflow, event.table, pk_id, event.kind.as_str()], |r| {
        Ok((r.get::<_, i64>(0)?, RowTags::from_bytes(r.get(1)?), time(r, 2)?, r.get::<_, String>(3)?))
    })?;
    let before = |at: Time, read: &str| match (seconds(&event.event_date), seconds(read)) {
        (Some(happened), Some(read)) => happened <= read.saturating_add(SLACK_SECONDS),
        _ => x.at.since(at) <= SOON,
    };
    let same = |found: &RowTags, at, read: &str| {
        event.kind != TriggerKind::RecordUpdate || (found.agrees(tags) && before(at, read))
    };
    Ok(found.into_iter().find(|(_, found, at, read)| same(found, *at, read)).map(|(id, ..)| id))
}

/// An `eventDate` as seconds.
fn seconds(date: &str) -> Option<i64> {
    let date: jiff::civil::DateTime = date.parse().ok()?;
    Some(jiff::tz::Offset::UTC.to_timestamp(date).ok()?.as_second())
}
