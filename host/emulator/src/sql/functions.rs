//! The scalar functions of T-SQL that clients of Caspio use.
//!
//! Arguments are evaluated before the call. Null in, null out, except for `ISNULL`, `COALESCE` and
//! `CONCAT`. Dates are the account's wall clock, which is UTC here.

use jiff::{ToSpan, civil::DateTime};

use super::compare::{to_date, to_number, to_text};
use crate::data::{Decimal, Value};
use crate::environment;
use crate::error::ApiError;

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatePart {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl DatePart {
    /// By its name or abbreviation.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" | "yy" | "yyyy" => Self::Year,
            "month" | "mm" | "m" => Self::Month,
            "day" | "dd" | "d" => Self::Day,
            "hour" | "hh" => Self::Hour,
            "minute" | "mi" | "n" => Self::Minute,
            "second" | "ss" | "s" => Self::Second,
            _ => return None,
        })
    }
}

/// A function by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Now,
    Upper,
    Lower,
    Length,
    TrimStart,
    TrimEnd,
    Trim,
    Coalesce,
    Absolute,
    Left,
    Right,
    Substring,
    Concat,
    Replace,
    Part(DatePart),
    Add(DatePart),
    Difference(DatePart),
    ToText,
    ToNumber,
    ToInteger,
    ToDate,
    ToDay,
}

impl Function {
    /// A plain function (not one that takes a date part or a type) and how many arguments it has.
    pub fn parse(name: &str) -> Option<(Self, std::ops::RangeInclusive<usize>)> {
        Some(match name.to_ascii_lowercase().as_str() {
            "getdate" | "getutcdate" | "sysdatetime" | "sysutcdatetime" => (Self::Now, 0..=0),
            "upper" => (Self::Upper, 1..=1),
            "lower" => (Self::Lower, 1..=1),
            "len" => (Self::Length, 1..=1),
            "ltrim" => (Self::TrimStart, 1..=1),
            "rtrim" => (Self::TrimEnd, 1..=1),
            "trim" => (Self::Trim, 1..=1),
            "isnull" => (Self::Coalesce, 2..=2),
            "coalesce" => (Self::Coalesce, 2..=64),
            "abs" => (Self::Absolute, 1..=1),
            "left" => (Self::Left, 2..=2),
            "right" => (Self::Right, 2..=2),
            "substring" => (Self::Substring, 3..=3),
            "concat" => (Self::Concat, 2..=64),
            "replace" => (Self::Replace, 3..=3),
            "year" => (Self::Part(DatePart::Year), 1..=1),
            "month" => (Self::Part(DatePart::Month), 1..=1),
            "day" => (Self::Part(DatePart::Day), 1..=1),
            _ => return None,
        })
    }
}

fn text(value: &Value) -> Result<String, ApiError> {
    Ok(to_text(value)?.unwrap_or_default())
}

fn whole(value: &Value) -> Result<i64, ApiError> {
    to_number(value)?
        .cut(0)
        .to_i64()
        .ok_or_else(|| ApiError::query("A number in a function is out of range."))
}

fn count(value: &Value) -> Result<usize, ApiError> {
    usize::try_from(whole(value)?)
        .map_err(|_| ApiError::query("A length in a function must not be negative."))
}

fn number(value: i64) -> Value {
    Value::Number(Decimal::from_i64(value))
}

/// Calls a function.
pub fn call(function: Function, arguments: &[Value]) -> Result<Value, ApiError> {
    match function {
        Function::Now => return Ok(Value::Date(environment::now())),
        Function::Coalesce => {
            return Ok(arguments
                .iter()
                .find(|value| !matches!(value, Value::Null))
                .cloned()
                .unwrap_or(Value::Null));
        }
        Function::Concat => {
            let parts: Result<Vec<String>, ApiError> = arguments.iter().map(text).collect();
            return Ok(Value::Text(parts?.concat()));
        }
        _ => {}
    }
    if arguments.iter().any(|value| matches!(value, Value::Null)) {
        return Ok(Value::Null);
    }
    let null = Value::Null;
    let argument = |at: usize| arguments.get(at).unwrap_or(&null);
    Ok(match function {
        Function::Upper => Value::Text(text(argument(0))?.to_uppercase()),
        Function::Lower => Value::Text(text(argument(0))?.to_lowercase()),
        Function::Length => {
            let length = text(argument(0))?.trim_end_matches(' ').chars().count();
            number(i64::try_from(length).unwrap_or(i64::MAX))
        }
        Function::TrimStart => Value::Text(text(argument(0))?.trim_start_matches(' ').to_owned()),
        Function::TrimEnd => Value::Text(text(argument(0))?.trim_end_matches(' ').to_owned()),
        Function::Trim => Value::Text(text(argument(0))?.trim_matches(' ').to_owned()),
        Function::Absolute => {
            let value = to_number(argument(0))?;
            Value::Number(if value < Decimal::ZERO { value.neg() } else { value })
        }
        Function::Left => Value::Text(text(argument(0))?.chars().take(count(argument(1))?).collect()),
        Function::Right => {
            let chars: Vec<char> = text(argument(0))?.chars().collect();
            let skip = chars.len().saturating_sub(count(argument(1))?);
            Value::Text(chars.into_iter().skip(skip).collect())
        }
        Function::Substring => {
            let start = whole(argument(1))?;
            let end = start.saturating_add(whole(argument(2))?);
            let chars = (1_i64..).zip(text(argument(0))?.chars().collect::<Vec<_>>());
            Value::Text(chars.filter(|(at, _)| *at >= start && *at < end).map(|(_, c)| c).collect())
        }
        Function::Replace => {
            let (subject, old, new) = (text(argument(0))?, text(argument(1))?, text(argument(2))?);
            Value::Text(if old.is_empty() { subject } else { subject.replace(&old, &new) })
        }
        Function::Part(part) => number(part_of(to_date(argument(0))?, part)),
        Function::Add(part) => Value::Date(add(to_date(argument(1))?, part, whole(argument(0))?)?),
        Function::Difference(part) => {
            number(boundaries(to_date(argument(1))?, part) - boundaries(to_date(argument(0))?, part))
        }
        Function::ToText => Value::Text(text(argument(0))?),
        Function::ToNumber => Value::Number(to_number(argument(0))?),
        Function::ToInteger => Value::Number(to_number(argument(0))?.cut(0)),
        Function::ToDate => Value::Date(to_date(argument(0))?),
        Function::ToDay => Value::Date(to_date(argument(0))?.date().at(0, 0, 0, 0)),
        Function::Now | Function::Coalesce | Function::Concat => Value::Null,
    })
}

fn part_of(date: DateTime, part: DatePart) -> i64 {
    match part {
        DatePart::Year => i64::from(date.year()),
        DatePart::Month => i64::from(date.month()),
        DatePart::Day => i64::from(date.day()),
        DatePart::Hour => i64::from(date.hour()),
        DatePart::Minute => i64::from(date.minute()),
        DatePart::Second => i64::from(date.second()),
    }
}

/// How many borders of the part lie before the date; `DATEDIFF` counts borders.
fn boundaries(date: DateTime, part: DatePart) -> i64 {
    let months = i64::from(date.year()) * 12 + i64::from(date.month());
    let epoch = jiff::civil::date(1970, 1, 1);
    let days = date.date().since(epoch).map_or(0, |span| i64::from(span.get_days()));
    let seconds = i64::from(date.hour()) * 3600 + i64::from(date.minute()) * 60 + i64::from(date.second());
    match part {
        DatePart::Year => i64::from(date.year()),
        DatePart::Month => months,
        DatePart::Day => days,
        DatePart::Hour => days * 24 + seconds / 3600,
        DatePart::Minute => days * 1440 + seconds / 60,
        DatePart::Second => days * 86_400 + seconds,
    }
}

fn add(date: DateTime, part: DatePart, n: i64) -> Result<DateTime, ApiError> {
    let refuse = || ApiError::query("A date is out of range. Correct the expression.");
    // Beyond this no date exists, and a span of it would not either.
    if n.abs() > 10_000 * 366 * 86_400 {
        return Err(refuse());
    }
    let span = match part {
        DatePart::Year => jiff::Span::new().try_years(n),
        DatePart::Month => jiff::Span::new().try_months(n),
        DatePart::Day => jiff::Span::new().try_days(n),
        DatePart::Hour => jiff::Span::new().try_hours(n),
        DatePart::Minute => jiff::Span::new().try_minutes(n),
        DatePart::Second => Ok(n.seconds()),
    };
    date.checked_add(span.map_err(|_| refuse())?).map_err(|_| refuse())
}
