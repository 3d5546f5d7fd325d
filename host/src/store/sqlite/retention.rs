//! Shredding contents and forgetting records whose time is over, and the holds that forbid it.
//!
//! Ids of messages hold the time at which they were made, so that only those that are old enough are looked at. What is
//! due is found by a reader; the writer looks again, since a hold may have come meanwhile.

use rusqlite::{Connection, Row, params};

use crate::clock::Time;
use crate::model::{MessageId, RunId, TenantId, WorkflowId};
use crate::store::{HoldRecord, Over, OverPage, OverWhat, Result, StoreError};

use super::rows::{all, first, id, id_opt, parsed, run, time};

pub(super) fn tenants(c: &Connection) -> Result<Vec<TenantId>> {
    all(c, "SELECT id FROM tenants ORDER BY id", [], |r| parsed(r, 0, |t| t.parse().ok()))
}

pub(super) fn of(c: &Connection, tenant: &TenantId) -> Result<Option<String>> {
    first(c, "SELECT wanted FROM retention WHERE tenant = ?1", params![tenant.as_str()], |r| r.get(0))
}

pub(super) fn set(c: &Connection, tenant: &TenantId, wanted: Option<&str>) -> Result<()> {
    match wanted {
        Some(wanted) => {
            let sql = "INSERT INTO retention (tenant, wanted) VALUES (?1, ?2)
                       ON CONFLICT DO UPDATE SET wanted = excluded.wanted";
            run(c, sql, params![tenant.as_str(), wanted])
        }
        None => run(c, "DELETE FROM retention WHERE tenant = ?1", params![tenant.as_str()]),
    }
    .map(drop)
}

pub(super) fn add_hold(c: &Connection, x: &HoldRecord) -> Result<()> {
    let sql = "INSERT INTO holds (tenant, name, workflow, run, sealed_reason, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    let (workflow, which) = (x.workflow.map(|id| *id.as_bytes()), x.run.map(|id| *id.as_bytes()));
    let key = params![x.tenant.as_str(), x.name, workflow, which, x.sealed_reason, x.created_at.0];
    if run(c, sql, key)? == 0 { Err(StoreError::Exists("a hold of that name")) } else { Ok(()) }
}

pub(super) fn holds(c: &Connection, tenant: &TenantId) -> Result<Vec<HoldRecord>> {
    let sql = "SELECT tenant, name, workflow, run, sealed_reason, created_at FROM holds
               WHERE tenant = ?1 ORDER BY name";
    all(c, sql, params![tenant.as_str()], |r| {
        Ok(HoldRecord {
            tenant: parsed(r, 0, |t| t.parse().ok())?,
            name: r.get(1)?,
            workflow: id_opt(r, 2, WorkflowId::from_slice)?,
            run: id_opt(r, 3, RunId::from_slice)?,
            sealed_reason: r.get(4)?,
            created_at: time(r, 5)?,
        })
    })
}

pub(super) fn remove_hold(c: &Connection, tenant: &TenantId, name: &str) -> Result<()> {
    let sql = "DELETE FROM holds WHERE tenant = ?1 AND name = ?2";
    if run(c, sql, params![tenant.as_str(), name])? == 0 { Err(StoreError::Missing("hold")) } else { Ok(()) }
}

/// A hold that keeps anything of a workflow.
pub(super) fn holding(c: &Connection, workflow: WorkflowId) -> Result<Option<String>> {
    let sql = "SELECT h.name FROM holds h JOIN workflows w ON w.tenant = h.tenant
               WHERE w.id = ?1 AND CASE
                 WHEN h.run IS NOT NULL THEN (SELECT r.workflow FROM runs r WHERE r.id = h.run) = w.id
                 ELSE h.workflow IS NULL OR h.workflow = w.id END
               ORDER BY h.name LIMIT 1";
    first(c, sql, params![workflow.as_bytes()], |r| r.get(0))
}

/// Of the message `m`: a hold keeps it.
const HELD: &str = "EXISTS (SELECT 1 FROM holds h WHERE h.tenant = m.tenant AND CASE
     WHEN h.run IS NOT NULL THEN (SELECT r.message FROM runs r WHERE r.id = h.run) = m.id
     ELSE h.workflow IS NULL OR h.workflow = m.workflow END)";

/// Of the message `m`: a run of it is not over. A time that is null is never over.
const STILL: &str = "EXISTS (SELECT 1 FROM events e JOIN runs r ON r.event = e.id
     WHERE e.message = m.id AND NOT COALESCE(COALESCE(r.finished_at, r.created_at) <= CASE r.state
       WHEN 'succeeded' THEN ?1 WHEN 'skipped' THEN ?2 WHEN 'discarded' THEN ?3 WHEN 'dead' THEN ?4 END, 0))";

/// Of the message `m`: a run of it goes on, or its writes are still looked for.
const OPEN: &str = "EXISTS (SELECT 1 FROM events e JOIN runs r ON r.event = e.id
     WHERE e.message = m.id AND (r.state NOT IN ('succeeded', 'skipped', 'discarded', 'dead')
       OR EXISTS (SELECT 1 FROM writes x WHERE x.run = r.id)))";

pub(super) fn over(c: &Connection, x: &Over) -> Result<OverPage> {
    let after = x.after.map_or([0; 16], |id| *id.as_bytes());
    let looked = |r: &Row<'_>| Ok((id(r, 0, MessageId::from_slice)?, r.get::<_, bool>(1)?));
    let pages: Vec<(MessageId, bool)> = match x.what {
        OverWhat::Contents { succeeded, skipped, discarded, dead, unparsable } => {
            let latest = [succeeded, skipped, discarded, dead, unparsable].into_iter().flatten().max();
            let Some(latest) = latest else { return Ok(OverPage::default()) };
            let sql = format!(
                "SELECT m.id, NOT {HELD} AND NOT {STILL}
                   AND (m.received_at <= ?5 OR EXISTS (SELECT 1 FROM events e WHERE e.message = m.id))
                 FROM data_keys k CROSS JOIN messages m ON m.id = k.message
                 WHERE k.message > ?6 AND k.message < ?7 AND k.tenant = ?8 ORDER BY k.message LIMIT ?9"
            );
            let [a, b, d, e, f] = [succeeded, skipped, discarded, dead, unparsable].map(|t| t.map(|t| t.0));
            let until = MessageId::earliest(Time(latest.0.saturating_add(1000)));
            all(c, &sql, params![a, b, d, e, f, after, until, x.tenant.as_str(), x.limit], looked)?
        }
        OverWhat::Records(before) => {
            let sql = format!(
                "SELECT m.id, NOT {HELD} AND NOT {OPEN} AND m.received_at <= ?1
                 FROM messages m
                 WHERE m.id > ?2 AND m.id < ?3 AND m.tenant = ?4
                   AND NOT EXISTS (SELECT 1 FROM data_keys k WHERE k.message = m.id) ORDER BY m.id LIMIT ?5"
            );
            let until = MessageId::earliest(Time(before.0.saturating_add(1000)));
            all(c, &sql, params![before.0, after, until, x.tenant.as_str(), x.limit], looked)?
        }
    };
    let full = pages.len() >= x.limit as usize;
    Ok(OverPage {
        next: pages.last().filter(|_| full).map(|(id, _)| *id),
        messages: pages.into_iter().filter_map(|(id, over)| over.then_some(id)).collect(),
    })
}

/// Whether the time of this one is still over.
fn is_over(c: &Connection, which: MessageId, x: &Over) -> Result<bool> {
    // The page that has only this one in it.
    let before =
        MessageId::from_slice(&(u128::from_be_bytes(*which.as_bytes()).wrapping_sub(1)).to_be_bytes());
    let Ok(before) = before else { return Ok(false) };
    let page = over(c, &Over { after: Some(before), limit: 1, ..x.clone() })?;
    Ok(page.messages.first() == Some(&which))
}

pub(super) fn shred(c: &Connection, which: &[MessageId], x: &Over) -> Result<u64> {
    let mut shredded = 0;
    for message in which {
        if !is_over(c, *message, x)? {
            continue;
        }
        let key = message.as_bytes();
        // Without its key, ciphertext is noise; it goes besides, since noise takes room.
        for sql in [
            "DELETE FROM data_keys WHERE message = ?1",
            "UPDATE messages SET sealed_payload = x'' WHERE id = ?1",
            "UPDATE events SET sealed_typed = x'' WHERE message = ?1",
            "UPDATE steps SET fingerprint = zeroblob(32), sealed_request = x'', sealed_plan = NULL, sealed_result = NULL
             WHERE run IN (SELECT r.id FROM events e JOIN runs r ON r.event = e.id WHERE e.message = ?1)",
            "DELETE FROM run_output
             WHERE run IN (SELECT r.id FROM events e JOIN runs r ON r.event = e.id WHERE e.message = ?1)",
            // A dead one goes on holding up those that come after it.
            "UPDATE runs SET sealed_seed = x'', sealed_result = NULL, sealed_failure = NULL, sealed_note = NULL,
               order_key = CASE WHEN state = 'dead' THEN order_key END
             WHERE event IN (SELECT id FROM events WHERE message = ?1)",
        ] {
            run(c, sql, params![key])?;
        }
        shredded += 1;
    }
    Ok(shredded)
}

pub(super) fn forget(c: &Connection, which: &[MessageId], x: &Over) -> Result<u64> {
    let mut forgotten = 0;
    for message in which {
        if !is_over(c, *message, x)? {
            continue;
        }
        let key = message.as_bytes();
        for sql in [
            "DELETE FROM steps
             WHERE run IN (SELECT r.id FROM events e JOIN runs r ON r.event = e.id WHERE e.message = ?1)",
            "DELETE FROM run_output
             WHERE run IN (SELECT r.id FROM events e JOIN runs r ON r.event = e.id WHERE e.message = ?1)",
            "DELETE FROM runs WHERE event IN (SELECT id FROM events WHERE message = ?1)",
            "DELETE FROM events WHERE message = ?1",
            "DELETE FROM messages WHERE id = ?1",
        ] {
            run(c, sql, params![key])?;
        }
        forgotten += 1;
    }
    Ok(forgotten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);
    const NOW: Time = Time(1_800_000_000_000_000);

    fn ago(days: u32) -> Time {
        Time(NOW.0 - i64::try_from((DAY * days).as_micros()).unwrap())
    }

    /// A store with a workflow, and a message with a run in each of these states, that ended so many days ago.
    fn store(runs: &[(&str, u32)]) -> Connection {
        let c = Connection::open_in_memory().unwrap();
        c.execute_batch(include_str!("schema.sql")).unwrap();
        c.execute_batch(
            "INSERT INTO tenants VALUES ('default', x'', 0);
             INSERT INTO connections (id, tenant, name, base_url, client_id, sealed_secret, created_at)
               VALUES (zeroblob(16), 'default', 'c', '', '', x'', 0);
             INSERT INTO workflows (id, tenant, name, state, active_version, created_at)
               VALUES (zeroblob(16), 'default', 'w', 'active', 1, 0);",
        )
        .unwrap();
        for (n, (state, days)) in runs.iter().enumerate() {
            let mut key = MessageId::earliest(ago(*days));
            key[15] = u8::try_from(n).unwrap();
            let at = ago(*days).0;
            for sql in [
                "INSERT INTO messages (id, tenant, workflow, state, size, sealed_payload, received_at)
                   VALUES (?1, 'default', zeroblob(16), 'stored', 1, x'01', ?2)",
                "INSERT INTO data_keys SELECT ?1, 'default', x'02' WHERE ?2",
            ] {
                c.execute(sql, params![key, at]).unwrap();
            }
            if state.is_empty() {
                continue;
            }
            for sql in [
                "INSERT INTO events (id, tenant, message, position, kind, table_name, event_date, sealed_typed, created_at)
                   VALUES (?1, 'default', ?1, 0, 'record-insert', 'T', '', x'03', ?2)",
                "INSERT INTO steps (run, number, tenant, action, effect, state, fingerprint, sealed_request, sealed_result,
                     elapsed_us, calls, started_at)
                   VALUES (?1, 1, 'default', 'records.list', 0, 'done', x'04', x'05', x'06', 0, 0, ?2)",
                "INSERT INTO run_output VALUES (?1, 1, 'default', x'07', 0, ?2)",
            ] {
                if sql.contains("INTO steps") {
                    let sql = "INSERT INTO runs (id, tenant, event, message, workflow, connection, state, journal_version,
                                 run_start, sealed_seed, sealed_failure, created_at, finished_at)
                               VALUES (?1, 'default', ?1, ?1, zeroblob(16), zeroblob(16), ?3, 1, 0, x'08', x'09', ?2, ?2)";
                    c.execute(sql, params![key, at, state]).unwrap();
                }
                c.execute(sql, params![key, at]).unwrap();
            }
        }
        c
    }

    fn contents(dead: Option<Time>) -> Over {
        let thirty = Some(ago(30));
        let what = OverWhat::Contents {
            succeeded: thirty,
            skipped: Some(ago(10)),
            discarded: thirty,
            dead,
            unparsable: Some(ago(90)),
        };
        Over { tenant: "default".parse().unwrap(), what, after: None, limit: 2 }
    }

    /// What is over, page by page, as the last byte of the ids.
    fn all_over(c: &Connection, x: &Over) -> Vec<MessageId> {
        let (mut found, mut x) = (Vec::new(), x.clone());
        loop {
            let page = over(c, &x).unwrap();
            found.extend(page.messages);
            match page.next {
                Some(next) => x.after = Some(next),
                None => return found,
            }
        }
    }

    fn last_bytes(ids: &[MessageId]) -> Vec<u8> {
        let mut bytes: Vec<u8> = ids.iter().map(|id| id.as_bytes()[15]).collect();
        bytes.sort_unstable();
        bytes
    }

    fn number(c: &Connection, sql: &str) -> i64 {
        c.query_row(sql, [], |r| r.get(0)).unwrap()
    }

    #[test]
    fn each_state_has_its_own_time() {
        let runs = [
            ("succeeded", 31),
            ("succeeded", 29),
            ("skipped", 11),
            ("skipped", 9),
            ("discarded", 40),
            ("dead", 3000),
            ("parked", 3000),
            ("queued", 3000),
            ("running", 3000),
            ("sleeping", 3000),
            ("", 91),
            ("", 89),
        ];
        let c = store(&runs);
        assert_eq!(last_bytes(&all_over(&c, &contents(None))), [0, 2, 4, 10]);
        assert_eq!(last_bytes(&all_over(&c, &contents(Some(ago(30))))), [0, 2, 4, 5, 10]);
    }

    #[test]
    fn nothing_is_left_of_contents_and_the_record_says_how_it_ended() {
        let c = store(&[("succeeded", 31), ("succeeded", 1)]);
        let due = all_over(&c, &contents(None));
        // The second one is named, but its time is not over.
        let mut named = due.clone();
        named.push(
            MessageId::from_slice(&{
                let mut key = MessageId::earliest(ago(1));
                key[15] = 1;
                key
            })
            .unwrap(),
        );
        assert_eq!(shred(&c, &named, &contents(None)).unwrap(), 1);
        assert_eq!(shred(&c, &due, &contents(None)).unwrap(), 0, "it is done once");
        assert_eq!(number(&c, "SELECT count(*) FROM data_keys"), 1);
        let left = "SELECT count(*) FROM messages m JOIN events e ON e.message = m.id JOIN runs r ON r.event = e.id
                      JOIN steps s ON s.run = r.id
                    WHERE m.sealed_payload = x'' AND e.sealed_typed = x'' AND r.sealed_seed = x'' AND r.sealed_failure IS NULL
                      AND s.sealed_request = x'' AND s.sealed_result IS NULL AND s.fingerprint = zeroblob(32)
                      AND r.state = 'succeeded' AND s.action = 'records.list'";
        assert_eq!(number(&c, left), 1);
        assert_eq!(number(&c, "SELECT count(*) FROM run_output"), 1);
    }

    #[test]
    fn records_go_after_their_contents_and_never_before() {
        let c = store(&[("succeeded", 500), ("dead", 500), ("succeeded", 300)]);
        let records = Over { what: OverWhat::Records(ago(400)), ..contents(None) };
        assert_eq!(all_over(&c, &records), []);
        let due = all_over(&c, &contents(None));
        assert_eq!(shred(&c, &due, &contents(None)).unwrap(), 2);
        let due = all_over(&c, &records);
        assert_eq!((last_bytes(&due), forget(&c, &due, &records).unwrap()), (vec![0], 1));
        for table in ["messages", "events", "runs", "steps", "run_output"] {
            let left = number(&c, &format!("SELECT count(*) FROM {table}"));
            assert_eq!(left, if table == "run_output" { 1 } else { 2 }, "{table}");
        }
    }

    #[test]
    fn holds_keep_a_run_a_workflow_or_all() {
        let c = store(&[("succeeded", 500), ("succeeded", 500)]);
        let run: [u8; 16] = c.query_row("SELECT id FROM runs ORDER BY id LIMIT 1", [], |r| r.get(0)).unwrap();
        let hold = |workflow: Option<[u8; 16]>, run: Option<[u8; 16]>| {
            c.execute("DELETE FROM holds", []).unwrap();
            let sql = "INSERT INTO holds VALUES ('default', 'h', ?1, ?2, x'', 0)";
            c.execute(sql, params![workflow, run]).unwrap();
            last_bytes(&all_over(&c, &contents(None)))
        };
        let workflow = WorkflowId::from_slice(&[0; 16]).unwrap();
        assert_eq!(hold(None, Some(run)), [1]);
        assert_eq!(holding(&c, workflow).unwrap().as_deref(), Some("h"));
        assert_eq!(hold(Some([0; 16]), None), [] as [u8; 0]);
        assert_eq!(hold(None, None), [] as [u8; 0]);
        assert_eq!(shred(&c, &[MessageId::from_slice(&run).unwrap()], &contents(None)).unwrap(), 0);
        assert_eq!(hold(None, Some([9; 16])), [0, 1], "of another run");
        assert_eq!(holding(&c, workflow).unwrap(), None);
    }
}
