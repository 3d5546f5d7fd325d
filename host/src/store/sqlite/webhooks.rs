//! Our webhooks in Caspio and their triggers.

use rusqlite::{Connection, Row, params};

use crate::clock::Time;
use crate::model::{ConnectionId, TriggerKind, WebhookId, WorkflowId};
use crate::store::{Rejected, Result, StoreError, TriggerRecord, WebhookRecord, WebhookStage, WebhookUpdate};

use super::rows::{all, first, id, insert, json, json_opt, parsed, run, time, time_opt, to_json};

pub(super) fn plan(c: &Connection, x: &WebhookRecord) -> Result<()> {
    let sql = "INSERT INTO webhooks
                 (id, tenant, workflow, connection, name, url_hash, sealed_url_id, stage, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    insert(
        c,
        "the workflow's webhook",
        sql,
        params![
            x.id.as_bytes(),
            x.tenant.as_str(),
            x.workflow.as_bytes(),
            x.connection.as_bytes(),
            x.name,
            x.url_hash,
            x.sealed_url_id,
            x.stage.as_str(),
            x.created_at.0
        ],
    )?;
    replace_triggers(c, x.id, &x.triggers)
}

pub(super) fn replace(
    c: &Connection,
    old: WebhookId,
    until: Option<Time>,
    new: &WebhookRecord,
) -> Result<()> {
    let stage = if until.is_some() { WebhookStage::Tombstone } else { WebhookStage::Retiring };
    let sql = "UPDATE webhooks SET stage = ?2, tombstone_until = ?3, replaced = 1 WHERE id = ?1";
    if run(c, sql, params![old.as_bytes(), stage.as_str(), until.map(|t| t.0)])? == 0 {
        return Err(StoreError::Missing("webhook"));
    }
    plan(c, new)
}

pub(super) fn retire_at(c: &Connection, workflow: WorkflowId, at: Time) -> Result<()> {
    let sql = "UPDATE webhooks SET tombstone_until = ?2
               WHERE workflow = ?1 AND stage = 'retiring' AND tombstone_until IS NULL";
    run(c, sql, params![workflow.as_bytes(), at.0]).map(drop)
}

pub(super) fn checked(c: &Connection, webhook: WebhookId, at: Time, trouble: Option<&str>) -> Result<()> {
    let sql = "UPDATE webhooks SET checked_at = ?2, trouble = ?3 WHERE id = ?1";
    run(c, sql, params![webhook.as_bytes(), at.0, trouble]).map(drop)
}

pub(super) fn update(c: &Connection, x: &WebhookUpdate) -> Result<()> {
    if x.stage == WebhookStage::Removing {
        let sql = "UPDATE webhooks SET replaced = 0
                   WHERE workflow = (SELECT workflow FROM webhooks WHERE id = ?1)";
        run(c, sql, params![x.id.as_bytes()])?;
    }
    let sql = "UPDATE webhooks SET stage = ?2,
                 caspio_id = CASE WHEN ?3 THEN ?4 ELSE caspio_id END,
                 sealed_secret = CASE WHEN ?5 THEN ?6 ELSE sealed_secret END,
                 pinned_signature = CASE WHEN ?5 THEN NULL ELSE pinned_signature END,
                 tombstone_until = ?7,
                 public_url = CASE WHEN ?8 THEN ?9 ELSE public_url END,
                 trouble = CASE WHEN ?2 = 'ready' THEN NULL ELSE trouble END
               WHERE id = ?1";
    let changed = run(
        c,
        sql,
        params![
            x.id.as_bytes(),
            x.stage.as_str(),
            x.caspio_id.is_some(),
            x.caspio_id.clone().flatten(),
            x.sealed_secret.is_some(),
            x.sealed_secret.clone().flatten(),
            x.tombstone_until.map(|t| t.0),
            x.public_url.is_some(),
            x.public_url.clone().flatten()
        ],
    )?;
    if changed == 0 { Err(StoreError::Missing("webhook")) } else { Ok(()) }
}

pub(super) fn trigger_made(c: &Connection, webhook: WebhookId, position: u32, caspio_id: &str) -> Result<()> {
    let sql = "UPDATE triggers SET caspio_id = ?3 WHERE webhook = ?1 AND position = ?2";
    match run(c, sql, params![webhook.as_bytes(), position, caspio_id])? {
        0 => Err(StoreError::Missing("trigger")),
        _ => Ok(()),
    }
}

pub(super) fn replace_triggers(c: &Connection, webhook: WebhookId, triggers: &[TriggerRecord]) -> Result<()> {
    run(c, "DELETE FROM triggers WHERE webhook = ?1", params![webhook.as_bytes()])?;
    let sql = "INSERT INTO triggers
                 (webhook, position, tenant, kind, table_name, fields, sources, batch, caspio_id, schema, reconcile)
               SELECT ?1, ?2, tenant, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM webhooks WHERE id = ?1";
    for t in triggers {
        run(
            c,
            sql,
            params![
                webhook.as_bytes(),
                t.position,
                t.kind.as_str(),
                t.table,
                to_json(&t.fields)?,
                to_json(&t.sources)?,
                t.batch,
                t.caspio_id,
                to_json(&t.schema)?,
                t.reconcile.as_ref().map(to_json).transpose()?
            ],
        )?;
    }
    Ok(())
}

const WEBHOOK: &str = "SELECT w.id, w.tenant, w.workflow, w.connection, c.name, w.name, w.url_hash,
      w.sealed_url_id, w.stage, w.caspio_id, w.sealed_secret, w.pinned_signature, w.tombstone_until,
      w.rejected_count, w.rejected_reason, w.rejected_at, w.created_at, f.name, w.public_url, w.checked_at,
      w.trouble, EXISTS (SELECT 1 FROM webhooks o WHERE o.workflow = w.workflow AND o.replaced)
    FROM webhooks w JOIN connections c ON c.id = w.connection JOIN workflows f ON f.id = w.workflow";

fn read(r: &Row<'_>) -> rusqlite::Result<WebhookRecord> {
    Ok(WebhookRecord {
        id: id(r, 0, WebhookId::from_slice)?,
        tenant: parsed(r, 1, |t| t.parse().ok())?,
        workflow: id(r, 2, WorkflowId::from_slice)?,
        connection: id(r, 3, ConnectionId::from_slice)?,
        connection_name: r.get(4)?,
        name: r.get(5)?,
        url_hash: r.get(6)?,
        sealed_url_id: r.get(7)?,
        stage: parsed(r, 8, WebhookStage::parse)?,
        caspio_id: r.get(9)?,
        sealed_secret: r.get(10)?,
        pinned_signature: r.get(11)?,
        tombstone_until: time_opt(r, 12)?,
        rejected: Rejected {
            count: r.get::<_, i64>(13)?.unsigned_abs(),
            last_reason: r.get(14)?,
            last_at: time_opt(r, 15)?,
        },
        triggers: Vec::new(),
        created_at: time(r, 16)?,
        workflow_name: r.get(17)?,
        public_url: r.get(18)?,
        checked_at: time_opt(r, 19)?,
        trouble: r.get(20)?,
        twinned: r.get(21)?,
    })
}

fn with_triggers(c: &Connection, mut webhook: WebhookRecord) -> Result<WebhookRecord> {
    webhook.triggers = triggers(c, webhook.id)?;
    Ok(webhook)
}

pub(super) fn triggers(c: &Connection, webhook: WebhookId) -> Result<Vec<TriggerRecord>> {
    let sql = "SELECT position, kind, table_name, fields, sources, batch, caspio_id, schema, reconcile
               FROM triggers WHERE webhook = ?1 ORDER BY position";
    all(c, sql, params![webhook.as_bytes()], |r| {
        Ok(TriggerRecord {
            position: r.get(0)?,
            kind: parsed(r, 1, TriggerKind::parse)?,
            table: r.get(2)?,
            fields: json(r, 3)?,
            sources: json(r, 4)?,
            batch: r.get(5)?,
            caspio_id: r.get(6)?,
            schema: json(r, 7)?,
            reconcile: json_opt(r, 8)?,
        })
    })
}

pub(super) fn of_workflow(c: &Connection, workflow: WorkflowId) -> Result<Option<WebhookRecord>> {
    let sql = format!("{WEBHOOK} WHERE w.workflow = ?1 AND w.stage NOT IN ('retiring', 'tombstone')");
    first(c, &sql, params![workflow.as_bytes()], read)?.map(|w| with_triggers(c, w)).transpose()
}

pub(super) fn by_url(c: &Connection, url_hash: [u8; 32]) -> Result<Option<WebhookRecord>> {
    let sql = format!("{WEBHOOK} WHERE w.url_hash = ?1");
    first(c, &sql, params![url_hash], read)?.map(|w| with_triggers(c, w)).transpose()
}

pub(super) fn retiring(c: &Connection, workflow: WorkflowId) -> Result<Vec<WebhookRecord>> {
    let sql = format!("{WEBHOOK} WHERE w.workflow = ?1 AND w.stage = 'retiring' ORDER BY w.id");
    all(c, &sql, params![workflow.as_bytes()], read)
}

pub(super) fn in_caspio(c: &Connection) -> Result<Vec<WebhookRecord>> {
    let sql = format!("{WEBHOOK} WHERE w.stage <> 'tombstone' ORDER BY f.name, w.id");
    all(c, &sql, [], read)?.into_iter().map(|w| with_triggers(c, w)).collect()
}

pub(super) fn unfinished(c: &Connection, public_url: Option<&str>, now: Time) -> Result<Vec<WebhookRecord>> {
    let sql = format!(
        "{WEBHOOK} WHERE w.stage IN ('planned', 'made', 'removing')
           OR (w.stage = 'ready' AND ?1 IS NOT NULL AND w.public_url IS NOT ?1)
           OR (w.stage = 'retiring' AND w.tombstone_until <= ?2)
         ORDER BY w.id"
    );
    all(c, &sql, params![public_url, now.0], read)?.into_iter().map(|w| with_triggers(c, w)).collect()
}

pub(super) fn drop_tombstones(c: &Connection, now: Time) -> Result<u64> {
    let ended = "SELECT id FROM webhooks WHERE stage = 'tombstone' AND tombstone_until < ?1";
    run(c, &format!("DELETE FROM triggers WHERE webhook IN ({ended})"), params![now.0])?;
    let sql = "DELETE FROM webhooks WHERE stage = 'tombstone' AND tombstone_until < ?1";
    let dropped = run(c, sql, params![now.0])?;
    run(c, "DELETE FROM twins WHERE workflow NOT IN (SELECT workflow FROM webhooks WHERE replaced)", [])?;
    Ok(dropped as u64)
}

pub(super) fn reject(c: &Connection, webhook: WebhookId, reason: &str, at: Time) -> Result<()> {
    let sql = "UPDATE webhooks SET rejected_count = rejected_count + 1, rejected_reason = ?2,
                 rejected_at = ?3 WHERE id = ?1";
    run(c, sql, params![webhook.as_bytes(), reason, at.0]).map(drop)
}
