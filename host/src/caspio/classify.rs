//! From an answer that is no success to an error.
//!
//! Caspio's `Message` and `Resource` can hold values of records. They are searched here, for words
//! that tell the case and for names of fields that are known anyway, and go no further.

use std::time::Duration;

use serde_json::Value;

use crate::model::TableSchema;

use super::CaspioError;
use super::error::{ErrorKind, shown};

/// What a call was about, for the texts of errors.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Subject<'a> {
    /// The table, or what `noun` says.
    pub(super) table: Option<&'a str>,
    /// "" means "table".
    pub(super) noun: &'static str,
    /// Its fields.
    pub(super) schema: Option<&'a TableSchema>,
    /// Fields were named in the request, so that an unexplained failure may be about one of them.
    pub(super) names_fields: bool,
    /// Rows are written, so that a Unique field may refuse.
    pub(super) writes_rows: bool,
}

/// What can be read of an error's body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorBody {
    /// Caspio's `Code`: letters and digits.
    pub(super) code: String,
    message: String,
    /// The rate limit, in the form that comes with status 400.
    pub(super) rate_limit: bool,
}

impl ErrorBody {
    pub(super) fn read(body: &[u8]) -> Self {
        // Small by nature; a page of HTML is not worth reading.
        let body = body.get(..body.len().min(64 * 1024)).unwrap_or_default();
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let object = match &json {
            Value::Array(list) => list.first().unwrap_or(&Value::Null),
            other => other,
        };
        let text =
            |names: &[&str]| names.iter().find_map(|name| object.get(*name)?.as_str()).unwrap_or_default();
        let code = text(&["Code", "code", "error", "name", "Name"]);
        let fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        Self {
            code: code.chars().filter(fit).take(40).collect(),
            message: text(&["Message", "message", "error_description"]).to_lowercase(),
            rate_limit: contains(body, b"api-calls-rate"),
        }
    }

    /// Fields of the schema that the message names as words of their own.
    fn named<'s>(&self, schema: Option<&'s TableSchema>, only_unique: bool) -> Vec<&'s str> {
        let fields = schema.map(|s| s.fields.as_slice()).unwrap_or_default();
        let words: Vec<&str> = self.message.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        fields
            .iter()
            .filter(|field| !only_unique || field.unique)
            .filter(|field| words.contains(&field.name.to_lowercase().as_str()))
            .map(|field| field.name.as_str())
            .collect()
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The error that an answer means. `status` is none of 2xx.
pub(super) fn classify(
    connection: &str,
    status: u16,
    body: &ErrorBody,
    retry_after: Option<Duration>,
    subject: Subject<'_>,
) -> CaspioError {
    let connection = || connection.to_owned();
    let noun = if subject.noun.is_empty() { "table" } else { subject.noun };
    let table = subject.table.map(shown);
    if status == 429 || (body.rate_limit && status < 500) {
        return CaspioError::from(ErrorKind::Throttled).with_retry_after(retry_after);
    }
    // 408: somebody on the way gave up waiting.
    if status >= 500 || status == 408 {
        let error = CaspioError::from(ErrorKind::Server(status)).with_retry_after(retry_after);
        // Seen for an unknown field in q.select.
        return if subject.names_fields { error.about_schema() } else { error };
    }
    match (status, body.code.as_str()) {
        (401, _) => ErrorKind::Credentials(connection()).into(),
        (403, "IpForbidden") => ErrorKind::IpForbidden(connection()).into(),
        (403, _) | (400, "ProfileDisabled" | "UnsufficientPrivileges" | "InsufficientPrivileges") => {
            ErrorKind::Forbidden(connection()).into()
        }
        (_, "FieldNotFound") => CaspioError::not_found(match table {
            Some(table) => {
                format!("{noun} '{table}' no longer has one of the fields named; check them in Caspio")
            }
            None => "a field is not found; check its name in Caspio".to_owned(),
        })
        .about_schema(),
        (404, _) => match table {
            Some(table) => CaspioError::not_found(format!(
                "{noun} '{table}' is not found; check its name, and that the Web services profile may see it"
            ))
            .about_schema(),
            None => {
                CaspioError::not_found("the object is not found in Caspio; it may have been deleted there")
            }
        },
        (409, _) => ErrorKind::Conflict(conflict_text(body, subject)).into(),
        (400, _) if subject.writes_rows && is_unique_violation(body) => {
            ErrorKind::Conflict(conflict_text(body, subject)).into()
        }
        (400, "InvalidInputValue") => match body.named(subject.schema, false).as_slice() {
            [one] => {
                CaspioError::invalid(*one, "Caspio refuses the value; give one that fits the field's type")
            }
            [] => CaspioError::invalid("", "Caspio refuses a value; check that each fits its field's type"),
            several => CaspioError::invalid(
                "",
                format!(
                    "Caspio refuses a value of {}; give values that fit the fields' types",
                    several.join(", ")
                ),
            ),
        },
        (413, _) => CaspioError::too_large("Caspio refuses the request as too large; send less at once"),
        (414, _) => {
            CaspioError::too_large("Caspio refuses the request's URI as too long; compare fewer values")
        }
        (status, code) => {
            let may_be_a_field = subject.names_fields && code == "IncorrectQueryParameter";
            let code = format!("caspio-{}", if body.code.is_empty() { "none" } else { &body.code });
            let error = CaspioError::from(ErrorKind::Refused { status, code, hint: hint(status) });
            if may_be_a_field { error.about_schema() } else { error }
        }
    }
}

fn hint(status: u16) -> &'static str {
    match status {
        300..400 => "check the connection's integration URL",
        400 => "check names, values and lengths against the table in Caspio",
        _ => "check the table and the Web services profile in Caspio",
    }
}

/// The code of a unique violation is not documented; its text speaks of it.
fn is_unique_violation(body: &ErrorBody) -> bool {
    body.message.contains("unique") || body.message.contains("duplicate")
}

fn conflict_text(body: &ErrorBody, subject: Subject<'_>) -> String {
    let named = body.named(subject.schema, true);
    if !subject.writes_rows {
        "Caspio has such an object already; change its name or remove the other".to_owned()
    } else if named.is_empty() {
        "another record has the same value in a Unique field; use another value, or update that record"
            .to_owned()
    } else {
        format!(
            "another record has the same value in Unique field {}; use another value, or update that record",
            named.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cause, Field, FieldType};

    fn schema() -> TableSchema {
        let field = |name: &str, unique| Field {
            name: name.to_owned(),
            kind: FieldType::TextShort,
            unique,
            writable: true,
            label: String::new(),
            choices: Vec::new(),
            time_zone: String::new(),
        };
        TableSchema {
            table: "Patients".to_owned(),
            kind: crate::model::SchemaKind::Table,
            fields: vec![field("Email", true), field("LastName", false)],
        }
    }

    fn classified(status: u16, body: &str) -> CaspioError {
        let schema = schema();
        let subject = Subject {
            table: Some("Patients"),
            noun: "",
            schema: Some(&schema),
            names_fields: true,
            writes_rows: true,
        };
        classify("clinic", status, &ErrorBody::read(body.as_bytes()), None, subject)
    }

    #[test]
    fn the_rate_limit_has_two_forms() {
        let array = r#"[{"name":"api-calls-rate","message":"You have exceeded your API call rate limits."}]"#;
        for error in [classified(400, array), classified(429, ""), classified(429, "<html>")] {
            assert_eq!(error.transient_cause(), Some(Cause::Throttled));
            assert!(!error.of_effect(true).is_undecided());
        }
    }

    #[test]
    fn no_value_of_a_record_gets_into_a_text() {
        let secret = "o'hara-1970";
        for (status, code) in [
            (400, "InvalidInputValue"),
            (400, "SqlServerError"),
            (400, "IncorrectQueryParameter"),
            (404, "FieldNotFound"),
            (404, "ObjectNotFound"),
            (403, "IpForbidden"),
            (409, "X"),
            (500, "InternalError"),
            (418, "Teapot"),
        ] {
            for words in ["", "duplicate value for unique Email: ", "field LastName "] {
                let body = serde_json::json!({
                    "Code": code, "Message": format!("{words}{secret}"), "Resource": secret, "RequestId": secret,
                });
                let error = classified(status, &body.to_string());
                let shown = format!("{error} {error:?} {:?}", error.to_action_error());
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }

    #[test]
    fn a_unique_violation_names_the_field() {
        let error =
            classified(400, r#"{"Code":"SqlServerError","Message":"Duplicate in LastName, field 'Email'"}"#);
        assert_eq!(error.code(), "conflict");
        assert!(error.to_string().contains("Unique field Email;"), "{error}");
    }

    #[test]
    fn codes_have_their_cases() {
        let with = |code: &str| format!(r#"{{"Code":"{code}","Message":"m"}}"#);
        for (status, code, expected, schema) in [
            (404, "FieldNotFound", "not-found", true),
            (404, "ObjectNotFound", "not-found", true),
            (400, "InvalidInputValue", "invalid", false),
            (401, "", "credentials", false),
            (403, "IpForbidden", "ip-forbidden", false),
            (403, "", "forbidden", false),
            (400, "ProfileDisabled", "forbidden", false),
            (400, "SqlServerError", "caspio-SqlServerError", false),
            (400, "IncorrectQueryParameter", "caspio-IncorrectQueryParameter", true),
            (500, "InternalError", "unavailable", true),
            (408, "", "unavailable", true),
            (302, "", "caspio-none", false),
        ] {
            let error = classified(status, &with(code));
            assert_eq!((error.code(), error.is_about_schema()), (expected, schema), "{status} {code}");
        }
    }

    #[test]
    fn a_code_is_cut_to_letters() {
        let body = ErrorBody::read(format!(r#"{{"Code":"A b'\n{}"}}"#, "c".repeat(99)).as_bytes());
        assert!(body.code.starts_with("Abc") && body.code.len() == 40);
    }
}
