//! One field's value, and how Rust types become one and are read from one.
//!
//! A value is typed by the table's schema, never guessed from its text. Reading is strict: a type
//! takes only the kinds that hold it without loss, anything else is an error that names field and
//! kinds. `Debug` shows the kind only.

use std::fmt;

use crate::raw::caspian::workflow::types;
use crate::{Date, DateTime, Error};

/// One item of a LIST field.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Choice {
    /// Caspio's id of the choice, stable while the field lives. 0 when only the label is known.
    pub key: u32,
    /// What people see.
    pub label: String,
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("choice(…)")
    }
}

/// A decimal number with its digits, e.g. "12.5000": NUMBER and CURRENCY lose nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(String);

impl Decimal {
    /// Reads "-12.50": an optional minus, digits, perhaps a point and digits. None for any other form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        (digits(whole) && digits(fraction)).then(|| Self(text.to_owned()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest binary floating-point number; digits may be lost.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("decimal(…)")
    }
}

/// One field's value; the cases are the contract's.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// No value. Caspio reads unset numbers, dates, files and lists so.
    Null,
    /// Text, also of ids and file paths. Unset text is "".
    Text(String),
    /// INTEGER, AUTONUMBER, `PK_ID`.
    Integer(i64),
    /// A binary floating-point number; the host itself only sends [`Value::Decimal`].
    Number(f64),
    /// NUMBER and CURRENCY with the digits that Caspio wrote.
    Decimal(String),
    /// YES/NO. Caspio reads unset as false.
    Boolean(bool),
    /// "2026-11-24".
    Date(String),
    /// "2026-11-24T15:04:05[.fff]", without zone.
    DateTime(String),
    /// LIST-STRING, LIST-NUMBER, LIST-DATE/TIME.
    Choices(Vec<Choice>),
    /// Binary content.
    Bytes(Vec<u8>),
}

impl Value {
    /// The kind's name, as the contract has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Text(_) => "text",
            Self::Integer(_) => "integer",
            Self::Number(_) => "number",
            Self::Decimal(_) => "decimal",
            Self::Boolean(_) => "boolean",
            Self::Date(_) => "date",
            Self::DateTime(_) => "date-time",
            Self::Choices(_) => "choices",
            Self::Bytes(_) => "bytes",
        }
    }

    /// No value, or text of length 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Null) || matches!(self, Self::Text(text) if text.is_empty())
    }

    pub(crate) fn from_raw(value: types::Value) -> Self {
        match value {
            types::Value::Null => Self::Null,
            types::Value::Text(text) => Self::Text(text),
            types::Value::Integer(number) => Self::Integer(number),
            types::Value::Number(number) => Self::Number(number),
            types::Value::Decimal(text) => Self::Decimal(text),
            types::Value::Boolean(yes) => Self::Boolean(yes),
            types::Value::Date(text) => Self::Date(text),
            types::Value::DateTime(text) => Self::DateTime(text),
            types::Value::Choices(choices) => Self::Choices(
                choices.into_iter().map(|choice| Choice { key: choice.key, label: choice.label }).collect(),
            ),
            types::Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }

    pub(crate) fn into_raw(self) -> types::Value {
        match self {
            Self::Null => types::Value::Null,
            Self::Text(text) => types::Value::Text(text),
            Self::Integer(number) => types::Value::Integer(number),
            Self::Number(number) => types::Value::Number(number),
            Self::Decimal(text) => types::Value::Decimal(text),
            Self::Boolean(yes) => types::Value::Boolean(yes),
            Self::Date(text) => types::Value::Date(text),
            Self::DateTime(text) => types::Value::DateTime(text),
            Self::Choices(choices) => types::Value::Choices(
                choices
                    .into_iter()
                    .map(|choice| types::Choice { key: choice.key, label: choice.label })
                    .collect(),
            ),
            Self::Bytes(bytes) => types::Value::Bytes(bytes),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        if matches!(self, Self::Null) { Ok(()) } else { f.write_str("(…)") }
    }
}

macro_rules! into_value {
    ($($from:ty: $value:ident => $made:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $made
            }
        })*
    };
}

into_value! {
    &str: text => Self::Text(text.to_owned());
    String: text => Self::Text(text);
    &String: text => Self::Text(text.clone());
    i64: number => Self::Integer(number);
    i32: number => Self::Integer(number.into());
    u32: number => Self::Integer(number.into());
    f64: number => Self::Number(number);
    bool: yes => Self::Boolean(yes);
    Decimal: number => Self::Decimal(number.0);
    Date: day => Self::Date(day.to_string());
    DateTime: time => Self::DateTime(time.to_string());
    Vec<Choice>: choices => Self::Choices(choices);
    Vec<u8>: bytes => Self::Bytes(bytes);
}

/// None becomes [`Value::Null`].
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A type that can be read from a value, for [`Row::get`](crate::Row::get). `Option<T>` takes null too.
pub trait FromValue: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`Error::WrongKind`] or [`Error::Malformed`]; `field` is for their text.
    fn from_value(value: &Value, field: &str) -> Result<Self, Error>;
}

pub(crate) fn wrong_kind(value: &Value, field: &str, expected: &'static str) -> Error {
    Error::WrongKind { field: field.to_owned(), expected, found: value.kind() }
}

fn malformed(field: &str, expected: &'static str) -> Error {
    Error::Malformed { field: field.to_owned(), expected }
}

impl FromValue for Value {
    fn from_value(value: &Value, _: &str) -> Result<Self, Error> {
        Ok(value.clone())
    }
}

/// From text.
impl FromValue for String {
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(wrong_kind(other, field, "text")),
        }
    }
}

/// From integer.
impl FromValue for i64 {
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        match value {
            Value::Integer(number) => Ok(*number),
            other => Err(wrong_kind(other, field, "integer")),
        }
    }
}

/// From number, decimal or integer; the nearest binary number.
impl FromValue for f64 {
    #[allow(clippy::cast_precision_loss, reason = "the caller asked for a binary number")]
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        match value {
            Value::Number(number) => Ok(*number),
            Value::Integer(number) => Ok(*number as f64),
            Value::Decimal(text) => text.parse().map_err(|_| malformed(field, "number")),
            other => Err(wrong_kind(other, field, "number")),
        }
    }
}

/// From decimal or integer.
impl FromValue for Decimal {
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        match value {
            Value::Integer(number) => Ok((*number).into()),
            Value::Decimal(text) => Self::parse(text).ok_or_else(|| malformed(field, "decimal")),
            other => Err(wrong_kind(other, field, "decimal")),
        }
    }
}

/// From boolean.
impl FromValue for bool {
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        match value {
            Value::Boolean(yes) => Ok(*yes),
            other => Err(wrong_kind(other, field, "boolean")),
        }
    }
}

/// From date, or the day of a date-time.
impl FromValue for Date {
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        let day = match value {
            Value::Date(text) => Self::parse(text),
            Value::DateTime(text) => DateTime::parse(text).and_then(|time| time.date()),
            other => return Err(wrong_kind(other, field, "date")),
        };
        day.ok_or_else(|| malformed(field, "date"))
    }
}

/// From date-time.
impl FromValue for DateTime {
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        match value {
            Value::DateTime(text) => Self::parse(text).ok_or_else(|| malformed(field, "date-time")),
            other => Err(wrong_kind(other, field, "date-time")),
        }
    }
}

/// From choices.
impl FromValue for Vec<Choice> {
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        match value {
            Value::Choices(choices) => Ok(choices.clone()),
            other => Err(wrong_kind(other, field, "choices")),
        }
    }
}

/// From bytes.
impl FromValue for Vec<u8> {
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        match value {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            other => Err(wrong_kind(other, field, "bytes")),
        }
    }
}

/// None for null.
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value, field: &str) -> Result<Self, Error> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value, field).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_types_become_values() {
        assert_eq!(Value::from("x"), Value::Text("x".to_owned()));
        assert_eq!(Value::from(5), Value::Integer(5));
        assert_eq!(Value::from(5_u32), Value::Integer(5));
        assert_eq!(Value::from(0.5), Value::Number(0.5));
        assert_eq!(Value::from(Some(true)), Value::Boolean(true));
        assert_eq!(Value::from(None::<&str>), Value::Null);
        assert_eq!(Value::from(Date::new(2026, 1, 2)), Value::Date("2026-01-02".to_owned()));
        assert_eq!(Value::from(Decimal::parse("12.5000")), Value::Decimal("12.5000".to_owned()));
    }

    #[test]
    fn debug_shows_the_kind_only() {
        let choice = Choice { key: 77, label: "secret".to_owned() };
        let values = [
            Value::Null,
            Value::Text("secret".to_owned()),
            Value::Integer(77),
            Value::Number(77.5),
            Value::Decimal("77".to_owned()),
            Value::Boolean(true),
            Value::Date("1977-01-01".to_owned()),
            Value::DateTime("1977-01-01T00:00:00".to_owned()),
            Value::Choices(vec![choice.clone()]),
            Value::Bytes(vec![77]),
        ];
        let shown = format!("{values:?} {choice:?} {:?}", Decimal::parse("77"));
        assert!(!shown.contains("77") && !shown.contains("secret") && !shown.contains("true"), "{shown}");
        assert!(shown.starts_with("[null, text(…), integer(…), "));
    }

    #[test]
    fn values_survive_the_boundary() {
        let value = Value::Choices(vec![Choice { key: 1, label: "a".to_owned() }]);
        assert_eq!(Value::from_raw(value.clone().into_raw()), value);
        let value = Value::DateTime("2026-11-24T15:04:05.123".to_owned());
        assert_eq!(Value::from_raw(value.clone().into_raw()), value);
    }

    #[test]
    fn decimals_are_digits_only() {
        for text in ["0", "-1", "12.5000", "00012345678901234567890.1"] {
            assert_eq!(Decimal::parse(text).map(|d| d.to_string()).as_deref(), Some(text));
        }
        for text in ["", "-", ".5", "5.", "1e3", "+1", "NaN", "1,5", " 1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
