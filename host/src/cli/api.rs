//! Calls of a running host's control API.

use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;

use super::HostArgs;
use super::error::CliError;
use crate::model::TenantId;
use crate::server::ErrorEnvelope;

/// A host that commands talk to.
pub(super) struct Api {
    client: reqwest::Client,
    base: Url,
    token: String,
    tenant: String,
}

impl Api {
    pub(super) fn new(args: &HostArgs) -> Result<Self, CliError> {
        let base = args.host.trim().trim_end_matches('/');
        let base = Url::parse(&format!("{base}/api/v1/"))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| CliError::usage("--host is no URL; give e.g. http://127.0.0.1:8080"))?;
        let token = args.token.as_deref().map(str::trim).filter(|t| !t.is_empty()).ok_or_else(|| {
            CliError::usage("there is no token; give --token or CASPIAN_TOKEN (it is in DATA/admin.token)")
        })?;
        if reqwest::header::HeaderValue::from_str(token).is_err() {
            return Err(CliError::usage(
                "the token holds characters that none has; copy it from DATA/admin.token",
            ));
        }
        let tenant: TenantId = args.tenant.parse().map_err(|_| {
            CliError::usage(
                "the tenant's name is not usable; use 1 to 63 of a-z, 0-9 and -, starting with a letter",
            )
        })?;
        let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if base.scheme() == "http" && !here && !args.allow_http {
            return Err(CliError::usage(
                "the token would cross the network in clear; give --host https://…, or --allow-http within a network that you trust",
            ));
        }
        let mut client = reqwest::Client::builder().connect_timeout(std::time::Duration::from_secs(10));
        if here {
            // A proxy must see neither the token nor what is on this machine.
            client = client.no_proxy();
        }
        let client =
            client.build().map_err(|e| CliError::failed(format!("the HTTP client can't be made ({e})")))?;
        Ok(Self { client, base, token: token.to_owned(), tenant: tenant.to_string() })
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, CliError> {
        let url =
            self.base.join(path).map_err(|_| CliError::usage("a name holds what no URL can; correct it"))?;
        Ok(self
            .client
            .request(method, url)
            .bearer_auth(&self.token)
            .header(crate::server::TENANT_HEADER, &self.tenant))
    }

    async fn send(&self, request: RequestBuilder) -> Result<reqwest::Response, CliError> {
        request.send().await.map_err(|e| {
            let why = if e.is_timeout() {
                "it does not answer"
            } else {
                "nothing listens there, or the connection broke"
            };
            CliError::unreachable(format!(
                "the host {} can't be reached ({why}); start it with `caspian serve`, or give --host",
                self.base.origin().ascii_serialization()
            ))
        })
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Value, CliError> {
        let response = self.send(request).await?;
        let status = response.status();
        let body = response.bytes().await.map_err(|_| {
            CliError::unreachable("the host broke off its answer; look at its log, and see what was done")
        })?;
        if status.is_success() {
            if body.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&body).map_err(|_| {
                CliError::failed("the host's answer is not JSON; is --host the URL of a caspian?")
            });
        }
        Err(refusal(status, &body))
    }

    /// GET with query parameters.
    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, CliError> {
        let request = self.request(Method::GET, path)?.query(query);
        self.answer(request).await
    }

    /// POST of JSON.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        let request = self.request(Method::POST, path)?.json(body);
        self.answer(request).await
    }

    /// DELETE with query parameters.
    pub(super) async fn delete(&self, path: &str, query: &[(&str, String)]) -> Result<Value, CliError> {
        let request = self.request(Method::DELETE, path)?.query(query);
        self.answer(request).await
    }

    /// GET of an answer that is read as it comes.
    pub(super) async fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<reqwest::Response, CliError> {
        let response = self.send(self.request(Method::GET, path)?.query(query)).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response.status(), &response.bytes().await.unwrap_or_default()))
    }

    /// Uploads bytes unless the host has them.
    pub(super) async fn put_once(&self, path: &str, bytes: Vec<u8>) -> Result<(), CliError> {
        let there = self.send(self.request(Method::GET, path)?).await?;
        if there.status() == StatusCode::NO_CONTENT {
            return Ok(());
        }
        let request = self.request(Method::PUT, path)?.body(bytes);
        self.answer(request).await.map(drop)
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> CliError {
    match serde_json::from_slice::<ErrorEnvelope>(body) {
        Ok(envelope) => {
            let conflict = status == StatusCode::CONFLICT;
            CliError::refused(envelope.error.message, envelope.error.next, conflict)
        }
        Err(_) => CliError::failed(format!("the host answered {status}; is --host the URL of a caspian?")),
    }
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
