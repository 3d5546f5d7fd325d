//! `POST /hooks/{id}`: where Caspio delivers.
//!
//! The URL is looked up before the body is read; a body is limited in size and time, and all that are taken in
//! at the same time together in bytes. 200 is answered after the durable commit and says nothing about the
//! workflow. Work on a large body leaves the threads that serve others.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use crate::clock::Time;
use crate::config::ServerSettings;
use crate::ingress::{Accepted, IngressError, MAX_BODY, RawMessage, Verified, persist, verify};
use crate::model::UrlId;

use super::host::Host;

#[derive(Clone)]
struct Hooks {
    host: Arc<Host>,
    /// Messages that may still be taken in.
    in_flight: Arc<Semaphore>,
    /// KiB of bodies that may still be taken in.
    memory: Arc<Semaphore>,
    timeout: Duration,
}

/// KiB of bodies in memory at the same time; worked on, a body takes several times its size.
const MEMORY_KIB: usize = 128 << 10;
/// A body larger than this is worked on by a thread that may take its time.
const LARGE: usize = 256 << 10;

pub(super) fn routes(host: Arc<Host>, settings: &ServerSettings) -> Router {
    let in_flight = Arc::new(Semaphore::new(settings.hooks_in_flight.max(1)));
    let memory = Arc::new(Semaphore::new(MEMORY_KIB));
    let timeout = Duration::from_secs(settings.hook_timeout_seconds.max(1));
    Router::new().route("/hooks/{id}", post(receive)).with_state(Hooks { host, in_flight, memory, timeout })
}

async fn receive(
    State(hooks): State<Hooks>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(_permit) = hooks.in_flight.try_acquire() else {
        return again(StatusCode::SERVICE_UNAVAILABLE, "too many messages at once");
    };
    let host = &hooks.host;
    let hook = match id.parse::<UrlId>() {
        Ok(id) => host.hooks.find(&id).await,
        Err(_) => Ok(None),
    };
    let hook = match hook {
        Ok(Some(hook)) => hook,
        Ok(None) => return (StatusCode::NOT_FOUND, "no such webhook\n").into_response(),
        Err(error) => return failed(&error),
    };
    let length =
        headers.get("content-length").and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if length.is_some_and(|n| n > MAX_BODY as u64) {
        return too_large(&hooks, hook.id()).await;
    }
    let kib = length.unwrap_or(MAX_BODY as u64).div_ceil(1024);
    let Ok(_memory) = hooks.memory.try_acquire_many(u32::try_from(kib).unwrap_or(u32::MAX)) else {
        return again(StatusCode::SERVICE_UNAVAILABLE, "too many large messages at once");
    };
    // Only the sender is held to a time: what is whole is stored, however long the disk takes.
    let body = match tokio::time::timeout(hooks.timeout, to_bytes(body, MAX_BODY)).await {
        Err(_) => return again(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"),
        Ok(Ok(body)) => body.to_vec(),
        Ok(Err(error)) => {
            let limit = std::error::Error::source(&error)
                .is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
            if limit {
                return too_large(&hooks, hook.id()).await;
            }
            return (StatusCode::BAD_REQUEST, "the body was cut off\n").into_response();
        }
    };
    let webhook = hook.id();
    let headers = headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect();
    let raw = RawMessage { hook, headers, body };
    if raw.body.len() <= LARGE {
        return take_in(hooks.clone(), webhook, raw).await;
    }
    let runtime = tokio::runtime::Handle::current();
    let own = hooks.clone();
    let done = tokio::task::spawn_blocking(move || runtime.block_on(take_in(own, webhook, raw)));
    done.await.unwrap_or_else(|_| again(StatusCode::SERVICE_UNAVAILABLE, "the message could not be stored"))
}

async fn take_in(hooks: Hooks, webhook: crate::model::WebhookId, raw: RawMessage) -> Response {
    let started = std::time::Instant::now();
    let span = tracing::info_span!("webhook", %webhook, outcome = tracing::field::Empty);
    let (response, outcome) = verify_and_store(&hooks, webhook, raw).instrument(span.clone()).await;
    span.record("outcome", outcome);
    metrics::counter!("caspian_messages_total", "outcome" => outcome).increment(1);
    metrics::histogram!("caspian_message_seconds").record(started.elapsed());
    response
}

async fn verify_and_store(
    hooks: &Hooks,
    webhook: crate::model::WebhookId,
    raw: RawMessage,
) -> (Response, &'static str) {
    let host = &hooks.host;
    let hook = raw.hook.clone();
    match verify(raw) {
        Err(error) => (failed(&error), "failed"),
        Ok(Verified::Rejected(why)) => {
            tracing::warn!(%webhook, code = why.code(), "message refused");
            count_rejection(hooks, webhook, why.code()).await;
            ((StatusCode::UNAUTHORIZED, format!("{why}\n")).into_response(), "refused")
        }
        Ok(Verified::Authentic(message)) => {
            host.connector.clients().count_delivery(hook.tenant(), hook.connection(), hook.workflow());
            match persist(&*host.store, &host.hooks, *message).await {
                Ok(accepted) => {
                    if matches!(&accepted, Accepted::Stored(events) if !events.is_empty()) {
                        host.wake.notify_one();
                    }
                    let outcome = match accepted {
                        Accepted::Stored(_) => "stored",
                        Accepted::Skipped => "skipped",
                        Accepted::Unparsable => "unparsable",
                        Accepted::Duplicate => "duplicate",
                    };
                    (StatusCode::OK.into_response(), outcome)
                }
                Err(error) => (failed(&error), "failed"),
            }
        }
    }
}

async fn too_large(hooks: &Hooks, webhook: crate::model::WebhookId) -> Response {
    count_rejection(hooks, webhook, "too-large").await;
    (StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 12 MiB\n").into_response()
}

async fn count_rejection(hooks: &Hooks, webhook: crate::model::WebhookId, code: &'static str) {
    if let Err(error) = hooks.host.store.reject_message(webhook, code, Time::now()).await {
        tracing::error!(code = error.code(), "a refused message was not counted");
    }
}

/// Nothing was kept: Caspio should send it again.
fn failed(error: &IngressError) -> Response {
    tracing::error!(%error, "message not stored");
    again(StatusCode::SERVICE_UNAVAILABLE, "the message could not be stored")
}

fn again(status: StatusCode, text: &str) -> Response {
    (status, [("retry-after", "5")], format!("{text}; send it again\n")).into_response()
}
