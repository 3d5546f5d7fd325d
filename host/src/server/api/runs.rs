//! `/runs`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::control::{RunDetail, RunQuery, RunView};
use crate::server::auth::Tenant;
use crate::server::host::Host;

use super::{Answer, Asked, Segment, Shared, Show};

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

async fn show(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
    Asked(show): Asked<Show>,
) -> Answer<RunDetail> {
    let id = super::id(&id, "run")?;
    Ok(axum::Json(host.control.run(&tenant, id, show.values).await?))
}
