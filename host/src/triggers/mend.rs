//! Putting a webhook right that was changed in Caspio by hand.
//!
//! What is not as it should be is first marked so, then done as when the webhook was made, so that a kill in between is
//! mended at the next start. At the end it is looked at once more: what Caspio took without doing it is said.

use crate::caspio::{CallContext, ListedWebhook};
use crate::model::{ConnectionId, WorkflowId};
use crate::store::{WebhookRecord, WebhookStage};

use super::{Finding, TriggerError, Triggers, failed};

/// What was found at a webhook, and whether it was put right.
#[derive(Debug)]
pub struct Repair {
    /// What was wrong; empty: nothing.
    pub findings: Vec<Finding>,
    /// Why it is so still.
    pub error: Option<TriggerError>,
}

impl Triggers {
    /// All webhooks of a connection's account, one call; for [`check`](Self::check) and [`repair`](Self::repair).
    ///
    /// # Errors
    /// When Caspio refuses or can't be reached.
    pub async fn listed(&self, connection: ConnectionId) -> Result<Vec<ListedWebhook>, TriggerError> {
        let caspio = self.connector.connect(connection).await?;
        caspio
            .list_webhooks(&CallContext::of_host(None, "webhooks.list"))
            .await
            .map_err(failed("listing the webhooks in Caspio"))
    }

    /// What is wrong with a workflow's webhook; nothing is changed. None when it has no webhook.
    ///
    /// # Errors
    /// When Caspio refuses or can't be reached.
    pub async fn check(
        &self,
        workflow: WorkflowId,
        listed: Option<&[ListedWebhook]>,
    ) -> Result<Option<Vec<Finding>>, TriggerError> {
        let _turn = self.turn(workflow).await;
        let Some(webhook) = self.store.webhook_of(workflow).await? else { return Ok(None) };
        let caspio = self.connector.connect(webhook.connection).await?;
        self.look(&caspio, &webhook, listed).await.map(Some)
    }

    /// Finds what is wrong with a workflow's webhook, and puts it right. None when it has no webhook. A paused workflow
    /// stays paused.
    ///
    /// # Errors
    /// When Caspio can't be asked what is wrong.
    pub async fn repair(
        &self,
        workflow: WorkflowId,
        listed: Option<&[ListedWebhook]>,
    ) -> Result<Option<Repair>, TriggerError> {
        let _turn = self.turn(workflow).await;
        let Some(webhook) = self.store.webhook_of(workflow).await? else { return Ok(None) };
        let caspio = self.connector.connect(webhook.connection).await?;
        let findings = self.look(&caspio, &webhook, listed).await?;
        let mended = self.mend(&webhook, &findings).await;
        if mended.is_err() {
            self.unfinished.notify_one();
        } else {
            for finding in &findings {
                tracing::warn!(webhook = %webhook.id, finding = finding.code, "a webhook was put right");
                metrics::counter!("caspian_webhooks_mended_total", "finding" => finding.code).increment(1);
            }
        }
        Ok(Some(Repair { findings, error: mended.err() }))
    }

    async fn mend(&self, webhook: &WebhookRecord, findings: &[Finding]) -> Result<(), TriggerError> {
        let has = |code: &str| findings.iter().any(|finding| finding.code == code);
        let workflow = webhook.workflow;
        if findings.is_empty() {
            return Ok(());
        }
        if has("unfinished") {
            return self.go_on_locked(workflow).await;
        }
        let caspio = self.connector.connect(webhook.connection).await?;
        if has("gone") || has("refused") || has("secret-lost") {
            // What it still sends can be no harm: either it is refused, or it counts.
            self.replace(webhook, webhook.triggers.clone(), !has("gone")).await?;
            return self.finish(&caspio, workflow, true, false).await.map(drop);
        }
        if has("elsewhere") {
            self.base()?;
        }
        self.reopen(webhook, has("elsewhere")).await?;
        let webhook = self.finish(&caspio, workflow, false, false).await?;
        match self.look(&caspio, &webhook, None).await?.into_iter().next() {
            None => Ok(()),
            Some(finding) => Err(TriggerError::NotMended(finding.text)),
        }
    }

    /// Puts a new webhook, with a new URL and secret, in the place of a workflow's: the new one is made first, both fire for
    /// `triggers.retire_seconds`, what both tell of is one event. None when it has no webhook that is ready.
    ///
    /// # Errors
    /// When Caspio refuses or can't be reached: the old one goes on firing, and the new one is made later.
    pub async fn renew(&self, workflow: WorkflowId) -> Result<Option<WebhookRecord>, TriggerError> {
        let _turn = self.turn(workflow).await;
        let webhook = self.store.webhook_of(workflow).await?;
        let Some(webhook) = webhook.filter(|w| w.stage == WebhookStage::Ready) else { return Ok(None) };
        let caspio = self.connector.connect(webhook.connection).await?;
        self.replace(&webhook, webhook.triggers.clone(), true).await?;
        let made = self.finish(&caspio, workflow, true, false).await;
        made.map(Some).inspect_err(|_| self.unfinished.notify_one())
    }
}
