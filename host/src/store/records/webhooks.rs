//! Our webhooks in Caspio and their triggers. `sealed` fields are ciphertext (see `secrets`).

use crate::clock::Time;
use crate::manifest::Trigger;
use crate::model::{ConnectionId, Reconcile, TableSchema, TenantId, TriggerKind, WebhookId, WorkflowId};

/// How far a webhook of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookStage {
    /// Its URL id is kept; Caspio may or may not have it.
    Planned,
    /// Caspio has it, its id and secret are kept; events may be missing.
    Made,
    /// All its events are there.
    Ready,
    /// Another webhook of the workflow takes its place. It still fires, until its time has come.
    Retiring,
    /// It is being removed from Caspio.
    Removing,
    /// Removed from Caspio; late messages are answered until the tombstone ends.
    Tombstone,
}

impl WebhookStage {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Made => "made",
            Self::Ready => "ready",
            Self::Retiring => "retiring",
            Self::Removing => "removing",
            Self::Tombstone => "tombstone",
        }
    }

    /// Back from the text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Planned, Self::Made, Self::Ready, Self::Retiring, Self::Removing, Self::Tombstone]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// One of our webhooks.
#[derive(Debug, Clone)]
pub struct WebhookRecord {
    /// Our id.
    pub id: WebhookId,
    /// Owner.
    pub tenant: TenantId,
    /// Whose it is.
    pub workflow: WorkflowId,
    /// That workflow's name.
    pub workflow_name: String,
    /// In which account it is.
    pub connection: ConnectionId,
    /// The connection's name, as events show it.
    pub connection_name: String,
    /// Its name in Caspio, unique.
    pub name: String,
    /// SHA-256 of the URL id.
    pub url_hash: [u8; 32],
    /// URL id sealed by the tenant key: table `webhooks`, column `url_id`, row = id.
    pub sealed_url_id: Vec<u8>,
    /// How far it is.
    pub stage: WebhookStage,
    /// Caspio's id.
    pub caspio_id: Option<String>,
    /// Secret sealed by the tenant key: table `webhooks`, column `secret`, row = id.
    pub sealed_secret: Option<Vec<u8>>,
    /// The signature form seen first (JSON of `ingress`), required since.
    pub pinned_signature: Option<String>,
    /// End of the tombstone; retiring: when it is removed.
    pub tombstone_until: Option<Time>,
    /// This host's public URL as Caspio was told it last.
    pub public_url: Option<String>,
    /// Two webhooks of the workflow may tell of the same change: this one and another.
    pub twinned: bool,
    /// When it was last compared with Caspio.
    pub checked_at: Option<Time>,
    /// What could not be mended then, as a sentence for people.
    pub trouble: Option<String>,
    /// Refused messages.
    pub rejected: Rejected,
    /// Its triggers by position.
    pub triggers: Vec<TriggerRecord>,
    /// When it was planned.
    pub created_at: Time,
}

/// Refused messages of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub count: u64,
    /// Code of the last reason.
    pub last_reason: Option<String>,
    /// When the last one came.
    pub last_at: Option<Time>,
}

/// One trigger of a webhook: one event in Caspio.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerRecord {
    /// Position in the manifest, from 0.
    pub position: u32,
    /// Kind.
    pub kind: TriggerKind,
    /// The table.
    pub table: String,
    /// Update only: fields that matter; empty: all.
    pub fields: Vec<String>,
    /// Caspio's event sources; empty: all.
    pub sources: Vec<String>,
    /// One event for the whole message.
    pub batch: bool,
    /// How its table is swept for what webhooks don't tell; none: not at all.
    pub reconcile: Option<Reconcile>,
    /// Caspio's id of the event.
    pub caspio_id: Option<String>,
    /// The table's fields at activation: what typing goes by.
    pub schema: TableSchema,
}

impl WebhookUpdate {
    /// Nothing but a new stage.
    #[must_use]
    pub fn stage(id: WebhookId, stage: WebhookStage) -> Self {
        Self { id, stage, caspio_id: None, sealed_secret: None, public_url: None, tombstone_until: None }
    }
}

impl TriggerRecord {
    /// Whether it is as the manifest wants it.
    #[must_use]
    pub fn is_of(&self, wanted: &Trigger) -> bool {
        self.kind == wanted.kind
            && self.table == wanted.table
            && self.fields == wanted.fields
            && self.sources == wanted.sources
            && self.batch == wanted.batch
            && self.reconcile == wanted.reconcile
    }
}

/// A change of a webhook; `None` keeps what is there.
#[derive(Debug, Clone)]
pub struct WebhookUpdate {
    /// Which.
    pub id: WebhookId,
    /// New stage.
    pub stage: WebhookStage,
    /// Caspio's id; `Some(None)` clears it.
    pub caspio_id: Option<Option<String>>,
    /// Sealed secret; `Some(None)` clears it.
    pub sealed_secret: Option<Option<Vec<u8>>>,
    /// The public URL that Caspio was told; `Some(None)`: it may have another one.
    pub public_url: Option<Option<String>>,
    /// End of the tombstone.
    pub tombstone_until: Option<Time>,
}
