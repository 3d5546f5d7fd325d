//! `/triggers`, `/orphans`: webhooks as Caspio has them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};

use crate::control::{
    CheckView, OrphanQuery, OrphanView, RemoveOrphans, RemovedOrphans, TriggerQuery, TriggerState,
};
use crate::server::auth::Tenant;
use crate::server::host::Host;

use super::{Answer, Asked, Json, Shared, carried_through};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new()
        .route("/triggers", get(list))
        .route("/triggers/check", post(check))
        .route("/triggers/repair", post(repair))
        .route("/orphans", get(orphans))
        .route("/orphans/remove", post(remove_orphans))
}

async fn list(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Asked(query): Asked<TriggerQuery>,
) -> Answer<Vec<TriggerState>> {
    Ok(axum::Json(host.control.triggers(&tenant, &query).await?))
}

async fn check(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(query): Json<TriggerQuery>,
) -> Answer<Vec<CheckView>> {
    let checked = async move { host.control.check_triggers(&tenant, &query).await };
    Ok(axum::Json(carried_through(checked).await?))
}

async fn repair(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(query): Json<TriggerQuery>,
) -> Answer<Vec<CheckView>> {
    let repaired = async move { host.control.repair_triggers(&tenant, &query).await };
    Ok(axum::Json(carried_through(repaired).await?))
}

async fn orphans(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Asked(query): Asked<OrphanQuery>,
) -> Answer<Vec<OrphanView>> {
    Ok(axum::Json(host.control.orphans(&tenant, &query).await?))
}

async fn remove_orphans(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Json(which): Json<RemoveOrphans>,
) -> Answer<RemovedOrphans> {
    let removed = async move { host.control.remove_orphans(&tenant, which).await };
    Ok(axum::Json(carried_through(removed).await?))
}
