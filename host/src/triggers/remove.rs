//! Removing a webhook from Caspio, leaving a tombstone.

use std::time::Duration;

use crate::caspio::Caspio;
use crate::clock::Time;
use crate::faults;
use crate::model::{WorkflowId, WorkflowState};
use crate::store::{WebhookRecord, WebhookStage, WebhookUpdate};

use super::{TriggerError, Triggers, context, failed};

/// How long late messages of a removed webhook are answered and recorded: Caspio may have queued some.
pub(super) const TOMBSTONE: Duration = Duration::from_secs(7 * 24 * 3600);

impl Triggers {
    /// Removes the workflow's webhook from Caspio and sets the workflow inactive. A webhook that is
    /// gone already is no error.
    ///
    /// # Errors
    /// When Caspio does not do it: the webhook still fires then, its messages are recorded and start no
    /// run, and calling again goes on.
    pub async fn remove(&self, workflow: WorkflowId) -> Result<(), TriggerError> {
        let _turn = self.turn(workflow).await;
        self.remove_locked(workflow).await.inspect_err(|_| self.unfinished.notify_one())
    }

    pub(super) async fn remove_locked(&self, workflow: WorkflowId) -> Result<(), TriggerError> {
        if let Some(webhook) = self.store.webhook_of(workflow).await? {
            if webhook.stage != WebhookStage::Removing {
                self.advance(&webhook, WebhookStage::Removing).await?;
            }
            // From now on no message starts a run, whatever Caspio says; the state must not claim otherwise.
            self.store.set_workflow_state(workflow, WorkflowState::Inactive).await?;
            faults::pass("trigger.before-remove");
            let caspio = self.connector.connect(webhook.connection).await?;
            self.remove_retiring(&caspio, workflow, None).await?;
            match webhook.caspio_id.as_deref() {
                Some(id) => caspio
                    .delete_webhook(&context(workflow, "webhooks.delete"), id)
                    .await
                    .map_err(failed("deleting the webhook"))?,
                None => {
                    let url = self.url_of(&webhook).await?;
                    self.remove_leftovers(&caspio, &webhook, &url).await?;
                }
            }
            faults::pass("trigger.after-remove");
            self.bury(&webhook).await?;
        }
        self.store.set_workflow_state(workflow, WorkflowState::Inactive).await?;
        Ok(())
    }

    /// Sets the workflow inactive and leaves its webhooks in Caspio, which does not let this host delete them. Answers
    /// Caspio's ids of those that may be there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn leave(&self, workflow: WorkflowId) -> Result<Vec<String>, TriggerError> {
        let _turn = self.turn(workflow).await;
        let mut left = self.store.retiring_webhooks(workflow).await?;
        if let Some(webhook) = self.store.webhook_of(workflow).await? {
            self.advance(&webhook, WebhookStage::Removing).await?;
            left.push(webhook);
        }
        for webhook in &left {
            self.bury(webhook).await?;
        }
        self.store.set_workflow_state(workflow, WorkflowState::Inactive).await?;
        Ok(left.into_iter().filter_map(|webhook| webhook.caspio_id).collect())
    }

    /// Removes webhooks whose place another one took; with a time, only those whose own has come by then.
    pub(super) async fn remove_retiring(
        &self,
        caspio: &Caspio,
        workflow: WorkflowId,
        due: Option<Time>,
    ) -> Result<(), TriggerError> {
        for old in self.store.retiring_webhooks(workflow).await? {
            if due.is_some_and(|now| old.tombstone_until.is_none_or(|at| at > now)) {
                continue;
            }
            faults::pass("trigger.before-retire");
            if let Some(id) = old.caspio_id.as_deref() {
                caspio
                    .delete_webhook(&context(workflow, "webhooks.delete"), id)
                    .await
                    .map_err(failed("deleting the webhook that was replaced"))?;
            }
            faults::pass("trigger.after-retire");
            self.bury(&old).await?;
        }
        Ok(())
    }

    /// Leaves a tombstone: late messages are answered and recorded.
    pub(super) async fn bury(&self, webhook: &WebhookRecord) -> Result<(), TriggerError> {
        self.store
            .update_webhook(WebhookUpdate {
                tombstone_until: Some(Time::now().after(TOMBSTONE)),
                ..WebhookUpdate::stage(webhook.id, WebhookStage::Tombstone)
            })
            .await?;
        (self.on_change)(webhook.id);
        Ok(())
    }
}
