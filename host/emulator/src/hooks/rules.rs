//! Rules for webhooks and events, as the reference names them in section 10.
//!
//! Names and URLs are unique among all webhooks; URLs are HTTPS, with plain http for loopback by
//! knob. A webhook has for each table one insert event, one delete event, and one update event for
//! all fields or several for different ones. A broken rule is a 400 before anything is changed.

use std::net::IpAddr;

use serde::Deserialize;

use super::{Event, EventType, Webhook, template};
use crate::account::Account;
use crate::data::Table;
use crate::error::ApiError;
use crate::settings::Settings;

/// Body that makes or changes a webhook.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct WebhookBody {
    pub name: Option<String>,
    pub description: Option<String>,
    pub outgoing_urls: Option<Vec<String>>,
    pub call_throttling: Option<i64>,
    pub enabled: Option<bool>,
}

/// Body that makes or changes an event.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct EventBody {
    pub event_type: Option<String>,
    pub object_name: Option<String>,
    pub object_fields: Option<Vec<String>>,
    pub event_sources: Option<Vec<String>>,
    pub custom_payload_fields: Option<Vec<String>>,
    pub custom_payload_template: Option<String>,
    pub enabled: Option<bool>,
}

/// A name that no other webhook has.
pub fn name(account: &Account, name: &str, own: Option<&str>) -> Result<String, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > account.settings.max_webhook_name {
        return Err(ApiError::body("Name is empty or too long. Give a shorter name."));
    }
    if others(account, own).any(|webhook| webhook.name.eq_ignore_ascii_case(name)) {
        return Err(duplicate(account, "A webhook with this name exists already. Choose another name."));
    }
    Ok(name.to_owned())
}

/// URLs that no other webhook has.
pub fn urls(account: &Account, urls: &[String], own: Option<&str>) -> Result<Vec<String>, ApiError> {
    if urls.is_empty() {
        return Err(ApiError::body("OutgoingUrls is missing. Give one URL."));
    }
    if urls.len() > account.settings.max_urls {
        return Err(ApiError::body("The plan does not allow so many OutgoingUrls. Give fewer."));
    }
    for (at, url) in urls.iter().enumerate() {
        check_url(&account.settings, url)?;
        let twice = urls.iter().take(at).any(|other| other == url);
        if twice || others(account, own).any(|webhook| webhook.urls.contains(url)) {
            return Err(duplicate(account, "A webhook with this URL exists already. Choose another URL."));
        }
    }
    Ok(urls.to_vec())
}

/// A throttle within the plan.
pub fn throttling(settings: &Settings, wanted: Option<i64>) -> Result<u32, ApiError> {
    let most = settings.max_call_throttling;
    match wanted {
        None => Ok(most),
        Some(wanted) => u32::try_from(wanted).ok().filter(|n| (1..=most).contains(n)).ok_or_else(|| {
            ApiError::body(format!("CallThrottling must be from 1 to {most}. Correct it or leave it out."))
        }),
    }
}

fn others<'a>(account: &'a Account, own: Option<&'a str>) -> impl Iterator<Item = &'a Webhook> {
    account.webhooks.iter().filter(move |webhook| Some(webhook.id.as_str()) != own)
}

fn duplicate(account: &Account, message: &str) -> ApiError {
    ApiError::new(400, &account.settings.duplicate_webhook_code, message)
}

fn check_url(settings: &Settings, text: &str) -> Result<(), ApiError> {
    let refuse = || ApiError::body("An URL in OutgoingUrls is not valid. Use an HTTPS address.");
    let url = reqwest::Url::parse(text).map_err(|_| refuse())?;
    let host = url.host_str().unwrap_or("");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback =
        host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" if !host.is_empty() => Ok(()),
        "http" if settings.http_anywhere || (loopback && settings.http_for_loopback) => Ok(()),
        _ => Err(refuse()),
    }
}

/// What an event body comes to, once every rule holds.
#[derive(Debug)]
pub struct EventParts {
    pub kind: EventType,
    pub object_name: String,
    pub object_id: String,
    pub object_fields: Option<Vec<String>>,
    pub sources: Option<Vec<String>>,
    pub payload_fields: Option<Vec<String>>,
    pub payload_template: Option<String>,
}

/// Judges an event body against the table and the webhook's other events.
pub fn event(
    account: &Account,
    webhook: &Webhook,
    own: Option<&str>,
    body: &EventBody,
) -> Result<EventParts, ApiError> {
    let kind = EventType::parse(body.event_type.as_deref().unwrap_or("")).ok_or_else(|| {
        ApiError::body("EventType must be table.recordInsert, table.recordUpdate or table.recordDelete.")
    })?;
    let object = body.object_name.as_deref().unwrap_or("").trim();
    if object.is_empty() {
        return Err(ApiError::body("ObjectName is missing. Name a table."));
    }
    let table = account.table(object).ok_or_else(|| ApiError::object("table", object))?;
    let object_fields = fields(table, body.object_fields.as_deref())?;
    if object_fields.is_some() && kind != EventType::Update {
        return Err(ApiError::body("ObjectFields is for table.recordUpdate only. Leave it out."));
    }
    let mut sources = Vec::new();
    for source in body.event_sources.iter().flatten() {
        let known = account.settings.event_sources.iter().find(|known| known.eq_ignore_ascii_case(source));
        sources.push(known.ok_or_else(|| ApiError::body(format!("'{source}' is no event source.")))?.clone());
    }
    let payload_fields = fields(table, body.custom_payload_fields.as_deref())?;
    let payload_template = body.custom_payload_template.clone().filter(|text| !text.trim().is_empty());
    if payload_fields.is_some() && payload_template.is_some() {
        return Err(ApiError::body(
            "CustomPayloadFields and CustomPayloadTemplate exclude each other. Use one.",
        ));
    }
    if let Some(text) = &payload_template {
        template::check(table, text)?;
    }
    let rivals = webhook.events.iter().filter(|event| {
        Some(event.id.as_str()) != own
            && event.kind == kind
            && event.object_name.eq_ignore_ascii_case(&table.name)
    });
    for rival in rivals {
        if clash(rival, object_fields.as_deref()) {
            return Err(duplicate(account, "The webhook has such an event for this table already."));
        }
    }
    Ok(EventParts {
        kind,
        object_name: table.name.clone(),
        object_id: table.id.clone(),
        object_fields,
        sources: (!sources.is_empty()).then_some(sources),
        payload_fields,
        payload_template,
    })
}

/// Two events of one kind and table clash unless both name fields and share none.
fn clash(rival: &Event, fields: Option<&[String]>) -> bool {
    match (&rival.object_fields, fields) {
        (Some(theirs), Some(ours)) => ours.iter().any(|field| theirs.contains(field)),
        _ => true,
    }
}

/// Names as the table writes them; none or an empty list is no restriction.
fn fields(table: &Table, names: Option<&[String]>) -> Result<Option<Vec<String>>, ApiError> {
    let mut found = Vec::new();
    for name in names.unwrap_or_default() {
        if name.eq_ignore_ascii_case("PK_ID") {
            found.push("PK_ID".to_owned());
        } else {
            found.push(table.field(name)?.name.clone());
        }
    }
    Ok((!found.is_empty()).then_some(found))
}
