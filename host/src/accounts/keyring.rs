//! Tenant keys, unwrapped once and kept in memory.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crate::clock::Time;
use crate::model::{MessageId, TenantId};
use crate::secrets::{DataKey, MasterKey, SealError, TenantKey};
use crate::store::{Store, StoreError};

/// Why there is no key.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyError {
    /// The store failed, or there is no such tenant or message.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The master key does not fit.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// All keys of this host. Cheap to clone.
#[derive(Clone)]
pub struct Keyring {
    store: Arc<dyn Store>,
    master: MasterKey,
    tenants: Arc<RwLock<HashMap<TenantId, TenantKey>>>,
}

impl Keyring {
    /// Keys under this master key, kept wrapped in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, master: MasterKey) -> Self {
        Self { store, master, tenants: Arc::default() }
    }

    /// A tenant's key.
    ///
    /// # Errors
    /// When there is no such tenant, or its key was wrapped by another master key.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<TenantKey, KeyError> {
        if let Some(key) = self.cached(tenant) {
            return Ok(key);
        }
        let wrapped = self.store.tenant_key(tenant).await?.ok_or(StoreError::Missing("tenant"))?;
        let key = self.master.unwrap_tenant_key(tenant.as_str(), &wrapped)?;
        if let Ok(mut tenants) = self.tenants.write() {
            tenants.insert(tenant.clone(), key.clone());
        }
        Ok(key)
    }

    /// A tenant's key; the tenant is added when it is not there.
    ///
    /// # Errors
    /// When the store fails, or its key was wrapped by another master key.
    pub async fn tenant_or_new(&self, tenant: &TenantId) -> Result<TenantKey, KeyError> {
        match self.tenant(tenant).await {
            Err(KeyError::Store(StoreError::Missing(_))) => {}
            other => return other,
        }
        let (_, wrapped) = self.master.new_tenant_key(tenant.as_str())?;
        match self.store.add_tenant(tenant, wrapped, Time::now()).await {
            Ok(()) | Err(StoreError::Exists(_)) => self.tenant(tenant).await,
            Err(e) => Err(e.into()),
        }
    }

    /// The data key of a message.
    ///
    /// # Errors
    /// When it was dropped, or its tenant's key does not fit.
    pub async fn data(&self, tenant: &TenantId, message: MessageId) -> Result<DataKey, KeyError> {
        let wrapped = self.store.data_key(message).await?.ok_or(StoreError::Missing("data key"))?;
        Ok(self.tenant(tenant).await?.unwrap_data_key(message.as_bytes(), &wrapped)?)
    }

    fn cached(&self, tenant: &TenantId) -> Option<TenantKey> {
        self.tenants.read().ok()?.get(tenant).cloned()
    }
}
