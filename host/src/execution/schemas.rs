//! Fields of tables, asked once and kept: typing and encoding go by them.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::caspio::{CallContext, Caspio, CaspioError};
use crate::model::{ConnectionId, TableSchema};

/// Schemas by connection and table. A field that Caspio does not find drops the table's entry, so
/// that the next use asks again.
#[derive(Debug, Default)]
pub struct Schemas {
    known: RwLock<HashMap<(ConnectionId, String), Arc<TableSchema>>>,
}

impl Schemas {
    /// The fields of a table.
    ///
    /// # Errors
    /// When Caspio does not answer or has no such table.
    pub async fn get(
        &self,
        caspio: &Caspio,
        context: &CallContext,
        table: &str,
    ) -> Result<Arc<TableSchema>, CaspioError> {
        let key = (caspio.connection(), table.to_ascii_lowercase());
        if let Some(schema) = self.known.read().ok().and_then(|known| known.get(&key).cloned()) {
            return Ok(schema);
        }
        let schema = Arc::new(caspio.fields(context, table).await?);
        if let Ok(mut known) = self.known.write() {
            known.insert(key, schema.clone());
        }
        Ok(schema)
    }

    /// Forgets a table.
    pub fn forget(&self, connection: ConnectionId, table: &str) {
        if let Ok(mut known) = self.known.write() {
            known.remove(&(connection, table.to_ascii_lowercase()));
        }
    }
}
