//! `/workflows`

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;

use crate::control::{
    DeployRequest, DeployView, HistoryView, NewEvent, RollbackRequest, SentView, WorkflowDetail, WorkflowView,
};
use crate::ingress::MAX_BODY;
use crate::server::auth::Tenant;
use crate::server::error::ApiError;
use crate::server::host::Host;

use super::{Answer, Asked, Json, Segment, Shared, carried_through};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/workflows", get(list).post(deploy))
        .route("/workflows/{name}", get(show).delete(delete))
        .route("/workflows/{name}/activate", post(activate))
        .route("/workflows/{name}/deactivate", post(deactivate))
        .route("/workflows/{name}/pause", post(pause))
        .route("/workflows/{name}/resume", post(resume))
        .route("/workflows/{name}/history", get(history))
        .route("/workflows/{name}/rollback", post(roll_back))
        .route("/workflows/{name}/events", post(send))
}

async fn list(State(host): Shared, Tenant(tenant): Tenant) -> Answer<Vec<WorkflowView>> {
    Ok(axum::Json(host.control.workflows(&tenant).await?))
}

async fn deploy(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(request): Json<DeployRequest>,
) -> Answer<DeployView> {
    Ok(axum::Json(carried_through(async move { host.control.deploy(&tenant, request).await }).await?))
}

async fn show(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<WorkflowDetail> {
    Ok(axum::Json(host.control.workflow(&tenant, &name).await?))
}

async fn activate(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<WorkflowView> {
    Ok(axum::Json(carried_through(async move { host.control.activate(&tenant, &name).await }).await?))
}

async fn deactivate(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<WorkflowView> {
    Ok(axum::Json(carried_through(async move { host.control.deactivate(&tenant, &name).await }).await?))
}

async fn pause(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<WorkflowView> {
    Ok(axum::Json(host.control.pause(&tenant, &name).await?))
}

async fn resume(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<WorkflowView> {
    let resumed = host.control.resume(&tenant, &name).await?;
    host.wake.notify_one();
    Ok(axum::Json(resumed))
}

async fn history(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<HistoryView> {
    Ok(axum::Json(host.control.history(&tenant, &name).await?))
}

async fn roll_back(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
    Json(request): Json<RollbackRequest>,
) -> Answer<DeployView> {
    let done = carried_through(async move { host.control.roll_back(&tenant, &name, request).await });
    Ok(axum::Json(done.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    #[serde(default)]
    discard_runs: bool,
}

async fn delete(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
    Asked(how): Asked<Delete>,
) -> Result<StatusCode, ApiError> {
    carried_through(async move { host.control.delete_workflow(&tenant, &name, how.discard_runs).await })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn send(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
    body: Body,
) -> Answer<SentView> {
    // As large as a message of Caspio's.
    let Some(bytes) = super::read(body, MAX_BODY).await else {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "event-too-large",
            "the event is larger than 12 MiB, or was cut off",
            "send its rows as several events",
        ));
    };
    let event: NewEvent = super::json(&bytes)?;
    Ok(axum::Json(host.control.send_event(&tenant, &name, event).await?))
}
