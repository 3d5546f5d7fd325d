//! Errors of operations: kind, stable code, what happened, what to do.

use crate::accounts::{ConnectError, KeyError};
use crate::caspio::CaspioError;
use crate::coverage::CoverageError;
use crate::ingress::IngressError;
use crate::manifest::ManifestError;
use crate::runtime::ComponentError;
use crate::secrets::SealError;
use crate::store::StoreError;
use crate::triggers::TriggerError;

/// What sort of error it is, for the HTTP status and the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong.
    Invalid,
    /// What it names is not there.
    NotFound,
    /// It can't be done in the present state.
    Conflict,
    /// Caspio refused or can't be reached.
    Caspio,
    /// This host can't do it now.
    Unavailable,
}

/// An operation that was not done.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct ControlError {
    /// Sort.
    pub kind: Kind,
    /// Stable code.
    pub code: String,
    text: String,
}

impl ControlError {
    pub(super) fn new(kind: Kind, code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, code: code.into(), text: text.into() }
    }

    pub(super) fn not_found(code: &str, text: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, code, text)
    }

    pub(super) fn invalid(code: &str, text: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, text)
    }

    /// What happened, and what to do next. All error texts of this program have the form
    /// "what happened; what to do".
    #[must_use]
    pub fn message_and_next(&self) -> (&str, &str) {
        self.text.split_once("; ").unwrap_or((&self.text, ""))
    }
}

impl ControlError {
    /// It may go away by itself.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self.code.as_str(), "throttled" | "unavailable" | "store-full" | "store-io")
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Exists(_) | StoreError::Held(_) => Kind::Conflict,
            StoreError::Missing(_) => Kind::NotFound,
            _ => Kind::Unavailable,
        };
        Self::new(kind, error.code(), error.to_string())
    }
}

impl From<SealError> for ControlError {
    fn from(error: SealError) -> Self {
        Self::new(Kind::Unavailable, "key", error.to_string())
    }
}

impl From<KeyError> for ControlError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(e) => e.into(),
            KeyError::Seal(e) => e.into(),
        }
    }
}

impl From<IngressError> for ControlError {
    fn from(error: IngressError) -> Self {
        match error {
            IngressError::Store(e) => e.into(),
            IngressError::Key(e) => e.into(),
            IngressError::NotReady => Self::new(Kind::Unavailable, "not-ready", error.to_string()),
        }
    }
}

impl From<ConnectError> for ControlError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Key(e) => e.into(),
            other => Self::new(Kind::Conflict, "connection", other.to_string()),
        }
    }
}

impl From<CaspioError> for ControlError {
    fn from(error: CaspioError) -> Self {
        Self::new(Kind::Caspio, error.code().to_owned(), error.to_string())
    }
}

impl From<CoverageError> for ControlError {
    fn from(error: CoverageError) -> Self {
        match error {
            CoverageError::Caspio(e) => e.into(),
            CoverageError::Connection(e) => e.into(),
            CoverageError::Key(e) => e.into(),
            CoverageError::Store(StoreError::Exists(_)) => Self::new(
                Kind::Conflict,
                "backfill-running",
                "a backfill of this workflow is under way; wait for its end (caspian coverage), or end it with --cancel",
            ),
            CoverageError::Store(e) => e.into(),
            CoverageError::Ingress(e) => e.into(),
            CoverageError::Busy | CoverageError::Damaged => {
                Self::new(Kind::Unavailable, "damaged", error.to_string())
            }
        }
    }
}

impl From<ManifestError> for ControlError {
    fn from(error: ManifestError) -> Self {
        Self::new(Kind::Invalid, "manifest", format!("{error}; correct the file and deploy again"))
    }
}

impl From<ComponentError> for ControlError {
    fn from(error: ComponentError) -> Self {
        let kind = match error {
            ComponentError::File(_) => Kind::Unavailable,
            _ => Kind::Invalid,
        };
        Self::new(kind, error.code(), error.to_string())
    }
}

impl From<TriggerError> for ControlError {
    fn from(error: TriggerError) -> Self {
        let text = error.to_string();
        match error {
            TriggerError::Caspio { error, .. } => Self::new(Kind::Caspio, error.code().to_owned(), text),
            TriggerError::PublicUrl(_) => Self::new(Kind::Conflict, "public-url", text),
            TriggerError::NotMended(_) => Self::new(Kind::Caspio, "not-mended", text),
            TriggerError::OtherConnection => Self::new(Kind::Conflict, "other-connection", text),
            TriggerError::Connection(e) => e.into(),
            TriggerError::Store(e) => e.into(),
        }
    }
}
