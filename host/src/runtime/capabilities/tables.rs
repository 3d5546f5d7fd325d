//! `caspian:workflow/tables`

use crate::model::{Action, Answer};
use crate::runtime::bindings::caspian::workflow::tables::{FieldInfo, Host};
use crate::runtime::bindings::caspian::workflow::types::Error;
use crate::runtime::convert::{error, field_info};
use crate::runtime::guest::Guest;

use super::mismatch;

impl Host for Guest {
    async fn list(&mut self) -> wasmtime::Result<Result<Vec<String>, Error>> {
        match self.step(Action::ListTables).await? {
            Ok(Answer::Tables(names)) => Ok(Ok(names)),
            Ok(_) => Err(mismatch()),
            Err(e) => Ok(Err(error(e))),
        }
    }
    async fn fields(&mut self, table: String) -> wasmtime::Result<Result<Vec<FieldInfo>, Error>> {
        match self.step(Action::ListFields { table }).await? {
            Ok(Answer::Fields(fields)) => Ok(Ok(fields.into_iter().map(field_info).collect())),
            Ok(_) => Err(mismatch()),
            Err(e) => Ok(Err(error(e))),
        }
    }
}
