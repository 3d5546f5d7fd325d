//! `caspian:workflow/directories`

use crate::model::{Action, Answer, DirectoryAction};
use crate::runtime::bindings::caspian::workflow::directories::{Directory, Host};
use crate::runtime::bindings::caspian::workflow::records::Query;
use crate::runtime::bindings::caspian::workflow::types::Field;
use crate::runtime::convert::{query as convert_query, row_in, row_out};
use crate::runtime::guest::Guest;

use super::attachments::was_there;
use super::{Done, answered};

impl Host for Guest {
    async fn list(&mut self) -> Done<Vec<Directory>> {
        answered(self.step(Action::Directory(DirectoryAction::List)).await?, |answer| match answer {
            Answer::Directories(list) => Some(
                list.into_iter().map(|known| Directory { name: known.name, users: known.users }).collect(),
            ),
            _ => None,
        })
    }

    async fn users(&mut self, directory: String, query: Query) -> Done<Vec<Vec<Field>>> {
        let query = match convert_query(query) {
            Ok(query) => query,
            Err(why) => return self.refused(why),
        };
        let action = DirectoryAction::Users { directory, query };
        answered(self.step(Action::Directory(action)).await?, |answer| match answer {
            Answer::Rows(rows) => Some(rows.into_iter().map(row_out).collect()),
            _ => None,
        })
    }

    async fn create_user(&mut self, directory: String, row: Vec<Field>) -> Done<Vec<Field>> {
        let action = DirectoryAction::CreateUser { directory, row: row_in(row) };
        answered(self.step(Action::Directory(action)).await?, |answer| match answer {
            Answer::Created(row) => Some(row_out(row)),
            _ => None,
        })
    }

    async fn update_user(&mut self, directory: String, user: String, changes: Vec<Field>) -> Done<bool> {
        let action = DirectoryAction::UpdateUser { directory, user, changes: row_in(changes) };
        answered(self.step(Action::Directory(action)).await?, was_there)
    }

    async fn delete_user(&mut self, directory: String, user: String) -> Done<bool> {
        let action = DirectoryAction::DeleteUser { directory, user };
        answered(self.step(Action::Directory(action)).await?, was_there)
    }

    async fn activate_user(
        &mut self,
        directory: String,
        user: String,
        send_email: bool,
    ) -> Done<Option<String>> {
        let action = DirectoryAction::ActivateUser { directory, user, send_email };
        answered(self.step(Action::Directory(action)).await?, |answer| match answer {
            Answer::Activated(address) => Some(address),
            _ => None,
        })
    }
}
