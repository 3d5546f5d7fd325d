//! What is wrong with a webhook in Caspio: it is gone, points elsewhere, or its events are not what the triggers want.
//!
//! One list of the account's webhooks serves all of a connection; a webhook's events are one call more. Where the list
//! says that something is wrong, the webhook itself is asked for: it may have been made since.

use crate::caspio::{Caspio, ListedWebhook, WebhookEvent};
use crate::store::{WebhookRecord, WebhookStage};

use super::events::{Want, has_fields, has_own_payload, has_sources, matched};
use super::{HOOKS, TriggerError, Triggers, context, failed};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code, e.g. `gone`.
    pub code: &'static str,
    /// What it is, for people.
    pub text: String,
}

impl Finding {
    pub(super) fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Where a webhook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where it should be, as far as it was made.
    Right,
    /// It sends to another URL than its own.
    Elsewhere,
    /// Caspio does not have it.
    Gone,
}

/// Why the messages of a webhook were refused when that is no question of its secret.
const NOT_THE_SECRET: &str = "too-large";

impl Triggers {
    /// Compares a webhook with what Caspio has. `listed`: the account's webhooks as of lately.
    pub(super) async fn look(
        &self,
        caspio: &Caspio,
        webhook: &WebhookRecord,
        listed: Option<&[ListedWebhook]>,
    ) -> Result<Vec<Finding>, TriggerError> {
        if webhook.stage != WebhookStage::Ready {
            let what = format!("it is {}, not ready", webhook.stage.as_str());
            return Ok(vec![Finding::new("unfinished", what)]);
        }
        let mut findings = Vec::new();
        let gone = || vec![Finding::new("gone", "it is gone from Caspio")];
        match self.place(caspio, webhook, listed).await? {
            Place::Gone => return Ok(gone()),
            Place::Elsewhere => {
                findings.push(Finding::new("elsewhere", "it sends to another URL than this host's"));
            }
            Place::Right => {}
        }
        let hook = webhook.caspio_id.as_deref().unwrap_or_default();
        let events = match caspio.list_events(&context(webhook.workflow, "events.list"), hook).await {
            Err(error) if error.code() == "not-found" => return Ok(gone()),
            other => other.map_err(failed("listing the webhook's events"))?,
        };
        let (wants, surplus) = matched(&webhook.triggers, events);
        findings.extend(wants.iter().filter_map(wrong_event));
        findings.extend(surplus.iter().map(|event| {
            let what = format!("it has an event that no trigger wants, {}", name_of(event));
            Finding::new("event-surplus", what)
        }));
        if !self.has_secret(webhook).await? {
            findings.push(Finding::new("secret-lost", "its secret can't be read any more"));
        } else if let Some(reason) = self.refused(webhook).await? {
            let n = webhook.rejected.count;
            let what = format!(
                "its messages are refused ({n}, last: {reason}): its secret is another one by now, or somebody knows its URL"
            );
            findings.push(Finding::new("refused", what));
        }
        Ok(findings)
    }

    pub(super) async fn place(
        &self,
        caspio: &Caspio,
        webhook: &WebhookRecord,
        listed: Option<&[ListedWebhook]>,
    ) -> Result<Place, TriggerError> {
        let Some(id) = webhook.caspio_id.as_deref() else { return Ok(Place::Right) };
        let Some(base) = self.public_url.as_ref().or(webhook.public_url.as_ref()) else {
            return Ok(Place::Right);
        };
        let url = format!("{base}{HOOKS}{}", self.url_id(webhook).await?.expose());
        let in_list = listed.and_then(|listed| listed.iter().find(|found| found.id == id));
        if in_list.is_some_and(|found| place_of(found, &url) == Place::Right) {
            return Ok(Place::Right);
        }
        // A list that leaves it out may be one that the profile may see only parts of.
        let found = caspio
            .webhook(&context(webhook.workflow, "webhooks.get"), id)
            .await
            .map_err(failed("looking at the webhook in Caspio"))?;
        Ok(found.as_ref().map_or(Place::Gone, |found| place_of(found, &url)))
    }

    /// Its messages can be told from others'.
    async fn has_secret(&self, webhook: &WebhookRecord) -> Result<bool, TriggerError> {
        let key = self.keys.tenant(&webhook.tenant).await?;
        let sealed = webhook.sealed_secret.as_deref().unwrap_or_default();
        Ok(key.open("webhooks", "secret", webhook.id.as_bytes(), sealed).is_ok())
    }

    /// Why the messages since the last good one were refused, when there are such.
    async fn refused<'a>(&self, webhook: &'a WebhookRecord) -> Result<Option<&'a str>, TriggerError> {
        let rejected = &webhook.rejected;
        let (Some(reason), Some(at)) = (rejected.last_reason.as_deref(), rejected.last_at) else {
            return Ok(None);
        };
        if reason == NOT_THE_SECRET || self.store.heard_since(webhook.id, at).await? {
            return Ok(None);
        }
        Ok(Some(reason))
    }
}

fn place_of(found: &ListedWebhook, url: &str) -> Place {
    match found.outgoing_urls.as_slice() {
        // Caspio may write scheme and host in another way.
        [one] if one.trim_end_matches('/').eq_ignore_ascii_case(url) => Place::Right,
        _ => Place::Elsewhere,
    }
}

fn wrong_event(want: &Want<'_>) -> Option<Finding> {
    let (kind, table) = (want.trigger.kind.as_str(), &want.trigger.table);
    let Some(event) = &want.event else {
        return Some(Finding::new("event-gone", format!("its event for {kind} of {table} is gone")));
    };
    let differs: Vec<&str> = [
        (!has_fields(event, want), "fields"),
        (!has_sources(event, want), "sources"),
        (has_own_payload(event, want.trigger), "payload"),
    ]
    .into_iter()
    .filter_map(|(differs, what)| differs.then_some(what))
    .collect();
    if !differs.is_empty() {
        let what = format!("its event for {kind} of {table} has other {}", differs.join(", "));
        return Some(Finding::new("event-edited", what));
    }
    (!event.active)
        .then(|| Finding::new("event-inactive", format!("its event for {kind} of {table} is inactive")))
}

fn name_of(event: &WebhookEvent) -> String {
    format!("{} of {}", event.event_type.trim_start_matches("table."), event.object_name)
}
