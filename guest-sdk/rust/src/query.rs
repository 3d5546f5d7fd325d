//! What to read: fields, records, order, how many.

use crate::Criteria;
use crate::raw::caspian::workflow::records as raw;

/// A query. Without anything set: all granted fields of all records, by `PK_ID`, as many as the
/// host allows (default 10,000).
///
/// ```
/// use caspian_sdk::{Query, field};
///
/// let latest = Query::new()
///     .select(["Title", "DueDate"])
///     .filter(field("Status").equals("Open"))
///     .order_by_descending("DueDate")
///     .limit(20);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct Query {
    select: Vec<String>,
    criteria: Option<Criteria>,
    order: Vec<(String, bool)>,
    limit: Option<u32>,
}

impl Query {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads these fields too; without any call all that are granted. `PK_ID` is always read.
    pub fn select<N: Into<String>>(mut self, fields: impl IntoIterator<Item = N>) -> Self {
        self.select.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Only records for which this holds; a second call narrows further.
    pub fn filter(mut self, criteria: Criteria) -> Self {
        self.criteria = Some(match self.criteria.take() {
            Some(before) => before.and(criteria),
            None => criteria,
        });
        self
    }

    /// Sorts by a field, smallest first; further calls decide between equals. `PK_ID` is always last.
    pub fn order_by(mut self, field: impl Into<String>) -> Self {
        self.order.push((field.into(), false));
        self
    }

    /// Sorts by a field, largest first.
    pub fn order_by_descending(mut self, field: impl Into<String>) -> Self {
        self.order.push((field.into(), true));
        self
    }

    /// At most so many records.
    pub fn limit(mut self, records: u32) -> Self {
        self.limit = Some(records);
        self
    }

    pub(crate) fn into_raw(self) -> raw::Query {
        raw::Query {
            select: self.select,
            criteria: self.criteria.map(Criteria::into_raw),
            order: self
                .order
                .into_iter()
                .map(|(field, descending)| raw::SortKey { field, descending })
                .collect(),
            limit: self.limit,
        }
    }
}

/// All fields of the records for which it holds.
impl From<Criteria> for Query {
    fn from(criteria: Criteria) -> Self {
        Self::new().filter(criteria)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field;

    #[test]
    fn parts_add_up() {
        let query = Query::new()
            .select(["a"])
            .select(["b"])
            .filter(field("a").equals(1))
            .filter(field("b").equals(2).or(field("c").equals(3)))
            .order_by("a")
            .order_by_descending("b")
            .limit(3)
            .into_raw();
        assert_eq!(query.select, ["a", "b"]);
        assert_eq!(query.criteria.map(|nodes| nodes.len()), Some(5));
        let order: Vec<_> = query.order.into_iter().map(|key| (key.field, key.descending)).collect();
        assert_eq!(order, [("a".to_owned(), false), ("b".to_owned(), true)]);
        assert_eq!(query.limit, Some(3));
        assert!(Query::new().into_raw().criteria.is_none());
    }
}
