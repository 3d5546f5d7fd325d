//! Rows as people write and read them: checked before they are typed, and printed so that they can be given again.

use std::str::FromStr as _;

use serde_json::{Map, Number, Value as Json};

use crate::model::{Field, FieldType, Row, TableSchema, Value};

use super::read::row_from_json;

/// What is wrong with a row that a person made: "what; what to do", without a value. None when nothing is.
#[must_use]
pub fn row_mistake(schema: &TableSchema, json: &Map<String, Json>) -> Option<String> {
    let row = row_from_json(schema, json);
    for (at, (name, value)) in row.0.iter().enumerate() {
        let before = row.0.iter().take(at);
        if name == "PK_ID" {
            if !matches!(value, Value::Integer(_)) {
                return Some("PK_ID is no whole number; give that of the record".to_owned());
            }
        } else if let Some(field) = schema.field(name) {
            if let Some(wanted) = unfit(field, value) {
                return Some(format!("the field {} is not {wanted}; correct it", field.name));
            }
        } else {
            let names: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
            return Some(format!(
                "it has a field that the table has not; give only PK_ID, {}",
                names.join(", ")
            ));
        }
        if before.into_iter().any(|(other, _)| other == name) {
            return Some(format!("it has the field {name} twice; give it once"));
        }
    }
    row.get("PK_ID").is_none().then(|| "PK_ID is missing; give that of the record".to_owned())
}

/// What a value should be that was read as text since it does not fit.
fn unfit(field: &Field, value: &Value) -> Option<&'static str> {
    let (fits, wanted) = match &field.kind {
        FieldType::Number | FieldType::Currency => (matches!(value, Value::Decimal(_)), "a number"),
        FieldType::Integer | FieldType::Autonumber => (matches!(value, Value::Integer(_)), "a whole number"),
        FieldType::YesNo => (matches!(value, Value::Boolean(_)), "true or false"),
        FieldType::DateTime | FieldType::Timestamp => {
            (matches!(value, Value::DateTime(_)), "a date as 2026-01-16T19:52:55, without zone")
        }
        FieldType::ListString | FieldType::ListNumber | FieldType::ListDateTime => (
            matches!(value, Value::Choices(_)),
            "a list of the keys of its choices, or an object of keys and labels",
        ),
        FieldType::TextShort
        | FieldType::TextLong
        | FieldType::PrefixedAutonumber
        | FieldType::RandomId
        | FieldType::Guid
        | FieldType::Password
        | FieldType::File
        | FieldType::Attachment
        | FieldType::Other(_) => (true, "text"),
    };
    (!fits && !matches!(value, Value::Null)).then_some(wanted)
}

/// A row as plain JSON, which [`row_from_json`] reads as the same row.
#[must_use]
pub fn row_to_plain(row: &Row) -> Map<String, Json> {
    row.0.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(whole) => Json::from(*whole),
        Value::Boolean(yes) => Json::Bool(*yes),
        Value::Number(number) => Json::from(*number),
        // The digits as they are.
        Value::Decimal(digits) => {
            Number::from_str(digits).map_or_else(|_| Json::String(digits.clone()), Json::Number)
        }
        Value::Text(text) | Value::Date(text) | Value::DateTime(text) => Json::String(text.clone()),
        Value::Choices(list) => {
            list.iter().map(|choice| (choice.key.to_string(), Json::String(choice.label.clone()))).collect()
        }
        Value::Bytes(bytes) => {
            use base64::Engine as _;
            Json::String(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caspio::tests::schema;

    fn object(json: &str) -> Map<String, Json> {
        serde_json::from_str(json).expect("JSON")
    }

    #[test]
    fn what_was_read_is_printed_so_that_it_reads_the_same() {
        for json in [
            r#"{"PK_ID":7,"Email":"é'\"\\","Notes":"","Visits":-12,"Balance":12.5000,"Score":1.10}"#,
            r#"{"PK_ID":7,"Visits":null,"Active":false,"Born":"1970-01-02T03:04:05","Odd [name]":"x"}"#,
            r#"{"PK_ID":7,"Languages":{"2":"English"},"Balance":123456789012345678.9012}"#,
            r#"{"PK_ID":7,"Visits":"five","Balance":"$5","Born":"01/02/1970"}"#,
        ] {
            let row = row_from_json(&schema(), &object(json));
            assert_eq!(Json::Object(row_to_plain(&row)).to_string(), json);
        }
        let keys = row_from_json(&schema(), &object(r#"{"PK_ID":"7","Balance":"+1.50","Languages":[2]}"#));
        assert!(row_from_json(&schema(), &row_to_plain(&keys)) == keys);
    }

    #[test]
    fn mistakes_are_named_without_values() {
        for (json, part) in [
            (r#"{"PK_ID":"canary"}"#, "PK_ID is no whole number"),
            (r#"{"PK_ID":1.5}"#, "PK_ID is no whole number"),
            (r#"{"PK_ID":null}"#, "PK_ID is no whole number"),
            (r#"{"Email":"canary"}"#, "PK_ID is missing"),
            (r#"{"PK_ID":1,"canary":1}"#, "a field that the table has not; give only PK_ID, "),
            (r#"{"PK_ID":1,"Visits":"canary"}"#, "the field Visits is not a whole number"),
            (r#"{"PK_ID":1,"Balance":"canary"}"#, "the field Balance is not a number"),
            (r#"{"PK_ID":1,"Active":"canary"}"#, "the field Active is not true or false"),
            (r#"{"PK_ID":1,"born":"canary"}"#, "the field Born is not a date"),
            (r#"{"PK_ID":1,"Languages":"canary"}"#, "the field Languages is not a list"),
            (r#"{"PK_ID":1,"Email":"canary","email":"x"}"#, "the field Email twice"),
        ] {
            let mistake = row_mistake(&schema(), &object(json)).unwrap_or_default();
            assert!(mistake.contains(part) && mistake.contains("; "), "{json}: {mistake}");
            assert!(!mistake.contains("canary"), "{mistake}");
        }
        let good =
            r#"{"pk_id":"1","Visits":"5","Balance":1,"Active":"Yes","Born":"1970-01-02","Email":null}"#;
        assert_eq!(row_mistake(&schema(), &object(good)), None);
    }
}
