//! Which records are meant: a tree of comparisons, built in Rust and sent as typed values.
//!
//! Values are no text of a query, so there is nothing to escape. Limits on the size of a tree are the host's; it
//! answers `invalid` or `too-large`. A condition that comes as text is parsed by the host; see [`condition`].

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use crate::Value;
use crate::raw::caspian::workflow::records as raw;

/// Which records are meant.
///
/// ```
/// use caspian_sdk::{field, not};
///
/// let open = field("Status").equals("Open").and(field("DueDate").is_not_empty());
/// let mine = open.and(field("Owner").equals("me").or(not(field("Owner").is_not_empty())));
/// ```
#[derive(Clone, PartialEq)]
#[must_use]
pub struct Criteria(Node);

#[derive(Clone, PartialEq)]
enum Node {
    Compare { field: String, operator: Operator },
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Text(String),
}

#[derive(Clone, PartialEq)]
enum Operator {
    Equals(Value),
    NotEquals(Value),
    Less(Value),
    LessOrEqual(Value),
    Greater(Value),
    GreaterOrEqual(Value),
    Contains(String),
    StartsWith(String),
    Like(String),
    AnyOf(Vec<Value>),
    IsEmpty,
    IsNotEmpty,
}

/// A field to compare; see [`field`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Field(String);

/// Names a field to compare: `field("Email").equals("…")`.
pub fn field(name: impl Into<String>) -> Field {
    Field(name.into())
}

/// The record with this `PK_ID`.
pub fn pk_id(id: i64) -> Criteria {
    field("PK_ID").equals(id)
}

/// A condition as text, e.g. from a setting: `Status = 'Open' AND (Age >= 18 OR Guardian IS NOT NULL)`. Fields are compared
/// with constants by = <> < <= > >= LIKE, IN, BETWEEN and IS NULL; the host parses it and refuses all else. Don't build
/// it of values: [`field`] takes them as they are.
pub fn condition(text: impl Into<String>) -> Criteria {
    Criteria(Node::Text(text.into()))
}

/// The criteria does not hold. `!criteria` is the same.
pub fn not(criteria: Criteria) -> Criteria {
    Criteria(Node::Not(Box::new(criteria.0)))
}

impl Field {
    fn is(self, operator: Operator) -> Criteria {
        Criteria(Node::Compare { field: self.0, operator })
    }

    /// Equal. Text is compared as Caspio does: without regard to case. Null equals nothing: use
    /// [`Field::is_empty`].
    pub fn equals(self, value: impl Into<Value>) -> Criteria {
        self.is(Operator::Equals(value.into()))
    }

    /// Not equal; a null field matches neither this nor [`Field::equals`].
    pub fn not_equals(self, value: impl Into<Value>) -> Criteria {
        self.is(Operator::NotEquals(value.into()))
    }

    /// Less than.
    pub fn less(self, value: impl Into<Value>) -> Criteria {
        self.is(Operator::Less(value.into()))
    }

    /// Less than or equal.
    pub fn less_or_equal(self, value: impl Into<Value>) -> Criteria {
        self.is(Operator::LessOrEqual(value.into()))
    }

    /// Greater than.
    pub fn greater(self, value: impl Into<Value>) -> Criteria {
        self.is(Operator::Greater(value.into()))
    }

    /// Greater than or equal.
    pub fn greater_or_equal(self, value: impl Into<Value>) -> Criteria {
        self.is(Operator::GreaterOrEqual(value.into()))
    }

    /// Text that contains this text; `%` and `_` in it are ordinary characters.
    pub fn contains(self, text: impl Into<String>) -> Criteria {
        self.is(Operator::Contains(text.into()))
    }

    /// Text that starts with this text; `%` and `_` in it are ordinary characters.
    pub fn starts_with(self, text: impl Into<String>) -> Criteria {
        self.is(Operator::StartsWith(text.into()))
    }

    /// From the first to the second value, both included.
    pub fn between(self, from: impl Into<Value>, to: impl Into<Value>) -> Criteria {
        let name = self.0.clone();
        self.greater_or_equal(from).and(field(name).less_or_equal(to))
    }

    /// Text that matches a pattern: `%` is any text, `_` any character, `[a-z]` one of these, `[^a]` none of them. For what
    /// comes from people take [`Field::contains`] or [`Field::starts_with`].
    pub fn like(self, pattern: impl Into<String>) -> Criteria {
        self.is(Operator::Like(pattern.into()))
    }

    /// One of these values. None of them: matches nothing.
    pub fn any_of<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Criteria {
        self.is(Operator::AnyOf(values.into_iter().map(Into::into).collect()))
    }

    /// Null, or text of length 0.
    pub fn is_empty(self) -> Criteria {
        self.is(Operator::IsEmpty)
    }

    /// Neither null nor text of length 0.
    pub fn is_not_empty(self) -> Criteria {
        self.is(Operator::IsNotEmpty)
    }
}

impl Criteria {
    /// All of these hold. None of them: true.
    pub fn all(criteria: impl IntoIterator<Item = Criteria>) -> Self {
        Self(Node::All(criteria.into_iter().map(|c| c.0).collect()))
    }

    /// At least one of these holds. None of them: false.
    pub fn any(criteria: impl IntoIterator<Item = Criteria>) -> Self {
        Self(Node::Any(criteria.into_iter().map(|c| c.0).collect()))
    }

    /// Both hold.
    pub fn and(self, other: Criteria) -> Self {
        match self.0 {
            Node::All(mut list) => {
                list.push(other.0);
                Self(Node::All(list))
            }
            node => Self(Node::All(vec![node, other.0])),
        }
    }

    /// At least one of the two holds.
    pub fn or(self, other: Criteria) -> Self {
        match self.0 {
            Node::Any(mut list) => {
                list.push(other.0);
                Self(Node::Any(list))
            }
            node => Self(Node::Any(vec![node, other.0])),
        }
    }

    /// The contract's list of nodes, level by level: the root first, children always behind their
    /// parent. A loop and not a recursion, so that a deep tree costs no stack.
    pub(crate) fn into_raw(self) -> raw::Criteria {
        let mut flat = Vec::new();
        let mut waiting = VecDeque::from([self.0]);
        // The index that the next node put into `waiting` will get.
        let mut next = 1_u32;
        while let Some(node) = waiting.pop_front() {
            let mut place = |children: Vec<Node>| -> Range<u32> {
                let first = next;
                next = next.saturating_add(u32::try_from(children.len()).unwrap_or(u32::MAX));
                waiting.extend(children);
                first..next
            };
            flat.push(match node {
                Node::Compare { field, operator } => {
                    raw::Criterion::Compare(raw::Comparison { field, operator: operator.into_raw() })
                }
                Node::All(children) => raw::Criterion::All(place(children).collect()),
                Node::Any(children) => raw::Criterion::Any(place(children).collect()),
                Node::Not(child) => raw::Criterion::Not(place(vec![*child]).start),
                Node::Text(text) => raw::Criterion::Text(text),
            });
        }
        flat
    }
}

impl std::ops::Not for Criteria {
    type Output = Self;

    fn not(self) -> Self {
        not(self)
    }
}

impl Operator {
    fn into_raw(self) -> raw::Operator {
        match self {
            Self::Equals(value) => raw::Operator::Equals(value.into_raw()),
            Self::NotEquals(value) => raw::Operator::NotEquals(value.into_raw()),
            Self::Less(value) => raw::Operator::Less(value.into_raw()),
            Self::LessOrEqual(value) => raw::Operator::LessOrEqual(value.into_raw()),
            Self::Greater(value) => raw::Operator::Greater(value.into_raw()),
            Self::GreaterOrEqual(value) => raw::Operator::GreaterOrEqual(value.into_raw()),
            Self::Contains(text) => raw::Operator::Contains(text),
            Self::StartsWith(text) => raw::Operator::StartsWith(text),
            Self::Like(pattern) => raw::Operator::Like(pattern),
            Self::AnyOf(values) => raw::Operator::AnyOf(values.into_iter().map(Value::into_raw).collect()),
            Self::IsEmpty => raw::Operator::IsEmpty,
            Self::IsNotEmpty => raw::Operator::IsNotEmpty,
        }
    }
}

/// Shows the shape and the fields, no operator and no value.
impl fmt::Debug for Criteria {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { field, .. } => write!(f, "{field}(…)"),
            Self::All(list) => f.debug_tuple("all").field(list).finish(),
            Self::Any(list) => f.debug_tuple("any").field(list).finish(),
            Self::Not(node) => f.debug_tuple("not").field(node).finish(),
            Self::Text(_) => f.write_str("condition(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name`, `all[..]`, `any[..]`, `not n`, in the list's order.
    fn shape(criteria: Criteria) -> Vec<String> {
        criteria
            .into_raw()
            .into_iter()
            .map(|node| match node {
                raw::Criterion::Compare(comparison) => comparison.field,
                raw::Criterion::All(list) => format!("all{list:?}"),
                raw::Criterion::Any(list) => format!("any{list:?}"),
                raw::Criterion::Not(index) => format!("not {index}"),
                raw::Criterion::Text(text) => text,
            })
            .collect()
    }

    fn f(name: &str) -> Criteria {
        field(name).equals(1)
    }

    #[test]
    fn one_comparison_is_the_root() {
        assert_eq!(shape(f("a")), ["a"]);
    }

    #[test]
    fn chains_become_one_node() {
        assert_eq!(shape(f("a").and(f("b")).and(f("c"))), ["all[1, 2, 3]", "a", "b", "c"]);
        assert_eq!(shape(f("a").or(f("b"))), ["any[1, 2]", "a", "b"]);
        assert_eq!(shape(f("a").and(condition("b = 1"))), ["all[1, 2]", "a", "b = 1"]);
        assert_eq!(shape(field("a").between(1, 2)), ["all[1, 2]", "a", "a"]);
    }

    #[test]
    fn children_come_after_their_parent() {
        let tree = f("a").or(f("b")).and(not(f("c").and(f("d")))).and(!f("e"));
        let flat = ["all[1, 2, 3]", "any[4, 5]", "not 6", "not 7", "a", "b", "all[8, 9]", "e", "c", "d"];
        assert_eq!(shape(tree), flat);
    }

    #[test]
    fn empty_lists_stay_empty() {
        assert_eq!(shape(Criteria::all([])), ["all[]"]);
        assert_eq!(shape(Criteria::any([]).and(f("a"))), ["all[1, 2]", "any[]", "a"]);
    }

    #[test]
    fn every_node_but_the_root_has_one_parent() {
        let mut tree = f("x");
        for i in 0..200 {
            tree = match i % 3 {
                0 => tree.and(f("y").or(f("z"))),
                1 => tree.or(!f("y")),
                _ => not(tree),
            };
        }
        let flat = tree.into_raw();
        let mut children = Vec::new();
        for (index, node) in flat.iter().enumerate() {
            let own = match node {
                raw::Criterion::Compare(_) | raw::Criterion::Text(_) => Vec::new(),
                raw::Criterion::All(list) | raw::Criterion::Any(list) => list.clone(),
                raw::Criterion::Not(child) => vec![*child],
            };
            assert!(own.iter().all(|child| *child as usize > index));
            children.extend(own);
        }
        children.sort_unstable();
        let expected: Vec<u32> = (1..u32::try_from(flat.len()).unwrap()).collect();
        assert_eq!(children, expected);
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!(
            "{:?}",
            field("Email").equals("ann").or(condition("Name = 'ann'")).or(field("Name").like("ann"))
        );
        assert_eq!(shown, "any([Email(…), condition(…), Name(…)])");
    }
}
