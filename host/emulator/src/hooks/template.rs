//! Custom bodies: `CustomPayloadTemplate`.
//!
//! A template is JSON with single quotes in place of double ones and placeholders
//! `[@out-hook:name]`, `[@field:Name]`, `[@field:Name/]`. Within quotes a value is written as escaped
//! text, elsewhere as JSON. How Caspio escapes is not known; this way the result stays JSON. With a slash
//! an attachment or file is its download URL ([`crate::downloads`]), without one its name.

use serde_json::Value as Json;

use crate::data::Table;
use crate::error::ApiError;

/// What the `out-hook` placeholders stand for.
#[derive(Debug)]
pub struct Words<'a> {
    pub secret: &'a str,
    pub webhook_id: &'a str,
    pub message_id: &'a str,
    pub event_id: &'a str,
    pub call_id: &'a str,
    pub account_id: &'a str,
    pub event_date: &'a str,
    pub event_type: &'a str,
    pub object_name: &'a str,
}

impl Words<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        Some(match name {
            "secret" => self.secret,
            "webhookId" => self.webhook_id,
            "messageId" => self.message_id,
            "eventId" => self.event_id,
            "callId" => self.call_id,
            "accountId" => self.account_id,
            "eventDate" => self.event_date,
            "eventType" => self.event_type,
            "objectName" => self.object_name,
            _ => return None,
        })
    }
}

enum Piece<'a> {
    Text(&'a str),
    Word(&'a str),
    Field(&'a str),
    /// `[@field:Name/]`
    Download(&'a str),
}

/// Cuts a template at its placeholders.
fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("[@") {
        let Some((inside, behind)) = after.split_once(']') else { break };
        let piece = match inside.split_once(':') {
            Some(("out-hook", name)) => Piece::Word(name),
            Some(("field", name)) => match name.strip_suffix('/') {
                Some(name) => Piece::Download(name),
                None => Piece::Field(name),
            },
            _ => break,
        };
        found.push(Piece::Text(before));
        found.push(piece);
        rest = behind;
    }
    found.push(Piece::Text(rest));
    found
}

/// Refuses a template with an unknown placeholder.
pub fn check(table: &Table, template: &str) -> Result<(), ApiError> {
    for piece in pieces(template) {
        let known = match piece {
            Piece::Text(text) => !text.contains("[@"),
            Piece::Word(name) => WORDS.contains(&name),
            Piece::Field(name) | Piece::Download(name) => {
                name.eq_ignore_ascii_case("PK_ID") || table.position(name).is_some()
            }
        };
        if !known {
            return Err(ApiError::body("CustomPayloadTemplate has an unknown placeholder. Correct it."));
        }
    }
    Ok(())
}

const WORDS: [&str; 9] = [
    "secret",
    "webhookId",
    "messageId",
    "eventId",
    "callId",
    "accountId",
    "eventDate",
    "eventType",
    "objectName",
];

/// Names of the fields whose download URL a template wants.
pub fn downloads(template: &str) -> Vec<&str> {
    let wanted = pieces(template).into_iter().filter_map(|piece| match piece {
        Piece::Download(name) => Some(name),
        _ => None,
    });
    wanted.collect()
}

/// Writes the body for one row; `urls` are download URLs by field.
pub fn write(template: &str, words: &Words<'_>, row: &Json, urls: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut quoted = false;
    for piece in pieces(template) {
        let value = match piece {
            Piece::Text(text) => {
                for c in text.chars() {
                    if c == '\'' || c == '"' {
                        quoted = !quoted;
                        out.push('"');
                    } else {
                        out.push(c);
                    }
                }
                continue;
            }
            Piece::Word(name) => Json::from(words.get(name).unwrap_or_default()),
            Piece::Field(name) => field(row, name),
            Piece::Download(name) => {
                let url = urls.iter().find(|(field, _)| field == name);
                url.map_or_else(|| field(row, name), |(_, url)| Json::from(url.as_str()))
            }
        };
        if quoted {
            let text = match value {
                Json::Null => String::new(),
                Json::String(text) => text,
                other => other.to_string(),
            };
            let escaped = Json::String(text).to_string();
            out.push_str(
                escaped.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default(),
            );
        } else {
            out.push_str(&value.to_string());
        }
    }
    out
}

fn field(row: &Json, name: &str) -> Json {
    let members = row.as_object().into_iter().flatten();
    let mut found = members.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next().map_or(Json::Null, |(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_escaped_in_quotes_and_json_elsewhere() {
        let words = Words {
            secret: "s",
            webhook_id: "w",
            message_id: "m",
            event_id: "e",
            call_id: "c",
            account_id: "a",
            event_date: "d",
            event_type: "t",
            object_name: "o",
        };
        let text = "{'messageId': '[@out-hook:messageId]', 'data': [{'PK_ID': [@field:PK_ID], 'N': '[@field:n/]', 'Z': '[@field:Z]'}]}";
        let body = write(text, &words, &json!({"PK_ID": 7, "N": "O'Brien \"x\"", "Z": null}), &[]);
        let parsed: Json = serde_json::from_str(&body).unwrap();
        assert_eq!(parsed, json!({"messageId": "m", "data": [{"PK_ID": 7, "N": "O'Brien \"x\"", "Z": ""}]}));
    }
}
