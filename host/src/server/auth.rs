//! Who may use the control API: bearers of a token of an administrator; and `/metrics`: also of one for metrics.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest as _, Sha256};

use crate::model::{TenantId, TokenScope};

use super::error::ApiError;
use super::host::Host;

/// Header that names the tenant; without it `default`.
pub const TENANT_HEADER: &str = "x-caspian-tenant";

/// For administrators alone.
pub(super) async fn require_admin(
    State(host): State<Arc<Host>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match scope(&host, request.headers()).await? {
        TokenScope::Admin => Ok(next.run(request).await),
        TokenScope::Metrics => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "this token may only read /metrics",
            "give the token of an administrator, by --token or CASPIAN_TOKEN",
        )),
    }
}

/// For whoever has a token.
pub(super) async fn require_token(
    State(host): State<Arc<Host>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    scope(&host, request.headers()).await?;
    Ok(next.run(request).await)
}

/// What the bearer of a request's token may do.
async fn scope(host: &Host, headers: &HeaderMap) -> Result<TokenScope, ApiError> {
    let token = headers.get("authorization").and_then(|v| v.to_str().ok());
    let token =
        token.and_then(|text| text.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else { return Err(refused()) };
    // Looked up by hash: how long it takes says nothing about the token.
    let hash: [u8; 32] = Sha256::digest(token.trim().as_bytes()).into();
    match host.store.token_scope(hash).await {
        Ok(Some(scope)) => Ok(scope),
        Ok(None) => Err(refused()),
        Err(error) => Err(crate::control::ControlError::from(error).into()),
    }
}

fn refused() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "the token is missing or not known",
        "give the token that `caspian init` wrote to admin.token, by --token or CASPIAN_TOKEN",
    )
}

/// The tenant that a request is about.
pub(super) struct Tenant(pub(super) TenantId);

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let named = parts.headers.get(TENANT_HEADER).map(|v| v.to_str().unwrap_or_default());
        named.unwrap_or(TenantId::DEFAULT).parse().map(Self).map_err(|_| {
            ApiError::new(
                StatusCode::BAD_REQUEST,
                "tenant",
                "the tenant's name is not usable",
                "use 1 to 63 of a-z, 0-9 and -, starting with a letter",
            )
        })
    }
}
