//! `/status`, `/backup`, `/tail`: the host itself.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::sync::watch;
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::io::ReaderStream;

use crate::control::StatusView;
use crate::server::auth::Tenant;
use crate::server::error::ApiError;
use crate::server::host::Host;

use super::{Answer, Asked, Shared};

pub(super) fn routes(stop: watch::Receiver<bool>) -> Router<Arc<Host>> {
    Router::new()
        .route("/status", get(status))
        .route("/backup", get(backup))
        .route("/tail", get(tail))
        .layer(Extension(stop))
}

async fn status(State(host): Shared, Tenant(tenant): Tenant) -> Answer<StatusView> {
    Ok(axum::Json(host.control.status(&tenant, host.is_ready()).await?))
}

async fn backup(State(host): Shared, Tenant(tenant): Tenant) -> Result<Response, ApiError> {
    let backup = host.control.backup(&tenant).await?;
    let unreadable = || {
        let next = "look at the disk of the data folder, and try again";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "backup", "the backup can't be read back", next)
    };
    let file = tokio::fs::File::open(backup.path()).await.map_err(|_| unreadable())?;
    let length = file.metadata().await.map_err(|_| unreadable())?.len();
    // The archive is open; its name can go.
    drop(backup);
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    workflow: Option<String>,
}

/// Server-sent events, one a change of a run's state, from now on until the host is told to stop. A reader
/// that is too slow misses some.
async fn tail(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Asked(tail): Asked<Tail>,
    Extension(mut stop): Extension<watch::Receiver<bool>>,
) -> Result<impl IntoResponse, ApiError> {
    if let Some(name) = &tail.workflow {
        host.control.workflow(&tenant, name).await?;
    }
    let changes = BroadcastStream::new(host.feed.subscribe());
    let wanted = changes.filter_map(move |change| {
        let change = change.ok().filter(|c| c.tenant == tenant);
        let change = change.filter(|c| tail.workflow.as_ref().is_none_or(|w| *w == c.workflow));
        let event = change.and_then(|c| Event::default().json_data(&c).ok());
        std::future::ready(event.map(Ok::<_, Infallible>))
    });
    let wanted = wanted.take_until(async move { stop.wait_for(|stop| *stop).await.map(drop) });
    Ok(Sse::new(wanted).keep_alive(KeepAlive::default()))
}
