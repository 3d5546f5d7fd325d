//! What is wrong with a manifest, and where.

/// A manifest that is refused. Texts name keys and positions, not values of settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("workflow.toml, line {line}, column {column}: {message}")]
pub struct ManifestError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

impl ManifestError {
    /// From the TOML reader's error.
    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        Self::at(text, at, error.message().trim().to_owned())
    }

    /// At a position of the text, in bytes.
    pub(super) fn at(text: &str, at: usize, message: String) -> Self {
        let before = text.get(..at.min(text.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message,
        }
    }
}
