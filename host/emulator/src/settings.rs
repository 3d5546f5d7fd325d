//! The knobs: every behaviour that Caspio does not document.
//!
//! Defaults are those of the reference page, section 14. In JSON the names are PascalCase; a seed
//! file may carry them as `Settings`, and `PATCH /emulator/settings` changes some while the process
//! runs. Unknown names are refused.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// All knobs of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Makes ids, tokens and shuffles repeatable; null: from the operating system.
    pub random_seed: Option<u64>,
    /// Rows of a read without `q.orderBy` come in random order.
    pub shuffle_unordered: bool,
    /// `expires_in` of an access token.
    pub token_lifetime_seconds: u64,
    /// Status of a refused token request.
    pub token_error_status: u16,
    /// `error` of a refused token request with wrong credentials.
    pub token_error: String,
    /// Code of a unique violation (status 400).
    pub unique_violation_code: String,
    /// Status for an unknown field in `q.select`; 500 has been seen in practice.
    pub unknown_select_status: u16,
    /// `Location` on the 201 of an insert.
    pub location_header: bool,
    /// A larger file is refused (413).
    pub max_file_bytes: usize,
    /// REST calls per window; null: no limit.
    pub rate_limit: Option<RateLimit>,
    /// Administration from any address, not just loopback. For a container network only.
    pub admin_from_anywhere: bool,

    /// Form of the webhook and event lists.
    pub webhook_list: ListEnvelope,
    /// `Secret` in each item of the webhook list.
    pub webhook_list_secrets: bool,
    /// Plain http is accepted for URLs of this machine.
    pub http_for_loopback: bool,
    /// Plain http is accepted for every URL. For a container network only.
    pub http_anywhere: bool,
    /// Longest webhook name, in characters.
    pub max_webhook_name: usize,
    /// URLs per webhook; more than one needs a multicast plan.
    pub max_urls: usize,
    /// The plan's calls per second per webhook; also the default of `CallThrottling`.
    pub max_call_throttling: u32,
    /// Code of a duplicate webhook name or URL and of a duplicate event (status 400).
    pub duplicate_webhook_code: String,

    /// How a statement over several rows becomes messages.
    pub batch_mode: BatchMode,
    /// The clear-text secret in the default body.
    pub secret_in_body: bool,
    /// The signature header; null: none.
    pub signature: Option<Signature>,
    /// `Content-Type` of a message.
    pub content_type: String,
    /// Calls per message and URL, the first included.
    pub attempts: u32,
    /// Wait before each further attempt; the last value repeats.
    pub retry_delays_millis: Vec<u64>,
    /// How long a call may take.
    pub timeout_millis: u64,
    /// Calls of one webhook that run at the same time; 1 keeps the order.
    pub concurrent_calls: usize,
    /// Part of the messages (0 to 1) that is held back, so that later ones overtake it.
    pub reorder_probability: f64,
    /// How long a message is held back at most.
    pub reorder_delay_millis: u64,
    /// Part of the delivered messages (0 to 1) that is sent once more, same id, same body.
    pub duplicate_probability: f64,
    /// Events of a webhook become inactive after so many failed messages in a row; null: never.
    pub auto_disable_after: Option<u32>,
    /// A larger body is not sent.
    pub max_message_bytes: usize,
    /// Finished messages that are remembered for `/emulator/messages`.
    pub kept_messages: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            random_seed: None,
            shuffle_unordered: true,
            token_lifetime_seconds: 86_399,
            token_error_status: 400,
            token_error: "invalid_client".to_owned(),
            unique_violation_code: "SqlServerError".to_owned(),
            unknown_select_status: 400,
            location_header: true,
            max_file_bytes: 20 * 1024 * 1024,
            rate_limit: Some(RateLimit::default()),
            admin_from_anywhere: false,
            webhook_list: ListEnvelope::Array,
            webhook_list_secrets: false,
            http_for_loopback: true,
            http_anywhere: false,
            max_webhook_name: 255,
            max_urls: 1,
            max_call_throttling: 10,
            duplicate_webhook_code: "IncorrectBodyParameter".to_owned(),
            batch_mode: BatchMode::MessagePerRow,
            secret_in_body: true,
            signature: Some(Signature::default()),
            content_type: "application/json; charset=utf-8".to_owned(),
            attempts: 3,
            retry_delays_millis: vec![200, 1000],
            timeout_millis: 10_000,
            concurrent_calls: 1,
            reorder_probability: 0.0,
            reorder_delay_millis: 500,
            duplicate_probability: 0.0,
            auto_disable_after: None,
            max_message_bytes: 10 * 1024 * 1024,
            kept_messages: 100_000,
        }
    }
}

impl Settings {
    /// With the members of a JSON object in place of its own; an error names the member.
    pub fn patched(&self, patch: &Json) -> Result<Self, serde_json::Error> {
        let mut all = serde_json::to_value(self)?;
        if let (Json::Object(all), Json::Object(patch)) = (&mut all, patch) {
            for (name, value) in patch {
                all.insert(name.clone(), value.clone());
            }
        }
        serde_json::from_value(all)
    }
}

/// How a statement over several rows becomes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchMode {
    /// One message with one row each.
    MessagePerRow,
    /// One message with all rows.
    MessagePerOperation,
}

/// Form of a webhook list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListEnvelope {
    /// A bare array, as the contract says.
    Array,
    /// `{"Result":[…]}`, as Caspio's own n8n node reads it.
    Result,
}

/// How a message is signed: HMAC-SHA256 over the raw body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct Signature {
    /// Name of the header.
    pub header: String,
    /// How the digest is written.
    pub encoding: Encoding,
    /// Text before the digest, for example `sha256=`.
    pub prefix: String,
    /// How the secret becomes the key.
    pub key_form: KeyForm,
}

impl Default for Signature {
    fn default() -> Self {
        Self {
            header: "X-Caspio-Signature".to_owned(),
            encoding: Encoding::Hex,
            prefix: String::new(),
            key_form: KeyForm::Text,
        }
    }
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Base64 with padding.
    Base64,
    /// Base64 for URLs, without padding.
    Base64Url,
}

/// How the secret becomes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyForm {
    /// Its characters.
    Text,
    /// Read as hexadecimal.
    Hex,
    /// Read as base64.
    Base64,
}

/// A limit on REST calls of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct RateLimit {
    /// Calls per window.
    pub calls: u32,
    /// Length of the window.
    pub window_millis: u64,
    /// How the refusal looks.
    pub form: RateLimitForm,
    /// `Retry-After` of a 429; null: absent.
    pub retry_after_seconds: Option<u64>,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            calls: 2000,
            window_millis: 300_000,
            form: RateLimitForm::Status429,
            retry_after_seconds: None,
        }
    }
}

/// How a refusal by the rate limit looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateLimitForm {
    /// 429 with an error body.
    Status429,
    /// 400 with the array `[{"name":"api-calls-rate",…}]`.
    Array400,
}
