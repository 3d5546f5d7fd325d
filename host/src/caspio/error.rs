//! Why a call did not do what it should.
//!
//! The one question that matters for effects is [`CaspioError::is_undecided`]: may it have happened?
//! Only the failing request itself counts: an effect whose token or schema could not be read was not
//! sent. Texts say what and what to do, and hold names of tables and fields, never values: of
//! Caspio's own texts nothing is kept.

use std::time::Duration;

use crate::model::{ActionError, Cause, TableSchema};

/// Why a call failed. Cheap to clone.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}")]
pub struct CaspioError {
    pub(super) kind: ErrorKind,
    /// The request that failed may change something.
    effect: bool,
    /// An earlier part of the same effect was done.
    partly_done: bool,
    /// It may be the table's fields that changed.
    schema: bool,
    retry_after: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ErrorKind {
    #[error("{0}; this is a mistake in the host, please report it")]
    Misuse(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{noun} '{table}' has no field '{field}'; check its name in Caspio")]
    UnknownField { noun: &'static str, table: String, field: String },
    #[error("{}", invalid_text(field, message))]
    Invalid { field: String, message: String },
    #[error("{0}")]
    TooLarge(String),
    #[error("Caspio's answer is larger than this host accepts; select fewer fields or records")]
    AnswerTooLarge,
    #[error("{0}")]
    Conflict(String),
    #[error("Caspio's limit of calls is reached; try again later")]
    Throttled,
    #[error(
        "connection '{0}': its budget of integration calls is used up; wait for the next day or month, or raise it \
         with `caspian connection budget`"
    )]
    Budget(String),
    #[error(
        "Caspio does not answer, so calls to it wait; they go on by themselves, or try it with `caspian connection check`"
    )]
    HeldBack,
    #[error("Caspio can't be reached; check the network and the connection's integration URL")]
    Unreachable,
    #[error("the connection to Caspio broke or was silent for too long; try again")]
    Lost,
    #[error("Caspio failed with status {0}; try again later")]
    Server(u16),
    #[error("Caspio's answer can't be read; check that the integration URL is Caspio's, then try again")]
    Unreadable,
    #[error(
        "connection '{0}': Caspio refused the credentials; check integration URL, client ID and client secret, \
         then add the connection again with `caspian connection add`"
    )]
    Credentials(String),
    #[error(
        "connection '{0}': Caspio refuses this machine's IP address; allow it in the Web services profile"
    )]
    IpForbidden(String),
    #[error(
        "connection '{0}': the Web services profile may not do this; give it access to the object in Caspio, \
         or check that its key is enabled"
    )]
    Forbidden(String),
    /// `code` is `caspio-` and Caspio's own.
    #[error("Caspio refused the call (status {status}, {code}); {hint}")]
    Refused { status: u16, code: String, hint: &'static str },
    #[error("the HTTP client can't be set up; check the machine's TLS certificates")]
    Setup,
}

fn invalid_text(field: &str, message: &str) -> String {
    if field.is_empty() { message.to_owned() } else { format!("field '{field}': {message}") }
}

/// A name that came from outside, fit for a text: short and of one line.
pub(super) fn shown(name: &str) -> String {
    let mut text: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    if text.len() < name.len() {
        text.push('…');
    }
    text
}

impl From<ErrorKind> for CaspioError {
    fn from(kind: ErrorKind) -> Self {
        let schema = matches!(kind, ErrorKind::UnknownField { .. });
        Self { kind, effect: false, partly_done: false, schema, retry_after: None }
    }
}

impl CaspioError {
    /// The host asked for something senseless.
    #[must_use]
    pub fn misuse(what: impl Into<String>) -> Self {
        ErrorKind::Misuse(what.into()).into()
    }

    /// A read was not answered in the time that there was.
    #[must_use]
    pub fn slow() -> Self {
        ErrorKind::Lost.into()
    }

    /// A value is refused; `field` is "" when it is not about one field.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        ErrorKind::Invalid { field: field.into(), message: message.into() }.into()
    }

    /// A table, field or record is not there.
    #[must_use]
    pub fn not_found(what: impl Into<String>) -> Self {
        ErrorKind::NotFound(what.into()).into()
    }

    /// Request or answer is larger than allowed.
    #[must_use]
    pub fn too_large(what: impl Into<String>) -> Self {
        ErrorKind::TooLarge(what.into()).into()
    }

    /// Something like it is there already.
    #[must_use]
    pub fn conflict(what: impl Into<String>) -> Self {
        ErrorKind::Conflict(what.into()).into()
    }

    pub(super) fn is_not_found(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound(_))
    }

    /// A value does not fit its field.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.kind, ErrorKind::Invalid { .. })
    }

    pub(super) fn unknown_field(schema: &TableSchema, field: &str) -> Self {
        let (noun, table) = (schema.kind.noun(), shown(&schema.table));
        ErrorKind::UnknownField { noun, table, field: shown(field) }.into()
    }

    pub(super) fn throttled(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..ErrorKind::Throttled.into() }
    }

    /// The request that failed was one that changes something.
    pub(super) fn of_effect(self, effect: bool) -> Self {
        Self { effect, ..self }
    }

    /// Earlier parts of the same effect were done.
    pub(super) fn after_a_part(self) -> Self {
        Self { partly_done: true, ..self }
    }

    /// The table's fields may have changed.
    pub(super) fn about_schema(self) -> Self {
        Self { schema: true, ..self }
    }

    pub(super) fn with_retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// The call may have happened, wholly or in part: it was sent, and there is no certain answer.
    /// Never true for reads.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        let unanswered = matches!(
            self.kind,
            ErrorKind::Lost | ErrorKind::Server(_) | ErrorKind::Unreadable | ErrorKind::AnswerTooLarge
        );
        self.partly_done || (self.effect && unanswered)
    }

    /// What is worth waiting for: [`Cause::Throttled`], [`Cause::Unavailable`], [`Cause::Budget`], or [`Cause::Connection`]; none for
    /// errors that will come again.
    #[must_use]
    pub fn transient_cause(&self) -> Option<Cause> {
        match self.kind {
            ErrorKind::Throttled => Some(Cause::Throttled),
            ErrorKind::Budget(_) => Some(Cause::Budget),
            ErrorKind::Unreachable
            | ErrorKind::HeldBack
            | ErrorKind::Lost
            | ErrorKind::Server(_)
            | ErrorKind::Unreadable => Some(Cause::Unavailable),
            // A person must mend it in Caspio or here; the run can't, and is not to blame.
            ErrorKind::Credentials(_) | ErrorKind::IpForbidden(_) => Some(Cause::Connection),
            _ => None,
        }
    }

    /// Come back after this time, when Caspio or the rate limit says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The fields known of the table may be out of date.
    #[must_use]
    pub fn is_about_schema(&self) -> bool {
        self.schema
    }

    /// A stable code: `credentials`, `throttled`, `caspio-SqlServerError`, ….
    #[must_use]
    pub fn code(&self) -> &str {
        match &self.kind {
            ErrorKind::Misuse(_) => "misuse",
            ErrorKind::NotFound(_) | ErrorKind::UnknownField { .. } => "not-found",
            ErrorKind::Invalid { .. } => "invalid",
            ErrorKind::TooLarge(_) | ErrorKind::AnswerTooLarge => "too-large",
            ErrorKind::Conflict(_) => "conflict",
            ErrorKind::Throttled => "throttled",
            ErrorKind::Budget(_) => "budget",
            ErrorKind::Unreachable
            | ErrorKind::HeldBack
            | ErrorKind::Lost
            | ErrorKind::Server(_)
            | ErrorKind::Unreadable => "unavailable",
            ErrorKind::Credentials(_) => "credentials",
            ErrorKind::IpForbidden(_) => "ip-forbidden",
            ErrorKind::Forbidden(_) => "forbidden",
            ErrorKind::Refused { code, .. } => code,
            ErrorKind::Setup => "setup",
        }
    }

    /// As the guest sees it.
    #[must_use]
    pub fn to_action_error(&self) -> ActionError {
        let text = self.to_string();
        match &self.kind {
            ErrorKind::NotFound(_) | ErrorKind::UnknownField { .. } => ActionError::NotFound(text),
            ErrorKind::Invalid { field, message } => {
                ActionError::Invalid { field: field.clone(), message: message.clone() }
            }
            ErrorKind::TooLarge(_) | ErrorKind::AnswerTooLarge => ActionError::TooLarge(text),
            ErrorKind::Conflict(_) => ActionError::Conflict(text),
            ErrorKind::Throttled => ActionError::Throttled(text),
            ErrorKind::Budget(_) => ActionError::Budget(text),
            ErrorKind::Unreachable
            | ErrorKind::HeldBack
            | ErrorKind::Lost
            | ErrorKind::Server(_)
            | ErrorKind::Unreadable => ActionError::Unavailable(text),
            ErrorKind::IpForbidden(_) | ErrorKind::Forbidden(_) => ActionError::Denied(text),
            ErrorKind::Misuse(_)
            | ErrorKind::Credentials(_)
            | ErrorKind::Refused { .. }
            | ErrorKind::Setup => ActionError::Other { code: self.code().to_owned(), text },
        }
    }

    pub(super) fn held_back(wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..ErrorKind::HeldBack.into() }
    }

    /// It was not sent since others before it got no answer. Says nothing about the call itself.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        matches!(self.kind, ErrorKind::HeldBack)
    }

    pub(super) fn is_throttled(&self) -> bool {
        matches!(self.kind, ErrorKind::Throttled)
    }

    /// A read that failed so may be repeated at once.
    pub(super) fn is_hiccup(&self) -> bool {
        matches!(self.kind, ErrorKind::Unreachable | ErrorKind::Lost | ErrorKind::Server(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_effect_without_a_certain_answer_is_undecided() {
        let unanswered =
            [ErrorKind::Lost, ErrorKind::Server(500), ErrorKind::Unreadable, ErrorKind::AnswerTooLarge];
        for kind in unanswered {
            assert!(CaspioError::from(kind.clone()).of_effect(true).is_undecided(), "{kind:?}");
            assert!(!CaspioError::from(kind).is_undecided(), "a read");
        }
        let certain = [
            ErrorKind::Unreachable,
            ErrorKind::HeldBack,
            ErrorKind::Throttled,
            ErrorKind::Budget("c".to_owned()),
            ErrorKind::Credentials("c".to_owned()),
            ErrorKind::Forbidden("c".to_owned()),
            ErrorKind::Conflict(String::new()),
            ErrorKind::TooLarge(String::new()),
            ErrorKind::Refused { status: 400, code: "X".to_owned(), hint: "" },
        ];
        for kind in certain {
            let error = CaspioError::from(kind).of_effect(true);
            assert!(!error.is_undecided(), "{error:?}");
            assert!(error.after_a_part().is_undecided());
        }
    }

    #[test]
    fn outside_names_are_short_and_of_one_line() {
        let schema = crate::caspio::tests::schema();
        let error = CaspioError::unknown_field(&schema, &format!("a\nb{}", "x".repeat(500)));
        let text = error.to_string();
        assert!(!text.contains('\n') && text.len() < 200, "{text}");
        assert!(error.is_about_schema());
        assert_eq!(error.to_action_error().code(), "not-found");
    }
}
