//! Messages made by hand: well-formed, forged, broken.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// Caspio's signature of a body: HMAC-SHA256 under the webhook's secret, lower-case hex.
#[must_use]
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key fits");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// A webhook of the emulator, and messages to it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where messages go.
    pub url: String,
    /// The webhook's secret.
    pub secret: String,
    /// Caspio's id of the webhook.
    pub webhook_id: String,
    /// Caspio's id of its first event.
    pub event_id: String,
}

impl Delivery {
    /// From an item of [`Account::webhooks`](crate::Account::webhooks).
    #[must_use]
    pub fn of(webhook: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            url: text(&webhook["OutgoingUrls"][0]),
            secret: text(&webhook["Secret"]),
            webhook_id: text(&webhook["Id"]),
            event_id: text(&webhook["Events"][0]["Id"]),
        }
    }

    /// A message about inserted patients, without secret.
    #[must_use]
    pub fn message(&self, message_id: &str, rows: Value) -> Value {
        json!({
            "eventId": self.event_id, "messageId": message_id, "webhookId": self.webhook_id,
            "accountId": "test", "eventDate": "2026-01-16T19:52:55",
            "eventType": "table.recordInsert", "objectName": "Patients", "data": rows,
        })
    }

    /// Sends a body with these headers; answers the status.
    pub async fn send(&self, body: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> u16 {
        let mut request = reqwest::Client::new().post(&self.url).body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer").status().as_u16()
    }

    /// Sends a body with its signature; answers the status.
    pub async fn send_signed(&self, body: &Value) -> u16 {
        let body = body.to_string();
        let signature = sign(&self.secret, body.as_bytes());
        self.send(body, &[("X-Caspio-Signature", &signature)]).await
    }
}
