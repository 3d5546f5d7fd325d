//! `/runs`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};

use crate::control::{
    DecidedView, ReplayRequest, ReplayView, ResumeRequest, ResumedView, RunDetail, RunQuery, RunView,
};
use crate::server::auth::Tenant;
use crate::server::host::Host;

use super::{Answer, Asked, Json, Segment, Shared, Show};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/runs", get(list))
        .route("/runs/resume", post(resume_all))
        .route("/runs/{id}", get(show))
        .route("/runs/{id}/resume", post(resume))
        .route("/runs/{id}/replay", post(replay))
        .route("/runs/{id}/wake", post(wake))
}

async fn list(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Asked(query): Asked<RunQuery>,
) -> Answer<Vec<RunView>> {
    Ok(axum::Json(host.control.runs(&tenant, query).await?))
}

async fn show(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
    Asked(show): Asked<Show>,
) -> Answer<RunDetail> {
    let id = super::id(&id, "run")?;
    Ok(axum::Json(host.control.run(&tenant, id, show.values).await?))
}

async fn replay(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
    Json(request): Json<ReplayRequest>,
) -> Answer<ReplayView> {
    let id = super::id(&id, "run")?;
    Ok(axum::Json(host.control.replay_run(&tenant, id, request).await?))
}

async fn resume(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
) -> Answer<RunView> {
    Ok(axum::Json(host.control.resume_run(&tenant, super::id(&id, "run")?).await?))
}

async fn wake(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
) -> Answer<DecidedView> {
    Ok(axum::Json(host.control.wake_run(&tenant, super::id(&id, "run")?).await?))
}

async fn resume_all(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(request): Json<ResumeRequest>,
) -> Answer<ResumedView> {
    Ok(axum::Json(host.control.resume_runs(&tenant, request).await?))
}
