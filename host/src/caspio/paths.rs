//! Paths of REST v3, and how URLs are put together.
//!
//! Segments and query values are percent-encoded here, a space as `%20`. Nothing else of the client
//! knows a path. A URI over [`MAX_URI`] characters is refused by Caspio, so it is refused before.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

use crate::model::{SchemaKind, TableSchema};

use super::error::shown;
use super::{BaseUrl, CaspioError};

/// Caspio's limit of a request URI, in characters.
pub(super) const MAX_URI: usize = 2047;

const REST: &str = "/integrations/rest/v3";
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Commas and parentheses are allowed in a query and make lists of ids much shorter.
const VALUE: &AsciiSet = &SEGMENT.remove(b',').remove(b'(').remove(b')').remove(b'*').remove(b'=');

/// A path below the account's base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn token() -> Self {
        Self("/oauth/token".to_owned())
    }

    pub(super) fn tables() -> Self {
        Self(format!("{REST}/tables"))
    }

    pub(super) fn fields(table: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{REST}/tables/{}/fields", name_segment("table", table)?)))
    }

    /// Records of a table or view, users of a directory.
    pub(super) fn records(schema: &TableSchema) -> Result<Self, CaspioError> {
        let name = |noun| name_segment(noun, &schema.table);
        Ok(Self(match &schema.kind {
            SchemaKind::Table => format!("{REST}/tables/{}/records", name("table")?),
            SchemaKind::View => format!("{REST}/views/{}/records", name("view")?),
            SchemaKind::Directory { id } => format!("{REST}/directories/{}/users", key_segment(id)?),
        }))
    }

    pub(super) fn views() -> Self {
        Self(format!("{REST}/views"))
    }

    pub(super) fn view_fields(view: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{REST}/views/{}/fields", name_segment("view", view)?)))
    }

    pub(super) fn attachments(table: &str, field: &str) -> Result<Self, CaspioError> {
        let (table, field) = (name_segment("table", table)?, name_segment("field", field)?);
        Ok(Self(format!("{REST}/tables/{table}/attachments/{field}")))
    }

    pub(super) fn attachment(table: &str, field: &str, pk_id: i64) -> Result<Self, CaspioError> {
        Ok(Self(format!("{}/{pk_id}", Self::attachments(table, field)?.0)))
    }

    pub(super) fn attachment_info(table: &str, field: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{}/fileInfo", Self::attachments(table, field)?.0)))
    }

    pub(super) fn files() -> Self {
        Self(format!("{REST}/files"))
    }

    pub(super) fn folders() -> Self {
        Self(format!("{REST}/files/folders"))
    }

    pub(super) fn file(key: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{REST}/files/{}", key_segment(key)?)))
    }

    pub(super) fn directories() -> Self {
        Self(format!("{REST}/directories"))
    }

    pub(super) fn activate(directory: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{REST}/directories/{}/users/activate", key_segment(directory)?)))
    }

    pub(super) fn tasks() -> Self {
        Self(format!("{REST}/dataImportExportTasks"))
    }

    pub(super) fn task(key: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{REST}/dataImportExportTasks/{}", key_segment(key)?)))
    }

    pub(super) fn run_task(key: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{REST}/dataImportExportTasks/{}/run", key_segment(key)?)))
    }

    pub(super) fn webhooks() -> Self {
        Self(format!("{REST}/outgoingWebhooks"))
    }

    pub(super) fn webhook(id: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{REST}/outgoingWebhooks/{}", id_segment(id)?)))
    }

    pub(super) fn events(hook: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{REST}/outgoingWebhooks/{}/events", id_segment(hook)?)))
    }

    pub(super) fn event(hook: &str, id: &str) -> Result<Self, CaspioError> {
        Ok(Self(format!("{REST}/outgoingWebhooks/{}/events/{}", id_segment(hook)?, id_segment(id)?)))
    }
}

/// "" and dot segments would name another resource: a URL parser takes `..` away even when encoded.
fn segment(text: &str) -> Option<String> {
    let usable = !matches!(text, "" | "." | "..");
    usable.then(|| utf8_percent_encode(text, SEGMENT).to_string())
}

fn name_segment(noun: &str, name: &str) -> Result<String, CaspioError> {
    segment(name)
        .ok_or_else(|| CaspioError::not_found(format!("there can't be a {noun} named '{}'", shown(name))))
}

/// A key of a file, directory or task. Those of Caspio are letters, digits and dashes; "path" and "folders" would
/// be other routes.
fn key_segment(key: &str) -> Result<String, CaspioError> {
    let other_route = ["path", "folders"].iter().any(|route| key.eq_ignore_ascii_case(route));
    segment(key).filter(|_| !other_route).ok_or_else(|| {
        CaspioError::not_found(format!("there can't be anything with the key '{}'", shown(key)))
    })
}

fn id_segment(id: &str) -> Result<String, CaspioError> {
    segment(id).ok_or_else(|| CaspioError::misuse("a webhook or event without an id"))
}

/// The URL of a path with its query.
///
/// # Errors
/// When it is longer than Caspio accepts.
pub(super) fn url(base: &BaseUrl, path: &Path, query: &[(&str, &str)]) -> Result<Url, CaspioError> {
    let mut text = format!("{base}{}", path.0);
    for (n, (name, value)) in query.iter().enumerate() {
        text.push(if n == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.extend(utf8_percent_encode(value, VALUE));
    }
    if text.len() > MAX_URI {
        return Err(CaspioError::too_large(
            "the criteria and fields make a request of more than 2,047 characters, which Caspio refuses; \
             compare fewer or shorter values, name fewer fields, or ask in several steps",
        ));
    }
    Url::parse(&text).map_err(|_| CaspioError::misuse("a request has no valid URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> BaseUrl {
        BaseUrl::parse("c1abc123.caspio.com").expect("base")
    }

    fn named(table: &str) -> TableSchema {
        TableSchema { table: table.to_owned(), kind: SchemaKind::Table, fields: Vec::new() }
    }

    #[test]
    fn what_was_encoded_reaches_the_server_as_it_was() {
        let path = Path::records(&named("A/b ç?#%")).expect("path");
        let hostile = "N'a&b=c+d #%27;\u{0}\u{7}é😀\n'";
        let url = url(&base(), &path, &[("q.where", hostile), ("q.orderBy", "PK_ID")]).expect("url");
        assert!(url.as_str().starts_with(
            "https://c1abc123.caspio.com/integrations/rest/v3/tables/A%2Fb%20%C3%A7%3F%23%25/records?q.where=N%27a%26b=c%2Bd%20%23"
        ));
        let pairs: Vec<_> = url.query_pairs().collect();
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[0].1, hostile);
        assert!(url.fragment().is_none());
    }

    #[test]
    fn dot_segments_and_other_routes_are_no_names() {
        assert!(Path::file("path").is_err() && Path::task("Folders").is_err());
        for name in ["", ".", ".."] {
            assert!(
                Path::records(&named(name)).is_err()
                    && Path::fields(name).is_err()
                    && Path::webhook(name).is_err()
                    && Path::file(name).is_err()
            );
        }
        // Encoded by the caller is no way around it: the percent sign is encoded again.
        let path = Path::fields("%2e%2e").expect("a name");
        assert!(url(&base(), &path, &[]).expect("url").path().ends_with("/tables/%252e%252e/fields"));
    }

    #[test]
    fn a_uri_is_at_most_2047_characters() {
        let fixed = url(&base(), &Path::tables(), &[("q", "")]).expect("url").as_str().len();
        let long = "x".repeat(MAX_URI - fixed);
        assert_eq!(url(&base(), &Path::tables(), &[("q", &long)]).expect("fits").as_str().len(), MAX_URI);
        let error = url(&base(), &Path::tables(), &[("q", &format!("{long}x"))]).expect_err("too long");
        assert_eq!(error.code(), "too-large");
        assert!(!error.is_undecided());
    }
}
