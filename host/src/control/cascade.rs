//! Removing a connection with all that uses it.
//!
//! The order is the one in which nothing of ours stays in Caspio: every workflow is deactivated, which deletes its webhook;
//! then the workflows go; the credentials, without which no webhook can be deleted, go last. Each step is durable before the next. After a
//! kill or a failure in between, the same command goes on where it was.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::faults;
use crate::model::TenantId;
use crate::store::{ConnectionRecord, StoreError, WorkflowRecord};

use super::workflows::unfinished;
use super::{Control, ControlError, Kind, Result};

/// How a connection is removed.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cascade {
    /// With the workflows that use it.
    pub cascade: bool,
    /// Gives up on runs that have not ended.
    pub discard_runs: bool,
    /// Webhooks that Caspio does not let this host delete stay there.
    pub leave_webhooks: bool,
}

/// What was removed.
#[derive(Debug, Default, Serialize)]
pub struct RemovedView {
    /// Workflows that went with it.
    pub workflows: Vec<String>,
    /// Caspio's ids of webhooks that were left there.
    pub left: Vec<String>,
}

impl Control {
    /// Removes a connection and its secret; with `cascade`, the workflows that use it and their webhooks first.
    ///
    /// # Errors
    /// Without `cascade` when workflows use it: they are named. With it when runs are unfinished and are not to be discarded
    /// (nothing was changed then), or when Caspio does not remove a webhook: what was done is kept, the same call goes on.
    pub async fn remove_connection(
        &self,
        tenant: &TenantId,
        name: &str,
        how: Cascade,
    ) -> Result<RemovedView> {
        let record = self.connection_record(tenant, name).await?;
        let removed =
            if how.cascade { self.remove_users(tenant, &record, how).await? } else { RemovedView::default() };
        faults::pass("cascade.before-credentials");
        let users = self.store.remove_connection(record.id, Time::now()).await?;
        if !users.is_empty() {
            return Err(ControlError::new(
                Kind::Conflict,
                "connection-in-use",
                format!(
                    "workflows use the connection '{name}': {}; delete them first with `caspian workflow delete`, so \
                     that nothing of them stays in Caspio, or give --cascade",
                    users.join(", ")
                ),
            ));
        }
        faults::pass("cascade.after-credentials");
        self.connector.clients().forget(record.id);
        self.empty_log().await;
        self.audit(tenant, "connection.remove", name).await?;
        Ok(removed)
    }

    async fn remove_users(
        &self,
        tenant: &TenantId,
        connection: &ConnectionRecord,
        how: Cascade,
    ) -> Result<RemovedView> {
        let (users, moved) = self.users(tenant, connection).await?;
        for workflow in &users {
            if let Some(hold) = self.store.holding(workflow.id).await? {
                return Err(StoreError::Held(hold).into());
            }
        }
        if !how.discard_runs {
            for workflow in users.iter().chain(&moved) {
                let runs = self.store.run_counts(workflow.id).await?;
                let open = runs.into_iter().filter(|(state, _)| !state.is_final()).map(|(_, n)| n).sum();
                unfinished(&workflow.name, open)?;
            }
        }
        let names: Vec<String> = users.iter().map(|workflow| workflow.name.clone()).collect();
        let subject = format!("{} with {}", connection.name, names.join(", "));
        self.audit(tenant, "connection.cascade", &subject).await?;
        let mut left = Vec::new();
        for workflow in users.iter().chain(&moved) {
            let on_it = self.store.webhook_of(workflow.id).await?;
            if moved.iter().any(|m| m.id == workflow.id)
                && on_it.is_none_or(|w| w.connection != connection.id)
            {
                continue;
            }
            faults::pass("cascade.before-deactivate");
            match self.triggers.remove(workflow.id).await {
                Err(error) if how.leave_webhooks && !error.is_transient() => {
                    tracing::warn!(%error, "a webhook is left in Caspio");
                    left.extend(self.triggers.leave(workflow.id).await?);
                }
                removed => removed?,
            }
            faults::pass("cascade.after-deactivate");
        }
        self.none_left(tenant, connection).await?;
        for workflow in users {
            faults::pass("cascade.before-delete");
            unfinished(
                &workflow.name,
                self.store.delete_workflow(workflow.id, how.discard_runs, Time::now()).await?,
            )?;
            faults::pass("cascade.after-delete");
            self.audit(tenant, "workflow.delete", &workflow.name).await?;
        }
        if how.discard_runs {
            self.store.discard_runs(connection.id, Time::now()).await?;
        }
        Ok(RemovedView { workflows: names, left })
    }

    /// The workflows that work with a connection; and those that work with another one by now, but have runs of it left.
    async fn users(
        &self,
        tenant: &TenantId,
        connection: &ConnectionRecord,
    ) -> Result<(Vec<WorkflowRecord>, Vec<WorkflowRecord>)> {
        let (mut users, mut moved) = (Vec::new(), Vec::new());
        for name in self.store.connection_users(connection.id).await? {
            let Some(workflow) = self.store.workflow(tenant, &name).await? else { continue };
            let version = self.store.version(workflow.id, workflow.active_version).await?;
            let version = version.ok_or(StoreError::Missing("version"))?;
            let to = if version.connection == connection.id { &mut users } else { &mut moved };
            to.push(workflow);
        }
        Ok((users, moved))
    }

    /// Without the credentials, webhooks that belong to no workflow can't be deleted any more.
    async fn none_left(&self, tenant: &TenantId, connection: &ConnectionRecord) -> Result<()> {
        if self.public_url.is_none() {
            return Ok(());
        }
        let left = match self.find_orphans(tenant, Some(&connection.name)).await {
            Ok(left) => left.len(),
            Err(error) if error.is_transient() => return Err(error),
            // With these credentials none could be deleted.
            Err(error) => {
                tracing::warn!(%error, "it is not known whether webhooks that belong to no workflow are left");
                return Ok(());
            }
        };
        if left == 0 {
            return Ok(());
        }
        let name = &connection.name;
        Err(ControlError::new(
            Kind::Conflict,
            "orphans-left",
            format!(
                "{left} webhooks in the account of '{name}' send to this host and belong to no workflow; remove them while \
                 there are credentials: caspian orphans remove --all --connection {name}, then give the command again"
            ),
        ))
    }
}
