//! `/events`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;

use crate::control::{EventDetail, EventQuery, EventView};
use crate::server::auth::Tenant;
use crate::server::error::ApiError;
use crate::server::host::Host;

use super::{Answer, Asked, Segment, Shared};

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
) -> Answer<EventDetail> {
    let id = id.parse().map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "event-id",
            "this is no event id",
            "give the UUID that `caspian event list` shows",
        )
    })?;
    Ok(axum::Json(host.control.event(&tenant, id, show.values).await?))
}
