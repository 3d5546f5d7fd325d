//! Tables and fields: list, get, create, change, delete.
//!
//! Shapes follow the contract: names and objects in `Result`, 201 and 204 without a body. There is
//! no way to delete a table by REST. Creating needs the profile's *can create objects*. Definitions
//! are judged in [`crate::data::field`].

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::account::Account;
use crate::auth::Client;
use crate::data::FieldModel;
use crate::data::{Field, Table};
use crate::error::ApiError;
use crate::http::{Reply, Request};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct NewTable {
    name: Option<String>,
    fields: Option<Vec<FieldModel>>,
}

fn table(account: &Account, at: usize) -> Result<&Table, ApiError> {
    account.tables.get(at).ok_or_else(|| ApiError::object("table", ""))
}

fn may_create(client: &Client) -> Result<(), ApiError> {
    if client.can_create_objects {
        return Ok(());
    }
    Err(ApiError::forbidden("The profile may not create objects."))
}

/// `GET /tables`
pub fn list(account: &Account, client: &Client) -> Reply {
    super::names(client, account.tables.iter().map(|table| table.name.as_str()))
}

/// `GET /tables/{t}`
pub fn get(account: &Account, name: &str) -> Result<Reply, ApiError> {
    let table = table(account, account.table_at(name)?)?;
    Ok(Reply::json(200, json!({"Result": {"Name": table.name, "Note": table.note}})))
}

/// `POST /tables`
pub fn create(account: &mut Account, request: &Request, client: &Client) -> Result<Reply, ApiError> {
    may_create(client)?;
    let body: NewTable = request.typed()?;
    let name = body.name.unwrap_or_default().trim().to_owned();
    let plain = name.chars().next().is_some_and(char::is_alphabetic)
        && name.chars().count() <= 32
        && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !plain {
        return Err(ApiError::body(
            "Name is no table name. Use a letter, then letters, digits and underscores, at most 32 characters.",
        ));
    }
    if account.table(&name).is_some() {
        return Err(ApiError::body(format!("The table '{name}' exists already. Choose another name.")));
    }
    let fields = body.fields.unwrap_or_default();
    if fields.is_empty() {
        return Err(ApiError::body("Fields is missing. Give at least one field."));
    }
    let mut table = Table::new(&name, account.env.short_id());
    for model in &fields {
        table.add_field(Field::create(model)?, &mut account.env)?;
    }
    account.tables.push(table);
    Ok(Reply::empty(201))
}

fn place(table: &Table, at: usize) -> Json {
    table.fields.get(at).map_or(Json::Null, |field| field.to_json(at + 1))
}

/// `GET /tables/{t}/fields`
pub fn fields(account: &Account, at: usize) -> Result<Reply, ApiError> {
    let table = table(account, at)?;
    let fields: Vec<Json> = (0..table.fields.len()).map(|at| place(table, at)).collect();
    Ok(Reply::json(200, json!({"Result": fields})))
}

/// `GET /tables/{t}/fields/{f}`
pub fn field(account: &Account, at: usize, name: &str) -> Result<Reply, ApiError> {
    let table = table(account, at)?;
    let field = table.position(name).ok_or_else(|| ApiError::field(name))?;
    Ok(Reply::json(200, json!({"Result": place(table, field)})))
}

/// `POST /tables/{t}/fields`
pub fn create_field(
    account: &mut Account,
    at: usize,
    request: &Request,
    client: &Client,
) -> Result<Reply, ApiError> {
    may_create(client)?;
    let field = Field::create(&request.typed()?)?;
    let Account { tables, env, .. } = account;
    let table = tables.get_mut(at).ok_or_else(|| ApiError::object("table", ""))?;
    table.add_field(field, env)?;
    Ok(Reply::empty(201))
}

/// `PUT /tables/{t}/fields/{f}`
pub fn update_field(
    account: &mut Account,
    at: usize,
    name: &str,
    request: &Request,
    client: &Client,
) -> Result<Reply, ApiError> {
    may_create(client)?;
    let model: FieldModel = request.typed()?;
    let table = account.tables.get_mut(at).ok_or_else(|| ApiError::object("table", ""))?;
    let place = table.position(name).ok_or_else(|| ApiError::field(name))?;
    let mut field = table.field(name)?.clone();
    field.update(&model)?;
    table.change_field(place, field)?;
    Ok(Reply::empty(204))
}

/// `DELETE /tables/{t}/fields/{f}`
pub fn delete_field(
    account: &mut Account,
    at: usize,
    name: &str,
    client: &Client,
) -> Result<Reply, ApiError> {
    may_create(client)?;
    let table = account.tables.get_mut(at).ok_or_else(|| ApiError::object("table", ""))?;
    let place = table.position(name).ok_or_else(|| ApiError::field(name))?;
    if table.fields.len() == 1 {
        return Err(ApiError::body("The last field of a table cannot be deleted."));
    }
    table.remove_field(place)?;
    Ok(Reply::empty(204))
}
