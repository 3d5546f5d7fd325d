//! `caspian:workflow/files`

use crate::model::{self, Action, Answer, Content, FileAction};
use crate::runtime::bindings::caspian::workflow::files::{File, Folder, Host};
use crate::runtime::guest::Guest;

use super::attachments::was_there;
use super::{Done, answered};

impl Host for Guest {
    async fn folders(&mut self, parent: Option<String>) -> Done<Vec<Folder>> {
        answered(self.step(Action::File(FileAction::Folders { parent })).await?, |answer| match answer {
            Answer::Folders(list) => Some(list.into_iter().map(folder).collect()),
            _ => None,
        })
    }

    async fn list(&mut self, folder: Option<String>) -> Done<Vec<File>> {
        answered(self.step(Action::File(FileAction::List { folder })).await?, |answer| match answer {
            Answer::Files(list) => Some(list.into_iter().map(file).collect()),
            _ => None,
        })
    }

    async fn download(&mut self, key: String) -> Done<Vec<u8>> {
        answered(self.step(Action::File(FileAction::Download { key })).await?, |answer| match answer {
            Answer::Content(Content(bytes)) => Some(bytes),
            _ => None,
        })
    }

    async fn upload(
        &mut self,
        folder: Option<String>,
        name: String,
        content: Vec<u8>,
        replace: bool,
    ) -> Done<String> {
        let action = FileAction::Upload { folder, name, content: Content(content), replace };
        answered(self.step(Action::File(action)).await?, |answer| match answer {
            Answer::Uploaded(stored) => Some(stored.key),
            _ => None,
        })
    }

    async fn delete(&mut self, key: String) -> Done<bool> {
        answered(self.step(Action::File(FileAction::Delete { key })).await?, was_there)
    }
}

fn folder(folder: model::Folder) -> Folder {
    let model::Folder { key, name, created } = folder;
    Folder { key, name, created }
}

fn file(file: model::File) -> File {
    let model::File { key, name, size, content_type, created, updated } = file;
    File { key, name, size, content_type, created, updated }
}
