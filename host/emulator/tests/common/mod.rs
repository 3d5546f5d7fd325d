//! What the tests share: an emulator with a token, and a receiver of webhooks.

#![allow(dead_code)] // Each test file uses its own part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Test support.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use caspio_emulator::{Emulator, EmulatorOptions, RunningEmulator, Seed};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

/// An emulator and a client that holds a token.
pub struct Caspio {
    pub running: RunningEmulator,
    pub http: Client,
    pub token: String,
}

/// Status and body of an answer; no body is null.
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub location: Option<String>,
    pub request_id: Option<String>,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (location, request_id) = (header("location"), header("x-caspio-request-id"));
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body =
            serde_json::from_str(&text).unwrap_or(if text.is_empty() { Value::Null } else { json!(text) });
        Self { status, body, location, request_id }
    }

    pub fn code(&self) -> &str {
        self.body["Code"].as_str().unwrap_or("")
    }

    pub fn rows(&self) -> &Vec<Value> {
        self.body["Result"].as_array().expect("a Result array")
    }
}

impl Caspio {
    pub async fn start() -> Self {
        Self::with(EmulatorOptions::default()).await
    }

    pub async fn seeded(seed: Value) -> Self {
        let seed = Seed::from_json(&seed.to_string()).unwrap();
        Self::with(EmulatorOptions { seed: Some(seed), ..EmulatorOptions::default() }).await
    }

    pub async fn with(options: EmulatorOptions) -> Self {
        let running = Emulator::start(options).await.unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        let mut caspio = Self { running, http, token: String::new() };
        caspio.renew().await;
        caspio
    }

    pub async fn renew(&mut self) {
        let answer = self
            .ask_token("grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret")
            .await;
        self.token = answer.body["access_token"].as_str().expect("a token").to_owned();
    }

    pub async fn ask_token(&self, form: &str) -> Answer {
        let request = self
            .http
            .post(format!("{}/oauth/token", self.running.base_url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        Answer::of(request.send().await.unwrap()).await
    }

    pub fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}/integrations/rest/v3{path}", self.running.base_url()))
            .bearer_auth(&self.token)
            .query(query)
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Answer {
        Answer::of(self.request(Method::GET, path, query).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, query: &[(&str, &str)], body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path, query).json(&body).send().await.unwrap()).await
    }

    pub async fn put(&self, path: &str, query: &[(&str, &str)], body: Value) -> Answer {
        Answer::of(self.request(Method::PUT, path, query).json(&body).send().await.unwrap()).await
    }

    pub async fn delete(&self, path: &str, query: &[(&str, &str)]) -> Answer {
        Answer::of(self.request(Method::DELETE, path, query).send().await.unwrap()).await
    }

    pub async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}/emulator{path}", self.running.base_url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn settings(&self, patch: Value) {
        assert_eq!(self.admin(Method::PATCH, "/settings", Some(patch)).await.status, 200);
    }

    /// Waits until no message is queued; gives all messages.
    pub async fn settled(&self) -> Vec<Value> {
        for _ in 0..500 {
            let summary = self.admin(Method::GET, "/messages/summary", None).await;
            if summary.body["Queued"] == 0 {
                return self.admin(Method::GET, "/messages", None).await.body.as_array().unwrap().clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("messages are still queued");
    }

    /// Makes a webhook with one event; gives the answer of the first.
    pub async fn hook(&self, url: &str, event: Value) -> Answer {
        let name = format!("hook for {url}");
        let hook = self.post("/outgoingWebhooks", &[], json!({"Name": name, "OutgoingUrls": [url]})).await;
        assert_eq!(hook.status, 201, "{}", hook.body);
        let id = hook.body["Id"].as_str().unwrap();
        let made = self.post(&format!("/outgoingWebhooks/{id}/events"), &[], event).await;
        assert_eq!(made.status, 201, "{}", made.body);
        hook
    }
}

/// A call that the receiver got.
#[derive(Clone)]
pub struct Got {
    pub headers: HeaderMap,
    pub raw: Bytes,
    pub body: Value,
}

#[derive(Default)]
struct Inbox {
    got: Vec<Got>,
    statuses: VecDeque<u16>,
    location: Option<String>,
}

/// A server that notes calls and answers with the next status, else 200.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    inbox: Arc<Mutex<Inbox>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let app = Router::new().fallback(receive).with_state(Arc::clone(&inbox));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, inbox }
    }

    pub fn answer(&self, statuses: &[u16]) {
        self.inbox.lock().unwrap().statuses = statuses.iter().copied().collect();
    }

    pub fn redirect_to(&self, location: &str) {
        self.inbox.lock().unwrap().location = Some(location.to_owned());
    }

    pub fn got(&self) -> Vec<Got> {
        self.inbox.lock().unwrap().got.clone()
    }
}

async fn receive(
    State(inbox): State<Arc<Mutex<Inbox>>>,
    headers: HeaderMap,
    raw: Bytes,
) -> (StatusCode, HeaderMap) {
    let mut inbox = inbox.lock().unwrap();
    let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
    inbox.got.push(Got { headers, raw, body });
    let status = inbox.statuses.pop_front().unwrap_or(200);
    let mut headers = HeaderMap::new();
    if let Some(location) = &inbox.location {
        headers.insert("location", location.parse().unwrap());
    }
    (StatusCode::from_u16(status).unwrap(), headers)
}
