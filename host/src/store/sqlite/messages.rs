//! Messages, their events, and the runs that they start: one transaction, once.

use rusqlite::{Connection, params};

use crate::clock::Time;
use crate::model::{Cause, JOURNAL_VERSION, MessageId, MessageState, RunState, WebhookId, WorkflowId};
use crate::store::{Ingested, NewEvent, NewMessage, Origin, Result, StoreError};

use super::coverage;
use super::rows::{all, first, parsed, run};
use super::{order, writes};

pub(super) fn ingest(c: &Connection, x: &NewMessage) -> Result<Ingested> {
    let Target { gone, deleted, workflow, connection, ordered } = target(c, x)?;
    let webhook = match &x.origin {
        Origin::Webhook(id) => Some(*id.as_bytes()),
        Origin::Person(_) | Origin::Sweep(_) | Origin::Schedule(_) => None,
    };
    let (state, reason) = match x.state {
        MessageState::Stored if gone => (MessageState::Skipped, Some(Cause::Inactive.as_str())),
        state => (state, x.reason),
    };

    // Also by a message that is known already: its signature is as good.
    if let Some(form) = &x.pin_signature {
        let sql = "UPDATE webhooks SET pinned_signature = ?2
                   WHERE id = ?1 AND pinned_signature IS NULL";
        run(c, sql, params![webhook, form])?;
    }

    let sql = "INSERT INTO messages
                 (id, tenant, webhook, message_id, state, reason, size, sealed_payload, received_at, workflow, trace)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
               ON CONFLICT (tenant, webhook, message_id) WHERE message_id IS NOT NULL DO NOTHING";
    let added = run(
        c,
        sql,
        params![
            x.id.as_bytes(),
            x.tenant.as_str(),
            webhook,
            x.message_id,
            state.as_str(),
            reason,
            i64::try_from(x.size).unwrap_or(i64::MAX),
            x.sealed_payload,
            x.at.0,
            workflow,
            x.trace
        ],
    )?;
    if added == 0 {
        return Ok(Ingested::Duplicate);
    }
    // What comes after its workflow was deleted is no more readable than what was there before.
    if !deleted {
        let sql = "INSERT INTO data_keys (message, tenant, wrapped) VALUES (?1, ?2, ?3)";
        run(c, sql, params![x.id.as_bytes(), x.tenant.as_str(), x.wrapped_key])?;
    }
    for (position, event) in x.events.iter().enumerate() {
        add_event(c, x, position, event)?;
        let told = !gone && told_by_another(c, x, workflow, event)?;
        let found = !gone && !told && coverage::is_known(c, x, workflow, event)?;
        let skipped = match gone {
            true => Some(Cause::Inactive),
            false => (told || found).then_some(Cause::Duplicate),
        };
        let order = ordered.as_deref().zip(event.order_key.as_ref());
        add_run(c, x, event, skipped, workflow, connection, order)?;
        // What a sweep found before was accounted for then: another write must not be taken for it.
        if let Some(suspicion) = event.suspicion.as_ref().filter(|_| !found) {
            writes::suspect(c, *event.id.as_bytes(), suspicion, x.at)?;
        }
    }
    Ok(if gone || x.events.is_empty() { Ingested::Skipped } else { Ingested::Stored(x.events.len()) })
}

/// Two webhooks of the workflow tell of the same changes. A change may come more than once through each: as many
/// are news as the one that told most often told of.
fn told_by_another(c: &Connection, x: &NewMessage, workflow: [u8; 16], event: &NewEvent) -> Result<bool> {
    let (Origin::Webhook(webhook), Some(twin)) = (&x.origin, &event.twin) else { return Ok(false) };
    let webhook = webhook.as_bytes();
    let sql = "INSERT INTO twins (workflow, fingerprint, webhook, tenant, seen) VALUES (?1, ?2, ?3, ?4, 1)
               ON CONFLICT DO UPDATE SET seen = seen + 1";
    run(c, sql, params![workflow, twin, webhook, x.tenant.as_str()])?;
    let sql = "SELECT EXISTS (SELECT 1 FROM twins o, twins own
                 WHERE o.workflow = ?1 AND o.fingerprint = ?2 AND o.webhook <> ?3
                   AND own.workflow = ?1 AND own.fingerprint = ?2 AND own.webhook = ?3 AND own.seen <= o.seen)";
    Ok(first(c, sql, params![workflow, twin, webhook], |r| r.get(0))?.unwrap_or(false))
}

/// Message ids hold the time at which they were made, so only those since then are looked at.
pub(super) fn heard_since(c: &Connection, webhook: WebhookId, since: Time) -> Result<bool> {
    let sql = "SELECT 1 FROM messages WHERE id >= ?1 AND webhook = ?2 AND received_at > ?3 LIMIT 1";
    let from = MessageId::earliest(since);
    Ok(first(c, sql, params![from, webhook.as_bytes(), since.0], |_| Ok(()))?.is_some())
}

struct Target {
    /// Nothing is to be started any more.
    gone: bool,
    /// The workflow itself is gone.
    deleted: bool,
    workflow: [u8; 16],
    connection: [u8; 16],
    /// How the active version orders events.
    ordered: Option<String>,
}

/// The state that counts is the one of now: the webhook may have been removed while the message was
/// being verified.
fn target(c: &Connection, x: &NewMessage) -> Result<Target> {
    let (what, sql, id) = match &x.origin {
        Origin::Webhook(id) => (
            "webhook",
            "SELECT NOT h.replaced AND h.stage IN ('tombstone', 'removing', 'retiring'), h.workflow, h.connection, w.deleted_at IS NOT NULL, v.ordered
             FROM webhooks h JOIN workflows w ON w.id = h.workflow
             JOIN workflow_versions v ON v.workflow = w.id AND v.number = w.active_version WHERE h.id = ?1",
            id.as_bytes(),
        ),
        Origin::Person(id) | Origin::Sweep(id) | Origin::Schedule(id) => (
            "workflow",
            "SELECT deleted_at IS NOT NULL, w.id, v.connection, deleted_at IS NOT NULL, v.ordered FROM workflows w
             JOIN workflow_versions v ON v.workflow = w.id AND v.number = w.active_version WHERE w.id = ?1",
            id.as_bytes(),
        ),
    };
    let found = first(c, sql, params![id], |r| {
        Ok(Target {
            gone: r.get(0)?,
            deleted: r.get(3)?,
            workflow: r.get(1)?,
            connection: r.get(2)?,
            ordered: r.get(4)?,
        })
    })?;
    found.ok_or(StoreError::Missing(what))
}

fn add_event(c: &Connection, x: &NewMessage, position: usize, event: &NewEvent) -> Result<()> {
    let sql = "INSERT INTO events
                 (id, tenant, message, position, kind, table_name, pk_id, event_date, sealed_typed, created_at,
                  reconciled)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    run(
        c,
        sql,
        params![
            event.id.as_bytes(),
            x.tenant.as_str(),
            x.id.as_bytes(),
            i64::try_from(position).unwrap_or(i64::MAX),
            event.kind.as_str(),
            event.table,
            event.pk_id,
            event.event_date,
            event.sealed_typed,
            x.at.0,
            matches!(x.origin, Origin::Sweep(_))
        ],
    )
    .map(drop)
}

fn add_run(
    c: &Connection,
    x: &NewMessage,
    event: &NewEvent,
    skipped: Option<Cause>,
    workflow: [u8; 16],
    connection: [u8; 16],
    order: Option<(&str, &[u8; 32])>,
) -> Result<()> {
    let (state, cause, next_at, finished_at) = match skipped {
        Some(cause) => (RunState::Skipped, Some(cause.as_str()), None, Some(x.at.0)),
        None => (RunState::Queued, None, Some(x.at.0), None),
    };
    let order = order.filter(|_| skipped.is_none());
    let (mut cause, mut next_at, mut place) = (cause, next_at, 0);
    if let Some((ordered, key)) = order {
        place = order::next_place(c, workflow, key)?;
        if order::waits(c, workflow, (key, place), ordered, None)? {
            (cause, next_at) = (Some(Cause::Order.as_str()), None);
        }
    }
    let sql = "INSERT INTO runs
                 (id, tenant, event, message, workflow, connection, state, cause, next_at,
                  journal_version, run_start, sealed_seed, created_at, finished_at, order_key, place)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?11, ?13, ?14, ?15)";
    run(
        c,
        sql,
        params![
            event.run.as_bytes(),
            x.tenant.as_str(),
            event.id.as_bytes(),
            x.id.as_bytes(),
            workflow,
            connection,
            state.as_str(),
            cause,
            next_at,
            JOURNAL_VERSION,
            x.at.0,
            event.sealed_seed,
            finished_at,
            order.map(|(_, key)| key),
            place
        ],
    )
    .map(drop)
}

pub(super) fn data_key(c: &Connection, message: MessageId) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT wrapped FROM data_keys WHERE message = ?1";
    first(c, sql, params![message.as_bytes()], |r| r.get(0))
}

pub(super) fn counts(c: &Connection, workflow: WorkflowId) -> Result<Vec<(MessageState, u64)>> {
    let sql = "SELECT state, COUNT(*) FROM messages WHERE workflow = ?1 GROUP BY state ORDER BY state";
    all(c, sql, params![workflow.as_bytes()], |r| {
        Ok((parsed(r, 0, |t| t.parse().ok())?, r.get::<_, i64>(1)?.unsigned_abs()))
    })
}
