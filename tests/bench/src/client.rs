//! JSON over HTTP, for setting things up. Not for load.

use anyhow::{Context as _, bail};
use serde_json::Value;

/// A server, with the token that it wants.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// A client of the server at this URL.
    pub fn new(base: &str, token: Option<String>) -> Self {
        Self { http: reqwest::Client::new(), base: base.to_owned(), token }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.answer(path, self.http.get(self.url(path))).await
    }

    /// GET of text.
    pub async fn text(&self, path: &str) -> anyhow::Result<String> {
        let request = self.http.get(self.url(path));
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        Ok(request.send().await?.error_for_status()?.text().await?)
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.answer(path, self.http.post(self.url(path)).json(body)).await
    }

    /// POST of a form.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Value> {
        self.answer(path, self.http.post(self.url(path)).form(fields)).await
    }

    /// PUT of bytes.
    pub async fn put(&self, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        self.answer(path, self.http.put(self.url(path)).body(body)).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    async fn answer(&self, path: &str, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.with_context(|| format!("no answer to {path}"))?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{path} was answered {status}: {text}");
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{path} was answered without JSON"))
    }
}
