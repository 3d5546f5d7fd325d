//! Calls that are about other things than records of tables, one enum a subject.

use serde::{Deserialize, Serialize};

use super::{Content, Criteria, Effect, Query, Row};

/// A call of `views`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViewAction {
    /// `views.list`
    List,
    /// `views.fields`
    Fields {
        /// The view.
        view: String,
    },
    /// `views.records`
    Records {
        /// The view.
        view: String,
        /// What is asked.
        query: Query,
    },
    /// `views.get`
    Get {
        /// The view.
        view: String,
        /// The `PK_ID`, of a view over several tables one number a table: "3,17".
        key: String,
    },
}

/// A call of `attachments`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttachmentAction {
    /// `attachments.list`
    List {
        /// Of which records; none: of all.
        criteria: Option<Criteria>,
    },
    /// `attachments.download`
    Download {
        /// The record.
        pk_id: i64,
    },
    /// `attachments.upload`
    Upload {
        /// The record.
        pk_id: i64,
        /// Name of the file.
        file_name: String,
        /// The file.
        content: Content,
    },
    /// `attachments.rename`
    Rename {
        /// The record.
        pk_id: i64,
        /// The new name.
        file_name: String,
    },
    /// `attachments.delete`
    Delete {
        /// The record.
        pk_id: i64,
    },
}

/// A call of `files`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileAction {
    /// `files.folders`
    Folders {
        /// Key of the folder that holds them; none: the top.
        parent: Option<String>,
    },
    /// `files.list`
    List {
        /// Key of the folder; none: the top.
        folder: Option<String>,
    },
    /// `files.download`
    Download {
        /// Key of the file.
        key: String,
    },
    /// `files.upload`
    Upload {
        /// Key of the folder; none: the top.
        folder: Option<String>,
        /// Name of the file.
        name: String,
        /// The file.
        content: Content,
        /// A file of that name is replaced.
        replace: bool,
    },
    /// `files.delete`
    Delete {
        /// Key of the file.
        key: String,
    },
}

/// A call of `directories`. A directory is meant by its name, a user by its GUID.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectoryAction {
    /// `directories.list`
    List,
    /// `directories.users`
    Users {
        /// The directory.
        directory: String,
        /// What is asked.
        query: Query,
    },
    /// `directories.create-user`
    CreateUser {
        /// The directory.
        directory: String,
        /// The new user's values.
        row: Row,
    },
    /// `directories.update-user`
    UpdateUser {
        /// The directory.
        directory: String,
        /// The user.
        user: String,
        /// The new values.
        changes: Row,
    },
    /// `directories.delete-user`
    DeleteUser {
        /// The directory.
        directory: String,
        /// The user.
        user: String,
    },
    /// `directories.activate-user`
    ActivateUser {
        /// The directory.
        directory: String,
        /// The user.
        user: String,
        /// Caspio sends the user a message.
        send_email: bool,
    },
}

/// A call of `tasks`. A task is meant by its name or key, as the manifest has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskAction {
    /// `tasks.list`
    List,
    /// `tasks.get`
    Get {
        /// The task.
        task: String,
    },
    /// `tasks.run`
    Run {
        /// The task.
        task: String,
    },
}

impl ViewAction {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List => "views.list",
            Self::Fields { .. } => "views.fields",
            Self::Records { .. } => "views.records",
            Self::Get { .. } => "views.get",
        }
    }
}

impl AttachmentAction {
    /// The record, when it is about one.
    #[must_use]
    pub fn pk_id(&self) -> Option<i64> {
        match self {
            Self::List { .. } => None,
            Self::Download { pk_id }
            | Self::Upload { pk_id, .. }
            | Self::Rename { pk_id, .. }
            | Self::Delete { pk_id } => Some(*pk_id),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "attachments.list",
            Self::Download { .. } => "attachments.download",
            Self::Upload { .. } => "attachments.upload",
            Self::Rename { .. } => "attachments.rename",
            Self::Delete { .. } => "attachments.delete",
        }
    }

    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::List { .. } | Self::Download { .. } => Effect::None,
            Self::Upload { .. } | Self::Rename { .. } | Self::Delete { .. } => Effect::Changes,
        }
    }
}

impl FileAction {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Folders { .. } => "files.folders",
            Self::List { .. } => "files.list",
            Self::Download { .. } => "files.download",
            Self::Upload { .. } => "files.upload",
            Self::Delete { .. } => "files.delete",
        }
    }

    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Folders { .. } | Self::List { .. } | Self::Download { .. } => Effect::None,
            Self::Upload { .. } | Self::Delete { .. } => Effect::Changes,
        }
    }
}

impl DirectoryAction {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List => "directories.list",
            Self::Users { .. } => "directories.users",
            Self::CreateUser { .. } => "directories.create-user",
            Self::UpdateUser { .. } => "directories.update-user",
            Self::DeleteUser { .. } => "directories.delete-user",
            Self::ActivateUser { .. } => "directories.activate-user",
        }
    }

    /// The directory, when it is about one.
    #[must_use]
    pub fn directory(&self) -> Option<&str> {
        match self {
            Self::List => None,
            Self::Users { directory, .. }
            | Self::CreateUser { directory, .. }
            | Self::UpdateUser { directory, .. }
            | Self::DeleteUser { directory, .. }
            | Self::ActivateUser { directory, .. } => Some(directory),
        }
    }

    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::List | Self::Users { .. } => Effect::None,
            Self::CreateUser { .. }
            | Self::UpdateUser { .. }
            | Self::DeleteUser { .. }
            | Self::ActivateUser { .. } => Effect::Changes,
        }
    }
}

impl TaskAction {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List => "tasks.list",
            Self::Get { .. } => "tasks.get",
            Self::Run { .. } => "tasks.run",
        }
    }

    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::List | Self::Get { .. } => Effect::None,
            Self::Run { .. } => Effect::Changes,
        }
    }
}
