//! Files in ATTACHMENT fields.

use crate::caspio::{CallContext, CaspioError};
use crate::model::{Answer, AttachmentAction, Content};

use super::{Performer, performed_as_effect, performed_as_read};

impl Performer {
    pub(super) async fn read_attachment(
        &self,
        context: &CallContext,
        table: &str,
        field: &str,
        action: &AttachmentAction,
    ) -> Result<Answer, CaspioError> {
        let schema = self.schema(context, table).await?;
        match action {
            AttachmentAction::List { criteria } => {
                let list = self.caspio.attachments(context, &schema, field, criteria.as_ref()).await;
                list.map(Answer::Attachments)
            }
            AttachmentAction::Download { pk_id } => {
                let content = self.caspio.download_attachment(context, &schema, field, *pk_id).await;
                content.map(|bytes| Answer::Content(Content(bytes)))
            }
            _ => Err(performed_as_read()),
        }
    }

    pub(super) async fn check_attachment(
        &self,
        context: &CallContext,
        table: &str,
        field: &str,
        action: &AttachmentAction,
    ) -> Result<(), CaspioError> {
        let schema = self.schema(context, table).await?;
        self.caspio.attachment_field(&schema, field)?;
        match action {
            AttachmentAction::Upload { file_name, content, .. } => {
                self.caspio.check_upload(file_name, content.0.len())
            }
            AttachmentAction::Rename { file_name, .. } => self.caspio.check_upload(file_name, 0),
            _ => Ok(()),
        }
    }

    pub(super) async fn carry_out_attachment(
        &self,
        context: &CallContext,
        table: &str,
        field: &str,
        action: &AttachmentAction,
        repeated: bool,
    ) -> Result<Answer, CaspioError> {
        let schema = self.schema(context, table).await?;
        match action {
            AttachmentAction::Upload { pk_id, file_name, content } => {
                let file = (file_name.as_str(), content.0.as_slice());
                let done = self.caspio.upload_attachment(context, &schema, field, *pk_id, file).await;
                done.map(|()| Answer::Done)
            }
            AttachmentAction::Rename { pk_id, file_name } => {
                let done = self.caspio.rename_attachment(context, &schema, field, *pk_id, file_name).await;
                done.map(Answer::WasThere)
            }
            AttachmentAction::Delete { pk_id } => {
                let done = self.caspio.delete_attachment(context, &schema, field, *pk_id).await;
                // The try before may have taken it away.
                done.map(|was_there| Answer::WasThere(was_there || repeated))
            }
            _ => Err(performed_as_effect()),
        }
    }
}
