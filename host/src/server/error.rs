//! Errors of the control API: `{"error": {"code", "message", "next"}}`.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::control::{ControlError, Kind};

/// The body of an error.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do next; "" when that is plain.
    pub next: String,
}

/// What is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorEnvelope {
    /// The error.
    pub error: ErrorBody,
}

/// An error with its status.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &str, message: &str, next: &str) -> Self {
        let body = ErrorBody { code: code.to_owned(), message: message.to_owned(), next: next.to_owned() };
        Self { status, body }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorEnvelope { error: self.body })).into_response()
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        let status = match error.kind {
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Caspio => StatusCode::BAD_GATEWAY,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let (message, next) = error.message_and_next();
        Self::new(status, &error.code, message, next)
    }
}

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "a name in the path is no text in UTF-8",
            "correct the name",
        )
    }
}

impl From<QueryRejection> for ApiError {
    fn from(_: QueryRejection) -> Self {
        // The rejection's own text quotes the query, and speaks of types.
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "the query is not what this call takes",
            "use a caspian command of the same version as the host",
        )
    }
}
