//! `/alerts`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};

use crate::alerts::Tested;
use crate::control::AlertView;
use crate::server::auth::Tenant;
use crate::server::host::Host;

use super::{Answer, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new().route("/alerts", get(list)).route("/alerts/test", post(test))
}

async fn list(State(host): Shared) -> Answer<Vec<AlertView>> {
    Ok(axum::Json(host.control.alerts().await?))
}

async fn test(State(host): Shared, Tenant(tenant): Tenant) -> Answer<Vec<Tested>> {
    Ok(axum::Json(host.control.test_alert(&tenant).await?))
}
