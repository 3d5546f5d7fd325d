//! Statements on the rows of a table, with their webhooks.
//!
//! REST and administration both write through here, so a change is announced whoever made it. The
//! source says who: `RESTAPIs`, `Datasheet`, …; an `Import` is announced to nobody and may set what
//! is generated otherwise. A statement is all or nothing.

use serde_json::{Map, Value as Json};

use crate::account::Account;
use crate::data::table::Assignments;
use crate::data::{Change, Table, Writer};
use crate::error::ApiError;
use crate::hooks;
use crate::sql::predicate_keys;

/// The source that fires no webhook.
pub const IMPORT: &str = "Import";

fn missing() -> ApiError {
    ApiError::object("table", "")
}

/// Keys of the rows that a condition matches.
pub fn keys(account: &Account, at: usize, condition: &str) -> Result<Vec<i64>, ApiError> {
    let table = account.tables.get(at).ok_or_else(missing)?;
    predicate_keys(table, &|name| account.table(name), condition)
}

fn with_writer<T>(
    account: &mut Account,
    at: usize,
    source: &str,
    work: impl FnOnce(&mut Table, &mut Writer<'_>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let Account { tables, env, settings, .. } = account;
    let table = tables.get_mut(at).ok_or_else(missing)?;
    let mut writer = Writer {
        env,
        free: source.eq_ignore_ascii_case(IMPORT),
        unique_code: settings.unique_violation_code.as_str(),
    };
    work(table, &mut writer)
}

fn shown(account: &Account, at: usize, keys: &[i64]) -> Vec<Json> {
    let Some(table) = account.tables.get(at) else { return Vec::new() };
    keys.iter().filter_map(|key| table.row(*key)).map(|row| table.row_json(row)).collect()
}

/// Inserts rows; gives their keys and what they look like.
pub fn insert(
    account: &mut Account,
    at: usize,
    bodies: &[Map<String, Json>],
    source: &str,
) -> Result<(Vec<i64>, Vec<Json>), ApiError> {
    let rows = with_writer(account, at, source, |table, writer| {
        let mut rows = Vec::new();
        for body in bodies {
            match table.insert(body, writer) {
                Ok(row) => rows.push(row),
                Err(error) => {
                    let keys: Vec<i64> = rows.iter().map(|row| row.pk_id).collect();
                    table.delete(&keys);
                    return Err(error);
                }
            }
        }
        Ok(rows)
    })?;
    let keys: Vec<i64> = rows.iter().map(|row| row.pk_id).collect();
    let result = shown(account, at, &keys);
    hooks::announce(account, at, rows.into_iter().map(Change::Insert).collect(), source);
    Ok((keys, result))
}

/// Updates the matching rows with a body; gives how many matched and what they look like.
pub fn update(
    account: &mut Account,
    at: usize,
    condition: &str,
    body: &Map<String, Json>,
    source: &str,
) -> Result<(usize, Vec<Json>), ApiError> {
    let given = given(account, at, body, source)?;
    let keys = keys(account, at, condition)?;
    assign(account, at, &keys, &given, source)
}

/// What a body gives to the fields of a table.
pub fn given(
    account: &Account,
    at: usize,
    body: &Map<String, Json>,
    source: &str,
) -> Result<Assignments, ApiError> {
    if body.is_empty() {
        return Err(ApiError::body("The body names no field. Send at least one."));
    }
    let table = account.tables.get(at).ok_or_else(missing)?;
    table.assignments(body, source.eq_ignore_ascii_case(IMPORT))
}

/// Gives the named rows new values.
pub fn assign(
    account: &mut Account,
    at: usize,
    keys: &[i64],
    given: &Assignments,
    source: &str,
) -> Result<(usize, Vec<Json>), ApiError> {
    let changes = with_writer(account, at, source, |table, writer| table.update(keys, given, writer))?;
    let result = shown(account, at, keys);
    hooks::announce(account, at, changes, source);
    Ok((keys.len(), result))
}

/// Deletes the matching rows; gives how many there were.
pub fn delete(account: &mut Account, at: usize, condition: &str, source: &str) -> Result<usize, ApiError> {
    let keys = keys(account, at, condition)?;
    remove(account, at, &keys, source)
}

/// Deletes the named rows; gives how many were named.
pub fn remove(account: &mut Account, at: usize, keys: &[i64], source: &str) -> Result<usize, ApiError> {
    let changes = with_writer(account, at, source, |table, _| Ok(table.delete(keys)))?;
    hooks::announce(account, at, changes, source);
    Ok(keys.len())
}
