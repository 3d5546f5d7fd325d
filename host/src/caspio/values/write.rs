//! From a typed row to the JSON that Caspio takes.

use std::str::FromStr as _;

use serde_json::{Map, Number, Value as Json};

use crate::model::{Choice, Field, FieldType, Row, TableSchema, Value};

use super::super::CaspioError;
use super::super::criteria::yes_no;
use super::super::literal;

/// Longest STRING, in UTF-16 units, as SQL Server counts.
const SHORT_TEXT: usize = 255;
/// Longest TEXT.
const LONG_TEXT: usize = 64_000;

/// What a row is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Purpose {
    /// A new record.
    Create,
    /// New values of records.
    Update,
}

/// The body of a create or update.
///
/// # Errors
/// Unknown field, a field that Caspio writes itself, the same field twice, or a value that does not fit its field.
pub(in super::super) fn row_to_json(
    schema: &TableSchema,
    row: &Row,
    purpose: Purpose,
) -> Result<Vec<u8>, CaspioError> {
    let mut body = Map::new();
    for (name, value) in &row.0 {
        if name.eq_ignore_ascii_case("PK_ID") {
            return Err(CaspioError::invalid("PK_ID", "Caspio gives it; leave the field out"));
        }
        let field = schema.field(name).ok_or_else(|| CaspioError::unknown_field(&schema.table, name))?;
        if !field.writable || field.kind.written_by_caspio() {
            return Err(CaspioError::invalid(
                field.name.as_str(),
                "Caspio writes it itself; leave the field out",
            ));
        }
        if field.kind == FieldType::Password && purpose == Purpose::Update {
            return Err(CaspioError::invalid(
                field.name.as_str(),
                "a password can be given when the record is created only; leave the field out",
            ));
        }
        if body.insert(field.name.clone(), json(field, value)?).is_some() {
            return Err(CaspioError::invalid(field.name.as_str(), "it is given twice; give it once"));
        }
    }
    if body.is_empty() && purpose == Purpose::Update {
        return Err(CaspioError::invalid("", "an update needs at least one field"));
    }
    serde_json::to_vec(&Json::Object(body)).map_err(|_| CaspioError::misuse("a row has no JSON"))
}

fn json(field: &Field, value: &Value) -> Result<Json, CaspioError> {
    if matches!(value, Value::Null) {
        return Ok(Json::Null);
    }
    let (json, wanted) = match &field.kind {
        FieldType::TextShort => (limited(field, value, SHORT_TEXT)?, "text"),
        FieldType::TextLong => (limited(field, value, LONG_TEXT)?, "text"),
        FieldType::Password | FieldType::File => (text(value).map(Json::String), "text"),
        FieldType::Number | FieldType::Currency => (number(value), "a number"),
        FieldType::Integer => (whole(value), "a whole number"),
        FieldType::YesNo => (yes_no(value).map(Json::Bool), "yes or no"),
        FieldType::DateTime => {
            (date(value), "a date (YYYY-MM-DD) or a time (YYYY-MM-DDTHH:MM:SS) without zone")
        }
        FieldType::ListString | FieldType::ListNumber | FieldType::ListDateTime => match value {
            Value::Choices(list) => (Some(choices(field, list)?), "choices"),
            _ => (None, "choices"),
        },
        FieldType::Other(_) => (any(value), "text, a number or yes or no"),
        // Refused before.
        FieldType::Timestamp
        | FieldType::Autonumber
        | FieldType::PrefixedAutonumber
        | FieldType::RandomId
        | FieldType::Guid
        | FieldType::Attachment => (None, "nothing"),
    };
    json.ok_or_else(|| {
        CaspioError::invalid(
            field.name.as_str(),
            format!("it takes {wanted}; what was given ({}) is none or not in the right form", value.kind()),
        )
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Date(text) | Value::DateTime(text) => Some(text.clone()),
        Value::Integer(n) => Some(n.to_string()),
        Value::Decimal(digits) => literal::decimal(digits).map(|_| digits.clone()),
        _ => None,
    }
}

fn limited(field: &Field, value: &Value, limit: usize) -> Result<Option<Json>, CaspioError> {
    let text = text(value);
    if text.as_ref().is_some_and(|text| text.encode_utf16().count() > limit) {
        let message =
            format!("the text is longer than the {limit} characters that the field holds; shorten it");
        return Err(CaspioError::invalid(field.name.as_str(), message));
    }
    Ok(text.map(Json::String))
}

/// The digits as they are.
fn digits(text: &str) -> Option<Json> {
    Number::from_str(&literal::decimal(text)?).ok().map(Json::Number)
}

fn number(value: &Value) -> Option<Json> {
    match value {
        Value::Integer(n) => Some(Json::from(*n)),
        Value::Decimal(text) | Value::Text(text) => digits(text),
        Value::Number(n) => digits(&literal::float(*n)?),
        _ => None,
    }
}

fn whole(value: &Value) -> Option<Json> {
    match value {
        Value::Integer(n) => Some(Json::from(*n)),
        Value::Decimal(text) | Value::Text(text) => literal::integer(text).map(Json::from),
        Value::Number(n) if n.fract() == 0.0 && n.abs() < 9e15 => digits(&literal::float(*n)?),
        _ => None,
    }
}

fn date(value: &Value) -> Option<Json> {
    match value {
        Value::Date(text) | Value::DateTime(text) | Value::Text(text) => {
            literal::date_or_date_time(text).map(Json::String)
        }
        _ => None,
    }
}

/// `"[1], [3]"`; nothing chosen clears the field.
fn choices(field: &Field, list: &[Choice]) -> Result<Json, CaspioError> {
    let mut keys = Vec::with_capacity(list.len());
    for choice in list {
        let key = if choice.key != 0 {
            choice.key
        } else {
            let same = |known: &&Choice| known.key != 0 && known.label.eq_ignore_ascii_case(&choice.label);
            let known = field.choices.iter().find(same);
            known.map(|known| known.key).ok_or_else(|| {
                CaspioError::invalid(
                    field.name.as_str(),
                    "one of the choices is none of the field's; use its labels",
                )
            })?
        };
        keys.push(format!("[{key}]"));
    }
    Ok(if keys.is_empty() { Json::Null } else { Json::String(keys.join(", ")) })
}

/// Of a type that is not known here: as JSON has it.
fn any(value: &Value) -> Option<Json> {
    match value {
        Value::Boolean(yes) => Some(Json::Bool(*yes)),
        Value::Integer(_) | Value::Decimal(_) | Value::Number(_) => number(value),
        other => text(other).map(Json::String),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caspio::tests::schema;

    fn written(field: &str, value: Value) -> Result<String, CaspioError> {
        let row = Row(vec![(field.to_owned(), value)]);
        row_to_json(&schema(), &row, Purpose::Create).map(|body| String::from_utf8(body).expect("text"))
    }

    fn choice(key: u32, label: &str) -> Choice {
        Choice { key, label: label.to_owned() }
    }

    #[test]
    fn values_are_written_by_their_fields_type() {
        let text = |t: &str| Value::Text(t.to_owned());
        let decimal = |t: &str| Value::Decimal(t.to_owned());
        for (field, value, expected) in [
            ("email", text("a\"b"), r#"{"Email":"a\"b"}"#),
            ("Email", Value::Integer(5), r#"{"Email":"5"}"#),
            ("Email", Value::Null, r#"{"Email":null}"#),
            ("Visits", Value::Integer(-5), r#"{"Visits":-5}"#),
            ("Visits", text("12"), r#"{"Visits":12}"#),
            ("Visits", Value::Number(3.0), r#"{"Visits":3}"#),
            ("Balance", decimal("12.5000"), r#"{"Balance":12.5000}"#),
            (
                "Balance",
                decimal("123456789012345678901234.5678"),
                r#"{"Balance":123456789012345678901234.5678}"#,
            ),
            ("Balance", text("007.50"), r#"{"Balance":7.50}"#),
            ("Score", Value::Number(0.1), r#"{"Score":0.1}"#),
            ("Active", Value::Boolean(true), r#"{"Active":true}"#),
            ("Active", text("no"), r#"{"Active":false}"#),
            ("Born", Value::Date("1970-01-02".to_owned()), r#"{"Born":"1970-01-02"}"#),
            ("Born", Value::DateTime("1970-01-02T03:04:05".to_owned()), r#"{"Born":"1970-01-02T03:04:05"}"#),
            (
                "Languages",
                Value::Choices(vec![choice(2, ""), choice(0, "french")]),
                r#"{"Languages":"[2], [4]"}"#,
            ),
            ("Languages", Value::Choices(vec![]), r#"{"Languages":null}"#),
            ("Secret", text("pw"), r#"{"Secret":"pw"}"#),
        ] {
            assert_eq!(written(field, value).expect(expected), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_fields_name() {
        let text = |t: &str| Value::Text(t.to_owned());
        for (field, value) in [
            ("Email", Value::Boolean(true)),
            ("Email", Value::Bytes(vec![1])),
            ("Email", text(&"x".repeat(256))),
            ("Visits", text("12.5")),
            ("Visits", Value::Number(1.5)),
            ("Visits", Value::Boolean(true)),
            ("Balance", text("$5")),
            ("Balance", Value::Number(f64::NAN)),
            ("Active", text("maybe")),
            ("Active", Value::Integer(2)),
            ("Born", text("01/02/1970")),
            ("Born", text("")),
            ("Born", text("1970-01-02T03:04:05Z")),
            ("Languages", text("English")),
            ("Languages", Value::Choices(vec![choice(0, "Klingon")])),
            ("Created", text("x")),
            ("Number", Value::Integer(1)),
            ("Total", Value::Integer(1)),
            ("PK_ID", Value::Integer(1)),
        ] {
            let error = written(field, value).expect_err(field);
            assert_eq!(error.code(), "invalid");
            assert!(error.to_string().contains(field), "{error}");
        }
        assert!(written("Nope", Value::Null).expect_err("unknown").is_about_schema());
    }

    #[test]
    fn an_update_takes_no_password_and_no_empty_row() {
        let row = Row(vec![("Secret".to_owned(), Value::Text("pw".to_owned()))]);
        assert!(row_to_json(&schema(), &row, Purpose::Update).is_err());
        assert!(row_to_json(&schema(), &Row(vec![]), Purpose::Update).is_err());
        assert_eq!(row_to_json(&schema(), &Row(vec![]), Purpose::Create).expect("defaults"), b"{}");
        let twice = Row(vec![("Email".to_owned(), Value::Null), ("EMAIL".to_owned(), Value::Null)]);
        assert!(row_to_json(&schema(), &twice, Purpose::Create).is_err());
    }
}
