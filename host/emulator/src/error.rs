//! The one error that a REST call can end with.
//!
//! It becomes Caspio's error body `{Code, Message, Resource, RequestId}` in [`crate::front`].
//! Codes and statuses follow the reference page, section 7; where Caspio's own is unknown the
//! choice is named at the constructor. Messages quote the offending value where SQL Server does:
//! a client must not log them.

/// A refused call: HTTP status, Caspio's code, and text for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct ApiError {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl ApiError {
    /// Any status and code.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// A missing, malformed or contradictory body.
    pub fn body(message: impl Into<String>) -> Self {
        Self::new(400, "IncorrectBodyParameter", message)
    }

    /// A missing or unusable query parameter, the text of `q.where` included.
    pub fn query(message: impl Into<String>) -> Self {
        Self::new(400, "IncorrectQueryParameter", message)
    }

    /// Values that do not fit the types of the named fields.
    pub fn values(fields: &[&str]) -> Self {
        let names = fields.join(", ");
        Self::new(
            400,
            "InvalidInputValue",
            format!(
                "Cannot perform operation because the value doesn't match the data type of the \
                 following field(s): {names}."
            ),
        )
    }

    /// A table, webhook or event that is not there.
    pub fn object(kind: &str, name: &str) -> Self {
        Self::new(404, "ObjectNotFound", format!("Cannot find the {kind} '{name}'."))
    }

    /// A field that the table does not have.
    pub fn field(name: &str) -> Self {
        Self::new(404, "FieldNotFound", format!("Cannot find the field '{name}'."))
    }

    /// A file, folder or attachment that is not there.
    pub fn file(kind: &str) -> Self {
        Self::new(404, "FileNotFound", format!("Cannot find the {kind}."))
    }

    /// A body of a type that the route does not take.
    pub fn media(wanted: &str) -> Self {
        Self::new(415, "UnsupportedMediaType", format!("The content type is not supported. Send {wanted}."))
    }

    /// A path that leads nowhere.
    pub fn path() -> Self {
        Self::new(404, "ObjectNotFound", "There is nothing under this path.")
    }

    /// The profile may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "InsufficientPrivileges", message)
    }

    /// No token, an unknown one or one that has run out.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "The access token is missing, unknown or expired. Request a new one.")
    }

    /// A known path with another verb.
    pub fn method() -> Self {
        Self::new(405, "MethodNotAllowed", "The verb is not allowed here.")
    }
}
