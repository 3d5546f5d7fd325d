//! Password fields: list them, set one, clear one.
//!
//! A password may also be set when a row is inserted; it is never given back, and no condition may
//! name it. Setting and clearing need a condition, like every PUT and DELETE, and count as a change
//! of the row for webhooks. A field of another type is 404, as since Caspio 73.0.

use serde_json::json;

use crate::account::Account;
use crate::data::{FieldType, Table, Value};
use crate::error::ApiError;
use crate::http::{Reply, Request};
use crate::rows;

fn table(account: &Account, at: usize) -> Result<&Table, ApiError> {
    account.tables.get(at).ok_or_else(|| ApiError::object("table", ""))
}

/// `GET /tables/{t}/passwordFields`
pub fn list(account: &Account, at: usize) -> Result<Reply, ApiError> {
    let fields = table(account, at)?.fields.iter().filter(|field| field.kind == FieldType::Password);
    let names: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
    Ok(Reply::json(200, json!({"Result": names})))
}

fn write(
    account: &mut Account,
    at: usize,
    name: &str,
    request: &Request,
    to: Value,
) -> Result<Reply, ApiError> {
    let table = table(account, at)?;
    let place = table.position(name).ok_or_else(|| ApiError::field(name))?;
    if table.field(name)?.kind != FieldType::Password {
        return Err(ApiError::field(name));
    }
    let keys = rows::keys(account, at, request.condition()?)?;
    let affected = rows::assign(account, at, &keys, &vec![(place, to)], "RESTAPIs")?.0;
    Ok(Reply::json(200, json!({"RecordsAffected": affected})))
}

/// `PUT /tables/{t}/passwordFields/{f}`
pub fn set(account: &mut Account, at: usize, name: &str, request: &Request) -> Result<Reply, ApiError> {
    let body = request.object()?;
    let value = body.get("Value").and_then(serde_json::Value::as_str);
    let value = value.ok_or_else(|| ApiError::body("Value is missing. Send {\"Value\":\"…\"}."))?;
    write(account, at, name, request, Value::Text(value.to_owned()))
}

/// `DELETE /tables/{t}/passwordFields/{f}`
pub fn clear(account: &mut Account, at: usize, name: &str, request: &Request) -> Result<Reply, ApiError> {
    write(account, at, name, request, Value::Null)
}
