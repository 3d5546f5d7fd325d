//! Webhooks by URL, opened once and kept in memory until they change.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use sha2::{Digest as _, Sha256};

use crate::accounts::Keyring;
use crate::lineage::LineageSettings;
use crate::model::{ConnectionId, Event, RowTags, TenantId, UrlId, WebhookId, WorkflowId};
use crate::secrets::{Secret, TenantKey};
use crate::store::{Store, StoreError, TriggerRecord, WebhookRecord, WebhookStage};

use super::signature::Pinned;
use super::{IngressError, Sequence, Tagger};

/// A webhook that a message came to.
pub struct Hook {
    pub(super) record: WebhookRecord,
    pub(super) secret: Option<Secret>,
    pub(super) pinned: Option<Pinned>,
    pub(super) key: TenantKey,
    pub(super) sequence: Sequence,
}

impl Hook {
    /// Its id, for logs.
    #[must_use]
    pub fn id(&self) -> WebhookId {
        self.record.id
    }

    /// `PK_ID` and tags of an event's rows, when their table is swept.
    pub(super) fn tags(&self, event: &Event) -> Vec<(i64, RowTags)> {
        let of_table = |t: &&TriggerRecord| t.table.eq_ignore_ascii_case(&event.table);
        let swept = self.record.triggers.iter().filter(of_table).find(|t| t.reconcile.is_some());
        let Some(trigger) = swept else { return Vec::new() };
        let tagger = Tagger::new(&self.key, &trigger.schema);
        event.rows.iter().filter_map(|row| Some((row.pk_id()?, tagger.tags(row)))).collect()
    }

    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.record.tenant
    }

    /// The connection by which it was made.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.record.connection
    }

    /// The workflow that it starts.
    #[must_use]
    pub fn workflow(&self) -> WorkflowId {
        self.record.workflow
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.record.stage, WebhookStage::Tombstone | WebhookStage::Removing)
    }
}

type Known = HashMap<[u8; 32], Arc<Hook>>;

/// All webhooks that were used lately. Cheap to clone.
#[derive(Clone)]
pub struct Hooks {
    store: Arc<dyn Store>,
    keys: Keyring,
    lineage: LineageSettings,
    known: Arc<RwLock<(Known, u64)>>,
}

impl Hooks {
    /// Over this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: Keyring, lineage: LineageSettings) -> Self {
        Self { store, keys, lineage, known: Arc::default() }
    }

    pub(super) fn lineage(&self) -> LineageSettings {
        self.lineage
    }

    /// The webhook behind the last part of a URL; none when there is none.
    ///
    /// # Errors
    /// When the store or a key fails.
    pub async fn find(&self, url_id: &UrlId) -> Result<Option<Arc<Hook>>, IngressError> {
        let hash: [u8; 32] = Sha256::digest(url_id.expose().as_bytes()).into();
        let (found, changes) = match self.known.read() {
            Ok(known) => (known.0.get(&hash).cloned(), known.1),
            Err(_) => (None, 0),
        };
        if found.is_some() {
            return Ok(found);
        }
        let Some(record) = self.store.webhook_by_url(hash).await? else { return Ok(None) };
        let key = self.keys.tenant(&record.tenant).await?;
        let secret = match &record.sealed_secret {
            Some(sealed) => {
                let plain = key.open("webhooks", "secret", record.id.as_bytes(), sealed)?;
                let text = String::from_utf8(plain)
                    .map_err(|_| StoreError::Corrupt("a webhook's secret".to_owned()))?;
                Some(Secret::new(text))
            }
            None => None,
        };
        let pinned = record.pinned_signature.as_deref().and_then(Pinned::parse);
        let sequence = Sequence::of_workflow(&*self.store, record.workflow).await?;
        let hook = Arc::new(Hook { record, secret, pinned, key, sequence });
        if let Ok(mut known) = self.known.write()
            // Changed while it was read: what was read may be old.
            && known.1 == changes
        {
            known.0.insert(hash, hook.clone());
        }
        Ok(Some(hook))
    }

    /// All records are read anew.
    pub fn forget_all(&self) {
        if let Ok(mut known) = self.known.write() {
            known.0.clear();
            known.1 = known.1.wrapping_add(1);
        }
    }

    /// A webhook's record changed: it is read anew at its next message.
    pub fn forget(&self, webhook: WebhookId) {
        if let Ok(mut known) = self.known.write() {
            known.0.retain(|_, hook| hook.record.id != webhook);
            known.1 = known.1.wrapping_add(1);
        }
    }
}
