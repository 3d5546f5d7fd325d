//! Every path of REST v3 that is here, and its verbs.
//!
//! The table decides between 404 (no such path) and 405 with `Allow` (no such verb, RFC 9110) before any
//! handler is asked; a test compares it with the contract. Literals come before names: `/files/path`
//! is no file with the key `path`. Version 2 has tables, views and webhooks under the same names.

use crate::error::ApiError;

/// Path below the version, `*` for a name, and the verbs.
pub const ROUTES: &[(&str, &str)] = &[
    ("tables", "GET, POST"),
    ("tables/*", "GET"),
    ("tables/*/fields", "GET, POST"),
    ("tables/*/fields/*", "GET, PUT, DELETE"),
    ("tables/*/records", "GET, POST, PUT, DELETE"),
    ("tables/*/passwordFields", "GET"),
    ("tables/*/passwordFields/*", "PUT, DELETE"),
    ("tables/*/attachments/*", "DELETE"),
    ("tables/*/attachments/*/fileInfo", "GET, PUT"),
    ("tables/*/attachments/*/*", "GET, PUT"),
    ("views", "GET"),
    ("views/*", "GET"),
    ("views/*/fields", "GET"),
    ("views/*/fields/*", "GET"),
    ("views/*/records", "GET, POST, PUT, DELETE"),
    ("views/*/attachments/*", "DELETE"),
    ("views/*/attachments/*/fileInfo", "GET, PUT"),
    ("views/*/attachments/*/*", "GET, PUT"),
    ("outgoingWebhooks", "GET, POST"),
    ("outgoingWebhooks/*", "GET, PUT, DELETE"),
    ("outgoingWebhooks/*/events", "GET, POST"),
    ("outgoingWebhooks/*/events/*", "GET, PUT, DELETE"),
    ("files", "GET, POST, PUT"),
    ("files/folders", "GET"),
    ("files/folders/*", "GET"),
    ("files/path", "GET, DELETE"),
    ("files/path/fileInfo", "GET"),
    ("files/*", "GET, DELETE"),
    ("files/*/fileInfo", "GET"),
    ("directories", "GET"),
    ("directories/*/users", "GET, POST, PUT, DELETE"),
    ("directories/*/users/activate", "POST"),
    ("dataImportExportTasks", "GET"),
    ("dataImportExportTasks/*", "GET"),
    ("dataImportExportTasks/*/run", "POST"),
];

/// What version 2 has of them.
const IN_V2: [&str; 3] = ["tables", "views", "outgoingWebhooks"];

/// Whether there is such a path with such a verb.
pub fn check(segments: &[&str], method: &str, version: u8) -> Result<(), ApiError> {
    let fits = |pattern: &str| {
        let parts: Vec<&str> = pattern.split('/').collect();
        parts.len() == segments.len()
            && parts.iter().zip(segments).all(|(part, own)| *part == "*" || part.eq_ignore_ascii_case(own))
    };
    let found = ROUTES.iter().find(|(pattern, _)| fits(pattern));
    let (pattern, verbs) = found.ok_or_else(ApiError::path)?;
    if version == 2 && !IN_V2.iter().any(|family| pattern.split('/').next() == Some(family)) {
        return Err(ApiError::path());
    }
    if verbs.split(", ").any(|verb| verb == method) {
        return Ok(());
    }
    Err(ApiError { allow: Some(verbs), ..ApiError::method() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_the_contract() {
        let text = include_str!("../../../../tests/conformance/contract.json");
        let contract: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut theirs = BTreeSet::new();
        for (path, operations) in contract["paths"].as_object().unwrap() {
            let parts = path.trim_start_matches("/v3/").split('/');
            let parts: Vec<&str> = parts.map(|part| if part.starts_with('{') { "*" } else { part }).collect();
            for method in operations.as_object().unwrap().keys() {
                theirs.insert((parts.join("/"), method.to_uppercase()));
            }
        }
        let ours: BTreeSet<(String, String)> = ROUTES
            .iter()
            .flat_map(|(path, verbs)| verbs.split(", ").map(|verb| ((*path).to_owned(), verb.to_owned())))
            .collect();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn literals_come_before_names() {
        assert!(check(&["files", "PATH"], "DELETE", 3).is_ok());
        assert_eq!(
            check(&["Tables", "T", "records"], "PATCH", 3).unwrap_err().allow,
            Some("GET, POST, PUT, DELETE")
        );
        assert_eq!(check(&["files"], "GET", 2).unwrap_err().status, 404);
        assert_eq!(check(&["tables", "T", "columns"], "GET", 3).unwrap_err().status, 404);
    }
}
