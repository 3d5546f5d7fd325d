//! Records of Caspio tables.
//!
//! Every call is one step of the run: recorded, and answered from the journal when the run is executed
//! again. What the manifest does not grant is [`Error::Denied`]. An error means that the action had no
//! effect.

use crate::raw::caspian::workflow::aggregates::{self as raw_aggregates, Source};
use crate::raw::caspian::workflow::{records as raw, tables as raw_tables};
use crate::{Aggregate, Attachments, Criteria, Error, FieldInfo, Query, Row};

/// A table by its name; see [`records`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Table(String);

/// The records of a table: `records("Patients").get(5)`. Nothing is called by this alone.
pub fn records(table: impl Into<String>) -> Table {
    Table::named(table)
}

/// Names of the tables that this workflow was granted anything on and that exist.
///
/// # Errors
/// As for every call: limits, and Caspio's answers.
pub fn tables() -> Result<Vec<String>, Error> {
    Ok(raw_tables::list()?)
}

/// What an upsert did.
#[derive(Debug, Clone, PartialEq)]
pub struct Upserted {
    /// True: a record was created; false: the first match was updated.
    pub created: bool,
    /// The record after the change.
    pub row: Row,
}

impl Table {
    /// The table of this name. Nothing is called by this alone.
    pub fn named(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Reads one record by its `PK_ID`; none when it does not exist.
    ///
    /// # Errors
    /// When it is not granted, the table does not exist, or Caspio does not answer.
    pub fn get(&self, pk_id: i64) -> Result<Option<Row>, Error> {
        Ok(raw::get(&self.0, pk_id)?.map(Row::from_raw))
    }

    /// Reads records: `list(Query::new())`, or `list(field("Status").equals("Open"))`.
    ///
    /// # Errors
    /// When it is not granted, table or field does not exist, or Caspio does not answer.
    pub fn list(&self, query: impl Into<Query>) -> Result<Vec<Row>, Error> {
        let rows = raw::list(&self.0, &query.into().into_raw())?;
        Ok(rows.into_iter().map(Row::from_raw).collect())
    }

    /// Reads the first match in the query's order; none when nothing matches.
    ///
    /// # Errors
    /// As for [`Table::list`].
    pub fn first(&self, query: impl Into<Query>) -> Result<Option<Row>, Error> {
        Ok(self.list(query.into().limit(1))?.into_iter().next())
    }

    /// How many records match; without criteria, how many there are. One call, however many there are.
    ///
    /// # Errors
    /// As for [`Table::list`].
    pub fn count(&self, criteria: impl Into<Option<Criteria>>) -> Result<u64, Error> {
        let criteria = criteria.into().map(Criteria::into_raw);
        Ok(raw_aggregates::count(&Source::Table(self.0.clone()), criteria.as_deref())?)
    }

    /// Reckons numbers over records: a row for each group.
    ///
    /// # Errors
    /// As for [`Table::list`].
    pub fn aggregate(&self, aggregate: Aggregate) -> Result<Vec<Row>, Error> {
        let rows = raw_aggregates::select(&Source::Table(self.0.clone()), &aggregate.into_raw())?;
        Ok(rows.into_iter().map(Row::from_raw).collect())
    }

    /// The files in an ATTACHMENT field. Nothing is called by this alone.
    pub fn attachments(&self, field: impl Into<String>) -> Attachments {
        Attachments { table: self.0.clone(), field: field.into() }
    }

    /// Creates a record and returns it as Caspio stored it, with `PK_ID` and generated fields.
    ///
    /// # Errors
    /// When it is not granted, Caspio refuses a value, or does not answer.
    pub fn create(&self, row: Row) -> Result<Row, Error> {
        Ok(Row::from_raw(raw::create(&self.0, &row.into_raw())?))
    }

    /// Changes all records that match and returns how many did. No match is no error.
    ///
    /// # Errors
    /// When it is not granted, Caspio refuses a value, or does not answer.
    pub fn update(&self, criteria: Criteria, changes: Row) -> Result<u32, Error> {
        Ok(raw::update(&self.0, &criteria.into_raw(), &changes.into_raw(), false)?.affected)
    }

    /// Changes all records that match and returns them as they are afterwards.
    ///
    /// # Errors
    /// As for [`Table::update`].
    pub fn update_returning(&self, criteria: Criteria, changes: Row) -> Result<Vec<Row>, Error> {
        let updated = raw::update(&self.0, &criteria.into_raw(), &changes.into_raw(), true)?;
        Ok(updated.rows.into_iter().map(Row::from_raw).collect())
    }

    /// Updates the first match (by `PK_ID`), or creates a record when there is none. The row must
    /// hold the compared fields too: a new record gets nothing from the criteria. Not atomic in Caspio:
    /// another writer may create the same record in between.
    ///
    /// # Errors
    /// When it is not granted, Caspio refuses a value, or does not answer.
    pub fn upsert(&self, criteria: Criteria, row: Row) -> Result<Upserted, Error> {
        let upserted = raw::upsert(&self.0, &criteria.into_raw(), &row.into_raw())?;
        Ok(Upserted { created: upserted.created, row: Row::from_raw(upserted.row) })
    }

    /// Deletes all records that match and returns how many. The criteria must hold a comparison.
    ///
    /// # Errors
    /// When it is not granted, the criteria compares nothing, or Caspio does not answer.
    pub fn delete(&self, criteria: Criteria) -> Result<u32, Error> {
        Ok(raw::delete(&self.0, &criteria.into_raw())?)
    }

    /// The table's fields, in Caspio's order, without `PK_ID`, which every table has.
    ///
    /// # Errors
    /// When nothing on the table is granted, it does not exist, or Caspio does not answer.
    pub fn fields(&self) -> Result<Vec<FieldInfo>, Error> {
        Ok(raw_tables::fields(&self.0)?)
    }
}
