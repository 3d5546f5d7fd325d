//! Tenants, tokens, connections, workflows and their versions, counters of calls, audit.

use rusqlite::{Connection, Row, params};

use crate::clock::Time;
use crate::manifest::{Manifest, Stale};
use crate::model::{ConnectionId, RunState, TenantId, TokenScope, WorkflowId, WorkflowState};
use crate::store::{
    AuditEntry, CallBudget, CallCount, ConnectionRecord, DELIVERY, Deployed, NeededComponent, NewVersion,
    PastVersion, Result, StoreError, TokenRecord, VersionRecord, WorkflowRecord,
};

use super::coverage;
use super::order;
use super::retention;
use super::rows::{all, first, id, insert, parsed, run, time};
use super::schedules;
use super::state;

pub(super) fn tenant_key(c: &Connection, tenant: &TenantId) -> Result<Option<Vec<u8>>> {
    first(c, "SELECT wrapped_key FROM tenants WHERE id = ?1", params![tenant.as_str()], |r| r.get(0))
}

pub(super) fn add_tenant(c: &Connection, tenant: &TenantId, key: &[u8], at: Time) -> Result<()> {
    let sql = "INSERT INTO tenants (id, wrapped_key, created_at) VALUES (?1, ?2, ?3)";
    insert(c, "the tenant", sql, params![tenant.as_str(), key, at.0])
}

pub(super) fn add_token(c: &Connection, hash: [u8; 32], x: &TokenRecord) -> Result<()> {
    let sql = "INSERT INTO api_tokens (hash, name, scope, created_at) VALUES (?1, ?2, ?3, ?4)";
    insert(c, "the token", sql, params![hash, x.name, x.scope.as_str(), x.created_at.0])
}

pub(super) fn token_scope(c: &Connection, hash: [u8; 32]) -> Result<Option<TokenScope>> {
    let sql = "SELECT scope FROM api_tokens WHERE hash = ?1";
    first(c, sql, params![hash], |r| parsed(r, 0, |t| t.parse().ok()))
}

pub(super) fn tokens(c: &Connection) -> Result<Vec<TokenRecord>> {
    all(c, "SELECT name, scope, created_at FROM api_tokens ORDER BY name", [], |r| {
        Ok(TokenRecord { name: r.get(0)?, scope: parsed(r, 1, |t| t.parse().ok())?, created_at: time(r, 2)? })
    })
}

/// Without an administrator's token nobody could make another one.
pub(super) fn remove_token(c: &Connection, name: &str) -> Result<bool> {
    if first(c, "SELECT 1 FROM api_tokens WHERE name = ?1", params![name], |_| Ok(()))?.is_none() {
        return Err(StoreError::Missing("token"));
    }
    let sql = "DELETE FROM api_tokens WHERE name = ?1 AND (scope <> ?2 OR EXISTS
                 (SELECT 1 FROM api_tokens o WHERE o.scope = ?2 AND o.name <> ?1))";
    Ok(run(c, sql, params![name, TokenScope::Admin.as_str()])? > 0)
}

pub(super) fn token_count(c: &Connection) -> Result<u64> {
    let count = first(c, "SELECT COUNT(*) FROM api_tokens", [], |r| r.get::<_, i64>(0))?;
    Ok(count.unwrap_or(0).unsigned_abs())
}

pub(super) fn add_connection(c: &Connection, x: &ConnectionRecord) -> Result<()> {
    let sql = "INSERT INTO connections (id, tenant, name, base_url, client_id, sealed_secret, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    insert(
        c,
        "the connection",
        sql,
        params![
            x.id.as_bytes(),
            x.tenant.as_str(),
            x.name,
            x.base_url,
            x.client_id,
            x.sealed_secret,
            x.created_at.0
        ],
    )
}

const CONNECTION: &str =
    "SELECT id, tenant, name, base_url, client_id, sealed_secret, created_at, calls_per_day, calls_per_month
     FROM connections";

fn read_connection(r: &Row<'_>) -> rusqlite::Result<ConnectionRecord> {
    Ok(ConnectionRecord {
        id: id(r, 0, ConnectionId::from_slice)?,
        tenant: parsed(r, 1, |t| t.parse().ok())?,
        name: r.get(2)?,
        base_url: r.get(3)?,
        client_id: r.get(4)?,
        sealed_secret: r.get(5)?,
        created_at: time(r, 6)?,
        budget: CallBudget { per_day: r.get(7)?, per_month: r.get(8)? },
    })
}

pub(super) fn connections(c: &Connection, tenant: &TenantId) -> Result<Vec<ConnectionRecord>> {
    let sql = format!("{CONNECTION} WHERE tenant = ?1 AND removed_at IS NULL ORDER BY name");
    all(c, &sql, params![tenant.as_str()], read_connection)
}

pub(super) fn connection_named(
    c: &Connection,
    tenant: &TenantId,
    name: &str,
) -> Result<Option<ConnectionRecord>> {
    let sql = format!("{CONNECTION} WHERE tenant = ?1 AND name = ?2 AND removed_at IS NULL");
    first(c, &sql, params![tenant.as_str(), name], read_connection)
}

pub(super) fn connection(c: &Connection, which: ConnectionId) -> Result<Option<ConnectionRecord>> {
    let sql = format!("{CONNECTION} WHERE id = ?1 AND removed_at IS NULL");
    first(c, &sql, params![which.as_bytes()], read_connection)
}

/// A new secret for a connection.
pub(super) fn set_secret(c: &Connection, which: ConnectionId, sealed: &[u8]) -> Result<()> {
    let sql = "UPDATE connections SET sealed_secret = ?2 WHERE id = ?1 AND removed_at IS NULL";
    match run(c, sql, params![which.as_bytes(), sealed])? {
        0 => Err(StoreError::Missing("connection")),
        _ => Ok(()),
    }
}

pub(super) fn set_budget(c: &Connection, which: ConnectionId, budget: CallBudget) -> Result<()> {
    let sql = "UPDATE connections SET calls_per_day = ?2, calls_per_month = ?3 WHERE id = ?1 AND removed_at IS NULL";
    match run(c, sql, params![which.as_bytes(), budget.per_day, budget.per_month])? {
        0 => Err(StoreError::Missing("connection")),
        _ => Ok(()),
    }
}

/// Names of the workflows that use a connection: by their active version or by their webhook.
pub(super) fn connection_users(c: &Connection, which: ConnectionId) -> Result<Vec<String>> {
    let sql = "SELECT w.name FROM workflows w
               JOIN workflow_versions v ON v.workflow = w.id AND v.number = w.active_version
               WHERE w.deleted_at IS NULL AND (v.connection = ?1 OR EXISTS
                 (SELECT 1 FROM webhooks h WHERE h.workflow = w.id AND h.connection = ?1 AND h.stage <> 'tombstone')
                 OR EXISTS (SELECT 1 FROM runs r WHERE r.workflow = w.id AND r.connection = ?1
                   AND r.state IN ('queued', 'running', 'sleeping', 'parked')))
               ORDER BY w.name";
    all(c, sql, params![which.as_bytes()], |r| r.get(0))
}

/// Removes a connection that no workflow uses, with its secret.
pub(super) fn remove_connection(c: &Connection, which: ConnectionId, at: Time) -> Result<Vec<String>> {
    let users = connection_users(c, which)?;
    if users.is_empty() {
        let sql = "UPDATE connections SET removed_at = ?2, sealed_secret = x'' WHERE id = ?1 AND removed_at IS NULL";
        if run(c, sql, params![which.as_bytes(), at.0])? == 0 {
            return Err(StoreError::Missing("connection"));
        }
    }
    Ok(users)
}

pub(super) fn deploy(c: &Connection, x: &NewVersion) -> Result<Deployed> {
    let (workflow, number, before) = match workflow(c, &x.tenant, &x.name)? {
        Some(old) => (old.id, last_version(c, old.id)? + 1, Some(old.active_version)),
        None => {
            let new = WorkflowId::new();
            let sql = "INSERT INTO workflows (id, tenant, name, state, active_version, created_at)
                       VALUES (?1, ?2, ?3, ?4, 1, ?5)";
            let state = WorkflowState::Inactive.as_str();
            insert(
                c,
                "the workflow",
                sql,
                params![new.as_bytes(), x.tenant.as_str(), x.name, state, x.at.0],
            )?;
            (new, 1, None)
        }
    };
    let sql = "INSERT INTO workflow_versions
                 (workflow, number, tenant, manifest, component, connection, created_at, contract, actor, before,
                  weight, concurrency, ordered, skips_stale)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let manifest = Manifest::parse(&x.manifest)
        .map_err(|_| StoreError::Corrupt("the manifest of a version".to_owned()))?;
    let (settings, ordering) = (&manifest.run, &manifest.order);
    run(
        c,
        sql,
        params![
            workflow.as_bytes(),
            number,
            x.tenant.as_str(),
            x.manifest,
            x.component,
            x.connection.as_bytes(),
            x.at.0,
            x.contract,
            x.actor,
            before,
            settings.weight,
            settings.concurrency,
            ordering.by.as_ref().map(|_| ordering.on_failure.as_str()),
            ordering.stale == Stale::Skip
        ],
    )?;
    set_active_version(c, workflow, number, x.at)?;
    Ok(Deployed { workflow, number })
}

fn set_active_version(c: &Connection, workflow: WorkflowId, number: u32, at: Time) -> Result<()> {
    let sql = "UPDATE workflows SET active_version = ?2 WHERE id = ?1";
    run(c, sql, params![workflow.as_bytes(), number])?;
    // Whatever happens after this commit, its events are brought into step.
    let sql = "UPDATE webhooks SET stage = 'made' WHERE workflow = ?1 AND stage = 'ready'";
    run(c, sql, params![workflow.as_bytes()])?;
    schedules::set(c, workflow, at)
}

/// Makes an earlier version the active one, unless `from` is not the active one any more: whether it did. The line of the
/// audit log is of the same commit.
pub(super) fn roll_back(
    c: &Connection,
    workflow: WorkflowId,
    from: u32,
    to: u32,
    entry: &AuditEntry,
) -> Result<bool> {
    let sql = "SELECT 1 FROM workflows WHERE id = ?1 AND active_version = ?2 AND deleted_at IS NULL";
    if first(c, sql, params![workflow.as_bytes(), from], |_| Ok(()))?.is_none() {
        return Ok(false);
    }
    set_active_version(c, workflow, to, entry.at)?;
    audit(c, entry)?;
    Ok(true)
}

/// All versions of a workflow, newest first.
pub(super) fn history(c: &Connection, workflow: WorkflowId) -> Result<Vec<PastVersion>> {
    let sql = "SELECT version, state, COUNT(*) FROM runs WHERE workflow = ?1 AND version IS NOT NULL
               GROUP BY version, state ORDER BY version, state";
    let counts: Vec<(u32, RunState, u64)> = all(c, sql, params![workflow.as_bytes()], |r| {
        let state = parsed(r, 1, |t| t.parse().ok())?;
        Ok((r.get(0)?, state, r.get::<_, i64>(2)?.unsigned_abs()))
    })?;
    let sql = "SELECT v.workflow, v.number, v.manifest, v.component, v.connection, v.created_at, v.contract, v.actor,
                 v.before
               FROM workflow_versions v WHERE v.workflow = ?1 ORDER BY v.number DESC";
    all(c, sql, params![workflow.as_bytes()], |r| {
        let version = read_version(r)?;
        let runs = counts.iter().filter(|(number, ..)| *number == version.number);
        let runs = runs.map(|(_, state, n)| (*state, *n)).collect();
        Ok(PastVersion { version, contract: r.get(6)?, actor: r.get(7)?, before: r.get(8)?, runs })
    })
}

/// The highest number given to a version so far.
fn last_version(c: &Connection, workflow: WorkflowId) -> Result<u32> {
    let sql = "SELECT COALESCE(MAX(number), 0) FROM workflow_versions WHERE workflow = ?1";
    Ok(first(c, sql, params![workflow.as_bytes()], |r| r.get(0))?.unwrap_or(0))
}

const WORKFLOW: &str = "SELECT id, tenant, name, state, active_version, created_at FROM workflows";

fn read_workflow(r: &Row<'_>) -> rusqlite::Result<WorkflowRecord> {
    Ok(WorkflowRecord {
        id: id(r, 0, WorkflowId::from_slice)?,
        tenant: parsed(r, 1, |t| t.parse().ok())?,
        name: r.get(2)?,
        state: parsed(r, 3, |t| t.parse().ok())?,
        active_version: r.get(4)?,
        created_at: time(r, 5)?,
    })
}

pub(super) fn workflow(c: &Connection, tenant: &TenantId, name: &str) -> Result<Option<WorkflowRecord>> {
    let sql = format!("{WORKFLOW} WHERE tenant = ?1 AND name = ?2 AND deleted_at IS NULL");
    first(c, &sql, params![tenant.as_str(), name], read_workflow)
}

pub(super) fn workflows(c: &Connection, tenant: &TenantId) -> Result<Vec<WorkflowRecord>> {
    let sql = format!("{WORKFLOW} WHERE tenant = ?1 AND deleted_at IS NULL ORDER BY name");
    all(c, &sql, params![tenant.as_str()], read_workflow)
}

const VERSION: &str = "SELECT v.workflow, v.number, v.manifest, v.component, v.connection, v.created_at
    FROM workflow_versions v";

fn read_version(r: &Row<'_>) -> rusqlite::Result<VersionRecord> {
    Ok(VersionRecord {
        workflow: id(r, 0, WorkflowId::from_slice)?,
        number: r.get(1)?,
        manifest: r.get(2)?,
        component: r.get(3)?,
        connection: id(r, 4, ConnectionId::from_slice)?,
        created_at: time(r, 5)?,
    })
}

pub(super) fn version(c: &Connection, workflow: WorkflowId, number: u32) -> Result<Option<VersionRecord>> {
    let sql = format!("{VERSION} WHERE v.workflow = ?1 AND v.number = ?2");
    first(c, &sql, params![workflow.as_bytes(), number], read_version)
}

pub(super) fn active_version(c: &Connection, workflow: WorkflowId) -> Result<Option<VersionRecord>> {
    let sql = format!(
        "{VERSION} JOIN workflows w ON w.id = v.workflow AND w.active_version = v.number WHERE w.id = ?1"
    );
    first(c, &sql, params![workflow.as_bytes()], read_version)
}

pub(super) fn components(c: &Connection) -> Result<Vec<[u8; 32]>> {
    let sql = "SELECT DISTINCT v.component FROM workflow_versions v JOIN workflows w ON w.id = v.workflow
               WHERE w.deleted_at IS NULL";
    all(c, sql, [], |r| r.get(0))
}

pub(super) fn active_components(c: &Connection) -> Result<Vec<[u8; 32]>> {
    let sql = "SELECT DISTINCT v.component FROM workflows w
               JOIN workflow_versions v ON v.workflow = w.id AND v.number = w.active_version
               WHERE w.deleted_at IS NULL";
    all(c, sql, [], |r| r.get(0))
}

pub(super) fn needed_components(c: &Connection, tenant: Option<&TenantId>) -> Result<Vec<NeededComponent>> {
    let sql = "SELECT w.name, v.number, v.component FROM workflows w
               JOIN workflow_versions v ON v.workflow = w.id
               WHERE w.deleted_at IS NULL AND (?1 IS NULL OR w.tenant = ?1)
                 AND (v.number = w.active_version OR v.number IN
                   (SELECT r.version FROM runs r
                    WHERE r.workflow = w.id AND r.state IN ('queued', 'running', 'sleeping', 'parked')))
               ORDER BY w.name, v.number";
    all(c, sql, params![tenant.map(TenantId::as_str)], |r| {
        Ok(NeededComponent { workflow: r.get(0)?, version: r.get(1)?, component: r.get(2)? })
    })
}

pub(super) fn set_workflow_state(c: &Connection, workflow: WorkflowId, state: WorkflowState) -> Result<()> {
    if state == WorkflowState::Inactive {
        coverage::forget(c, workflow)?;
    }
    let sql = "UPDATE workflows SET state = ?2 WHERE id = ?1";
    match run(c, sql, params![workflow.as_bytes(), state.as_str()])? {
        0 => Err(StoreError::Missing("workflow")),
        _ => Ok(()),
    }
}

pub(super) fn activate_workflow(c: &Connection, workflow: WorkflowId, resume: bool, at: Time) -> Result<()> {
    let sql = "UPDATE workflows SET state = 'active'
               WHERE id = ?1 AND deleted_at IS NULL AND (?2 OR state <> 'paused')";
    run(c, sql, params![workflow.as_bytes(), resume])?;
    schedules::set(c, workflow, at)
}

pub(super) fn switch_workflow_state(
    c: &Connection,
    workflow: WorkflowId,
    from: WorkflowState,
    to: WorkflowState,
) -> Result<bool> {
    let sql = "UPDATE workflows SET state = ?3 WHERE id = ?1 AND state = ?2 AND deleted_at IS NULL";
    Ok(run(c, sql, params![workflow.as_bytes(), from.as_str(), to.as_str()])? > 0)
}

/// Deletes a workflow that is inactive: its runs that have not ended are discarded when `discard` is set, else
/// counted and nothing is done. With it go the keys of its messages, so their contents are unreadable.
pub(super) fn delete_workflow(c: &Connection, workflow: WorkflowId, discard: bool, at: Time) -> Result<u64> {
    let id = workflow.as_bytes();
    let sql = "SELECT COUNT(*) FROM runs WHERE workflow = ?1
               AND state IN ('queued', 'running', 'sleeping', 'parked')";
    let open = first(c, sql, params![id], |r| r.get::<_, i64>(0))?.unwrap_or(0).unsigned_abs();
    if open > 0 && !discard {
        return Ok(open);
    }
    if let Some(hold) = retention::holding(c, workflow)? {
        return Err(StoreError::Held(hold));
    }
    // A run under way loses its lease: what it still reports is refused.
    let sql = "UPDATE runs SET state = 'discarded', cause = NULL, next_at = NULL, lease_owner = NULL,
                 lease_until = NULL, finished_at = ?2
               WHERE workflow = ?1 AND state IN ('queued', 'running', 'sleeping', 'parked')";
    run(c, sql, params![id, at.0])?;
    run(
        c,
        "DELETE FROM data_keys WHERE message IN (SELECT id FROM messages WHERE workflow = ?1)",
        params![id],
    )?;
    run(c, "DELETE FROM twins WHERE workflow = ?1", params![id])?;
    state::forget(c, workflow, None)?;
    order::forget(c, workflow)?;
    let sql = "UPDATE workflows SET deleted_at = ?2, state = 'inactive' WHERE id = ?1 AND deleted_at IS NULL";
    if run(c, sql, params![id, at.0])? == 0 {
        return Err(StoreError::Missing("workflow"));
    }
    coverage::forget(c, workflow).map(|()| 0)
}

/// In the key of a counter, no workflow is an empty blob: SQLite's primary keys take no null.
fn workflow_key(workflow: Option<&WorkflowId>) -> &[u8] {
    workflow.map_or(&[], |w| w.as_bytes().as_slice())
}

pub(super) fn count_calls(c: &Connection, calls: &[CallCount]) -> Result<()> {
    let sql = "INSERT INTO calls (tenant, connection, workflow, action, day, count)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT DO UPDATE SET count = count + excluded.count";
    for x in calls {
        run(
            c,
            sql,
            params![
                x.tenant.as_str(),
                x.connection.as_bytes(),
                workflow_key(x.workflow.as_ref()),
                x.action,
                x.day,
                i64::try_from(x.count).unwrap_or(i64::MAX)
            ],
        )?;
    }
    Ok(())
}

pub(super) fn workflow_names(c: &Connection, tenant: &TenantId) -> Result<Vec<(WorkflowId, String)>> {
    let sql = "SELECT id, name FROM workflows WHERE tenant = ?1";
    all(c, sql, params![tenant.as_str()], |r| Ok((id(r, 0, WorkflowId::from_slice)?, r.get(1)?)))
}

pub(super) fn connection_names(c: &Connection, tenant: &TenantId) -> Result<Vec<(ConnectionId, String)>> {
    let sql = "SELECT id, name FROM connections WHERE tenant = ?1";
    all(c, sql, params![tenant.as_str()], |r| Ok((id(r, 0, ConnectionId::from_slice)?, r.get(1)?)))
}

/// Calls that were sent by a connection since a day.
pub(super) fn spent(c: &Connection, tenant: &TenantId, which: ConnectionId, since: &str) -> Result<u64> {
    let sql = "SELECT COALESCE(SUM(count), 0) FROM calls
               WHERE tenant = ?1 AND connection = ?2 AND day >= ?3 AND action <> ?4";
    let asked = params![tenant.as_str(), which.as_bytes(), since, DELIVERY];
    Ok(first(c, sql, asked, |r| r.get::<_, i64>(0))?.unwrap_or(0).unsigned_abs())
}

pub(super) fn calls(c: &Connection, tenant: &TenantId, since: &str) -> Result<Vec<CallCount>> {
    let sql = "SELECT tenant, connection, workflow, action, day, count FROM calls
               WHERE tenant = ?1 AND day >= ?2 ORDER BY day, connection, workflow, action";
    all(c, sql, params![tenant.as_str(), since], |r| {
        let workflow: Vec<u8> = r.get(2)?;
        Ok(CallCount {
            tenant: parsed(r, 0, |t| t.parse().ok())?,
            connection: id(r, 1, ConnectionId::from_slice)?,
            workflow: WorkflowId::from_slice(&workflow).ok(),
            action: r.get(3)?,
            day: r.get(4)?,
            count: r.get::<_, i64>(5)?.unsigned_abs(),
        })
    })
}

pub(super) fn audit(c: &Connection, x: &AuditEntry) -> Result<()> {
    let sql = "INSERT INTO audit (tenant, at, actor, action, subject) VALUES (?1, ?2, ?3, ?4, ?5)";
    run(c, sql, params![x.tenant.as_str(), x.at.0, x.actor, x.action, x.subject]).map(drop)
}
