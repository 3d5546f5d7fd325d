//! `/components/{sha256}`: uploads, named by what they are, so that none is sent twice.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::server::error::ApiError;
use crate::server::host::Host;

use super::{Segment, Shared};

pub(super) fn routes() -> Router<Arc<Host>> {
    Router::new().route("/components/{digest}", get(exists).put(put))
}

async fn exists(State(host): Shared, Segment(digest): Segment<String>) -> Result<StatusCode, ApiError> {
    let there = host.control.has_component(&digest).await?;
    Ok(if there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

async fn put(
    State(host): Shared,
    Segment(digest): Segment<String>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let max = host.runtime.settings().max_component_mib;
    let limit = usize::try_from(max).unwrap_or(usize::MAX).saturating_mul(1 << 20);
    let Some(bytes) = super::read(body, limit).await else {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "component-too-large",
            &format!("the component is larger than {max} MiB, or was cut off"),
            "strip it (profile with strip = true), or raise runtime.max_component_mib",
        ));
    };
    host.control.put_component(&digest, bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}
