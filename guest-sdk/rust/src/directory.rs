//! Directories: users of Caspio's apps. A user is meant by the field `UserGUID`.

use crate::raw::caspian::workflow::directories as raw;
use crate::{Error, Query, Row};

/// A directory by its name; see [`directory`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Directory(String);

/// The users of a directory: `directory("Staff").users(Query::new())`. Nothing is called by this alone.
pub fn directory(name: impl Into<String>) -> Directory {
    Directory(name.into())
}

/// The directories that this workflow was granted and that exist.
///
/// # Errors
/// As for every call: limits, and Caspio's answers.
pub fn directories() -> Result<Vec<raw::Directory>, Error> {
    Ok(raw::list()?)
}

impl Directory {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Reads users: the directory's fields, and `_status` with the like.
    ///
    /// # Errors
    /// When `read` is not granted, directory or field does not exist, or Caspio does not answer.
    pub fn users(&self, query: impl Into<Query>) -> Result<Vec<Row>, Error> {
        let rows = raw::users(&self.0, &query.into().into_raw())?;
        Ok(rows.into_iter().map(Row::from_raw).collect())
    }

    /// Creates a user and returns it as Caspio stored it, with `UserGUID`.
    ///
    /// # Errors
    /// When `create` is not granted, Caspio refuses a value, or does not answer.
    pub fn create(&self, row: Row) -> Result<Row, Error> {
        Ok(Row::from_raw(raw::create_user(&self.0, &row.into_raw())?))
    }

    /// Changes a user. False: there is none.
    ///
    /// # Errors
    /// When `update` is not granted, Caspio refuses a value, or does not answer.
    pub fn update(&self, user: &str, changes: Row) -> Result<bool, Error> {
        Ok(raw::update_user(&self.0, user, &changes.into_raw())?)
    }

    /// Deletes a user. False: there was none.
    ///
    /// # Errors
    /// When `delete` is not granted, or Caspio does not answer.
    pub fn delete(&self, user: &str) -> Result<bool, Error> {
        Ok(raw::delete_user(&self.0, user)?)
    }

    /// Activates a user; with `send_email` Caspio sends a message. Returns the address where a password is set, when
    /// Caspio tells it. Interrupted with `send_email`, it parks the run: the message may have gone.
    ///
    /// # Errors
    /// When `activate` is not granted, the user is active already ([`Error::Conflict`]), or Caspio does not answer.
    pub fn activate(&self, user: &str, send_email: bool) -> Result<Option<String>, Error> {
        Ok(raw::activate_user(&self.0, user, send_email)?)
    }
}
