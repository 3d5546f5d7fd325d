//! Records: read, insert, update, delete.
//!
//! Reads take every `q.` parameter with the limits of the contract. Writes go through
//! [`crate::rows`], which tells the webhooks with the source `RESTAPIs`. PUT and DELETE need a
//! condition, named `q.where` or `where`; no match is a 200 with `RecordsAffected` 0.

use std::ops::Range;

use serde_json::{Map, Value as Json, json};

use crate::account::Account;
use crate::error::ApiError;
use crate::http::{Reply, Request};
use crate::rows;
use crate::sql::Query;

const SOURCE: &str = "RESTAPIs";

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
    let page = page(request)?;
    let with_pagination = match request.param("q.getPaginationInfo") {
        None => false,
        Some(text) => crate::data::value::text_truth(text)
            .ok_or_else(|| ApiError::query("q.getPaginationInfo must be true or false."))?,
    };
    let Account { tables, env, settings, .. } = account;
    let table = tables.get(at).ok_or_else(|| ApiError::object("table", ""))?;
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

fn wants_rows(request: &Request) -> bool {
    request.param("response").is_some_and(|value| value.eq_ignore_ascii_case("rows"))
}

fn condition(request: &Request) -> Result<&str, ApiError> {
    request
        .param("q.where")
        .or_else(|| request.param("where"))
        .ok_or_else(|| ApiError::query("q.where is missing. Say which records are meant; PK_ID>0 means all."))
}

/// `POST /tables/{t}/records`
pub fn create(account: &mut Account, at: usize, request: &Request) -> Result<Reply, ApiError> {
    let body = request.object()?;
    let (keys, mut rows) = rows::insert(account, at, &[body], SOURCE)?;
    let mut reply = Reply::empty(201);
    if wants_rows(request) {
        rows.truncate(1);
        reply = Reply::json(201, json!({"Result": rows}));
    }
    if account.settings.location_header
        && let Some(key) = keys.first()
    {
        reply.headers.push(("location", format!("{}{}/{key}", request.origin, request.path)));
    }
    Ok(reply)
}

/// `PUT /tables/{t}/records`
pub fn update(account: &mut Account, at: usize, request: &Request) -> Result<Reply, ApiError> {
    let condition = condition(request)?;
    let (affected, rows) = rows::update(account, at, condition, &request.object()?, SOURCE)?;
    let mut body = Map::new();
    body.insert("RecordsAffected".to_owned(), json!(affected));
    if wants_rows(request) {
        body.insert("Result".to_owned(), Json::Array(rows));
    }
    Ok(Reply::json(200, Json::Object(body)))
}

/// `DELETE /tables/{t}/records`
pub fn delete(account: &mut Account, at: usize, request: &Request) -> Result<Reply, ApiError> {
    let affected = rows::delete(account, at, condition(request)?, SOURCE)?;
    Ok(Reply::json(200, json!({"RecordsAffected": affected})))
}
