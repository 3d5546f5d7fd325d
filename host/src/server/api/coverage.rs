//! `/coverage`, and backfills of `/workflows`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;

use crate::control::{BackfillRequest, BackfillView, CoverageView};
use crate::server::auth::Tenant;
use crate::server::error::ApiError;
use crate::server::host::Host;

use super::{Answer, Asked, Json, Segment, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/coverage", get(show))
        .route("/workflows/{name}/sweep", post(sweep))
        .route("/workflows/{name}/backfill", post(begin).delete(cancel))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    workflow: Option<String>,
}

async fn show(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Asked(which): Asked<Which>,
) -> Answer<CoverageView> {
    Ok(axum::Json(host.control.coverage(&tenant, which.workflow.as_deref()).await?))
}

async fn sweep(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<serde_json::Value> {
    let begun = host.control.sweep_now(&tenant, &name).await?;
    Ok(axum::Json(serde_json::json!({ "sweeps": begun })))
}

async fn begin(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
    Json(request): Json<BackfillRequest>,
) -> Answer<BackfillView> {
    Ok(axum::Json(host.control.begin_backfill(&tenant, &name, request).await?))
}

async fn cancel(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Result<StatusCode, ApiError> {
    host.control.cancel_backfill(&tenant, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
