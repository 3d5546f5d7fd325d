//! Fields of tables, asked once and kept: typing and encoding go by them.

use std::sync::Arc;
use std::time::Duration;

use crate::caspio::{CallContext, Caspio, CaspioError};
use crate::model::{ConnectionId, TableSchema};

/// Tables kept. A schema is a few KiB.
const TABLES: u64 = 5_000;
/// How long a schema is believed: a field that is missing is noticed at once, one whose type changed only so.
const LIFE: Duration = Duration::from_secs(3600);

/// What has the fields. Names are compared without regard to case.
#[derive(Debug, Clone, Copy)]
pub enum Named<'a> {
    /// A table.
    Table(&'a str),
    /// A view.
    View(&'a str),
    /// A directory of users.
    Directory(&'a str),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    connection: ConnectionId,
    kind: u8,
    name: String,
}

impl Key {
    fn of(connection: ConnectionId, named: Named<'_>) -> Self {
        let (kind, name) = match named {
            Named::Table(name) => (0, name),
            Named::View(name) => (1, name),
            Named::Directory(name) => (2, name),
        };
        Self { connection, kind, name: name.to_ascii_lowercase() }
    }
}

/// Schemas by connection and table. A field that Caspio does not find makes the table's entry be asked
/// anew; several that ask at the same time wait for one answer.
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
    /// The fields of a table, view or directory.
    ///
    /// # Errors
    /// When Caspio does not answer or has no such thing.
    pub async fn get(
        &self,
        caspio: &Caspio,
        context: &CallContext,
        named: Named<'_>,
    ) -> Result<Arc<TableSchema>, CaspioError> {
        let asked = async {
            let schema = match named {
                Named::Table(name) => caspio.fields(context, name).await,
                Named::View(name) => caspio.view_fields(context, name).await,
                Named::Directory(name) => caspio.directory_fields(context, name).await,
            };
            schema.map(Arc::new)
        };
        let key = Key::of(caspio.connection(), named);
        self.known.try_get_with(key, asked).await.map_err(|e| (*e).clone())
    }

    /// The fields, if they are known: nobody is asked.
    pub async fn known(&self, connection: ConnectionId, named: Named<'_>) -> Option<Arc<TableSchema>> {
        self.known.get(&Key::of(connection, named)).await
    }

    /// Asks anew and says whether the fields are others than before.
    pub async fn renew(&self, caspio: &Caspio, context: &CallContext, named: Named<'_>) -> bool {
        let key = Key::of(caspio.connection(), named);
        let Some(before) = self.known.remove(&key).await else { return false };
        self.get(caspio, context, named).await.is_ok_and(|now| now != before)
    }

    /// Forgets what was known, so that the next use asks.
    pub async fn forget(&self, connection: ConnectionId, named: Named<'_>) {
        self.known.invalidate(&Key::of(connection, named)).await;
    }
}
