//! The access token of a connection.
//!
//! Every grant uses up one of the account's 1,000 refresh tokens, and is a counted call, so a token is
//! kept until shortly before its end. One caller asks, the others wait for the result; a refusal too
//! is shared by those who waited for it. A new grant does not invalidate earlier tokens.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use serde_json::Value;

use crate::clock::{self, Time};

use super::classify::Subject;
use super::envelope::{self, TokenJson};
use super::error::ErrorKind;
use super::paths::{self, Path};
use super::transport::SHORT_WAIT;
use super::{CallContext, Caspio, CaspioError};

/// The token endpoint's answers are small.
const MAX_BYTES: usize = 64 * 1024;
/// Life of a token whose answer does not tell it; Caspio's live a day.
const UNTOLD_LIFE: Duration = Duration::from_secs(3600);
/// No token is kept longer, whatever the answer says.
const LONGEST_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
const ACTION: &str = "oauth.token";

/// A token. Cheap to clone.
#[derive(Clone)]
pub(super) struct Token {
    header: HeaderValue,
    granted: Time,
    renew_at: Instant,
    number: u64,
}

impl Token {
    /// `Bearer …`, marked as sensitive.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    pub(super) fn age(&self) -> Duration {
        Time::now().since(self.granted)
    }
}

/// See the module's text.
#[derive(Default)]
pub(super) struct TokenCache {
    current: Mutex<Option<Token>>,
    /// Held while a grant is asked; remembers how the last one failed.
    turn: tokio::sync::Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    grants: u64,
    failed: Option<(Instant, CaspioError)>,
}

impl TokenCache {
    fn usable(&self) -> Option<Token> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone().filter(|token| Instant::now() < token.renew_at)
    }

    /// As if the token had been granted so long ago.
    #[cfg(test)]
    pub(super) fn backdate(&self, age: Duration) {
        if let Some(token) = self.current.lock().expect("lock").as_mut() {
            token.granted = Time(token.granted.0 - i64::try_from(age.as_micros()).expect("short"));
        }
    }

    /// This token was refused. A newer one, which another caller asked for meanwhile, stays.
    pub(super) fn discard(&self, refused: &Token) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|token| token.number == refused.number) {
            *current = None;
        }
    }
}

impl Caspio {
    /// The token, asked for when there is none.
    pub(super) async fn token(&self, context: &CallContext) -> Result<Token, CaspioError> {
        if let Some(token) = self.token.usable() {
            return Ok(token);
        }
        let came = Instant::now();
        let waiting = context.wait_guard();
        let mut turn = self.token.turn.lock().await;
        drop(waiting);
        if let Some(token) = self.token.usable() {
            return Ok(token);
        }
        if let Some((at, error)) = &turn.failed
            && *at >= came
        {
            return Err(error.clone());
        }
        turn.grants += 1;
        match self.grant_with_retries(context, turn.grants).await {
            Ok(token) => {
                turn.failed = None;
                *self.token.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
                Ok(token)
            }
            Err(error) => {
                turn.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn grant_with_retries(&self, context: &CallContext, number: u64) -> Result<Token, CaspioError> {
        let mut repeated = 0;
        loop {
            let error = match self.grant(context, number).await {
                Ok(token) => return Ok(token),
                Err(error) => error,
            };
            let wait = error.retry_after().unwrap_or_default();
            let again = error.is_hiccup() && wait <= SHORT_WAIT && !self.breaker.is_open();
            if !again || repeated >= self.shared.settings.read_retries {
                return Err(error);
            }
            let _waiting = context.wait_guard();
            clock::sleep(self.shared.settings.retry_pause(repeated).max(wait)).await;
            repeated += 1;
        }
    }

    async fn grant(&self, context: &CallContext, number: u64) -> Result<Token, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::token(), &[])?;
        let request = self.http().post(url).form(&[
            ("grant_type", "client_credentials"),
            ("client_id", self.credentials.client_id.as_str()),
            ("client_secret", self.credentials.client_secret.expose()),
        ]);
        let (asked, granted) = (Instant::now(), Time::now());
        let reply = self.exchange(context, ACTION, request, self.patience(), MAX_BYTES).await?;
        if !reply.is_success() {
            let error = reply.to_error(self.name(), Subject::default());
            let own_case =
                matches!(error.kind, ErrorKind::Throttled | ErrorKind::Server(_) | ErrorKind::IpForbidden(_));
            let refused = || ErrorKind::Credentials(self.name().to_owned()).into();
            return Err(if own_case { error } else { refused() });
        }
        let json: TokenJson = envelope::bare(&reply.body?)?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", json.access_token))
            .map_err(|_| CaspioError::from(ErrorKind::Unreadable))?;
        header.set_sensitive(true);
        let life = json.expires_in.as_ref().and_then(seconds).unwrap_or(UNTOLD_LIFE).min(LONGEST_LIFE);
        let reserve = Duration::from_secs(self.shared.settings.token_reserve_seconds);
        let keep = life.saturating_sub(reserve).max(life / 2);
        Ok(Token { header, granted, renew_at: asked + keep, number })
    }
}

fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Some(Duration::from_secs(seconds))
}
