//! From changes of rows to queued messages.
//!
//! Every active event of every webhook is asked: same table, same kind, source allowed, and for an
//! update one of its fields changed. The body is made at once, so a message shows the row as it was
//! after this change whatever happens before it is delivered. Nothing is announced for an import.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Map, Value as Json, json};

use super::messages::{Message, State};
use super::template::{self, Words};
use super::{Event, EventType, Job, Webhook};
use crate::account::Account;
use crate::data::{Change, FieldType, Row, Table, Value};
use crate::downloads;
use crate::environment;
use crate::rows::IMPORT;
use crate::settings::BatchMode;

fn kind_of(change: &Change) -> EventType {
    match change {
        Change::Insert(_) => EventType::Insert,
        Change::Update(..) => EventType::Update,
        Change::Delete(_) => EventType::Delete,
    }
}

fn row_of(change: &Change) -> &Row {
    match change {
        Change::Insert(row) | Change::Update(row, _) | Change::Delete(row) => row,
    }
}

fn fires(event: &Event, table: &Table, change: &Change, source: &str) -> bool {
    let source_fits = event
        .sources
        .as_ref()
        .is_none_or(|sources| sources.iter().any(|own| own.eq_ignore_ascii_case(source)));
    let fields_fit = match (change, &event.object_fields) {
        (Change::Update(_, changed), Some(names)) => {
            let mut fields = changed.iter().filter_map(|at| table.fields.get(*at));
            fields.any(|field| names.iter().any(|name| field.is_named(name)))
        }
        _ => true,
    };
    event.active
        && event.kind == kind_of(change)
        && event.object_name.eq_ignore_ascii_case(&table.name)
        && source_fits
        && fields_fit
}

/// Queues what the changes of one statement cause.
pub fn announce(account: &mut Account, table_at: usize, changes: Vec<Change>, source: &str) {
    if source.eq_ignore_ascii_case(IMPORT) || changes.is_empty() {
        return;
    }
    let mut webhooks = std::mem::take(&mut account.webhooks);
    for webhook in &mut webhooks {
        let mut events = std::mem::take(&mut webhook.events);
        for event in &mut events {
            let Some(table) = account.tables.get(table_at) else { continue };
            let mut rows: Vec<Row> = Vec::new();
            for change in &changes {
                if fires(event, table, change, source) {
                    rows.push(row_of(change).clone());
                }
            }
            // A template is written for one row.
            let whole = account.settings.batch_mode == BatchMode::MessagePerOperation
                && event.payload_template.is_none();
            let size = if whole { rows.len().max(1) } else { 1 };
            for part in rows.chunks(size) {
                queue(account, table_at, webhook, event, part);
            }
        }
        webhook.events = events;
    }
    account.webhooks = webhooks;
}

fn queue(account: &mut Account, table_at: usize, webhook: &mut Webhook, event: &mut Event, rows: &[Row]) {
    let id = account.env.uuid().to_string();
    let call_id = account.env.uuid().to_string();
    let urls = match (&event.payload_template, rows.first()) {
        (Some(text), Some(row)) => download_urls(account, table_at, text, row),
        _ => Vec::new(),
    };
    let Some(table) = account.tables.get(table_at) else { return };
    let event_date = format!("{}{}", environment::now_text(), account.settings.event_date_suffix);
    let words = Words {
        secret: &webhook.secret,
        webhook_id: &webhook.id,
        message_id: &id,
        event_id: &event.id,
        call_id: &call_id,
        account_id: &account.id,
        event_date: &event_date,
        event_type: event.kind.token(),
        object_name: &event.object_name,
    };
    let data: Vec<Json> = rows.iter().map(|row| row_data(table, event, row)).collect();
    let body = match (&event.payload_template, data.first()) {
        (Some(text), Some(row)) => template::write(text, &words, row, &urls),
        _ => default_body(&words, data, account.settings.secret_in_body).to_string(),
    };
    let pk_ids = rows.iter().map(|row| row.pk_id).collect();
    add(account, webhook, event, id, body, pk_ids);
}

/// Keeps a message and queues its calls.
fn add(
    account: &mut Account,
    webhook: &mut Webhook,
    event: &mut Event,
    id: String,
    body: String,
    pk_ids: Vec<i64>,
) {
    let mark = if account.settings.byte_order_mark { "\u{feff}" } else { "" };
    let body = Bytes::from(format!("{mark}{body}"));
    let fits = body.len() <= account.settings.max_message_bytes;
    let mut message = Message {
        id,
        webhook_id: webhook.id.clone(),
        event_id: event.id.clone(),
        kind: event.kind,
        object_name: event.object_name.clone(),
        pk_ids,
        body,
        attempts: 0,
        state: State::Queued,
        http_status: None,
        open: webhook.urls.len(),
        failed: false,
    };
    webhook.counters.messages += 1;
    event.counters.messages += 1;
    if !fits {
        message.state = State::Undeliverable;
        message.open = 0;
        message.body = Bytes::new();
    }
    let number = account.messages.add(message, account.settings.kept_messages);
    if fits {
        enqueue(account, webhook, number);
    }
}

/// A message without `data`, to try the URL of a new event (knob `TestMessage`).
pub fn announce_test(account: &mut Account, webhook_id: &str, event_id: &str) {
    let mut webhooks = std::mem::take(&mut account.webhooks);
    if let Some(webhook) = webhooks.iter_mut().find(|webhook| webhook.id == webhook_id)
        && let Some(at) = webhook.events.iter().position(|event| event.id == event_id)
    {
        let mut event = webhook.events.remove(at);
        let id = account.env.uuid().to_string();
        let words = Words {
            secret: &webhook.secret,
            webhook_id: &webhook.id,
            message_id: &id,
            event_id: &event.id,
            call_id: "",
            account_id: &account.id,
            event_date: &format!("{}{}", environment::now_text(), account.settings.event_date_suffix),
            event_type: "webhook.test",
            object_name: &event.object_name,
        };
        let mut body = default_body(&words, Vec::new(), account.settings.secret_in_body);
        if let Some(members) = body.as_object_mut() {
            members.remove("data");
        }
        add(account, webhook, &mut event, id, body.to_string(), Vec::new());
        webhook.events.insert(at, event);
    }
    account.webhooks = webhooks;
}

/// URLs for the files that a template points at.
fn download_urls(account: &mut Account, table_at: usize, template: &str, row: &Row) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in template::downloads(template) {
        let table = account.tables.get(table_at);
        let value = table.and_then(|table| row.values.get(table.position(name)?));
        let file = match value {
            Some(Value::File(file)) => Some(Arc::clone(file)),
            Some(Value::Text(path)) if table.is_some_and(|table| is_file_field(table, name)) => {
                account.files.at_path(path).map(|entry| Arc::new(entry.file.clone()))
            }
            _ => None,
        };
        let Some(file) = file else { continue };
        let token = account.env.hex64();
        account.downloads.offer(&token, file, account.settings.download_url_seconds, Instant::now());
        found.push((name.to_owned(), format!("{}/{}/{token}", account.base_url, downloads::PATH)));
    }
    found
}

fn is_file_field(table: &Table, name: &str) -> bool {
    table.field(name).is_ok_and(|field| field.kind == FieldType::File)
}

/// Puts the calls of a message into the queue of its webhook.
pub fn enqueue(account: &mut Account, webhook: &mut Webhook, number: u64) {
    let mut due = Instant::now();
    if chance(account, account.settings.reorder_probability) {
        let most = usize::try_from(account.settings.reorder_delay_millis).unwrap_or(0);
        due += Duration::from_millis(account.env.below(most) as u64 + 1);
    }
    for url in 0..webhook.urls.len() {
        webhook.queue.push_back(Job { message: number, url, attempt: 1, copy: false, due });
    }
    webhook.wake.notify_one();
}

/// Whether something that happens with this probability happens now.
pub fn chance(account: &mut Account, probability: f64) -> bool {
    const STEPS: u32 = 1 << 20;
    let drawn = u32::try_from(account.env.below(STEPS as usize)).unwrap_or(0);
    f64::from(drawn) < probability * f64::from(STEPS)
}

fn row_data(table: &Table, event: &Event, row: &Row) -> Json {
    let all = table.row_json(row);
    match (&event.payload_fields, all) {
        (Some(names), Json::Object(all)) => {
            let chosen: Map<String, Json> =
                names.iter().filter_map(|name| Some((name.clone(), all.get(name)?.clone()))).collect();
            Json::Object(chosen)
        }
        (_, all) => all,
    }
}

fn default_body(words: &Words<'_>, data: Vec<Json>, with_secret: bool) -> Json {
    let mut members = Map::new();
    let mut put = |name: &str, value: &str| members.insert(name.to_owned(), json!(value));
    put("eventId", words.event_id);
    put("messageId", words.message_id);
    put("webhookId", words.webhook_id);
    put("accountId", words.account_id);
    if with_secret {
        put("secret", words.secret);
    }
    put("eventDate", words.event_date);
    put("eventType", words.event_type);
    put("objectName", words.object_name);
    members.insert("data".to_owned(), Json::Array(data));
    Json::Object(members)
}
