//! `/retention`, `/holds`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};

use crate::control::{HoldView, NewHold, PurgeRequest, PurgedView, RetentionView, WantedRetention};
use crate::server::auth::Tenant;
use crate::server::error::ApiError;
use crate::server::host::Host;

use super::{Answer, Json, Segment, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/retention", get(show).post(set).delete(reset))
        .route("/retention/purge", post(purge))
        .route("/holds", get(holds).post(hold))
        .route("/holds/{name}", delete(release))
}

async fn show(State(host): Shared, Tenant(tenant): Tenant) -> Answer<RetentionView> {
    Ok(axum::Json(host.control.retention(&tenant).await?))
}

async fn set(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(wanted): Json<WantedRetention>,
) -> Answer<RetentionView> {
    Ok(axum::Json(host.control.set_retention(&tenant, wanted).await?))
}

async fn reset(State(host): Shared, Tenant(tenant): Tenant) -> Result<StatusCode, ApiError> {
    host.control.reset_retention(&tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn purge(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(request): Json<PurgeRequest>,
) -> Answer<PurgedView> {
    Ok(axum::Json(host.control.purge(&tenant, request).await?))
}

async fn holds(State(host): Shared, Tenant(tenant): Tenant) -> Answer<Vec<HoldView>> {
    Ok(axum::Json(host.control.holds(&tenant).await?))
}

async fn hold(State(host): Shared, Tenant(tenant): Tenant, Json(new): Json<NewHold>) -> Answer<HoldView> {
    Ok(axum::Json(host.control.add_hold(&tenant, new).await?))
}

async fn release(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Result<StatusCode, ApiError> {
    host.control.release_hold(&tenant, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
