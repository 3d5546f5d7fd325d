//! Clients of connections.

use std::sync::Arc;

use crate::caspio::{BaseUrl, Caspio, CaspioClients, Credentials};
use crate::model::ConnectionId;
use crate::secrets::Secret;
use crate::store::{ConnectionRecord, Store, StoreError};

use super::{KeyError, Keyring};

/// Why a connection can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It was removed.
    #[error("the connection is gone; add it again with `caspian connection add`")]
    Gone,
    /// What is stored of it is not usable.
    #[error("the stored connection is not usable ({0}); add it again with `caspian connection add`")]
    Damaged(String),
    /// The store or a key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<StoreError> for ConnectError {
    fn from(error: StoreError) -> Self {
        Self::Key(error.into())
    }
}

/// Makes clients of stored connections. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    store: Arc<dyn Store>,
    keys: Keyring,
    clients: Arc<CaspioClients>,
}

impl Connector {
    /// Over these parts.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: Keyring, clients: Arc<CaspioClients>) -> Self {
        Self { store, keys, clients }
    }

    /// All clients of this host.
    #[must_use]
    pub fn clients(&self) -> &Arc<CaspioClients> {
        &self.clients
    }

    /// The client of a connection.
    ///
    /// # Errors
    /// When the connection is gone or can't be opened.
    pub async fn connect(&self, connection: ConnectionId) -> Result<Arc<Caspio>, ConnectError> {
        if let Some(client) = self.clients.get(connection) {
            return Ok(client);
        }
        let record = self.store.connection(connection).await?.ok_or(ConnectError::Gone)?;
        self.open(record).await
    }

    async fn open(&self, record: ConnectionRecord) -> Result<Arc<Caspio>, ConnectError> {
        let key = self.keys.tenant(&record.tenant).await?;
        let secret = key
            .open("connections", "secret", record.id.as_bytes(), &record.sealed_secret)
            .map_err(KeyError::from)?;
        let secret = String::from_utf8(secret)
            .map_err(|_| ConnectError::Damaged("its secret is no text".to_owned()))?;
        let base = BaseUrl::parse(&record.base_url).map_err(|e| ConnectError::Damaged(e.to_string()))?;
        if !self.clients.has_budget(record.id) {
            let today: String = crate::clock::Time::now().to_string().chars().take(10).collect();
            let first: String = today.chars().take(8).chain("01".chars()).collect();
            let in_day = self.store.spent(&record.tenant, record.id, &today).await?;
            let in_month = self.store.spent(&record.tenant, record.id, &first).await?;
            self.clients.load_budget(record.id, record.budget, in_day, in_month);
        }
        Ok(self.clients.connect(Credentials {
            tenant: record.tenant,
            connection: record.id,
            name: record.name,
            base,
            client_id: record.client_id,
            client_secret: Secret::new(secret),
        }))
    }
}
