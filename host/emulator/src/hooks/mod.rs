//! Outgoing webhooks: what is set up, what a change causes, and its delivery.
//!
//! `rules` judges definitions, `announce` turns changes of rows into messages, `template` writes
//! custom bodies, `messages` remembers them, `sign` signs and `deliver` calls. This file holds the
//! definitions. Counters are of the whole life of the process, where Caspio counts 30 days.

pub mod announce;
pub mod deliver;
pub mod messages;
pub mod rules;
pub mod sign;
pub mod template;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value as Json, json};
use tokio::sync::Notify;

use crate::settings::SOURCES;

pub use announce::announce;
pub use messages::{Messages, State};

/// What a person does to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    Insert,
    Update,
    Delete,
}

impl EventType {
    /// Caspio's token.
    pub fn token(self) -> &'static str {
        match self {
            Self::Insert => "table.recordInsert",
            Self::Update => "table.recordUpdate",
            Self::Delete => "table.recordDelete",
        }
    }

    /// From Caspio's token, in any case.
    pub fn parse(token: &str) -> Option<Self> {
        [Self::Insert, Self::Update, Self::Delete]
            .into_iter()
            .find(|kind| kind.token().eq_ignore_ascii_case(token))
    }
}

/// Messages, calls and failed calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    pub messages: u64,
    pub calls: u64,
    pub errors: u64,
}

/// Who made and changed a thing, and when.
#[derive(Debug, Clone)]
pub struct Stamps {
    pub created: String,
    pub created_by: String,
    pub modified: Option<(String, String)>,
}

/// An event of a webhook: which change of which table fires it.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: String,
    pub kind: EventType,
    pub active: bool,
    pub object_name: String,
    pub object_id: String,
    pub object_fields: Option<Vec<String>>,
    /// `None`: all sources.
    pub sources: Option<Vec<String>>,
    pub payload_fields: Option<Vec<String>>,
    pub payload_template: Option<String>,
    pub counters: Counters,
    pub stamps: Stamps,
}

/// A call that is due.
#[derive(Debug, Clone)]
pub struct Job {
    /// Number of the message.
    pub message: u64,
    /// Which of the webhook's URLs; looked up when it is called, so a retry follows an edit.
    pub url: usize,
    /// 1 for the first.
    pub attempt: u32,
    /// A duplicate of a delivered call: its failure does not matter.
    pub copy: bool,
    pub due: Instant,
}

/// A webhook with its events and the calls that wait.
#[derive(Debug)]
pub struct Webhook {
    pub id: String,
    pub name: String,
    pub description: String,
    pub urls: Vec<String>,
    pub throttling: u32,
    pub secret: String,
    pub events: Vec<Event>,
    pub counters: Counters,
    pub stamps: Stamps,
    pub queue: VecDeque<Job>,
    /// Wakes the task that delivers.
    pub wake: Arc<Notify>,
    /// Start of the running second, and the calls in it.
    pub window: Option<(Instant, u32)>,
    pub failures_in_a_row: u32,
}

/// Which members a shape has: list, get, post and put differ in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    List,
    Get,
    Post,
    Put,
}

fn status(active: bool) -> Json {
    json!(if active { "Active" } else { "Inactive" })
}

fn put_stamps(members: &mut Map<String, Json>, stamps: &Stamps, shape: Shape) {
    if shape != Shape::Post {
        let (at, by) =
            stamps.modified.clone().map_or((Json::Null, Json::Null), |(at, by)| (json!(at), json!(by)));
        members.insert("LastModified".to_owned(), at);
        members.insert("ModifiedBy".to_owned(), by);
    }
    members.insert("DateCreated".to_owned(), json!(stamps.created));
    members.insert("CreatedBy".to_owned(), json!(stamps.created_by));
}

fn put_counters(members: &mut Map<String, Json>, counters: Counters) {
    members.insert("Messages".to_owned(), json!(counters.messages));
    members.insert("Calls".to_owned(), json!(counters.calls));
    members.insert("Errors".to_owned(), json!(counters.errors));
}

impl Webhook {
    /// Active when one of its events is.
    pub fn is_active(&self) -> bool {
        self.events.iter().any(|event| event.active)
    }

    /// Switches all events.
    pub fn enable(&mut self, active: bool) {
        for event in &mut self.events {
            event.active = active;
        }
    }

    /// As the contract shows it; the secret only after creation.
    pub fn to_json(&self, shape: Shape) -> Map<String, Json> {
        let mut members = Map::new();
        members.insert("Id".to_owned(), json!(self.id));
        if shape != Shape::Post {
            members.insert("Status".to_owned(), status(self.is_active()));
        }
        members.insert("Name".to_owned(), json!(self.name));
        members.insert("Description".to_owned(), json!(self.description));
        members.insert("OutgoingUrls".to_owned(), json!(self.urls));
        members.insert("CallThrottling".to_owned(), json!(self.throttling));
        match shape {
            Shape::Post => {
                members.insert("Secret".to_owned(), json!(self.secret));
            }
            Shape::Get => {
                members.insert("Events".to_owned(), json!(self.events.len()));
                put_counters(&mut members, self.counters);
            }
            Shape::List | Shape::Put => {}
        }
        put_stamps(&mut members, &self.stamps, shape);
        members
    }
}

impl Event {
    /// As the contract shows it.
    pub fn to_json(&self, shape: Shape) -> Json {
        let mut members = Map::new();
        members.insert("Id".to_owned(), json!(self.id));
        members.insert("Type".to_owned(), json!(self.kind.token()));
        members.insert("Status".to_owned(), status(self.active));
        members.insert("ObjectName".to_owned(), json!(self.object_name));
        if matches!(shape, Shape::List | Shape::Get) {
            members.insert("ObjectId".to_owned(), json!(self.object_id));
        }
        members.insert("ObjectFields".to_owned(), json!(self.object_fields));
        let all = || SOURCES.iter().map(|source| (*source).to_owned()).collect();
        members.insert("EventSources".to_owned(), json!(self.sources.clone().unwrap_or_else(all)));
        members.insert("CustomPayloadFields".to_owned(), json!(self.payload_fields));
        members.insert("CustomPayloadTemplate".to_owned(), json!(self.payload_template));
        if shape == Shape::Get {
            put_counters(&mut members, self.counters);
        }
        put_stamps(&mut members, &self.stamps, shape);
        Json::Object(members)
    }
}
