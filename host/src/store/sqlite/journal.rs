//! Steps of runs, what guests wrote, and the end of attempts.

use rusqlite::{Connection, params};

use crate::clock::Time;
use crate::model::{RunId, RunState};
use crate::store::{Counted, Finish, JournalWrite, OutputRecord, Result, StepRecord, StepState};

use super::rows::{all, parsed, run, time, time_opt};
use super::runs::check_lease;
use super::{order, writes};

pub(super) fn steps(c: &Connection, which: RunId) -> Result<Vec<StepRecord>> {
    let sql = "SELECT number, action, table_name, effect, state, outcome, affected, fingerprint,
                 sealed_request, sealed_plan, sealed_result, elapsed_us, calls, started_at, finished_at
               FROM steps WHERE run = ?1 ORDER BY number";
    all(c, sql, params![which.as_bytes()], |r| {
        Ok(StepRecord {
            number: r.get(0)?,
            action: r.get(1)?,
            table: r.get(2)?,
            effect: r.get(3)?,
            state: parsed(r, 4, |t| match t {
                "intent" => Some(StepState::Intent),
                "done" => Some(StepState::Done),
                _ => None,
            })?,
            outcome: r.get(5)?,
            affected: r.get(6)?,
            fingerprint: r.get(7)?,
            sealed_request: r.get(8)?,
            sealed_plan: r.get(9)?,
            sealed_result: r.get(10)?,
            elapsed_us: r.get::<_, i64>(11)?.unsigned_abs(),
            calls: r.get(12)?,
            started_at: time(r, 13)?,
            finished_at: time_opt(r, 14)?,
        })
    })
}

/// Progress also clears the count of crashes: a run is only given up when it crashes the host again
/// and again at the same place.
/// True when runs that waited for its writes are due now.
pub(super) fn record(c: &Connection, which: RunId, owner: &str, write: &JournalWrite) -> Result<bool> {
    check_lease(c, which, owner)?;
    let due = write_steps(c, which, write)?;
    // A write that is registered once more for an effect that is repeated is none yet.
    if !write.steps.is_empty() {
        run(c, "UPDATE runs SET host_crashes = 0 WHERE id = ?1", params![which.as_bytes()])?;
    }
    Ok(due)
}

pub(super) fn write_steps(c: &Connection, which: RunId, write: &JournalWrite) -> Result<bool> {
    let mut due = false;
    if let Some(after) = write.forget_after {
        let sql = "DELETE FROM steps WHERE run = ?1 AND number > ?2";
        run(c, sql, params![which.as_bytes(), after])?;
        // What is forgotten had no effect.
        due |= writes::forget(c, which, after.saturating_add(1), u32::MAX, Time::now())?;
    }
    if let Some(registered) = &write.registered {
        writes::register(c, which, registered)?;
    }
    if let Some(ended) = &write.ended {
        due |= writes::end(c, which, ended)?;
    }
    let sql = "INSERT OR REPLACE INTO steps
                 (run, number, tenant, action, table_name, effect, state, outcome, affected,
                  fingerprint, sealed_request, sealed_plan, sealed_result, elapsed_us, calls,
                  started_at, finished_at)
               SELECT ?1, ?2, tenant, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16
               FROM runs WHERE id = ?1";
    for s in &write.steps {
        let state = match s.state {
            StepState::Intent => "intent",
            StepState::Done => "done",
        };
        run(
            c,
            sql,
            params![
                which.as_bytes(),
                s.number,
                s.action,
                s.table,
                s.effect,
                state,
                s.outcome,
                s.affected,
                s.fingerprint,
                s.sealed_request,
                s.sealed_plan,
                s.sealed_result,
                i64::try_from(s.elapsed_us).unwrap_or(i64::MAX),
                s.calls,
                s.started_at.0,
                s.finished_at.map(|t| t.0)
            ],
        )?;
    }
    Ok(due)
}

pub(super) fn finish(c: &Connection, which: RunId, owner: &str, x: &Finish) -> Result<()> {
    check_lease(c, which, owner)?;
    write_steps(c, which, &x.journal)?;
    if let Some(output) = &x.output {
        let sql = "INSERT INTO run_output (run, number, tenant, sealed_lines, truncated, at)
                   SELECT ?1, (SELECT COALESCE(MAX(number), 0) + 1 FROM run_output WHERE run = ?1),
                     tenant, ?2, ?3, ?4 FROM runs WHERE id = ?1";
        run(c, sql, params![which.as_bytes(), output.sealed_lines, output.truncated, x.at.0])?;
    }
    if x.state == RunState::Succeeded {
        order::note_done(c, which, x.at)?;
    }
    let counted = |kind: Counted| u32::from(x.counted == kind);
    let sql = "UPDATE runs SET state = ?2, cause = ?3, next_at = ?4,
                 attempts = attempts + ?5, wakeups = wakeups + ?6, shutdowns = shutdowns + ?7,
                 host_crashes = 0, waiting_step = ?8, waiting_tries = ?9,
                 sealed_result = ?10, sealed_failure = ?11, lease_owner = NULL, lease_until = NULL,
                 finished_at = ?12,
                 last_output = CASE WHEN ?13 THEN (SELECT MAX(number) FROM run_output WHERE run = ?1) END
               WHERE id = ?1";
    run(
        c,
        sql,
        params![
            which.as_bytes(),
            x.state.as_str(),
            x.cause.map(|cause| cause.as_str()),
            x.next_at.map(|t| t.0),
            counted(Counted::Attempt),
            counted(Counted::Wakeup),
            counted(Counted::Shutdown),
            x.waiting.map(|w| w.0),
            x.waiting.map(|w| w.1),
            x.sealed_result,
            x.sealed_failure,
            x.state.is_final().then_some(x.at.0),
            x.output.is_some()
        ],
    )
    .map(drop)
}

pub(super) fn output(c: &Connection, which: RunId) -> Result<Vec<OutputRecord>> {
    let sql = "SELECT number, sealed_lines, truncated, at FROM run_output WHERE run = ?1 ORDER BY number";
    all(c, sql, params![which.as_bytes()], |r| {
        Ok(OutputRecord { number: r.get(0)?, sealed_lines: r.get(1)?, truncated: r.get(2)?, at: time(r, 3)? })
    })
}
