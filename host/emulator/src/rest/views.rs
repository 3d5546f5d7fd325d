//! Views: list, get, fields, records, attachments.
//!
//! Reads are queries over what [`crate::views`] shows. Writes go to the one table that can be written,
//! through the view's names, and are announced like every change of that table. A row that leaves the
//! view by an update is counted and missing from `Result`.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::attachments::{self, Site};
use super::records::{SOURCE, affected, locate, select};
use crate::account::Account;
use crate::auth::Client;
use crate::error::ApiError;
use crate::http::{Reply, Request};
use crate::rows;
use crate::views::View;

/// Answers what is under `/views`.
pub fn route(
    account: &mut Account,
    request: &Request,
    client: &Client,
    rest: &[&str],
) -> Result<Reply, ApiError> {
    let method = request.method.as_str();
    let (name, part, more) = match (method, rest) {
        ("GET", []) => return Ok(super::names(client, account.views.iter().map(|view| view.name.as_str()))),
        ("GET", [name]) => {
            let view = find(account, name)?;
            return Ok(Reply::json(200, json!({"Result": {"Name": view.name, "Note": view.note}})));
        }
        (_, [] | [_]) => return Err(ApiError::method()),
        (_, [name, part, more @ ..]) => (name, part, more),
    };
    let view = find(account, name)?.clone();
    match (method, part.to_ascii_lowercase().as_str(), more) {
        ("GET", "fields", []) => {
            let fields: Result<Vec<Json>, ApiError> =
                (0..view.fields.len()).map(|at| view.field_json(account, at)).collect();
            Ok(Reply::json(200, json!({"Result": fields?})))
        }
        ("GET", "fields", [field]) => {
            let at = view.fields.iter().position(|(name, _)| name.eq_ignore_ascii_case(field));
            let at = at.ok_or_else(|| ApiError::field(field))?;
            Ok(Reply::json(200, json!({"Result": view.field_json(account, at)?})))
        }
        ("GET", "records", []) => {
            let shown = view.show(account)?;
            let Account { tables, env, settings, .. } = account;
            select(request, &shown.table, tables, env, settings)
        }
        ("POST", "records", []) => create(account, &view, request),
        ("PUT", "records", []) => update(account, &view, request),
        ("DELETE", "records", []) => delete(account, &view, request),
        (_, "attachments", more) => attachments::route(account, Site::View(&view), request, more),
        (_, "fields", [] | [_]) | (_, "records", []) => Err(ApiError::method()),
        _ => Err(ApiError::path()),
    }
}

fn find<'a>(account: &'a Account, name: &str) -> Result<&'a View, ApiError> {
    let found = account.views.iter().find(|view| view.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| ApiError::object("view", name))
}

/// A body with the names of the table that is written.
fn translated(view: &View, body: Map<String, Json>) -> Result<Map<String, Json>, ApiError> {
    let target = view.writable()?;
    let mut given = Map::new();
    for (name, value) in body {
        if name.eq_ignore_ascii_case("PK_ID") {
            return Err(ApiError::body("PK_ID cannot be written. Leave it out."));
        }
        let column = view.column(&name)?;
        if !column.table.eq_ignore_ascii_case(target) {
            return Err(ApiError::body(format!("Field '{name}' is not editable. Leave it out.")));
        }
        given.insert(column.field.clone(), value);
    }
    Ok(given)
}

/// The view's rows that come from rows of the table that is written.
fn rows_of(account: &Account, view: &View, keys: &HashSet<i64>) -> Result<Vec<(String, Json)>, ApiError> {
    let target = view.writable()?;
    let shown = view.show(account)?;
    let rows = shown.table.rows().filter(|row| {
        let origin = shown.origin(row.pk_id, target);
        origin.is_some_and(|key| keys.contains(&key))
    });
    Ok(rows.map(|row| (shown.key(row.pk_id), shown.table.row_json(row))).collect())
}

fn create(account: &mut Account, view: &View, request: &Request) -> Result<Reply, ApiError> {
    let body = translated(view, request.object()?)?;
    let at = account.table_at(view.writable()?)?;
    let (keys, _) = rows::insert(account, at, &[body], SOURCE)?;
    let shown = rows_of(account, view, &keys.into_iter().collect())?;
    let key = shown.first().map(|(key, _)| key.clone());
    let mut reply = Reply::empty(201);
    if request.wants_rows() {
        let rows: Vec<Json> = shown.into_iter().map(|(_, row)| row).take(1).collect();
        reply = Reply::json(201, json!({"Result": rows}));
    }
    if let Some(key) = key {
        locate(account, request, &mut reply, &key);
    }
    Ok(reply)
}

fn matching(account: &Account, view: &View, request: &Request) -> Result<Vec<i64>, ApiError> {
    let target = view.writable()?;
    let found = view.show(account)?.matching(account, Some(request.condition()?), target)?;
    let mut seen = HashSet::new();
    Ok(found.into_iter().map(|(_, key)| key).filter(|key| seen.insert(*key)).collect())
}

fn update(account: &mut Account, view: &View, request: &Request) -> Result<Reply, ApiError> {
    let keys = matching(account, view, request)?;
    let body = translated(view, request.object()?)?;
    let at = account.table_at(view.writable()?)?;
    let given = rows::given(account, at, &body, SOURCE)?;
    let (count, _) = rows::assign(account, at, &keys, &given, SOURCE)?;
    let shown = rows_of(account, view, &keys.into_iter().collect())?;
    Ok(affected(request, "RecordsAffected", count, shown.into_iter().map(|(_, row)| row).collect()))
}

fn delete(account: &mut Account, view: &View, request: &Request) -> Result<Reply, ApiError> {
    let keys = matching(account, view, request)?;
    let at = account.table_at(view.writable()?)?;
    let count = rows::remove(account, at, &keys, SOURCE)?;
    Ok(Reply::json(200, json!({"RecordsAffected": count})))
}
