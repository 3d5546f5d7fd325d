//! What people ask of a running host: connections, deploys, activation, looking at runs.
//!
//! One file a subject; `server` puts HTTP before it. Every change is written to the audit log. An
//! error has a stable code, says what happened and what to do next, and holds no secret and no value of a record.

mod alerts;
mod backup;
mod cascade;
mod connections;
mod coverage;
mod deploy;
mod error;
mod events;
mod letters;
mod orphans;
mod patrol;
mod replay;
mod retention;
mod runs;
mod state;
mod status;
mod tokens;
mod triggers;
mod usage;
mod versions;
mod waking;
mod workflows;

use std::sync::Arc;

use crate::accounts::{Connector, KeyError, Keyring};
use crate::alerts::Alerts;
use crate::clock::Time;
use crate::config::DataDir;
use crate::coverage::Coverage;
use crate::execution::{Replayer, StateSettings};
use crate::model::{MessageId, Retention, TenantId};
use crate::runtime::Runtime;
use crate::scheduler::Schedules;
use crate::secrets::DataKey;
use crate::store::{AuditEntry, Store, StoreError, WorkflowRecord};
use crate::triggers::Triggers;

pub use alerts::AlertView;
pub use backup::{Backup, RestoreError, Restored, restore};
pub use cascade::{Cascade, RemovedView};
pub use connections::{ConnectionView, NewConnection};
pub use coverage::{BackfillRequest, BackfillView, CoverageView, SweepView};
pub use deploy::{DeployRequest, DeployView};
pub use error::{ControlError, Kind};
pub use events::{EventDetail, EventQuery, EventView, NewEvent, SentView};
pub use letters::{
    DecidedView, LetterView, RedriveMany, RedriveRequest, RedrivenView, Resolution, ResolveRequest,
};
pub use orphans::{OrphanQuery, OrphanView, RemoveOrphans, RemovedOrphans};
pub use patrol::Patrol;
pub use replay::{ReplayRequest, ReplayView};
pub use retention::{HoldView, NewHold, PurgeRequest, PurgedView, RetentionView, WantedRetention};
pub use runs::{ResumeRequest, ResumedView, RunDetail, RunQuery, RunView};
pub use state::{DroppedView, StateEntryView, StateKeyView, StateQuery, StateView};
pub use status::StatusView;
pub use tokens::{MadeToken, NewToken, TokenView, new_token};
pub use triggers::{CheckView, FindingView, TriggerQuery, TriggerState};
pub use usage::{BudgetView, NewBudget, UsageQuery, UsageView};
pub use versions::{HistoryView, RollbackRequest, VersionView};
pub use workflows::{WorkflowDetail, WorkflowView};

/// Who acts by the control API, as in the audit log.
const ADMIN: &str = "admin";

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
    /// Sweeps and backfills.
    pub coverage: Coverage,
    /// Ticks by the clock.
    pub schedules: Arc<Schedules>,
    /// Tells the operator.
    pub alerts: Arc<Alerts>,
    /// Compiles and links.
    pub runtime: Runtime,
    /// Executes runs again from their journals.
    pub replayer: Replayer,
    /// Where components lie.
    pub data: DataDir,
    /// Where Caspio reaches this host.
    pub public_url: Option<String>,
    /// Rung when runs were queued.
    pub wake: Arc<tokio::sync::Notify>,
    /// How long things are kept, unless a tenant wants otherwise.
    pub retention: Retention,
    /// How much a workflow may keep.
    pub state: StateSettings,
}

impl Control {
    async fn audit(&self, tenant: &TenantId, action: &str, subject: &str) -> Result<()> {
        self.audit_as(ADMIN, tenant, action, subject).await
    }

    /// `actor`: `admin`, or `host` for what it does by itself.
    async fn audit_as(&self, actor: &str, tenant: &TenantId, action: &str, subject: &str) -> Result<()> {
        let entry = AuditEntry {
            tenant: tenant.clone(),
            at: Time::now(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
        };
        Ok(self.store.audit(entry).await?)
    }

    /// The key of what belongs to a message; none when it was dropped.
    async fn data_key(&self, tenant: &TenantId, message: MessageId) -> Result<Option<DataKey>> {
        match self.keys.data(tenant, message).await {
            Ok(key) => Ok(Some(key)),
            Err(KeyError::Store(StoreError::Missing("data key"))) => Ok(None),
            Err(error) => Err(error.into()),
        }
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

/// A name that people give to what they add: 1 to 63 letters, digits, -, _ and `.`; `what` it is of, e.g. "token".
fn usable_name(name: &str, what: &str) -> Result<()> {
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= 63 && name.chars().all(usable) {
        return Ok(());
    }
    Err(ControlError::invalid(
        &format!("{what}-name"),
        format!("the {what}'s name is not usable; use 1 to 63 letters, digits, -, _ and ."),
    ))
}

/// An id that was given; `what` it is of, e.g. "run".
fn id<T: std::str::FromStr>(text: &str, what: &str) -> Result<T> {
    text.parse().map_err(|_| {
        ControlError::invalid(
            &format!("{what}-id"),
            format!("this is no {what} id; give the UUID that `caspian {what} list` shows"),
        )
    })
}

/// The values that were asked for went with their workflow, or their time was over.
fn contents_gone() -> ControlError {
    ControlError::new(
        Kind::Conflict,
        "contents-deleted",
        "the contents can't be read any more, since the workflow was deleted or the time for which they are kept is over; \
         show it without --values",
    )
}
