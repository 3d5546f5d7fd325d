//! The webhooks of workflows in Caspio: made, kept in step with the manifest, removed.
//!
//! One webhook a workflow, one Caspio event a trigger. Every step is durable before the next is
//! taken: URL id stored (`planned`) → webhook made, id and secret stored (`made`) → events made
//! (`ready`). Caspio shows the secret once, so a webhook whose secret was not stored is of no use: it
//! is found by its name or URL, deleted and made again. A kill between any two steps leaves
//! therefore never a second webhook; [`Triggers::resume`] goes on after a start. The commit of a new version puts a
//! `ready` webhook back to `made`, so that its events follow whatever happens then. Removing leaves a
//! tombstone that answers late messages.
//!
//! What people do to webhooks in Caspio is found by looking (`look`) and put right (`mend`). A webhook that is gone,
//! or whose secret is not what is stored, is replaced by a new one; the old one's messages count on, and a change that both
//! tell of is one event (`ingress/twins.rs`). Webhooks that are nobody's are found in `orphans`.

mod ensure;
mod events;
mod look;
mod mend;
mod orphans;
mod remove;
mod settings;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, OwnedMutexGuard};

use crate::accounts::{ConnectError, Connector, KeyError, Keyring};
use crate::caspio::{CallContext, CaspioError};
use crate::clock::{self, Time};
use crate::model::{Cause, UrlId, WebhookId, WorkflowId};
use crate::secrets::SealError;
use crate::store::{Store, StoreError, WebhookRecord};

pub use look::Finding;
pub use mend::Repair;
pub use orphans::Orphan;
pub use settings::TriggerSettings;

/// Longest pause between looks whether a webhook's time to retire has come.
const RETIRE_LOOK: Duration = Duration::from_secs(60);

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
    /// Caspio said that it did what puts the webhook right, but did not.
    #[error("{0} all the same, though Caspio took what should mend it; look at the webhook in Caspio")]
    NotMended(String),
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

impl TriggerError {
    /// It may go away by itself: worth another try soon, and no reason to call a person.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Caspio { error, .. } => {
                matches!(error.transient_cause(), Some(Cause::Throttled | Cause::Unavailable))
            }
            Self::Store(error) => error.is_transient(),
            _ => false,
        }
    }
}

/// Webhooks that are still unfinished.
#[derive(Debug, Clone, Copy, Default)]
pub struct Left {
    /// All of them.
    pub all: usize,
    /// Those that are worth another try soon; the others wait for a person.
    pub soon: usize,
}

/// Where webhooks arrive, below the public URL.
const HOOKS: &str = "/hooks/";

/// Told when a webhook's record changed.
pub type OnChange = Arc<dyn Fn(WebhookId) + Send + Sync>;

/// See the module's text.
pub struct Triggers {
    store: Arc<dyn Store>,
    keys: Keyring,
    connector: Connector,
    public_url: Option<String>,
    settings: TriggerSettings,
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
        settings: TriggerSettings,
        on_change: OnChange,
    ) -> Self {
        Self {
            store,
            keys,
            connector,
            public_url,
            settings,
            on_change,
            turns: std::sync::Mutex::default(),
            unfinished: Notify::new(),
        }
    }

    /// Tells that something changed that goes with a webhook.
    pub fn tell(&self, webhook: WebhookId) {
        (self.on_change)(webhook);
    }

    /// How webhooks are looked after.
    #[must_use]
    pub fn settings(&self) -> &TriggerSettings {
        &self.settings
    }

    /// Goes on with webhooks whose making or removing was cut off, that have an earlier public URL, or whose time to
    /// retire has come.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn resume(&self) -> Result<Left, StoreError> {
        let mut left = Left::default();
        let url = self.public_url.as_deref();
        for webhook in self.store.unfinished_webhooks(url, Time::now()).await? {
            if self.connector.clients().held_back(webhook.connection).is_some() {
                left.all += 1;
                left.soon += 1;
                continue;
            }
            if let Err(error) = self.go_on(&webhook).await {
                left.all += 1;
                left.soon += usize::from(error.is_transient());
                tracing::warn!(webhook = %webhook.id, %error, "a webhook is not finished yet");
            }
        }
        Ok(left)
    }

    /// Ends when a webhook was left unfinished since the last time, or one may have to retire.
    pub async fn until_unfinished(&self) {
        let look = self.settings.retire().clamp(Duration::from_secs(1), RETIRE_LOOK);
        let _ = tokio::time::timeout(clock::on_the_wall(look), self.unfinished.notified()).await;
    }

    /// A workflow's turn: nobody else changes its webhook meanwhile.
    async fn turn(&self, workflow: WorkflowId) -> OwnedMutexGuard<()> {
        let turn = match self.turns.lock() {
            Ok(mut turns) => turns.entry(workflow).or_default().clone(),
            Err(_) => Arc::default(),
        };
        turn.lock_owned().await
    }

    /// Where Caspio reaches this host.
    fn base(&self) -> Result<&str, TriggerError> {
        self.public_url.as_deref().ok_or_else(|| {
            TriggerError::PublicUrl(
                "this host does not know under which URL Caspio reaches it; start it with --public-url https://…"
                    .to_owned(),
            )
        })
    }

    /// The URL under which Caspio reaches a webhook.
    async fn url_of(&self, webhook: &WebhookRecord) -> Result<String, TriggerError> {
        Ok(format!("{}{HOOKS}{}", self.base()?, self.url_id(webhook).await?.expose()))
    }

    async fn url_id(&self, webhook: &WebhookRecord) -> Result<UrlId, TriggerError> {
        let key = self.keys.tenant(&webhook.tenant).await?;
        let plain = key.open("webhooks", "url_id", webhook.id.as_bytes(), &webhook.sealed_url_id)?;
        let id = String::from_utf8(plain).ok().and_then(|text| text.parse::<UrlId>().ok());
        Ok(id.ok_or_else(|| StoreError::Corrupt("a webhook's URL id".to_owned()))?)
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
