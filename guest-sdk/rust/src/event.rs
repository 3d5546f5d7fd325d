//! What a run is about.
//!
//! The host types an event once, before the first attempt: every attempt gets the same one, except for
//! [`Event::attempt`]. By default it holds one row; with `batch = true` in the manifest all rows of
//! the message. Tests make events with [`Event::new`].

use crate::raw;
use crate::raw::caspian::workflow::types;
use crate::{Date, DateTime, Error, Row};

/// What made an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TriggerKind {
    /// A row was inserted.
    RecordInsert,
    /// A row was changed. Caspio sends the new values only.
    RecordUpdate,
    /// A row was deleted; the row holds its last values.
    RecordDelete,
    /// A tick of a schedule.
    Schedule,
    /// A request of another system.
    Http,
    /// A person or a command.
    Manual,
    /// A kind that this version of the contract does not know.
    Other(String),
}

impl TriggerKind {
    /// As in manifests: `record-insert`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::RecordInsert => "record-insert",
            Self::RecordUpdate => "record-update",
            Self::RecordDelete => "record-delete",
            Self::Schedule => "schedule",
            Self::Http => "http",
            Self::Manual => "manual",
            Self::Other(name) => name,
        }
    }
}

/// What a run is about.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Id of the event in this host (UUID), the same in every attempt and every generation.
    pub id: String,
    /// What made it.
    pub kind: TriggerKind,
    /// Name of the connection it came by; "" when it came by none.
    pub connection: String,
    /// The table whose row changed; "" when the event is not about a table.
    pub table: String,
    /// The changed rows: one, or with `batch = true` all rows of the message.
    pub rows: Vec<Row>,
    /// When it happened by Caspio's clock, "2026-11-24T15:04:05" in UTC; "" when unknown.
    pub event_date: String,
    /// Caspio's id of the message; "" when there was none.
    pub message_id: String,
    /// True when the host found the change itself, because no webhook told of it.
    pub reconciled: bool,
    /// Which try of this run it is, from 1. Calls must not depend on it.
    pub attempt: u32,
}

impl Event {
    /// An event for tests: first attempt, no ids, no date. Its fields can be set.
    #[must_use]
    pub fn new(kind: TriggerKind, table: impl Into<String>, rows: Vec<Row>) -> Self {
        Self {
            id: String::new(),
            kind,
            connection: String::new(),
            table: table.into(),
            rows,
            event_date: String::new(),
            message_id: String::new(),
            reconciled: false,
            attempt: 1,
        }
    }

    /// The only row.
    ///
    /// # Errors
    /// When the event holds none, or several: then [`Event::rows`] is the way.
    pub fn row(&self) -> Result<&Row, Error> {
        match self.rows.as_slice() {
            [row] => Ok(row),
            [] => {
                Err(Error::Event("the event holds no row; it was not made by a record, so don't ask for one"))
            }
            _ => Err(Error::Event(
                "the event holds several rows; use rows(), or remove batch from the manifest",
            )),
        }
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// When it happened by Caspio's clock, in UTC. The clock to use where a workflow needs "now".
    ///
    /// # Errors
    /// When the host does not know it.
    pub fn date_time(&self) -> Result<DateTime, Error> {
        DateTime::parse(&self.event_date).ok_or(Error::Event(
            "the event has no date; take a date from the row, or end the run without one",
        ))
    }

    /// The day on which it happened, in UTC.
    ///
    /// # Errors
    /// When the host does not know it.
    pub fn date(&self) -> Result<Date, Error> {
        self.date_time()?.event_day()
    }

    pub(crate) fn from_raw(event: raw::Event) -> Self {
        let kind = match event.kind {
            types::TriggerKind::RecordInsert => TriggerKind::RecordInsert,
            types::TriggerKind::RecordUpdate => TriggerKind::RecordUpdate,
            types::TriggerKind::RecordDelete => TriggerKind::RecordDelete,
            types::TriggerKind::Schedule => TriggerKind::Schedule,
            types::TriggerKind::Http => TriggerKind::Http,
            types::TriggerKind::Manual => TriggerKind::Manual,
            types::TriggerKind::Other(name) => TriggerKind::Other(name),
        };
        Self {
            id: event.id,
            kind,
            connection: event.connection,
            table: event.table,
            rows: event.rows.into_iter().map(Row::from_raw).collect(),
            event_date: event.event_date,
            message_id: event.message_id,
            reconciled: event.reconciled,
            attempt: event.attempt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_is_the_only_one() {
        let with = |rows| Event::new(TriggerKind::RecordInsert, "Patients", rows);
        assert_eq!(with(vec![Row::new().set("PK_ID", 1)]).row().and_then(Row::pk_id), Ok(1));
        assert!(matches!(with(Vec::new()).row(), Err(Error::Event(text)) if text.contains("no row")));
        assert!(
            matches!(with(vec![Row::new(); 2]).row(), Err(Error::Event(text)) if text.contains("several"))
        );
    }

    #[test]
    fn the_date_may_be_unknown() {
        let mut event = Event::new(TriggerKind::Manual, "", Vec::new());
        assert!(event.date().is_err());
        event.event_date = "2026-11-24T15:04:05".to_owned();
        assert_eq!(event.date().ok(), Date::new(2026, 11, 24));
    }
}
