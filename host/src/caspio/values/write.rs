//! From a typed row to the JSON that Caspio takes.

use std::str::FromStr as _;

use serde_json::{Map, Number, Value as Json};

use crate::model::{Choice, Field, FieldType, Row, TableSchema, Value};

use super::super::CaspioError;
use super::super::criteria::yes_no;
use super::super::list_form::ListForm;
use super::super::literal;

/// Longest STRING, in UTF-16 units, as SQL Server counts.
const SHORT_TEXT: usize = 255;
/// Longest TEXT.
const LONG_TEXT: usize = 64_000;
/// Decimals of CURRENCY; Caspio would round what has more.
const CURRENCY_DECIMALS: usize = 4;

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
    form: ListForm,
) -> Result<Vec<u8>, CaspioError> {
    let mut body = Map::new();
    for (name, value) in &row.0 {
        if name.eq_ignore_ascii_case("PK_ID") {
            return Err(CaspioError::invalid("PK_ID", "Caspio gives it; leave the field out"));
        }
        let field = schema.field(name).ok_or_else(|| CaspioError::unknown_field(schema, name))?;
        if !field.writable || field.kind.written_by_caspio() {
            return Err(CaspioError::invalid(
                field.name.as_str(),
                "Caspio writes it itself; leave the field out",
            ));
        }
        if field.kind == FieldType::Password {
            return Err(CaspioError::invalid(
                field.name.as_str(),
                "passwords are no business of workflows; leave the field out",
            ));
        }
        if body.insert(field.name.clone(), json(field, value, form)?).is_some() {
            return Err(CaspioError::invalid(field.name.as_str(), "it is given twice; give it once"));
        }
    }
    if body.is_empty() && purpose == Purpose::Update {
        return Err(CaspioError::invalid("", "an update needs at least one field"));
    }
    serde_json::to_vec(&Json::Object(body)).map_err(|_| CaspioError::misuse("a row has no JSON"))
}

fn json(field: &Field, value: &Value, form: ListForm) -> Result<Json, CaspioError> {
    let empty = matches!(value, Value::Text(text) if text.is_empty());
    // Unset text is "", all else that is unset has no value.
    if matches!(value, Value::Null) || (empty && field.kind.is_null_when_unset()) {
        return Ok(Json::Null);
    }
    let (json, wanted) = match &field.kind {
        FieldType::TextShort => (limited(field, value, SHORT_TEXT)?, "text"),
        FieldType::TextLong => (limited(field, value, LONG_TEXT)?, "text"),
        FieldType::File => (text(value).map(Json::String), "text"),
        FieldType::Number => (number(value), "a number"),
        FieldType::Currency => (currency(field, value)?, "a number"),
        FieldType::Integer => (whole(value), "a whole number"),
        FieldType::YesNo => (yes_no(value).map(Json::Bool), "yes or no"),
        FieldType::DateTime => {
            (date(value), "a date (YYYY-MM-DD) or a time (YYYY-MM-DDTHH:MM:SS) without zone")
        }
        FieldType::ListString | FieldType::ListNumber | FieldType::ListDateTime => match value {
            Value::Choices(list) => (Some(choices(field, list, form)?), "choices"),
            _ => (None, "choices"),
        },
        FieldType::Other(_) => (any(value), "text, a number or yes or no"),
        // Refused before.
        FieldType::Timestamp
        | FieldType::Autonumber
        | FieldType::PrefixedAutonumber
        | FieldType::RandomId
        | FieldType::Guid
        | FieldType::Password
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

/// A number that Caspio keeps as it is.
fn currency(field: &Field, value: &Value) -> Result<Option<Json>, CaspioError> {
    let json = number(value);
    if let Some(Json::Number(number)) = &json
        && literal::decimals(&number.to_string()) > CURRENCY_DECIMALS
    {
        return Err(CaspioError::invalid(
            field.name.as_str(),
            "it holds four decimals, and Caspio would round the rest; round the number first",
        ));
    }
    Ok(json)
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

/// `"[1], [3]"`, or another form; nothing chosen clears the field.
fn choices(field: &Field, list: &[Choice], form: ListForm) -> Result<Json, CaspioError> {
    let chosen = list.iter().map(|choice| known(field, choice)).collect::<Result<Vec<_>, _>>()?;
    if chosen.is_empty() {
        return Ok(Json::Null);
    }
    Ok(match form {
        ListForm::Text => Json::String(
            chosen.iter().map(|choice| format!("[{}]", choice.key)).collect::<Vec<_>>().join(", "),
        ),
        ListForm::Keys => chosen.iter().map(|choice| Json::from(choice.key)).collect(),
        ListForm::Labels => chosen.iter().map(|choice| Json::String(choice.label.clone())).collect(),
    })
}

/// The field's choice that is meant: by its key, or by its label when the key is 0.
fn known<'f>(field: &'f Field, choice: &'f Choice) -> Result<&'f Choice, CaspioError> {
    let same = |known: &&Choice| match choice.key {
        0 => known.key != 0 && same_label(&field.kind, &known.label, &choice.label),
        key => known.key == key,
    };
    match field.choices.iter().find(same) {
        Some(known) => Ok(known),
        // Newer than the schema, perhaps: Caspio knows.
        None if choice.key != 0 => Ok(choice),
        None => Err(CaspioError::invalid(
            field.name.as_str(),
            "one of the choices is none of the field's; use its labels",
        )),
    }
}

/// Labels of numbers and days are the same when their values are.
fn same_label(kind: &FieldType, known: &str, given: &str) -> bool {
    let alike = |normal: fn(&str) -> Option<String>| {
        let (known, given) = (normal(known), normal(given));
        known.is_some() && known == given
    };
    known.eq_ignore_ascii_case(given)
        || (*kind == FieldType::ListNumber && alike(literal::plain_number))
        || (*kind == FieldType::ListDateTime && alike(literal::date_time))
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

    fn in_form(field: &str, value: Value, form: ListForm) -> Result<String, CaspioError> {
        let row = Row(vec![(field.to_owned(), value)]);
        row_to_json(&schema(), &row, Purpose::Create, form).map(|body| String::from_utf8(body).expect("text"))
    }

    fn written(field: &str, value: Value) -> Result<String, CaspioError> {
        in_form(field, value, ListForm::Text)
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
            ("Languages", text(""), r#"{"Languages":null}"#),
            ("Rooms", Value::Choices(vec![choice(0, "20.50")]), r#"{"Rooms":"[2]"}"#),
            ("Holidays", Value::Choices(vec![choice(0, "2026-03-04")]), r#"{"Holidays":"[7]"}"#),
            ("Email", text(""), r#"{"Email":""}"#),
            ("Born", text(""), r#"{"Born":null}"#),
            ("Visits", text(""), r#"{"Visits":null}"#),
            ("Balance", text(""), r#"{"Balance":null}"#),
            ("Balance", decimal("0.12340"), r#"{"Balance":0.12340}"#),
            ("Balance", Value::Number(0.1), r#"{"Balance":0.1}"#),
            ("File", text("/Folder/x.png"), r#"{"File":"/Folder/x.png"}"#),
        ] {
            assert_eq!(written(field, value).expect(expected), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_fields_name() {
        let text = |t: &str| Value::Text(t.to_owned());
        let decimal = |t: &str| Value::Decimal(t.to_owned());
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
            ("Active", text("")),
            ("Balance", decimal("0.12345")),
            ("Balance", Value::Number(0.1 + 0.2)),
            ("Balance", decimal("1e-5")),
            ("Secret", text("pw")),
            ("Photo", text("x.png")),
            ("Guid", text("0f8fad5b-d9cb-469f-a165-70867728950e")),
            ("Code", text("DR-001")),
            ("Random", text("ABC")),
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
    fn choices_have_three_forms() {
        let value = || Value::Choices(vec![choice(2, ""), choice(0, "french"), choice(9, "New")]);
        for (form, expected) in [
            (ListForm::Text, r#"{"Languages":"[2], [4], [9]"}"#),
            (ListForm::Keys, r#"{"Languages":[2,4,9]}"#),
            (ListForm::Labels, r#"{"Languages":["English","French","New"]}"#),
        ] {
            assert_eq!(in_form("Languages", value(), form).expect(expected), expected);
        }
    }

    #[test]
    fn an_update_takes_no_empty_row_and_nothing_takes_a_field_twice() {
        let json = |row: &Row, purpose| row_to_json(&schema(), row, purpose, ListForm::Text);
        assert!(json(&Row(vec![]), Purpose::Update).is_err());
        assert_eq!(json(&Row(vec![]), Purpose::Create).expect("defaults"), b"{}");
        let twice = Row(vec![("Email".to_owned(), Value::Null), ("EMAIL".to_owned(), Value::Null)]);
        assert!(json(&twice, Purpose::Create).is_err());
    }
}
