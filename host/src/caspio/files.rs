//! Caspio's file store: folders and files, meant by their keys.

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::model::{File, Folder, StoredFile};

use super::classify::Subject;
use super::envelope;
use super::paths::{self, Path};
use super::query::PAGE;
use super::transport::Call;
use super::upload::form;
use super::{CallContext, Caspio, CaspioError};

/// Pages of a folder that are read: 10,000 entries.
const MOST_PAGES: u32 = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntryJson {
    name: Option<String>,
    external_key: Option<String>,
    size: Option<u64>,
    content_type: Option<String>,
    date_created: Option<String>,
    last_modified: Option<String>,
}

impl Caspio {
    /// Folders in a folder; none: at the top.
    ///
    /// # Errors
    /// When there is no such folder, it holds more than 10,000, and as of any call.
    pub async fn folders(
        &self,
        context: &CallContext,
        parent: Option<&str>,
    ) -> Result<Vec<Folder>, CaspioError> {
        let entries: Vec<EntryJson> = self.entries(context, &Path::folders(), parent).await?;
        let folder = |json: EntryJson| {
            Some(Folder {
                key: json.external_key?,
                name: json.name?,
                created: json.date_created.unwrap_or_default(),
            })
        };
        Ok(entries.into_iter().filter_map(folder).collect())
    }

    /// Files in a folder; none: at the top.
    ///
    /// # Errors
    /// When there is no such folder, it holds more than 10,000, and as of any call.
    pub async fn files(&self, context: &CallContext, folder: Option<&str>) -> Result<Vec<File>, CaspioError> {
        let entries: Vec<EntryJson> = self.entries(context, &Path::files(), folder).await?;
        let file = |json: EntryJson| {
            Some(File {
                key: json.external_key?,
                name: json.name?,
                size: json.size.unwrap_or_default(),
                content_type: json.content_type.unwrap_or_default(),
                created: json.date_created.unwrap_or_default(),
                updated: json.last_modified.unwrap_or_default(),
            })
        };
        Ok(entries.into_iter().filter_map(file).collect())
    }

    async fn entries<T: DeserializeOwned>(
        &self,
        context: &CallContext,
        path: &Path,
        folder: Option<&str>,
    ) -> Result<Vec<T>, CaspioError> {
        let mut entries = Vec::new();
        for page in 1..=MOST_PAGES {
            let (page, size) = (page.to_string(), PAGE.to_string());
            let mut query = vec![("pageNumber", page.as_str()), ("pageSize", &size), ("sortField", "Name")];
            query.extend(folder.map(|key| ("externalKey", key)));
            let url = paths::url(&self.credentials.base, path, &query)?;
            let body = self.body(context, &self.call(Method::GET, url)).await;
            let body = body.map_err(|error| match error.code() {
                "caspio-IncorrectQueryParameter" if folder.is_some() => {
                    CaspioError::not_found("the folder is not found in Caspio; check its key")
                }
                _ => error,
            })?;
            let found: Vec<T> = envelope::result(&body)?;
            let last = found.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            entries.extend(found);
            if last {
                return Ok(entries);
            }
        }
        Err(CaspioError::too_large("the folder holds more than 10,000; spread it over several folders"))
    }

    /// The content of a file.
    ///
    /// # Errors
    /// When there is none, it is too large, and as of any call.
    pub async fn download_file(&self, context: &CallContext, key: &str) -> Result<Vec<u8>, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::file(key)?, &[])?;
        self.download(context, url, Subject::default()).await
    }

    /// Stores a file. `replace`: instead of the one that has the name, which is no error then.
    ///
    /// # Errors
    /// When Caspio refuses it, and as of any call.
    pub async fn upload_file(
        &self,
        context: &CallContext,
        folder: Option<&str>,
        file: (&str, &[u8]),
        replace: bool,
    ) -> Result<StoredFile, CaspioError> {
        let (name, content) = file;
        self.check_upload(name, content.len())?;
        let query: Vec<_> = folder.map(|key| ("externalKey", key)).into_iter().collect();
        let url = paths::url(&self.credentials.base, &Path::files(), &query)?;
        let (method, part) = if replace { (Method::PUT, "File") } else { (Method::POST, "Files") };
        let (kind, body) = form(part, name, content)?;
        let call = Call { body: Some(body), content_type: Some(kind), ..self.call(method, url) };
        let reply = self.send(context, &call).await?;
        // It is stored, whatever the answer lacks.
        let stored = reply.body.ok().and_then(|body| stored(&body));
        let key = stored.as_ref().and_then(|json| json.external_key.clone()).unwrap_or_default();
        let name = stored.and_then(|json| json.name).unwrap_or_else(|| name.to_owned());
        Ok(StoredFile { key, name })
    }

    /// Deletes a file; false when there was none.
    ///
    /// # Errors
    /// As of any call.
    pub async fn delete_file(&self, context: &CallContext, key: &str) -> Result<bool, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::file(key)?, &[])?;
        match self.send(context, &self.call(Method::DELETE, url)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// `{"Result":[{…}]}` of a POST, `{"Result":{…}}` of a PUT.
fn stored(body: &[u8]) -> Option<EntryJson> {
    let many = envelope::result::<Vec<EntryJson>>(body).ok().and_then(|list| list.into_iter().next());
    many.or_else(|| envelope::result(body).ok())
}
