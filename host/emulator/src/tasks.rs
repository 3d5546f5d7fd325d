//! Data import/export tasks.
//!
//! A task has what the contract shows of it, and may have an import: rows that a run writes into a table. An
//! import fires no webhook (reference, section 11), so a run is how changes come that only a sweep can
//! find. Rows are matched by a field where one is named: a known value is an update, another one an insert.
//! REST answers 204 at once, as it does where the run comes later; an import that fails is seen in
//! administration alone.

use serde_json::{Map, Value as Json, json};

use crate::account::Account;
use crate::error::ApiError;
use crate::rows::{self, IMPORT};

/// What a run writes.
#[derive(Debug, Clone)]
pub struct Import {
    pub table: String,
    /// Field that says which row is meant; none: all rows are new.
    pub match_on: Option<String>,
    pub rows: Vec<Map<String, Json>>,
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    pub key: String,
    pub name: String,
    pub status: String,
    pub time_zone: String,
    pub frequency: String,
    pub note: String,
    pub import: Option<Import>,
    pub runs: u64,
    /// Code of the last run's error.
    pub failure: Option<String>,
}

impl Task {
    /// As REST shows it.
    pub fn to_json(&self) -> Json {
        json!({
            "Name": self.name, "ExternalKey": self.key, "Status": self.status,
            "TaskTimeZone": self.time_zone, "Frequency": self.frequency, "Note": self.note,
        })
    }
}

/// Runs a task by its key.
pub fn run(account: &mut Account, key: &str) -> Result<(), ApiError> {
    let find = |task: &&mut Task| task.key.eq_ignore_ascii_case(key);
    let task = account.tasks.iter_mut().find(find).ok_or_else(|| ApiError::object("task", key))?;
    task.runs += 1;
    let result = match task.import.clone() {
        Some(work) => import(account, &work),
        None => Ok(()),
    };
    if let Some(task) = account.tasks.iter_mut().find(|task| task.key.eq_ignore_ascii_case(key)) {
        task.failure = result.err().map(|error| error.code);
    }
    Ok(())
}

fn import(account: &mut Account, work: &Import) -> Result<(), ApiError> {
    let at = account.table_at(&work.table)?;
    for row in &work.rows {
        let value = work.match_on.as_ref().and_then(|field| Some((field, row.get(field)?)));
        let known = match value {
            None => Vec::new(),
            Some((field, value)) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                rows::keys(account, at, &format!("{field} = '{}'", text.replace('\'', "''")))?
            }
        };
        if known.is_empty() {
            rows::insert(account, at, std::slice::from_ref(row), IMPORT)?;
        } else {
            let given = rows::given(account, at, row, IMPORT)?;
            rows::assign(account, at, &known, &given, IMPORT)?;
        }
    }
    Ok(())
}
