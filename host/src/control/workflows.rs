//! Workflows: list, show, activate, deactivate.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Time;
use crate::manifest::Manifest;
use crate::model::{TenantId, TriggerKind, WorkflowState};
use crate::store::{StoreError, WorkflowRecord};

use super::{Control, ControlError, Kind, Result};

/// A workflow, as listed.
#[derive(Debug, Serialize)]
pub struct WorkflowView {
    /// Name.
    pub name: String,
    /// State.
    pub state: WorkflowState,
    /// Active version.
    pub version: u32,
    /// When it was first deployed, RFC 3339.
    pub created_at: String,
}

/// A workflow, as shown.
#[derive(Debug, Serialize)]
pub struct WorkflowDetail {
    /// As listed.
    #[serde(flatten)]
    pub workflow: WorkflowView,
    /// Name of the connection.
    pub connection: String,
    /// SHA-256 of the component.
    pub component: String,
    /// When the active version was deployed.
    pub deployed_at: String,
    /// Its triggers.
    pub triggers: Vec<TriggerView>,
    /// Its webhook in Caspio, when it has one.
    pub webhook: Option<WebhookView>,
    /// Runs by state.
    pub runs: BTreeMap<String, u64>,
    /// Messages by state.
    pub messages: BTreeMap<String, u64>,
}

/// A trigger, as shown.
#[derive(Debug, Serialize)]
pub struct TriggerView {
    /// Kind.
    pub event: String,
    /// Table.
    pub table: String,
    /// Fields of an update; empty: all.
    pub fields: Vec<String>,
    /// Sources; empty: all.
    pub sources: Vec<String>,
    /// One run for the whole message.
    pub batch: bool,
    /// Of a schedule: pattern, time zone, and what becomes of missed ticks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<crate::manifest::Schedule>,
}

impl TriggerView {
    fn all(manifest: Manifest) -> Vec<Self> {
        let of_record = |t: crate::manifest::Trigger| Self {
            event: t.kind.as_str().to_owned(),
            table: t.table,
            fields: t.fields,
            sources: t.sources,
            batch: t.batch,
            schedule: None,
        };
        let by_clock = |schedule| Self {
            event: TriggerKind::Schedule.as_str().to_owned(),
            table: String::new(),
            fields: Vec::new(),
            sources: Vec::new(),
            batch: false,
            schedule: Some(schedule),
        };
        let records = manifest.triggers.into_iter().map(of_record);
        records.chain(manifest.schedules.into_iter().map(by_clock)).collect()
    }
}

/// A webhook, as shown: without URL and secret.
#[derive(Debug, Serialize)]
pub struct WebhookView {
    /// Name in Caspio.
    pub name: String,
    /// Caspio's id.
    pub caspio_id: Option<String>,
    /// How far it is: planned, made, ready, removing.
    pub stage: String,
    /// When it was last compared with Caspio.
    pub checked_at: Option<String>,
    /// What could not be put right then.
    pub trouble: Option<String>,
    /// Messages are signed, and must be.
    pub signed: bool,
    /// Messages that were refused.
    pub rejected: u64,
    /// Why the last one was refused.
    pub last_rejection: Option<String>,
    /// When.
    pub last_rejection_at: Option<String>,
}

impl From<WorkflowRecord> for WorkflowView {
    fn from(x: WorkflowRecord) -> Self {
        Self { name: x.name, state: x.state, version: x.active_version, created_at: x.created_at.to_string() }
    }
}

impl Control {
    /// All workflows of a tenant.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn workflows(&self, tenant: &TenantId) -> Result<Vec<WorkflowView>> {
        Ok(self.store.workflows(tenant).await?.into_iter().map(WorkflowView::from).collect())
    }

    /// One workflow with its triggers, webhook and counters.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn workflow(&self, tenant: &TenantId, name: &str) -> Result<WorkflowDetail> {
        let record = self.workflow_named(tenant, name).await?;
        let version = self.store.version(record.id, record.active_version).await?;
        let version = version.ok_or(StoreError::Missing("version"))?;
        let connection = self.store.connection(version.connection).await?;
        let manifest = Manifest::parse(&version.manifest)?;
        let webhook = self.store.webhook_of(record.id).await?.map(|w| WebhookView {
            name: w.name,
            caspio_id: w.caspio_id,
            stage: w.stage.as_str().to_owned(),
            checked_at: w.checked_at.map(|at| at.to_string()),
            trouble: w.trouble,
            signed: w.pinned_signature.is_some(),
            rejected: w.rejected.count,
            last_rejection: w.rejected.last_reason,
            last_rejection_at: w.rejected.last_at.map(|at| at.to_string()),
        });
        let runs = self.store.run_counts(record.id).await?;
        let messages = self.store.message_counts(record.id).await?;
        Ok(WorkflowDetail {
            connection: connection.map(|c| c.name).unwrap_or_default(),
            component: hex::encode(version.component),
            deployed_at: version.created_at.to_string(),
            triggers: TriggerView::all(manifest),
            webhook,
            runs: runs.into_iter().map(|(state, n)| (state.to_string(), n)).collect(),
            messages: messages.into_iter().map(|(state, n)| (state.to_string(), n)).collect(),
            workflow: record.into(),
        })
    }

    /// Makes the webhook and its events in Caspio, and sets the workflow active.
    ///
    /// # Errors
    /// When Caspio refuses or can't be reached: what was done is kept, and activating again goes on.
    pub async fn activate(&self, tenant: &TenantId, name: &str) -> Result<WorkflowView> {
        self.ensure_triggers(tenant, name, true).await?;
        self.audit(tenant, "workflow.activate", name).await?;
        Ok(self.workflow_named(tenant, name).await?.into())
    }

    /// Removes the webhook from Caspio and sets the workflow inactive. Runs that are queued go on.
    ///
    /// # Errors
    /// When Caspio refuses or can't be reached: the webhook still fires then; deactivate again.
    pub async fn deactivate(&self, tenant: &TenantId, name: &str) -> Result<WorkflowView> {
        let workflow = self.workflow_named(tenant, name).await?;
        self.triggers.remove(workflow.id).await?;
        self.audit(tenant, "workflow.deactivate", name).await?;
        Ok(self.workflow_named(tenant, name).await?.into())
    }

    /// Keeps the webhook, but lets its events queue.
    ///
    /// # Errors
    /// When the workflow is not active.
    pub async fn pause(&self, tenant: &TenantId, name: &str) -> Result<WorkflowView> {
        self.switch(tenant, name, WorkflowState::Active, WorkflowState::Paused, "workflow.pause").await
    }

    /// Lets a paused workflow's queued runs go on.
    ///
    /// # Errors
    /// When the workflow is not paused.
    pub async fn resume(&self, tenant: &TenantId, name: &str) -> Result<WorkflowView> {
        self.switch(tenant, name, WorkflowState::Paused, WorkflowState::Active, "workflow.resume").await
    }

    async fn switch(
        &self,
        tenant: &TenantId,
        name: &str,
        from: WorkflowState,
        to: WorkflowState,
        action: &str,
    ) -> Result<WorkflowView> {
        let workflow = self.workflow_named(tenant, name).await?;
        let switched = self.store.switch_workflow_state(workflow.id, from, to).await?;
        let workflow = self.workflow_named(tenant, name).await?;
        if !switched && workflow.state != to {
            return Err(ControlError::new(
                Kind::Conflict,
                "workflow-state",
                format!(
                    "the workflow '{name}' is {}; activate it first: caspian workflow activate {name}",
                    workflow.state
                ),
            ));
        }
        self.audit(tenant, action, name).await?;
        self.wake.notify_one();
        Ok(workflow.into())
    }

    /// Removes the webhook from Caspio, then the workflow, with the contents of its messages.
    ///
    /// # Errors
    /// When runs are unfinished and `discard` is not set, or Caspio does not remove the webhook.
    pub async fn delete_workflow(&self, tenant: &TenantId, name: &str, discard: bool) -> Result<()> {
        let workflow = self.workflow_named(tenant, name).await?;
        if !discard {
            let open = self.store.run_counts(workflow.id).await?;
            unfinished(name, open.into_iter().filter(|(s, _)| !s.is_final()).map(|(_, n)| n).sum())?;
        }
        if let Some(hold) = self.store.holding(workflow.id).await? {
            return Err(StoreError::Held(hold).into());
        }
        self.triggers.remove(workflow.id).await?;
        unfinished(name, self.store.delete_workflow(workflow.id, discard, Time::now()).await?)?;
        self.empty_log().await;
        self.audit(tenant, "workflow.delete", name).await
    }

    /// Brings webhook and events into step with the active version. A paused workflow stays paused
    /// unless it is to be `activated`.
    pub(super) async fn ensure_triggers(&self, tenant: &TenantId, name: &str, activate: bool) -> Result<()> {
        let record = self.workflow_named(tenant, name).await?;
        let version = self.store.version(record.id, record.active_version).await?;
        let version = version.ok_or(StoreError::Missing("version"))?;
        let wanted = Manifest::parse(&version.manifest)?.triggers;
        // Its messages are ordered as this version says from now on, and so is what waits.
        if let Some(webhook) = self.store.webhook_of(record.id).await? {
            self.triggers.tell(webhook.id);
        }
        self.wake.notify_one();
        if wanted.is_empty() && self.store.webhook_of(record.id).await?.is_none() {
            // It runs by the clock only: nothing of it is in Caspio.
            self.store.activate_workflow(record.id, activate).await?;
        } else {
            let (name, connection) = (&record.name, version.connection);
            self.triggers.ensure(tenant, record.id, name, connection, &wanted, activate).await?;
        }
        self.coverage.wake();
        self.schedules.wake();
        Ok(())
    }
}

pub(super) fn unfinished(name: &str, open: u64) -> Result<()> {
    if open == 0 {
        return Ok(());
    }
    Err(ControlError::new(
        Kind::Conflict,
        "runs-unfinished",
        format!(
            "the workflow '{name}' has {open} unfinished runs; let them end (caspian run list --workflow {name}), or give \
             up on them with --discard-runs"
        ),
    ))
}
