//! `caspian:workflow/attachments`

use crate::model::{self, Action, Answer, AttachmentAction, Content};
use crate::runtime::bindings::caspian::workflow::attachments::{Attachment, Host};
use crate::runtime::bindings::caspian::workflow::records::Criteria;
use crate::runtime::convert::criteria;
use crate::runtime::guest::Guest;

use super::{Done, answered};

impl Host for Guest {
    async fn list(&mut self, table: String, field: String, nodes: Option<Criteria>) -> Done<Vec<Attachment>> {
        let criteria = match nodes.map(criteria).transpose() {
            Ok(tree) => tree,
            Err(why) => return self.refused(why),
        };
        let action = Action::Attachment { table, field, action: AttachmentAction::List { criteria } };
        answered(self.step(action).await?, |answer| match answer {
            Answer::Attachments(list) => Some(list.into_iter().map(attachment).collect()),
            _ => None,
        })
    }

    async fn download(&mut self, table: String, field: String, pk_id: i64) -> Done<Vec<u8>> {
        let action = Action::Attachment { table, field, action: AttachmentAction::Download { pk_id } };
        answered(self.step(action).await?, |answer| match answer {
            Answer::Content(Content(bytes)) => Some(bytes),
            _ => None,
        })
    }

    async fn upload(
        &mut self,
        table: String,
        field: String,
        pk_id: i64,
        file_name: String,
        content: Vec<u8>,
    ) -> Done<()> {
        let action = AttachmentAction::Upload { pk_id, file_name, content: Content(content) };
        answered(self.step(Action::Attachment { table, field, action }).await?, |answer| match answer {
            Answer::Done => Some(()),
            _ => None,
        })
    }

    async fn rename(&mut self, table: String, field: String, pk_id: i64, file_name: String) -> Done<bool> {
        let action = AttachmentAction::Rename { pk_id, file_name };
        answered(self.step(Action::Attachment { table, field, action }).await?, was_there)
    }

    async fn delete(&mut self, table: String, field: String, pk_id: i64) -> Done<bool> {
        let action = AttachmentAction::Delete { pk_id };
        answered(self.step(Action::Attachment { table, field, action }).await?, was_there)
    }
}

pub(super) fn was_there(answer: Answer) -> Option<bool> {
    match answer {
        Answer::WasThere(was_there) => Some(was_there),
        _ => None,
    }
}

fn attachment(attachment: model::Attachment) -> Attachment {
    let model::Attachment { pk_id, file_name, size, created, updated } = attachment;
    Attachment { pk_id, file_name, size, created, updated }
}
