//! Values and rows. `Debug` shows the kind of a value, never the value: it is a patient's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One item of a LIST field.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Caspio's stable id of the choice; 0 when only the label is known.
    pub key: u32,
    /// What people see.
    pub label: String,
}

/// One field's value; the cases are those of `value` in `wit/`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// No value.
    Null,
    /// Text. Unset text is "".
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A binary floating-point number.
    Number(#[serde(with = "any_float")] f64),
    /// A decimal number, digits as Caspio wrote them.
    Decimal(String),
    /// YES/NO.
    Boolean(bool),
    /// `YYYY-MM-DD`.
    Date(String),
    /// `YYYY-MM-DDTHH:MM:SS[.fff]`, wall-clock, no zone.
    DateTime(String),
    /// Items of a LIST field.
    Choices(Vec<Choice>),
    /// Binary content.
    Bytes(#[serde(with = "base64_bytes")] Vec<u8>),
}

impl Value {
    /// The kind's name, for error texts.
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
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(…)", self.kind())
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Choice(…)")
    }
}

/// Bytes of a file, or of a workflow's state.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(#[serde(with = "base64_bytes")] pub Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

/// One row: named values in Caspio's order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Row(pub Vec<(String, Value)>);

impl Row {
    /// The value of a field; names are compared without regard to ASCII case, as Caspio does.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, value)| value)
    }

    /// The row's `PK_ID`, when it has one.
    #[must_use]
    pub fn pk_id(&self) -> Option<i64> {
        match self.get("PK_ID")? {
            Value::Integer(id) => Some(*id),
            Value::Decimal(text) | Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The numbers of its `PK_ID`: one, or of a view over several tables one a table.
    #[must_use]
    pub fn key(&self) -> Option<Vec<i64>> {
        match self.get("PK_ID")? {
            Value::Text(text) => text.split(',').map(|part| part.trim().parse().ok()).collect(),
            _ => self.pk_id().map(|id| vec![id]),
        }
    }
}

/// JSON has no infinities and no NaN, but a guest may send them, and what it sent is journalled.
mod any_float {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if number.is_finite() {
            serializer.serialize_f64(*number)
        } else {
            serializer.serialize_str(&format!("bits:{:016x}", number.to_bits()))
        }
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let number = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Number(number) => number.as_f64(),
            serde_json::Value::String(text) => {
                let bits = text.strip_prefix("bits:").and_then(|hex| u64::from_str_radix(hex, 16).ok());
                bits.map(f64::from_bits)
            }
            _ => None,
        };
        number.ok_or_else(|| serde::de::Error::custom("not a number"))
    }
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn every_value_comes_back_from_the_journal() {
        for number in [0.0, -0.0, 1.5, 1e300, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let text = serde_json::to_string(&Value::Number(number)).unwrap();
            match serde_json::from_str(&text).unwrap() {
                Value::Number(back) => assert_eq!(back.to_bits(), number.to_bits(), "{text}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
