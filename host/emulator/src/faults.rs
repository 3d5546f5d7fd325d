//! Faults on demand: what a network or a busy server does to a call.
//!
//! A fault waits for calls by method and path prefix, lets `After` of them pass, then strikes `Times`
//! times (null: until cleared). The first fault that strikes decides; faults come before the token
//! check, so `/oauth/token` can fail too. Administration routes are never hit. Faults are set by
//! `POST /emulator/faults`.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::account::Account;
use crate::error::ApiError;
use crate::hooks::announce::chance;
use crate::http::{Body, Reply};

/// What happens to the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "Kind", rename_all = "kebab-case")]
pub enum Action {
    /// An answer without doing anything.
    Status {
        #[serde(rename = "Status")]
        status: u16,
        #[serde(rename = "Body", default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        #[serde(rename = "Json", alias = "json", default, skip_serializing_if = "Option::is_none")]
        json: Option<Json>,
        /// Seconds, as `Retry-After`.
        #[serde(rename = "RetryAfter", default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// Nothing is done, the connection closes.
    DropBefore,
    /// It is done, and the connection closes without an answer.
    DropAfter,
    /// The connection closes, and it is done later all the same: a server that was slow to begin.
    DropLate {
        #[serde(rename = "Millis")]
        millis: u64,
    },
    /// It is done after a wait, and no answer comes: the connection stays open and silent.
    Stall {
        #[serde(rename = "Millis")]
        millis: u64,
    },
    /// It is done after a wait, unless the caller has given up.
    Delay {
        #[serde(rename = "Millis")]
        millis: u64,
    },
    /// 429.
    Throttle,
    /// 400 with the array form.
    ApiCallsRate,
    /// 401.
    Unauthorized,
}

/// One fault as a test sets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct FaultRequest {
    #[serde(default = "any")]
    method: String,
    #[serde(default = "any")]
    path: String,
    #[serde(default)]
    times: Option<u64>,
    #[serde(default)]
    after: u64,
    action: Action,
}

fn any() -> String {
    "*".to_owned()
}

#[derive(Debug)]
struct Fault {
    id: u64,
    request: FaultRequest,
    /// Calls that matched, struck or let pass.
    seen: u64,
    hits: u64,
}

/// The faults in force.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<Fault>,
    last_id: u64,
    /// Calls that are still to be done though nobody waits for their answer.
    pub late: usize,
}

impl Faults {
    /// Adds a fault and gives its id.
    pub fn add(&mut self, request: FaultRequest) -> u64 {
        self.last_id += 1;
        self.list.push(Fault { id: self.last_id, request, seen: 0, hits: 0 });
        self.last_id
    }

    /// What strikes this call, if anything.
    pub fn strike(&mut self, method: &str, path: &str) -> Option<Action> {
        for fault in &mut self.list {
            let wanted = &fault.request;
            let method_fits = wanted.method == "*" || wanted.method.eq_ignore_ascii_case(method);
            let path_fits = wanted.path == "*" || path.starts_with(wanted.path.as_str());
            if !method_fits || !path_fits {
                continue;
            }
            fault.seen += 1;
            if fault.seen <= wanted.after || wanted.times.is_some_and(|times| fault.hits >= times) {
                continue;
            }
            fault.hits += 1;
            return Some(wanted.action.clone());
        }
        None
    }

    /// All faults with their hits.
    pub fn to_json(&self) -> Json {
        let list = self.list.iter().map(|fault| {
            json!({
                "Id": fault.id, "Method": fault.request.method, "Path": fault.request.path,
                "Times": fault.request.times, "After": fault.request.after,
                "Action": fault.request.action, "Hits": fault.hits,
            })
        });
        Json::Array(list.collect())
    }

    /// Removes one fault; whether it was there.
    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.list.len();
        self.list.retain(|fault| fault.id != id);
        self.list.len() != before
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.list.clear();
    }
}

/// What the line does to this call by the settings' parts, if anything.
pub fn draw(account: &mut Account) -> Option<Action> {
    let network = account.settings.network;
    let kinds = [
        (network.unavailable, Action::Status { status: 503, body: None, json: None, retry_after: None }),
        (network.drop_before, Action::DropBefore),
        (network.drop_after, Action::DropAfter),
        (network.drop_late, Action::DropLate { millis: network.late_millis }),
    ];
    kinds.into_iter().find(|(part, _)| *part > 0.0 && chance(account, *part)).map(|(_, action)| action)
}

/// The 400 whose body is an array.
pub fn api_calls_rate() -> Reply {
    Reply::json(
        400,
        json!([{"name": "api-calls-rate", "message": "You have exceeded your API call rate limits."}]),
    )
}

/// The 429.
pub fn throttled() -> ApiError {
    ApiError::new(429, "TooManyRequests", "You have exceeded your API call rate limits. Try again later.")
}

/// The answer of an action that answers by itself.
pub fn answer(action: &Action) -> Option<Result<Reply, ApiError>> {
    match action {
        Action::Status { status, body, json, retry_after } => Some(match (json, body) {
            (Some(json), _) => Ok(Reply::json(*status, json.clone())),
            (None, Some(text)) => {
                Ok(Reply { status: *status, headers: Vec::new(), body: Some(Body::Text(text.clone())) })
            }
            (None, None) => Err(ApiError {
                retry_after: *retry_after,
                ..ApiError::new(*status, "InternalError", "A fault was injected.")
            }),
        }),
        Action::Throttle => Some(Err(throttled())),
        Action::ApiCallsRate => Some(Ok(api_calls_rate())),
        Action::Unauthorized => Some(Err(ApiError::unauthorized())),
        Action::DropBefore | Action::DropAfter | Action::DropLate { .. } => None,
        Action::Stall { .. } | Action::Delay { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_strikes_and_is_used_up() {
        let mut faults = Faults::default();
        faults.add(
            serde_json::from_value(json!({
                "Method": "POST", "Path": "/a", "Times": 2, "After": 1, "Action": {"Kind": "drop-before"}
            }))
            .unwrap(),
        );
        let hits: Vec<bool> = (0..5).map(|_| faults.strike("POST", "/a/b").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.strike("GET", "/a/b").is_none());
        assert_eq!(faults.to_json()[0]["Hits"], 2);
    }

    #[test]
    fn every_action_has_its_json() {
        for action in [
            json!({"Kind": "status", "Status": 503, "Body": "busy"}),
            json!({"Kind": "status", "Status": 503, "RetryAfter": 3}),
            json!({"Kind": "status", "Status": 500, "json": {"Code": "X"}}),
            json!({"Kind": "drop-after"}),
            json!({"Kind": "delay", "Millis": 5}),
            json!({"Kind": "drop-late", "Millis": 5}),
            json!({"Kind": "stall", "Millis": 5}),
            json!({"Kind": "throttle"}),
            json!({"Kind": "api-calls-rate"}),
            json!({"Kind": "unauthorized"}),
        ] {
            serde_json::from_value::<Action>(action).unwrap();
        }
    }
}
