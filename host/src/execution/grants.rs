//! Whether the manifest grants a call. Nothing is granted that it does not name.

use crate::manifest::{Grants, Op};
use crate::model::{Action, ActionError};

/// `Denied`, with what to add to the manifest, unless every operation that the call needs is granted.
pub(super) fn check(grants: &Grants, action: &Action) -> Result<(), ActionError> {
    let Some(table) = action.table() else { return Ok(()) };
    if matches!(action, Action::ListFields { .. }) {
        return if may_see(grants, table) { Ok(()) } else { Err(denied(action, "any operation")) };
    }
    let missing: Vec<&str> =
        needed(action).iter().filter(|op| !grants.allows(table, **op)).map(|op| op.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(denied(action, &missing.join(", ")))
}

fn denied(action: &Action, missing: &str) -> ActionError {
    ActionError::Denied(format!(
        "{} needs {missing} on this table; add it under [grants] tables of the manifest and deploy again",
        action.name()
    ))
}

/// The granted table that is meant, as the manifest writes it: what may be kept in clear.
pub(super) fn table_of(grants: &Grants, action: &Action) -> Option<String> {
    let table = action.table()?;
    grants.tables().find(|name| name.eq_ignore_ascii_case(table)).map(str::to_owned)
}

/// Criteria read what they compare, so they need `read`, except a plain `PK_ID`.
fn needed(action: &Action) -> Vec<Op> {
    let reading = |criteria: &crate::model::Criteria, op| match criteria.as_pk_id() {
        Some(_) => vec![op],
        None => vec![op, Op::Read],
    };
    match action {
        Action::ListRecords { .. } | Action::GetRecord { .. } => vec![Op::Read],
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
        // What a table looks like may be known to whoever may do anything with it: see `check`.
        Action::ListFields { .. } | Action::ListTables => Vec::new(),
    }
}

/// `tables.fields` and `tables.list` show only tables on which something is granted.
pub(super) fn may_see(grants: &Grants, table: &str) -> bool {
    Op::ALL.iter().any(|op| grants.allows(table, *op))
}
