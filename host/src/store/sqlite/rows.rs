//! Columns into types and back.

use rusqlite::Row;
use rusqlite::types::Type;

use crate::clock::Time;
use crate::store::{Result, StoreError};

use super::sql_error;

/// A column as a type made from text or bytes; anything else in it is corruption.
pub(super) fn parsed<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| unexpected(column, Type::Text))
}

/// As [`parsed`], null allowed.
pub(super) fn parsed_opt<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    match row.get::<_, Option<String>>(column)? {
        None => Ok(None),
        Some(text) => parse(&text).map(Some).ok_or_else(|| unexpected(column, Type::Text)),
    }
}

/// An id of 16 bytes.
pub(super) fn id<T>(
    row: &Row<'_>,
    column: usize,
    make: impl FnOnce(&[u8]) -> std::result::Result<T, crate::model::IdError>,
) -> rusqlite::Result<T> {
    let bytes: [u8; 16] = row.get(column)?;
    make(&bytes).map_err(|_| unexpected(column, Type::Blob))
}

/// As [`id`], null allowed.
pub(super) fn id_opt<T>(
    row: &Row<'_>,
    column: usize,
    make: impl FnOnce(&[u8]) -> std::result::Result<T, crate::model::IdError>,
) -> rusqlite::Result<Option<T>> {
    let bytes: Option<[u8; 16]> = row.get(column)?;
    bytes.map(|bytes| make(&bytes).map_err(|_| unexpected(column, Type::Blob))).transpose()
}

/// A time.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Time> {
    row.get(column).map(Time)
}

/// A time, null allowed.
pub(super) fn time_opt(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Time>> {
    row.get::<_, Option<i64>>(column).map(|t| t.map(Time))
}

/// JSON of ours.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| unexpected(column, Type::Text))
}

/// As [`json`], null allowed.
pub(super) fn json_opt<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| unexpected(column, Type::Text))).transpose()
}

/// Our JSON as text.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt("a value has no JSON".to_owned()))
}

/// All rows of a query.
pub(super) fn all<T>(
    conn: &rusqlite::Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql).map_err(sql_error)?;
    let rows = statement.query_map(params, read).map_err(sql_error)?;
    rows.collect::<rusqlite::Result<_>>().map_err(sql_error)
}

/// The first row of a query.
pub(super) fn first<T>(
    conn: &rusqlite::Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>> {
    use rusqlite::OptionalExtension as _;
    let mut statement = conn.prepare_cached(sql).map_err(sql_error)?;
    statement.query_row(params, read).optional().map_err(sql_error)
}

/// Runs a statement; how many rows it changed.
pub(super) fn run(conn: &rusqlite::Connection, sql: &str, params: impl rusqlite::Params) -> Result<usize> {
    conn.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(sql_error)
}

/// Runs a statement that must not meet an existing row.
pub(super) fn insert(
    conn: &rusqlite::Connection,
    what: &'static str,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<()> {
    match conn.prepare_cached(sql).and_then(|mut s| s.execute(params)) {
        Ok(_) => Ok(()),
        Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
            Err(StoreError::Exists(what))
        }
        Err(e) => Err(sql_error(e)),
    }
}

fn unexpected(column: usize, kind: Type) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, "not one of ours".into())
}
