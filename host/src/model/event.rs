//! Events: what runs are about.

use serde::{Deserialize, Serialize};

use super::Row;

/// What made an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerKind {
    /// A row was inserted.
    RecordInsert,
    /// A row was changed.
    RecordUpdate,
    /// A row was deleted.
    RecordDelete,
    /// A tick of a schedule.
    Schedule,
    /// A request of another system.
    Http,
    /// A person or a command.
    Manual,
}

impl TriggerKind {
    /// As in manifests and lists: `record-insert`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RecordInsert => "record-insert",
            Self::RecordUpdate => "record-update",
            Self::RecordDelete => "record-delete",
            Self::Schedule => "schedule",
            Self::Http => "http",
            Self::Manual => "manual",
        }
    }

    /// Back from the text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::RecordInsert, Self::RecordUpdate, Self::RecordDelete, Self::Schedule, Self::Http, Self::Manual]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// From Caspio's `eventType`, e.g. `table.recordInsert`.
    #[must_use]
    pub fn from_caspio(event_type: &str) -> Option<Self> {
        match event_type {
            "table.recordInsert" => Some(Self::RecordInsert),
            "table.recordUpdate" => Some(Self::RecordUpdate),
            "table.recordDelete" => Some(Self::RecordDelete),
            _ => None,
        }
    }

    /// Caspio's `EventType`; none for kinds that Caspio does not fire.
    #[must_use]
    pub fn to_caspio(self) -> Option<&'static str> {
        match self {
            Self::RecordInsert => Some("table.recordInsert"),
            Self::RecordUpdate => Some("table.recordUpdate"),
            Self::RecordDelete => Some("table.recordDelete"),
            Self::Schedule | Self::Http | Self::Manual => None,
        }
    }
}

/// A typed event, as kept and as every attempt gets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What made it.
    pub kind: TriggerKind,
    /// Name of the connection it came by; "" for none.
    pub connection: String,
    /// The table; "" for none.
    pub table: String,
    /// The changed rows.
    pub rows: Vec<Row>,
    /// Caspio's `eventDate`, UTC, whole seconds; "" when unknown.
    pub event_date: String,
    /// Caspio's `messageId`; "" for none.
    pub message_id: String,
    /// Found by the host itself.
    pub reconciled: bool,
}
