//! Webhook messages as Caspio sends them, signed beforehand, as whole requests.

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// Where messages of one webhook go, and how they are signed.
#[derive(Debug, Clone)]
pub struct Target {
    /// Last part of the URL.
    pub url_id: String,
    secret: String,
    webhook_id: String,
    event_id: String,
    /// `eventType` of its messages.
    pub event_type: String,
}

/// A request, and the id of its message.
pub struct Request {
    /// `messageId`.
    pub id: String,
    /// Head and body.
    pub bytes: Vec<u8>,
}

impl Target {
    /// From an item of the emulator's list of webhooks.
    pub fn of(webhook: &Value) -> anyhow::Result<Self> {
        let text = |pointer: &str| {
            let value = webhook.pointer(pointer).and_then(Value::as_str);
            value.map(str::to_owned).with_context(|| format!("the webhook has no {pointer}"))
        };
        let url = text("/OutgoingUrls/0")?;
        let (_, url_id) = url.rsplit_once('/').context("the webhook's URL has no path")?;
        Ok(Self {
            url_id: url_id.to_owned(),
            secret: text("/Secret")?,
            webhook_id: text("/Id")?,
            event_id: text("/Events/0/Id")?,
            event_type: text("/Events/0/EventType")?,
        })
    }

    /// The message about one patient, about 800 bytes, as a request.
    pub fn request(&self, message_id: String, patient: usize) -> anyhow::Result<Request> {
        let row = json!({
            "PK_ID": patient, "FirstName": "Ada", "LastName": format!("Byron {patient}"),
            "Email": format!("ada.{patient}@example.org"), "Phone": "+1 555 0100",
            "DateOfBirth": "1985-12-10T00:00:00", "Active": true, "Balance": 120.5,
            "Languages": { "1": "English", "3": "French" }, "Created": "2026-01-05T09:00:00",
        });
        let body = json!({
            "eventId": self.event_id, "messageId": message_id, "webhookId": self.webhook_id,
            "accountId": "c1demo00", "secret": self.secret, "eventDate": "2026-01-16T19:52:55",
            "eventType": self.event_type, "objectName": "Patients", "objectType": "Table",
            "initiatedBy": "Datasheet", "data": [row],
        })
        .to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        mac.update(body.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let head = format!(
            "POST /hooks/{} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: Caspio-Webhooks\r\n\
             content-type: application/json; charset=utf-8\r\nx-caspio-signature: {signature}\r\n\
             content-length: {}\r\n\r\n",
            self.url_id,
            body.len()
        );
        Ok(Request { id: message_id, bytes: [head.into_bytes(), body.into_bytes()].concat() })
    }

    /// Many, with ids of their own.
    pub fn requests(&self, prefix: &str, count: usize) -> anyhow::Result<Vec<Request>> {
        (0..count).map(|n| self.request(format!("{prefix}-{n}"), n)).collect()
    }
}
