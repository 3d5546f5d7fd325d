//! `/connections`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::control::{ConnectionView, NewConnection};
use crate::server::auth::Tenant;
use crate::server::host::Host;

use super::{Answer, Json, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new().route("/connections", get(list).post(add))
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
