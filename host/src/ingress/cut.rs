//! A message cut into typed events.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::caspio::row_from_json;
use crate::clock::event_date_in_utc;
use crate::model::{Event, Row, TriggerKind};
use crate::store::TriggerRecord;

use super::Hook;

/// Rows of one message that become events. A message holds 10 MB at most, which is some 50,000 rows of 200 bytes;
/// more are no rows of a real table.
pub const MOST_ROWS: usize = 50_000;

/// What is in a message.
pub(super) enum Cut<'a> {
    /// Events, at least one, and the trigger that they came by.
    Events(Vec<Event>, &'a TriggerRecord),
    /// Nothing to do, with the reason as a code.
    Nothing(&'static str),
    /// A JSON object, but no message of Caspio's that can be worked on, with the reason as a code.
    Unparsable(&'static str),
}

/// Caspio's ids are GUIDs of 36 characters; a longer one is kept as its hash, which is as good to recognise it by.
const LONGEST_ID: usize = 100;

pub(super) fn message_id(object: &Map<String, Value>) -> Option<String> {
    let id = text(object, "messageId").map(str::trim).filter(|t| !t.is_empty())?;
    Some(if id.len() > LONGEST_ID { hex::encode(Sha256::digest(id.as_bytes())) } else { id.to_owned() })
}

pub(super) fn cut<'a>(hook: &'a Hook, object: &Map<String, Value>) -> Cut<'a> {
    let Some(event_type) = text(object, "eventType") else {
        return if object.contains_key("data") {
            Cut::Unparsable("not-a-message")
        } else {
            Cut::Nothing("test-message")
        };
    };
    let Some(kind) = TriggerKind::from_caspio(event_type) else { return Cut::Nothing("unknown-event-type") };
    let rows = match object.get("data") {
        None | Some(Value::Null) => return Cut::Nothing("test-message"),
        Some(Value::Array(rows)) => rows,
        Some(_) => return Cut::Unparsable("not-a-message"),
    };
    if rows.is_empty() {
        return Cut::Nothing("no-rows");
    }
    if rows.len() > MOST_ROWS {
        return Cut::Unparsable("too-many-rows");
    }
    let table = text(object, "objectName").unwrap_or_default();
    let Some(trigger) = trigger(hook, kind, table, text(object, "eventId")) else {
        return Cut::Nothing("no-trigger");
    };
    let mut typed = Vec::with_capacity(rows.len());
    for row in rows {
        match row {
            Value::Object(row) => typed.push(row_from_json(&trigger.schema, row)),
            _ => return Cut::Unparsable("not-a-message"),
        }
    }
    let event = |rows: Vec<Row>| Event {
        kind,
        connection: hook.record.connection_name.clone(),
        table: trigger.table.clone(),
        rows,
        event_date: text(object, "eventDate").and_then(event_date_in_utc).unwrap_or_default(),
        message_id: message_id(object).unwrap_or_default(),
        reconciled: false,
    };
    let events = if trigger.batch {
        vec![event(typed)]
    } else {
        typed.into_iter().map(|row| event(vec![row])).collect()
    };
    Cut::Events(events, trigger)
}

/// The trigger whose event in Caspio it was; by its id, else by what it says.
fn trigger<'a>(
    hook: &'a Hook,
    kind: TriggerKind,
    table: &str,
    event_id: Option<&str>,
) -> Option<&'a TriggerRecord> {
    let alike = |t: &&TriggerRecord| t.kind == kind && t.table.eq_ignore_ascii_case(table);
    let all = &hook.record.triggers;
    all.iter()
        .find(|t| alike(t) && event_id.is_some() && t.caspio_id.as_deref() == event_id)
        .or_else(|| all.iter().find(alike))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}
