//! The file store.

use crate::caspio::{CallContext, CaspioError};
use crate::model::{Answer, Content, FileAction};

use super::{Performer, performed_as_effect, performed_as_read};

/// Doing it twice leaves the same. A new file doesn't: the second try would find a file of that name, and nobody knows whose.
pub(super) fn is_repeatable(action: &FileAction) -> bool {
    !matches!(action, FileAction::Upload { replace: false, .. })
}

impl Performer {
    pub(super) async fn read_files(
        &self,
        context: &CallContext,
        action: &FileAction,
    ) -> Result<Answer, CaspioError> {
        match action {
            FileAction::Folders { parent } => {
                self.caspio.folders(context, parent.as_deref()).await.map(Answer::Folders)
            }
            FileAction::List { folder } => {
                self.caspio.files(context, folder.as_deref()).await.map(Answer::Files)
            }
            FileAction::Download { key } => {
                let content = self.caspio.download_file(context, key).await;
                content.map(|bytes| Answer::Content(Content(bytes)))
            }
            _ => Err(performed_as_read()),
        }
    }

    pub(super) fn check_file(&self, action: &FileAction) -> Result<(), CaspioError> {
        match action {
            FileAction::Upload { name, content, .. } => self.caspio.check_upload(name, content.0.len()),
            _ => Ok(()),
        }
    }

    pub(super) async fn carry_out_file(
        &self,
        context: &CallContext,
        action: &FileAction,
        repeated: bool,
    ) -> Result<Answer, CaspioError> {
        match action {
            FileAction::Upload { folder, name, content, replace } => {
                let file = (name.as_str(), content.0.as_slice());
                let stored = self.caspio.upload_file(context, folder.as_deref(), file, *replace).await;
                stored.map(Answer::Uploaded)
            }
            FileAction::Delete { key } => {
                let done = self.caspio.delete_file(context, key).await;
                // The try before may have deleted it.
                done.map(|was_there| Answer::WasThere(was_there || repeated))
            }
            _ => Err(performed_as_effect()),
        }
    }
}
