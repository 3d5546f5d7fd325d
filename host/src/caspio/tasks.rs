//! Tasks that import or export data.

use reqwest::Method;
use serde::Deserialize;

use crate::model::Task;

use super::envelope;
use super::paths::{self, Path};
use super::{CallContext, Caspio, CaspioError};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaskJson {
    name: Option<String>,
    external_key: Option<String>,
    status: Option<String>,
    task_time_zone: Option<String>,
    frequency: Option<String>,
    note: Option<String>,
}

impl Caspio {
    /// The tasks that the Web services profile may see.
    ///
    /// # Errors
    /// As of any call.
    pub async fn import_export_tasks(&self, context: &CallContext) -> Result<Vec<Task>, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::tasks(), &[])?;
        let listed: Vec<TaskJson> =
            envelope::result(&self.body(context, &self.call(Method::GET, url)).await?)?;
        Ok(listed.into_iter().filter_map(task).collect())
    }

    /// One task by its key.
    ///
    /// # Errors
    /// When there is none, and as of any call.
    pub async fn import_export_task(&self, context: &CallContext, key: &str) -> Result<Task, CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::task(key)?, &[])?;
        let json: TaskJson = envelope::result(&self.body(context, &self.call(Method::GET, url)).await?)?;
        task(TaskJson { external_key: json.external_key.or_else(|| Some(key.to_owned())), ..json })
            .ok_or_else(envelope::unreadable)
    }

    /// Starts a task; it goes on in Caspio.
    ///
    /// # Errors
    /// When there is none, Caspio refuses, and as of any call.
    pub async fn run_task(&self, context: &CallContext, key: &str) -> Result<(), CaspioError> {
        let url = paths::url(&self.credentials.base, &Path::run_task(key)?, &[])?;
        self.send(context, &self.call(Method::POST, url)).await.map(drop)
    }
}

fn task(json: TaskJson) -> Option<Task> {
    Some(Task {
        key: json.external_key?,
        name: json.name?,
        status: json.status.unwrap_or_default(),
        frequency: json.frequency.unwrap_or_default(),
        time_zone: json.task_time_zone.unwrap_or_default(),
        note: json.note.unwrap_or_default(),
    })
}
