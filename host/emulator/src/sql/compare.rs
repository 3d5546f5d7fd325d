//! How two values compare in SQL Server.
//!
//! Text compares without regard to case and trailing blanks. Values of different types are brought
//! to the type of higher precedence (date, number, truth value, text); an empty text becomes 0 or
//! 1900-01-01, other text that does not convert is an error, as `Conversion failed …` there. Null
//! compares with nothing: the answer is `None`.

use std::cmp::Ordering;

use jiff::civil::{DateTime, date};

use crate::data::value::{fold, parse_date, text_truth};
use crate::data::{Decimal, Value};
use crate::error::ApiError;

/// Orders two values; `None` when one is null.
pub fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, ApiError> {
    let ordering = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return Ok(None),
        (Value::List(_), _) | (_, Value::List(_)) => {
            return Err(ApiError::query("A list field cannot be compared. Filter by another field."));
        }
        (Value::Text(left), Value::Text(right)) => fold(left).cmp(&fold(right)),
        (Value::Date(_), _) | (_, Value::Date(_)) => to_date(left)?.cmp(&to_date(right)?),
        (Value::Number(_), _) | (_, Value::Number(_)) => to_number(left)?.cmp(&to_number(right)?),
        _ => to_bool(left)?.cmp(&to_bool(right)?),
    };
    Ok(Some(ordering))
}

/// Orders two values in a result: nulls first, lists last and alike.
pub fn sort(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => compare(left, right).ok().flatten().unwrap_or(Ordering::Equal),
    }
}

fn failed(target: &str) -> ApiError {
    ApiError::query(format!("Conversion failed when converting a value to {target}. Correct the literal."))
}

/// As a number, the way SQL Server converts implicitly.
pub fn to_number(value: &Value) -> Result<Decimal, ApiError> {
    match value {
        Value::Number(number) => Ok(*number),
        Value::Bool(truth) => Ok(Decimal::from_i64(i64::from(*truth))),
        Value::Text(text) if text.trim().is_empty() => Ok(Decimal::ZERO),
        Value::Text(text) => Decimal::parse(text).ok_or_else(|| failed("a number")),
        _ => Err(failed("a number")),
    }
}

/// As a date.
pub fn to_date(value: &Value) -> Result<DateTime, ApiError> {
    match value {
        Value::Date(date) => Ok(*date),
        Value::Text(text) if text.trim().is_empty() => Ok(date(1900, 1, 1).at(0, 0, 0, 0)),
        Value::Text(text) => parse_date(text).ok_or_else(|| failed("a date")),
        _ => Err(failed("a date")),
    }
}

/// As a truth value.
pub fn to_bool(value: &Value) -> Result<bool, ApiError> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::Number(number) => Ok(!number.is_zero()),
        Value::Text(text) if text.trim().is_empty() => Ok(false),
        Value::Text(text) => text_truth(text).ok_or_else(|| failed("a YES/NO value")),
        _ => Err(failed("a YES/NO value")),
    }
}

/// As text; `None` for null.
pub fn to_text(value: &Value) -> Result<Option<String>, ApiError> {
    match value {
        Value::List(_) => Err(ApiError::query("A list field cannot be used as text.")),
        other => Ok(other.as_text()),
    }
}

/// One text for all values that are the same in `GROUP BY` and `DISTINCT`.
pub fn group_key(value: &Value) -> String {
    match value {
        Value::List(keys) => format!("{keys:?}"),
        other => other.as_text().map_or_else(|| "\u{0}".to_owned(), |text| format!("={}", fold(&text))),
    }
}
