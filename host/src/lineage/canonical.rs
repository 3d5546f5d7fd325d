//! One form for a value, as it is sent and as Caspio shows it afterwards.

use crate::model::{Choice, Field, FieldType, Value};

/// The form, as text to make a fingerprint of. None for values that Caspio does not show as they were written: they
/// are left out of the comparison.
pub(super) fn canonical(field: &Field, value: &Value) -> Option<String> {
    let plain = text_of(value);
    match &field.kind {
        FieldType::Password | FieldType::Attachment => None,
        FieldType::Integer | FieldType::Autonumber | FieldType::Number => {
            Some(plain.map(|text| number(&text, None)).unwrap_or_default())
        }
        // Four decimals are kept.
        FieldType::Currency => Some(plain.map(|text| number(&text, Some(4))).unwrap_or_default()),
        FieldType::YesNo => Some(match plain.as_deref().map(str::trim) {
            Some(text) if ["1", "true", "yes"].iter().any(|yes| text.eq_ignore_ascii_case(yes)) => {
                "1".to_owned()
            }
            // Unset reads as no.
            _ => "0".to_owned(),
        }),
        FieldType::DateTime | FieldType::Timestamp => {
            Some(plain.map(|text| seconds(&text)).unwrap_or_default())
        }
        FieldType::ListString | FieldType::ListNumber | FieldType::ListDateTime => match value {
            Value::Choices(choices) => keys(field, choices),
            Value::Null => Some(String::new()),
            _ => None,
        },
        // Unset text reads as "", and line ends and blanks around it are not always kept.
        _ => plain.map_or_else(
            || matches!(value, Value::Null).then(String::new),
            |text| Some(text.replace("\r\n", "\n").trim().to_owned()),
        ),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Decimal(text) | Value::Date(text) | Value::DateTime(text) => {
            Some(text.clone())
        }
        Value::Integer(number) => Some(number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Boolean(yes) => Some(if *yes { "1" } else { "0" }.to_owned()),
        Value::Null | Value::Choices(_) | Value::Bytes(_) => None,
    }
}

/// Numbers are the same when they are the same as binary floating point: more digits than that Caspio does not keep.
fn number(text: &str, decimals: Option<usize>) -> String {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(number) => {
            let shown = decimals.map_or_else(|| number.to_string(), |n| format!("{number:.n$}"));
            if shown.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) {
                "0".to_owned()
            } else {
                shown
            }
        }
        Err(_) => text.to_owned(),
    }
}

/// `YYYY-MM-DDTHH:MM:SS`: a date is its midnight, and fractions are rounded by Caspio.
fn seconds(text: &str) -> String {
    let text = text.trim();
    match text.len() {
        10 => format!("{text}T00:00:00"),
        16 => format!("{}:00", text.replace(' ', "T")),
        _ => text.replace(' ', "T").chars().take(19).collect(),
    }
}

/// Keys in order. A choice that is known by its label only is looked up.
fn keys(field: &Field, choices: &[Choice]) -> Option<String> {
    let key = |choice: &Choice| match choice.key {
        0 => field.choices.iter().find(|c| c.label.eq_ignore_ascii_case(&choice.label)).map(|c| c.key),
        key => Some(key),
    };
    let mut keys: Vec<u32> = choices.iter().map(key).collect::<Option<_>>()?;
    keys.sort_unstable();
    Some(keys.iter().map(|key| format!("[{key}]")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: FieldType) -> Field {
        Field {
            name: "F".to_owned(),
            kind,
            unique: false,
            writable: true,
            label: String::new(),
            time_zone: String::new(),
            choices: vec![
                Choice { key: 2, label: "Red".to_owned() },
                Choice { key: 4, label: "Blue".to_owned() },
            ],
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let text = |t: &str| Value::Text(t.to_owned());
        let decimal = |t: &str| Value::Decimal(t.to_owned());
        let at = |t: &str| Value::DateTime(t.to_owned());
        let choice = |key, label: &str| Choice { key, label: label.to_owned() };
        for (kind, written, read) in [
            (FieldType::TextShort, text(" a b "), text("a b")),
            (FieldType::TextLong, text("a\r\nb"), text("a\nb")),
            (FieldType::TextShort, Value::Null, text("")),
            (FieldType::Integer, decimal("5"), Value::Integer(5)),
            (FieldType::Integer, Value::Null, Value::Null),
            (FieldType::Number, Value::Number(0.1), decimal("0.10")),
            (FieldType::Number, Value::Integer(3), decimal("3.0")),
            (FieldType::Number, decimal("-0"), decimal("0")),
            (FieldType::Currency, decimal("12.34567"), decimal("12.3457")),
            (FieldType::Currency, Value::Integer(12), decimal("12.0000")),
            (FieldType::YesNo, Value::Null, Value::Boolean(false)),
            (FieldType::YesNo, text("Yes"), Value::Boolean(true)),
            (FieldType::DateTime, Value::Date("2026-01-02".to_owned()), at("2026-01-02T00:00:00")),
            (FieldType::DateTime, at("2026-01-02T03:04:05.678"), at("2026-01-02T03:04:05.680")),
            (
                FieldType::ListString,
                Value::Choices(vec![choice(0, "blue"), choice(2, "Red")]),
                Value::Choices(vec![choice(2, "Red"), choice(4, "Blue")]),
            ),
        ] {
            let field = field(kind);
            assert_eq!(canonical(&field, &written), canonical(&field, &read), "{:?}", field.kind);
            assert!(canonical(&field, &written).is_some(), "{:?}", field.kind);
        }
    }

    #[test]
    fn other_values_are_others_and_what_is_not_shown_is_left_out() {
        let differ = |kind: FieldType, a: Value, b: Value| {
            let field = field(kind);
            assert_ne!(canonical(&field, &a), canonical(&field, &b), "{:?}", field.kind);
        };
        differ(FieldType::TextShort, Value::Text("a".into()), Value::Text("A".into()));
        differ(FieldType::Integer, Value::Integer(0), Value::Null);
        differ(FieldType::Currency, Value::Decimal("1.0001".into()), Value::Decimal("1.0002".into()));
        differ(FieldType::YesNo, Value::Boolean(true), Value::Boolean(false));
        assert_eq!(canonical(&field(FieldType::Password), &Value::Text("x".into())), None);
    }
}
