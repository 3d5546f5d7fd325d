//! Attachments of a record, in a table or through a view.
//!
//! One file a field and record: upload (or overwrite), download, rename, delete, and the metadata of many
//! rows at once. An upload is a change of the record and is announced like one. What is not there is
//! 404, as since Caspio 73.0. In a view the record is named by the view's own `PK_ID`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::records::{SOURCE, affected};
use crate::account::Account;
use crate::data::stored::is_name;
use crate::data::{FieldType, StoredFile, Value};
use crate::error::ApiError;
use crate::http::{Reply, Request};
use crate::multipart;
use crate::rows;
use crate::views::View;

/// Where the field is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Site<'a> {
    Table(usize),
    View(&'a View),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Rename {
    file_name: Option<String>,
}

/// A record: its key as the site shows it, and in the table.
struct Record {
    shown: Json,
    key: i64,
}

/// An ATTACHMENT field of a table.
#[derive(Clone, Copy)]
struct Place {
    table: usize,
    field: usize,
}

/// Answers what is under `…/attachments`.
pub fn route(
    account: &mut Account,
    site: Site<'_>,
    request: &Request,
    rest: &[&str],
) -> Result<Reply, ApiError> {
    let method = request.method.as_str();
    match (method, rest) {
        ("DELETE", [field]) => delete(account, site, field, request),
        ("GET", [field, info]) if info.eq_ignore_ascii_case("fileInfo") => {
            metadata(account, site, field, request)
        }
        ("PUT", [field, info]) if info.eq_ignore_ascii_case("fileInfo") => {
            rename(account, site, field, request)
        }
        ("GET", [field, key]) => {
            let place = place(account, site, field)?;
            let record = record(account, site, place, key)?;
            let file = file(account, place, record.key).ok_or_else(|| ApiError::file("attachment"))?;
            Ok(Reply::download(&file))
        }
        ("PUT", [field, key]) => upload(account, site, field, key, request),
        (_, [_] | [_, _]) => Err(ApiError::method()),
        _ => Err(ApiError::path()),
    }
}

fn place(account: &Account, site: Site<'_>, field: &str) -> Result<Place, ApiError> {
    let (table, name) = match site {
        Site::Table(at) => (at, field),
        Site::View(view) => {
            let column = view.column(field)?;
            (account.table_at(&column.table)?, column.field.as_str())
        }
    };
    let found = account.tables.get(table).ok_or_else(|| ApiError::object("table", ""))?;
    let field =
        found.position(name).filter(|_| found.field(name).is_ok_and(|own| own.kind == FieldType::Attachment));
    Ok(Place { table, field: field.ok_or_else(|| ApiError::field(name))? })
}

fn may_write(account: &Account, site: Site<'_>, place: Place) -> Result<(), ApiError> {
    let Site::View(view) = site else { return Ok(()) };
    if account.table_at(view.writable()?)? == place.table {
        return Ok(());
    }
    Err(ApiError::forbidden("The view cannot be written here. Use its editable table."))
}

/// Records that match the condition; all without one.
fn records(
    account: &Account,
    site: Site<'_>,
    place: Place,
    condition: Option<&str>,
) -> Result<Vec<Record>, ApiError> {
    let table = account.tables.get(place.table).ok_or_else(|| ApiError::object("table", ""))?;
    match site {
        Site::Table(at) => {
            let keys = match condition {
                Some(condition) => rows::keys(account, at, condition)?,
                None => table.rows().map(|row| row.pk_id).collect(),
            };
            Ok(keys.into_iter().map(|key| Record { shown: json!(key), key }).collect())
        }
        Site::View(view) => {
            let shown = view.show(account)?;
            let found = shown.matching(account, condition, &table.name)?;
            let records =
                found.into_iter().map(|(number, key)| Record { shown: json!(shown.key(number)), key });
            Ok(records.collect())
        }
    }
}

fn record(account: &Account, site: Site<'_>, place: Place, key: &str) -> Result<Record, ApiError> {
    let wanted = key.trim();
    if wanted.is_empty() || !wanted.bytes().all(|byte| byte.is_ascii_digit() || byte == b',') {
        return Err(ApiError::query("The record is named by its PK_ID. Correct the address."));
    }
    let is = |record: &Record| match &record.shown {
        Json::String(text) => text == wanted,
        other => other.as_i64().is_some_and(|key| wanted.parse() == Ok(key)),
    };
    let found = records(account, site, place, None)?.into_iter().find(is);
    found.ok_or_else(|| ApiError::object("record", wanted))
}

fn file(account: &Account, place: Place, key: i64) -> Option<Arc<StoredFile>> {
    match account.tables.get(place.table)?.row(key)?.values.get(place.field)? {
        Value::File(file) => Some(Arc::clone(file)),
        _ => None,
    }
}

fn write(account: &mut Account, place: Place, keys: &[i64], value: Value) -> Result<usize, ApiError> {
    let given = vec![(place.field, value)];
    rows::assign(account, place.table, keys, &given, SOURCE).map(|(count, _)| count)
}

fn upload(
    account: &mut Account,
    site: Site<'_>,
    field: &str,
    key: &str,
    request: &Request,
) -> Result<Reply, ApiError> {
    let place = place(account, site, field)?;
    may_write(account, site, place)?;
    let record = record(account, site, place, key)?;
    let files = multipart::files(request, "File", account.settings.max_file_bytes)?;
    let [sent] = files.as_slice() else {
        return Err(ApiError::body("A record takes one file a field. Send one part named File."));
    };
    let mut sent = sent.clone();
    if let Some(old) = file(account, place, record.key) {
        sent.created.clone_from(&old.created);
    }
    write(account, place, &[record.key], Value::File(Arc::new(sent)))?;
    Ok(Reply::empty(204))
}

fn metadata(account: &Account, site: Site<'_>, field: &str, request: &Request) -> Result<Reply, ApiError> {
    let place = place(account, site, field)?;
    let condition = request.param("q.where").or_else(|| request.param("where"));
    let mut list = Vec::new();
    for record in records(account, site, place, condition)? {
        let Some(file) = file(account, place, record.key) else { continue };
        let (name, extension) = file.parts();
        list.push(json!({
            "PK_ID": record.shown, "FileName": name, "FileType": extension, "Size": file.bytes.len(),
            "DateCreated": file.created, "DateUpdated": file.modified,
        }));
    }
    Ok(Reply::json(200, json!({"Result": list})))
}

fn rename(account: &mut Account, site: Site<'_>, field: &str, request: &Request) -> Result<Reply, ApiError> {
    let place = place(account, site, field)?;
    may_write(account, site, place)?;
    let records = records(account, site, place, Some(request.condition()?))?;
    let body: Rename = request.typed()?;
    let name = body.file_name.filter(|name| is_name(name));
    let name = name.ok_or_else(|| ApiError::body("FileName is missing or no file name. Correct it."))?;
    let mut keys = Vec::new();
    for record in &records {
        let Some(file) = file(account, place, record.key) else { continue };
        write(account, place, &[record.key], Value::File(Arc::new(file.renamed(&name))))?;
        keys.push(record.key);
    }
    let table = account.tables.get(place.table).ok_or_else(|| ApiError::object("table", ""))?;
    let field = table.fields.get(place.field).map(|field| field.name.clone()).unwrap_or_default();
    let rows = records.iter().filter(|record| keys.contains(&record.key)).map(|record| {
        let name = file(account, place, record.key).map(|file| file.name.clone());
        let members = [("PK_ID".to_owned(), record.shown.clone()), (field.clone(), json!(name))];
        Json::Object(members.into_iter().collect::<Map<String, Json>>())
    });
    Ok(affected(request, "RecordsAffected", keys.len(), rows.collect()))
}

fn delete(account: &mut Account, site: Site<'_>, field: &str, request: &Request) -> Result<Reply, ApiError> {
    let place = place(account, site, field)?;
    may_write(account, site, place)?;
    let records = records(account, site, place, Some(request.condition()?))?;
    let keys: Vec<i64> = records.iter().map(|record| record.key).collect();
    let count = write(account, place, &keys, Value::Null)?;
    Ok(Reply::json(200, json!({"RecordsAffected": count})))
}
