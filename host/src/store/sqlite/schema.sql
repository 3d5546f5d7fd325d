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
    created_at      INTEGER NOT NULL,
    started_at      INTEGER,
    finished_at     INTEGER,
    UNIQUE (event, workflow, generation)
) STRICT;
CREATE INDEX runs_due ON runs (next_at, workflow, connection) WHERE state IN ('queued', 'sleeping');
CREATE INDEX runs_running ON runs (lease_until) WHERE state = 'running';
CREATE INDEX runs_of_workflow ON runs (workflow, state, id);
CREATE INDEX runs_of_origin ON runs (origin) WHERE origin IS NOT NULL;
CREATE INDEX runs_of_tenant ON runs (tenant, id);
-- Few of many: those that wait for something, and those that wait for a person.
CREATE INDEX runs_waiting ON runs (cause, connection) WHERE state = 'queued' AND cause IS NOT NULL;
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

-- Lately written by runs, registered with the intent, so that the webhook that each write causes is known as such. Of
-- the values there are only keyed fingerprints. `began_at` and `ended_at` are by Caspio's clock.
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
    pk_id    INTEGER NOT NULL,
    run      BLOB NOT NULL,
    step     INTEGER NOT NULL,
    webhook  BLOB NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (event, row, run, step)
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
