-- Version 1. Ids are 16 bytes (UUID), times are microseconds since 1970 in UTC, `sealed_*` is ciphertext.
CREATE TABLE tenants (
    id          TEXT PRIMARY KEY,
    wrapped_key BLOB NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

-- What a tenant wants kept for how long (JSON).
CREATE TABLE retention (
    tenant TEXT PRIMARY KEY REFERENCES tenants (id),
    wanted TEXT NOT NULL
) STRICT;

-- Legal holds: of a run's message, of all messages of a workflow, or (neither) of the tenant.
CREATE TABLE holds (
    tenant        TEXT NOT NULL REFERENCES tenants (id),
    name          TEXT NOT NULL,
    workflow      BLOB REFERENCES workflows (id),
    run           BLOB,
    sealed_reason BLOB NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT;

-- Tokens of the control API; only their SHA-256 is kept.
CREATE TABLE api_tokens (
    hash       BLOB PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    scope      TEXT NOT NULL,
    tenant     TEXT REFERENCES tenants (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE connections (
    id            BLOB PRIMARY KEY,
    tenant        TEXT NOT NULL REFERENCES tenants (id),
    name          TEXT NOT NULL,
    base_url      TEXT NOT NULL,
    client_id     TEXT NOT NULL,
    sealed_secret BLOB NOT NULL,
    -- Calls a UTC day and month beyond which runs wait; none: no budget.
    calls_per_day   INTEGER,
    calls_per_month INTEGER,
    created_at    INTEGER NOT NULL,
    -- Removed ones stay as long as versions name them, without their secret.
    removed_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX connections_named ON connections (tenant, name) WHERE removed_at IS NULL;

CREATE TABLE workflows (
    id             BLOB PRIMARY KEY,
    tenant         TEXT NOT NULL REFERENCES tenants (id),
    name           TEXT NOT NULL,
    state          TEXT NOT NULL,
    active_version INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    -- Deleted ones stay as long as their runs are listed.
    deleted_at     INTEGER
) STRICT;
CREATE INDEX workflows_paused ON workflows (id) WHERE state = 'paused';
CREATE UNIQUE INDEX workflows_named ON workflows (tenant, name) WHERE deleted_at IS NULL;

CREATE TABLE workflow_versions (
    workflow   BLOB NOT NULL REFERENCES workflows (id),
    number     INTEGER NOT NULL,
    tenant     TEXT NOT NULL,
    manifest   TEXT NOT NULL,
    component  BLOB NOT NULL,
    connection BLOB NOT NULL REFERENCES connections (id),
    -- The contract that its component was checked against.
    contract   TEXT NOT NULL,
    -- Who deployed it, and the version that was active until then.
    actor      TEXT NOT NULL,
    before     INTEGER,
    created_at INTEGER NOT NULL,
    -- Of the manifest, for claims. The active version's count for all runs.
    weight      INTEGER NOT NULL,
    concurrency INTEGER,
    -- Events with the same order key run one after another: `block` or `go-on` behind a dead or parked one.
    ordered     TEXT,
    skips_stale INTEGER NOT NULL,
    PRIMARY KEY (workflow, number)
) STRICT;

CREATE TABLE webhooks (
    id               BLOB PRIMARY KEY,
    tenant           TEXT NOT NULL,
    workflow         BLOB NOT NULL REFERENCES workflows (id),
    connection       BLOB NOT NULL REFERENCES connections (id),
    name             TEXT NOT NULL,
    url_hash         BLOB NOT NULL UNIQUE,
    sealed_url_id    BLOB NOT NULL,
    stage            TEXT NOT NULL,
    caspio_id        TEXT,
    sealed_secret    BLOB,
    pinned_signature TEXT,
    -- A tombstone: when it ends. Retiring: when it is removed.
    tombstone_until  INTEGER,
    -- The public URL of this host that Caspio was told last.
    public_url       TEXT,
    -- Another webhook of the workflow took its place; its messages count on.
    replaced         INTEGER NOT NULL DEFAULT 0,
    -- When it was last compared with Caspio, and what could not be mended then.
    checked_at       INTEGER,
    trouble          TEXT,
    rejected_count   INTEGER NOT NULL DEFAULT 0,
    rejected_reason  TEXT,
    rejected_at      INTEGER,
    created_at       INTEGER NOT NULL
) STRICT;
-- One webhook per workflow; besides, those whose place it took, and tombstones.
CREATE UNIQUE INDEX webhooks_one ON webhooks (workflow) WHERE stage NOT IN ('retiring', 'tombstone');
CREATE INDEX webhooks_replaced ON webhooks (workflow) WHERE replaced;

-- Two webhooks of a workflow may tell of the same change: its keyed fingerprint, and how often each told of it.
CREATE TABLE twins (
    workflow    BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    webhook     BLOB NOT NULL,
    tenant      TEXT NOT NULL,
    seen        INTEGER NOT NULL,
    PRIMARY KEY (workflow, fingerprint, webhook)
) STRICT, WITHOUT ROWID;

CREATE TABLE triggers (
    webhook    BLOB NOT NULL REFERENCES webhooks (id),
    position   INTEGER NOT NULL,
    tenant     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    table_name TEXT NOT NULL,
    fields     TEXT NOT NULL,
    sources    TEXT NOT NULL,
    batch      INTEGER NOT NULL,
    caspio_id  TEXT,
    schema     TEXT NOT NULL,
    -- How its table is swept (JSON); none: not at all.
    reconcile  TEXT,
    PRIMARY KEY (webhook, position)
) STRICT;

-- What workflows keep from run to run. A key is found by its keyed hash; key and value are sealed.
CREATE TABLE state (
    workflow     BLOB NOT NULL REFERENCES workflows (id),
    key_hash     BLOB NOT NULL,
    tenant       TEXT NOT NULL,
    -- Another one with every change.
    version      INTEGER NOT NULL,
    -- Bytes of key and value in clear.
    size         INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    sealed_key   BLOB NOT NULL,
    sealed_value BLOB NOT NULL,
    PRIMARY KEY (workflow, key_hash)
) STRICT;

-- How much that is.
CREATE TABLE state_use (
    workflow BLOB PRIMARY KEY REFERENCES workflows (id),
    tenant   TEXT NOT NULL,
    keys     INTEGER NOT NULL,
    bytes    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Dropping a row here makes everything that belongs to the message unreadable.
CREATE TABLE data_keys (
    message BLOB PRIMARY KEY,
    tenant  TEXT NOT NULL,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    id             BLOB PRIMARY KEY,
    tenant         TEXT NOT NULL,
    workflow       BLOB NOT NULL,
    -- None: sent by a person.
    webhook        BLOB,
    message_id     TEXT,
    state          TEXT NOT NULL,
    reason         TEXT,
    size           INTEGER NOT NULL,
    sealed_payload BLOB NOT NULL,
    -- W3C traceparent of the span in which it came.
    trace          TEXT,
    received_at    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_once ON messages (tenant, webhook, message_id) WHERE message_id IS NOT NULL;
CREATE INDEX messages_of_workflow ON messages (workflow, state);

CREATE TABLE events (
    id           BLOB PRIMARY KEY,
    tenant       TEXT NOT NULL,
    message      BLOB NOT NULL REFERENCES messages (id),
    position     INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    table_name   TEXT NOT NULL,
    pk_id        INTEGER,
    event_date   TEXT NOT NULL,
    reconciled   INTEGER NOT NULL DEFAULT 0,
    -- The run and step whose write it is; of several, the deepest.
    caused_by    BLOB,
    caused_step  INTEGER,
    -- Each of its rows is surely a write of a run.
    all_own      INTEGER NOT NULL DEFAULT 0,
    sealed_typed BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    UNIQUE (message, position)
) STRICT;

CREATE TABLE runs (
    id              BLOB PRIMARY KEY,
    tenant          TEXT NOT NULL,
    event           BLOB NOT NULL REFERENCES events (id),
    message         BLOB NOT NULL,
    workflow        BLOB NOT NULL REFERENCES workflows (id),
    connection      BLOB NOT NULL,
    generation      INTEGER NOT NULL DEFAULT 1,
    origin          BLOB,
    version         INTEGER,
    state           TEXT NOT NULL,
    cause           TEXT,
    attempts        INTEGER NOT NULL DEFAULT 0,
    wakeups         INTEGER NOT NULL DEFAULT 0,
    shutdowns       INTEGER NOT NULL DEFAULT 0,
    host_crashes    INTEGER NOT NULL DEFAULT 0,
    waiting_step    INTEGER,
    waiting_tries   INTEGER,
    next_at         INTEGER,
    lease_owner     TEXT,
    lease_until     INTEGER,
    -- The attempt that was begun last, as its guest was told; and what it wrote, when it came to its end.
    tried           INTEGER NOT NULL DEFAULT 0,
    last_output     INTEGER,
    journal_version INTEGER NOT NULL,
    run_start       INTEGER NOT NULL,
    sealed_seed     BLOB NOT NULL,
    depth           INTEGER NOT NULL DEFAULT 0,
    self_depth      INTEGER NOT NULL DEFAULT 0,
    sealed_result   BLOB,
    sealed_failure  BLOB,
    -- Why a person gave it up.
    sealed_note     BLOB,
    -- Keyed fingerprint of what it shares with the runs that come one after another, and its place among them.
    order_key       BLOB,
    place           INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    started_at      INTEGER,
    finished_at     INTEGER,
    UNIQUE (event, workflow, generation)
) STRICT;
-- A queue each workflow and connection: a claim looks at heads of queues only (`lanes`).
CREATE INDEX runs_due ON runs (workflow, connection, next_at)
    WHERE state IN ('queued', 'sleeping') AND next_at IS NOT NULL;
CREATE INDEX runs_running ON runs (workflow, connection) WHERE state = 'running';
CREATE INDEX runs_waiting ON runs (workflow, cause) WHERE state = 'queued' AND cause IS NOT NULL;
CREATE INDEX runs_in_order ON runs (workflow, order_key, place)
    WHERE order_key IS NOT NULL AND state NOT IN ('succeeded', 'skipped', 'discarded');
CREATE INDEX runs_of_workflow ON runs (workflow, state, id);
CREATE INDEX runs_of_origin ON runs (origin) WHERE origin IS NOT NULL;
CREATE INDEX runs_of_tenant ON runs (tenant, id);
-- Few of many: those that wait for something, and those that wait for a person.
CREATE INDEX runs_by_cause ON runs (cause, connection) WHERE state = 'queued' AND cause IS NOT NULL;
CREATE INDEX runs_letters ON runs (tenant, id) WHERE state IN ('dead', 'parked');

CREATE TABLE steps (
    run            BLOB NOT NULL REFERENCES runs (id),
    number         INTEGER NOT NULL,
    tenant         TEXT NOT NULL,
    action         TEXT NOT NULL,
    table_name     TEXT,
    effect         INTEGER NOT NULL,
    state          TEXT NOT NULL,
    outcome        TEXT,
    affected       INTEGER,
    fingerprint    BLOB NOT NULL,
    sealed_request BLOB NOT NULL,
    sealed_plan    BLOB,
    sealed_result  BLOB,
    elapsed_us     INTEGER NOT NULL,
    calls          INTEGER NOT NULL,
    started_at     INTEGER NOT NULL,
    finished_at    INTEGER,
    PRIMARY KEY (run, number)
) STRICT;

-- A run that waits in order (cause `order`) has no time at which it is due. Whatever ends or puts off a run before it
-- makes the first that waits due, which then waits again if there is another one to wait for (`order`). The `+` keeps SQLite to
-- the index by place.
CREATE TRIGGER order_moved AFTER UPDATE OF state ON runs
WHEN NEW.order_key IS NOT NULL AND NEW.state <> OLD.state AND NEW.state <> 'running'
BEGIN
    UPDATE runs SET cause = NULL, next_at = created_at WHERE id =
        (SELECT o.id FROM runs o
         WHERE o.workflow = NEW.workflow AND o.order_key = NEW.order_key
           AND o.state NOT IN ('succeeded', 'skipped', 'discarded') AND o.state = 'queued' AND +o.cause = 'order'
           -- One that is put off lets only those go that came before it.
           AND o.place < CASE WHEN NEW.state IN ('queued', 'sleeping') THEN NEW.place ELSE 9223372036854775807 END
         ORDER BY o.place LIMIT 1);
END;
CREATE TRIGGER order_purged AFTER DELETE ON runs WHEN OLD.order_key IS NOT NULL
BEGIN
    UPDATE runs SET cause = NULL, next_at = created_at WHERE id =
        (SELECT o.id FROM runs o
         WHERE o.workflow = OLD.workflow AND o.order_key = OLD.order_key
           AND o.state NOT IN ('succeeded', 'skipped', 'discarded') AND o.state = 'queued' AND +o.cause = 'order'
         ORDER BY o.place LIMIT 1);
END;
-- Another version may order otherwise.
CREATE TRIGGER order_changed AFTER UPDATE OF active_version ON workflows
BEGIN
    UPDATE runs SET cause = NULL, next_at = created_at
    WHERE workflow = NEW.id AND state = 'queued' AND cause = 'order';
END;

-- The newest event of a record that a workflow is done with, by Caspio's clock, where older ones are stale.
CREATE TABLE done (
    workflow   BLOB NOT NULL,
    table_name TEXT NOT NULL COLLATE NOCASE,
    pk_id      INTEGER NOT NULL,
    tenant     TEXT NOT NULL,
    event_date TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (workflow, table_name, pk_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX done_by_age ON done (at);

-- Lately written by runs, registered with the intent, so that the webhook that each write causes is known as such, and
-- what a sweep finds; kept until neither is to be expected. Of the values there are only keyed fingerprints. `began_at` and `ended_at` are by Caspio's clock.
CREATE TABLE writes (
    run        BLOB NOT NULL REFERENCES runs (id),
    step       INTEGER NOT NULL,
    tenant     TEXT NOT NULL,
    connection BLOB NOT NULL,
    kind       TEXT NOT NULL,
    table_name TEXT NOT NULL COLLATE NOCASE,
    fields     TEXT NOT NULL,
    decided    INTEGER NOT NULL DEFAULT 0,
    pk_known   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    began_at   INTEGER NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (run, step)
) STRICT;
CREATE INDEX writes_without_pk ON writes (tenant, table_name) WHERE pk_known = 0;
CREATE INDEX writes_by_age ON writes (at);

CREATE TABLE written (
    pk_id INTEGER NOT NULL,
    run   BLOB NOT NULL,
    step  INTEGER NOT NULL,
    PRIMARY KEY (pk_id, run, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX written_of_step ON written (run, step);

-- A write of a record accounts for one row a trigger.
CREATE TABLE attributed (
    run      BLOB NOT NULL,
    step     INTEGER NOT NULL,
    pk_id    INTEGER NOT NULL,
    webhook  BLOB NOT NULL,
    position INTEGER NOT NULL,
    event    BLOB NOT NULL,
    PRIMARY KEY (run, step, pk_id, webhook, position)
) STRICT, WITHOUT ROWID;

-- Which writes a row of an event may come from, until that is settled.
CREATE TABLE suspects (
    event    BLOB NOT NULL,
    row      INTEGER NOT NULL,
    -- Of what a sweep found, each field may come from another write.
    part     INTEGER NOT NULL,
    pk_id    INTEGER NOT NULL,
    run      BLOB NOT NULL,
    step     INTEGER NOT NULL,
    webhook  BLOB NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (event, row, part, run, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX suspects_of_write ON suspects (run, step);

CREATE TABLE run_output (
    run          BLOB NOT NULL REFERENCES runs (id),
    number       INTEGER NOT NULL,
    tenant       TEXT NOT NULL,
    sealed_lines BLOB NOT NULL,
    truncated    INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (run, number)
) STRICT;

-- What sweeps know of a table of a workflow's triggers. Gone when the workflow is deactivated.
CREATE TABLE sweeps (
    id          INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    workflow    BLOB NOT NULL REFERENCES workflows (id),
    table_name  TEXT NOT NULL COLLATE NOCASE,
    -- Finished rounds; the first one only takes stock.
    rounds      INTEGER NOT NULL DEFAULT 0,
    -- PK_ID up to which the round under way has come; none: no round is under way.
    reached     INTEGER,
    -- Integration calls of the round, and of all.
    calls       INTEGER NOT NULL DEFAULT 0,
    all_calls   INTEGER NOT NULL DEFAULT 0,
    next_at     INTEGER NOT NULL DEFAULT 0,
    started_at  INTEGER,
    finished_at INTEGER,
    -- When the last finished round had begun: what was written before, it has seen.
    seen_from   INTEGER,
    error       TEXT,
    failures    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (workflow, table_name)
) STRICT;

-- Keyed tags of rows as the sweep saw them last; no values.
CREATE TABLE swept_rows (
    sweep   INTEGER NOT NULL REFERENCES sweeps (id),
    pk_id   INTEGER NOT NULL,
    tags    BLOB NOT NULL,
    -- When, by this host's clock, and by Caspio's as in an eventDate.
    seen_at INTEGER NOT NULL,
    date    TEXT NOT NULL,
    PRIMARY KEY (sweep, pk_id)
) STRICT, WITHOUT ROWID;

-- Changes of swept tables that became events, so that neither a sweep nor a late webhook tells them again.
CREATE TABLE told (
    id         INTEGER PRIMARY KEY,
    tenant     TEXT NOT NULL,
    workflow   BLOB NOT NULL,
    table_name TEXT NOT NULL COLLATE NOCASE,
    pk_id      INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    tags       BLOB NOT NULL,
    at         INTEGER NOT NULL,
    -- When it happened by Caspio's clock; of what a sweep found, when it was read.
    event_date TEXT NOT NULL,
    -- webhook: told by one; sweep: found by a sweep; late: found, and a webhook told of it since.
    way        TEXT NOT NULL
) STRICT;
CREATE INDEX told_of_row ON told (workflow, table_name, pk_id);
CREATE INDEX told_at ON told (at);

-- Schedules of active workflows.
CREATE TABLE schedules (
    workflow BLOB NOT NULL REFERENCES workflows (id),
    position INTEGER NOT NULL,
    tenant   TEXT NOT NULL,
    schedule TEXT NOT NULL,
    next_at  INTEGER NOT NULL,
    PRIMARY KEY (workflow, position)
) STRICT;
CREATE INDEX schedules_due ON schedules (next_at);

-- A workflow being run over existing rows.
CREATE TABLE backfills (
    id              BLOB PRIMARY KEY,
    tenant          TEXT NOT NULL,
    workflow        BLOB NOT NULL REFERENCES workflows (id),
    connection      BLOB NOT NULL,
    table_name      TEXT NOT NULL,
    kind            TEXT NOT NULL,
    sealed_criteria BLOB NOT NULL,
    state           TEXT NOT NULL,
    -- PK_ID of the last row that has its run.
    reached         INTEGER NOT NULL DEFAULT 0,
    -- The largest PK_ID when it was begun: later rows have webhooks.
    last            INTEGER NOT NULL,
    rows            INTEGER NOT NULL DEFAULT 0,
    per_minute      INTEGER NOT NULL,
    next_at         INTEGER NOT NULL,
    error           TEXT,
    failures        INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    finished_at     INTEGER
) STRICT;
CREATE UNIQUE INDEX backfills_one ON backfills (workflow) WHERE state = 'running';

CREATE TABLE calls (
    tenant     TEXT NOT NULL,
    connection BLOB NOT NULL,
    workflow   BLOB NOT NULL,
    action     TEXT NOT NULL,
    day        TEXT NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (tenant, connection, workflow, action, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    tenant  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL
) STRICT;

-- Whether the operator wants to be told of what needs a person.
CREATE TABLE alerting (
    wanted INTEGER NOT NULL
) STRICT;
INSERT INTO alerting VALUES (0);

-- What the operator is to be told, grouped, so that there are few rows however much happens: `count` and its neighbours are what
-- was not told yet, `told_…` what is being told, under an id of its own. Names and codes only, no value of a record.
CREATE TABLE alerts (
    kind           TEXT NOT NULL,
    -- '' when it is about the host.
    tenant         TEXT NOT NULL,
    workflow       TEXT NOT NULL,
    cause          TEXT NOT NULL,
    count          INTEGER NOT NULL,
    first_at       INTEGER NOT NULL,
    last_at        INTEGER NOT NULL,
    first_run      BLOB,
    last_run       BLOB,
    told_id        BLOB,
    told_count     INTEGER NOT NULL DEFAULT 0,
    told_first_at  INTEGER NOT NULL DEFAULT 0,
    told_last_at   INTEGER NOT NULL DEFAULT 0,
    told_first_run BLOB,
    told_last_run  BLOB,
    -- Receivers that have what is being told.
    done           TEXT NOT NULL DEFAULT '',
    tries          INTEGER NOT NULL DEFAULT 0,
    error          TEXT,
    -- When it is told, or tried again.
    due_at         INTEGER NOT NULL,
    UNIQUE (kind, tenant, workflow, cause)
) STRICT;

-- Written by the triggers below, so that an alert is in the commit of what it is about, wherever that happens.
CREATE VIEW alert_news AS SELECT '' AS kind, '' AS tenant, '' AS workflow, '' AS cause, NULL AS run;
CREATE TRIGGER alert_news_counted INSTEAD OF INSERT ON alert_news WHEN (SELECT wanted FROM alerting) BEGIN
    INSERT INTO alerts (kind, tenant, workflow, cause, count, first_at, last_at, first_run, last_run, due_at)
    SELECT NEW.kind, NEW.tenant, NEW.workflow, NEW.cause, 1, now, now, NEW.run, NEW.run, now
      FROM (SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER) AS now) WHERE true
    ON CONFLICT DO UPDATE SET
        first_at = CASE count WHEN 0 THEN excluded.first_at ELSE first_at END,
        first_run = CASE count WHEN 0 THEN excluded.first_run ELSE first_run END,
        count = count + 1, last_at = excluded.last_at, last_run = excluded.last_run;
END;

CREATE TRIGGER runs_alert AFTER UPDATE OF state ON runs
WHEN NEW.state IN ('dead', 'parked') AND OLD.state NOT IN ('dead', 'parked') BEGIN
    INSERT INTO alert_news SELECT NEW.state, NEW.tenant, name, COALESCE(NEW.cause, ''), NEW.id
      FROM workflows WHERE id = NEW.workflow;
END;
CREATE TRIGGER messages_alert AFTER INSERT ON messages WHEN NEW.state = 'unparsable' BEGIN
    INSERT INTO alert_news SELECT 'unparsable', NEW.tenant, name, COALESCE(NEW.reason, ''), NULL
      FROM workflows WHERE id = NEW.workflow;
END;
CREATE TRIGGER webhooks_rejected_alert AFTER UPDATE OF rejected_count ON webhooks
WHEN NEW.rejected_count > OLD.rejected_count BEGIN
    INSERT INTO alert_news SELECT 'rejected', NEW.tenant, name, COALESCE(NEW.rejected_reason, ''), NULL
      FROM workflows WHERE id = NEW.workflow;
END;
CREATE TRIGGER webhooks_trouble_alert AFTER UPDATE OF trouble ON webhooks
WHEN NEW.trouble IS NOT NULL AND NEW.trouble IS NOT OLD.trouble BEGIN
    INSERT INTO alert_news SELECT 'webhook-trouble', NEW.tenant, name, '', NULL FROM workflows WHERE id = NEW.workflow;
END;
-- The third failure in a row, and each after it: what comes and goes by itself is nobody's business.
CREATE TRIGGER sweeps_alert AFTER UPDATE OF failures ON sweeps WHEN NEW.failures > OLD.failures AND NEW.failures >= 3 BEGIN
    INSERT INTO alert_news SELECT 'sweep-failing', NEW.tenant, name, COALESCE(NEW.error, ''), NULL
      FROM workflows WHERE id = NEW.workflow;
END;
CREATE TRIGGER backfills_alert AFTER UPDATE OF failures ON backfills
WHEN NEW.failures > OLD.failures AND NEW.failures >= 3 BEGIN
    INSERT INTO alert_news SELECT 'backfill-failing', NEW.tenant, name, COALESCE(NEW.error, ''), NULL
      FROM workflows WHERE id = NEW.workflow;
END;
