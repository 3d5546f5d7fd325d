//! What a sweep found against the writes of runs: field by field.
//!
//! Between two rounds a row may have been written several times, by runs and by people, and only the last state is seen.
//! It is the work of runs when each field that changed since the row was last known has the value that a write of a run
//! left there since; one that has not was changed by somebody else, and then the whole change counts as theirs. A new row is
//! a run's when it was created by one and its fields are as Caspio showed them then, or as later writes left them. A record
//! is deleted once: whoever registered that, did it.

use crate::clock::Time;
use crate::model::{Field, Row, TableSchema, TriggerKind};
use crate::secrets::TenantKey;
use crate::store::{OwnWrite, Store, StoreError, WriteQuery};

use super::Arrival;
use super::compare::wrote;

/// How far Caspio's clock may be from what its answers tell of it, and whole seconds from the change.
const SLACK_MICROS: i64 = 2_000_000;

/// A row that differs from what was known of it.
#[derive(Debug)]
pub struct SweptRow<'a> {
    /// How.
    pub kind: TriggerKind,
    /// Its key.
    pub pk_id: i64,
    /// As it was read; none when it is gone.
    pub row: Option<&'a Row>,
    /// For an update, the fields that changed.
    pub changed: Vec<&'a Field>,
    /// When it was last known, by this machine's clock.
    pub since: Time,
    /// When what was known had happened, as in an `eventDate`, if a webhook told it; else "".
    pub told: &'a str,
}

/// The writes of runs that each part of the change may come from; nothing when somebody else made it.
///
/// # Errors
/// When the store fails.
pub async fn causes(
    store: &dyn Store,
    key: &TenantKey,
    arrival: Arrival<'_>,
    x: &SweptRow<'_>,
) -> Result<Vec<Vec<OwnWrite>>, StoreError> {
    let writes = async |kind| {
        let query = WriteQuery {
            tenant: arrival.tenant.clone(),
            connection: arrival.connection,
            kind,
            table: arrival.trigger.table.clone(),
            pk_ids: vec![Some(x.pk_id)],
            since: Time::default(),
        };
        Ok::<_, StoreError>(store.own_writes(query).await?.pop().unwrap_or_default())
    };
    let of_kind = writes(x.kind).await?;
    let parts = match (x.kind, x.row) {
        (TriggerKind::RecordInsert, Some(row)) => {
            let updates = writes(TriggerKind::RecordUpdate).await?;
            inserted(key, &arrival.trigger.schema, row, of_kind, updates)
        }
        (TriggerKind::RecordUpdate, Some(row)) => {
            let since: Vec<OwnWrite> = of_kind.into_iter().filter(|w| is_since(x, w)).collect();
            x.changed.iter().map(|field| left(key, field, row, &since)).collect()
        }
        _ => vec![of_kind],
    };
    Ok(if parts.iter().any(Vec::is_empty) { Vec::new() } else { parts })
}

/// Writes that left in a field what is there.
fn left(key: &TenantKey, field: &Field, row: &Row, writes: &[OwnWrite]) -> Vec<OwnWrite> {
    let Some(value) = row.get(&field.name) else { return Vec::new() };
    writes.iter().filter(|w| wrote(key, w, field, value) == Some(true)).cloned().collect()
}

fn inserted(
    key: &TenantKey,
    schema: &TableSchema,
    row: &Row,
    inserts: Vec<OwnWrite>,
    updates: Vec<OwnWrite>,
) -> Vec<Vec<OwnWrite>> {
    let fields = || schema.fields.iter().filter(|field| field.is_lasting());
    // One of which Caspio did not say which record it made must have made this very one.
    let same = |w: &OwnWrite| {
        fields().all(|f| row.get(&f.name).and_then(|value| wrote(key, w, f, value)).unwrap_or(true))
    };
    let inserts: Vec<OwnWrite> = inserts.into_iter().filter(|w| w.of_record || same(w)).collect();
    let all: Vec<OwnWrite> = inserts.iter().chain(&updates).cloned().collect();
    let known =
        fields().filter(|f| inserts.iter().any(|w| w.fields.contains_key(&f.name.to_ascii_lowercase())));
    let mut parts: Vec<Vec<OwnWrite>> =
        known.filter(|f| row.get(&f.name).is_some()).map(|f| left(key, f, row, &all)).collect();
    parts.insert(0, inserts);
    parts
}

/// Whether a write may have been made after the row was last known.
fn is_since(x: &SweptRow<'_>, write: &OwnWrite) -> bool {
    let Some(ended) = write.ended_at else { return true };
    // A message may come long after what it tells.
    let happened = x.told.parse::<jiff::civil::DateTime>().ok();
    let happened = happened.and_then(|date| jiff::tz::Offset::UTC.to_timestamp(date).ok());
    let after = happened.is_some_and(|date| ended.0.saturating_add(SLACK_MICROS) >= date.as_microsecond());
    write.at >= x.since || after
}
