//! `/workflows`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};

use crate::control::{DeployRequest, DeployView, WorkflowDetail, WorkflowView};
use crate::server::auth::Tenant;
use crate::server::host::Host;

use super::{Answer, Json, Segment, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/workflows", get(list).post(deploy))
        .route("/workflows/{name}", get(show))
        .route("/workflows/{name}/activate", post(activate))
        .route("/workflows/{name}/deactivate", post(deactivate))
}

async fn list(State(host): Shared, Tenant(tenant): Tenant) -> Answer<Vec<WorkflowView>> {
    Ok(axum::Json(host.control.workflows(&tenant).await?))
}

async fn deploy(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(request): Json<DeployRequest>,
) -> Answer<DeployView> {
    Ok(axum::Json(host.control.deploy(&tenant, request).await?))
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
    Ok(axum::Json(host.control.activate(&tenant, &name).await?))
}

async fn deactivate(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<WorkflowView> {
    Ok(axum::Json(host.control.deactivate(&tenant, &name).await?))
}
