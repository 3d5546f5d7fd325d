//! From Caspio's JSON to a typed row.

use serde_json::{Map, Value as Json};

use crate::model::{Choice, Field, FieldType, Row, TableSchema, Value};

use super::super::criteria::yes_no_text;
use super::super::literal;

/// A row as Caspio sends it, in answers and webhooks, typed by the schema; fields keep their order.
///
/// Values may also come as text, as webhooks with a template send them. What does not fit its
/// field's type is kept as text; fields that the schema does not know keep JSON's own types.
#[must_use]
pub fn row_from_json(schema: &TableSchema, json: &Map<String, Json>) -> Row {
    Row(json
        .iter()
        .map(|(name, value)| {
            if name.eq_ignore_ascii_case("PK_ID") {
                return ("PK_ID".to_owned(), whole(value));
            }
            match schema.field(name) {
                Some(field) => (field.name.clone(), typed(field, value)),
                None => (name.clone(), untyped(value)),
            }
        })
        .collect())
}

/// One value of a field; none is `PK_ID`, a whole number where it is one.
pub(in super::super) fn value_from_json(field: Option<&Field>, json: &Json) -> Value {
    field.map_or_else(|| whole_from_json(json), |field| typed(field, json))
}

/// A number with its digits.
pub(in super::super) fn number_from_json(json: &Json) -> Value {
    if json.is_null() || json.as_str() == Some("") { Value::Null } else { number(json) }
}

/// A whole number.
pub(in super::super) fn whole_from_json(json: &Json) -> Value {
    if json.is_null() { Value::Null } else { whole(json) }
}

fn typed(field: &Field, json: &Json) -> Value {
    if json.is_null() {
        return Value::Null;
    }
    // Unset text is "", all else that is unset has no value.
    let empty = json.as_str() == Some("");
    match &field.kind {
        FieldType::Number | FieldType::Currency if empty => Value::Null,
        FieldType::Number | FieldType::Currency => number(json),
        FieldType::Integer | FieldType::Autonumber if empty => Value::Null,
        FieldType::Integer | FieldType::Autonumber => whole(json),
        FieldType::YesNo if empty => Value::Null,
        FieldType::YesNo => yes_no(json),
        FieldType::DateTime | FieldType::Timestamp if empty => Value::Null,
        FieldType::DateTime | FieldType::Timestamp => date_time(json),
        FieldType::ListString | FieldType::ListNumber | FieldType::ListDateTime if empty => Value::Null,
        FieldType::ListString | FieldType::ListNumber | FieldType::ListDateTime => choices(field, json),
        FieldType::TextShort
        | FieldType::TextLong
        | FieldType::PrefixedAutonumber
        | FieldType::RandomId
        | FieldType::Guid
        | FieldType::Password
        | FieldType::File
        | FieldType::Attachment => text(json),
        FieldType::Other(_) => untyped(json),
    }
}

/// As text: JSON text as it is, all else as it is written.
fn text(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::String(text) => Value::Text(text.clone()),
        other => Value::Text(other.to_string()),
    }
}

fn untyped(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Boolean(*yes),
        Json::Number(_) => whole(json),
        other => text(other),
    }
}

/// The digits of a number, or of a text that is one.
fn digits(json: &Json) -> Option<String> {
    match json {
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => {
            let text = text.trim();
            literal::decimal(text).map(|_| text.to_owned())
        }
        _ => None,
    }
}

fn number(json: &Json) -> Value {
    digits(json).map_or_else(|| text(json), Value::Decimal)
}

/// A whole number; another number keeps its digits.
fn whole(json: &Json) -> Value {
    match digits(json) {
        None => text(json),
        Some(digits) => match digits.parse() {
            Ok(whole) => Value::Integer(whole),
            Err(_) if json.is_number() => Value::Decimal(digits),
            Err(_) => text(json),
        },
    }
}

fn yes_no(json: &Json) -> Value {
    let yes = match json {
        Json::Bool(yes) => Some(*yes),
        Json::Number(number) => yes_no_text(&number.to_string()),
        Json::String(text) => yes_no_text(text.trim()),
        _ => None,
    };
    yes.map_or_else(|| text(json), Value::Boolean)
}

fn date_time(json: &Json) -> Value {
    json.as_str().and_then(literal::date_time).map_or_else(|| text(json), Value::DateTime)
}

/// `{"2":"English"}`, or keys alone, whose labels the schema knows.
fn choices(field: &Field, json: &Json) -> Value {
    let known = |key: u32| field.choices.iter().find(|choice| choice.key == key).cloned();
    let read = match json {
        Json::Object(object) => labelled(object),
        Json::Array(items) => items.iter().map(|item| known(u32::try_from(item.as_u64()?).ok()?)).collect(),
        _ => None,
    };
    read.map_or_else(|| text(json), Value::Choices)
}

fn labelled(object: &Map<String, Json>) -> Option<Vec<Choice>> {
    object
        .iter()
        .map(|(key, label)| Some(Choice { key: key.parse().ok()?, label: label_text(label)? }))
        .collect()
}

fn label_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The choices of a LIST field, from its `ListField`: an object by key, or labels alone.
pub(in super::super) fn choices_of_field(json: Option<&Json>) -> Vec<Choice> {
    match json {
        Some(Json::Object(object)) => object
            .iter()
            .filter_map(|(key, label)| Some(Choice { key: key.parse().ok()?, label: label_text(label)? }))
            .collect(),
        Some(Json::Array(labels)) => {
            labels.iter().filter_map(|label| Some(Choice { key: 0, label: label_text(label)? })).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caspio::tests::schema;

    fn row(json: &str) -> Row {
        row_from_json(&schema(), &serde_json::from_str(json).expect("JSON"))
    }

    fn value(field: &str, json: &str) -> Value {
        let row = row(&format!("{{\"{field}\":{json}}}"));
        row.0.into_iter().next().expect("one field").1
    }

    #[test]
    fn every_type_is_read_as_its_own() {
        let text = |t: &str| Value::Text(t.to_owned());
        let decimal = |t: &str| Value::Decimal(t.to_owned());
        let at = |t: &str| Value::DateTime(t.to_owned());
        let english = || Value::Choices(vec![Choice { key: 2, label: "English".to_owned() }]);
        for (field, json, expected) in [
            ("PK_ID", "7", Value::Integer(7)),
            ("pk_id", "\"7\"", Value::Integer(7)),
            ("PK_ID", "\"1,2\"", text("1,2")),
            ("Email", "\"a@b\"", text("a@b")),
            ("Email", "\"\"", text("")),
            ("Email", "null", Value::Null),
            ("Email", "5", text("5")),
            ("Visits", "5", Value::Integer(5)),
            ("Visits", "\"5\"", Value::Integer(5)),
            ("Visits", "\"five\"", text("five")),
            ("Visits", "5.5", decimal("5.5")),
            ("Visits", "99999999999999999999", decimal("99999999999999999999")),
            ("Visits", "\"\"", Value::Null),
            ("Balance", "12.5000", decimal("12.5000")),
            ("Balance", "\"12.5000\"", decimal("12.5000")),
            ("Balance", "123456789012345678.9012", decimal("123456789012345678.9012")),
            ("Balance", "\"$5\"", text("$5")),
            ("Balance", "{\"a\":1}", text("{\"a\":1}")),
            ("Score", "0.1", decimal("0.1")),
            ("Active", "true", Value::Boolean(true)),
            ("Active", "0", Value::Boolean(false)),
            ("Active", "\"Yes\"", Value::Boolean(true)),
            ("Active", "\"maybe\"", text("maybe")),
            ("Active", "2", text("2")),
            ("Born", "\"1970-01-02T00:00:00\"", at("1970-01-02T00:00:00")),
            ("Born", "\"1970-01-02\"", at("1970-01-02T00:00:00")),
            ("Born", "\"1970-01-02T03:04:05.120\"", at("1970-01-02T03:04:05.120")),
            ("Born", "\"01/02/1970\"", text("01/02/1970")),
            ("Born", "\"1970-01-02T00:00:00Z\"", text("1970-01-02T00:00:00Z")),
            ("Born", "\"\"", Value::Null),
            ("Languages", "{\"2\":\"English\"}", english()),
            ("Languages", "[2]", english()),
            ("Languages", "[9]", text("[9]")),
            ("Languages", "null", Value::Null),
            ("Languages", "\"English\"", text("English")),
            ("Unknown", "true", Value::Boolean(true)),
            ("Unknown", "\"5\"", text("5")),
        ] {
            assert!(value(field, json) == expected, "{field}: {json}");
        }
    }

    #[test]
    fn names_and_order_are_the_schemas_and_caspios() {
        let row = row(r#"{"VISITS":1,"pk_id":3,"Other":null,"email":""}"#);
        let names: Vec<_> = row.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Visits", "PK_ID", "Other", "Email"]);
        assert_eq!(row.pk_id(), Some(3));
    }
}
