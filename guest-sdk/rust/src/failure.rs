//! How a workflow says that it did not succeed.
//!
//! [`Failure::retry`] tries the run again, results of finished effects kept; [`Failure::fatal`] makes
//! it a dead letter at once. The text is for the person who reads the run and is kept encrypted.
//! An [`Error`] becomes one by `?`; [`OrFail`] turns any other error, or a missing value, into one.

use std::fmt;
use std::time::Duration;

use crate::{Error, raw};
use raw::caspian::workflow::types::RetryFailure;

/// Why the workflow did not succeed, and whether another try is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Failure {
    /// Try again.
    Retry {
        /// Why, for the person who reads the run.
        message: String,
        /// Wait at least so long; without it the manifest's back-off decides.
        delay: Option<Duration>,
    },
    /// Trying again is of no use.
    Fatal {
        /// Why, for the person who reads the run.
        message: String,
    },
}

impl Failure {
    /// Trying again is of no use.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::Fatal { message: message.into() }
    }

    /// Try again after the manifest's back-off.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry { message: message.into(), delay: None }
    }

    /// Wait at least so long before the next try; parts of a second count as a whole one. A fatal
    /// failure stays as it is.
    pub fn after(self, wait: Duration) -> Self {
        match self {
            Self::Retry { message, .. } => Self::Retry { message, delay: Some(wait) },
            fatal @ Self::Fatal { .. } => fatal,
        }
    }

    pub(crate) fn into_raw(self) -> raw::Failure {
        match self {
            Self::Fatal { message } => raw::Failure::Fatal(message),
            Self::Retry { message, delay } => {
                raw::Failure::Retry(RetryFailure { message, delay_seconds: delay.map(whole_seconds) })
            }
        }
    }
}

fn whole_seconds(wait: Duration) -> u32 {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { message, .. } | Self::Fatal { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

/// `throttled` and `unavailable` pass by themselves, so the run is tried again; all else is fatal.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.is_transient() { Self::retry(error.to_string()) } else { Self::fatal(error.to_string()) }
    }
}

/// Turns an error of any kind, or a missing value, into a [`Failure`].
///
/// ```
/// use caspian_sdk::{Failure, OrFail};
///
/// fn days(text: &str) -> Result<i64, Failure> {
///     text.parse().or_fatal("setting days is not a number; correct it in the manifest")
/// }
/// assert_eq!(days("3"), Ok(3));
/// assert!(matches!(days("x"), Err(Failure::Fatal { .. })));
/// ```
pub trait OrFail<T> {
    /// The value, or a fatal failure: the text, then the error's own text.
    ///
    /// # Errors
    /// When there is no value.
    fn or_fatal(self, message: &str) -> Result<T, Failure>;

    /// The value, or a failure that is tried again: the text, then the error's own text.
    ///
    /// # Errors
    /// When there is no value.
    fn or_retry(self, message: &str) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> OrFail<T> for Result<T, E> {
    fn or_fatal(self, message: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::fatal(format!("{message}: {error}")))
    }

    fn or_retry(self, message: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::retry(format!("{message}: {error}")))
    }
}

impl<T> OrFail<T> for Option<T> {
    fn or_fatal(self, message: &str) -> Result<T, Failure> {
        self.ok_or_else(|| Failure::fatal(message))
    }

    fn or_retry(self, message: &str) -> Result<T, Failure> {
        self.ok_or_else(|| Failure::retry(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_by_itself_is_tried_again() {
        let text = || "text".to_owned();
        let transient = [Error::Throttled(text()), Error::Unavailable(text())];
        let lasting = [
            Error::Denied(text()),
            Error::NotFound(text()),
            Error::Invalid { field: text(), message: text() },
            Error::Conflict(text()),
            Error::Limit(text()),
            Error::Budget(text()),
            Error::TooLarge(text()),
            Error::Other { code: text(), message: text() },
            Error::MissingField { field: text() },
            Error::Setting { name: text(), message: "is missing" },
        ];
        assert!(transient.into_iter().all(|e| matches!(Failure::from(e), Failure::Retry { .. })));
        assert!(lasting.into_iter().all(|e| matches!(Failure::from(e), Failure::Fatal { .. })));
    }

    #[test]
    fn a_delay_is_rounded_up_to_seconds() {
        let delay = |wait| match Failure::retry("x").after(wait).into_raw() {
            raw::Failure::Retry(retry) => retry.delay_seconds,
            raw::Failure::Fatal(_) => None,
        };
        assert_eq!(delay(Duration::from_secs(60)), Some(60));
        assert_eq!(delay(Duration::from_millis(1)), Some(1));
        assert_eq!(delay(Duration::MAX), Some(u32::MAX));
        assert_eq!(Failure::fatal("x").after(Duration::from_secs(1)), Failure::fatal("x"));
    }

    #[test]
    fn other_errors_get_a_context() {
        let failed = "x".parse::<u32>().or_fatal("days");
        assert_eq!(failed, Err(Failure::fatal("days: invalid digit found in string")));
        assert_eq!(None::<u32>.or_retry("not yet"), Err(Failure::retry("not yet")));
        assert_eq!(Some(1).or_retry("not yet"), Ok(1));
    }
}
