//! Outgoing webhooks and their events.
//!
//! Objects are bare, without `Result`; the lists too, unless the knob says otherwise. The secret is
//! shown when a webhook is made and never again. Deleting a webhook deletes its events and gives up
//! its queued messages. Rules are in [`crate::hooks::rules`].

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::account::{Account, Shared};
use crate::auth::Client;
use crate::environment;
use crate::error::ApiError;
use crate::hooks::rules::{self, EventBody, EventParts, WebhookBody};
use crate::hooks::{Counters, Event, Shape, Stamps, Webhook, deliver};
use crate::http::{Reply, Request};
use crate::settings::ListEnvelope;

/// Answers what is under `/outgoingWebhooks`.
pub fn route(
    shared: &Arc<Shared>,
    account: &mut Account,
    request: &Request,
    client: &Client,
    rest: &[&str],
) -> Result<Reply, ApiError> {
    let by = client.profile_name.as_str();
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(list(account)),
        ("POST", []) => create(shared, account, &request.typed()?, by),
        ("GET", [id]) => Ok(Reply::json(200, Json::Object(find(account, id)?.to_json(Shape::Get)))),
        ("PUT", [id]) => update(account, id, &request.typed()?, by),
        ("DELETE", [id]) => delete(account, id),
        (_, [] | [_]) => Err(ApiError::method()),
        (method, [id, events, more @ ..]) if events.eq_ignore_ascii_case("events") => match (method, more) {
            ("GET", []) => {
                let webhook = find(account, id)?;
                let events = webhook.events.iter().map(|event| event.to_json(Shape::List)).collect();
                Ok(enveloped(account, events))
            }
            ("POST", []) => create_event(account, id, &request.typed()?, by),
            ("GET", [event]) => {
                let webhook = find(account, id)?;
                Ok(Reply::json(200, find_event(webhook, event)?.to_json(Shape::Get)))
            }
            ("PUT", [event]) => update_event(account, id, event, &request.typed()?, by),
            ("DELETE", [event]) => {
                find_event(find(account, id)?, event)?;
                find_mut(account, id)?.events.retain(|own| own.id != *event);
                Ok(Reply::empty(204))
            }
            (_, [] | [_]) => Err(ApiError::method()),
            _ => Err(ApiError::path()),
        },
        _ => Err(ApiError::path()),
    }
}

fn find<'a>(account: &'a Account, id: &str) -> Result<&'a Webhook, ApiError> {
    account.webhooks.iter().find(|webhook| webhook.id == id).ok_or_else(|| ApiError::object("webhook", id))
}

fn find_mut<'a>(account: &'a mut Account, id: &str) -> Result<&'a mut Webhook, ApiError> {
    account
        .webhooks
        .iter_mut()
        .find(|webhook| webhook.id == id)
        .ok_or_else(|| ApiError::object("webhook", id))
}

fn find_event<'a>(webhook: &'a Webhook, id: &str) -> Result<&'a Event, ApiError> {
    webhook.events.iter().find(|event| event.id == id).ok_or_else(|| ApiError::object("event", id))
}

fn enveloped(account: &Account, items: Vec<Json>) -> Reply {
    match account.settings.webhook_list {
        ListEnvelope::Array => Reply::json(200, Json::Array(items)),
        ListEnvelope::Result => Reply::json(200, json!({"Result": items})),
    }
}

fn list(account: &Account) -> Reply {
    let items = account.webhooks.iter().map(|webhook| {
        let mut members = webhook.to_json(Shape::List);
        if account.settings.webhook_list_secrets {
            members.insert("Secret".to_owned(), json!(webhook.secret));
        }
        Json::Object(members)
    });
    enveloped(account, items.collect())
}

fn create(
    shared: &Arc<Shared>,
    account: &mut Account,
    body: &WebhookBody,
    by: &str,
) -> Result<Reply, ApiError> {
    if body.enabled.is_some() {
        return Err(ApiError::body("Enabled is for PUT only. Leave it out."));
    }
    let name = rules::name(account, body.name.as_deref().unwrap_or(""), None)?;
    let urls = rules::urls(account, body.outgoing_urls.as_deref().unwrap_or_default(), None)?;
    let throttling = rules::throttling(&account.settings, body.call_throttling)?;
    let webhook = Webhook {
        id: account.env.short_id(),
        name,
        description: body.description.clone().unwrap_or_default(),
        urls,
        throttling,
        secret: account.env.hex64(),
        events: Vec::new(),
        counters: Counters::default(),
        stamps: Stamps { created: environment::now_text(), created_by: by.to_owned(), modified: None },
        queue: VecDeque::new(),
        wake: Arc::default(),
        window: None,
        failures_in_a_row: 0,
    };
    deliver::spawn(shared, &webhook);
    let reply = Reply::json(201, Json::Object(webhook.to_json(Shape::Post)));
    account.webhooks.push(webhook);
    Ok(reply)
}

/// `PUT /outgoingWebhooks/{id}`; administration edits by the same rules.
pub fn update(account: &mut Account, id: &str, body: &WebhookBody, by: &str) -> Result<Reply, ApiError> {
    find(account, id)?;
    let nothing = body.name.is_none()
        && body.description.is_none()
        && body.outgoing_urls.is_none()
        && body.call_throttling.is_none()
        && body.enabled.is_none();
    if nothing {
        return Err(ApiError::body("The body names nothing to change. Send at least one member."));
    }
    let name = body.name.as_deref().map(|name| rules::name(account, name, Some(id))).transpose()?;
    let urls = body.outgoing_urls.as_deref().map(|urls| rules::urls(account, urls, Some(id))).transpose()?;
    let throttling =
        body.call_throttling.map(|n| rules::throttling(&account.settings, Some(n))).transpose()?;
    let webhook = find_mut(account, id)?;
    if let Some(name) = name {
        webhook.name = name;
    }
    if let Some(urls) = urls {
        webhook.urls = urls;
    }
    if let Some(throttling) = throttling {
        webhook.throttling = throttling;
    }
    if let Some(text) = &body.description {
        webhook.description.clone_from(text);
    }
    if let Some(enabled) = body.enabled {
        webhook.enable(enabled);
    }
    webhook.stamps.modified = Some((environment::now_text(), by.to_owned()));
    Ok(Reply::json(200, Json::Object(webhook.to_json(Shape::Put))))
}

/// `DELETE /outgoingWebhooks/{id}`
pub fn delete(account: &mut Account, id: &str) -> Result<Reply, ApiError> {
    find(account, id)?.wake.notify_one();
    account.webhooks.retain(|webhook| webhook.id != id);
    account.messages.give_up(id);
    Ok(Reply::empty(204))
}

fn fill(event: &mut Event, parts: EventParts) {
    event.kind = parts.kind;
    event.object_name = parts.object_name;
    event.object_id = parts.object_id;
    event.object_fields = parts.object_fields;
    event.sources = parts.sources;
    event.payload_fields = parts.payload_fields;
    event.payload_template = parts.payload_template;
}

fn create_event(account: &mut Account, id: &str, body: &EventBody, by: &str) -> Result<Reply, ApiError> {
    let parts = rules::event(account, find(account, id)?, None, body)?;
    let mut event = Event {
        id: account.env.short_id(),
        kind: parts.kind,
        active: body.enabled.unwrap_or(true),
        object_name: String::new(),
        object_id: String::new(),
        object_fields: None,
        sources: None,
        payload_fields: None,
        payload_template: None,
        counters: Counters::default(),
        stamps: Stamps { created: environment::now_text(), created_by: by.to_owned(), modified: None },
    };
    fill(&mut event, parts);
    let reply = Reply::json(201, event.to_json(Shape::Post));
    find_mut(account, id)?.events.push(event);
    Ok(reply)
}

fn update_event(
    account: &mut Account,
    id: &str,
    event_id: &str,
    body: &EventBody,
    by: &str,
) -> Result<Reply, ApiError> {
    let webhook = find(account, id)?;
    find_event(webhook, event_id)?;
    let parts = rules::event(account, webhook, Some(event_id), body)?;
    let webhook = find_mut(account, id)?;
    let event = webhook
        .events
        .iter_mut()
        .find(|event| event.id == event_id)
        .ok_or_else(|| ApiError::object("event", event_id))?;
    fill(event, parts);
    if let Some(enabled) = body.enabled {
        event.active = enabled;
    }
    event.stamps.modified = Some((environment::now_text(), by.to_owned()));
    Ok(Reply::json(200, event.to_json(Shape::Put)))
}
