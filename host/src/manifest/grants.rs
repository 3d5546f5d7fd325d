//! `[grants]`: what a workflow may do. Nothing that is not named.
//!
//! Names are compared as Caspio does, without regard to case.

use serde::Deserialize;

use super::raw::RawGrants;

/// An operation on a table that can be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// Records may be read, and compared in criteria.
    Read,
    /// Records may be created.
    Create,
    /// Records may be changed.
    Update,
    /// Records may be deleted.
    Delete,
}

impl Op {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Read, Self::Create, Self::Update, Self::Delete];

    /// As in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// An operation on a view. Views are read only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ViewOp {
    /// Records may be read, and compared in criteria.
    Read,
}

/// An operation on the file store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOp {
    /// Folders and files may be listed, files downloaded.
    Read,
    /// Files may be stored.
    Write,
    /// Files may be deleted.
    Delete,
}

impl FileOp {
    /// As in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }
}

/// An operation on a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectoryOp {
    /// Users may be read.
    Read,
    /// Users may be created.
    Create,
    /// Users may be changed.
    Update,
    /// Users may be deleted.
    Delete,
    /// Users may be activated.
    Activate,
}

impl DirectoryOp {
    /// As in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Activate => "activate",
        }
    }
}

/// What is granted under a name.
type Named<T> = Vec<(String, Vec<T>)>;

/// What a workflow may do.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    tables: Named<Op>,
    views: Named<ViewOp>,
    attachments: Named<String>,
    files: Vec<FileOp>,
    directories: Named<DirectoryOp>,
    tasks: Vec<String>,
    state: bool,
}

fn has<T>(granted: &Named<T>, name: &str, wanted: impl Fn(&T) -> bool) -> bool {
    granted.iter().any(|(known, list)| known.eq_ignore_ascii_case(name) && list.iter().any(&wanted))
}

impl Grants {
    pub(super) fn of(raw: &RawGrants) -> Self {
        let named = |name: &String| name.clone();
        Self {
            tables: raw.tables.iter().map(|(name, ops)| (named(name), ops.get_ref().clone())).collect(),
            views: raw.views.iter().map(|(name, ops)| (named(name), ops.clone())).collect(),
            attachments: raw
                .attachments
                .iter()
                .map(|(name, fields)| (named(name), fields.get_ref().clone()))
                .collect(),
            files: raw.files.clone(),
            directories: raw.directories.iter().map(|(name, ops)| (named(name), ops.clone())).collect(),
            tasks: raw.tasks.clone(),
            state: raw.state,
        }
    }

    /// Whether an operation on a table is granted.
    #[must_use]
    pub fn allows(&self, table: &str, op: Op) -> bool {
        has(&self.tables, table, |granted| *granted == op)
    }

    /// Tables on which something is granted.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        names(&self.tables)
    }

    /// Whether an operation on a view is granted.
    #[must_use]
    pub fn allows_view(&self, view: &str, op: ViewOp) -> bool {
        has(&self.views, view, |granted| *granted == op)
    }

    /// Views on which something is granted.
    pub fn views(&self) -> impl Iterator<Item = &str> {
        names(&self.views)
    }

    /// Whether an attachment field may be touched; what may be done there is the table's affair.
    #[must_use]
    pub fn allows_attachment(&self, table: &str, field: &str) -> bool {
        has(&self.attachments, table, |granted| granted.eq_ignore_ascii_case(field))
    }

    /// Whether an operation on the file store is granted.
    #[must_use]
    pub fn allows_files(&self, op: FileOp) -> bool {
        self.files.contains(&op)
    }

    /// Whether an operation on a directory is granted.
    #[must_use]
    pub fn allows_directory(&self, directory: &str, op: DirectoryOp) -> bool {
        has(&self.directories, directory, |granted| *granted == op)
    }

    /// Directories on which something is granted.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        names(&self.directories)
    }

    /// Whether a task may be looked at and run; it is meant by its name or key.
    #[must_use]
    pub fn allows_task(&self, task: &str) -> bool {
        self.tasks.iter().any(|granted| granted.eq_ignore_ascii_case(task))
    }

    /// Whether the workflow may keep state.
    #[must_use]
    pub fn allows_state(&self) -> bool {
        self.state
    }

    /// Tasks that are granted, by name or key.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(String::as_str)
    }
}

fn names<T>(granted: &Named<T>) -> impl Iterator<Item = &str> {
    granted.iter().filter(|(_, list)| !list.is_empty()).map(|(name, _)| name.as_str())
}
