//! Values that Caspio makes itself: numbers, random ids, GUIDs, timestamps.
//!
//! Counters live with the table and never go back, whatever becomes of a row. Dates are whole
//! seconds on the clock of the field's time zone.

use std::collections::HashMap;

use super::field::{Field, FieldType};
use super::{Decimal, Value};
use crate::environment::{self, Environment};

/// The counters of one table, by name of the field in lower case.
#[derive(Debug, Clone, Default)]
pub struct Generator(HashMap<String, i64>);

impl Generator {
    /// The value for a new row; `None` when the field's type is not generated.
    pub fn make(&mut self, field: &Field, env: &mut Environment) -> Option<Value> {
        match field.kind {
            FieldType::AutoNumber => Some(Value::Number(Decimal::from_i64(self.count(field)))),
            FieldType::PrefixedNumber => {
                let number = self.count(field);
                let width = field.format.len();
                Some(Value::Text(format!("{}{number:0>width$}", field.prefix)))
            }
            FieldType::RandomId => {
                let alphabet: &[u8] = match field.format.as_str() {
                    "0" => b"0123456789",
                    "U" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                    _ => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                };
                let length = usize::try_from(field.length).unwrap_or(12);
                Some(Value::Text(format!("{}{}", field.prefix, env.text(alphabet, length))))
            }
            FieldType::Guid => Some(Value::Text(env.uuid().to_string())),
            _ => None,
        }
    }

    /// Numbers that were given move the counters on.
    pub fn follow(&mut self, fields: &[Field], values: &[Value]) {
        for (field, value) in fields.iter().zip(values) {
            if let (FieldType::AutoNumber, Value::Number(number)) = (field.kind, value)
                && let Some(given) = number.to_i64()
            {
                let next = self.0.entry(field.name.to_lowercase()).or_insert(1);
                *next = given.saturating_add(1).max(*next);
            }
        }
    }

    fn count(&mut self, field: &Field) -> i64 {
        let next = self.0.entry(field.name.to_lowercase()).or_insert(1);
        let number = *next;
        *next = next.saturating_add(1);
        number
    }
}

/// Now, for a TIMESTAMP field that is due.
pub fn stamp(field: &Field, due: bool) -> Option<Value> {
    if field.kind != FieldType::Timestamp || !due {
        return None;
    }
    let now = environment::at_offset(field.utc_offset());
    let time = now.time();
    let whole = time.with().subsec_nanosecond(0).build().unwrap_or(time);
    Some(Value::Date(now.date().to_datetime(whole)))
}
