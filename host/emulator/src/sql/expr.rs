//! The tree that conditions and values compile to, and its evaluation.
//!
//! Conditions ([`Predicate`]) and values ([`Scalar`]) are different types, as in T-SQL: a YES/NO
//! field alone is no condition. Conditions have three outcomes; `None` is unknown. Names are
//! resolved already, so evaluation fails only where a value does not convert.

use std::cmp::Ordering;

use super::compare::{compare, to_number, to_text};
use super::functions::{Function, call};
use super::like::Pattern;
use crate::data::{Row, Value};
use crate::error::ApiError;

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    PkId,
    Column(usize),
    Literal(Value),
    /// The n-th aggregate of the query.
    Aggregate(usize),
    Negative(Box<Scalar>),
    Arithmetic(Operator, Box<Scalar>, Box<Scalar>),
    Call(Function, Vec<Scalar>),
    Case(Vec<(Predicate, Scalar)>, Box<Scalar>),
}

/// `+ - * / %`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A condition on a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    Constant(Option<bool>),
    Compare(Scalar, Comparison, Scalar),
    Like {
        value: Scalar,
        pattern: Scalar,
        escape: Option<char>,
    },
    In(Scalar, Vec<Scalar>),
    IsNull(Scalar),
    /// A chain is flat, so its length costs no depth.
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// What an expression is evaluated over.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// No row: an aggregate over nothing.
    pub row: Option<&'a Row>,
    pub aggregates: &'a [Value],
}

impl Scalar {
    /// The value.
    pub fn value(&self, scope: Scope<'_>) -> Result<Value, ApiError> {
        match self {
            Self::PkId => Ok(scope
                .row
                .map_or(Value::Null, |row| Value::Number(crate::data::Decimal::from_i64(row.pk_id)))),
            Self::Column(at) => {
                Ok(scope.row.and_then(|row| row.values.get(*at)).cloned().unwrap_or(Value::Null))
            }
            Self::Literal(value) => Ok(value.clone()),
            Self::Aggregate(at) => Ok(scope.aggregates.get(*at).cloned().unwrap_or(Value::Null)),
            Self::Negative(inner) => match inner.value(scope)? {
                Value::Null => Ok(Value::Null),
                value => Ok(Value::Number(to_number(&value)?.neg())),
            },
            Self::Arithmetic(operator, left, right) => {
                arithmetic(*operator, &left.value(scope)?, &right.value(scope)?)
            }
            Self::Call(function, arguments) => {
                let values: Result<Vec<Value>, ApiError> =
                    arguments.iter().map(|argument| argument.value(scope)).collect();
                call(*function, &values?)
            }
            Self::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    if condition.truth(scope)? == Some(true) {
                        return result.value(scope);
                    }
                }
                otherwise.value(scope)
            }
        }
    }

    /// Whether every column in it is under one of `allowed`, as `GROUP BY` demands.
    pub fn covered_by(&self, allowed: &[Scalar]) -> bool {
        if allowed.contains(self) {
            return true;
        }
        match self {
            Self::PkId | Self::Column(_) => false,
            Self::Literal(_) | Self::Aggregate(_) => true,
            Self::Negative(inner) => inner.covered_by(allowed),
            Self::Arithmetic(_, left, right) => left.covered_by(allowed) && right.covered_by(allowed),
            Self::Call(_, arguments) => arguments.iter().all(|argument| argument.covered_by(allowed)),
            Self::Case(branches, otherwise) => {
                branches.iter().all(|(_, result)| result.covered_by(allowed)) && otherwise.covered_by(allowed)
            }
        }
    }
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, ApiError> {
    if matches!(left, Value::Null) || matches!(right, Value::Null) {
        return Ok(Value::Null);
    }
    if operator == Operator::Add && matches!((left, right), (Value::Text(_), Value::Text(_))) {
        let (left, right) = (to_text(left)?.unwrap_or_default(), to_text(right)?.unwrap_or_default());
        return Ok(Value::Text(left + &right));
    }
    let (left, right) = (to_number(left)?, to_number(right)?);
    let result = match operator {
        Operator::Add => left.add(right),
        Operator::Subtract => left.add(right.neg()),
        Operator::Multiply => left.mul(right),
        Operator::Divide => left.div(right),
        Operator::Modulo => left
            .div(right)
            .map(|quotient| quotient.cut(0))
            .and_then(|whole| left.add(whole.mul(right)?.neg())),
    };
    result
        .map(Value::Number)
        .ok_or_else(|| ApiError::query("Arithmetic overflow or division by zero. Correct the expression."))
}

impl Predicate {
    /// True, false, or unknown.
    pub fn truth(&self, scope: Scope<'_>) -> Result<Option<bool>, ApiError> {
        match self {
            Self::Constant(truth) => Ok(*truth),
            Self::Compare(left, comparison, right) => {
                let ordering = compare(&left.value(scope)?, &right.value(scope)?)?;
                Ok(ordering.map(|ordering| comparison.holds(ordering)))
            }
            Self::Like { value, pattern, escape } => {
                let (value, pattern) = (to_text(&value.value(scope)?)?, to_text(&pattern.value(scope)?)?);
                Ok(value.zip(pattern).map(|(value, pattern)| Pattern::new(&pattern, *escape).matches(&value)))
            }
            Self::In(value, items) => {
                let value = value.value(scope)?;
                let mut unknown = matches!(value, Value::Null);
                for item in items {
                    match compare(&value, &item.value(scope)?)? {
                        Some(Ordering::Equal) => return Ok(Some(true)),
                        Some(_) => {}
                        None => unknown = true,
                    }
                }
                Ok(if unknown && !items.is_empty() { None } else { Some(false) })
            }
            Self::IsNull(value) => Ok(Some(matches!(value.value(scope)?, Value::Null))),
            Self::And(parts) => chain(parts, scope, false),
            Self::Or(parts) => chain(parts, scope, true),
            Self::Not(inner) => Ok(inner.truth(scope)?.map(|truth| !truth)),
        }
    }

    /// The one row it can match, when it is tied to a `PK_ID`: saves a scan.
    pub fn pinned(&self) -> Option<i64> {
        match self {
            Self::Compare(Scalar::PkId, Comparison::Equal, Scalar::Literal(value)) => {
                to_number(value).ok().and_then(crate::data::Decimal::to_i64)
            }
            Self::And(parts) => parts.iter().find_map(Self::pinned),
            _ => None,
        }
    }
}

/// `AND` (decided by false) and `OR` (decided by true); unknown when nothing decides and a part is.
fn chain(parts: &[Predicate], scope: Scope<'_>, decider: bool) -> Result<Option<bool>, ApiError> {
    let mut unknown = false;
    for part in parts {
        match part.truth(scope)? {
            Some(truth) if truth == decider => return Ok(Some(decider)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok((!unknown).then_some(!decider))
}
