//! Sending: rate limit, token, time limit, size limit, repetition of reads.
//!
//! [`Caspio::send`] returns only answers of 2xx. A 401 means that nothing was done, so effects too
//! get one more try with a new token. Reads are repeated on failures of network and server; effects
//! never. For an effect the body may be missing though the status is known: whoever sent it decides what
//! that means. What Caspio's silence means for the calls of others is up to the host's `breaker`. Logged are method, action, status, time and Caspio's request id; never URL or body.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, RequestBuilder, Response, Url};
use tracing::Instrument as _;

use crate::clock::{self, Time};
use crate::model::Cause;

use super::breaker::Pass;
use super::classify::{ErrorBody, Subject, classify};
use super::error::ErrorKind;
use super::token::Token;
use super::{CallContext, Caspio, CaspioError};

/// A token older than this may be stale when Caspio answers `IncorrectQueryParameter`.
const STALE_AFTER: Duration = Duration::from_secs(3600);
/// `Retry-After` is believed up to this; a longer one is more likely a mistake than a wish.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(6 * 3600);
/// A longer wish to be left alone is not sat out within a call.
pub(super) const SHORT_WAIT: Duration = Duration::from_secs(2);

/// One request.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Vec<u8>>,
    /// Of the body; none: JSON.
    pub(super) content_type: Option<HeaderValue>,
    /// The answer is a file.
    pub(super) wants_bytes: bool,
    pub(super) subject: Subject<'a>,
    /// How long to wait for the rate limit at most.
    pub(super) patience: Duration,
    /// Largest answer in bytes.
    pub(super) max_bytes: usize,
}

impl Call<'_> {
    fn is_effect(&self) -> bool {
        self.method != Method::GET
    }
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    /// The body, or why it could not be read to its end.
    pub(super) body: Result<Vec<u8>, CaspioError>,
    retry_after: Option<Duration>,
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn error_body(&self) -> ErrorBody {
        self.body.as_ref().map(|body| ErrorBody::read(body)).unwrap_or_default()
    }

    pub(super) fn to_error(&self, connection: &str, subject: Subject<'_>) -> CaspioError {
        classify(connection, self.status, &self.error_body(), self.retry_after, subject)
    }
}

impl Caspio {
    /// A call without a body, about nothing in particular.
    pub(super) fn call<'a>(&self, method: Method, url: Url) -> Call<'a> {
        let max_bytes = self.shared.settings.max_response_bytes;
        Call {
            method,
            url,
            body: None,
            content_type: None,
            wants_bytes: false,
            subject: Subject::default(),
            patience: self.patience(),
            max_bytes,
        }
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.shared.settings.longest_wait_seconds)
    }

    /// Sends a call with a token until it is answered by success, or fails for good.
    pub(super) async fn send(&self, context: &CallContext, call: &Call<'_>) -> Result<Reply, CaspioError> {
        let result = self.send_with_token(context, call).await;
        self.note(&result);
        result
    }

    fn note<T>(&self, result: &Result<T, CaspioError>) {
        match result {
            Ok(_) => self.note_credentials(false),
            Err(error) if error.transient_cause() == Some(Cause::Connection) => self.note_credentials(true),
            Err(_) => {}
        }
    }

    async fn send_with_token(&self, context: &CallContext, call: &Call<'_>) -> Result<Reply, CaspioError> {
        let effect = call.is_effect();
        self.within_budget(context)?;
        let mut repeated = 0;
        let mut granted_again = false;
        loop {
            let token = self.token(context).await?;
            let error = match self.once(context, call, &token).await {
                Ok(reply) if reply.is_success() => return Ok(reply),
                Ok(reply) => {
                    if !granted_again && may_be_stale(&reply, &token) {
                        granted_again = true;
                        self.token.discard(&token);
                        continue;
                    }
                    reply.to_error(self.name(), call.subject)
                }
                Err(error) => error,
            };
            let wait = error.retry_after().unwrap_or_default();
            let again = !effect && error.is_hiccup() && wait <= SHORT_WAIT && !self.breaker.is_open();
            if !again || repeated >= self.shared.settings.read_retries {
                return Err(error.of_effect(effect));
            }
            let _waiting = context.wait_guard();
            clock::sleep(self.shared.settings.retry_pause(repeated).max(wait)).await;
            repeated += 1;
        }
    }

    /// Before anything is spent, a token included.
    fn within_budget(&self, context: &CallContext) -> Result<(), CaspioError> {
        // A call whose turn was taken has been paid for.
        if !context.can_wait() || context.has_turn() {
            return Ok(());
        }
        self.budget.used_up(Time::now()).map_or(Ok(()), |wait| Err(self.no_calls_left(wait)))
    }

    fn no_calls_left(&self, wait: Duration) -> CaspioError {
        CaspioError::from(ErrorKind::Budget(self.name().to_owned())).with_retry_after(Some(wait))
    }

    /// Does beforehand what can delay a call: token and turn at the rate limit. The next call through this
    /// context goes out at once.
    ///
    /// # Errors
    /// As of a call that was not sent.
    pub async fn reserve(&self, context: &CallContext) -> Result<(), CaspioError> {
        self.within_budget(context)?;
        let token = self.token(context).await;
        self.note(&token);
        token?;
        let _waiting = context.wait_guard();
        let pass = self.pass(context).await?;
        self.bucket.acquire(self.patience()).await.map_err(CaspioError::throttled)?;
        self.budget.try_take(Time::now()).map_err(|wait| self.no_calls_left(wait))?;
        context.give_turn(pass);
        Ok(())
    }

    /// Leave of the host's breaker. Not asked for are calls by hand, and those that end an effect.
    async fn pass(&self, context: &CallContext) -> Result<Pass, CaspioError> {
        match context.can_wait() {
            true => self.breaker.admit(self.patience()).await.map_err(CaspioError::held_back),
            false => Ok(self.breaker.pass()),
        }
    }

    /// Finds out whether Caspio answers: the names of tables, with a token if there is none. Its breaker hears what came of it.
    pub(super) async fn probe(&self) {
        if let Err(error) = self.tables(&CallContext::of_host(None, "probe")).await {
            tracing::debug!(code = error.code(), "a probe of Caspio failed");
        }
    }

    /// A call whose answer must be read.
    pub(super) async fn body(&self, context: &CallContext, call: &Call<'_>) -> Result<Vec<u8>, CaspioError> {
        self.send(context, call).await?.body
    }

    async fn once(
        &self,
        context: &CallContext,
        call: &Call<'_>,
        token: &Token,
    ) -> Result<Reply, CaspioError> {
        let mut request = self.http().request(call.method.clone(), call.url.clone());
        request = request.header(AUTHORIZATION, token.header());
        if call.wants_bytes {
            request = request.header(ACCEPT, HeaderValue::from_static("application/octet-stream"));
        }
        if let Some(body) = &call.body {
            let json = || HeaderValue::from_static("application/json");
            let kind = call.content_type.clone().unwrap_or_else(json);
            request = request.header(CONTENT_TYPE, kind).body(body.clone());
        }
        let mut reply =
            self.exchange(context, context.action, request, call.patience, call.max_bytes).await?;
        if let Err(error) = &reply.body {
            let error = error.clone().of_effect(call.is_effect());
            // An unfinished answer to a read is no answer; of an error the status says enough.
            if !call.is_effect() && reply.is_success() {
                return Err(error);
            }
            reply.body = Err(error);
        }
        Ok(reply)
    }

    /// One request and its answer, whatever the status. Waits for the rate limit and counts.
    pub(super) async fn exchange(
        &self,
        context: &CallContext,
        action: &'static str,
        request: RequestBuilder,
        patience: Duration,
        max_bytes: usize,
    ) -> Result<Reply, CaspioError> {
        let mut request = request.build().map_err(|_| CaspioError::misuse("a request can't be built"))?;
        request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let method = request.method().clone();
        let turn = context.take_turn();
        let paid = turn.is_some();
        let mut pass = match turn {
            Some(pass) => pass,
            None => {
                let _waiting = context.wait_guard();
                self.pass(context).await?
            }
        };
        if !paid {
            let _waiting = context.wait_guard();
            self.bucket.acquire(patience).await.map_err(CaspioError::throttled)?;
            if method == Method::GET && context.can_wait() {
                self.budget.try_take(Time::now()).map_err(|wait| self.no_calls_left(wait))?;
            } else {
                self.budget.take(Time::now());
            }
        }

        let counted = self.shared.counts.count(&self.credentials.tenant, self.connection(), context, action);
        let sent = Instant::now();
        pass.sent(sent);
        let span = tracing::info_span!("caspio", %method, action, status = tracing::field::Empty);
        let response = match self.http().execute(request).instrument(span.clone()).await {
            Ok(response) => response,
            Err(error) => {
                // Connecting failed: nothing was sent. All else may have arrived.
                let unreachable = error.is_connect() || error.is_builder();
                let elapsed_ms = sent.elapsed().as_millis();
                let error = error.without_url();
                tracing::debug!(%method, action, run = ?context.run, elapsed_ms, %error, "no answer from Caspio");
                answered(action, 0, sent);
                pass.failed(None);
                if unreachable {
                    counted.not_sent();
                    self.budget.give_back();
                    return Err(ErrorKind::Unreachable.into());
                }
                return Err(ErrorKind::Lost.into());
            }
        };
        let status = response.status().as_u16();
        span.record("status", status);
        self.note_clock(response.headers());
        let request_id = request_id(response.headers());
        let retry_after = retry_after(response.headers());
        let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let body = read_body(response, max_bytes).instrument(span).await;
        answered(action, status, sent);
        match &body {
            Err(error) if error.is_hiccup() => pass.failed(None),
            _ if status >= 500 || status == 408 => pass.failed(retry_after),
            _ => pass.answered(),
        }
        let elapsed_ms = sent.elapsed().as_millis();
        tracing::debug!(%method, action, run = ?context.run, status, elapsed_ms, request_id, "Caspio answered");

        let mut reply = Reply { status, location, body, retry_after };
        if status == 429 || (!reply.is_success() && status < 500 && reply.error_body().rate_limit) {
            metrics::counter!("caspian_caspio_throttled_total").increment(1);
            let pause = self.bucket.throttled(sent, Instant::now(), retry_after);
            tracing::warn!(
                connection = %self.name(),
                pause_ms = pause.as_millis(),
                "Caspio's limit of calls is reached; nothing is sent for a while"
            );
            reply.retry_after = Some(pause);
        } else {
            self.bucket.answered(sent);
        }
        Ok(reply)
    }
}

impl Caspio {
    /// The `Date` of an answer tells Caspio's clock, to the second.
    fn note_clock(&self, headers: &HeaderMap) {
        let Some(date) = headers.get(DATE).and_then(|v| v.to_str().ok()).and_then(date) else { return };
        let middle_of_second = date.0.saturating_add(500_000);
        self.clock_ahead.store(middle_of_second.saturating_sub(Time::now().0), Ordering::Relaxed);
    }
}

fn answered(action: &'static str, status: u16, sent: Instant) {
    metrics::counter!("caspian_caspio_calls_total", "action" => action, "status" => status.to_string())
        .increment(1);
    metrics::histogram!("caspian_caspio_call_seconds").record(sent.elapsed());
}

fn may_be_stale(reply: &Reply, token: &Token) -> bool {
    reply.status == 401
        || (reply.status == 400
            && token.age() > STALE_AFTER
            && reply.error_body().code == "IncorrectQueryParameter")
}

async fn read_body(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, CaspioError> {
    let announced = response.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    if announced > max_bytes {
        return Err(ErrorKind::AnswerTooLarge.into());
    }
    let mut body = Vec::with_capacity(announced);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > max_bytes => {
                return Err(ErrorKind::AnswerTooLarge.into());
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(_) => return Err(ErrorKind::Lost.into()),
        }
    }
}

/// Caspio's tracking id, as far as it is letters, digits and dashes.
fn request_id(headers: &HeaderMap) -> String {
    let text = headers.get("x-caspio-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
}

/// `Retry-After` in seconds, or as a date (RFC 9110), which is compared with the answer's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(text)?.since(headers.get(DATE)?.to_str().ok().and_then(date)?),
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

/// A date of a header, to the second.
fn date(text: &str) -> Option<Time> {
    jiff::fmt::rfc2822::parse(text).ok().map(|date| Time(date.timestamp().as_microsecond()))
}
