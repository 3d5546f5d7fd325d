//! Files in ATTACHMENT fields: `records("Documents").attachments("Scan")`.
//!
//! How large a file may be is the host's setting, 8 MiB by default; the guest's memory must hold it too. What changes
//! something may be interrupted and is then done again, which leaves the same.

use crate::raw::caspian::workflow::attachments as raw;
use crate::{Criteria, Error};

/// The attachment field of a table; see [`Table::attachments`](crate::Table::attachments).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Attachments {
    pub(crate) table: String,
    pub(crate) field: String,
}

impl Attachments {
    /// Files of the records that match, without their content; without criteria, of all records.
    ///
    /// # Errors
    /// When it is not granted, table or field does not exist, or Caspio does not answer.
    pub fn list(&self, criteria: impl Into<Option<Criteria>>) -> Result<Vec<raw::Attachment>, Error> {
        let criteria = criteria.into().map(Criteria::into_raw);
        Ok(raw::list(&self.table, &self.field, criteria.as_deref())?)
    }

    /// The content of a record's file. [`Error::NotFound`] when there is none.
    ///
    /// # Errors
    /// When it is not granted, too large, or Caspio does not answer.
    pub fn download(&self, pk_id: i64) -> Result<Vec<u8>, Error> {
        Ok(raw::download(&self.table, &self.field, pk_id)?)
    }

    /// Gives a record a file, instead of the one it has.
    ///
    /// # Errors
    /// When it is not granted, too large, there is no such record, or Caspio does not answer.
    pub fn upload(&self, pk_id: i64, file_name: &str, content: &[u8]) -> Result<(), Error> {
        Ok(raw::upload(&self.table, &self.field, pk_id, file_name, content)?)
    }

    /// Gives a record's file another name. False: the record has none.
    ///
    /// # Errors
    /// When it is not granted, Caspio refuses the name, or does not answer.
    pub fn rename(&self, pk_id: i64, file_name: &str) -> Result<bool, Error> {
        Ok(raw::rename(&self.table, &self.field, pk_id, file_name)?)
    }

    /// Takes a record's file away. False: there is no such record, or Caspio says that it had no file.
    ///
    /// # Errors
    /// When it is not granted, or Caspio does not answer.
    pub fn delete(&self, pk_id: i64) -> Result<bool, Error> {
        Ok(raw::delete(&self.table, &self.field, pk_id)?)
    }
}
