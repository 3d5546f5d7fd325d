//! The event on its way into a guest: the contract's types without copies of what the host holds.
//!
//! An event has a text or two a field, and every attempt lowers it into the guest's memory once: copies in between
//! would be a good part of what an attempt costs. The shapes are those of `event` in `wit/`; the engine compares them
//! with the component's when it looks `handle` up.

use wasmtime::component::{ComponentType, Lower};

use crate::model::{Event, EventId, TriggerKind, Value};

use super::bindings::caspian::workflow::types;

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct EventRef<'a> {
    id: String,
    kind: types::TriggerKind,
    connection: &'a str,
    table: &'a str,
    rows: Vec<Vec<FieldRef<'a>>>,
    #[component(name = "event-date")]
    event_date: &'a str,
    #[component(name = "message-id")]
    message_id: &'a str,
    reconciled: bool,
    attempt: u32,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct FieldRef<'a> {
    name: &'a str,
    value: ValueRef<'a>,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum ValueRef<'a> {
    #[component(name = "null")]
    Null,
    #[component(name = "text")]
    Text(&'a str),
    #[component(name = "integer")]
    Integer(i64),
    #[component(name = "number")]
    Number(f64),
    #[component(name = "decimal")]
    Decimal(&'a str),
    #[component(name = "boolean")]
    Boolean(bool),
    #[component(name = "date")]
    Date(&'a str),
    #[component(name = "date-time")]
    DateTime(&'a str),
    #[component(name = "choices")]
    Choices(Vec<ChoiceRef<'a>>),
    #[component(name = "bytes")]
    Bytes(&'a [u8]),
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct ChoiceRef<'a> {
    key: u32,
    label: &'a str,
}

/// The event as the guest gets it.
pub(super) fn lowered(id: EventId, event: &Event, attempt: u32) -> EventRef<'_> {
    EventRef {
        id: id.to_string(),
        kind: match event.kind {
            TriggerKind::RecordInsert => types::TriggerKind::RecordInsert,
            TriggerKind::RecordUpdate => types::TriggerKind::RecordUpdate,
            TriggerKind::RecordDelete => types::TriggerKind::RecordDelete,
            TriggerKind::Schedule => types::TriggerKind::Schedule,
            TriggerKind::Http => types::TriggerKind::Http,
            TriggerKind::Manual => types::TriggerKind::Manual,
        },
        connection: &event.connection,
        table: &event.table,
        rows: event.rows.iter().map(|row| row.0.iter().map(field_ref).collect()).collect(),
        event_date: &event.event_date,
        message_id: &event.message_id,
        reconciled: event.reconciled,
        attempt,
    }
}

fn field_ref((name, value): &(String, Value)) -> FieldRef<'_> {
    FieldRef { name, value: value_ref(value) }
}

fn value_ref(value: &Value) -> ValueRef<'_> {
    match value {
        Value::Null => ValueRef::Null,
        Value::Text(v) => ValueRef::Text(v),
        Value::Integer(v) => ValueRef::Integer(*v),
        Value::Number(v) => ValueRef::Number(*v),
        Value::Decimal(v) => ValueRef::Decimal(v),
        Value::Boolean(v) => ValueRef::Boolean(*v),
        Value::Date(v) => ValueRef::Date(v),
        Value::DateTime(v) => ValueRef::DateTime(v),
        Value::Choices(list) => {
            ValueRef::Choices(list.iter().map(|c| ChoiceRef { key: c.key, label: &c.label }).collect())
        }
        Value::Bytes(v) => ValueRef::Bytes(v),
    }
}
