//! What a claim and a start cost beside a store full of other runs, counted in steps of SQLite's machine, not in time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, StatementStatus, params};

use crate::clock::Time;
use crate::model::{ConnectionId, TenantId, WorkflowId};
use crate::store::{Claim, Claimed, NewVersion, ShareSettings, Shares};

use super::{lanes, open, runs, setup};

/// Of all statements since it was taken last. Tests of this file run one at a time.
static STEPS: AtomicI64 = AtomicI64::new(0);
static ALONE: Mutex<()> = Mutex::new(());

fn count(event: TraceEvent<'_>) {
    if let TraceEvent::Profile(statement, _) = event {
        STEPS.fetch_add(i64::from(statement.get_status(StatementStatus::VmStep)), Ordering::Relaxed);
    }
}

struct Bench {
    c: Connection,
    connection: ConnectionId,
    shares: Mutex<Shares>,
    _folder: tempfile::TempDir,
}

const NOW: i64 = 1_000_000_000;

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let c = open::writer(&folder.path().join("caspian.db")).unwrap();
        let connection = ConnectionId::new();
        setup::add_tenant(&c, &TenantId::DEFAULT.parse().unwrap(), b"key", Time(0)).unwrap();
        let sql = "INSERT INTO connections (id, tenant, name, base_url, client_id, sealed_secret, created_at)
                   VALUES (?1, 'default', 'clinic', 'https://c1.caspio.com', 'id', x'00', 0)";
        c.execute(sql, params![connection.as_bytes()]).unwrap();
        let sql = "INSERT INTO data_keys (message, tenant, wrapped) VALUES (zeroblob(16), 'default', x'00')";
        c.execute(sql, []).unwrap();
        lanes::open(&c).unwrap();
        Self { c, connection, shares: Mutex::default(), _folder: folder }
    }

    fn workflow(&self, name: &str, sections: &str) -> WorkflowId {
        let version = NewVersion {
            tenant: TenantId::DEFAULT.parse().unwrap(),
            name: name.to_owned(),
            manifest: format!(
                "name = \"{name}\"\ncomponent = \"x.wasm\"\n[[trigger]]\nevent = \"record-insert\"\ntable = \"T\"\n{sections}"
            ),
            component: [0; 32],
            connection: self.connection,
            contract: String::new(),
            actor: "admin".to_owned(),
            at: Time(0),
        };
        let workflow = setup::deploy(&self.c, &version).unwrap().workflow;
        let sql = "INSERT INTO messages (id, tenant, workflow, state, size, sealed_payload, received_at)
                   VALUES (zeroblob(16), 'default', ?1, 'stored', 0, x'00', 0) ON CONFLICT DO NOTHING";
        self.c.execute(sql, params![workflow.as_bytes()]).unwrap();
        let sql = "INSERT INTO events (id, tenant, message, position, kind, table_name, pk_id, event_date,
                     sealed_typed, created_at)
                   VALUES (?1, 'default', zeroblob(16), (SELECT COUNT(*) FROM events), 'record-insert', 'T', 1,
                     '2026-01-01T00:00:00', x'00', 0)";
        self.c.execute(sql, params![workflow.as_bytes()]).unwrap();
        workflow
    }

    /// Runs in a state, the first of them at this time.
    fn runs(&self, workflow: WorkflowId, count: u32, state: &str, next_at: Option<i64>) {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
                   INSERT INTO runs (id, tenant, event, message, workflow, connection, generation, state, next_at,
                     journal_version, run_start, sealed_seed, created_at)
                   SELECT randomblob(16), 'default', ?1, zeroblob(16), ?1, ?2,
                     i + (SELECT COALESCE(MAX(generation), 0) FROM runs WHERE workflow = ?1), ?4, ?5 + i, 1, 0, x'00', 0
                   FROM n";
        let key = (workflow.as_bytes(), self.connection.as_bytes());
        let tx = self.c.unchecked_transaction().unwrap();
        self.c.execute(sql, params![key.0, key.1, count, state, next_at]).unwrap();
        tx.commit().unwrap();
    }

    /// Runs one after another, of which the first is due.
    fn in_order(&self, workflow: WorkflowId, count: u32, key: u8) {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
                   INSERT INTO runs (id, tenant, event, message, workflow, connection, generation, state, next_at, cause,
                     journal_version, run_start, sealed_seed, created_at, order_key, place)
                   SELECT randomblob(16), 'default', ?1, zeroblob(16), ?1, ?2,
                     i + (SELECT COALESCE(MAX(generation), 0) FROM runs WHERE workflow = ?1), 'queued',
                     CASE WHEN i = 1 THEN 0 END, CASE WHEN i > 1 THEN 'order' END, 1, 0, x'00', 0, ?4, i
                   FROM n";
        let of = (workflow.as_bytes(), self.connection.as_bytes());
        let tx = self.c.unchecked_transaction().unwrap();
        self.c.execute(sql, params![of.0, of.1, count, [key; 32]]).unwrap();
        tx.commit().unwrap();
    }

    /// The runs under way change their state.
    fn end(&self, state: &str) {
        let sql = "UPDATE runs SET state = ?1, next_at = CASE WHEN ?1 = 'queued' THEN 0 END WHERE state = 'running'";
        self.c.execute(sql, params![state]).unwrap();
    }

    fn claim(&self, limit: usize) -> Claimed {
        let shares =
            ShareSettings { tenant_weights: Default::default(), max_weight: 10, runs_per_host: 1000 };
        let claim = Claim {
            owner: "test".to_owned(),
            limit,
            now: Time(NOW),
            lease_until: Time(NOW),
            blocked: Vec::new(),
            no_calls_left: Vec::new(),
            shares: shares.into(),
        };
        runs::claim(&self.c, &claim, &self.shares).unwrap()
    }

    /// Steps of what is done.
    fn steps<T>(&mut self, work: impl FnOnce(&Self) -> T) -> (i64, T) {
        self.c.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(count)).unwrap();
        STEPS.store(0, Ordering::Relaxed);
        let done = work(self);
        let steps = STEPS.swap(0, Ordering::Relaxed);
        self.c.trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>).unwrap();
        assert!(steps > 0);
        (steps, done)
    }
}

/// How many of the runs are whose.
fn of(claimed: &Claimed, workflow: WorkflowId) -> usize {
    claimed.runs.iter().filter(|run| run.workflow == workflow).count()
}

#[test]
fn a_claim_and_a_start_cost_the_same_beside_a_full_store() {
    let _alone = ALONE.lock().unwrap();
    let mut costs = Vec::new();
    for more in [0, 30_000] {
        let mut bench = Bench::new();
        let (flood, single) = (bench.workflow("flood", ""), bench.workflow("single", ""));
        bench.runs(flood, 20 + more, "queued", Some(0));
        if more > 0 {
            bench.runs(flood, more, "sleeping", Some(NOW + 10));
            bench.runs(flood, 2 * more, "succeeded", None);
        }
        bench.runs(single, 1, "queued", Some(NOW - 10));
        let (claim, claimed) = bench.steps(|bench| bench.claim(8));
        assert_eq!((of(&claimed, flood), of(&claimed, single)), (7, 1), "the flood does not hold up the one");
        let (idle, claimed) = bench.steps(|bench| bench.claim(0));
        assert!(claimed.runs.is_empty());
        bench.c.execute_batch("DROP TRIGGER lanes_new; DROP TRIGGER lanes_again; DROP TABLE lanes").unwrap();
        let (start, _) = bench.steps(|bench| {
            lanes::open(&bench.c).unwrap();
            runs::recover(&bench.c, Time(NOW), 10).unwrap()
        });
        costs.push([claim, idle, start]);
    }
    for (empty, full) in costs[0].iter().zip(costs[1]) {
        assert!(full <= empty * 2, "steps in an empty and a full store: {costs:?}");
    }
}

#[test]
fn the_next_of_an_order_costs_the_same_however_many_wait() {
    let _alone = ALONE.lock().unwrap();
    let mut costs = Vec::new();
    for more in [0, 20_000] {
        let mut bench = Bench::new();
        let workflow = bench.workflow("w", "[order]\nby = \"record\"\n");
        bench.in_order(workflow, 10 + more, 1);
        bench.in_order(workflow, 10 + more, 2);
        let (steps, _) = bench.steps(|bench| {
            for state in ["queued", "succeeded", "discarded", "dead"] {
                let claimed = bench.claim(8);
                assert_eq!(of(&claimed, workflow), 2, "{state}: one of each order");
                bench.end(state);
            }
            assert_eq!(bench.claim(8).runs.len(), 0, "behind a dead one");
            assert_eq!(bench.claim(8).next_at, None);
        });
        costs.push(steps);
    }
    assert!(costs[1] <= costs[0] * 2, "steps with few and with many that wait: {costs:?}");
}

#[test]
fn a_workflow_has_no_more_runs_under_way_than_it_may() {
    let _alone = ALONE.lock().unwrap();
    let bench = Bench::new();
    let (narrow, wide) = (bench.workflow("narrow", "[run]\nconcurrency = 2\n"), bench.workflow("wide", ""));
    bench.runs(narrow, 5, "queued", Some(0));
    bench.runs(wide, 5, "queued", Some(0));
    let claimed = bench.claim(20);
    assert_eq!((of(&claimed, narrow), of(&claimed, wide)), (2, 5));
    assert!(bench.claim(20).runs.is_empty());
    // As after a restart: the limit is counted from what is under way.
    let sql = "UPDATE runs SET state = 'succeeded' WHERE id = ?1";
    let run = claimed.runs.iter().find(|run| run.workflow == narrow).unwrap();
    bench.c.execute(sql, params![run.id.as_bytes()]).unwrap();
    assert_eq!(of(&bench.claim(20), narrow), 1);
}

#[test]
fn queues_know_when_their_first_run_is_due() {
    let _alone = ALONE.lock().unwrap();
    let bench = Bench::new();
    let workflow = bench.workflow("w", "");
    bench.runs(workflow, 2, "sleeping", Some(NOW + 100));
    assert_eq!(bench.claim(9).next_at, Some(Time(NOW + 101)));
    bench.runs(workflow, 1, "queued", Some(NOW + 10));
    assert_eq!(bench.claim(9).next_at, Some(Time(NOW + 11)));
    bench.c.execute("UPDATE runs SET next_at = 5 WHERE state = 'sleeping'", []).unwrap();
    assert_eq!(bench.claim(9).runs.len(), 2);
    bench.c.execute("UPDATE workflows SET state = 'paused'", []).unwrap();
    assert_eq!(bench.claim(9).next_at, None, "a paused one wakes nobody");
}
