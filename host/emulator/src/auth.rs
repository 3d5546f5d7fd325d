//! `/oauth/token` and the access tokens.
//!
//! Credentials come in the form or as Basic. A grant makes an access token and a refresh token and
//! leaves earlier access tokens alone; at most 1,000 refresh tokens live, the oldest goes first.
//! Errors are those of RFC 6749, with status and name as the settings say. Tokens are never logged.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use crate::account::Account;
use crate::error::ApiError;
use crate::http::{Reply, Request};

const REFRESH_TOKENS: usize = 1000;

/// A Web services profile: credentials, and what they may touch.
#[derive(Clone, Deserialize)]
pub struct Client {
    client_id: String,
    client_secret: String,
    /// Name of the profile, shown as `CreatedBy`.
    #[serde(default = "profile_name", rename = "ProfileName", alias = "profile_name")]
    pub profile_name: String,
    /// May create tables and fields.
    #[serde(default = "yes", rename = "CanCreateObjects")]
    pub can_create_objects: bool,
    /// May manage outgoing webhooks.
    #[serde(default = "yes", rename = "CanManageWebhooks")]
    pub can_manage_webhooks: bool,
    /// May read and write files.
    #[serde(default = "yes", rename = "CanManageFiles")]
    pub can_manage_files: bool,
    /// Tables, views, directories and tasks that it may touch; null: all.
    #[serde(default, rename = "Tables")]
    pub tables: Option<Vec<String>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("profile_name", &self.profile_name).finish_non_exhaustive()
    }
}

fn profile_name() -> String {
    "Demo profile".to_owned()
}

fn yes() -> bool {
    true
}

/// Clients and the tokens they hold.
#[derive(Default)]
pub struct Tokens {
    clients: Vec<Client>,
    access: HashMap<String, (usize, Instant)>,
    refresh: VecDeque<(String, usize)>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("clients", &self.clients).finish_non_exhaustive()
    }
}

impl Tokens {
    /// No token yet.
    pub fn new(clients: Vec<Client>) -> Self {
        Self { clients, ..Self::default() }
    }

    /// Makes all access tokens invalid; refresh tokens stay.
    pub fn revoke(&mut self) -> usize {
        let count = self.access.len();
        self.access.clear();
        count
    }

    /// The client behind the `Authorization` header of a REST call.
    pub fn check(&self, header: Option<&str>, now: Instant) -> Result<Client, ApiError> {
        let token = header
            .and_then(|header| header.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let (client, ends) =
            token.and_then(|token| self.access.get(token)).ok_or_else(ApiError::unauthorized)?;
        if *ends <= now {
            return Err(ApiError::unauthorized());
        }
        self.clients.get(*client).cloned().ok_or_else(ApiError::unauthorized)
    }

    fn known(&self, id: &str, secret: &str) -> Option<usize> {
        self.clients.iter().position(|client| client.client_id == id && client.client_secret == secret)
    }
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Answers `POST /oauth/token`.
pub fn token(account: &mut Account, request: &Request) -> Reply {
    if request.method != "POST" {
        return Reply::json(405, json!({"error": "invalid_request"}));
    }
    let status = account.settings.token_error_status;
    let refuse = |error: &str| Reply::json(status, json!({"error": error}));
    let form = Request::pairs_of(&String::from_utf8_lossy(&request.body));
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let credentials = request
        .authorization
        .as_deref()
        .and_then(basic)
        .or_else(|| Some((field("client_id")?, field("client_secret")?)));
    let client = credentials.and_then(|(id, secret)| account.tokens.known(&id, &secret));
    let Some(client) = client else { return refuse(&account.settings.token_error) };
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some("refresh_token") => {
            let token = field("refresh_token").unwrap_or_default();
            let held =
                account.tokens.refresh.iter().position(|(known, owner)| *known == token && *owner == client);
            let Some(held) = held else { return refuse("invalid_grant") };
            account.tokens.refresh.remove(held);
        }
        Some(_) => return refuse("unsupported_grant_type"),
        None => return refuse("invalid_request"),
    }
    let seconds = account.settings.token_lifetime_seconds;
    let now = Instant::now();
    let access = account.env.access_token();
    let refresh = account.env.hex64();
    account.tokens.access.retain(|_, (_, ends)| *ends > now);
    account.tokens.access.insert(access.clone(), (client, now + Duration::from_secs(seconds)));
    if account.tokens.refresh.len() >= REFRESH_TOKENS {
        account.tokens.refresh.pop_front();
    }
    account.tokens.refresh.push_back((refresh.clone(), client));
    Reply::json(
        200,
        json!({
            "access_token": access, "token_type": "bearer", "expires_in": seconds, "refresh_token": refresh,
        }),
    )
}
