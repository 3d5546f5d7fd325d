//! Alerts by HTTP: POST of the JSON, signed when there is a secret. Redirects are not followed, and of the answer only the status
//! is read. The URL may hold a token, so it is in no text.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::CONTENT_TYPE;
use sha2::Sha256;

use crate::model::AlertId;
use crate::secrets::Secret;

use super::AlertError;

/// `sha256=` and HMAC-SHA256 of the body under the secret, in hex.
const SIGNATURE: &str = "x-caspian-signature";
/// The alert's id; the same when it is told once more.
const ID: &str = "x-caspian-alert";

pub(super) struct Webhook {
    http: reqwest::Client,
    url: String,
    secret: Option<Secret>,
}

impl Webhook {
    pub(super) fn new(url: &str, secret: Option<Secret>, timeout: Duration) -> Result<Self, AlertError> {
        let mut builder = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("caspian/", env!("CARGO_PKG_VERSION")));
        let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let host = host.unwrap_or_default();
        let here = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if here {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|_| AlertError::Client)?;
        Ok(Self { http, url: url.to_owned(), secret })
    }

    pub(super) async fn tell(&self, id: AlertId, body: &[u8]) -> Result<(), String> {
        let mut request = self.http.post(&self.url).header(CONTENT_TYPE, "application/json");
        request = request.header(ID, id.to_string());
        if let Some(secret) = &self.secret {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
                .map_err(|_| "the secret is no key".to_owned())?;
            mac.update(body);
            request =
                request.header(SIGNATURE, format!("sha256={}", hex::encode(mac.finalize().into_bytes())));
        }
        match request.body(body.to_vec()).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err("it did not answer in time".to_owned()),
            Err(error) if error.is_connect() => Err("it can't be reached".to_owned()),
            Err(_) => Err("it gave no answer".to_owned()),
        }
    }
}
