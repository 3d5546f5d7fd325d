//! The emulated Caspio account, and what a person does in it.

use caspio_emulator::{Emulator, EmulatorOptions, RunningEmulator, Seed, Settings};
use serde_json::{Value, json};

/// An emulator of this test.
pub struct Account {
    running: RunningEmulator,
    http: reqwest::Client,
}

/// Settings without the limits of a real account, which would only slow tests down, and with the knobs of
/// the variable `EMULATOR_KNOBS` (`NAME=VALUE`, between blanks): `scripts/pairwise.py` runs tests under other
/// behaviours of Caspio. Knobs that a test pins stay as they are without it, and so does what a test sets itself.
fn unlimited(pins: &[&str]) -> Settings {
    let settings = Settings {
        rate_limit: None,
        max_call_throttling: 100_000,
        concurrent_calls: 8,
        retry_delays_millis: vec![50, 200, 500, 1000],
        attempts: 400,
        ..Settings::default()
    };
    let knobs = std::env::var("EMULATOR_KNOBS").unwrap_or_default();
    let is_free = |knob: &&str| !pins.contains(&knob.split(['=', '.']).next().unwrap_or_default());
    let free = knobs.split_whitespace().filter(is_free);
    free.fold(settings, |settings, knob| settings.set(knob).expect("a knob"))
}

impl Account {
    /// The embedded clinic, without rate limits; `change` may set other knobs.
    pub async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_from(None, &[], change).await
    }

    /// As [`start`](Self::start), with another seed than the clinic, and with pinned knobs.
    pub async fn start_from(seed: Option<Seed>, pins: &[&str], change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = unlimited(pins);
        change(&mut settings);
        let options = EmulatorOptions { seed, settings: Some(settings), ..EmulatorOptions::default() };
        let running = Emulator::start(options).await.expect("the emulator starts");
        Self { running, http: reqwest::Client::new() }
    }

    /// `http://127.0.0.1:port`
    #[must_use]
    pub fn url(&self) -> String {
        self.running.base_url().to_owned()
    }

    /// Ends it: from now on Caspio can't be reached.
    pub async fn shutdown(self) {
        self.running.shutdown().await;
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.http.request(method.clone(), format!("{}/emulator/{path}", self.url()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("the emulator answers");
        let status = response.status();
        let text = response.text().await.expect("the emulator answers whole");
        assert!(status.is_success(), "{method} /emulator/{path}: {status} {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
    }

    /// GET of the administration.
    pub async fn get(&self, path: &str) -> Value {
        self.ask(reqwest::Method::GET, path, None).await
    }

    /// All rows of a table, by `PK_ID`.
    pub async fn rows(&self, table: &str) -> Vec<Value> {
        self.get(&format!("rows/{table}")).await.as_array().cloned().unwrap_or_default()
    }

    /// A person adds a row (or, given an array, rows) in a datasheet. Answers the rows.
    pub async fn insert(&self, table: &str, row: Value) -> Vec<Value> {
        let made = self.ask(reqwest::Method::POST, &format!("rows/{table}"), Some(row)).await;
        made.as_array().cloned().unwrap_or_default()
    }

    /// Rows come by an import, which fires no webhook. Answers the rows.
    pub async fn import(&self, table: &str, rows: Value) -> Vec<Value> {
        let path = format!("rows/{table}?source=Import");
        let made = self.ask(reqwest::Method::POST, &path, Some(rows)).await;
        made.as_array().cloned().unwrap_or_default()
    }

    /// Rows change or (without changes) go by a cascade, which fires no webhook.
    pub async fn cascade(&self, table: &str, criteria: &str, changes: Option<Value>) {
        let criteria = criteria.replace(' ', "%20").replace('=', "%3D").replace('>', "%3E");
        let method = if changes.is_some() { reqwest::Method::PUT } else { reqwest::Method::DELETE };
        self.ask(method, &format!("rows/{table}?where={criteria}&source=Import"), changes).await;
    }

    /// A person adds a patient; answers its `PK_ID`.
    pub async fn add_patient(&self, name: &str) -> i64 {
        let email = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
        let rows =
            self.insert("Patients", json!({"FirstName": name, "LastName": "Test", "Email": email})).await;
        rows[0]["PK_ID"].as_i64().expect("a PK_ID")
    }

    /// A person changes rows.
    pub async fn update(&self, table: &str, criteria: &str, changes: Value) {
        let path = format!("rows/{table}?where={}", criteria.replace(' ', "%20").replace('=', "%3D"));
        self.ask(reqwest::Method::PUT, &path, Some(changes)).await;
    }

    /// A person deletes rows.
    pub async fn delete(&self, table: &str, criteria: &str) {
        let path = format!("rows/{table}?where={}", criteria.replace(' ', "%20").replace('=', "%3D"));
        self.ask(reqwest::Method::DELETE, &path, None).await;
    }

    /// Webhooks of the account, with secrets and events.
    pub async fn webhooks(&self) -> Vec<Value> {
        self.get("webhooks").await.as_array().cloned().unwrap_or_default()
    }

    /// Messages so far, oldest first.
    pub async fn messages(&self) -> Vec<Value> {
        self.get("messages").await.as_array().cloned().unwrap_or_default()
    }

    /// Sends a message once more, with the same id and body.
    pub async fn redeliver(&self, message_id: &str) {
        self.ask(reqwest::Method::POST, &format!("messages/{message_id}/redeliver"), None).await;
    }

    /// Injects a fault: calls of this method whose path begins so.
    pub async fn fault(&self, method: &str, path: &str, times: Option<u32>, action: Value) {
        self.fault_after(method, path, 0, times, action).await;
    }

    /// As [`fault`](Self::fault), after letting some calls pass.
    pub async fn fault_after(&self, method: &str, path: &str, after: u32, times: Option<u32>, action: Value) {
        let body = json!({"Method": method, "Path": path, "Times": times, "After": after, "Action": action});
        self.ask(reqwest::Method::POST, "faults", Some(body)).await;
    }

    /// Ends all faults.
    pub async fn clear_faults(&self) {
        self.ask(reqwest::Method::DELETE, "faults", None).await;
    }

    /// Changes knobs while it runs.
    pub async fn settings(&self, patch: Value) {
        self.ask(reqwest::Method::PATCH, "settings", Some(patch)).await;
    }

    /// Makes all access tokens invalid.
    pub async fn revoke_tokens(&self) {
        self.ask(reqwest::Method::POST, "tokens/revoke", None).await;
    }

    /// How many REST calls of this method had a path that begins so.
    pub async fn calls(&self, method: &str, path: &str) -> u64 {
        let asked = format!("requests/count?method={method}&path={path}");
        self.get(&asked).await["Count"].as_u64().expect("a count")
    }

    /// The REST calls so far, oldest first, with the times at which they came and were answered.
    pub async fn requests(&self) -> Vec<Value> {
        self.get("requests").await.as_array().cloned().unwrap_or_default()
    }

    /// Forgets the REST calls so far.
    pub async fn clear_requests(&self) {
        self.ask(reqwest::Method::DELETE, "requests", None).await;
    }

    /// A REST call as the API client makes it, e.g. `rest("POST", "tables", …)`; answers status and body.
    pub async fn rest(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let form = "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret";
        let token = self
            .http
            .post(format!("{}/oauth/token", self.url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send();
        let token: Value = token.await.expect("a token").json().await.expect("JSON");
        let response = self
            .http
            .request(method.parse().expect("a method"), format!("{}/integrations/rest/v3/{path}", self.url()))
            .bearer_auth(token["access_token"].as_str().expect("a token"))
            .json(&body)
            .send();
        let response = response.await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }
}
