//! `/letters`, and decisions about `/runs`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Deserialize;

use crate::control::{DecidedView, LetterView, RedriveMany, RedriveRequest, RedrivenView, ResolveRequest};
use crate::server::auth::Tenant;
use crate::server::host::Host;

use super::{Answer, Json, Segment, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/letters", get(list))
        .route("/letters/redrive", post(redrive_many))
        .route("/runs/{id}/resolve", post(resolve))
        .route("/runs/{id}/redrive", post(redrive))
        .route("/runs/{id}/discard", post(discard))
}

async fn list(State(host): Shared, Tenant(tenant): Tenant) -> Answer<Vec<LetterView>> {
    Ok(axum::Json(host.control.letters(&tenant).await?))
}

async fn resolve(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
    Json(request): Json<ResolveRequest>,
) -> Answer<DecidedView> {
    let id = super::id(&id, "run")?;
    Ok(axum::Json(host.control.resolve_run(&tenant, id, request).await?))
}

async fn redrive(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
    Json(request): Json<RedriveRequest>,
) -> Answer<DecidedView> {
    let id = super::id(&id, "run")?;
    Ok(axum::Json(host.control.redrive_run(&tenant, id, request).await?))
}

async fn redrive_many(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(request): Json<RedriveMany>,
) -> Answer<RedrivenView> {
    Ok(axum::Json(host.control.redrive_runs(&tenant, request).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Discard {
    reason: String,
}

async fn discard(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
    Json(request): Json<Discard>,
) -> Answer<DecidedView> {
    let id = super::id(&id, "run")?;
    Ok(axum::Json(host.control.discard_run(&tenant, id, &request.reason).await?))
}
