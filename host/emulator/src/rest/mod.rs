//! REST v3 under `/integrations/rest/v3`, and `/rest/v2` as another name for it.
//!
//! [`handle`] checks the token, the rate limit and the grant, then matches the path once and calls
//! the file of its family. Bridge applications are no part of it (501). Unknown paths are 404, known ones
//! with another verb 405.

pub mod attachments;
pub mod directories;
pub mod files;
pub mod passwords;
pub mod records;
pub mod tables;
pub mod tasks;
pub mod views;
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
        _ => return Err(ApiError::path()),
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

fn route(
    shared: &Arc<Shared>,
    account: &mut Account,
    request: &Request,
    client: &Client,
    rest: &[&str],
    version: u8,
) -> Result<Reply, ApiError> {
    let Some((family, rest)) = rest.split_first() else { return Err(ApiError::path()) };
    let method = request.method.as_str();
    match family.to_ascii_lowercase().as_str() {
        "tables" => {
            if let Some(name) = rest.first() {
                may_touch(client, name)?;
            }
            route_tables(account, request, client, method, rest)
        }
        "views" => {
            if let Some(name) = rest.first() {
                may_touch(client, name)?;
            }
            views::route(account, request, client, rest)
        }
        "outgoingwebhooks" => {
            if !client.can_manage_webhooks {
                return Err(ApiError::forbidden("The profile may not manage outgoing webhooks."));
            }
            webhooks::route(shared, account, request, client, rest)
        }
        "files" if version == 3 => {
            if !client.can_manage_files {
                return Err(ApiError::forbidden("The profile may not touch files."));
            }
            files::route(account, request, rest)
        }
        "directories" if version == 3 => directories::route(account, request, client, rest),
        "dataimportexporttasks" if version == 3 => tasks::route(account, request, client, rest),
        "bridgeapplications" if version == 3 => {
            Err(ApiError::new(501, "NotImplemented", "The emulator does not have this resource yet."))
        }
        _ => Err(ApiError::path()),
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
        // The fields of a directory are read by its name, as Caspio's own client does.
        ("GET", [name, part, more @ ..])
            if part.eq_ignore_ascii_case("fields") && account.table(name).is_none() && more.len() < 2 =>
        {
            directories::fields(account, name, more.first().copied())
        }
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
                (_, "attachments", more) => {
                    attachments::route(account, attachments::Site::Table(at), request, more)
                }
                (_, "fields", [] | [_]) | (_, "records", []) | (_, "passwordfields", [] | [_]) => {
                    Err(ApiError::method())
                }
                _ => Err(ApiError::path()),
            }
        }
    }
}

/// Whether the profile may touch a table, view, directory or task of this name.
pub fn is_granted(client: &Client, name: &str) -> bool {
    client.tables.as_ref().is_none_or(|names| names.iter().any(|own| own.eq_ignore_ascii_case(name)))
}

fn may_touch(client: &Client, name: &str) -> Result<(), ApiError> {
    if is_granted(client, name) {
        return Ok(());
    }
    Err(ApiError::forbidden(format!("The profile may not touch '{name}'.")))
}

/// Names of objects that the profile may touch, in order.
pub fn names<'a>(client: &Client, all: impl Iterator<Item = &'a str>) -> Reply {
    let mut names: Vec<&str> = all.filter(|name| is_granted(client, name)).collect();
    names.sort_by_key(|name| name.to_lowercase());
    Reply::json(200, json!({"Result": names}))
}
