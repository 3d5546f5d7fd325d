//! The host looks after its webhooks by itself.
//!
//! Every `triggers.check_seconds` each connection's webhooks are compared with Caspio: one call a connection, one a webhook,
//! one after the other with pauses. What people changed there is put right and audited (actor `host`); what can't be, e.g. since the
//! profile may not, is kept as the webhook's trouble, which `caspian status` shows. A host that does not know its public URL looks at
//! nothing: it may be a copy.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::clock::{self, Time};
use crate::model::ConnectionId;
use crate::store::{WebhookRecord, WebhookStage};

use super::triggers::{Hindrance, Way, failed_view};
use super::{Control, Result};

/// When Caspio could not be asked, so much later at most it is asked again.
const AGAIN: Duration = Duration::from_secs(300);
/// Longest pause between two webhooks of a connection.
const PAUSE: Duration = Duration::from_secs(2);

/// Remembers which connections could not be asked.
#[derive(Debug, Default)]
pub struct Patrol {
    again: HashMap<ConnectionId, Time>,
}

impl Patrol {
    /// Looks at the webhooks that are due.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn walk(&mut self, control: &Control) -> Result<()> {
        if control.public_url.is_none() {
            return Ok(());
        }
        let mut connections: BTreeMap<ConnectionId, Vec<WebhookRecord>> = BTreeMap::new();
        for webhook in control.store.webhooks().await? {
            // What is not ready is finished by others.
            if webhook.stage == WebhookStage::Ready {
                connections.entry(webhook.connection).or_default().push(webhook);
            }
        }
        let every = Duration::from_secs(control.triggers.settings().check_seconds);
        for (connection, webhooks) in connections {
            if is_due(connection, &webhooks, every)
                && self.again.get(&connection).is_none_or(|at| *at <= Time::now())
                && control.connector.clients().held_back(connection).is_none()
            {
                self.again.remove(&connection);
                self.round(control, connection, webhooks, every).await?;
            }
        }
        Ok(())
    }

    async fn round(
        &mut self,
        control: &Control,
        connection: ConnectionId,
        webhooks: Vec<WebhookRecord>,
        every: Duration,
    ) -> Result<()> {
        let again = Time::now().after(every.min(AGAIN));
        let pause =
            PAUSE.min(every / (4 * u32::try_from(webhooks.len()).unwrap_or(u32::MAX).saturating_add(1)));
        let listed = match control.triggers.listed(connection).await.map_err(Hindrance::from) {
            Ok(listed) => listed,
            Err(hindrance) => {
                let error = &hindrance.text;
                tracing::warn!(%connection, error, "the webhooks of a connection can't be looked at");
                self.again.insert(connection, again);
                for webhook in &webhooks {
                    let view = failed_view(webhook, &hindrance);
                    control.keep_what_was_found(webhook, &view, Some(&hindrance)).await?;
                }
                return Ok(());
            }
        };
        let way = if control.triggers.settings().mend { Way::Repair } else { Way::Check };
        for webhook in webhooks {
            let inspected = control.inspect(&webhook, Some(&listed), way, "host").await?;
            if let Some(hindrance) = inspected.hindrance {
                let error = &hindrance.text;
                tracing::warn!(webhook = %webhook.id, error, "a webhook can't be put right");
                if hindrance.transient {
                    self.again.insert(connection, again);
                }
            }
            clock::sleep(pause).await;
        }
        Ok(())
    }
}

/// Connections are looked at at different times: within the last quarter of the interval, by their ids.
fn is_due(connection: ConnectionId, webhooks: &[WebhookRecord], every: Duration) -> bool {
    let part = connection.as_bytes().last().map_or(0.0, |byte| f64::from(*byte) / 256.0);
    let wait = every.mul_f64(0.75 + 0.25 * part);
    let last = |webhook: &WebhookRecord| {
        webhook.checked_at.map_or(webhook.created_at, |at| at.max(webhook.created_at))
    };
    webhooks.iter().map(last).min().is_some_and(|oldest| oldest.after(wait) <= Time::now())
}
