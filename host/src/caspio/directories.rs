//! Directories: users of Caspio's apps. Their rows are read as records; one user is meant by `UserGUID`.

use reqwest::Method;
use serde::Deserialize;

use crate::model::{Directory, Row, SchemaKind, TableSchema};

use super::classify::Subject;
use super::criteria::quoted;
use super::envelope;
use super::error::shown;
use super::list_form::Sending;
use super::paths::{self, Path};
use super::records::subject;
use super::transport::Call;
use super::values::Purpose;
use super::{CallContext, Caspio, CaspioError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DirectoryJson {
    id: Option<String>,
    name: Option<String>,
    number_of_users: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UsersAffected {
    users_affected: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Activated {
    activation_url: Option<String>,
}

impl Caspio {
    /// The directories that the Web services profile may see.
    ///
    /// # Errors
    /// As of any call.
    pub async fn directories(&self, context: &CallContext) -> Result<Vec<Directory>, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::directories(), &[])?;
        let listed: Vec<DirectoryJson> =
            envelope::result(&self.body(context, &self.call(Method::GET, url)).await?)?;
        let directory = |json: DirectoryJson| {
            Some(Directory {
                id: json.id?,
                name: json.name?,
                users: json.number_of_users.unwrap_or_default(),
            })
        };
        Ok(listed.into_iter().filter_map(directory).collect())
    }

    /// The fields of a directory, which Caspio answers as those of a table.
    ///
    /// # Errors
    /// When there is no such directory, and as of any call.
    pub async fn directory_fields(
        &self,
        context: &CallContext,
        name: &str,
    ) -> Result<TableSchema, CaspioError> {
        let directories = self.directories(context).await?;
        let Some(known) = directories.into_iter().find(|known| known.name.eq_ignore_ascii_case(name)) else {
            return Err(CaspioError::not_found(format!(
                "directory '{}' is not found; check its name, and that the Web services profile may see it",
                shown(name)
            )));
        };
        let fields = self.fields(context, &known.name).await?.fields;
        Ok(TableSchema { table: known.name, kind: SchemaKind::Directory { id: known.id }, fields })
    }

    /// Changes a user; false when there is none.
    ///
    /// # Errors
    /// Unknown field, value that does not fit its field, and as of any call.
    pub async fn update_user(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        user: &str,
        changes: &Row,
    ) -> Result<bool, CaspioError> {
        let mut sending = Sending::new(self, schema, changes, Purpose::Update);
        loop {
            let put = self.of_user(context, schema, Method::PUT, user, Some(sending.body()?)).await;
            if let Some(was_there) = sending.answered(put)? {
                return Ok(was_there);
            }
        }
    }

    /// Deletes a user; false when there was none.
    ///
    /// # Errors
    /// As of any call.
    pub async fn delete_user(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        user: &str,
    ) -> Result<bool, CaspioError> {
        self.of_user(context, schema, Method::DELETE, user, None).await
    }

    async fn of_user(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        method: Method,
        user: &str,
        body: Option<Vec<u8>>,
    ) -> Result<bool, CaspioError> {
        let condition = format!("UserGUID={}", quoted("UserGUID", user)?);
        // The one route whose condition is named so.
        let url = paths::url(&self.credentials.base, &Path::records(schema)?, &[("Where", &condition)])?;
        let subject = subject(schema, body.is_some());
        let call = Call { subject, body, ..self.call(method, url) };
        let answer = self.body(context, &call).await?;
        let affected: UsersAffected = envelope::bare(&answer).map_err(|error| error.of_effect(true))?;
        Ok(affected.users_affected > 0)
    }

    /// Activates a user. Returns where a password is set, when Caspio tells it.
    ///
    /// # Errors
    /// When there is no such user, it is active already, and as of any call.
    pub async fn activate_user(
        &self,
        context: &CallContext,
        schema: &TableSchema,
        user: &str,
        send_email: bool,
    ) -> Result<Option<String>, CaspioError> {
        let SchemaKind::Directory { id } = &schema.kind else {
            return Err(CaspioError::misuse("users of no directory"));
        };
        let url = paths::url(&self.credentials.base, &Path::activate(id)?, &[])?;
        let body = serde_json::json!({ "UserGUID": user, "SendEmail": send_email }).to_string().into_bytes();
        let subject =
            Subject { table: Some(&schema.table), noun: "directory or its user", ..Subject::default() };
        let call = Call { subject, body: Some(body), ..self.call(Method::POST, url) };
        let reply = self.send(context, &call).await.map_err(|error| match error.code() {
            "conflict" => CaspioError::conflict("the user can't be activated now; look at its _status first"),
            _ => error,
        })?;
        // It is activated, whatever the answer lacks.
        let answer = reply.body.ok().and_then(|body| envelope::result::<Activated>(&body).ok());
        Ok(answer.and_then(|answer| answer.activation_url))
    }
}
