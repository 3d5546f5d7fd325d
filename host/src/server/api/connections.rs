//! `/connections`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use serde::Deserialize;

use crate::control::{Cascade, ConnectionView, NewBudget, NewConnection, RemovedView, UsageQuery, UsageView};
use crate::server::auth::Tenant;
use crate::server::error::ApiError;
use crate::server::host::Host;

use super::{Answer, Asked, Json, Segment, Shared, carried_through};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/connections", get(list).post(add))
        .route("/connections/{name}", delete(remove))
        .route("/connections/{name}/check", post(check))
        .route("/connections/{name}/rotate", post(rotate))
        .route("/connections/{name}/budget", post(budget))
        .route("/usage", get(usage))
}

async fn list(State(host): Shared, Tenant(tenant): Tenant) -> Answer<Vec<ConnectionView>> {
    Ok(axum::Json(host.control.connections(&tenant).await?))
}

async fn add(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(new): Json<NewConnection>,
) -> Answer<ConnectionView> {
    Ok(axum::Json(host.control.add_connection(&tenant, new).await?))
}

async fn check(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Answer<ConnectionView> {
    Ok(axum::Json(host.control.check_connection(&tenant, &name).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    client_secret: String,
}

async fn rotate(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
    Json(new): Json<Rotate>,
) -> Answer<ConnectionView> {
    Ok(axum::Json(host.control.rotate_connection(&tenant, &name, &new.client_secret).await?))
}

async fn budget(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
    Json(new): Json<NewBudget>,
) -> Result<StatusCode, ApiError> {
    host.control.set_budget(&tenant, &name, new).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn usage(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Asked(query): Asked<UsageQuery>,
) -> Answer<UsageView> {
    Ok(axum::Json(host.control.usage(&tenant, query).await?))
}

async fn remove(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
    Asked(how): Asked<Cascade>,
) -> Answer<RemovedView> {
    let removed = async move { host.control.remove_connection(&tenant, &name, how).await };
    Ok(axum::Json(carried_through(removed).await?))
}
