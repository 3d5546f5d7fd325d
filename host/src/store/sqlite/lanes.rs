//! Queues: which workflow has a due run on which connection, so that a claim looks at heads of queues only.
//!
//! The writer keeps a table of its own in memory, a line a queue with the time at which its first run may be due. Triggers
//! write it whenever a run is queued, in the same transaction, whatever queued it; the claim puts right what is too early. So a claim costs
//! the same beside a million finished runs or a hundred thousand queued or sleeping ones. At a start it is read from the index, one step a queue.

use std::collections::VecDeque;

use rusqlite::{Connection, Row, params};

use crate::clock::Time;
use crate::model::{ConnectionId, RunId, TenantId, WorkflowId};
use crate::store::{Claim, Load, Result, Waiting};

use super::rows::{all, first, id, parsed, run, time, time_opt};
use super::sql_error;

/// Runs read at once from a queue.
const CHUNK: usize = 64;

const TABLES: &str = "
CREATE TEMP TABLE lanes (
    workflow   BLOB NOT NULL,
    connection BLOB NOT NULL,
    due_at     INTEGER NOT NULL,
    PRIMARY KEY (workflow, connection)
) WITHOUT ROWID;
CREATE INDEX temp.lanes_due ON lanes (due_at);
CREATE TEMP TRIGGER lanes_new AFTER INSERT ON main.runs
WHEN NEW.next_at IS NOT NULL AND NEW.state IN ('queued', 'sleeping')
BEGIN
    INSERT INTO lanes (workflow, connection, due_at) VALUES (NEW.workflow, NEW.connection, NEW.next_at)
    ON CONFLICT (workflow, connection) DO UPDATE SET due_at = excluded.due_at WHERE excluded.due_at < due_at;
END;
CREATE TEMP TRIGGER lanes_again AFTER UPDATE OF next_at, state, connection ON main.runs
WHEN NEW.next_at IS NOT NULL AND NEW.state IN ('queued', 'sleeping')
BEGIN
    INSERT INTO lanes (workflow, connection, due_at) VALUES (NEW.workflow, NEW.connection, NEW.next_at)
    ON CONFLICT (workflow, connection) DO UPDATE SET due_at = excluded.due_at WHERE excluded.due_at < due_at;
END;";

/// Before anything else is written by this connection.
pub(super) fn open(c: &Connection) -> Result<()> {
    c.execute_batch(TABLES).map_err(sql_error)?;
    let mut last: (Key, Key) = Default::default();
    while let Some((workflow, connection, due_at)) = behind(c, last)? {
        let sql = "INSERT INTO lanes (workflow, connection, due_at) VALUES (?1, ?2, ?3)";
        run(c, sql, params![workflow, connection, due_at])?;
        last = (workflow, connection);
    }
    Ok(())
}

type Key = [u8; 16];

/// The queue behind one: of the same workflow, else of the next one. Two steps, since SQLite takes no pair as a bound here.
fn behind(c: &Connection, (workflow, connection): (Key, Key)) -> Result<Option<(Key, Key, i64)>> {
    let read = |r: &Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get(2)?));
    let sql = "SELECT workflow, connection, next_at FROM runs INDEXED BY runs_due
               WHERE state IN ('queued', 'sleeping') AND next_at IS NOT NULL AND workflow = ?1 AND connection > ?2
               ORDER BY connection, next_at LIMIT 1";
    if let Some(found) = first(c, sql, params![workflow, connection], read)? {
        return Ok(Some(found));
    }
    let sql = "SELECT workflow, connection, next_at FROM runs INDEXED BY runs_due
               WHERE state IN ('queued', 'sleeping') AND next_at IS NOT NULL AND workflow > ?1
               ORDER BY workflow, connection, next_at LIMIT 1";
    first(c, sql, params![workflow], read)
}

/// A queue whose first run may be due.
pub(super) struct Lane {
    pub(super) waiting: Waiting,
    pub(super) connection: ConnectionId,
    /// Runs that share it share the operator's limit.
    pub(super) host: String,
    /// Runs of the workflow at once.
    concurrency: Option<u32>,
    /// The manifest's order, as stored.
    pub(super) ordered: Option<String>,
    read: VecDeque<Head>,
    /// Nothing more is due in it.
    pub(super) empty: bool,
}

/// A due run, with what decides whether it may begin.
pub(super) struct Head {
    pub(super) run: RunId,
    pub(super) event: [u8; 16],
    pub(super) cause: Option<String>,
    pub(super) order: Option<([u8; 32], i64)>,
}

/// Queues of workflows that are not paused, on connections that take calls.
pub(super) fn due(c: &Connection, x: &Claim) -> Result<Vec<Lane>> {
    let sql =
        "SELECT l.workflow, l.connection, l.due_at, w.tenant, v.weight, v.concurrency, v.ordered, k.base_url
               FROM lanes l JOIN workflows w ON w.id = l.workflow
               JOIN workflow_versions v ON v.workflow = w.id AND v.number = w.active_version
               JOIN connections k ON k.id = l.connection
               WHERE l.due_at <= ?1 AND w.state <> 'paused'";
    let lanes = all(c, sql, params![x.now.0], |r| {
        let tenant: TenantId = parsed(r, 3, |t| t.parse().ok())?;
        let of_tenant = x.shares.tenant_weights.get(tenant.as_str()).copied().unwrap_or(1);
        Ok(Lane {
            waiting: Waiting {
                tenant: (tenant, of_tenant),
                workflow: (id(r, 0, WorkflowId::from_slice)?, r.get::<_, u32>(4)?.min(x.shares.max_weight)),
                due_at: time(r, 2)?,
            },
            connection: id(r, 1, ConnectionId::from_slice)?,
            host: r.get(7)?,
            concurrency: r.get(5)?,
            ordered: r.get(6)?,
            read: VecDeque::new(),
            empty: false,
        })
    })?;
    Ok(lanes.into_iter().filter(|lane| !x.blocked.contains(&lane.connection)).collect())
}

/// What is under way.
pub(super) fn load(c: &Connection) -> Result<Load> {
    let sql = "SELECT w.tenant, r.workflow, k.base_url, r.runs FROM
                 (SELECT workflow, connection, COUNT(*) AS runs FROM runs WHERE state = 'running'
                  GROUP BY workflow, connection) r
               JOIN workflows w ON w.id = r.workflow JOIN connections k ON k.id = r.connection";
    let mut load = Load::default();
    let found = all(c, sql, [], |r| {
        let tenant: TenantId = parsed(r, 0, |t| t.parse().ok())?;
        Ok((tenant, id(r, 1, WorkflowId::from_slice)?, r.get::<_, String>(2)?, r.get::<_, u32>(3)?))
    })?;
    for (tenant, workflow, host, runs) in found {
        load.add(&tenant, workflow, &host, runs);
    }
    Ok(load)
}

impl Lane {
    /// Whether one more of its runs may be under way.
    pub(super) fn has_room(&self, load: &Load, runs_per_host: u32) -> bool {
        let (workflow, _) = self.waiting.workflow;
        self.concurrency.is_none_or(|most| load.of_workflow(workflow) < most)
            && load.of_host(&self.host) < runs_per_host
    }

    /// Its next due run. What was taken before must be due no more.
    pub(super) fn take(&mut self, c: &Connection, now: Time, limit: usize) -> Result<Option<Head>> {
        if self.read.is_empty() && !self.empty {
            let sql = "SELECT id, event, cause, order_key, place FROM runs INDEXED BY runs_due
                       WHERE workflow = ?1 AND connection = ?2 AND state IN ('queued', 'sleeping') AND next_at <= ?3
                       ORDER BY next_at LIMIT ?4";
            let key = (self.waiting.workflow.0, self.connection);
            let chunk = i64::try_from(limit.clamp(1, CHUNK)).unwrap_or(1);
            let read = all(c, sql, params![key.0.as_bytes(), key.1.as_bytes(), now.0, chunk], |r| {
                let order: Option<[u8; 32]> = r.get(3)?;
                Ok(Head {
                    run: id(r, 0, RunId::from_slice)?,
                    event: r.get(1)?,
                    cause: r.get(2)?,
                    order: order.zip(Some(r.get(4)?)),
                })
            })?;
            self.read = read.into();
            self.empty = self.read.is_empty();
        }
        Ok(self.read.pop_front())
    }

    /// Says when its first run will be due, or that there is none.
    pub(super) fn put_right(&self, c: &Connection) -> Result<()> {
        let (workflow, connection) = (self.waiting.workflow.0, self.connection);
        let key = (workflow.as_bytes(), connection.as_bytes());
        let sql = "SELECT next_at FROM runs INDEXED BY runs_due
                   WHERE workflow = ?1 AND connection = ?2 AND state IN ('queued', 'sleeping') AND next_at IS NOT NULL
                   ORDER BY next_at LIMIT 1";
        match first(c, sql, params![key.0, key.1], |r| r.get::<_, i64>(0))? {
            Some(due_at) => {
                let sql = "UPDATE lanes SET due_at = ?3 WHERE workflow = ?1 AND connection = ?2";
                run(c, sql, params![key.0, key.1, due_at])
            }
            None => {
                run(c, "DELETE FROM lanes WHERE workflow = ?1 AND connection = ?2", params![key.0, key.1])
            }
        }
        .map(drop)
    }
}

/// When the next run falls due that is not due yet.
pub(super) fn next(c: &Connection, now: Time) -> Result<Option<Time>> {
    let sql = "SELECT l.due_at FROM lanes l JOIN workflows w ON w.id = l.workflow
               WHERE l.due_at > ?1 AND w.state <> 'paused' ORDER BY l.due_at LIMIT 1";
    Ok(first(c, sql, params![now.0], |r| time_opt(r, 0))?.flatten())
}
