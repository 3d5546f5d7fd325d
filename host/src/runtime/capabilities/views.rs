//! `caspian:workflow/views`

use crate::model::{Action, Answer, ViewAction};
use crate::runtime::bindings::caspian::workflow::records::Query;
use crate::runtime::bindings::caspian::workflow::tables::FieldInfo;
use crate::runtime::bindings::caspian::workflow::types::Field;
use crate::runtime::bindings::caspian::workflow::views::Host;
use crate::runtime::convert::{field_info, query as convert_query, row_out};
use crate::runtime::guest::Guest;

use super::{Done, answered};

impl Host for Guest {
    async fn list(&mut self) -> Done<Vec<String>> {
        answered(self.step(Action::View(ViewAction::List)).await?, |answer| match answer {
            Answer::Tables(names) => Some(names),
            _ => None,
        })
    }

    async fn fields(&mut self, view: String) -> Done<Vec<FieldInfo>> {
        answered(self.step(Action::View(ViewAction::Fields { view })).await?, |answer| match answer {
            Answer::Fields(fields) => Some(fields.into_iter().map(field_info).collect()),
            _ => None,
        })
    }

    async fn records(&mut self, view: String, query: Query) -> Done<Vec<Vec<Field>>> {
        let query = match convert_query(query) {
            Ok(query) => query,
            Err(why) => return self.refused(why),
        };
        answered(self.step(Action::View(ViewAction::Records { view, query })).await?, |answer| match answer {
            Answer::Rows(rows) => Some(rows.into_iter().map(row_out).collect()),
            _ => None,
        })
    }

    async fn get(&mut self, view: String, key: String) -> Done<Option<Vec<Field>>> {
        answered(self.step(Action::View(ViewAction::Get { view, key })).await?, |answer| match answer {
            Answer::Record(row) => Some(row.map(row_out)),
            _ => None,
        })
    }
}
