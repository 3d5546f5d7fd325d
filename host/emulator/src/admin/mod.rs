//! Administration under `/emulator/`: a person at a datasheet, and a test that looks and breaks.
//!
//! No token is needed, so only loopback clients get here. Rows are changed by the same code as by
//! REST, with a source that the caller names. Answers are JSON with PascalCase names; a refusal has
//! the form of a REST error.
//!
//! `rows/{table}`, `webhooks`, `messages`, `requests`, `faults`, `settings`, `tasks`,
//! `directories/{id}/activate/{user}`, `tokens/revoke`, `reset`, `health`.

use serde_json::{Map, Value as Json, json};

use crate::account::Account;
use crate::environment::Environment;
use crate::error::ApiError;
use crate::hooks::announce::enqueue;
use crate::hooks::{Shape, State};
use crate::http::{Reply, Request};
use crate::rest::webhooks;
use crate::rows::{self, IMPORT};
use crate::settings::SOURCES;

const PERSON: &str = "Emulator user";

/// Answers an administration call.
pub fn handle(account: &mut Account, request: &Request) -> Result<Reply, ApiError> {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).skip(1).collect();
    let method = request.method.as_str();
    match (method, segments.as_slice()) {
        ("GET", ["health"]) => Ok(Reply::json(200, json!({"Status": "Ok"}))),
        (_, ["rows", table]) => {
            let at = account.table_at(table)?;
            route_rows(account, at, request)
        }
        ("GET", ["webhooks"]) => Ok(list_webhooks(account)),
        ("PUT", ["webhooks", id]) => webhooks::update(account, id, &request.typed()?, PERSON),
        ("DELETE", ["webhooks", id]) => webhooks::delete(account, id),
        ("GET", ["messages"]) => Ok(Reply::json(200, account.messages.to_json())),
        ("GET", ["messages", "summary"]) => Ok(Reply::json(200, account.messages.summary())),
        ("POST", ["messages", id, "redeliver"]) => redeliver(account, id),
        ("GET", ["requests"]) => Ok(Reply::json(200, account.requests.to_json())),
        ("DELETE", ["requests"]) => {
            account.requests.clear();
            Ok(Reply::empty(204))
        }
        ("GET", ["requests", "count"]) => {
            let method = request.param("method").filter(|method| *method != "*");
            let count = account.requests.count(method, request.param("path").unwrap_or("/"));
            Ok(Reply::json(200, json!({"Count": count})))
        }
        ("GET", ["faults"]) => Ok(Reply::json(200, account.faults.to_json())),
        ("POST", ["faults"]) => {
            let id = account.faults.add(request.typed()?);
            Ok(Reply::json(201, json!({"Id": id})))
        }
        ("DELETE", ["faults"]) => {
            account.faults.clear();
            Ok(Reply::empty(204))
        }
        ("GET", ["faults", "late"]) => Ok(Reply::json(200, json!({"Count": account.faults.late}))),
        ("DELETE", ["faults", id]) => match id.parse().is_ok_and(|id| account.faults.remove(id)) {
            true => Ok(Reply::empty(204)),
            false => Err(ApiError::object("fault", id)),
        },
        ("GET", ["settings"]) => show_settings(account),
        ("PATCH", ["settings"]) => patch_settings(account, &Json::Object(request.object()?)),
        ("GET", ["tasks"]) => Ok(list_tasks(account)),
        ("GET", ["directories", id, "activate", guid]) => activate(account, id, guid),
        ("POST", ["reset"]) => {
            account.reset().map_err(|_| ApiError::new(500, "InternalError", "The seed cannot be used."))?;
            Ok(Reply::empty(204))
        }
        ("POST", ["tokens", "revoke"]) => {
            let revoked = account.tokens.revoke();
            Ok(Reply::json(200, json!({"Revoked": revoked})))
        }
        (
            _,
            [
                "health" | "reset" | "webhooks" | "messages" | "requests" | "faults" | "settings" | "tasks"
                | "tokens",
                ..,
            ],
        ) => Err(ApiError::method()),
        _ => Err(ApiError::new(404, "ObjectNotFound", "There is no such administration route.")),
    }
}

fn source(request: &Request) -> Result<&'static str, ApiError> {
    let Some(wanted) = request.param("source") else { return Ok("Datasheet") };
    let mut known = SOURCES.into_iter().chain([IMPORT]);
    known.find(|source| source.eq_ignore_ascii_case(wanted)).ok_or_else(|| {
        ApiError::query("source is unknown. Use an event source, or Import for a change without webhooks.")
    })
}

fn route_rows(account: &mut Account, at: usize, request: &Request) -> Result<Reply, ApiError> {
    let source = source(request)?;
    let condition = || {
        let given = request.param("where").or_else(|| request.param("q.where"));
        given.ok_or_else(|| ApiError::query("where is missing. Say which rows are meant; PK_ID>0 means all."))
    };
    match request.method.as_str() {
        "GET" => {
            let table = account.tables.get(at).ok_or_else(|| ApiError::object("table", ""))?;
            Ok(Reply::json(200, Json::Array(table.rows().map(|row| table.row_json(row)).collect())))
        }
        "POST" => {
            let bodies: Vec<Map<String, Json>> = match request.json()? {
                Json::Object(one) => vec![one],
                Json::Array(items) => items
                    .into_iter()
                    .map(|item| match item {
                        Json::Object(members) => Ok(members),
                        _ => Err(ApiError::body("Each row must be a JSON object.")),
                    })
                    .collect::<Result<_, _>>()?,
                _ => return Err(ApiError::body("The body must be a row or an array of rows.")),
            };
            let (_, rows) = rows::insert(account, at, &bodies, source)?;
            Ok(Reply::json(201, Json::Array(rows)))
        }
        "PUT" => {
            let (affected, _) = rows::update(account, at, condition()?, &request.object()?, source)?;
            Ok(Reply::json(200, json!({"RecordsAffected": affected})))
        }
        "DELETE" => {
            let affected = rows::delete(account, at, condition()?, source)?;
            Ok(Reply::json(200, json!({"RecordsAffected": affected})))
        }
        _ => Err(ApiError::method()),
    }
}

fn list_webhooks(account: &Account) -> Reply {
    let list = account.webhooks.iter().map(|webhook| {
        let mut members = webhook.to_json(Shape::Get);
        members.insert("Secret".to_owned(), json!(webhook.secret));
        let events = webhook.events.iter().map(|event| {
            let mut shown = event.to_json(Shape::Get);
            if let Json::Object(members) = &mut shown {
                members.insert("EventType".to_owned(), json!(event.kind.token()));
            }
            shown
        });
        members.insert("Events".to_owned(), Json::Array(events.collect()));
        Json::Object(members)
    });
    Reply::json(200, Json::Array(list.collect()))
}

fn list_tasks(account: &Account) -> Reply {
    let list = account.tasks.iter().map(|task| {
        json!({"ExternalKey": task.key, "Name": task.name, "Runs": task.runs, "Failure": task.failure})
    });
    Reply::json(200, Json::Array(list.collect()))
}

/// The link of an activation, which the person follows.
fn activate(account: &mut Account, id: &str, guid: &str) -> Result<Reply, ApiError> {
    let directory = account.directories.iter_mut().find(|directory| directory.id == *id);
    let directory = directory.ok_or_else(|| ApiError::object("directory", id))?;
    let key = directory.user(guid).ok_or_else(|| ApiError::object("user", guid))?;
    if directory.status(key) != "ActivationPending" {
        return Err(ApiError::new(409, "Conflict", "No activation is pending. Ask for one."));
    }
    directory.set_status(key, "Active");
    Ok(Reply::json(200, json!({"Status": "Active"})))
}

fn redeliver(account: &mut Account, id: &str) -> Result<Reply, ApiError> {
    let missing = || ApiError::object("message", id);
    let number = account.messages.number(id).ok_or_else(missing)?;
    let message = account.messages.get_mut(number).ok_or_else(missing)?;
    let webhook_id = message.webhook_id.clone();
    let gone = || ApiError::object("webhook", &webhook_id);
    let place = account.webhooks.iter().position(|webhook| webhook.id == webhook_id).ok_or_else(gone)?;
    let urls = account.webhooks.get(place).map_or(0, |webhook| webhook.urls.len());
    let message = account.messages.get_mut(number).ok_or_else(missing)?;
    match message.state {
        State::Queued => return Err(ApiError::body("The message is queued already. Wait for its end.")),
        State::Undeliverable => return Err(ApiError::body("The message cannot be delivered.")),
        State::Delivered | State::Failed => {}
    }
    message.state = State::Queued;
    message.failed = false;
    message.open = urls;
    let mut webhooks = std::mem::take(&mut account.webhooks);
    if let Some(webhook) = webhooks.get_mut(place) {
        enqueue(account, webhook, number);
    }
    account.webhooks = webhooks;
    Ok(Reply::json(202, json!({"MessageId": id})))
}

fn show_settings(account: &Account) -> Result<Reply, ApiError> {
    let settings = serde_json::to_value(&account.settings)
        .map_err(|_| ApiError::new(500, "InternalError", "The settings cannot be shown."))?;
    Ok(Reply::json(200, settings))
}

fn patch_settings(account: &mut Account, patch: &Json) -> Result<Reply, ApiError> {
    let settings = account
        .settings
        .patched(patch)
        .map_err(|error| ApiError::body(format!("The settings do not fit: {error}. Correct the member.")))?;
    if patch.get("RandomSeed").is_some() {
        account.env = Environment::new(settings.random_seed);
    }
    account.apply(settings);
    show_settings(account)
}
