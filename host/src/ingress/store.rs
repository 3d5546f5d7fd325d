//! A verified message becomes durable, with its events and their runs, in one commit.

use crate::clock::Time;
use crate::faults;
use crate::lineage::{Arrival, suspicions};
use crate::model::{Event, EventId, MessageId, MessageState, RowTags, RunId, TenantId, WorkflowId};
use crate::secrets::{DataKey, TenantKey, random_bytes};
use crate::store::{Ingested, NewEvent, NewMessage, Origin, Store, Suspicion};
use crate::telemetry;

use super::cut::{Cut, cut, message_id};
use super::twins;
use super::verify::Content;
use super::{Hooks, IngressError, Sequence, VerifiedMessage};

/// An event that is durable, and the run that it starts. Only [`persist`] makes one.
#[derive(Debug)]
pub struct StoredEvent {
    run: RunId,
}

impl StoredEvent {
    /// The run that it started.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }
}

/// What became of a message. Whatever it is, Caspio has done its part: 200.
#[derive(Debug)]
pub enum Accepted {
    /// Stored; these events' runs are queued.
    Stored(Vec<StoredEvent>),
    /// Stored; nothing is to be done.
    Skipped,
    /// Stored; it can't be understood.
    Unparsable,
    /// It was stored before.
    Duplicate,
}

/// Stores the message. `Ok` means that it is durable.
///
/// # Errors
/// When it could not be stored: nothing of it was, and Caspio should send it again.
pub async fn persist(
    store: &dyn Store,
    hooks: &Hooks,
    message: VerifiedMessage,
) -> Result<Accepted, IngressError> {
    let VerifiedMessage { hook, content, size, pin } = message;
    let id = MessageId::new();
    let at = Time::now();
    let (data_key, wrapped_key) = hook.key.new_data_key(id.as_bytes())?;
    let seal_payload = |plain: &[u8]| data_key.seal("messages", "payload", id.as_bytes(), plain);

    let mut new = NewMessage {
        id,
        tenant: hook.record.tenant.clone(),
        origin: Origin::Webhook(hook.record.id),
        message_id: None,
        state: MessageState::Unparsable,
        reason: None,
        size: size as u64,
        wrapped_key,
        trace: telemetry::current(),
        sealed_payload: Vec::new(),
        pin_signature: pin.as_ref().map(super::signature::Pinned::to_text),
        events: Vec::new(),
        at,
    };
    match &content {
        Content::Unparsable(body) => {
            new.reason = Some("not-json");
            new.sealed_payload = seal_payload(body)?;
        }
        Content::Object(object) => {
            new.message_id = message_id(object);
            new.sealed_payload = seal_payload(&serde_json::to_vec(object).unwrap_or_default())?;
            match cut(&hook, object) {
                Cut::Unparsable(reason) => new.reason = Some(reason),
                Cut::Nothing(reason) => {
                    new.state = MessageState::Skipped;
                    new.reason = Some(reason);
                }
                Cut::Events(events, trigger) => {
                    new.state = MessageState::Stored;
                    let arrival = Arrival {
                        tenant: &hook.record.tenant,
                        webhook: hook.record.id,
                        connection: hook.record.connection,
                        trigger,
                        at,
                    };
                    let suspicions = suspicions(store, &hook.key, hooks.lineage(), arrival, &events).await?;
                    for (event, suspicion) in events.iter().zip(suspicions) {
                        let order_key = hook.sequence.key(&hook.key, event);
                        let plain = new_event(&data_key, event, hook.tags(event))?;
                        new.events.push(NewEvent { suspicion, order_key, ..plain });
                    }
                    if hook.record.twinned {
                        let twins = twins::of(&hook.key, object, &events);
                        new.events.iter_mut().zip(twins).for_each(|(event, twin)| event.twin = Some(twin));
                    }
                }
            }
        }
    }
    let unparsable = new.state == MessageState::Unparsable;
    let (message_id, reason) = (new.message_id.clone(), new.reason);
    let stored: Vec<StoredEvent> = new.events.iter().map(|e| StoredEvent { run: e.run }).collect();
    faults::pass("ingress.before-commit");
    if faults::hit("ingress.commit-fails") {
        return Err(crate::store::StoreError::Full.into());
    }
    let ingested = store.ingest(new).await.inspect_err(|error| {
        // Its tombstone has ended: the next message to this URL is one to an unknown URL.
        if matches!(error, crate::store::StoreError::Missing(_)) {
            hooks.forget(hook.record.id);
        }
    })?;
    faults::pass("ingress.after-commit");
    if pin.is_some() {
        tracing::info!(webhook = %hook.record.id, "messages of this webhook are signed; from now on they must be");
        hooks.forget(hook.record.id);
    }
    tracing::debug!(
        webhook = %hook.record.id,
        message = %id,
        message_id = message_id.is_some(),
        gone = hook.is_gone(),
        outcome = ?ingested,
        reason,
        "message stored"
    );
    Ok(match ingested {
        Ingested::Duplicate => Accepted::Duplicate,
        Ingested::Stored(_) => Accepted::Stored(stored),
        Ingested::Skipped if unparsable => Accepted::Unparsable,
        Ingested::Skipped => Accepted::Skipped,
    })
}

/// Stores events that a person made, as one message of theirs.
///
/// # Errors
/// When it could not be stored: nothing of it was.
pub async fn persist_by_hand(
    store: &dyn Store,
    key: &TenantKey,
    tenant: &TenantId,
    workflow: WorkflowId,
    events: &[Event],
) -> Result<Accepted, IngressError> {
    let events: Vec<Found> = events.iter().map(|e| Found::of(e.clone())).collect();
    let sequence = Sequence::of_workflow(store, workflow).await?;
    let new = own_message(key, tenant, Origin::Person(workflow), &events, &sequence)?;
    let stored: Vec<StoredEvent> = new.events.iter().map(|e| StoredEvent { run: e.run }).collect();
    Ok(match store.ingest(new).await? {
        Ingested::Stored(_) => Accepted::Stored(stored),
        Ingested::Skipped => Accepted::Skipped,
        Ingested::Duplicate => Accepted::Duplicate,
    })
}

/// An event that the host found, with the tags of its rows.
pub struct Found {
    /// The event.
    pub event: Event,
    /// `PK_ID` and tags of each of its rows, when a late webhook must be known as one about them.
    pub tags: Vec<(i64, RowTags)>,
    /// Which writes of runs it may come from.
    pub suspicion: Option<Suspicion>,
}

impl Found {
    /// An event that no webhook tells of and no run made.
    #[must_use]
    pub fn of(event: Event) -> Self {
        Self { event, tags: Vec::new(), suspicion: None }
    }
}

/// A message of events that the host found for a workflow, to be stored by whoever found them.
///
/// # Errors
/// When a key fails.
pub fn found_message(
    key: &TenantKey,
    tenant: &TenantId,
    workflow: WorkflowId,
    events: &[Found],
    sequence: &Sequence,
) -> Result<NewMessage, IngressError> {
    own_message(key, tenant, Origin::Sweep(workflow), events, sequence)
}

/// A message of a schedule's tick.
///
/// # Errors
/// When a key fails.
pub fn tick_message(
    key: &TenantKey,
    tenant: &TenantId,
    workflow: WorkflowId,
    event: &Event,
) -> Result<NewMessage, IngressError> {
    own_message(key, tenant, Origin::Schedule(workflow), &[Found::of(event.clone())], &Sequence::default())
}

/// A message that no webhook brought.
fn own_message(
    key: &TenantKey,
    tenant: &TenantId,
    origin: Origin,
    events: &[Found],
    sequence: &Sequence,
) -> Result<NewMessage, IngressError> {
    let id = MessageId::new();
    let (data_key, wrapped_key) = key.new_data_key(id.as_bytes())?;
    let all: Vec<&Event> = events.iter().map(|found| &found.event).collect();
    let plain = serde_json::to_vec(&all).unwrap_or_default();
    Ok(NewMessage {
        id,
        tenant: tenant.clone(),
        origin,
        message_id: None,
        state: MessageState::Stored,
        reason: None,
        size: plain.len() as u64,
        wrapped_key,
        trace: telemetry::current(),
        sealed_payload: data_key.seal("messages", "payload", id.as_bytes(), &plain)?,
        pin_signature: None,
        events: events
            .iter()
            .map(|found| {
                let order_key = sequence.key(key, &found.event);
                let event = new_event(&data_key, &found.event, found.tags.clone())?;
                Ok(NewEvent { order_key, suspicion: found.suspicion.clone(), ..event })
            })
            .collect::<Result<_, IngressError>>()?,
        at: Time::now(),
    })
}

fn new_event(key: &DataKey, event: &Event, tags: Vec<(i64, RowTags)>) -> Result<NewEvent, IngressError> {
    let (id, run) = (EventId::new(), RunId::new());
    let plain = serde_json::to_vec(event)
        .map_err(|_| crate::store::StoreError::Corrupt("an event without JSON".to_owned()))?;
    let seed: [u8; 32] = random_bytes()?;
    let pk_id = match event.rows.as_slice() {
        [row] => row.pk_id(),
        _ => None,
    };
    Ok(NewEvent {
        id,
        kind: event.kind,
        suspicion: None,
        table: event.table.clone(),
        pk_id,
        event_date: event.event_date.clone(),
        sealed_typed: key.seal("events", "typed", id.as_bytes(), &plain)?,
        run,
        sealed_seed: key.seal("runs", "seed", run.as_bytes(), &seed)?,
        tags,
        order_key: None,
        twin: None,
    })
}
