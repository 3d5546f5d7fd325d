//! The messages of an account, in order of creation.
//!
//! A message keeps the body that was made with it, so every attempt sends the same bytes. Finished
//! messages beyond the knob `KeptMessages` are forgotten, oldest first; queued ones never.

use std::collections::{HashMap, VecDeque};

use axum::body::Bytes;
use serde_json::{Value as Json, json};

use super::EventType;

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Queued,
    Delivered,
    Failed,
    /// Too large, or its webhook was deleted first.
    Undeliverable,
}

/// One message.
#[derive(Debug)]
pub struct Message {
    pub id: String,
    pub webhook_id: String,
    pub event_id: String,
    pub kind: EventType,
    pub object_name: String,
    pub pk_ids: Vec<i64>,
    pub body: Bytes,
    pub attempts: u32,
    pub state: State,
    pub http_status: Option<u16>,
    /// Calls that are not decided yet: one per URL.
    pub open: usize,
    /// One of its calls has failed for good.
    pub failed: bool,
}

/// The store of messages.
#[derive(Debug, Default)]
pub struct Messages {
    list: VecDeque<Message>,
    /// Number of the first in `list`.
    first: u64,
    by_id: HashMap<String, u64>,
}

impl Messages {
    /// Adds a message and gives its number.
    pub fn add(&mut self, message: Message, keep: usize) -> u64 {
        while self.list.len() >= keep.max(1)
            && self.list.front().is_some_and(|oldest| oldest.state != State::Queued)
        {
            if let Some(oldest) = self.list.pop_front() {
                self.by_id.remove(&oldest.id);
            }
            self.first += 1;
        }
        let number = self.first + self.list.len() as u64;
        self.by_id.insert(message.id.clone(), number);
        self.list.push_back(message);
        number
    }

    /// By number.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Message> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.list.get_mut(at)
    }

    /// Number of a message id.
    pub fn number(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    /// Gives up the queued messages of a webhook.
    pub fn give_up(&mut self, webhook_id: &str) {
        for message in &mut self.list {
            if message.webhook_id == webhook_id && message.state == State::Queued {
                message.state = State::Undeliverable;
                message.open = 0;
            }
        }
    }

    /// All messages as administration shows them.
    pub fn to_json(&self) -> Json {
        let list = self.list.iter().map(|message| {
            json!({
                "MessageId": message.id, "WebhookId": message.webhook_id, "EventId": message.event_id,
                "EventType": message.kind.token(), "ObjectName": message.object_name,
                "PkIds": message.pk_ids, "Attempts": message.attempts,
                "State": match message.state {
                    State::Queued => "queued",
                    State::Delivered => "delivered",
                    State::Failed => "failed",
                    State::Undeliverable => "undeliverable",
                },
                "HttpStatus": message.http_status,
            })
        });
        Json::Array(list.collect())
    }

    /// How many there are in each state.
    pub fn summary(&self) -> Json {
        let count = |state: State| self.list.iter().filter(|message| message.state == state).count();
        json!({
            "Queued": count(State::Queued), "Delivered": count(State::Delivered),
            "Failed": count(State::Failed), "Undeliverable": count(State::Undeliverable),
        })
    }
}
