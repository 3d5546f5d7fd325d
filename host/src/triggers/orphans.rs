//! Webhooks in Caspio that send to this host and belong to no workflow of it.
//!
//! Such are left when a data folder is lost or restored from an older backup, or when a person copies a webhook. A webhook
//! counts as ours by its URL alone: all of its URLs lie below this host's public URL. One that is being made or removed has its URL
//! id stored before Caspio hears of it, so it is never taken for an orphan.

use sha2::{Digest as _, Sha256};

use crate::caspio::{CallContext, ListedWebhook};
use crate::model::{ConnectionId, UrlId};
use crate::store::WebhookStage;

use super::{HOOKS, TriggerError, Triggers, failed};

/// A webhook that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Caspio's id.
    pub id: String,
    /// Its name in Caspio.
    pub name: String,
    /// It fires.
    pub active: bool,
    /// It once belonged to a workflow of this host, which let go of it.
    pub known: bool,
}

impl Triggers {
    /// The orphans in a connection's account, by one call.
    ///
    /// # Errors
    /// When this host does not know its public URL, Caspio refuses, or can't be reached.
    pub async fn orphans(&self, connection: ConnectionId) -> Result<Vec<Orphan>, TriggerError> {
        self.base()?;
        // First the list: whatever is in it and belongs to a workflow is in the store by now.
        let listed = self.listed(connection).await?;
        let own = self.store.webhooks().await?;
        let mut orphans = Vec::new();
        for found in listed {
            if own.iter().any(|webhook| webhook.caspio_id.as_deref() == Some(found.id.as_str())) {
                continue;
            }
            let Some(ids) = self.ids_below(&found)? else { continue };
            let mut known = false;
            let mut in_use = false;
            for id in ids.into_iter().flatten() {
                let hash: [u8; 32] = Sha256::digest(id.expose().as_bytes()).into();
                let webhook = self.store.webhook_by_url(hash).await?;
                known |= webhook.is_some();
                in_use |= webhook.is_some_and(|webhook| webhook.stage != WebhookStage::Tombstone);
            }
            if !in_use {
                orphans.push(Orphan { id: found.id, name: found.name, active: found.active, known });
            }
        }
        Ok(orphans)
    }

    /// The last parts of a webhook's URLs, none for what is no URL id of ours; none at all unless every URL is below
    /// this host's public URL.
    fn ids_below(&self, found: &ListedWebhook) -> Result<Option<Vec<Option<UrlId>>>, TriggerError> {
        let start = format!("{}{HOOKS}", self.base()?);
        let id = |url: &String| {
            let (before, id) = url.split_at_checked(start.len())?;
            before.eq_ignore_ascii_case(&start).then(|| id.parse::<UrlId>().ok())
        };
        let ids: Option<Vec<_>> = found.outgoing_urls.iter().map(id).collect();
        Ok(ids.filter(|ids| !ids.is_empty()))
    }

    /// Deletes an orphan in Caspio. One that is gone already is no error.
    ///
    /// # Errors
    /// When Caspio does not do it: it still fires.
    pub async fn remove_orphan(&self, connection: ConnectionId, orphan: &Orphan) -> Result<(), TriggerError> {
        let caspio = self.connector.connect(connection).await?;
        caspio
            .delete_webhook(&CallContext::of_host(None, "webhooks.delete"), &orphan.id)
            .await
            .map_err(failed("deleting a webhook that belongs to no workflow"))
    }
}
