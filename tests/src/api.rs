//! The control API as another program would call it, and a proof that a host still serves.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::host::Host;
use crate::manifest::ManifestBuilder;
use crate::site::Site;
use crate::wait::until;

/// An error of the control API: `{"error": {"code", "message", "next"}}`.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub next: String,
}

impl ApiError {
    /// It must have this code and this text in its message, and say what to do.
    pub fn is(&self, code: &str, part: &str) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.message.contains(part), "'{part}' is not in: {self:?}");
        assert!(!self.next.is_empty(), "it does not say what to do: {self:?}");
        self
    }
}

impl Host {
    /// A call of the control API with the administrator's token; `path` begins behind `/api/v1/`.
    pub fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v1/{path}", self.url());
        reqwest::Client::new().request(method, url).bearer_auth(self.token())
    }

    /// Sends a call that must be refused, in the API's own form.
    pub async fn refusal(&self, call: RequestBuilder) -> ApiError {
        let response = call.send().await.expect("the host answers");
        let status = response.status().as_u16();
        let text = response.text().await.expect("the host answers whole");
        assert!(status >= 400, "{status} {text}");
        let body: Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{status}, not JSON ({e}): {text}"));
        let member = |name: &str| {
            let value = body["error"][name].as_str();
            value.unwrap_or_else(|| panic!("{status}, no {name}: {text}")).to_owned()
        };
        let error =
            ApiError { status, code: member("code"), message: member("message"), next: member("next") };
        assert!(!error.code.is_empty() && !error.message.is_empty(), "{error:?}");
        error
    }
}

impl Site {
    /// The host takes another event and does its work. Starts a run of the workflow `alive`.
    pub async fn still_serves(&self) {
        let runs = async || {
            let list = ["run", "list", "--workflow", "alive", "--state", "succeeded", "--json"];
            let answer = self.host.cli(&list).await;
            if answer.code == 0 { answer.json().as_array().map_or(0, Vec::len) } else { 0 }
        };
        let before = runs().await;
        let alive = ManifestBuilder::probe("alive", "echo")
            .triggers("[[trigger]]\nevent = \"record-insert\"\ntable = \"Appointments\"\n");
        self.deploy(&alive).await.ok();
        self.account.insert("Appointments", json!({"PatientId": 1, "Status": "Booked"})).await;
        until("a run of the workflow alive succeeds", async || (runs().await > before).then_some(())).await;
    }
}
