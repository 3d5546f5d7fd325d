//! Fields of tables, asked once and kept: typing and encoding go by them.

use std::sync::Arc;
use std::time::Duration;

use crate::caspio::{CallContext, Caspio, CaspioError};
use crate::model::{ConnectionId, TableSchema};

/// Tables kept. A schema is a few KiB.
const TABLES: u64 = 5_000;
/// How long a schema is believed: a field that is missing is noticed at once, one whose type changed only so.
const LIFE: Duration = Duration::from_secs(3600);

type Key = (ConnectionId, String);

/// Schemas by connection and table. A field that Caspio does not find drops the table's entry, so
/// that the next use asks again; several that ask at the same time wait for one answer.
#[derive(Debug)]
pub struct Schemas {
    known: moka::future::Cache<Key, Arc<TableSchema>>,
}

impl Default for Schemas {
    fn default() -> Self {
        Self { known: moka::future::Cache::builder().max_capacity(TABLES).time_to_live(LIFE).build() }
    }
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
        let asked = async { caspio.fields(context, table).await.map(Arc::new) };
        self.known.try_get_with(key, asked).await.map_err(|e| (*e).clone())
    }

    /// Forgets a table.
    pub async fn forget(&self, connection: ConnectionId, table: &str) {
        self.known.invalidate(&(connection, table.to_ascii_lowercase())).await;
    }
}
