//! Files and folders of the account.
//!
//! POST refuses a name that exists (409) and is all or nothing; PUT overwrites. Lists have pages of 25
//! unless told otherwise, and always say where they are. An unknown folder is a 400 in a list, where
//! the contract has no 404, and 404 elsewhere.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::account::Account;
use crate::error::ApiError;
use crate::files::{Entry, Files, Folder};
use crate::http::{Reply, Request};
use crate::multipart;

/// Answers what is under `/files`.
pub fn route(account: &mut Account, request: &Request, rest: &[&str]) -> Result<Reply, ApiError> {
    let lower: Vec<String> = rest.iter().map(|part| part.to_ascii_lowercase()).collect();
    let parts: Vec<&str> = lower.iter().map(String::as_str).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", []) => list_files(&account.files, request),
        ("POST", []) => create(account, request),
        ("PUT", []) => replace(account, request),
        ("GET", ["folders"]) => list_folders(&account.files, request),
        ("GET", ["folders", key]) => {
            let folder = account.files.folder(key_of(key)?).ok_or_else(|| ApiError::file("folder"))?;
            Ok(Reply::json(200, json!({"Result": folder_json(folder)})))
        }
        ("GET", ["path"]) => Ok(Reply::download(&at_path(account, request)?.file)),
        ("GET", ["path", "fileinfo"]) => {
            Ok(Reply::json(200, json!({"Result": entry_json(at_path(account, request)?)})))
        }
        ("DELETE", ["path"]) => {
            let key = at_path(account, request)?.key;
            account.files.remove(key);
            Ok(Reply::empty(204))
        }
        (_, [] | ["folders"] | ["folders", _] | ["path"] | ["path", "fileinfo"]) => Err(ApiError::method()),
        ("GET", [key]) => Ok(Reply::download(&entry(account, key)?.file)),
        ("GET", [key, "fileinfo"]) => {
            Ok(Reply::json(200, json!({"Result": entry_json(entry(account, key)?)})))
        }
        ("DELETE", [key]) => {
            if account.files.remove(key_of(key)?) {
                return Ok(Reply::empty(204));
            }
            Err(ApiError::file("file"))
        }
        (_, [_] | [_, "fileinfo"]) => Err(ApiError::method()),
        _ => Err(ApiError::path()),
    }
}

fn key_of(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| ApiError::query("externalKey must be a UUID. Take it from a list."))
}

fn entry<'a>(account: &'a Account, key: &str) -> Result<&'a Entry, ApiError> {
    account.files.get(key_of(key)?).ok_or_else(|| ApiError::file("file"))
}

fn at_path<'a>(account: &'a Account, request: &Request) -> Result<&'a Entry, ApiError> {
    let path =
        request.param("filePath").ok_or_else(|| ApiError::query("filePath is missing. Name a file."))?;
    account.files.at_path(path).ok_or_else(|| ApiError::file("file"))
}

fn folder_json(folder: &Folder) -> Json {
    json!({"Name": folder.name, "ExternalKey": folder.key, "DateCreated": folder.created})
}

fn entry_json(entry: &Entry) -> Json {
    json!({
        "Name": entry.file.name, "ExternalKey": entry.key, "Size": entry.file.bytes.len(),
        "ContentType": entry.file.content_type, "DateCreated": entry.file.created,
        "LastModified": entry.file.modified,
    })
}

/// The folder that `externalKey` names; `None` is the root.
fn folder(files: &Files, request: &Request) -> Result<Option<Uuid>, ApiError> {
    let Some(text) = request.param("externalKey") else { return Ok(None) };
    let key = key_of(text)?;
    files.folder(key).map(|folder| Some(folder.key)).ok_or_else(|| ApiError::file("folder"))
}

fn listed(files: &Files, request: &Request) -> Result<Option<Uuid>, ApiError> {
    folder(files, request).map_err(|_| ApiError::query("externalKey names no folder. Take it from a list."))
}

/// A page of items in the wanted order; `fields` are the names to sort by.
fn page<T>(
    request: &Request,
    mut items: Vec<T>,
    fields: &[&str],
    order: impl Fn(&str, &T, &T) -> Ordering,
    json: impl Fn(&T) -> Json,
) -> Result<Reply, ApiError> {
    let (number, size) =
        (request.number("pageNumber")?.unwrap_or(1), request.number("pageSize")?.unwrap_or(25));
    if number < 1 || i32::try_from(number).is_err() {
        return Err(ApiError::query("pageNumber must be 1 or more."));
    }
    if !(5..=1000).contains(&size) {
        return Err(ApiError::query("pageSize must be from 5 to 1000."));
    }
    let field = request.param("sortField").unwrap_or("Name").to_ascii_lowercase();
    let descending = request.truth("sortDescending")?;
    if !fields.contains(&field.as_str()) {
        return Err(ApiError::query("sortField is unknown. Use a member of the list's items."));
    }
    items.sort_by(|left, right| {
        let found = order(&field, left, right);
        if descending { found.reverse() } else { found }
    });
    let start = usize::try_from((number - 1).saturating_mul(size)).unwrap_or(usize::MAX);
    let shown = items.iter().skip(start).take(usize::try_from(size).unwrap_or(0));
    let result: Vec<Json> = shown.map(json).collect();
    let pagination = json!({"TotalCount": items.len(), "PageNumber": number, "PageSize": size});
    Ok(Reply::json(200, json!({"Result": result, "Pagination": pagination})))
}

fn by_name(left: &str, right: &str) -> Ordering {
    left.to_lowercase().cmp(&right.to_lowercase())
}

fn list_folders(files: &Files, request: &Request) -> Result<Reply, ApiError> {
    let parent = listed(files, request)?;
    let folders: Vec<&Folder> = files.folders.iter().filter(|folder| folder.parent == parent).collect();
    let order = |field: &str, left: &&Folder, right: &&Folder| match field {
        "datecreated" => left.created.cmp(&right.created),
        _ => by_name(&left.name, &right.name),
    };
    page(request, folders, &["name", "datecreated"], order, |folder| folder_json(folder))
}

fn list_files(files: &Files, request: &Request) -> Result<Reply, ApiError> {
    let parent = listed(files, request)?;
    let entries: Vec<&Entry> = files.entries.iter().filter(|entry| entry.folder == parent).collect();
    let order = |field: &str, left: &&Entry, right: &&Entry| {
        let (left, right) = (&left.file, &right.file);
        match field {
            "size" => left.bytes.len().cmp(&right.bytes.len()),
            "contenttype" => left.content_type.cmp(&right.content_type),
            "datecreated" => left.created.cmp(&right.created),
            "lastmodified" => left.modified.cmp(&right.modified),
            _ => by_name(&left.name, &right.name),
        }
    };
    page(request, entries, &["name", "size", "contenttype", "datecreated", "lastmodified"], order, |entry| {
        entry_json(entry)
    })
}

fn create(account: &mut Account, request: &Request) -> Result<Reply, ApiError> {
    let folder = folder(&account.files, request)?;
    let files = multipart::files(request, "Files", account.settings.max_file_bytes)?;
    for (at, file) in files.iter().enumerate() {
        let twice = files.iter().take(at).any(|other| by_name(&other.name, &file.name).is_eq());
        if twice || account.files.named(folder, &file.name).is_some() {
            return Err(ApiError::new(
                409,
                "Conflict",
                "A file with this name exists in the folder. Use another name, or PUT to overwrite.",
            ));
        }
    }
    let Account { files: store, env, .. } = account;
    let made = files.into_iter().map(|file| {
        let name = file.name.clone();
        let (key, _) = store.put(folder, file, env);
        json!({"Name": name, "ExternalKey": key})
    });
    Ok(Reply::json(201, json!({"Result": made.collect::<Vec<Json>>()})))
}

fn replace(account: &mut Account, request: &Request) -> Result<Reply, ApiError> {
    let folder = folder(&account.files, request)?;
    let files = multipart::files(request, "File", account.settings.max_file_bytes)?;
    let [file] = files.as_slice() else {
        return Err(ApiError::body("PUT takes one file. Send one part named File."));
    };
    let name = file.name.clone();
    let Account { files: store, env, .. } = account;
    let (key, new) = store.put(folder, file.clone(), env);
    let status = if new { 201 } else { 200 };
    Ok(Reply::json(status, json!({"Result": {"Name": name, "ExternalKey": key}})))
}
