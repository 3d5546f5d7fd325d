//! Runs: claim, recover after a crash, list.

use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, Row, params};

use crate::clock::Time;
use crate::model::{
    Cause, ConnectionId, EventId, MessageId, RunId, RunState, TenantId, TriggerKind, WorkflowId,
};
use crate::store::{
    Claim, Claimed, ClaimedRun, Lineage, RecordedRun, Result, RunFilter, RunRecord, Shares, StoreError,
    VersionRecord,
};

use super::lanes;
use super::rows::{all, first, id, id_opt, parsed, parsed_opt, run, time, time_opt};
use super::{journal, order, sql_error, writes};

/// Runs that are looked at in one claim and wait for another one of their order. Bounds a claim; it goes on at once.
const MOST_WAITING: usize = 256;

/// Runs of a queue that are told that the budget of their connection is used up; those behind them wait anyway.
const TOLD: i64 = 100;

/// Claims due runs of workflows that are not paused, fair between tenants and workflows, the oldest of a queue first, and
/// binds each to a version.
pub(super) fn claim(c: &Connection, x: &Claim, shares: &Mutex<Shares>) -> Result<Claimed> {
    for connection in &x.no_calls_left {
        tell_budget(c, *connection, x.now)?;
    }
    let mut shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
    let mut lanes = lanes::due(c, x)?;
    let mut load = lanes::load(c)?;
    let mut claimed = Vec::new();
    let mut waiting = 0;
    while claimed.len() < x.limit && waiting < MOST_WAITING {
        let open = lanes.iter().enumerate();
        let open = open.filter(|(_, lane)| !lane.empty && lane.has_room(&load, x.shares.runs_per_host));
        let open = open.map(|(at, lane)| (at, &lane.waiting));
        let Some(lane) = shares.next(open, &load).map(|(at, _)| at).and_then(|at| lanes.get_mut(at)) else {
            break;
        };
        let Some(head) = lane.take(c, x.now, x.limit)? else { continue };
        if head.cause.as_deref() == Some(Cause::OwnWrite.as_str()) {
            // It has waited long enough for the write to be decided.
            writes::settle(c, head.event, x.now, true)?;
        }
        if let (Some(ordered), Some((key, place))) = (&lane.ordered, &head.order)
            && order::waits(c, *lane.waiting.workflow.0.as_bytes(), (key, *place), ordered, Some(head.run))?
        {
            order::put_off(c, head.run)?;
            waiting += 1;
            continue;
        }
        if let Some(run) = begin(c, x, head.run)? {
            load.add(&lane.waiting.tenant.0, lane.waiting.workflow.0, &lane.host, 1);
            shares.served(&lane.waiting);
            claimed.push(run);
        }
    }
    for lane in lanes.iter().filter(|lane| lane.empty) {
        lane.put_right(c)?;
    }
    let next_at = if waiting < MOST_WAITING { lanes::next(c, x.now)? } else { Some(x.now) };
    Ok(Claimed { runs: claimed, next_at })
}

/// None when it can't be read.
fn begin(c: &Connection, x: &Claim, which: RunId) -> Result<Option<ClaimedRun>> {
    let sql = "UPDATE runs SET state = 'running', cause = NULL, next_at = NULL, lease_owner = ?2,
                 lease_until = ?3, started_at = COALESCE(started_at, ?4),
                 tried = attempts + 1, last_output = NULL,
                 version = COALESCE(version,
                   (SELECT active_version FROM workflows w WHERE w.id = runs.workflow))
               WHERE id = ?1";
    run(c, sql, params![which.as_bytes(), x.owner, x.lease_until.0, x.now.0])?;
    match claimed_run(c, which) {
        Ok(found) => Ok(Some(found)),
        // One damaged run must not keep the others.
        Err(StoreError::Corrupt(what)) => {
            tracing::error!(run = %which, what, "the run can't be read and is parked");
            let sql = "UPDATE runs SET state = 'parked', cause = ?2, lease_owner = NULL, lease_until = NULL
                       WHERE id = ?1";
            run(c, sql, params![which.as_bytes(), Cause::Damaged.as_str()])?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The first due runs of a connection say what they wait for.
fn tell_budget(c: &Connection, connection: ConnectionId, now: Time) -> Result<()> {
    let key = connection.as_bytes();
    let sql = "SELECT workflow FROM lanes WHERE connection = ?1 AND due_at <= ?2";
    for workflow in all(c, sql, params![key, now.0], |r| r.get::<_, [u8; 16]>(0))? {
        let sql = "UPDATE runs SET cause = ?4 WHERE cause IS NULL AND id IN
                     (SELECT id FROM runs INDEXED BY runs_due
                      WHERE workflow = ?1 AND connection = ?2 AND state IN ('queued', 'sleeping') AND next_at <= ?3
                      ORDER BY next_at LIMIT ?5)
                   AND state = 'queued'";
        run(c, sql, params![workflow, key, now.0, Cause::Budget.as_str(), TOLD])?;
    }
    Ok(())
}

fn claimed_run(c: &Connection, which: RunId) -> Result<ClaimedRun> {
    let sql = "SELECT r.id, r.tenant, r.event, r.message, r.workflow, w.name, r.attempts,
                 r.waiting_step, r.waiting_tries, r.journal_version, r.run_start, e.sealed_typed,
                 r.sealed_seed, k.wrapped, v.number, v.manifest, v.component, v.connection, v.created_at,
                 r.connection, m.trace,
                 EXISTS (SELECT 1 FROM steps s WHERE s.run = r.id),
                 r.depth, r.self_depth, e.caused_by, e.caused_step, e.all_own,
                 (SELECT d.event_date FROM done d
                  WHERE d.workflow = r.workflow AND d.table_name = e.table_name AND d.pk_id = e.pk_id)
               FROM runs r
               JOIN messages m ON m.id = r.message
               JOIN workflows w ON w.id = r.workflow
               JOIN events e ON e.id = r.event
               JOIN data_keys k ON k.message = r.message
               JOIN workflow_versions v ON v.workflow = r.workflow AND v.number = r.version
               WHERE r.id = ?1";
    let found = first(c, sql, params![which.as_bytes()], |r| {
        let waiting: (Option<u32>, Option<u32>) = (r.get(7)?, r.get(8)?);
        let workflow = id(r, 4, WorkflowId::from_slice)?;
        Ok(ClaimedRun {
            id: id(r, 0, RunId::from_slice)?,
            tenant: parsed(r, 1, |t| t.parse().ok())?,
            event: id(r, 2, EventId::from_slice)?,
            message: id(r, 3, MessageId::from_slice)?,
            workflow,
            workflow_name: r.get(5)?,
            connection: id(r, 19, ConnectionId::from_slice)?,
            attempts: r.get(6)?,
            waiting: waiting.0.zip(waiting.1),
            trace: r.get(20)?,
            has_steps: r.get(21)?,
            lineage: lineage(r, 22)?,
            all_own: r.get(26)?,
            newest_done: r.get(27)?,
            journal_version: r.get(9)?,
            run_start: time(r, 10)?,
            sealed_typed: r.get(11)?,
            sealed_seed: r.get(12)?,
            wrapped_key: r.get(13)?,
            version: VersionRecord {
                workflow,
                number: r.get(14)?,
                manifest: r.get(15)?,
                component: r.get(16)?,
                connection: id(r, 17, ConnectionId::from_slice)?,
                created_at: time(r, 18)?,
            },
        })
    })?;
    found.ok_or_else(|| StoreError::Corrupt(format!("run {which} misses its event, key or version")))
}

/// Depths and cause, from this column on.
fn lineage(r: &Row<'_>, from: usize) -> rusqlite::Result<Lineage> {
    let by: Option<[u8; 16]> = r.get(from + 2)?;
    let step: Option<u32> = r.get(from + 3)?;
    Ok(Lineage {
        depth: r.get(from)?,
        self_depth: r.get(from + 1)?,
        caused_by: by.and_then(|by| RunId::from_slice(&by).ok()).zip(step),
    })
}

pub(super) fn recover(c: &Connection, now: Time, max_crashes: u32) -> Result<(u64, u64)> {
    let sql = "UPDATE runs SET state = 'dead', cause = ?2, finished_at = ?3, next_at = NULL,
                 lease_owner = NULL, lease_until = NULL, host_crashes = host_crashes + 1
               WHERE state = 'running' AND host_crashes + 1 >= ?1";
    let dead = run(c, sql, params![max_crashes, Cause::HostCrash.as_str(), now.0])?;
    let sql = "UPDATE runs SET state = 'queued', next_at = ?1, lease_owner = NULL,
                 lease_until = NULL, host_crashes = host_crashes + 1
               WHERE state = 'running'";
    let queued = run(c, sql, params![now.0])?;
    Ok((queued as u64, dead as u64))
}

/// Runs that wait for their connection for this cause are due.
pub(super) fn hurry(c: &Connection, connection: ConnectionId, cause: Cause, at: Time) -> Result<()> {
    let sql = "UPDATE runs SET next_at = ?3 WHERE connection = ?1 AND state = 'queued' AND cause = ?2 AND next_at > ?3";
    run(c, sql, params![connection.as_bytes(), cause.as_str(), at.0]).map(drop)
}

/// A run under way loses its lease: what it still reports is refused.
pub(super) fn discard_of(c: &Connection, connection: ConnectionId, at: Time) -> Result<u64> {
    let sql = "UPDATE runs SET state = 'discarded', cause = NULL, next_at = NULL, lease_owner = NULL,
                 lease_until = NULL, finished_at = ?2
               WHERE connection = ?1 AND state IN ('queued', 'running', 'sleeping', 'parked')";
    Ok(run(c, sql, params![connection.as_bytes(), at.0])? as u64)
}

/// In a restored store: what was unfinished may have gone on in the original.
pub(super) fn park_unfinished(c: &Connection, at: Time) -> Result<u64> {
    let sql = "UPDATE runs SET state = 'parked', cause = ?1, next_at = NULL, lease_owner = NULL,
                 lease_until = NULL, finished_at = ?2
               WHERE state IN ('queued', 'running', 'sleeping')";
    Ok(run(c, sql, params![Cause::Restored.as_str(), at.0])? as u64)
}

/// What was parked so is due again: the original did not go on with it, as a person says.
pub(super) fn resume_restored(
    c: &Connection,
    tenant: &TenantId,
    which: Option<RunId>,
    workflow: Option<WorkflowId>,
    at: Time,
) -> Result<u64> {
    let sql = "UPDATE runs SET state = 'queued', cause = NULL, next_at = ?3, finished_at = NULL
               WHERE tenant = ?1 AND state = 'parked' AND cause = ?2
                 AND (?4 IS NULL OR id = ?4) AND (?5 IS NULL OR workflow = ?5)";
    let (which, workflow) = (which.map(|id| *id.as_bytes()), workflow.map(|id| *id.as_bytes()));
    Ok(run(c, sql, params![tenant.as_str(), Cause::Restored.as_str(), at.0, which, workflow])? as u64)
}

const RUN: &str = "SELECT r.id, r.workflow, w.name, r.version, r.generation, r.state, r.cause,
      r.attempts, r.wakeups, r.host_crashes, r.next_at, r.event, r.message, m.message_id, e.kind,
      e.table_name, e.pk_id, e.event_date, r.sealed_result, r.sealed_failure, r.created_at,
      r.started_at, r.finished_at, r.sealed_note, r.origin,
      (SELECT n.id FROM runs n WHERE n.origin = r.id),
      r.depth, r.self_depth, e.caused_by, e.caused_step,
      CASE WHEN r.state = 'queued' AND r.cause = 'order' THEN
        (SELECT o.id FROM runs o JOIN workflow_versions v ON v.workflow = w.id AND v.number = w.active_version
         WHERE o.workflow = r.workflow AND o.order_key = r.order_key AND o.id <> r.id
           AND o.state NOT IN ('succeeded', 'skipped', 'discarded') AND (o.place < r.place OR o.state = 'running')
           AND (v.ordered = 'block' OR o.state NOT IN ('dead', 'parked'))
         ORDER BY o.place LIMIT 1) END
    FROM runs r JOIN workflows w ON w.id = r.workflow JOIN events e ON e.id = r.event
    JOIN messages m ON m.id = r.message";

fn read(r: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: id(r, 0, RunId::from_slice)?,
        workflow: id(r, 1, WorkflowId::from_slice)?,
        workflow_name: r.get(2)?,
        version: r.get(3)?,
        generation: r.get(4)?,
        state: parsed(r, 5, |t| t.parse().ok())?,
        cause: parsed_opt(r, 6, |t| t.parse().ok())?,
        attempts: r.get(7)?,
        wakeups: r.get(8)?,
        host_crashes: r.get(9)?,
        next_at: time_opt(r, 10)?,
        event: id(r, 11, EventId::from_slice)?,
        message: id(r, 12, MessageId::from_slice)?,
        caspio_message_id: r.get(13)?,
        kind: parsed(r, 14, TriggerKind::parse)?,
        table: r.get(15)?,
        pk_id: r.get(16)?,
        event_date: r.get(17)?,
        sealed_result: r.get(18)?,
        sealed_failure: r.get(19)?,
        created_at: time(r, 20)?,
        started_at: time_opt(r, 21)?,
        finished_at: time_opt(r, 22)?,
        sealed_note: r.get(23)?,
        origin: id_opt(r, 24, RunId::from_slice)?,
        successor: id_opt(r, 25, RunId::from_slice)?,
        lineage: lineage(r, 26)?,
        waits_for: id_opt(r, 30, RunId::from_slice)?,
    })
}

pub(super) fn list(c: &Connection, tenant: &TenantId, filter: &RunFilter) -> Result<Vec<RunRecord>> {
    let workflow = filter.workflow.map(|w| *w.as_bytes());
    let before = filter.before.map(|b| *b.as_bytes());
    // Those that wait for a person are few and have an index, which is only used when the text says so.
    let few = match filter.state {
        Some(RunState::Dead | RunState::Parked) => "AND r.state IN ('dead', 'parked')",
        _ => "",
    };
    let sql = format!(
        "{RUN} WHERE r.tenant = ?1 AND (?2 IS NULL OR r.workflow = ?2)
           AND (?3 IS NULL OR r.state = ?3) AND (?4 IS NULL OR r.id < ?4) AND (?6 IS NULL OR r.cause = ?6) {few}
         ORDER BY r.id DESC LIMIT ?5"
    );
    let state = filter.state.map(RunState::as_str);
    let cause = filter.cause.map(Cause::as_str);
    all(c, &sql, params![tenant.as_str(), workflow, state, before, filter.limit, cause], read)
}

pub(super) fn one(c: &Connection, tenant: &TenantId, which: RunId) -> Result<Option<RunRecord>> {
    let sql = format!("{RUN} WHERE r.tenant = ?1 AND r.id = ?2");
    first(c, &sql, params![tenant.as_str(), which.as_bytes()], read)
}

/// A run with its journal, all as of one moment.
pub(super) fn recorded(c: &Connection, tenant: &TenantId, which: RunId) -> Result<Option<RecordedRun>> {
    let snapshot = c.unchecked_transaction().map_err(sql_error)?;
    let c: &Connection = &snapshot;
    let Some(run) = one(c, tenant, which)? else { return Ok(None) };
    let sql = "SELECT tried, last_output FROM runs WHERE id = ?1";
    let found = first(c, sql, params![which.as_bytes()], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let (tried, last): (u32, Option<u32>) = found.unwrap_or_default();
    let claimed = match claimed_run(c, which) {
        Ok(claimed) => Some(claimed),
        // Its key went, or it was never bound to a version.
        Err(StoreError::Corrupt(_)) => None,
        Err(error) => return Err(error),
    };
    let steps = journal::steps(c, which)?;
    let output = journal::output(c, which)?.into_iter().find(|kept| Some(kept.number) == last);
    Ok(Some(RecordedRun { run, claimed, tried, steps, output }))
}

pub(super) fn waiting_connections(c: &Connection, tenant: &TenantId) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT c.name FROM runs r JOIN connections c ON c.id = r.connection
               WHERE r.tenant = ?1 AND r.state = 'queued' AND r.cause = ?2 ORDER BY c.name";
    all(c, sql, params![tenant.as_str(), Cause::Connection.as_str()], |r| r.get(0))
}

pub(super) fn waiting_workflows(
    c: &Connection,
    tenant: &TenantId,
    cause: Cause,
) -> Result<Vec<(String, u64)>> {
    let sql = "SELECT w.name, COUNT(*) FROM runs r JOIN workflows w ON w.id = r.workflow
               WHERE r.tenant = ?1 AND r.state = 'queued' AND r.cause = ?2 GROUP BY w.id ORDER BY w.name";
    all(c, sql, params![tenant.as_str(), cause.as_str()], |r| {
        Ok((r.get(0)?, r.get::<_, i64>(1)?.unsigned_abs()))
    })
}

/// Workflows whose runs wait in order for a dead or parked one, and how many such there are.
pub(super) fn held_up(c: &Connection, tenant: &TenantId) -> Result<Vec<(String, u64)>> {
    let sql = "SELECT w.name, COUNT(*) FROM workflows w
               JOIN workflow_versions v ON v.workflow = w.id AND v.number = w.active_version
               JOIN runs r ON r.workflow = w.id
               WHERE w.tenant = ?1 AND w.deleted_at IS NULL AND v.ordered = 'block'
                 AND r.state IN ('dead', 'parked') AND r.order_key IS NOT NULL AND EXISTS
                   (SELECT 1 FROM runs o WHERE o.workflow = r.workflow AND o.order_key = r.order_key
                      AND o.state NOT IN ('succeeded', 'skipped', 'discarded')
                      AND o.state = 'queued' AND +o.cause = 'order' AND o.place > r.place)
               GROUP BY w.id ORDER BY w.name";
    all(c, sql, params![tenant.as_str()], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?.unsigned_abs())))
}

pub(super) fn totals(c: &Connection, tenant: Option<&TenantId>) -> Result<Vec<(RunState, u64)>> {
    let sql =
        "SELECT state, COUNT(*) FROM runs WHERE ?1 IS NULL OR tenant = ?1 GROUP BY state ORDER BY state";
    all(c, sql, params![tenant.map(TenantId::as_str)], |r| {
        Ok((parsed(r, 0, |t| t.parse().ok())?, r.get::<_, i64>(1)?.unsigned_abs()))
    })
}

pub(super) fn counts(c: &Connection, workflow: WorkflowId) -> Result<Vec<(RunState, u64)>> {
    let sql = "SELECT state, COUNT(*) FROM runs WHERE workflow = ?1 GROUP BY state ORDER BY state";
    all(c, sql, params![workflow.as_bytes()], |r| {
        Ok((parsed(r, 0, |t| t.parse().ok())?, r.get::<_, i64>(1)?.unsigned_abs()))
    })
}

/// `LeaseLost` unless `owner` holds the run.
pub(super) fn check_lease(c: &Connection, which: RunId, owner: &str) -> Result<()> {
    let sql = "SELECT 1 FROM runs WHERE id = ?1 AND state = 'running' AND lease_owner = ?2";
    let mut statement = c.prepare_cached(sql).map_err(sql_error)?;
    match statement.exists(params![which.as_bytes(), owner]).map_err(sql_error)? {
        true => Ok(()),
        false => Err(StoreError::LeaseLost),
    }
}
