//! The log of REST calls, for tests that count them.
//!
//! It keeps the last [`KEPT`] calls, token calls included: method, path, query, status, and when it came and was
//! answered, no body and no token. A call that ended without an answer has a null status.

use std::collections::VecDeque;

use jiff::civil::DateTime;
use serde_json::{Value as Json, json};

use crate::environment;
use crate::http::Request;

fn text(at: DateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// How many calls are kept.
pub const KEPT: usize = 10_000;

#[derive(Debug)]
struct Entry {
    method: String,
    path: String,
    query: String,
    status: Option<u16>,
    began: String,
    at: String,
}

/// The log.
#[derive(Debug, Default)]
pub struct RequestLog(VecDeque<Entry>);

impl RequestLog {
    /// Notes a call.
    pub fn note(&mut self, request: &Request, status: Option<u16>, began: DateTime) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Entry {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query_text.clone(),
            status,
            began: text(began),
            at: text(environment::now()),
        });
    }

    /// All calls, oldest first.
    pub fn to_json(&self) -> Json {
        let entries = self.0.iter().map(|entry| {
            json!({
                "Method": entry.method, "Path": entry.path, "Query": entry.query,
                "Status": entry.status, "Began": entry.began, "At": entry.at,
            })
        });
        Json::Array(entries.collect())
    }

    /// How many calls have the method (any when `None`) and a path that starts so.
    pub fn count(&self, method: Option<&str>, path: &str) -> usize {
        let fits = |entry: &&Entry| {
            method.is_none_or(|method| method.eq_ignore_ascii_case(&entry.method))
                && entry.path.starts_with(path)
        };
        self.0.iter().filter(fits).count()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
