//! What a guest may ask for, and why it may not get it. One action is one step of a run.

use serde::{Deserialize, Serialize};

use super::{
    Aggregation, AttachmentAction, Criteria, DirectoryAction, FileAction, Query, Row, Source, StateAction,
    TaskAction, TimerAction, ViewAction,
};

/// One call of a guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// `records.list`
    ListRecords {
        /// The table.
        table: String,
        /// What is asked.
        query: Query,
    },
    /// `records.get`
    GetRecord {
        /// The table.
        table: String,
        /// Which record.
        pk_id: i64,
    },
    /// `records.create`
    CreateRecord {
        /// The table.
        table: String,
        /// The new values.
        row: Row,
    },
    /// `records.update`
    UpdateRecords {
        /// The table.
        table: String,
        /// Which records.
        criteria: Criteria,
        /// The new values.
        changes: Row,
        /// Answer the changed records.
        return_rows: bool,
    },
    /// `records.upsert`
    UpsertRecord {
        /// The table.
        table: String,
        /// Which record.
        criteria: Criteria,
        /// The new values.
        row: Row,
    },
    /// `records.delete`
    DeleteRecords {
        /// The table.
        table: String,
        /// Which records.
        criteria: Criteria,
    },
    /// `tables.list`
    ListTables,
    /// `tables.fields`
    ListFields {
        /// The table.
        table: String,
    },
    /// `aggregates.count`
    Count {
        /// Where.
        source: Source,
        /// Which records; none: all.
        criteria: Option<Criteria>,
    },
    /// `aggregates.select`
    Aggregate {
        /// Over what.
        source: Source,
        /// What is asked.
        aggregation: Aggregation,
    },
    /// `views`
    View(ViewAction),
    /// `attachments`
    Attachment {
        /// The table.
        table: String,
        /// The attachment field.
        field: String,
        /// What is done there.
        action: AttachmentAction,
    },
    /// `files`
    File(FileAction),
    /// `directories`
    Directory(DirectoryAction),
    /// `tasks`
    Task(TaskAction),
    /// `timers`
    Timer(TimerAction),
    /// `state`
    State(StateAction),
}

/// Whether an action changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    None,
    /// It changes something outside: its intent is durable before it is sent.
    Changes,
    /// It changes what the host itself keeps: the change and its result are one commit.
    Keeps,
    /// It lets the run sleep.
    Sleeps,
}

impl Action {
    /// The name, as shown in run records and metrics: `records.create`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ListRecords { .. } => "records.list",
            Self::GetRecord { .. } => "records.get",
            Self::CreateRecord { .. } => "records.create",
            Self::UpdateRecords { .. } => "records.update",
            Self::UpsertRecord { .. } => "records.upsert",
            Self::DeleteRecords { .. } => "records.delete",
            Self::ListTables => "tables.list",
            Self::ListFields { .. } => "tables.fields",
            Self::Count { .. } => "aggregates.count",
            Self::Aggregate { .. } => "aggregates.select",
            Self::View(action) => action.name(),
            Self::Attachment { action, .. } => action.name(),
            Self::File(action) => action.name(),
            Self::Directory(action) => action.name(),
            Self::Task(action) => action.name(),
            Self::Timer(action) => action.name(),
            Self::State(action) => action.name(),
        }
    }

    /// The table it is about, when it is about one.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::ListRecords { table, .. }
            | Self::GetRecord { table, .. }
            | Self::CreateRecord { table, .. }
            | Self::UpdateRecords { table, .. }
            | Self::UpsertRecord { table, .. }
            | Self::DeleteRecords { table, .. }
            | Self::ListFields { table }
            | Self::Count { source: Source::Table(table), .. }
            | Self::Aggregate { source: Source::Table(table), .. }
            | Self::Attachment { table, .. } => Some(table),
            Self::ListTables
            | Self::Count { .. }
            | Self::Aggregate { .. }
            | Self::View(_)
            | Self::File(_)
            | Self::Directory(_)
            | Self::Task(_)
            | Self::Timer(_)
            | Self::State(_) => None,
        }
    }

    /// The view it is about, when it is about one.
    #[must_use]
    pub fn view(&self) -> Option<&str> {
        match self {
            Self::Count { source: Source::View(view), .. }
            | Self::Aggregate { source: Source::View(view), .. }
            | Self::View(
                ViewAction::Fields { view } | ViewAction::Records { view, .. } | ViewAction::Get { view, .. },
            ) => Some(view),
            _ => None,
        }
    }

    /// As shown to people, who have no use for a file's bytes: without them.
    #[must_use]
    pub fn without_content(mut self) -> Self {
        match &mut self {
            Self::Attachment { action: AttachmentAction::Upload { content, .. }, .. }
            | Self::File(FileAction::Upload { content, .. }) => content.0.clear(),
            _ => {}
        }
        self
    }

    /// Whether it changes something.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::CreateRecord { .. }
            | Self::UpdateRecords { .. }
            | Self::UpsertRecord { .. }
            | Self::DeleteRecords { .. } => Effect::Changes,
            Self::Attachment { action, .. } => action.effect(),
            Self::File(action) => action.effect(),
            Self::Directory(action) => action.effect(),
            Self::Task(action) => action.effect(),
            Self::Timer(_) => Effect::Sleeps,
            Self::State(action) => action.effect(),
            _ => Effect::None,
        }
    }
}

/// Why an action was not done; the cases are those of `error` in `wit/`. Texts hold no values of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum ActionError {
    /// Not granted.
    #[error("denied: {0}")]
    Denied(String),
    /// No such table, field or record.
    #[error("not found: {0}")]
    NotFound(String),
    /// A value was refused.
    #[error("invalid value for field '{field}': {message}")]
    Invalid {
        /// The field; "" when unknown.
        field: String,
        /// What is wrong.
        message: String,
    },
    /// A Unique field has that value already.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Rate limit.
    #[error("throttled: {0}")]
    Throttled(String),
    /// Caspio can't be reached or fails.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A limit of the run.
    #[error("limit: {0}")]
    Limit(String),
    /// No integration calls left.
    #[error("budget: {0}")]
    Budget(String),
    /// Too large.
    #[error("too large: {0}")]
    TooLarge(String),
    /// Anything else.
    #[error("{code}: {text}")]
    Other {
        /// Stable code.
        code: String,
        /// What happened.
        text: String,
    },
}

impl ActionError {
    /// The case's name, for run records and metrics.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Denied(_) => "denied",
            Self::NotFound(_) => "not-found",
            Self::Invalid { .. } => "invalid",
            Self::Conflict(_) => "conflict",
            Self::Throttled(_) => "throttled",
            Self::Unavailable(_) => "unavailable",
            Self::Limit(_) => "limit",
            Self::Budget(_) => "budget",
            Self::TooLarge(_) => "too-large",
            Self::Other { code, .. } => code,
        }
    }
}
