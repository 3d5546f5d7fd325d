//! `/api/v1`: the control API. One file a subject; what is done is in `control`.

mod alerts;
mod components;
mod connections;
mod coverage;
mod events;
mod host;
mod letters;
mod retention;
mod runs;
mod state;
mod tokens;
mod triggers;
mod workflows;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::control::ControlError;

use super::auth;
use super::error::ApiError;
use super::host::Host;

type Shared = axum::extract::State<Arc<Host>>;
type Answer<T> = Result<axum::Json<T>, ApiError>;

/// Largest JSON body, unless a call has a limit of its own.
const MAX_JSON: usize = 2 << 20;

/// A JSON body whose mistakes are answered in our form.
struct Json<T>(T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let Some(bytes) = read(request.into_body(), MAX_JSON).await else {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "the body is larger than 2 MiB, or was cut off",
                "shorten the manifest; keep data in a table",
            ));
        };
        json(&bytes).map(Self)
    }
}

/// JSON as a call takes it. What is wrong with it is not said: that may quote it.
fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "the body is not the JSON that this call takes",
            "use a caspian command of the same version as the host",
        )
    })
}

/// The body, unless it is too large or was cut off. It is read to its end in any case: a client that is
/// still sending when the connection closes loses the answer.
async fn read(mut body: Body, limit: usize) -> Option<Vec<u8>> {
    let mut bytes = Some(Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        bytes = bytes.filter(|kept| kept.len().saturating_add(data.len()) <= limit);
        if let Some(kept) = &mut bytes {
            kept.extend_from_slice(&data);
        }
    }
    bytes
}

/// A query string whose mistakes are answered in our form.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(ApiError))]
struct Asked<T>(T);

/// A part of the path whose mistakes are answered in our form.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(ApiError))]
struct Segment<T>(T);

/// How something is shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Show {
    /// With values of records.
    #[serde(default)]
    values: bool,
}

/// An id in a path; `what` it is of, e.g. "run".
fn id<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            &format!("{what}-id"),
            &format!("this is no {what} id"),
            &format!("give the UUID that `caspian {what} list` shows"),
        )
    })
}

/// What changes something in Caspio goes on when whoever asked for it is gone.
async fn carried_through<T: Send + 'static>(
    operation: impl Future<Output = Result<T, ControlError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(operation).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "failed",
            "the host failed while it did this",
            "look at its log, and at the workflow's state before you try again",
        )),
    }
}

/// `stop` ends answers that would go on for ever.
pub(super) fn routes(host: Arc<Host>, timeout_seconds: u64, stop: watch::Receiver<bool>) -> Router {
    Router::new()
        .merge(alerts::routes())
        .merge(components::routes())
        .merge(connections::routes())
        .merge(coverage::routes())
        .merge(workflows::routes())
        .merge(triggers::routes())
        .merge(runs::routes())
        .merge(state::routes())
        .merge(letters::routes())
        .merge(retention::routes())
        .merge(events::routes())
        .merge(tokens::routes())
        .merge(host::routes(stop))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(host.clone(), auth::require_admin))
        .layer(middleware::from_fn(move |request, next| within(timeout_seconds.max(1), request, next)))
        .with_state(host)
}

/// Answers paths that are none of ours.
pub(super) async fn unknown() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "no-such-call",
        "this host has no such call",
        "use a caspian command of the same version as the host",
    )
}

async fn wrong_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        "this call is made with another method",
        "use a caspian command of the same version as the host",
    )
}

/// What takes too long is not waited for. What changes something in Caspio goes on all the same.
async fn within(seconds: u64, request: Request, next: Next) -> Result<Response, ApiError> {
    tokio::time::timeout(Duration::from_secs(seconds), next.run(request)).await.map_err(|_| {
        ApiError::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            &format!("the call took longer than {seconds} s"),
            "it may still be going on: see what was done before you try again, or raise server.api_timeout_seconds",
        )
    })
}
