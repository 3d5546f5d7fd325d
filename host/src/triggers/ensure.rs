//! Making a webhook, step by step.

use sha2::{Digest as _, Sha256};

use crate::caspio::{Caspio, NewWebhook};
use crate::clock::Time;
use crate::faults;
use crate::manifest::{Manifest, Trigger};
use crate::model::{ConnectionId, TenantId, UrlId, WebhookId, WorkflowId};
use crate::secrets::random_bytes;
use crate::store::{Rejected, StoreError, TriggerRecord, WebhookRecord, WebhookStage, WebhookUpdate};

use super::look::Place;
use super::remove::TOMBSTONE;
use super::{TriggerError, Triggers, context, failed};

/// How often a webhook is made again when it is not known whether Caspio made it.
const TRIES: u32 = 3;

impl Triggers {
    /// Makes the workflow's webhook and events as wanted, or brings them into step, and sets the workflow active; a
    /// paused one only when it is to be `activated`.
    ///
    /// # Errors
    /// When Caspio refuses, a table does not exist, or the public URL is not known. What was done is
    /// kept; calling again goes on from there.
    pub async fn ensure(
        &self,
        tenant: &TenantId,
        workflow: WorkflowId,
        name: &str,
        connection: ConnectionId,
        wanted: &[Trigger],
        activate: bool,
    ) -> Result<WebhookRecord, TriggerError> {
        let _turn = self.turn(workflow).await;
        let ensured = self.ensure_locked(tenant, workflow, name, connection, wanted, activate).await;
        ensured.inspect_err(|_| self.unfinished.notify_one())
    }

    async fn ensure_locked(
        &self,
        tenant: &TenantId,
        workflow: WorkflowId,
        name: &str,
        connection: ConnectionId,
        wanted: &[Trigger],
        activate: bool,
    ) -> Result<WebhookRecord, TriggerError> {
        let caspio = self.connector.connect(connection).await?;
        let existing = self.store.webhook_of(workflow).await?;
        if existing.as_ref().is_some_and(|w| w.connection != connection) {
            return Err(TriggerError::OtherConnection);
        }
        if existing.as_ref().is_some_and(|w| w.stage == WebhookStage::Removing) {
            self.remove_locked(workflow).await?;
        }
        let existing = self.store.webhook_of(workflow).await?;
        let place = match &existing {
            Some(webhook) => self.place(&caspio, webhook, None).await?,
            None => Place::Right,
        };
        let known = existing.as_ref().filter(|_| place != Place::Gone);
        let triggers = self.triggers(&caspio, workflow, wanted, known).await?;
        let changed = known.is_some_and(|webhook| {
            webhook.triggers.len() != wanted.len()
                || webhook.triggers.iter().zip(wanted).any(|(stored, want)| !stored.is_of(want))
        });
        let fresh = match existing {
            None => {
                let new = self.plan(tenant, workflow, name, connection, triggers).await?;
                self.store.plan_webhook(new).await?;
                faults::pass("trigger.after-plan");
                true
            }
            Some(webhook) if place == Place::Gone => {
                tracing::warn!(webhook = %webhook.id, "the webhook is gone from Caspio; it is made anew");
                self.replace(&webhook, triggers, false).await?;
                true
            }
            Some(webhook) => {
                self.store.replace_triggers(webhook.id, triggers).await?;
                self.reopen(&webhook, place == Place::Elsewhere).await?;
                false
            }
        };
        let ensured = self.finish(&caspio, workflow, fresh, activate).await?;
        if changed {
            // It would go on firing for what is not wanted any more.
            self.remove_retiring(&caspio, workflow, None).await?;
        }
        Ok(ensured)
    }

    /// Goes on with a webhook that was cut off at something, unless that is finished by now.
    pub(super) async fn go_on(&self, webhook: &WebhookRecord) -> Result<(), TriggerError> {
        let workflow = webhook.workflow;
        let _turn = self.turn(workflow).await;
        if webhook.stage == WebhookStage::Retiring {
            let caspio = self.connector.connect(webhook.connection).await?;
            return self.remove_retiring(&caspio, workflow, Some(Time::now())).await;
        }
        self.go_on_locked(workflow).await
    }

    /// The webhook is made as the version wants it that is active now.
    pub(super) async fn go_on_locked(&self, workflow: WorkflowId) -> Result<(), TriggerError> {
        let Some(webhook) = self.store.webhook_of(workflow).await? else { return Ok(()) };
        match webhook.stage {
            WebhookStage::Removing => return self.remove_locked(workflow).await,
            WebhookStage::Ready => {
                let caspio = self.connector.connect(webhook.connection).await?;
                return self.point_here(&caspio, &webhook).await;
            }
            WebhookStage::Planned | WebhookStage::Made => {}
            WebhookStage::Retiring | WebhookStage::Tombstone => return Ok(()),
        }
        let version = self.store.active_version(workflow).await?.ok_or(StoreError::Missing("version"))?;
        let manifest = Manifest::parse(&version.manifest)
            .map_err(|_| StoreError::Corrupt("the manifest of a version".to_owned()))?;
        let wanted = manifest.triggers;
        let ensured = self
            .ensure_locked(&webhook.tenant, workflow, &manifest.name, version.connection, &wanted, false)
            .await;
        ensured.map(drop)
    }

    /// From now on its events, and on `elsewhere` its URL, count as not done.
    pub(super) async fn reopen(&self, webhook: &WebhookRecord, elsewhere: bool) -> Result<(), TriggerError> {
        if webhook.stage == WebhookStage::Ready || elsewhere {
            let stage = match webhook.stage {
                WebhookStage::Ready => WebhookStage::Made,
                other => other,
            };
            let public_url = elsewhere.then_some(None);
            let update = WebhookUpdate { public_url, ..WebhookUpdate::stage(webhook.id, stage) };
            self.store.update_webhook(update).await?;
            (self.on_change)(webhook.id);
        }
        Ok(())
    }

    /// From any stage to `ready`. `fresh`: nothing of it can be in Caspio yet. A paused workflow stays paused unless it is
    /// to be `activated`.
    pub(super) async fn finish(
        &self,
        caspio: &Caspio,
        workflow: WorkflowId,
        fresh: bool,
        activate: bool,
    ) -> Result<WebhookRecord, TriggerError> {
        let webhook = self.reload(workflow).await?;
        let made_now = webhook.stage == WebhookStage::Planned;
        if made_now {
            self.make(caspio, &webhook, fresh).await?;
        }
        let webhook = self.reload(workflow).await?;
        self.point_here(caspio, &webhook).await?;
        self.sync_events(caspio, &webhook, made_now).await?;
        self.store.activate_workflow(workflow, activate).await?;
        self.advance(&webhook, WebhookStage::Ready).await?;
        // Those whose place it took may have messages under way until then.
        self.store.retire_at(workflow, Time::now().after(self.settings.retire())).await?;
        self.reload(workflow).await
    }

    /// Tells Caspio this host's public URL, unless it was told that one.
    async fn point_here(&self, caspio: &Caspio, webhook: &WebhookRecord) -> Result<(), TriggerError> {
        let (Some(id), Some(base)) = (webhook.caspio_id.as_deref(), self.public_url.as_deref()) else {
            return Ok(());
        };
        if webhook.public_url.as_deref() == Some(base) {
            return Ok(());
        }
        let url = self.url_of(webhook).await?;
        faults::pass("trigger.before-point");
        caspio
            .point_webhook(&context(webhook.workflow, "webhooks.update"), id, &url)
            .await
            .map_err(failed("giving the webhook this host's URL"))?;
        faults::pass("trigger.after-point");
        let public_url = Some(Some(base.to_owned()));
        let update = WebhookUpdate { public_url, ..WebhookUpdate::stage(webhook.id, webhook.stage) };
        Ok(self.store.update_webhook(update).await?)
    }

    /// Puts a new webhook, still to be made, in the place of one. The old one is `firing` on until the new one has been ready
    /// for a while, or is gone from Caspio.
    pub(super) async fn replace(
        &self,
        old: &WebhookRecord,
        mut triggers: Vec<TriggerRecord>,
        firing: bool,
    ) -> Result<(), TriggerError> {
        triggers.iter_mut().for_each(|trigger| trigger.caspio_id = None);
        let new = self.plan(&old.tenant, old.workflow, &old.workflow_name, old.connection, triggers).await?;
        let until = (!firing).then(|| Time::now().after(TOMBSTONE));
        self.store.replace_webhook(old.id, until, new).await?;
        (self.on_change)(old.id);
        faults::pass("trigger.after-plan");
        Ok(())
    }

    /// The wanted triggers with the fields of their tables, and the Caspio ids that are known.
    async fn triggers(
        &self,
        caspio: &Caspio,
        workflow: WorkflowId,
        wanted: &[Trigger],
        existing: Option<&WebhookRecord>,
    ) -> Result<Vec<TriggerRecord>, TriggerError> {
        let context = context(workflow, "tables.fields");
        let mut triggers: Vec<TriggerRecord> = Vec::with_capacity(wanted.len());
        for (position, want) in wanted.iter().enumerate() {
            let known = triggers.iter().find(|t| t.table.eq_ignore_ascii_case(&want.table));
            let schema = match known {
                Some(known) => known.schema.clone(),
                None => caspio
                    .fields(&context, &want.table)
                    .await
                    .map_err(failed("reading the fields of a trigger's table"))?,
            };
            let caspio_id = existing.and_then(|webhook| {
                let same = webhook.triggers.iter().find(|t| {
                    t.kind == want.kind
                        && t.table.eq_ignore_ascii_case(&want.table)
                        && t.fields == want.fields
                });
                same.and_then(|t| t.caspio_id.clone())
            });
            triggers.push(TriggerRecord {
                position: u32::try_from(position).unwrap_or(u32::MAX),
                kind: want.kind,
                table: want.table.clone(),
                fields: want.fields.clone(),
                sources: want.sources.clone(),
                batch: want.batch,
                reconcile: want.reconcile,
                caspio_id,
                schema,
            });
        }
        Ok(triggers)
    }

    /// A webhook that is still to be stored and made.
    async fn plan(
        &self,
        tenant: &TenantId,
        workflow: WorkflowId,
        name: &str,
        connection: ConnectionId,
        triggers: Vec<TriggerRecord>,
    ) -> Result<WebhookRecord, TriggerError> {
        let url_id = UrlId::from_random(random_bytes()?);
        // Refused before anything is stored when the host does not know its URL.
        let public_url = self.base()?.to_owned();
        let id = WebhookId::new();
        let key = self.keys.tenant(tenant).await?;
        let sealed_url_id = key.seal("webhooks", "url_id", id.as_bytes(), url_id.expose().as_bytes())?;
        let short: String = name.chars().take(24).collect();
        Ok(WebhookRecord {
            id,
            tenant: tenant.clone(),
            workflow,
            workflow_name: name.to_owned(),
            connection,
            connection_name: String::new(),
            // At most 64 characters of A-Z, a-z, 0-9, '-': Caspio's own limit is not known.
            name: format!("caspian-{short}-{}", hex::encode(id.as_bytes().get(6..).unwrap_or(&[]))),
            url_hash: Sha256::digest(url_id.expose().as_bytes()).into(),
            sealed_url_id,
            stage: WebhookStage::Planned,
            caspio_id: None,
            sealed_secret: None,
            pinned_signature: None,
            tombstone_until: None,
            public_url: Some(public_url),
            twinned: false,
            checked_at: None,
            trouble: None,
            rejected: Rejected::default(),
            triggers,
            created_at: Time::now(),
        })
    }

    /// POSTs the webhook and keeps what Caspio shows once.
    async fn make(&self, caspio: &Caspio, webhook: &WebhookRecord, fresh: bool) -> Result<(), TriggerError> {
        let url = self.url_of(webhook).await?;
        let new = NewWebhook {
            name: webhook.name.clone(),
            description: "Made by Caspian. Deactivate the workflow to remove it.".to_owned(),
            outgoing_urls: vec![url.clone()],
        };
        let mut maybe_there = !fresh;
        let mut tries = 0;
        let made = loop {
            if maybe_there {
                self.remove_leftovers(caspio, webhook, &url).await?;
            }
            faults::pass("trigger.before-webhook");
            match caspio.create_webhook(&context(webhook.workflow, "webhooks.create"), &new).await {
                Ok(made) => break made,
                Err(error) if error.is_undecided() && tries < TRIES => {
                    tries += 1;
                    maybe_there = true;
                }
                Err(error) => return Err(failed("making the webhook")(error)),
            }
        };
        faults::pass("trigger.after-webhook");
        let key = self.keys.tenant(&webhook.tenant).await?;
        let sealed =
            key.seal("webhooks", "secret", webhook.id.as_bytes(), made.secret.expose().as_bytes())?;
        self.store
            .update_webhook(WebhookUpdate {
                caspio_id: Some(Some(made.id)),
                sealed_secret: Some(Some(sealed)),
                public_url: Some(self.public_url.clone()),
                ..WebhookUpdate::stage(webhook.id, WebhookStage::Made)
            })
            .await?;
        (self.on_change)(webhook.id);
        faults::pass("trigger.after-secret");
        Ok(())
    }

    /// Deletes webhooks that an earlier try made: they have our name or our URL, and nobody knows their secret.
    pub(super) async fn remove_leftovers(
        &self,
        caspio: &Caspio,
        webhook: &WebhookRecord,
        url: &str,
    ) -> Result<(), TriggerError> {
        let listed = caspio
            .list_webhooks(&context(webhook.workflow, "webhooks.list"))
            .await
            .map_err(failed("looking for webhooks of an earlier try"))?;
        for found in listed {
            if found.name == webhook.name || found.outgoing_urls.iter().any(|u| u == url) {
                caspio
                    .delete_webhook(&context(webhook.workflow, "webhooks.delete"), &found.id)
                    .await
                    .map_err(failed("deleting a webhook of an earlier try"))?;
            }
        }
        Ok(())
    }

    pub(super) async fn advance(
        &self,
        webhook: &WebhookRecord,
        stage: WebhookStage,
    ) -> Result<(), TriggerError> {
        self.store.update_webhook(WebhookUpdate::stage(webhook.id, stage)).await?;
        (self.on_change)(webhook.id);
        Ok(())
    }
}
