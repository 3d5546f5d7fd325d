//! Shapes of the answers of REST v3. All members may be missing or null, unknown ones are ignored.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::CaspioError;
use super::error::ErrorKind;

/// An answer that is none.
pub(super) fn unreadable() -> CaspioError {
    ErrorKind::Unreadable.into()
}

/// One row as Caspio sends it.
pub(super) type JsonRow = Map<String, Value>;

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, CaspioError> {
    serde_json::from_slice(body).map_err(|_| ErrorKind::Unreadable.into())
}

/// `{"Result": …}`.
pub(super) fn result<T: DeserializeOwned>(body: &[u8]) -> Result<T, CaspioError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Envelope<T> {
        result: T,
    }
    read::<Envelope<T>>(body).map(|envelope| envelope.result)
}

/// An object without an envelope.
pub(super) fn bare<T: DeserializeOwned>(body: &[u8]) -> Result<T, CaspioError> {
    read(body)
}

/// A list, with an envelope or without: the contract and Caspio's own client disagree.
pub(super) fn list<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, CaspioError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<T> {
        Bare(Vec<T>),
        #[serde(rename_all = "PascalCase")]
        Wrapped {
            result: Vec<T>,
        },
    }
    Ok(match read(body)? {
        Either::Bare(list) | Either::Wrapped { result: list } => list,
    })
}

/// The first row of `{"Result":[{row}]}`; none when there is no such thing.
pub(super) fn first_row(body: &[u8]) -> Option<JsonRow> {
    result::<Vec<JsonRow>>(body).ok()?.into_iter().next()
}

/// `{"RecordsAffected": n}`, with the rows when they were asked for and are there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Affected {
    pub(super) records_affected: u32,
    #[serde(default)]
    pub(super) result: Option<Vec<JsonRow>>,
}

/// The answer to an update or a delete.
pub(super) fn affected(body: &[u8]) -> Result<Affected, CaspioError> {
    read(body)
}

/// A field, as far as it is of use here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct FieldJson {
    pub(super) name: Option<String>,
    #[serde(rename = "Type")]
    pub(super) kind: Option<String>,
    pub(super) unique: Option<bool>,
    pub(super) editable: Option<bool>,
    pub(super) label: Option<String>,
    pub(super) is_formula: Option<bool>,
    pub(super) list_field: Option<Value>,
    pub(super) time_zone: Option<String>,
}

/// The token endpoint's answer.
#[derive(Deserialize)]
pub(super) struct TokenJson {
    pub(super) access_token: String,
    pub(super) expires_in: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_bare_or_wrapped() {
        assert_eq!(list::<u32>(b"[1,2]").expect("bare"), [1, 2]);
        assert_eq!(list::<u32>(b"{\"Result\":[1,2]}").expect("wrapped"), [1, 2]);
        assert!(list::<u32>(b"{}").is_err() && list::<u32>(b"").is_err() && list::<u32>(b"<html>").is_err());
    }

    #[test]
    fn affected_needs_its_number_only() {
        assert_eq!(affected(b"{\"RecordsAffected\":3}").expect("read").records_affected, 3);
        let with_rows = affected(b"{\"RecordsAffected\":1,\"Result\":[{\"A\":1}]}").expect("read");
        assert_eq!(with_rows.result.map(|rows| rows.len()), Some(1));
        assert!(affected(b"{\"RecordsAffected\":1,\"Result\":null}").expect("read").result.is_none());
        assert!(affected(b"{}").is_err());
    }
}
