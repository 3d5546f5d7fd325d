//! What people ask of a running host: connections, deploys, activation, looking at runs.
//!
//! One file a subject; `server` puts HTTP before it. Every change is written to the audit log. An
//! error has a stable code, says what happened and what to do next, and holds no secret and no value of a record.

mod backup;
mod connections;
mod deploy;
mod error;
mod events;
mod runs;
mod status;
mod workflows;

use std::sync::Arc;

use crate::accounts::{Connector, Keyring};
use crate::clock::Time;
use crate::config::DataDir;
use crate::model::TenantId;
use crate::runtime::Runtime;
use crate::store::{AuditEntry, Store, WorkflowRecord};
use crate::triggers::Triggers;

pub use backup::{Backup, RestoreError, restore};
pub use connections::{ConnectionView, NewConnection};
pub use deploy::{DeployRequest, DeployView};
pub use error::{ControlError, Kind};
pub use events::{EventDetail, EventQuery, EventView, NewEvent, SentView};
pub use runs::{RunDetail, RunQuery, RunView};
pub use status::StatusView;
pub use workflows::{WorkflowDetail, WorkflowView};

/// Result of an operation.
pub type Result<T> = std::result::Result<T, ControlError>;

/// What the operations work with.
pub struct Control {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Keys.
    pub keys: Keyring,
    /// Clients of connections.
    pub connector: Connector,
    /// Webhooks.
    pub triggers: Arc<Triggers>,
    /// Compiles and links.
    pub runtime: Runtime,
    /// Where components lie.
    pub data: DataDir,
    /// Where Caspio reaches this host.
    pub public_url: Option<String>,
    /// Rung when runs were queued.
    pub wake: Arc<tokio::sync::Notify>,
}

impl Control {
    async fn audit(&self, tenant: &TenantId, action: &str, subject: &str) -> Result<()> {
        let entry = AuditEntry {
            tenant: tenant.clone(),
            at: Time::now(),
            actor: "admin".to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
        };
        Ok(self.store.audit(entry).await?)
    }

    async fn workflow_named(&self, tenant: &TenantId, name: &str) -> Result<WorkflowRecord> {
        self.store.workflow(tenant, name).await?.ok_or_else(|| {
            ControlError::not_found(
                "workflow-not-found",
                format!("there is no workflow '{name}'; see `caspian workflow list`, or deploy it"),
            )
        })
    }
}
