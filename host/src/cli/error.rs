//! What a command says when it failed.

use std::process::ExitCode;

/// An error of a command: what happened, what to do, exit code.
#[derive(Debug)]
pub(super) struct CliError {
    message: String,
    next: String,
    code: u8,
    /// What it is about is in a state in which it can't be done.
    conflict: bool,
}

impl CliError {
    /// From a text "what happened; what to do".
    pub(super) fn failed(text: impl std::fmt::Display) -> Self {
        let text = text.to_string();
        let (message, next) = text.split_once("; ").unwrap_or((&text, ""));
        Self { message: message.to_owned(), next: next.to_owned(), code: 1, conflict: false }
    }

    /// As the host answered.
    pub(super) fn refused(message: String, next: String, conflict: bool) -> Self {
        Self { message, next, code: 1, conflict }
    }

    /// Refused for the state that something is in, not for what was asked.
    pub(super) fn is_conflict(&self) -> bool {
        self.conflict
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// It was done, and found what scripts want to know: an exit code of its own.
    pub(super) fn found(code: u8, text: impl std::fmt::Display) -> Self {
        Self { code, ..Self::failed(text) }
    }

    pub(super) fn usage(text: impl std::fmt::Display) -> Self {
        Self { code: 2, ..Self::failed(text) }
    }

    pub(super) fn unreachable(text: impl std::fmt::Display) -> Self {
        Self { code: 3, ..Self::failed(text) }
    }

    pub(super) fn report(&self) -> ExitCode {
        let mut text = format!("error: {}", self.message);
        if !self.next.is_empty() {
            text.push_str("\n  next: ");
            text.push_str(&self.next);
        }
        super::output::error_line(&text);
        ExitCode::from(self.code)
    }
}

impl From<crate::server::StartError> for CliError {
    fn from(error: crate::server::StartError) -> Self {
        Self::failed(error)
    }
}
