//! Directories of users.

use crate::caspio::{CallContext, CaspioError};
use crate::manifest::DirectoryOp;
use crate::model::{Answer, DirectoryAction};

use super::super::schemas::Named;
use super::{Performer, performed_as_effect, performed_as_read};

/// Doing it twice leaves the same. A new user doesn't, nor a message to one.
pub(super) fn is_repeatable(action: &DirectoryAction) -> bool {
    !matches!(
        action,
        DirectoryAction::CreateUser { .. } | DirectoryAction::ActivateUser { send_email: true, .. }
    )
}

impl Performer {
    pub(super) async fn read_directory(
        &self,
        context: &CallContext,
        action: &DirectoryAction,
    ) -> Result<Answer, CaspioError> {
        match action {
            DirectoryAction::List => {
                let mut list = self.caspio.directories(context).await?;
                let granted: Vec<&str> = self.manifest.grants.directories().collect();
                list.retain(|known| granted.iter().any(|name| name.eq_ignore_ascii_case(&known.name)));
                if !granted.iter().any(|name| self.manifest.grants.allows_directory(name, DirectoryOp::Read))
                {
                    // How many there are is read, too.
                    list.iter_mut().for_each(|known| known.users = 0);
                }
                Ok(Answer::Directories(list))
            }
            DirectoryAction::Users { directory, query } => {
                let schema = self.schema_of(context, Named::Directory(directory)).await?;
                self.rows(context, &schema, query).await.map(Answer::Rows)
            }
            _ => Err(performed_as_read()),
        }
    }

    pub(super) async fn check_directory(
        &self,
        context: &CallContext,
        action: &DirectoryAction,
    ) -> Result<(), CaspioError> {
        let directory = action.directory().unwrap_or_default();
        let schema = self.schema_of(context, Named::Directory(directory)).await?;
        match action {
            DirectoryAction::CreateUser { row, .. } => self.caspio.check_new(&schema, row),
            DirectoryAction::UpdateUser { changes, .. } => self.caspio.check_changes(&schema, changes),
            _ => Ok(()),
        }
    }

    pub(super) async fn carry_out_directory(
        &self,
        context: &CallContext,
        action: &DirectoryAction,
        repeated: bool,
    ) -> Result<Answer, CaspioError> {
        let directory = action.directory().unwrap_or_default();
        let schema = self.schema_of(context, Named::Directory(directory)).await?;
        match action {
            DirectoryAction::CreateUser { row, .. } => {
                self.caspio.create(context, &schema, row).await.map(Answer::Created)
            }
            DirectoryAction::UpdateUser { user, changes, .. } => {
                self.caspio.update_user(context, &schema, user, changes).await.map(Answer::WasThere)
            }
            DirectoryAction::DeleteUser { user, .. } => {
                let done = self.caspio.delete_user(context, &schema, user).await;
                // The try before may have deleted it.
                done.map(|was_there| Answer::WasThere(was_there || repeated))
            }
            DirectoryAction::ActivateUser { user, send_email, .. } => {
                self.caspio.activate_user(context, &schema, user, *send_email).await.map(Answer::Activated)
            }
            _ => Err(performed_as_effect()),
        }
    }
}
