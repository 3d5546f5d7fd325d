//! Webhooks as Caspio has them: listed, checked, repaired.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::model::{ConnectionId, TenantId};
use crate::store::{WebhookRecord, WebhookStage};
use crate::triggers::TriggerError;

use super::{Control, ControlError, Kind, Result};

/// Whose webhooks are meant.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TriggerQuery {
    /// Of this workflow only.
    pub workflow: Option<String>,
    /// Repairing: makes a new webhook, with a new URL and secret, in place of the workflow's.
    pub new_secret: bool,
}

/// A trigger, as listed: as this host knows it.
#[derive(Debug, Serialize)]
pub struct TriggerState {
    /// The workflow.
    pub workflow: String,
    /// Kind.
    pub event: String,
    /// Table.
    pub table: String,
    /// Caspio's id of the webhook.
    pub webhook: Option<String>,
    /// Caspio's id of the event.
    pub caspio_event: Option<String>,
    /// How far the webhook is.
    pub stage: String,
    /// When the webhook was last compared with Caspio.
    pub checked_at: Option<String>,
    /// What could not be put right then.
    pub trouble: Option<String>,
}

/// Something that was wrong.
#[derive(Debug, Serialize)]
pub struct FindingView {
    /// Stable code.
    pub code: String,
    /// What it is.
    pub text: String,
}

/// What was found at a workflow's webhook.
#[derive(Debug, Serialize)]
pub struct CheckView {
    /// The workflow.
    pub workflow: String,
    /// Caspio's id of the webhook, as it is now.
    pub webhook: Option<String>,
    /// What was wrong; empty: nothing.
    pub findings: Vec<FindingView>,
    /// All of it was put right.
    pub mended: bool,
    /// Why it could not be looked at, or put right.
    pub error: Option<String>,
}

impl CheckView {
    /// Nothing is wrong, or not any more.
    fn is_right(&self) -> bool {
        self.error.is_none() && (self.findings.is_empty() || self.mended)
    }
}

/// What is done about what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is only said.
    Check,
    /// It is put right.
    Repair,
}

/// What hinders that a webhook is looked at, or put right.
pub(super) struct Hindrance {
    /// For people.
    pub text: String,
    /// It may go away by itself: worth another try soon, and no reason to call a person.
    pub transient: bool,
}

impl From<TriggerError> for Hindrance {
    fn from(error: TriggerError) -> Self {
        Self { transient: error.is_transient(), text: error.to_string() }
    }
}

/// What was found at one webhook, and what hinders that it is put right.
pub(super) struct Inspected {
    pub view: CheckView,
    pub hindrance: Option<Hindrance>,
}

impl Control {
    /// The triggers of all webhooks, or of one workflow's, without asking Caspio.
    ///
    /// # Errors
    /// When there is no such workflow.
    pub async fn triggers(&self, tenant: &TenantId, query: &TriggerQuery) -> Result<Vec<TriggerState>> {
        let mut states = Vec::new();
        for webhook in self.webhooks_meant(tenant, query, false).await? {
            states.extend(webhook.triggers.iter().map(|trigger| TriggerState {
                workflow: webhook.workflow_name.clone(),
                event: trigger.kind.as_str().to_owned(),
                table: trigger.table.clone(),
                webhook: webhook.caspio_id.clone(),
                caspio_event: trigger.caspio_id.clone(),
                stage: webhook.stage.as_str().to_owned(),
                checked_at: webhook.checked_at.map(|at| at.to_string()),
                trouble: webhook.trouble.clone(),
            }));
        }
        Ok(states)
    }

    /// Compares webhooks with Caspio; changes nothing.
    ///
    /// # Errors
    /// When there is no such workflow, or it has no webhook. What Caspio refuses is said at each.
    pub async fn check_triggers(&self, tenant: &TenantId, query: &TriggerQuery) -> Result<Vec<CheckView>> {
        self.inspect_meant(tenant, query, Way::Check).await
    }

    /// Compares webhooks with Caspio, and puts right what was changed there.
    ///
    /// # Errors
    /// When there is no such workflow, or it has no webhook. What Caspio refuses is said at each.
    pub async fn repair_triggers(&self, tenant: &TenantId, query: &TriggerQuery) -> Result<Vec<CheckView>> {
        if !query.new_secret {
            return self.inspect_meant(tenant, query, Way::Repair).await;
        }
        let Some(name) = &query.workflow else {
            return Err(ControlError::invalid(
                "workflow-missing",
                "a new secret is made for one webhook at a time; name its workflow",
            ));
        };
        let workflow = self.workflow_named(tenant, name).await?;
        let made = self.triggers.renew(workflow.id).await?.ok_or_else(|| no_webhook(name))?;
        self.audit(tenant, "trigger.new-secret", name).await?;
        Ok(vec![CheckView {
            workflow: name.clone(),
            webhook: made.caspio_id,
            findings: vec![FindingView {
                code: "new-secret".to_owned(),
                text: "a new secret was asked for".to_owned(),
            }],
            mended: true,
            error: None,
        }])
    }

    async fn inspect_meant(
        &self,
        tenant: &TenantId,
        query: &TriggerQuery,
        way: Way,
    ) -> Result<Vec<CheckView>> {
        let mut views: Vec<CheckView> = Vec::new();
        let mut connections: Vec<(ConnectionId, Vec<WebhookRecord>)> = Vec::new();
        for webhook in self.webhooks_meant(tenant, query, true).await? {
            match connections.iter_mut().find(|(connection, _)| *connection == webhook.connection) {
                Some((_, of_it)) => of_it.push(webhook),
                None => connections.push((webhook.connection, vec![webhook])),
            }
        }
        for (connection, webhooks) in connections {
            let listed = self.triggers.listed(connection).await.map_err(Hindrance::from);
            for webhook in webhooks {
                views.push(match &listed {
                    Ok(listed) => self.inspect(&webhook, Some(listed), way, "admin").await?.view,
                    Err(hindrance) => failed_view(&webhook, hindrance),
                });
            }
        }
        views.sort_by(|a, b| a.workflow.cmp(&b.workflow));
        if way == Way::Check {
            let wrong = views.iter().filter(|view| !view.is_right()).count();
            let subject = query.workflow.as_deref().unwrap_or("all");
            self.audit(tenant, "trigger.check", &format!("{subject}: {wrong} not as they should be")).await?;
        }
        Ok(views)
    }

    /// Looks at one webhook; what is found and done is kept and audited.
    pub(super) async fn inspect(
        &self,
        webhook: &WebhookRecord,
        listed: Option<&[crate::caspio::ListedWebhook]>,
        way: Way,
        actor: &str,
    ) -> Result<Inspected> {
        let workflow = webhook.workflow;
        let looked = match way {
            Way::Check => {
                let found = self.triggers.check(workflow, listed).await;
                found.map(|found| (found.unwrap_or_default(), None))
            }
            Way::Repair => {
                let repair = self.triggers.repair(workflow, listed).await;
                repair.map(|repair| repair.map_or((Vec::new(), None), |r| (r.findings, r.error)))
            }
        };
        let (findings, error) = looked.unwrap_or_else(|error| (Vec::new(), Some(error)));
        let hindrance = error.map(Hindrance::from);
        let now = self.store.webhook_of(workflow).await?;
        let mended = way == Way::Repair && !findings.is_empty() && hindrance.is_none();
        let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
        if way == Way::Repair && !codes.is_empty() {
            let subject = format!("{}: {}", webhook.workflow_name, codes.join(", "));
            let action = if mended { "trigger.repair" } else { "trigger.repair-failed" };
            self.audit_as(actor, &webhook.tenant, action, &subject).await?;
        }
        let view = CheckView {
            workflow: webhook.workflow_name.clone(),
            webhook: now.as_ref().and_then(|w| w.caspio_id.clone()),
            findings: findings
                .into_iter()
                .map(|finding| FindingView { code: finding.code.to_owned(), text: finding.text })
                .collect(),
            mended,
            error: hindrance.as_ref().map(|hindrance| hindrance.text.clone()),
        };
        if let Some(now) = now.filter(|w| w.stage == WebhookStage::Ready || hindrance.is_some()) {
            self.keep_what_was_found(&now, &view, hindrance.as_ref()).await?;
        }
        Ok(Inspected { view, hindrance })
    }

    /// What goes away by itself is no trouble, and does not end one that was there.
    pub(super) async fn keep_what_was_found(
        &self,
        webhook: &WebhookRecord,
        view: &CheckView,
        hindrance: Option<&Hindrance>,
    ) -> Result<()> {
        if hindrance.is_some_and(|hindrance| hindrance.transient) {
            return Ok(());
        }
        let found = view.findings.first().map(|finding| finding.text.clone());
        let trouble = match (hindrance, found) {
            (Some(hindrance), Some(found)) => Some(format!("{found}, and {}", hindrance.text)),
            (Some(hindrance), None) => Some(hindrance.text.clone()),
            (None, found) => found.filter(|_| !view.mended),
        };
        Ok(self.store.webhook_checked(webhook.id, Time::now(), trouble).await?)
    }

    /// Webhooks of a tenant, or of one workflow. `current`: without those whose place another one takes; one workflow's must
    /// be there.
    async fn webhooks_meant(
        &self,
        tenant: &TenantId,
        query: &TriggerQuery,
        current: bool,
    ) -> Result<Vec<WebhookRecord>> {
        let only = match &query.workflow {
            Some(name) => Some(self.workflow_named(tenant, name).await?),
            None => None,
        };
        let all = self.store.webhooks().await?;
        let meant: Vec<_> = all
            .into_iter()
            .filter(|w| w.tenant == *tenant && !(current && w.stage == WebhookStage::Retiring))
            .filter(|w| only.as_ref().is_none_or(|only| only.id == w.workflow))
            .collect();
        match only {
            Some(workflow) if current && meant.is_empty() => Err(no_webhook(&workflow.name)),
            _ => Ok(meant),
        }
    }
}

pub(super) fn failed_view(webhook: &WebhookRecord, hindrance: &Hindrance) -> CheckView {
    CheckView {
        workflow: webhook.workflow_name.clone(),
        webhook: webhook.caspio_id.clone(),
        findings: Vec::new(),
        mended: false,
        error: Some(hindrance.text.clone()),
    }
}

fn no_webhook(name: &str) -> ControlError {
    ControlError::new(
        Kind::Conflict,
        "no-webhook",
        format!("the workflow '{name}' has no webhook; activate it first: caspian workflow activate {name}"),
    )
}
