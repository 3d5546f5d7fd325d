//! The workflow's settings: what stands under `[settings]` in its manifest.
//!
//! Strings arrive as they are, other TOML values in TOML notation. A setting that is missing or does
//! not parse is an [`Error`] that names it, never its value.

use std::str::FromStr;

use crate::Error;
use crate::raw::caspian::workflow::settings as raw;

/// A setting's text; none when it is not set.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    raw::get(name)
}

/// A setting's text.
///
/// # Errors
/// When it is not set.
pub fn require(name: &str) -> Result<String, Error> {
    get(name).ok_or_else(|| error(name, "is missing"))
}

/// A setting as a number or another type that parses from text; none when it is not set.
///
/// # Errors
/// When it is set and does not parse.
pub fn parse<T: FromStr>(name: &str) -> Result<Option<T>, Error> {
    get(name).map(|text| parsed(name, &text)).transpose()
}

/// Names of all settings, sorted.
#[must_use]
pub fn names() -> Vec<String> {
    raw::names()
}

fn parsed<T: FromStr>(name: &str, text: &str) -> Result<T, Error> {
    text.trim().parse().map_err(|_| error(name, "does not have the form that the workflow expects"))
}

fn error(name: &str, message: &'static str) -> Error {
    Error::Setting { name: name.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_form_is_named_without_its_text() {
        assert_eq!(parsed::<i64>("days", " 7 "), Ok(7));
        let text = parsed::<i64>("days", "seven").unwrap_err().to_string();
        assert!(text.starts_with("setting days does not") && !text.contains("seven"), "{text}");
    }
}
