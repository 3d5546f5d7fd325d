//! Fills a host's store with the runs of a month, as a host of its age would have them: one message, event and run each,
//! steps of some.
//!
//! Written by SQL, in one transaction, while no host runs; what would be sealed is random bytes of the same length. Ids
//! begin with their time, as the host's own, and so come in order.

use std::path::Path;
use std::time::SystemTime;

use rusqlite::{Connection, params};

/// Runs in the store.
pub const FINISHED: u32 = 1_000_000;
/// Those that sleep until some time in the next month.
pub const SLEEPING: u32 = 100_000;

const MONTH_US: i64 = 30 * 24 * 3600 * 1_000_000;

/// `n` counts the runs from 1; `at` is when they came; one in eleven sleeps; every thousandth is dead, and every
/// fourth of the others has its step.
const NUMBERS: &str = "
CREATE TEMP TABLE ways AS
  SELECT row_number() OVER () - 1 AS way, w.id AS workflow, w.tenant AS tenant, h.id AS webhook, h.connection AS connection
  FROM workflows w JOIN webhooks h ON h.workflow = w.id;
CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY, at INTEGER, id TEXT, state TEXT, way INTEGER);
WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?1)
INSERT INTO numbers
  SELECT n, ?2 + n * ?3, printf('%012x', (?2 + n * ?3) / 1000),
    CASE WHEN n % ?4 = 0 THEN 'sleeping' WHEN n % 1000 = 1 THEN 'dead' ELSE 'succeeded' END,
    n % (SELECT COUNT(*) FROM ways)
  FROM counted;";

const ROWS: [&str; 5] = [
    "INSERT INTO messages (id, tenant, workflow, webhook, message_id, state, size, sealed_payload, received_at)
     SELECT unhex(id || printf('7000%016x', n)), tenant, workflow, webhook, id || hex(randomblob(10)), 'stored', 440,
       randomblob(500), at
     FROM numbers JOIN ways USING (way) ORDER BY n",
    "INSERT INTO data_keys (message, tenant, wrapped)
     SELECT unhex(id || printf('7000%016x', n)), tenant, randomblob(90) FROM numbers JOIN ways USING (way) ORDER BY n",
    "INSERT INTO events (id, tenant, message, position, kind, table_name, pk_id, event_date, sealed_typed, created_at)
     SELECT unhex(id || printf('7001%016x', n)), tenant, unhex(id || printf('7000%016x', n)), 0, 'record-insert', 'Patients',
       n, '2026-01-16T19:52:55', randomblob(400), at
     FROM numbers JOIN ways USING (way) ORDER BY n",
    "INSERT INTO runs (id, tenant, event, message, workflow, connection, version, state, cause, attempts, next_at,
       journal_version, run_start, sealed_seed, sealed_failure, created_at, started_at, finished_at)
     SELECT unhex(id || printf('7002%016x', n)), tenant, unhex(id || printf('7001%016x', n)),
       unhex(id || printf('7000%016x', n)), workflow, connection, 1, state, iif(state = 'dead', 'fatal', NULL), 1,
       iif(state = 'sleeping', ?1 + 3600000000 + n % 1000 * 2592000000, NULL), 1, at, randomblob(90),
       iif(state = 'dead', randomblob(120), NULL), at, at, iif(state = 'sleeping', NULL, at + 3000)
     FROM numbers JOIN ways USING (way) ORDER BY n",
    "INSERT INTO steps (run, number, tenant, action, table_name, effect, state, outcome, affected, fingerprint,
       sealed_request, sealed_plan, sealed_result, elapsed_us, calls, started_at, finished_at)
     SELECT unhex(id || printf('7002%016x', n)), 1, tenant, 'records.create', 'Tasks', 1, 'done', 'ok', 1, randomblob(32),
       randomblob(190), randomblob(100), randomblob(280), 2500, 1, at, at + 2500
     FROM numbers JOIN ways USING (way) WHERE state = 'sleeping' OR n % 4 = 0 ORDER BY n",
];

/// Fills the store of this data folder. How many bytes it has then.
pub fn fill(data: &Path) -> anyhow::Result<u64> {
    let file = caspian::config::DataDir::new(data).database();
    let mut store = Connection::open(&file)?;
    // Nothing here has to survive a crash.
    store.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -524288;
         PRAGMA temp_store = MEMORY; PRAGMA locking_mode = EXCLUSIVE;",
    )?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = i64::try_from(now.as_micros())?;
    let all = FINISHED + SLEEPING;
    let apart = MONTH_US / i64::from(all);
    let transaction = store.transaction()?;
    for sql in NUMBERS.split_inclusive(';').filter(|sql| !sql.trim().is_empty()) {
        if sql.contains("?1") {
            transaction.execute(sql, params![all, now - MONTH_US, apart, all / SLEEPING])?;
        } else {
            transaction.execute(sql, [])?;
        }
    }
    for sql in ROWS {
        if sql.contains("?1") {
            transaction.execute(sql, params![now])?;
        } else {
            transaction.execute(sql, [])?;
        }
    }
    transaction.commit()?;
    store.execute_batch("DROP TABLE numbers; DROP TABLE ways; PRAGMA journal_mode = WAL;")?;
    Ok(std::fs::metadata(&file)?.len())
}
