//! Which records are meant: a typed tree. Text of a query never comes from a guest.

use serde::{Deserialize, Serialize};

use super::Value;

/// How a field is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// `=`
    Equals(Value),
    /// `<>`
    NotEquals(Value),
    /// `<`
    Less(Value),
    /// `<=`
    LessOrEqual(Value),
    /// `>`
    Greater(Value),
    /// `>=`
    GreaterOrEqual(Value),
    /// Text that contains this text.
    Contains(String),
    /// Text that starts with this text.
    StartsWith(String),
    /// Text that matches a pattern of SQL Server's LIKE: `%`, `_`, `[a-z]`, `[^a]`.
    Like(String),
    /// One of these. Empty: none.
    AnyOf(Vec<Value>),
    /// Null or "".
    IsEmpty,
    /// Neither null nor "".
    IsNotEmpty,
}

/// A tree of comparisons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criteria {
    /// One comparison.
    Compare {
        /// The field.
        field: String,
        /// How.
        operator: Operator,
    },
    /// All hold. Empty: true.
    All(Vec<Criteria>),
    /// At least one holds. Empty: false.
    Any(Vec<Criteria>),
    /// It does not hold.
    Not(Box<Criteria>),
}

impl Criteria {
    /// `PK_ID = id`.
    #[must_use]
    pub fn pk_id(id: i64) -> Self {
        Self::Compare { field: "PK_ID".to_owned(), operator: Operator::Equals(Value::Integer(id)) }
    }

    /// The id, when this says exactly `PK_ID = id`.
    #[must_use]
    pub fn as_pk_id(&self) -> Option<i64> {
        match self {
            Self::Compare { field, operator: Operator::Equals(Value::Integer(id)) }
                if field.eq_ignore_ascii_case("PK_ID") =>
            {
                Some(*id)
            }
            Self::All(list) | Self::Any(list) => match list.as_slice() {
                [one] => one.as_pk_id(),
                _ => None,
            },
            _ => None,
        }
    }

    /// False when every record matches whatever it holds, e.g. an empty `All`.
    #[must_use]
    pub fn restricts(&self) -> bool {
        match self {
            Self::Compare { .. } => true,
            Self::All(list) => list.iter().any(Self::restricts),
            Self::Any(list) => list.iter().all(Self::restricts),
            Self::Not(inner) => !inner.fields().is_empty(),
        }
    }

    /// Levels of the tree; one comparison has one.
    #[must_use]
    pub fn depth(&self) -> usize {
        match self {
            Self::Compare { .. } => 1,
            Self::All(list) | Self::Any(list) => 1 + list.iter().map(Self::depth).max().unwrap_or(0),
            Self::Not(inner) => 1 + inner.depth(),
        }
    }

    /// Names of all fields it compares.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Compare { field, .. } => vec![field.as_str()],
            Self::All(list) | Self::Any(list) => list.iter().flat_map(Self::fields).collect(),
            Self::Not(inner) => inner.fields(),
        }
    }
}
