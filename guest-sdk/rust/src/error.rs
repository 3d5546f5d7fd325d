//! Why something was not done or could not be read.
//!
//! The first cases are the contract's: an action that had no effect. The last ones are this crate's
//! own: a row, event or setting that does not hold what was asked for. No text holds a value of a
//! record, so an error may be logged.

use std::fmt;

use crate::raw::caspian::workflow::types;

/// Why an action was not done, or what a row, event or setting does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Not granted to this workflow. The text says what to grant.
    Denied(String),
    /// The table, field or record does not exist.
    NotFound(String),
    /// A value was refused.
    Invalid {
        /// The field, "" when Caspio does not say which.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// A Unique field has that value already; of [`state`](crate::state), the key has another version.
    Conflict(String),
    /// Caspio's rate limit, after the host's own retries.
    Throttled(String),
    /// Caspio can't be reached or fails, after the host's own retries.
    Unavailable(String),
    /// A limit of this run, or of what the workflow keeps.
    Limit(String),
    /// The connection's budget of integration calls is used up.
    Budget(String),
    /// Request or answer is larger than allowed.
    TooLarge(String),
    /// Anything else that the host answered.
    Other {
        /// Stable code.
        code: String,
        /// What happened.
        message: String,
    },
    /// The row has no such field.
    MissingField {
        /// The field that was asked for.
        field: String,
    },
    /// The field's value is of another kind than asked for.
    WrongKind {
        /// The field.
        field: String,
        /// What was asked for.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// The field's text does not read as what was asked for.
    Malformed {
        /// The field.
        field: String,
        /// What was asked for.
        expected: &'static str,
    },
    /// The event does not hold what was asked for.
    Event(&'static str),
    /// A value of [`state`](crate::state) is not what was asked for.
    State(&'static str),
    /// A setting is missing or does not read as what was asked for.
    Setting {
        /// The setting.
        name: String,
        /// What is wrong with it.
        message: &'static str,
    },
}

impl Error {
    /// It passes by itself: a later try may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Unavailable(_))
    }

    /// The case as the contract names it, e.g. `too-large`; this crate's own cases are `row`, `event`, `state`
    /// and `setting`; for [`Error::Other`] its code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Denied(_) => "denied",
            Self::NotFound(_) => "not-found",
            Self::Invalid { .. } => "invalid",
            Self::Conflict(_) => "conflict",
            Self::Throttled(_) => "throttled",
            Self::Unavailable(_) => "unavailable",
            Self::Limit(_) => "limit",
            Self::Budget(_) => "budget",
            Self::TooLarge(_) => "too-large",
            Self::Other { code, .. } => code,
            Self::MissingField { .. } | Self::WrongKind { .. } | Self::Malformed { .. } => "row",
            Self::Event(_) => "event",
            Self::State(_) => "state",
            Self::Setting { .. } => "setting",
        }
    }
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::Denied(text) => Self::Denied(text),
            types::Error::NotFound(text) => Self::NotFound(text),
            types::Error::Invalid(invalid) => {
                Self::Invalid { field: invalid.field, message: invalid.message }
            }
            types::Error::Conflict(text) => Self::Conflict(text),
            types::Error::Throttled(text) => Self::Throttled(text),
            types::Error::Unavailable(text) => Self::Unavailable(text),
            types::Error::Limit(text) => Self::Limit(text),
            types::Error::Budget(text) => Self::Budget(text),
            types::Error::TooLarge(text) => Self::TooLarge(text),
            types::Error::Other(other) => Self::Other { code: other.code, message: other.text },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { field, message } if field.is_empty() => write!(f, "invalid: {message}"),
            Self::Invalid { field, message } => write!(f, "invalid: field {field}: {message}"),
            Self::Denied(text)
            | Self::NotFound(text)
            | Self::Conflict(text)
            | Self::Throttled(text)
            | Self::Unavailable(text)
            | Self::Limit(text)
            | Self::Budget(text)
            | Self::TooLarge(text)
            | Self::Other { message: text, .. } => write!(f, "{}: {text}", self.code()),
            Self::MissingField { field } => write!(
                f,
                "the row has no field {field}; check its name, and that the query selects it or the trigger sends it"
            ),
            Self::WrongKind { field, expected, found } => write!(
                f,
                "field {field} is {found}, not {expected}; read it as {found}, or change its type in Caspio"
            ),
            Self::Malformed { field, expected } => {
                write!(f, "the text of field {field} is no {expected}; correct the record in Caspio")
            }
            Self::Event(text) => f.write_str(text),
            Self::State(text) => write!(f, "the value of state {text}"),
            Self::Setting { name, message } => {
                write!(
                    f,
                    "setting {name} {message}; set it under [settings] of the manifest and deploy again"
                )
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_cases_keep_code_and_text() {
        let invalid = types::InvalidValue { field: "Email".to_owned(), message: "too long".to_owned() };
        let other = types::OtherError { code: "caspio-X".to_owned(), text: "odd".to_owned() };
        let text = || "t".to_owned();
        let cases = [
            (types::Error::Denied(text()), "denied: t"),
            (types::Error::NotFound(text()), "not-found: t"),
            (types::Error::Invalid(invalid), "invalid: field Email: too long"),
            (types::Error::Conflict(text()), "conflict: t"),
            (types::Error::Throttled(text()), "throttled: t"),
            (types::Error::Unavailable(text()), "unavailable: t"),
            (types::Error::Limit(text()), "limit: t"),
            (types::Error::Budget(text()), "budget: t"),
            (types::Error::TooLarge(text()), "too-large: t"),
            (types::Error::Other(other), "caspio-X: odd"),
        ];
        for (raw, shown) in cases {
            let error = Error::from(raw);
            assert_eq!(error.to_string(), shown);
            assert!(shown.starts_with(error.code()));
        }
    }
}
