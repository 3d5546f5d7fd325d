//! `/api/v1`: the control API. One file a subject; what is done is in `control`.

mod components;
mod connections;
mod events;
mod host;
mod runs;
mod workflows;

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Query};
use axum::http::StatusCode;
use axum::{Router, middleware};

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

pub(super) fn routes(host: Arc<Host>) -> Router {
    let unknown = || async {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "no-such-call",
            "this host has no such call",
            "use a caspian command of the same version as the host",
        )
    };
    Router::new()
        .merge(components::routes())
        .merge(connections::routes())
        .merge(workflows::routes())
        .merge(runs::routes())
        .merge(events::routes())
        .merge(host::routes())
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(host.clone(), auth::require_token))
        .with_state(host)
}
