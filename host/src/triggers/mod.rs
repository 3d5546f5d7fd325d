//! The webhooks of workflows in Caspio: made, kept in step with the manifest, removed.
//!
//! One webhook a workflow, one Caspio event a trigger. Every step is durable before the next is
//! taken: URL id stored (`planned`) → webhook made, id and secret stored (`made`) → events made
//! (`ready`). Caspio shows the secret once, so a webhook whose secret was not stored is of no use: it
//! is found by its name or URL, deleted and made again. A kill between any two steps leaves
//! therefore never a second webhook; [`Triggers::resume`] goes on after a start. The commit of a new version puts a
//! `ready` webhook back to `made`, so that its events follow whatever happens then. Removing leaves a
//! tombstone that answers late messages.

mod ensure;
mod events;
mod remove;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, Notify, OwnedMutexGuard};

use crate::accounts::{ConnectError, Connector, KeyError, Keyring};
use crate::caspio::{CallContext, CaspioError};
use crate::manifest::{self, Manifest};
use crate::model::{Reconcile, TriggerKind, UrlId, WebhookId, WorkflowId};
use crate::secrets::SealError;
use crate::store::{Store, StoreError, WebhookRecord};

/// Why a webhook is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// Caspio refused or did not answer.
    #[error("{what}: {error}")]
    Caspio {
        /// What was tried, e.g. "making the webhook".
        what: &'static str,
        /// What came back.
        error: CaspioError,
    },
    /// The host does not know its own URL.
    #[error("{0}")]
    PublicUrl(String),
    /// The workflow's webhook is in another account.
    #[error(
        "the active workflow uses another connection; deactivate it first, then deploy and activate again"
    )]
    OtherConnection,
    /// The connection can't be used.
    #[error(transparent)]
    Connection(#[from] ConnectError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<KeyError> for TriggerError {
    fn from(error: KeyError) -> Self {
        Self::Connection(error.into())
    }
}

impl From<SealError> for TriggerError {
    fn from(error: SealError) -> Self {
        Self::Connection(KeyError::from(error).into())
    }
}

/// A trigger as the manifest wants it.
#[derive(Debug, Clone)]
pub struct WantedTrigger {
    /// Kind.
    pub kind: TriggerKind,
    /// Table.
    pub table: String,
    /// Update only: fields that matter; empty: all.
    pub fields: Vec<String>,
    /// Sources; empty: all.
    pub sources: Vec<String>,
    /// One event for the whole message.
    pub batch: bool,
    /// How its table is swept.
    pub reconcile: Option<Reconcile>,
}

impl WantedTrigger {
    /// Those of a manifest.
    #[must_use]
    pub fn all(manifest: &Manifest) -> Vec<Self> {
        let wanted = |t: &manifest::Trigger| Self {
            kind: t.kind,
            table: t.table.clone(),
            fields: t.fields.clone(),
            sources: t.sources.clone(),
            batch: t.batch,
            reconcile: t.reconcile,
        };
        manifest.triggers.iter().map(wanted).collect()
    }
}

/// Told when a webhook's record changed.
pub type OnChange = Arc<dyn Fn(WebhookId) + Send + Sync>;

/// See the module's text.
pub struct Triggers {
    store: Arc<dyn Store>,
    keys: Keyring,
    connector: Connector,
    public_url: Option<String>,
    on_change: OnChange,
    /// One at a time a workflow: two activations must not both make a webhook.
    turns: std::sync::Mutex<HashMap<WorkflowId, Arc<Mutex<()>>>>,
    /// Rung when a webhook was left unfinished.
    unfinished: Notify,
}

impl Triggers {
    /// `public_url`: where Caspio reaches this host, without a path.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        keys: Keyring,
        connector: Connector,
        public_url: Option<String>,
        on_change: OnChange,
    ) -> Self {
        Self {
            store,
            keys,
            connector,
            public_url,
            on_change,
            turns: std::sync::Mutex::default(),
            unfinished: Notify::new(),
        }
    }

    /// Goes on with webhooks whose making or removing was cut off. Returns how many are still unfinished.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn resume(&self) -> Result<usize, StoreError> {
        let mut left = 0;
        for webhook in self.store.unfinished_webhooks().await? {
            if let Err(error) = self.go_on(webhook.workflow).await {
                left += 1;
                tracing::warn!(webhook = %webhook.id, %error, "a webhook is not finished yet");
            }
        }
        Ok(left)
    }

    /// Ends when a webhook was left unfinished since the last time.
    pub async fn until_unfinished(&self) {
        self.unfinished.notified().await;
    }

    /// A workflow's turn: nobody else changes its webhook meanwhile.
    async fn turn(&self, workflow: WorkflowId) -> OwnedMutexGuard<()> {
        let turn = match self.turns.lock() {
            Ok(mut turns) => turns.entry(workflow).or_default().clone(),
            Err(_) => Arc::default(),
        };
        turn.lock_owned().await
    }

    /// The URL under which Caspio reaches a webhook.
    fn url(&self, url_id: &UrlId) -> Result<String, TriggerError> {
        let base = self.public_url.as_deref().ok_or_else(|| {
            TriggerError::PublicUrl(
                "this host does not know under which URL Caspio reaches it; start it with --public-url https://…"
                    .to_owned(),
            )
        })?;
        Ok(format!("{}/hooks/{}", base.trim_end_matches('/'), url_id.expose()))
    }

    async fn url_of(&self, webhook: &WebhookRecord) -> Result<String, TriggerError> {
        let key = self.keys.tenant(&webhook.tenant).await?;
        let plain = key.open("webhooks", "url_id", webhook.id.as_bytes(), &webhook.sealed_url_id)?;
        let id = String::from_utf8(plain).ok().and_then(|text| text.parse::<UrlId>().ok());
        let id = id.ok_or_else(|| StoreError::Corrupt("a webhook's URL id".to_owned()))?;
        self.url(&id)
    }

    async fn reload(&self, workflow: WorkflowId) -> Result<WebhookRecord, TriggerError> {
        Ok(self.store.webhook_of(workflow).await?.ok_or(StoreError::Missing("webhook"))?)
    }
}

/// Calls of the host itself on behalf of a workflow.
fn context(workflow: WorkflowId, action: &'static str) -> CallContext {
    CallContext::of_host(Some(workflow), action)
}

fn failed(what: &'static str) -> impl FnOnce(CaspioError) -> TriggerError {
    move |error| TriggerError::Caspio { what, error }
}
