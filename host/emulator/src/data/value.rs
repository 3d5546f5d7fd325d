//! One value of a row, and how it is read and written.
//!
//! A value has one of a few shapes whatever the field's type. [`Value::from_json`] takes what the
//! REST body says into the type of the field, with the conversions that Caspio makes (numbers and
//! truth values given as text, reference section 15); what does not convert is refused, and the
//! caller names the field. [`Value::to_json`] is the way back.

use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use serde_json::{Map, Number, Value as Json};

use super::decimal::Decimal;
use super::field::{Field, FieldType};
use super::stored::StoredFile;
use crate::environment;

/// A stored value. Text, numbers, truth values and dates are what they look like; a list holds the
/// keys of the chosen items in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Text(String),
    Number(Decimal),
    Bool(bool),
    Date(DateTime),
    List(Vec<u32>),
    /// What an ATTACHMENT field holds; reads and compares as its file name.
    File(Arc<StoredFile>),
}

/// The value does not fit the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit;

/// Longest STRING, in characters.
pub const STRING_MAX: usize = 255;
/// Longest TEXT, in characters.
pub const TEXT_MAX: usize = 64_000;

impl Value {
    /// What an unset field holds: text reads `""`, YES/NO `false`, all else null.
    pub fn unset(kind: FieldType) -> Self {
        match kind {
            FieldType::String | FieldType::Text => Self::Text(String::new()),
            FieldType::YesNo => Self::Bool(false),
            _ => Self::Null,
        }
    }

    /// Takes a JSON value into the field's type.
    pub fn from_json(field: &Field, json: &Json) -> Result<Self, Misfit> {
        if json.is_null() {
            return Ok(Self::unset(field.kind));
        }
        match field.kind {
            FieldType::String => text(json, STRING_MAX),
            FieldType::Text | FieldType::Password => text(json, TEXT_MAX),
            FieldType::File | FieldType::Guid | FieldType::RandomId | FieldType::PrefixedNumber => match json
            {
                Json::String(text) if text.is_empty() => Ok(Self::Null),
                Json::String(text) => Ok(Self::Text(text.clone())),
                _ => Err(Misfit),
            },
            FieldType::Integer | FieldType::AutoNumber => {
                let number = number(json)?;
                let whole = number.to_i64().ok_or(Misfit)?;
                i32::try_from(whole).map_err(|_| Misfit)?;
                Ok(Self::Number(number))
            }
            FieldType::Number => Ok(Self::Number(number(json)?)),
            FieldType::Currency => {
                let number = number(json)?;
                if number.scale() > 4 {
                    return Err(Misfit);
                }
                Ok(Self::Number(number))
            }
            FieldType::YesNo => truth(json),
            FieldType::DateTime | FieldType::Timestamp => match json {
                Json::String(text) => parse_date(text).map(Self::Date).ok_or(Misfit),
                _ => Err(Misfit),
            },
            FieldType::ListString | FieldType::ListNumber | FieldType::ListDateTime => list(field, json),
            FieldType::Attachment => StoredFile::from_json(json).map(|file| Self::File(Arc::new(file))),
        }
    }

    /// As Caspio writes it. The field is needed for the texts of a list.
    pub fn to_json(&self, field: &Field) -> Json {
        match self {
            Self::List(keys) => {
                let mut items = Map::new();
                for key in keys {
                    if let Some(text) = field.list_text(*key) {
                        items.insert(key.to_string(), list_item(field.kind, text));
                    }
                }
                Json::Object(items)
            }
            other => other.plain_json(),
        }
    }

    /// As JSON, without a field to explain it.
    pub fn plain_json(&self) -> Json {
        match self {
            Self::Null | Self::List(_) => Json::Null,
            Self::Text(text) => Json::String(text.clone()),
            Self::Number(number) => json_number(*number),
            Self::Bool(truth) => Json::Bool(*truth),
            Self::Date(date) => Json::String(date_text(*date)),
            Self::File(file) => Json::String(file.name.clone()),
        }
    }

    /// Null, or text without a character.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// As text, the way SQL Server converts implicitly; dates in ISO form. `None` for null.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Null | Self::List(_) => None,
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Bool(truth) => Some(if *truth { "1" } else { "0" }.to_owned()),
            Self::Date(date) => Some(date_text(*date)),
            Self::File(file) => Some(file.name.clone()),
        }
    }
}

/// Text as the default collation compares it: without regard to case and to trailing blanks.
pub fn fold(text: &str) -> String {
    text.trim_end_matches(' ').to_lowercase()
}

/// A number with its digits.
pub fn json_number(number: Decimal) -> Json {
    number.to_string().parse::<Number>().map_or(Json::Null, Json::Number)
}

fn list_item(kind: FieldType, text: &str) -> Json {
    match kind {
        FieldType::ListNumber => Decimal::parse(text).map_or_else(|| Json::from(text), json_number),
        _ => Json::from(text),
    }
}

fn text(json: &Json, longest: usize) -> Result<Value, Misfit> {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return Err(Misfit),
    };
    if text.chars().count() > longest {
        return Err(Misfit);
    }
    Ok(Value::Text(text))
}

fn number(json: &Json) -> Result<Decimal, Misfit> {
    match json {
        Json::Number(number) => Decimal::parse(&number.to_string()).ok_or(Misfit),
        Json::String(text) => Decimal::parse(text).ok_or(Misfit),
        _ => Err(Misfit),
    }
}

fn truth(json: &Json) -> Result<Value, Misfit> {
    let truth = match json {
        Json::Bool(truth) => *truth,
        Json::Number(_) => match number(json)?.to_i64() {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(Misfit),
        },
        Json::String(text) => text_truth(text).ok_or(Misfit)?,
        _ => return Err(Misfit),
    };
    Ok(Value::Bool(truth))
}

/// `1`, `0`, `true`, `false` in any case.
pub fn text_truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// The written forms of a list: `"[1], [3]"`, `[1, 3]`, `["English"]`. A bare string is refused.
fn list(field: &Field, json: &Json) -> Result<Value, Misfit> {
    let mut keys = Vec::new();
    match json {
        Json::String(text) => {
            for part in text.split(',') {
                let part = part.trim();
                let inner = part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or(Misfit)?;
                keys.push(inner.trim().parse::<u32>().map_err(|_| Misfit)?);
            }
        }
        Json::Array(items) => {
            for item in items {
                let key = match item {
                    Json::Number(number) => {
                        number.as_u64().and_then(|key| u32::try_from(key).ok()).ok_or(Misfit)?
                    }
                    Json::String(text) => field.list_key(text).ok_or(Misfit)?,
                    _ => return Err(Misfit),
                };
                keys.push(key);
            }
        }
        _ => return Err(Misfit),
    }
    if keys.iter().any(|key| field.list_text(*key).is_none()) {
        return Err(Misfit);
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(if keys.is_empty() { Value::Null } else { Value::List(keys) })
}

/// `yyyy-MM-ddTHH:mm:ss`, with milliseconds only where there are some.
pub fn date_text(date: DateTime) -> String {
    let seconds = environment::seconds_text(date);
    match date.subsec_nanosecond() / 1_000_000 {
        0 => seconds,
        millis => format!("{seconds}.{millis:03}"),
    }
}

/// Reads `2024-01-31`, `2024-01-31T10:00[:00[.123]]`, with a blank for the `T`, and `1/31/2024
/// [10:00[:00]] [PM]`. A zone at the end is dropped: the value is a wall clock.
pub fn parse_date(text: &str) -> Option<DateTime> {
    let text = text.trim();
    let (day, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => {
            let (day, clock) = text.split_at(at);
            (day, clock.get(1..)?.trim())
        }
        None => (text, ""),
    };
    let date = parse_day(day)?;
    let time = if clock.is_empty() {
        if text.len() != day.len() {
            return None;
        }
        Time::midnight()
    } else {
        parse_clock(clock)?
    };
    Some(DateTime::from_parts(date, time))
}

fn digits<T: std::str::FromStr>(text: &str, most: usize) -> Option<T> {
    let fits = !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

fn parse_day(day: &str) -> Option<Date> {
    let (year, month, dom) = if day.contains('/') {
        let mut parts = day.split('/');
        let (month, dom, year) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        (year, month, dom)
    } else {
        let mut parts = day.split('-');
        let (year, month, dom) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        (year, month, dom)
    };
    if year.len() != 4 {
        return None;
    }
    let year: i16 = digits(year, 4)?;
    if year < 1753 {
        return None; // The first year of SQL Server's datetime.
    }
    Date::new(year, digits(month, 2)?, digits(dom, 2)?).ok()
}

fn parse_clock(clock: &str) -> Option<Time> {
    let upper = clock.to_ascii_uppercase();
    let (clock, half) = if let Some(rest) = upper.strip_suffix("AM") {
        (rest.trim_end(), Some(0))
    } else if let Some(rest) = upper.strip_suffix("PM") {
        (rest.trim_end(), Some(12))
    } else {
        (without_zone(&upper)?, None)
    };
    let mut parts = clock.split(':');
    let mut hour: i8 = digits(parts.next()?, 2)?;
    let minute: i8 = digits(parts.next()?, 2)?;
    let (second, nanos) = match parts.next() {
        Some(rest) => {
            let (second, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
            let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
            digits::<i32>(fraction, 9)?;
            (digits(second, 2)?, digits::<i32>(&millis, 3)? * 1_000_000)
        }
        None => (0, 0),
    };
    if parts.next().is_some() {
        return None;
    }
    if let Some(half) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + half;
    }
    Time::new(hour, minute, second, nanos).ok()
}

fn without_zone(clock: &str) -> Option<&str> {
    if let Some(rest) = clock.strip_suffix('Z') {
        return Some(rest);
    }
    match clock.rfind(['+', '-']) {
        None => Some(clock),
        Some(at) => {
            let (rest, zone) = clock.split_at(at);
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            digits::<u8>(hours, 2)?;
            digits::<u8>(minutes, 2)?;
            Some(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_wall_clocks() {
        for (text, expected) in [
            ("2024-01-31", "2024-01-31T00:00:00"),
            ("2024-01-31T10:05", "2024-01-31T10:05:00"),
            ("2024-01-31 10:05:06", "2024-01-31T10:05:06"),
            ("2024-01-31T10:05:06.5Z", "2024-01-31T10:05:06.500"),
            ("2024-01-31T00:00:00.000Z", "2024-01-31T00:00:00"),
            ("2024-01-31T10:05:06-05:00", "2024-01-31T10:05:06"),
            ("1/31/2024 1:02 PM", "2024-01-31T13:02:00"),
            ("12/01/2024 12:00 AM", "2024-12-01T00:00:00"),
        ] {
            assert_eq!(parse_date(text).map(date_text).as_deref(), Some(expected));
        }
        for text in [
            "",
            "soon",
            "2024-13-01",
            "2024-02-30",
            "24-01-01",
            "2024-01-31T",
            "2024-01-31T25:00",
            "1700-01-01",
            "13:00 PM",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
