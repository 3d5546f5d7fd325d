//! `/tokens`

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get};

use crate::control::{MadeToken, NewToken, TokenView};
use crate::server::auth::Tenant;
use crate::server::error::ApiError;
use crate::server::host::Host;

use super::{Answer, Json, Segment, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new().route("/tokens", get(list).post(add)).route("/tokens/{name}", delete(remove))
}

async fn list(State(host): Shared) -> Answer<Vec<TokenView>> {
    Ok(axum::Json(host.control.tokens().await?))
}

async fn add(State(host): Shared, Tenant(tenant): Tenant, Json(new): Json<NewToken>) -> Answer<MadeToken> {
    Ok(axum::Json(host.control.add_token(&tenant, new).await?))
}

async fn remove(
    State(host): Shared,
    Tenant(tenant): Tenant,
    Segment(name): Segment<String>,
) -> Result<StatusCode, ApiError> {
    host.control.remove_token(&tenant, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
