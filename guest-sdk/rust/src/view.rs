//! Caspio views: records of one or several tables, read only.
//!
//! Every call is one step of the run, as those of a table are.

use crate::raw::caspian::workflow::aggregates::{self as raw_aggregates, Source};
use crate::raw::caspian::workflow::views as raw;
use crate::{Aggregate, Criteria, Error, FieldInfo, Query, Row};

/// A view by its name; see [`view`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct View(String);

/// The records of a view: `view("ActivePatients").list(Query::new())`. Nothing is called by this alone.
pub fn view(name: impl Into<String>) -> View {
    View(name.into())
}

/// Names of the views that this workflow was granted and that exist.
///
/// # Errors
/// As for every call: limits, and Caspio's answers.
pub fn views() -> Result<Vec<String>, Error> {
    Ok(raw::list()?)
}

impl View {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Reads one record by its `PK_ID` as text, of a view over several tables one number a table: "3,17". None when it does
    /// not exist.
    ///
    /// # Errors
    /// When it is not granted, the view does not exist, or Caspio does not answer.
    pub fn get(&self, key: &str) -> Result<Option<Row>, Error> {
        Ok(raw::get(&self.0, key)?.map(Row::from_raw))
    }

    /// Reads records: `list(Query::new())`, or `list(field("Status").equals("Open"))`.
    ///
    /// # Errors
    /// When it is not granted, view or field does not exist, or Caspio does not answer.
    pub fn list(&self, query: impl Into<Query>) -> Result<Vec<Row>, Error> {
        let rows = raw::records(&self.0, &query.into().into_raw())?;
        Ok(rows.into_iter().map(Row::from_raw).collect())
    }

    /// Reads the first match in the query's order; none when nothing matches.
    ///
    /// # Errors
    /// As for [`View::list`].
    pub fn first(&self, query: impl Into<Query>) -> Result<Option<Row>, Error> {
        Ok(self.list(query.into().limit(1))?.into_iter().next())
    }

    /// How many records match; without criteria, how many there are. One call, however many there are.
    ///
    /// # Errors
    /// As for [`View::list`].
    pub fn count(&self, criteria: impl Into<Option<Criteria>>) -> Result<u64, Error> {
        let criteria = criteria.into().map(Criteria::into_raw);
        Ok(raw_aggregates::count(&Source::View(self.0.clone()), criteria.as_deref())?)
    }

    /// Reckons numbers over records: a row for each group.
    ///
    /// # Errors
    /// As for [`View::list`].
    pub fn aggregate(&self, aggregate: Aggregate) -> Result<Vec<Row>, Error> {
        let rows = raw_aggregates::select(&Source::View(self.0.clone()), &aggregate.into_raw())?;
        Ok(rows.into_iter().map(Row::from_raw).collect())
    }

    /// The view's fields, in Caspio's order, without `PK_ID`.
    ///
    /// # Errors
    /// When it is not granted, does not exist, or Caspio does not answer.
    pub fn fields(&self) -> Result<Vec<FieldInfo>, Error> {
        Ok(raw::fields(&self.0)?)
    }
}
