//! The knobs: every behaviour that Caspio does not document.
//!
//! Defaults are those of the reference page, section 14. In JSON the names are PascalCase; a seed
//! file may carry them as `Settings`, `caspian emulator --set NAME=VALUE` sets one ([`Settings::set`]), and
//! `PATCH /emulator/settings` changes some while the process runs. Unknown names are refused. The crate's
//! README lists all of them; a test compares the two.

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
    /// Forms of a LIST value that a body may have; others are `InvalidInputValue`.
    pub list_forms: Vec<ListForm>,
    /// What an unset NUMBER, INTEGER or CURRENCY reads.
    pub unset_numbers: UnsetNumber,
    /// What a record shows of an attachment.
    pub attachment_values: AttachmentValue,
    /// REST calls per window; null: no limit.
    pub rate_limit: Option<RateLimit>,
    /// How the line and the server behave, token calls included.
    pub network: Network,
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

    /// Event sources that an event may name.
    pub event_sources: Vec<String>,
    /// A new event sends a message without `data`, to try the URL.
    pub test_message: bool,
    /// How a statement over several rows becomes messages.
    pub batch_mode: BatchMode,
    /// The clear-text secret in the default body.
    pub secret_in_body: bool,
    /// The signature header; null: none.
    pub signature: Option<Signature>,
    /// `Content-Type` of a message.
    pub content_type: String,
    /// The body begins with a byte order mark.
    pub byte_order_mark: bool,
    /// Text behind `eventDate`, which is UTC, for example `Z`.
    pub event_date_suffix: String,
    /// How long the download URL of an attachment in a message is good.
    pub download_url_seconds: u64,
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
            list_forms: vec![ListForm::BracketedIds, ListForm::Ids, ListForm::Texts],
            unset_numbers: UnsetNumber::Null,
            attachment_values: AttachmentValue::FileName,
            rate_limit: Some(RateLimit::default()),
            network: Network::default(),
            admin_from_anywhere: false,
            webhook_list: ListEnvelope::Array,
            webhook_list_secrets: false,
            http_for_loopback: true,
            http_anywhere: false,
            max_webhook_name: 255,
            max_urls: 1,
            max_call_throttling: 10,
            duplicate_webhook_code: "IncorrectBodyParameter".to_owned(),
            event_sources: SOURCES.map(str::to_owned).to_vec(),
            test_message: false,
            batch_mode: BatchMode::MessagePerRow,
            secret_in_body: true,
            signature: Some(Signature::default()),
            content_type: "application/json; charset=utf-8".to_owned(),
            byte_order_mark: false,
            event_date_suffix: String::new(),
            download_url_seconds: 300,
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

    /// With one knob as `NAME=VALUE`, the value in JSON or as plain text; a member of a knob is
    /// `Signature.Header=X-Sig`. An error says what is wrong with it.
    pub fn set(&self, assignment: &str) -> Result<Self, String> {
        let (name, text) = assignment
            .split_once('=')
            .ok_or_else(|| format!("'{assignment}' is no setting; write NAME=VALUE"))?;
        let value: Json = serde_json::from_str(text).unwrap_or_else(|_| Json::from(text));
        let (top, value) = match name.split_once('.') {
            None => (name, value),
            Some((top, member)) => {
                let all = serde_json::to_value(self).map_err(|error| error.to_string())?;
                let mut members = all.get(top).and_then(Json::as_object).cloned().unwrap_or_default();
                members.insert(member.to_owned(), value);
                (top, Json::Object(members))
            }
        };
        let patch = Json::Object([(top.to_owned(), value)].into_iter().collect());
        self.patched(&patch).map_err(|error| format!("{assignment} is refused: {error}"))
    }

    /// The forms of values, which tables need.
    pub fn forms(&self) -> Forms {
        Forms {
            bracketed_ids: self.list_forms.contains(&ListForm::BracketedIds),
            ids: self.list_forms.contains(&ListForm::Ids),
            texts: self.list_forms.contains(&ListForm::Texts),
            unset_numbers: self.unset_numbers,
            attachments: self.attachment_values,
        }
    }
}

/// All event sources; the contract lists the first five, Caspio's own n8n node sends all.
pub const SOURCES: [&str; 7] =
    ["Datasheet", "DataPages", "RESTAPIs", "TriggeredActions", "Tasks", "DataParts", "Extensions"];

/// A written form of a LIST value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListForm {
    /// `"[1], [3]"`
    BracketedIds,
    /// `[1, 3]`
    Ids,
    /// `["English"]`
    Texts,
}

/// What an unset number reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnsetNumber {
    /// `null`
    #[default]
    Null,
    /// `""`, as one account reports.
    EmptyText,
}

/// What a record shows of an attachment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttachmentValue {
    /// Its file name.
    #[default]
    FileName,
    /// `null`, always.
    Null,
}

/// How a table reads and writes values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forms {
    pub bracketed_ids: bool,
    pub ids: bool,
    pub texts: bool,
    pub unset_numbers: UnsetNumber,
    pub attachments: AttachmentValue,
}

impl Default for Forms {
    fn default() -> Self {
        Settings::default().forms()
    }
}

/// How the line and the server behave. Parts are of all calls, from 0 to 1; the faults of
/// administration come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct Network {
    /// Every call takes so much longer.
    pub latency_millis: u64,
    /// Part that is answered with 503, nothing done.
    pub unavailable: f64,
    /// Part whose connection is cut, nothing done.
    pub drop_before: f64,
    /// Part that is done, and its connection cut without an answer.
    pub drop_after: f64,
    /// Part whose connection is cut, and which is done later all the same.
    pub drop_late: f64,
    /// How much later.
    pub late_millis: u64,
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
