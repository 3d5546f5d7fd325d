//! `caspian:workflow/records`

use crate::model::{Action, Answer};
use crate::runtime::bindings::caspian::workflow::records::{
    Criterion, Host, Query as WitQuery, Updated, Upserted,
};
use crate::runtime::bindings::caspian::workflow::types::{Error, Field};
use crate::runtime::convert::{bad_criteria, criteria, error, query as convert_query, row_in, row_out};
use crate::runtime::guest::Guest;

use super::mismatch;

type WitRow = Vec<Field>;
type Done<T> = wasmtime::Result<Result<T, Error>>;

impl Host for Guest {
    async fn list(&mut self, table: String, query: WitQuery) -> Done<Vec<WitRow>> {
        let query = match convert_query(query) {
            Ok(query) => query,
            Err(why) => return self.refused(why),
        };
        match self.step(Action::ListRecords { table, query }).await? {
            Ok(Answer::Rows(rows)) => Ok(Ok(rows.into_iter().map(row_out).collect())),
            Ok(_) => Err(mismatch()),
            Err(e) => Ok(Err(error(e))),
        }
    }

    async fn get(&mut self, table: String, pk_id: i64) -> Done<Option<WitRow>> {
        match self.step(Action::GetRecord { table, pk_id }).await? {
            Ok(Answer::Record(row)) => Ok(Ok(row.map(row_out))),
            Ok(_) => Err(mismatch()),
            Err(e) => Ok(Err(error(e))),
        }
    }

    async fn create(&mut self, table: String, row: WitRow) -> Done<WitRow> {
        match self.step(Action::CreateRecord { table, row: row_in(row) }).await? {
            Ok(Answer::Created(row)) => Ok(Ok(row_out(row))),
            Ok(_) => Err(mismatch()),
            Err(e) => Ok(Err(error(e))),
        }
    }

    async fn update(
        &mut self,
        table: String,
        nodes: Vec<Criterion>,
        changes: WitRow,
        return_rows: bool,
    ) -> Done<Updated> {
        let criteria = match criteria(nodes) {
            Ok(tree) => tree,
            Err(why) => return self.refused(why),
        };
        let action = Action::UpdateRecords { table, criteria, changes: row_in(changes), return_rows };
        match self.step(action).await? {
            Ok(Answer::Updated { affected, rows }) => {
                Ok(Ok(Updated { affected, rows: rows.into_iter().map(row_out).collect() }))
            }
            Ok(_) => Err(mismatch()),
            Err(e) => Ok(Err(error(e))),
        }
    }

    async fn upsert(&mut self, table: String, nodes: Vec<Criterion>, row: WitRow) -> Done<Upserted> {
        let criteria = match criteria(nodes) {
            Ok(tree) => tree,
            Err(why) => return self.refused(why),
        };
        match self.step(Action::UpsertRecord { table, criteria, row: row_in(row) }).await? {
            Ok(Answer::Upserted { created, row }) => Ok(Ok(Upserted { created, row: row_out(row) })),
            Ok(_) => Err(mismatch()),
            Err(e) => Ok(Err(error(e))),
        }
    }

    async fn delete(&mut self, table: String, nodes: Vec<Criterion>) -> Done<u32> {
        let criteria = match criteria(nodes) {
            Ok(tree) => tree,
            Err(why) => return self.refused(why),
        };
        match self.step(Action::DeleteRecords { table, criteria }).await? {
            Ok(Answer::Deleted(affected)) => Ok(Ok(affected)),
            Ok(_) => Err(mismatch()),
            Err(e) => Ok(Err(error(e))),
        }
    }
}

impl Guest {
    /// Criteria that are no tree never become a step.
    pub(super) fn refused<T>(&mut self, why: &'static str) -> Done<T> {
        self.count_call()?;
        Ok(Err(bad_criteria(why)))
    }
}
