//! Dead and parked runs, and what people decide about them. A decision finds the run as it was shown, or does nothing.

use rusqlite::{Connection, params};

use crate::clock::Time;
use crate::model::{Cause, ConnectionId, RunId, RunState, TenantId};
use crate::store::{
    Decision, Fingerprints, JournalWrite, Letter, LetterCount, LetterFilter, Result, StepState, StoreError,
    WriteEnd,
};

use super::journal;
use super::rows::{all, first, id, parsed, parsed_opt, run, time};
use super::runs;
use super::writes;

pub(super) fn one(c: &Connection, tenant: &TenantId, which: RunId) -> Result<Option<Letter>> {
    let Some(record) = runs::one(c, tenant, which)? else { return Ok(None) };
    let sql = "SELECT r.connection, r.run_start, w.deleted_at IS NOT NULL
               FROM runs r JOIN workflows w ON w.id = r.workflow WHERE r.id = ?1";
    let found = first(c, sql, params![which.as_bytes()], |r| {
        Ok((id(r, 0, ConnectionId::from_slice)?, time(r, 1)?, r.get::<_, bool>(2)?))
    })?;
    let Some((connection, run_start, gone)) = found else { return Ok(None) };
    let intent =
        journal::steps(c, which)?.pop().filter(|step| step.effect && step.state == StepState::Intent);
    Ok(Some(Letter { run: record, connection, run_start, intent, gone }))
}

/// The last step of a run, when it failed: what it came to grief by.
const FAILED: &str = "LEFT JOIN steps s ON s.run = r.id AND s.outcome <> 'ok'
                 AND s.number = (SELECT MAX(n.number) FROM steps n WHERE n.run = r.id)";

/// Oldest first.
pub(super) fn list(c: &Connection, filter: &LetterFilter) -> Result<Vec<RunId>> {
    let sql = format!(
        "SELECT r.id FROM runs r JOIN workflows w ON w.id = r.workflow {FAILED}
         WHERE r.tenant = ?1 AND r.state IN ('dead', 'parked') AND w.deleted_at IS NULL
           AND (?2 IS NULL OR w.name = ?2) AND (?3 IS NULL OR r.cause = ?3) AND (?5 IS NULL OR s.outcome = ?5)
         ORDER BY r.id LIMIT ?4"
    );
    let cause = filter.cause.map(Cause::as_str);
    let asked = params![filter.tenant.as_str(), filter.workflow, cause, filter.limit, filter.code];
    all(c, &sql, asked, |r| id(r, 0, RunId::from_slice))
}

pub(super) fn counts(c: &Connection, tenant: &TenantId) -> Result<Vec<LetterCount>> {
    let sql = format!(
        "SELECT w.name, r.state, r.cause, s.action, s.outcome, COUNT(*), MIN(COALESCE(r.finished_at, r.created_at))
         FROM runs r JOIN workflows w ON w.id = r.workflow {FAILED}
         WHERE r.tenant = ?1 AND r.state IN ('dead', 'parked') AND w.deleted_at IS NULL
         GROUP BY w.name, r.state, r.cause, s.action, s.outcome ORDER BY w.name, r.state, COUNT(*) DESC"
    );
    all(c, &sql, params![tenant.as_str()], |r| {
        Ok(LetterCount {
            workflow: r.get(0)?,
            state: parsed(r, 1, |t| t.parse().ok())?,
            cause: parsed_opt(r, 2, |t| t.parse().ok())?,
            action: r.get(3)?,
            code: r.get(4)?,
            count: r.get::<_, i64>(5)?.unsigned_abs(),
            oldest: time(r, 6)?,
        })
    })
}

/// False when the run is not in `state` for `cause` any more: somebody else was faster.
pub(super) fn decide(
    c: &Connection,
    which: RunId,
    was: (RunState, Option<Cause>),
    decision: &Decision,
    at: Time,
) -> Result<bool> {
    let sql = "SELECT 1 FROM runs WHERE id = ?1 AND state = ?2 AND cause IS ?3";
    let key = params![which.as_bytes(), was.0.as_str(), was.1.map(Cause::as_str)];
    if first(c, sql, key, |_| Ok(()))?.is_none() {
        return Ok(false);
    }
    match decision {
        Decision::Done { step, pk_id } => {
            let ended = WriteEnd {
                step: step.number,
                done: true,
                pk_id: *pk_id,
                fields: Fingerprints::new(),
                at,
                ended_at: at,
            };
            let steps = vec![(**step).clone()];
            let write = JournalWrite { steps, ended: Some(ended), ..JournalWrite::default() };
            journal::write_steps(c, which, &write)?;
            again(c, which, None, at)?;
        }
        Decision::NotDone => {
            let sql = "SELECT number FROM steps WHERE run = ?1 AND state = 'intent'";
            for step in all(c, sql, params![which.as_bytes()], |r| r.get::<_, u32>(0))? {
                writes::forget(c, which, step, step, at)?;
            }
            run(c, "DELETE FROM steps WHERE run = ?1 AND state = 'intent'", params![which.as_bytes()])?;
            again(c, which, None, at)?;
        }
        Decision::Wake { step } => {
            let sql = "SELECT 1 FROM steps WHERE run = ?1 AND number = ?2 AND state = 'intent'";
            if first(c, sql, params![which.as_bytes(), step.number], |_| Ok(()))?.is_none() {
                // It has gone on, and sleeps for another time.
                return Ok(false);
            }
            let write = JournalWrite { steps: vec![(**step).clone()], ..JournalWrite::default() };
            journal::write_steps(c, which, &write)?;
            let sql = "UPDATE runs SET state = 'queued', next_at = ?2 WHERE id = ?1";
            run(c, sql, params![which.as_bytes(), at.0])?;
        }
        Decision::Redrive { version } => again(c, which, Some(*version), at)?,
        Decision::Fail => end(c, which, RunState::Dead, at)?,
        Decision::Discard { sealed_note } => {
            run(c, "UPDATE runs SET sealed_note = ?2 WHERE id = ?1", params![which.as_bytes(), sealed_note])?;
            end(c, which, RunState::Discarded, at)?;
        }
        Decision::Restart { run: new, version, sealed_seed } => {
            let sql = "INSERT INTO runs (id, tenant, event, message, workflow, connection, generation, origin, version,
                         depth, self_depth, order_key, place, state, next_at, journal_version, run_start, sealed_seed,
                         created_at)
                       SELECT ?2, tenant, event, message, workflow, connection,
                         (SELECT MAX(g.generation) + 1 FROM runs g WHERE g.event = r.event AND g.workflow = r.workflow),
                         id, ?3, depth, self_depth, order_key, place, 'queued', ?4, ?5, ?4, ?6, ?4
                       FROM runs r WHERE id = ?1";
            let journal = crate::model::JOURNAL_VERSION;
            if run(c, sql, params![which.as_bytes(), new.as_bytes(), version, at.0, journal, sealed_seed])?
                == 0
            {
                return Err(StoreError::Missing("run"));
            }
            end(c, which, RunState::Discarded, at)?;
        }
    }
    Ok(true)
}

/// Queued as if it had not been tried.
fn again(c: &Connection, which: RunId, version: Option<u32>, at: Time) -> Result<()> {
    let sql = "UPDATE runs SET state = 'queued', cause = NULL, next_at = ?2, attempts = 0, host_crashes = 0,
                 waiting_step = NULL, waiting_tries = NULL, sealed_failure = NULL, finished_at = NULL,
                 version = COALESCE(?3, version)
               WHERE id = ?1";
    run(c, sql, params![which.as_bytes(), at.0, version]).map(drop)
}

/// The cause stays: it says why it came to this.
fn end(c: &Connection, which: RunId, state: RunState, at: Time) -> Result<()> {
    let sql = "UPDATE runs SET state = ?2, next_at = NULL, finished_at = ?3 WHERE id = ?1";
    run(c, sql, params![which.as_bytes(), state.as_str(), at.0]).map(drop)
}
