//! Whether the manifest grants a call. Nothing is granted that it does not name.

use crate::manifest::{DirectoryOp, FileOp, Grants, Op, ViewOp};
use crate::model::{
    Action, ActionError, AttachmentAction, Criteria, DirectoryAction, FileAction, Source, TaskAction,
};

/// `Denied`, with what to add to the manifest, unless every operation that the call needs is granted.
pub(super) fn check(grants: &Grants, action: &Action) -> Result<(), ActionError> {
    match action {
        // Lists show what is granted, no more.
        Action::ListTables
        | Action::View(crate::model::ViewAction::List)
        | Action::Directory(DirectoryAction::List)
        | Action::Task(TaskAction::List) => Ok(()),
        Action::File(file) => {
            let op = file_op(file);
            granted(grants.allows_files(op), action, op.as_str(), "files", "files")
        }
        Action::Directory(directory) => {
            let op = directory_op(directory);
            let allowed = directory.directory().is_some_and(|name| grants.allows_directory(name, op));
            granted(allowed, action, op.as_str(), "this directory", "directories")
        }
        Action::Task(TaskAction::Get { task } | TaskAction::Run { task }) => {
            granted(grants.allows_task(task), action, "this task", "", "tasks")
        }
        // It touches nothing of anybody's.
        Action::Timer(_) => Ok(()),
        Action::State(_) => {
            granted(grants.allows_state(), action, "the workflow's state", "", "(state = true)")
        }
        Action::View(_)
        | Action::Count { source: Source::View(_), .. }
        | Action::Aggregate { source: Source::View(_), .. } => {
            let allowed = action.view().is_some_and(|view| grants.allows_view(view, ViewOp::Read));
            granted(allowed, action, "read", "this view", "views")
        }
        Action::ListFields { table } => {
            granted(may_see(grants, table), action, "any operation", "this table", "tables")
        }
        _ => check_table(grants, action),
    }
}

fn check_table(grants: &Grants, action: &Action) -> Result<(), ActionError> {
    let Some(table) = action.table() else { return Ok(()) };
    let missing: Vec<&str> =
        needed(action).iter().filter(|op| !grants.allows(table, **op)).map(|op| op.as_str()).collect();
    granted(missing.is_empty(), action, &missing.join(", "), "this table", "tables")?;
    if let Action::Attachment { field, .. } = action {
        let allowed = grants.allows_attachment(table, field);
        granted(allowed, action, "this field", "", "attachments")?;
    }
    Ok(())
}

fn granted(allowed: bool, action: &Action, missing: &str, on: &str, key: &str) -> Result<(), ActionError> {
    if allowed {
        return Ok(());
    }
    let on = if on.is_empty() { String::new() } else { format!(" on {on}") };
    Err(ActionError::Denied(format!(
        "{} needs {missing}{on}; add it under [grants] {key} of the manifest and deploy again",
        action.name()
    )))
}

fn file_op(action: &FileAction) -> FileOp {
    match action {
        FileAction::Folders { .. } | FileAction::List { .. } | FileAction::Download { .. } => FileOp::Read,
        FileAction::Upload { .. } => FileOp::Write,
        FileAction::Delete { .. } => FileOp::Delete,
    }
}

fn directory_op(action: &DirectoryAction) -> DirectoryOp {
    match action {
        DirectoryAction::List | DirectoryAction::Users { .. } => DirectoryOp::Read,
        DirectoryAction::CreateUser { .. } => DirectoryOp::Create,
        DirectoryAction::UpdateUser { .. } => DirectoryOp::Update,
        DirectoryAction::DeleteUser { .. } => DirectoryOp::Delete,
        DirectoryAction::ActivateUser { .. } => DirectoryOp::Activate,
    }
}

/// The granted table, view or directory that is meant, as the manifest writes it: what may be kept in clear.
pub(super) fn table_of(grants: &Grants, action: &Action) -> Option<String> {
    let named = |mut names: Box<dyn Iterator<Item = &str> + '_>, wanted: &str| {
        names.find(|name| name.eq_ignore_ascii_case(wanted)).map(str::to_owned)
    };
    match action {
        Action::Directory(directory) => named(Box::new(grants.directories()), directory.directory()?),
        Action::Task(TaskAction::Get { task } | TaskAction::Run { task }) => {
            named(Box::new(grants.tasks()), task)
        }
        _ => match action.table() {
            Some(table) => named(Box::new(grants.tables()), table),
            None => named(Box::new(grants.views()), action.view()?),
        },
    }
}

/// Criteria read what they compare, so they need `read`, except a plain `PK_ID`.
fn needed(action: &Action) -> Vec<Op> {
    let reading = |criteria: &Criteria, op| match criteria.as_pk_id() {
        Some(_) => vec![op],
        None => vec![op, Op::Read],
    };
    match action {
        Action::ListRecords { .. }
        | Action::GetRecord { .. }
        | Action::Count { .. }
        | Action::Aggregate { .. } => vec![Op::Read],
        Action::CreateRecord { .. } => vec![Op::Create],
        Action::UpdateRecords { criteria, return_rows, .. } => {
            let mut ops = reading(criteria, Op::Update);
            if *return_rows && !ops.contains(&Op::Read) {
                ops.push(Op::Read);
            }
            ops
        }
        Action::UpsertRecord { .. } => vec![Op::Read, Op::Create, Op::Update],
        Action::DeleteRecords { criteria, .. } => reading(criteria, Op::Delete),
        // A file is part of its record.
        Action::Attachment { action, .. } => match action {
            AttachmentAction::List { .. } | AttachmentAction::Download { .. } => vec![Op::Read],
            AttachmentAction::Upload { .. }
            | AttachmentAction::Rename { .. }
            | AttachmentAction::Delete { .. } => vec![Op::Update],
        },
        // See `check`.
        Action::ListFields { .. }
        | Action::ListTables
        | Action::View(_)
        | Action::File(_)
        | Action::Directory(_)
        | Action::Task(_)
        | Action::Timer(_)
        | Action::State(_) => Vec::new(),
    }
}

/// `tables.fields` and `tables.list` show only tables on which something is granted.
pub(super) fn may_see(grants: &Grants, table: &str) -> bool {
    Op::ALL.iter().any(|op| grants.allows(table, *op))
}
