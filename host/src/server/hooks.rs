//! `POST /hooks/{id}`: where Caspio delivers.
//!
//! The URL is looked up before the body is read; the body is limited in size and time; only so many
//! messages are taken in at once. 200 is answered after the durable commit and says nothing about the workflow.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::Semaphore;

use crate::clock::Time;
use crate::config::ServerSettings;
use crate::ingress::{Accepted, IngressError, MAX_BODY, RawMessage, Verified, persist, verify};
use crate::model::UrlId;

use super::host::Host;

#[derive(Clone)]
struct Hooks {
    host: Arc<Host>,
    in_flight: Arc<Semaphore>,
}

pub(super) fn routes(host: Arc<Host>, settings: &ServerSettings) -> Router {
    let in_flight = Arc::new(Semaphore::new(settings.hooks_in_flight.max(1)));
    Router::new().route("/hooks/{id}", post(receive)).with_state(Hooks { host, in_flight })
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
    let body = match to_bytes(body, MAX_BODY).await {
        Ok(body) => body.to_vec(),
        Err(error) => {
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
    match verify(RawMessage { hook, headers, body }) {
        Err(error) => failed(&error),
        Ok(Verified::Rejected(why)) => {
            tracing::warn!(%webhook, code = why.code(), "message refused");
            count_rejection(&hooks, webhook, why.code()).await;
            (StatusCode::UNAUTHORIZED, format!("{why}\n")).into_response()
        }
        Ok(Verified::Authentic(message)) => match persist(&*host.store, &host.hooks, *message).await {
            Ok(accepted) => {
                if matches!(&accepted, Accepted::Stored(events) if !events.is_empty()) {
                    host.wake.notify_one();
                }
                StatusCode::OK.into_response()
            }
            Err(error) => failed(&error),
        },
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
