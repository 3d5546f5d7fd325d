//! What an action answered.

use serde::{Deserialize, Serialize};

use super::{Content, Field, Row};

/// What an action answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To `records.list`, `views.records`, `directories.users` and `aggregates.select`.
    Rows(Vec<Row>),
    /// To `records.get` and `views.get`.
    Record(Option<Row>),
    /// To `records.create` and `directories.create-user`.
    Created(Row),
    /// To `records.update`.
    Updated {
        /// How many matched.
        affected: u32,
        /// The records after the change, when asked for.
        rows: Vec<Row>,
    },
    /// To `records.upsert`.
    Upserted {
        /// Created, not updated.
        created: bool,
        /// The record after the change.
        row: Row,
    },
    /// To `records.delete`.
    Deleted(u32),
    /// To `tables.list` and `views.list`.
    Tables(Vec<String>),
    /// To `tables.fields` and `views.fields`.
    Fields(Vec<Field>),
    /// To `aggregates.count`.
    Count(u64),
    /// To `attachments.list`.
    Attachments(Vec<Attachment>),
    /// To `attachments.download` and `files.download`.
    Content(Content),
    /// To `files.folders`.
    Folders(Vec<Folder>),
    /// To `files.list`.
    Files(Vec<File>),
    /// To `files.upload`.
    Uploaded(StoredFile),
    /// To `directories.list`.
    Directories(Vec<Directory>),
    /// To `directories.activate-user`: where the user sets a password; none when Caspio tells no address.
    Activated(Option<String>),
    /// To `tasks.list`.
    Tasks(Vec<Task>),
    /// To `tasks.get`.
    Task(Task),
    /// It was done, and there is no more to say.
    Done,
    /// To a deletion or change of one thing: whether it was there.
    WasThere(bool),
    /// To `state.get`.
    Entry(Option<StateEntry>),
    /// To `state.set` and `state.compare-and-set`: the new version.
    Version(u64),
    /// To `state.list`.
    Keys(Vec<String>),
}

/// A value of a workflow's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEntry {
    /// The value.
    pub value: Content,
    /// Another one with every change.
    pub version: u64,
}

/// The file of one record's attachment field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The record.
    pub pk_id: i64,
    /// Name with its ending.
    pub file_name: String,
    /// Bytes.
    pub size: u64,
    /// `YYYY-MM-DDTHH:MM:SS[.fff]` in UTC; "" when unknown.
    pub created: String,
    /// The same, of the last change.
    pub updated: String,
}

/// A folder of Caspio's file store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Caspio's key.
    pub key: String,
    /// Name.
    pub name: String,
    /// `YYYY-MM-DDTHH:MM:SS[.fff]` in UTC; "" when unknown.
    pub created: String,
}

/// A file of Caspio's file store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Caspio's key.
    pub key: String,
    /// Name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Media type; "" when unknown.
    pub content_type: String,
    /// `YYYY-MM-DDTHH:MM:SS[.fff]` in UTC; "" when unknown.
    pub created: String,
    /// The same, of the last change.
    pub updated: String,
}

/// A file as it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Caspio's key; "" when Caspio did not tell it.
    pub key: String,
    /// Name.
    pub name: String,
}

/// A directory of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Caspio's id.
    pub id: String,
    /// Name.
    pub name: String,
    /// How many users it has.
    pub users: u32,
}

/// A task that imports or exports data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Caspio's key.
    pub key: String,
    /// Name.
    pub name: String,
    /// "Ready", "Busy" or "Processing".
    pub status: String,
    /// How often it runs, in Caspio's words.
    pub frequency: String,
    /// The zone of its schedule, in Caspio's words.
    pub time_zone: String,
    /// What is noted about it.
    pub note: String,
}
