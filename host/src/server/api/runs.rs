//! `/runs`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;

use crate::control::{RunDetail, RunQuery, RunView};
use crate::server::auth::Tenant;
use crate::server::error::ApiError;
use crate::server::host::Host;

use super::{Answer, Asked, Segment, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new().route("/runs", get(list)).route("/runs/{id}", get(show))
}

async fn list(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Asked(query): Asked<RunQuery>,
) -> Answer<Vec<RunView>> {
    Ok(axum::Json(host.control.runs(&tenant, query).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Show {
    #[serde(default)]
    values: bool,
}

async fn show(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
    Asked(show): Asked<Show>,
) -> Answer<RunDetail> {
    let id = id.parse().map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "run-id",
            "this is no run id",
            "give the UUID that `caspian run list` shows",
        )
    })?;
    Ok(axum::Json(host.control.run(&tenant, id, show.values).await?))
}
