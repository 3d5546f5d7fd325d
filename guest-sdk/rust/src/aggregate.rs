//! Numbers over many records: how many, sums, means, smallest and largest, by groups.

use crate::Criteria;
use crate::raw::caspian::workflow::{aggregates as raw, records};

/// What to reckon. Every number gets a name, by which the row of the result has it.
///
/// ```
/// use caspian_sdk::{Aggregate, field};
///
/// let by_status = Aggregate::new()
///     .count("visits")
///     .sum("billed", "Fee")
///     .group_by("Status")
///     .filter(field("StartsAt").greater_or_equal("2026-01-01"))
///     .order_by_descending("visits")
///     .limit(10);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct Aggregate {
    numbers: Vec<(String, Function, Option<String>)>,
    group_by: Vec<String>,
    criteria: Option<Criteria>,
    order: Vec<(String, bool)>,
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Count,
    CountDistinct,
    Sum,
    Average,
    Minimum,
    Maximum,
}

impl Aggregate {
    /// Nothing yet; at least one number is needed.
    pub fn new() -> Self {
        Self::default()
    }

    fn number(mut self, name: impl Into<String>, function: Function, field: Option<String>) -> Self {
        self.numbers.push((name.into(), function, field));
        self
    }

    /// How many records.
    pub fn count(self, name: impl Into<String>) -> Self {
        self.number(name, Function::Count, None)
    }

    /// How many records have a value in the field.
    pub fn count_of(self, name: impl Into<String>, field: impl Into<String>) -> Self {
        self.number(name, Function::Count, Some(field.into()))
    }

    /// How many different values the field has.
    pub fn count_distinct(self, name: impl Into<String>, field: impl Into<String>) -> Self {
        self.number(name, Function::CountDistinct, Some(field.into()))
    }

    /// The sum of a number field; null over no values.
    pub fn sum(self, name: impl Into<String>, field: impl Into<String>) -> Self {
        self.number(name, Function::Sum, Some(field.into()))
    }

    /// The mean of a number field; null over no values.
    pub fn average(self, name: impl Into<String>, field: impl Into<String>) -> Self {
        self.number(name, Function::Average, Some(field.into()))
    }

    /// The smallest value; null over no values.
    pub fn minimum(self, name: impl Into<String>, field: impl Into<String>) -> Self {
        self.number(name, Function::Minimum, Some(field.into()))
    }

    /// The largest value; null over no values.
    pub fn maximum(self, name: impl Into<String>, field: impl Into<String>) -> Self {
        self.number(name, Function::Maximum, Some(field.into()))
    }

    /// One row for each value of the field; further calls make a row for each combination.
    pub fn group_by(mut self, field: impl Into<String>) -> Self {
        self.group_by.push(field.into());
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

    /// Sorts by a grouped field or a number's name, smallest first; the grouped fields are always last.
    pub fn order_by(mut self, name: impl Into<String>) -> Self {
        self.order.push((name.into(), false));
        self
    }

    /// Sorts by a grouped field or a number's name, largest first.
    pub fn order_by_descending(mut self, name: impl Into<String>) -> Self {
        self.order.push((name.into(), true));
        self
    }

    /// At most so many rows.
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    pub(crate) fn into_raw(self) -> raw::Aggregation {
        let number = |(name, function, field)| raw::Aggregate {
            name,
            function: match function {
                Function::Count => raw::Function::Count,
                Function::CountDistinct => raw::Function::CountDistinct,
                Function::Sum => raw::Function::Sum,
                Function::Average => raw::Function::Average,
                Function::Minimum => raw::Function::Minimum,
                Function::Maximum => raw::Function::Maximum,
            },
            field,
        };
        raw::Aggregation {
            aggregates: self.numbers.into_iter().map(number).collect(),
            group_by: self.group_by,
            criteria: self.criteria.map(Criteria::into_raw),
            order: self
                .order
                .into_iter()
                .map(|(field, descending)| records::SortKey { field, descending })
                .collect(),
            limit: self.limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field;

    #[test]
    fn parts_add_up() {
        let raw = Aggregate::new()
            .count("n")
            .sum("s", "Fee")
            .group_by("A")
            .group_by("B")
            .filter(field("A").equals(1))
            .filter(field("B").equals(2))
            .order_by_descending("s")
            .limit(3)
            .into_raw();
        let names: Vec<_> = raw.aggregates.iter().map(|number| number.name.as_str()).collect();
        assert_eq!(names, ["n", "s"]);
        assert!(matches!(raw.aggregates[1].function, raw::Function::Sum));
        assert_eq!(raw.aggregates[0].field, None);
        assert_eq!(raw.group_by, ["A", "B"]);
        assert_eq!(raw.criteria.map(|nodes| nodes.len()), Some(3));
        assert!(raw.order[0].descending && raw.limit == Some(3));
    }
}
