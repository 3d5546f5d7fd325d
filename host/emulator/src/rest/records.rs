//! Records of a table: read, insert, update, delete.
//!
//! Reads take every `q.` parameter with the limits of the contract; views and directories read by
//! [`select`] too. Writes go through
//! [`crate::rows`], which tells the webhooks with the source `RESTAPIs`. PUT and DELETE need a
//! condition, named `q.where` or `where`; no match is a 200 with `RecordsAffected` 0.

use std::ops::Range;

use serde_json::{Map, Value as Json, json};

use crate::account::Account;
use crate::data::Table;
use crate::environment::Environment;
use crate::error::ApiError;
use crate::http::{Reply, Request};
use crate::rows;
use crate::settings::Settings;
use crate::sql::Query;

/// The source of every write by REST.
pub const SOURCE: &str = "RESTAPIs";

struct Page {
    range: Range<usize>,
    number: i64,
    size: i64,
}

fn page(request: &Request) -> Result<Page, ApiError> {
    let (number, size) = (request.number("q.pageNumber")?, request.number("q.pageSize")?);
    if number.is_none() && size.is_none() {
        let limit = request.number("q.limit")?.unwrap_or(100);
        if !(1..=1000).contains(&limit) {
            return Err(ApiError::query("q.limit must be from 1 to 1000."));
        }
        return Ok(Page { range: 0..usize::try_from(limit).unwrap_or(0), number: 1, size: limit });
    }
    let (number, size) = (number.unwrap_or(1), size.unwrap_or(25));
    if number < 1 {
        return Err(ApiError::query("q.pageNumber must be 1 or more."));
    }
    if !(5..=1000).contains(&size) {
        return Err(ApiError::query("q.pageSize must be from 5 to 1000."));
    }
    let start = usize::try_from((number - 1).saturating_mul(size)).unwrap_or(usize::MAX);
    let end = start.saturating_add(usize::try_from(size).unwrap_or(0));
    Ok(Page { range: start..end, number, size })
}

/// `GET /tables/{t}/records`
pub fn read(account: &mut Account, at: usize, request: &Request) -> Result<Reply, ApiError> {
    let Account { tables, env, settings, .. } = account;
    let table = tables.get(at).ok_or_else(|| ApiError::object("table", ""))?;
    select(request, table, tables, env, settings)
}

/// Answers a read of any rows; sub-queries may read `tables`.
pub fn select(
    request: &Request,
    table: &Table,
    tables: &[Table],
    env: &mut Environment,
    settings: &Settings,
) -> Result<Reply, ApiError> {
    let page = page(request)?;
    let with_pagination = request.truth("q.getPaginationInfo")?;
    let find = |name: &str| tables.iter().find(|table| table.name.eq_ignore_ascii_case(name));
    let query = Query {
        select: request.param("q.select"),
        filter: request.param("q.where"),
        group_by: request.param("q.groupBy"),
        order_by: request.param("q.orderBy"),
        unknown_status: settings.unknown_select_status,
    };
    let shuffle = settings.shuffle_unordered;
    let (rows, total) = query.run(table, &find, page.range, |rows| {
        if shuffle {
            env.shuffle(rows);
        }
    })?;
    let mut body = Map::new();
    body.insert("Result".to_owned(), Json::Array(rows));
    if with_pagination {
        let info = json!({"TotalCount": total, "PageNumber": page.number, "PageSize": page.size});
        body.insert("Pagination".to_owned(), info);
    }
    Ok(Reply::json(200, Json::Object(body)))
}

/// `POST /tables/{t}/records`
pub fn create(account: &mut Account, at: usize, request: &Request) -> Result<Reply, ApiError> {
    let body = request.object()?;
    let (keys, mut rows) = rows::insert(account, at, &[body], SOURCE)?;
    let mut reply = Reply::empty(201);
    if request.wants_rows() {
        rows.truncate(1);
        reply = Reply::json(201, json!({"Result": rows}));
    }
    if let Some(key) = keys.first() {
        locate(account, request, &mut reply, &key.to_string());
    }
    Ok(reply)
}

/// Adds `Location` where the settings want it.
pub fn locate(account: &Account, request: &Request, reply: &mut Reply, key: &str) {
    if account.settings.location_header {
        reply.headers.push(("location", format!("{}{}/{key}", request.origin, request.path)));
    }
}

/// The answer to an update: how many rows, and which when the caller asks.
pub fn affected(request: &Request, count: &str, affected: usize, rows: Vec<Json>) -> Reply {
    let mut body = Map::new();
    body.insert(count.to_owned(), json!(affected));
    if request.wants_rows() {
        body.insert("Result".to_owned(), Json::Array(rows));
    }
    Reply::json(200, Json::Object(body))
}

/// `PUT /tables/{t}/records`
pub fn update(account: &mut Account, at: usize, request: &Request) -> Result<Reply, ApiError> {
    let condition = request.condition()?;
    let (count, rows) = rows::update(account, at, condition, &request.object()?, SOURCE)?;
    Ok(affected(request, "RecordsAffected", count, rows))
}

/// `DELETE /tables/{t}/records`
pub fn delete(account: &mut Account, at: usize, request: &Request) -> Result<Reply, ApiError> {
    let affected = rows::delete(account, at, request.condition()?, SOURCE)?;
    Ok(Reply::json(200, json!({"RecordsAffected": affected})))
}
