//! Files in ATTACHMENT fields: one a record and field.
//!
//! All that changes something names its record by `PK_ID` and leaves the same when it is done again.

use reqwest::Method;
use serde::Deserialize;

use crate::model::{Attachment, Criteria, FieldType, TableSchema};

use super::classify::Subject;
use super::criteria::where_text;
use super::envelope;
use super::paths::{self, Path};
use super::query::parts_that_fit;
use super::records::subject;
use super::transport::Call;
use super::upload::{check_file_name, form};
use super::{CallContext, Caspio, CaspioError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InfoJson {
    #[serde(rename = "PK_ID")]
    pk_id: Option<serde_json::Value>,
    file_name: Option<String>,
    file_type: Option<String>,
    size: Option<u64>,
    date_created: Option<String>,
    date_updated: Option<String>,
}

impl Caspio {
    /// The field's name as the schema has it.
    ///
    /// # Errors
    /// When there is no such field, or it is no attachment.
    pub fn attachment_field<'s>(&self, schema: &'s TableSchema, field: &str) -> Result<&'s str, CaspioError> {
        let known = schema.field(field).ok_or_else(|| CaspioError::unknown_field(schema, field))?;
        if known.kind != FieldType::Attachment {
            return Err(CaspioError::invalid(
                known.name.as_str(),
                "it is no ATTACHMENT field; use another field",
            ));
        }
        Ok(&known.name)
    }

    /// Files of the records that match.
    ///
    /// # Errors
    /// Unknown field, value that does not fit its field, request too long, and as of any call.
    pub async fn attachments(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        field: &str,
        criteria: Option<&Criteria>,
    ) -> Result<Vec<Attachment>, CaspioError> {
        let path = Path::attachment_info(&schema.table, self.attachment_field(schema, field)?)?;
        let url = |part: &str| paths::url(&self.credentials.base, &path, &[("q.where", part)]);
        let urls = match criteria {
            None => vec![paths::url(&self.credentials.base, &path, &[])?],
            Some(criteria) => {
                let whole = url(&where_text(criteria, schema)?);
                match (whole, parts_that_fit(schema, criteria, &|part| url(part).is_ok())?) {
                    (Ok(whole), _) => vec![whole],
                    (Err(_), Some(parts)) => parts.iter().map(|part| url(part)).collect::<Result<_, _>>()?,
                    (Err(too_long), None) => return Err(too_long),
                }
            }
        };
        let mut found: Vec<Attachment> = Vec::new();
        for url in urls {
            let subject = Subject { names_fields: true, ..subject(schema, false) };
            let call = Call { subject, ..self.call(Method::GET, url) };
            let infos: Vec<InfoJson> = envelope::result(&self.body(context, &call).await?)?;
            found.extend(infos.into_iter().filter_map(attachment));
        }
        found.sort_by_key(|attachment| attachment.pk_id);
        found.dedup_by_key(|attachment| attachment.pk_id);
        Ok(found)
    }

    /// The content of a record's file.
    ///
    /// # Errors
    /// When there is none, it is too large, and as of any call.
    pub async fn download_attachment(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        field: &str,
        pk_id: i64,
    ) -> Result<Vec<u8>, CaspioError> {
        let path = Path::attachment(&schema.table, self.attachment_field(schema, field)?, pk_id)?;
        let url = paths::url(&self.credentials.base, &path, &[])?;
        let content = self.download(context, url, Subject::default()).await;
        content.map_err(|error| if error.is_not_found() { no_file(schema, field) } else { error })
    }

    /// Gives a record a file.
    ///
    /// # Errors
    /// When there is no such record, Caspio refuses the file, and as of any call.
    pub async fn upload_attachment(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        field: &str,
        pk_id: i64,
        file: (&str, &[u8]),
    ) -> Result<(), CaspioError> {
        let (name, content) = file;
        self.check_upload(name, content.len())?;
        let path = Path::attachment(&schema.table, self.attachment_field(schema, field)?, pk_id)?;
        let url = paths::url(&self.credentials.base, &path, &[])?;
        let (kind, body) = form("File", name, content)?;
        let call = Call { body: Some(body), content_type: Some(kind), ..self.call(Method::PUT, url) };
        let sent = self.send(context, &call).await.map(drop);
        sent.map_err(|error| if error.is_not_found() { no_record(schema) } else { error })
    }

    /// Gives a record's file another name; false when it has none.
    ///
    /// # Errors
    /// When Caspio refuses the name, and as of any call.
    pub async fn rename_attachment(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        field: &str,
        pk_id: i64,
        name: &str,
    ) -> Result<bool, CaspioError> {
        check_file_name(name)?;
        let path = Path::attachment_info(&schema.table, self.attachment_field(schema, field)?)?;
        let body = serde_json::json!({ "FileName": name }).to_string().into_bytes();
        self.of_record(context, Method::PUT, &path, pk_id, Some(body)).await
    }

    /// Takes a record's file away; false when there was none.
    ///
    /// # Errors
    /// As of any call.
    pub async fn delete_attachment(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        field: &str,
        pk_id: i64,
    ) -> Result<bool, CaspioError> {
        let path = Path::attachments(&schema.table, self.attachment_field(schema, field)?)?;
        self.of_record(context, Method::DELETE, &path, pk_id, None).await
    }

    async fn of_record(
        &self,
        context: &CallContext,
        method: Method,
        path: &Path,
        pk_id: i64,
        body: Option<Vec<u8>>,
    ) -> Result<bool, CaspioError> {
        let url = paths::url(&self.credentials.base, path, &[("q.where", &format!("PK_ID={pk_id}"))])?;
        let call = Call { body, ..self.call(method, url) };
        match self.body(context, &call).await {
            Ok(body) => {
                let affected = envelope::affected(&body).map_err(|error| error.of_effect(true))?;
                Ok(affected.records_affected > 0)
            }
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn no_file(schema: &TableSchema, field: &str) -> CaspioError {
    CaspioError::not_found(format!(
        "the record of table '{}' has no file in field '{}', or does not exist; look with attachments.list first",
        super::error::shown(&schema.table),
        super::error::shown(field)
    ))
}

fn no_record(schema: &TableSchema) -> CaspioError {
    let table = super::error::shown(&schema.table);
    CaspioError::not_found(format!("table '{table}' has no such record; check its PK_ID"))
}

/// An entry without a name is a record without a file.
fn attachment(json: InfoJson) -> Option<Attachment> {
    let pk_id = match json.pk_id? {
        serde_json::Value::Number(number) => number.as_i64()?,
        serde_json::Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    let name = json.file_name.filter(|name| !name.is_empty())?;
    let ending = json.file_type.unwrap_or_default();
    let ending = ending.trim_start_matches('.');
    let has_it = ending.is_empty()
        || name.to_lowercase().ends_with(&format!(".{}", ending.to_lowercase()))
        // A media type is no ending.
        || ending.contains('/');
    Some(Attachment {
        pk_id,
        file_name: if has_it { name } else { format!("{name}.{ending}") },
        size: json.size.unwrap_or_default(),
        created: json.date_created.unwrap_or_default(),
        updated: json.date_updated.unwrap_or_default(),
    })
}
