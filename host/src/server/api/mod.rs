//! `/api/v1`: the control API. One file a subject; what is done is in `control`.

mod components;
mod connections;
mod coverage;
mod events;
mod host;
mod letters;
mod runs;
mod workflows;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::sync::watch;

use serde::Deserialize;

use super::auth;
use super::error::ApiError;
use super::host::Host;

type Shared = axum::extract::State<Arc<Host>>;
type Answer<T> = Result<axum::Json<T>, ApiError>;

/// A JSON body whose mistakes are answered in our form.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(ApiError))]
struct Json<T>(T);

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

/// `stop` ends answers that would go on for ever.
pub(super) fn routes(host: Arc<Host>, timeout_seconds: u64, stop: watch::Receiver<bool>) -> Router {
    Router::new()
        .merge(components::routes())
        .merge(connections::routes())
        .merge(coverage::routes())
        .merge(workflows::routes())
        .merge(runs::routes())
        .merge(letters::routes())
        .merge(events::routes())
        .merge(host::routes(stop))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(host.clone(), auth::require_token))
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
