//! Tasks that import or export data.

use crate::caspio::{CallContext, CaspioError};
use crate::journal::Plan;
use crate::model::{Answer, Task, TaskAction};

use super::{Performer, Planned, call, performed_as_effect, performed_as_read, unfit_plan};

impl Performer {
    pub(super) async fn read_task(
        &self,
        context: &CallContext,
        action: &TaskAction,
    ) -> Result<Answer, CaspioError> {
        match action {
            TaskAction::List => {
                let mut list = self.caspio.import_export_tasks(context).await?;
                let grants = &self.manifest.grants;
                list.retain(|task| grants.allows_task(&task.name) || grants.allows_task(&task.key));
                Ok(Answer::Tasks(list))
            }
            TaskAction::Get { task } => self.task(context, task).await.map(Answer::Task),
            TaskAction::Run { .. } => Err(performed_as_read()),
        }
    }

    /// Its key is what the intent remembers. Not repeatable: a task that was started twice runs twice.
    pub(super) async fn plan_task(
        &self,
        context: &CallContext,
        action: &TaskAction,
    ) -> Result<Planned, CaspioError> {
        match action {
            TaskAction::Run { task } if is_key(task) => Ok(call(false, Some(task.clone()))),
            TaskAction::Run { task } => Ok(call(false, Some(self.task(context, task).await?.key))),
            _ => Err(performed_as_effect()),
        }
    }

    pub(super) async fn carry_out_task(
        &self,
        context: &CallContext,
        action: &TaskAction,
        plan: &Plan,
    ) -> Result<Answer, CaspioError> {
        match (action, plan) {
            (TaskAction::Run { .. }, Plan::Call { key: Some(key), .. }) => {
                self.caspio.run_task(context, key).await.map(|()| Answer::Done)
            }
            _ => Err(unfit_plan()),
        }
    }

    /// By its key, or by its name, of which there must be one.
    async fn task(&self, context: &CallContext, wanted: &str) -> Result<Task, CaspioError> {
        if is_key(wanted) {
            return self.caspio.import_export_task(context, wanted).await;
        }
        let list = self.caspio.import_export_tasks(context).await?;
        let mut named = list.into_iter().filter(|task| task.name.eq_ignore_ascii_case(wanted));
        match (named.next(), named.next()) {
            (Some(task), None) => Ok(task),
            (None, _) => Err(CaspioError::not_found(
                "the task is not found; check its name, and that the Web services profile may see it",
            )),
            (Some(_), Some(_)) => Err(CaspioError::invalid(
                "",
                "several tasks have this name; grant and name the task by its key",
            )),
        }
    }
}

/// Caspio's keys of tasks are UUIDs; nobody names a task so.
fn is_key(task: &str) -> bool {
    uuid::Uuid::try_parse(task).is_ok()
}
