//! `/events`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::control::{EventDetail, EventQuery, EventView};
use crate::server::auth::Tenant;
use crate::server::host::Host;

use super::{Answer, Asked, Segment, Shared, Show};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new().route("/events", get(list)).route("/events/{id}", get(show))
}

async fn list(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Asked(query): Asked<EventQuery>,
) -> Answer<Vec<EventView>> {
    Ok(axum::Json(host.control.events(&tenant, query).await?))
}

async fn show(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(id): Segment<String>,
    Asked(show): Asked<Show>,
) -> Answer<EventDetail> {
    let id = super::id(&id, "event")?;
    Ok(axum::Json(host.control.event(&tenant, id, show.values).await?))
}
