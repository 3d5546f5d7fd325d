//! `/workflows/{name}/state`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::control::{DroppedView, StateEntryView, StateQuery, StateView};
use crate::server::auth::Tenant;
use crate::server::host::Host;

use super::{Answer, Asked, Segment, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/workflows/{name}/state", get(list).delete(delete))
        .route("/workflows/{name}/state/entry", get(entry))
}

async fn list(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<StateView> {
    Ok(axum::Json(host.control.state(&tenant, &name).await?))
}

async fn entry(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
    Asked(query): Asked<StateQuery>,
) -> Answer<StateEntryView> {
    Ok(axum::Json(host.control.state_entry(&tenant, &name, query).await?))
}

async fn delete(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
    Asked(query): Asked<StateQuery>,
) -> Answer<DroppedView> {
    Ok(axum::Json(host.control.drop_state(&tenant, &name, query).await?))
}
