//! Removing a webhook from Caspio, leaving a tombstone.

use std::time::Duration;

use crate::clock::Time;
use crate::faults;
use crate::model::{WorkflowId, WorkflowState};
use crate::store::{WebhookRecord, WebhookStage, WebhookUpdate};

use super::{TriggerError, Triggers, context, failed};

/// How long late messages of a removed webhook are answered and recorded: Caspio may have queued some.
const TOMBSTONE: Duration = Duration::from_secs(7 * 24 * 3600);

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

    /// Leaves a tombstone: late messages are answered and recorded.
    pub(super) async fn bury(&self, webhook: &WebhookRecord) -> Result<(), TriggerError> {
        self.store
            .update_webhook(WebhookUpdate {
                id: webhook.id,
                stage: WebhookStage::Tombstone,
                caspio_id: None,
                sealed_secret: None,
                tombstone_until: Some(Time::now().after(TOMBSTONE)),
            })
            .await?;
        (self.on_change)(webhook.id);
        Ok(())
    }
}
