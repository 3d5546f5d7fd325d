//! Directories and their users.
//!
//! Users are read like records, with three attributes more; they are written with a condition named
//! `Where`, and counted as `UsersAffected`. Activation gives a link that the person would follow; a user
//! who is beyond it is 409. The fields of a directory are under `/tables/{name}/fields`, by its name.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::is_granted;
use super::records::{affected, select};
use crate::account::Account;
use crate::auth::Client;
use crate::data::Writer;
use crate::directories::Directory;
use crate::error::ApiError;
use crate::http::{Reply, Request};
use crate::sql::predicate_keys;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Activation {
    #[serde(rename = "UserGUID")]
    user: Option<String>,
    /// Taken and without effect: no mail leaves this machine.
    #[serde(rename = "SendEmail")]
    _send_email: Option<bool>,
}

/// Answers what is under `/directories`.
pub fn route(
    account: &mut Account,
    request: &Request,
    client: &Client,
    rest: &[&str],
) -> Result<Reply, ApiError> {
    let method = request.method.as_str();
    let (id, users, more) = match (method, rest) {
        ("GET", []) => return Ok(list(account, client)),
        (_, []) => return Err(ApiError::method()),
        (_, [id, users, more @ ..]) => (id, users, more),
        _ => return Err(ApiError::path()),
    };
    let place = account.directories.iter().position(|directory| directory.id == *id);
    let at = place.ok_or_else(|| ApiError::object("directory", id))?;
    if !account.directories.get(at).is_some_and(|directory| is_granted(client, &directory.table.name)) {
        return Err(ApiError::forbidden("The profile may not touch this directory."));
    }
    if !users.eq_ignore_ascii_case("users") {
        return Err(ApiError::path());
    }
    let by = client.profile_name.as_str();
    match (method, more) {
        ("GET", []) => {
            let Account { tables, env, settings, directories, .. } = account;
            let directory = directories.get(at).ok_or_else(|| ApiError::object("directory", id))?;
            select(request, &directory.shown(), tables, env, settings)
        }
        ("POST", []) => create(account, at, request, by),
        ("PUT", []) => update(account, at, request, by),
        ("DELETE", []) => delete(account, at, request, by),
        ("POST", [activate]) if activate.eq_ignore_ascii_case("activate") => {
            activation(account, at, request, by)
        }
        (_, []) => Err(ApiError::method()),
        (_, [activate]) if activate.eq_ignore_ascii_case("activate") => Err(ApiError::method()),
        _ => Err(ApiError::path()),
    }
}

/// `GET /tables/{directory}/fields[/{f}]`
pub fn fields(account: &Account, name: &str, field: Option<&str>) -> Result<Reply, ApiError> {
    let found = account.directories.iter().find(|own| own.table.name.eq_ignore_ascii_case(name));
    let table = &found.ok_or_else(|| ApiError::object("table", name))?.table;
    let mut fields = table.fields.iter().zip(1..);
    let result = match field {
        None => fields.map(|(field, order)| field.to_json(order)).collect::<Vec<_>>().into(),
        Some(name) => {
            let (field, order) =
                fields.find(|(field, _)| field.is_named(name)).ok_or_else(|| ApiError::field(name))?;
            field.to_json(order)
        }
    };
    Ok(Reply::json(200, json!({"Result": result})))
}

fn list(account: &Account, client: &Client) -> Reply {
    let granted = account.directories.iter().filter(|own| is_granted(client, &own.table.name));
    let list = granted.map(|directory| {
        let stamps = &directory.stamps;
        let (updated, by) = stamps.modified.clone().unzip();
        json!({
            "Id": directory.id, "Name": directory.table.name,
            "NumberOfUsers": directory.table.rows().count(), "DateCreated": stamps.created,
            "DateUpdated": updated, "CreatedBy": stamps.created_by, "UpdatedBy": by,
        })
    });
    Reply::json(200, json!({"Result": list.collect::<Vec<Json>>()}))
}

/// A directory and who writes to it.
fn open(account: &mut Account, at: usize) -> Result<(&mut Directory, Writer<'_>), ApiError> {
    let Account { directories, env, settings, .. } = account;
    let directory = directories.get_mut(at).ok_or_else(|| ApiError::object("directory", ""))?;
    Ok((directory, Writer { env, free: false, unique_code: &settings.unique_violation_code }))
}

fn shown(directory: &Directory, keys: &[i64]) -> Vec<Json> {
    let table = directory.shown();
    keys.iter().filter_map(|key| table.row(*key)).map(|row| table.row_json(row)).collect()
}

fn create(account: &mut Account, at: usize, request: &Request, by: &str) -> Result<Reply, ApiError> {
    let body = request.object()?;
    let (directory, mut writer) = open(account, at)?;
    let key = directory.insert(&body, &mut writer)?;
    directory.touch(by);
    if request.wants_rows() {
        return Ok(Reply::json(201, json!({"Result": shown(directory, &[key])})));
    }
    Ok(Reply::empty(201))
}

fn keys(account: &Account, at: usize, request: &Request) -> Result<Vec<i64>, ApiError> {
    let directory = account.directories.get(at).ok_or_else(|| ApiError::object("directory", ""))?;
    let condition =
        request.condition().map_err(|_| ApiError::query("Where is missing. Say which users are meant."))?;
    predicate_keys(&directory.table, &|name| account.table(name), condition)
}

fn update(account: &mut Account, at: usize, request: &Request, by: &str) -> Result<Reply, ApiError> {
    let keys = keys(account, at, request)?;
    let body: Map<String, Json> = request.object()?;
    if body.is_empty() {
        return Err(ApiError::body("The body names no field. Send at least one."));
    }
    let (directory, mut writer) = open(account, at)?;
    let given = directory.table.assignments(&body, false)?;
    directory.table.update(&keys, &given, &mut writer)?;
    directory.touch(by);
    Ok(affected(request, "UsersAffected", keys.len(), shown(directory, &keys)))
}

fn delete(account: &mut Account, at: usize, request: &Request, by: &str) -> Result<Reply, ApiError> {
    let keys = keys(account, at, request)?;
    let (directory, _) = open(account, at)?;
    directory.table.delete(&keys);
    directory.forget(&keys);
    directory.touch(by);
    Ok(Reply::json(200, json!({"UsersAffected": keys.len()})))
}

fn activation(account: &mut Account, at: usize, request: &Request, by: &str) -> Result<Reply, ApiError> {
    let body: Activation = request.typed()?;
    let guid = body.user.filter(|text| !text.trim().is_empty());
    let guid = guid.ok_or_else(|| ApiError::body("UserGUID is missing. Name the user."))?;
    let (directory, _) = open(account, at)?;
    let key = directory.user(&guid).ok_or_else(|| ApiError::object("user", &guid))?;
    if !matches!(directory.status(key), "Inactive" | "ActivationPending" | "ActivationExpired") {
        return Err(ApiError::new(409, "Conflict", "The user is activated already."));
    }
    directory.set_status(key, "ActivationPending");
    directory.touch(by);
    let url = format!("{}/emulator/directories/{}/activate/{}", request.origin, directory.id, guid.trim());
    Ok(Reply::json(200, json!({"Result": {"ActivationUrl": url}})))
}
