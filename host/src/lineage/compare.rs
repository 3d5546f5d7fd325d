//! A row against a write: fields, and when.

use crate::clock::Time;
use crate::model::{Event, Field, Row, RunId, TableSchema, TriggerKind};
use crate::secrets::TenantKey;
use crate::store::{Fingerprints, OwnWrite, TriggerRecord};

use super::canonical::canonical;

/// How far the two clocks may be apart, and the whole seconds of Caspio's dates from the change. Rather more than less:
/// a write that is not recognised may go in circles.
const SLACK_SECONDS: i64 = 60;
/// Offsets of time zones are multiples of it. Should a date of Caspio's not be UTC after all, it still tells the
/// minutes and seconds.
const ZONE_SECONDS: i64 = 900;

/// Keyed fingerprints of the fields that can be compared. The step is part of them, so that equal values of two
/// writes are not seen to be equal.
#[must_use]
pub fn fingerprints(key: &TenantKey, run: RunId, step: u32, schema: &TableSchema, row: &Row) -> Fingerprints {
    let of = |(name, value): &(String, crate::model::Value)| {
        let field = schema.field(name)?;
        let print = fingerprint(key, run, step, field, value)?;
        Some((field.name.to_ascii_lowercase(), print))
    };
    row.0.iter().filter_map(of).collect()
}

/// Fingerprints of a record as Caspio showed it when it was created, of the fields that stay as they are.
#[must_use]
pub fn shown(key: &TenantKey, run: RunId, step: u32, schema: &TableSchema, row: &Row) -> Fingerprints {
    let lasting =
        |(name, _): &&(String, crate::model::Value)| schema.field(name).is_some_and(Field::is_lasting);
    fingerprints(key, run, step, schema, &Row(row.0.iter().filter(lasting).cloned().collect()))
}

/// Whether a write left this value in a field; none when it did not write it.
pub(super) fn wrote(
    key: &TenantKey,
    write: &OwnWrite,
    field: &Field,
    value: &crate::model::Value,
) -> Option<bool> {
    let print = write.fields.get(&field.name.to_ascii_lowercase())?;
    Some(fingerprint(key, write.run, write.step, field, value).is_none_or(|other| other == *print))
}

fn fingerprint(
    key: &TenantKey,
    run: RunId,
    step: u32,
    field: &Field,
    value: &crate::model::Value,
) -> Option<String> {
    let text = canonical(field, value)?;
    let purpose = format!("write {run} {step} {}", field.name.to_ascii_lowercase());
    let print = key.fingerprint(&purpose, text.as_bytes());
    Some(hex::encode(print.get(..16)?))
}

/// Whether a row already has every value that is to be written, as far as can be compared.
#[must_use]
pub fn changes_nothing(schema: &TableSchema, row: &Row, changes: &Row) -> bool {
    changes.0.iter().all(|(name, new)| {
        let (Some(field), Some(old)) = (schema.field(name), row.get(name)) else { return false };
        canonical(field, new).is_some_and(|new| canonical(field, old) == Some(new))
    })
}

/// Whether this write may have caused the row to be sent.
pub(super) fn may_have_caused(
    key: &TenantKey,
    trigger: &TriggerRecord,
    event: &Event,
    row: &Row,
    write: &OwnWrite,
    at: Time,
) -> bool {
    // A record is created once and deleted once.
    if write.of_record && event.kind != TriggerKind::RecordUpdate {
        return true;
    }
    let touches = |field: &String| write.fields.contains_key(&field.to_ascii_lowercase());
    if event.kind == TriggerKind::RecordUpdate
        && !trigger.fields.is_empty()
        && !trigger.fields.iter().any(touches)
    {
        return false;
    }
    // What the message leaves out (LIST fields, now and then) can't be compared.
    let alike = write.fields.iter().all(|(name, print)| {
        let (Some(field), Some(value)) = (trigger.schema.field(name), row.get(name)) else { return true };
        fingerprint(key, write.run, write.step, field, value).is_none_or(|other| other == *print)
    });
    alike && was_under_way(&event.event_date, write, at)
}

/// Whether the change was made while the write was under way. Without a date it may have been.
fn was_under_way(event_date: &str, write: &OwnWrite, now: Time) -> bool {
    let Ok(date) = event_date.parse::<jiff::civil::DateTime>() else { return true };
    let Ok(date) = jiff::tz::Offset::UTC.to_timestamp(date) else { return true };
    let second = |time: Time| time.0.div_euclid(1_000_000);
    let lasted = match write.ended_at {
        Some(ended) => second(ended).saturating_sub(second(write.began_at)),
        None => second(now).saturating_sub(second(write.at)),
    };
    let longest = lasted.max(0).saturating_add(2 * SLACK_SECONDS);
    let since = date.as_second().saturating_sub(second(write.began_at)).saturating_add(SLACK_SECONDS);
    since.rem_euclid(ZONE_SECONDS) <= longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(began: &str, ended: Option<&str>) -> OwnWrite {
        let at = |text: &str| Time(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        OwnWrite {
            run: RunId::new(),
            step: 1,
            fields: Fingerprints::new(),
            of_record: true,
            at: at(began),
            began_at: at(began),
            ended_at: ended.map(at),
        }
    }

    #[test]
    fn a_change_is_a_writes_only_while_it_was_under_way_in_any_time_zone() {
        let done = write("2026-01-16T12:00:00.5Z", Some("2026-01-16T12:00:02Z"));
        let now = Time(done.at.0 + 500_000_000);
        for (date, fits) in [
            ("2026-01-16T12:00:00", true),
            ("2026-01-16T12:00:02", true),
            ("2026-01-16T11:59:50", true),
            ("2026-01-16T12:00:15", true),
            ("2026-01-16T12:01:10", false),
            ("2026-01-16T11:58:50", false),
            ("2026-01-16T12:07:00", false),
            ("2026-01-16T07:00:01", true),
            ("2026-01-16T17:45:01", true),
            ("2026-01-16T07:01:10", false),
            ("", true),
        ] {
            assert_eq!(was_under_way(date, &done, now), fits, "{date}");
        }
        // Undecided: at any time up to now.
        let open = write("2026-01-16T12:00:00Z", None);
        let now = Time(open.at.0 + 300_000_000);
        for (date, fits) in
            [("2026-01-16T12:04:50", true), ("2026-01-16T12:06:30", false), ("2026-01-16T11:58:30", false)]
        {
            assert_eq!(was_under_way(date, &open, now), fits, "{date}");
        }
    }
}
