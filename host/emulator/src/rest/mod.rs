//! REST v3 under `/integrations/rest/v3`, and `/rest/v2` as another name for it.
//!
//! [`handle`] checks the token, the rate limit and the grant, then matches the path once and calls
//! the file of its family: `tables`, `records`, `webhooks`. Files, attachments, directories and
//! tasks are not there yet and say so (501). Unknown paths are 404, known ones with another verb 405.

pub mod passwords;
pub mod records;
pub mod tables;
pub mod webhooks;

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::account::{Account, Shared};
use crate::auth::Client;
use crate::error::ApiError;
use crate::faults;
use crate::http::{Reply, Request};
use crate::settings::RateLimitForm;

/// Answers a REST call.
pub fn handle(
    shared: &Arc<Shared>,
    account: &mut Account,
    request: &Request,
    now: Instant,
) -> Result<Reply, ApiError> {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let (rest, version) = match segments.as_slice() {
        ["integrations", "rest", version, rest @ ..] if version.eq_ignore_ascii_case("v3") => (rest, 3),
        ["rest", version, rest @ ..] if version.eq_ignore_ascii_case("v2") => (rest, 2),
        _ => return Err(no_path()),
    };
    let client = account.tokens.check(request.authorization.as_deref(), now)?;
    if !account.admit(now) {
        let limit = account.settings.rate_limit.clone().unwrap_or_default();
        return match limit.form {
            RateLimitForm::Array400 => Ok(faults::api_calls_rate()),
            RateLimitForm::Status429 => match limit.retry_after_seconds {
                None => Err(faults::throttled()),
                Some(seconds) => {
                    let error = faults::throttled();
                    let mut reply =
                        Reply::json(error.status, json!({"Code": error.code, "Message": error.message}));
                    reply.headers.push(("retry-after", seconds.to_string()));
                    Ok(reply)
                }
            },
        };
    }
    route(shared, account, request, &client, rest, version)
}

fn no_path() -> ApiError {
    ApiError::new(404, "ObjectNotFound", "There is nothing under this path.")
}

fn route(
    shared: &Arc<Shared>,
    account: &mut Account,
    request: &Request,
    client: &Client,
    rest: &[&str],
    version: u8,
) -> Result<Reply, ApiError> {
    let Some((family, rest)) = rest.split_first() else { return Err(no_path()) };
    let method = request.method.as_str();
    match family.to_ascii_lowercase().as_str() {
        "tables" => {
            if let Some(name) = rest.first() {
                may_touch(client, name)?;
            }
            route_tables(account, request, client, method, rest)
        }
        "views" => match (method, rest) {
            ("GET", []) => Ok(Reply::json(200, json!({"Result": []}))),
            (_, [name, ..]) => Err(ApiError::object("view", name)),
            _ => Err(ApiError::method()),
        },
        "outgoingwebhooks" => {
            if !client.can_manage_webhooks {
                return Err(ApiError::forbidden("The profile may not manage outgoing webhooks."));
            }
            webhooks::route(shared, account, request, client, rest)
        }
        "files" | "directories" | "dataimportexporttasks" | "bridgeapplications" if version == 3 => {
            Err(ApiError::new(501, "NotImplemented", "The emulator does not have this resource yet."))
        }
        _ => Err(no_path()),
    }
}

fn route_tables(
    account: &mut Account,
    request: &Request,
    client: &Client,
    method: &str,
    rest: &[&str],
) -> Result<Reply, ApiError> {
    match (method, rest) {
        ("GET", []) => Ok(tables::list(account, client)),
        ("POST", []) => tables::create(account, request, client),
        ("GET", [name]) => tables::get(account, name),
        (_, [] | [_]) => Err(ApiError::method()),
        (_, [name, part, more @ ..]) => {
            let at = account.table_at(name)?;
            match (method, part.to_ascii_lowercase().as_str(), more) {
                ("GET", "fields", []) => tables::fields(account, at),
                ("POST", "fields", []) => tables::create_field(account, at, request, client),
                ("GET", "fields", [field]) => tables::field(account, at, field),
                ("PUT", "fields", [field]) => tables::update_field(account, at, field, request, client),
                ("DELETE", "fields", [field]) => tables::delete_field(account, at, field, client),
                ("GET", "records", []) => records::read(account, at, request),
                ("POST", "records", []) => records::create(account, at, request),
                ("PUT", "records", []) => records::update(account, at, request),
                ("DELETE", "records", []) => records::delete(account, at, request),
                ("GET", "passwordfields", []) => passwords::list(account, at),
                ("PUT", "passwordfields", [field]) => passwords::set(account, at, field, request),
                ("DELETE", "passwordfields", [field]) => passwords::clear(account, at, field, request),
                (_, "attachments", _) => {
                    Err(ApiError::new(501, "NotImplemented", "The emulator does not have attachments yet."))
                }
                (_, "fields", [] | [_]) | (_, "records", []) | (_, "passwordfields", [] | [_]) => {
                    Err(ApiError::method())
                }
                _ => Err(no_path()),
            }
        }
    }
}

fn may_touch(client: &Client, table: &str) -> Result<(), ApiError> {
    match &client.tables {
        Some(names) if !names.iter().any(|name| name.eq_ignore_ascii_case(table)) => {
            Err(ApiError::forbidden(format!("The profile may not touch the table '{table}'.")))
        }
        _ => Ok(()),
    }
}
