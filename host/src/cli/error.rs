//! What a command says when it failed.

use std::process::ExitCode;

/// An error of a command: what happened, what to do, exit code.
#[derive(Debug)]
pub(super) struct CliError {
    message: String,
    next: String,
    code: u8,
}

impl CliError {
    /// From a text "what happened; what to do".
    pub(super) fn failed(text: impl std::fmt::Display) -> Self {
        let text = text.to_string();
        let (message, next) = text.split_once("; ").unwrap_or((&text, ""));
        Self { message: message.to_owned(), next: next.to_owned(), code: 1 }
    }

    /// As the host answered.
    pub(super) fn refused(message: String, next: String) -> Self {
        Self { message, next, code: 1 }
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
