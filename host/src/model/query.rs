//! What is asked of records: rows, or numbers over them.

use serde::{Deserialize, Serialize};

use super::Criteria;

/// A key to sort by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortKey {
    /// The field.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// A query for records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// Fields to read; empty: all.
    pub select: Vec<String>,
    /// Which records; none: all.
    pub criteria: Option<Criteria>,
    /// Order; `PK_ID` is always appended.
    pub order: Vec<SortKey>,
    /// At most so many records.
    pub limit: Option<u32>,
}

/// Where records are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A table.
    Table(String),
    /// A view.
    View(String),
}

/// How one number is made of many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AggregateFunction {
    /// How many records, or how many that have the field.
    Count,
    /// How many different values.
    CountDistinct,
    /// Sum.
    Sum,
    /// Mean.
    Average,
    /// Smallest.
    Minimum,
    /// Largest.
    Maximum,
}

/// One number of an aggregation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// What it is called in the result.
    pub name: String,
    /// How it is made.
    pub function: AggregateFunction,
    /// Of which field; none: of the records, with `count` only.
    pub field: Option<String>,
}

/// A query for numbers over records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Aggregation {
    /// The numbers.
    pub aggregates: Vec<Aggregate>,
    /// One row for each combination of values of these fields; empty: one row over all.
    pub group_by: Vec<String>,
    /// Which records; none: all.
    pub criteria: Option<Criteria>,
    /// Order, by grouped fields or by names of aggregates; the grouped fields are always appended.
    pub order: Vec<SortKey>,
    /// At most so many rows.
    pub limit: Option<u32>,
}
