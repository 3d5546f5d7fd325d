//! Whose work a change is: writes of runs are registered, and the webhooks that they cause recognised.
//!
//! With the intent of an effect goes what it writes where: table, records, and a keyed fingerprint of each field
//! ([`register`]). A row that comes in is compared with the writes of its table and record, by the fields written only
//! ([`suspicions`]): a value that Caspio writes otherwise than it was sent (blanks, digits, fractions of a second) is
//! brought into one form first. The store settles which write it was, and lets each account for one row a trigger
//! (`store/sqlite/writes.rs`); how deep a chain may go is for the workflow's manifest to say.
//!
//! A record is created and deleted once, so there its `PK_ID` is proof enough. An update that leaves the values as they
//! are causes no webhook: what it would have matched is a person's change. Such a write is not registered, and any write
//! only matches while it was under way. What a sweep finds is compared field by field (`swept.rs`).

mod canonical;
mod compare;
mod swept;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::model::{ConnectionId, Event, Row, RunId, TableSchema, TenantId, TriggerKind, WebhookId};
use crate::secrets::TenantKey;
use crate::store::{NewWrite, OwnWrite, Store, StoreError, SuspectRow, Suspicion, TriggerRecord, WriteQuery};

pub use compare::{changes_nothing, fingerprints, shown};
pub use swept::{SweptRow, causes};

/// `[lineage]` of the configuration.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LineageSettings {
    /// Seconds in which the webhook of a write is expected, and for which an event waits for a write that is undecided.
    /// Default 600: Caspio holds messages back when there are many, and sends them again after failures.
    pub window_seconds: u64,
}

impl Default for LineageSettings {
    fn default() -> Self {
        Self { window_seconds: 600 }
    }
}

impl LineageSettings {
    /// The time in which a webhook is expected.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_seconds)
    }
}

/// The source of changes that this host makes.
const OWN_SOURCE: &str = "RESTAPIs";

/// Whether a workflow's trigger can be told of writes of runs at all.
#[must_use]
pub fn hears_of_runs(trigger: &TriggerRecord) -> bool {
    trigger.sources.is_empty() || trigger.sources.iter().any(|s| s.eq_ignore_ascii_case(OWN_SOURCE))
}

/// Where and when a message came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Whose it is.
    pub tenant: &'a TenantId,
    /// Its webhook, or that of the workflow whose sweep it is.
    pub webhook: WebhookId,
    /// The connection of its webhook.
    pub connection: ConnectionId,
    /// The trigger that it came by.
    pub trigger: &'a TriggerRecord,
    /// When.
    pub at: Time,
}

/// Which writes of runs may have caused each of the events of a message; none when no row of it may come from one.
///
/// # Errors
/// When the store fails.
pub async fn suspicions(
    store: &dyn Store,
    key: &TenantKey,
    settings: LineageSettings,
    arrival: Arrival<'_>,
    events: &[Event],
) -> Result<Vec<Option<Suspicion>>, StoreError> {
    let Arrival { tenant, connection, trigger, at, .. } = arrival;
    if !hears_of_runs(trigger) {
        return Ok(vec![None; events.len()]);
    }
    let window = settings.window();
    let query = WriteQuery {
        tenant: tenant.clone(),
        connection,
        kind: trigger.kind,
        table: trigger.table.clone(),
        pk_ids: events.iter().flat_map(|event| &event.rows).map(Row::pk_id).collect(),
        since: Time(at.0.saturating_sub(i64::try_from(window.as_micros()).unwrap_or(i64::MAX))),
    };
    let mut found = store.own_writes(query).await?.into_iter();
    let suspicion = |event: &Event| {
        let mut rows = Vec::new();
        for (place, row) in event.rows.iter().enumerate() {
            let writes = found.next().unwrap_or_default();
            let fits = |w: &&OwnWrite| compare::may_have_caused(key, trigger, event, row, w, at);
            let writes: Vec<(RunId, u32)> = writes.iter().filter(fits).map(|w| (w.run, w.step)).collect();
            if !writes.is_empty() {
                let place = u32::try_from(place).unwrap_or(u32::MAX);
                rows.push(SuspectRow { row: place, pk_id: row.pk_id(), parts: vec![writes] });
            }
        }
        suspicion_of(arrival, settings, rows, event.rows.len())
    };
    Ok(events.iter().map(suspicion).collect())
}

/// Of an event's rows that may come from writes; none when there are none.
#[must_use]
pub fn suspicion_of(
    arrival: Arrival<'_>,
    settings: LineageSettings,
    rows: Vec<SuspectRow>,
    all: usize,
) -> Option<Suspicion> {
    let Arrival { webhook, trigger, at, .. } = arrival;
    let all_rows = rows.len() == all;
    let wait_until = at.after(settings.window());
    (!rows.is_empty()).then_some(Suspicion {
        webhook,
        position: trigger.position,
        rows,
        all_rows,
        wait_until,
    })
}

/// What an effect is about to write.
#[derive(Debug)]
pub struct Writing<'a> {
    /// Whose it is.
    pub tenant: &'a TenantId,
    /// By which connection.
    pub connection: ConnectionId,
    /// What Caspio will say that happened.
    pub kind: TriggerKind,
    /// The table.
    pub schema: &'a TableSchema,
    /// What is written; none for a deletion.
    pub row: Option<&'a Row>,
    /// Which records; none for a new one.
    pub pk_ids: Vec<i64>,
    /// When, by Caspio's clock.
    pub began_at: Time,
}

/// The write of a step, to be made durable with its intent.
#[must_use]
pub fn register(key: &TenantKey, run: RunId, step: u32, x: Writing<'_>) -> NewWrite {
    let fields = x.row.map(|row| fingerprints(key, run, step, x.schema, row)).unwrap_or_default();
    NewWrite {
        tenant: x.tenant.clone(),
        step,
        connection: x.connection,
        kind: x.kind,
        table: x.schema.table.clone(),
        fields,
        pk_ids: x.pk_ids,
        at: Time::now(),
        began_at: x.began_at,
    }
}
