//! What a workflow keeps, as the operator sees it. Keys and values may be those of patients: each look is audited, and the
//! audit log holds neither.

use base64::Engine as _;
use serde::{Deserialize, Serialize};

use crate::accounts::KeyError;
use crate::execution::KeptState;
use crate::journal::JournalError;
use crate::model::TenantId;
use crate::store::StoreError;

use super::{Control, ControlError, Result};

/// Which key is meant.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateQuery {
    /// The key.
    pub key: Option<String>,
    /// All of them.
    #[serde(default)]
    pub all: bool,
}

/// The keys of a workflow's state.
#[derive(Debug, Serialize)]
pub struct StateView {
    /// How many.
    pub keys_used: u64,
    /// As many there may be.
    pub max_keys: u64,
    /// Bytes of keys and values.
    pub bytes_used: u64,
    /// As many there may be.
    pub max_bytes: u64,
    /// The keys, sorted.
    pub keys: Vec<StateKeyView>,
}

/// A key.
#[derive(Debug, Serialize)]
pub struct StateKeyView {
    /// The key.
    pub key: String,
    /// Bytes of key and value.
    pub size: u64,
    /// Another one with every change.
    pub version: u64,
    /// When it was changed last.
    pub changed_at: String,
}

/// A key with its value.
#[derive(Serialize)]
pub struct StateEntryView {
    /// The key.
    pub key: String,
    /// Another one with every change.
    pub version: u64,
    /// When it was changed last.
    pub changed_at: String,
    /// Bytes of the value.
    pub size: u64,
    /// The value, when it is text.
    pub text: Option<String>,
    /// The value in Base64.
    pub base64: String,
}

impl std::fmt::Debug for StateEntryView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StateEntryView({} bytes)", self.size)
    }
}

/// How many keys were deleted.
#[derive(Debug, Serialize)]
pub struct DroppedView {
    /// So many.
    pub deleted: u64,
}

impl Control {
    async fn kept(&self, tenant: &TenantId, name: &str) -> Result<KeptState> {
        let workflow = self.workflow_named(tenant, name).await?;
        let key = self.keys.tenant(tenant).await?;
        Ok(KeptState::new(self.store.clone(), key, tenant.clone(), workflow.id, self.state))
    }

    /// The keys of a workflow's state, without values.
    ///
    /// # Errors
    /// When there is no such workflow, or the store fails.
    pub async fn state(&self, tenant: &TenantId, name: &str) -> Result<StateView> {
        let workflow = self.workflow_named(tenant, name).await?;
        let keys = self.kept(tenant, name).await?.keys().await.map_err(failed)?;
        self.audit(tenant, "state.list", name).await?;
        let used = self.store.state_use(workflow.id).await?;
        let keys = keys.into_iter().map(|kept| StateKeyView {
            key: kept.key,
            size: kept.size,
            version: kept.version,
            changed_at: kept.changed_at.to_string(),
        });
        Ok(StateView {
            keys_used: used.keys,
            max_keys: self.state.max_keys,
            bytes_used: used.bytes,
            max_bytes: self.state.max_bytes,
            keys: keys.collect(),
        })
    }

    /// One key with its value.
    ///
    /// # Errors
    /// When there is no such workflow or key.
    pub async fn state_entry(
        &self,
        tenant: &TenantId,
        name: &str,
        query: StateQuery,
    ) -> Result<StateEntryView> {
        let kept = self.kept(tenant, name).await?;
        let key = query.key.ok_or_else(no_key)?;
        let found = kept.get(&key).await.map_err(failed)?;
        let (entry, changed_at) = found.ok_or_else(|| missing(name))?;
        self.audit(tenant, "state.get", &subject(name, &kept.hash(&key))).await?;
        let value = entry.value.0;
        Ok(StateEntryView {
            key,
            version: entry.version,
            changed_at: changed_at.to_string(),
            size: value.len() as u64,
            base64: base64::engine::general_purpose::STANDARD.encode(&value),
            text: String::from_utf8(value).ok(),
        })
    }

    /// Deletes a key, or all. Runs under way find it gone at their next look.
    ///
    /// # Errors
    /// When there is no such workflow or key, or a legal hold keeps the workflow.
    pub async fn drop_state(&self, tenant: &TenantId, name: &str, query: StateQuery) -> Result<DroppedView> {
        let workflow = self.workflow_named(tenant, name).await?;
        if let Some(hold) = self.store.holding(workflow.id).await? {
            return Err(StoreError::Held(hold).into());
        }
        let kept = self.kept(tenant, name).await?;
        let (hash, subject) = match (query.key, query.all) {
            (Some(key), false) => {
                let hash = kept.hash(&key);
                (Some(hash), subject(name, &hash))
            }
            (None, true) => (None, name.to_owned()),
            _ => return Err(no_key()),
        };
        let deleted = self.store.drop_state(workflow.id, hash).await?;
        if deleted == 0 && hash.is_some() {
            return Err(missing(name));
        }
        self.audit(tenant, "state.delete", &subject).await?;
        Ok(DroppedView { deleted })
    }
}

/// The key itself may be a value of a record.
fn subject(name: &str, hash: &[u8; 32]) -> String {
    let short: String = hex::encode(hash).chars().take(16).collect();
    format!("{name} key {short}")
}

fn no_key() -> ControlError {
    ControlError::invalid("state-key", "which key is meant is not said; give one key, or --all to delete all")
}

fn missing(name: &str) -> ControlError {
    ControlError::not_found(
        "state-key-not-found",
        format!("the workflow '{name}' keeps no such key; see: caspian workflow state list {name}"),
    )
}

fn failed(error: JournalError) -> ControlError {
    match error {
        JournalError::Store(error) => error.into(),
        JournalError::Seal(error) => KeyError::Seal(error).into(),
        JournalError::Broken => ControlError::new(super::Kind::Unavailable, "failed", error.to_string()),
    }
}
