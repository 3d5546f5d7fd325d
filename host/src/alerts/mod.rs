//! The operator is told of what needs a person: by a webhook, a command, or both.
//!
//! What happened is in the store in the commit in which it happened (`store/sqlite/alerts.rs`), so a kill loses no alert; one that
//! was told and not yet ticked off is told once more under the same id. The first of a group (kind, workflow, cause) is told
//! at once, what follows within `alerts.group_seconds` together after that, however much it is. A receiver that fails is tried again
//! with growing pauses, and others don't wait for it. It all goes on in one task beside the runs, one alert at a time, each within
//! `alerts.timeout_seconds`. An alert holds names, ids, codes and counts, no value of a record.

mod body;
mod command;
mod webhook;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};

use crate::caspio::BreakerChange;
use crate::clock::Time;
use crate::execution::{Change, Feed};
use crate::faults;
use crate::model::{AlertId, AlertKind, RunState};
use crate::secrets::Secret;
use crate::store::{AlertEnd, AlertRecord, Store, StoreError};

use command::Command;
use webhook::Webhook;

/// Environment variable with the webhook's secret, instead of a file.
const SECRET_VARIABLE: &str = "CASPIAN_ALERT_SECRET";
/// Longest pause between looks: what comes from elsewhere than runs and breakers is noticed by looking.
const LOOK: Duration = Duration::from_secs(5);
/// Alerts taken at once.
const AT_ONCE: u32 = 32;
/// First and longest pause before a failed alert is told again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// `[alerts]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertSettings {
    /// Where alerts are sent, as JSON. Default none.
    pub webhook: Option<String>,
    /// File with the secret under which they are signed. Default none: not signed, unless `CASPIAN_ALERT_SECRET` is set.
    pub webhook_secret_file: Option<PathBuf>,
    /// Program that is given alerts on its standard input, as JSON, and its arguments. Default none.
    pub command: Vec<String>,
    /// Seconds in which alerts of a group are told together, after the first. Default 60.
    pub group_seconds: u64,
    /// Seconds that a receiver may take. Default 10.
    pub timeout_seconds: u64,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            webhook: None,
            webhook_secret_file: None,
            command: Vec::new(),
            group_seconds: 60,
            timeout_seconds: 10,
        }
    }
}

/// Why alerts can't be told.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// The secret's file.
    #[error(
        "the file alerts.webhook_secret_file can't be read ({0}); give the path of a file with the secret alone"
    )]
    Secret(std::io::Error),
    /// It is empty.
    #[error("the secret of alerts.webhook is empty; put one into the file, or leave the key out")]
    NoSecret,
    /// The HTTP client.
    #[error("the HTTP client of alerts can't be made; check the system's certificates")]
    Client,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nobody to be told.
    #[error(
        "nobody is told of anything; set alerts.webhook or alerts.command in the configuration, and restart the host"
    )]
    Nobody,
}

/// What a receiver said to a test.
#[derive(Debug, Serialize)]
pub struct Tested {
    /// `webhook` or `command`.
    pub receiver: &'static str,
    /// What went wrong; none: it took the alert.
    pub error: Option<String>,
}

enum Receiver {
    Webhook(Webhook),
    Command(Command),
}

impl Receiver {
    fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Command(_) => "command",
        }
    }

    async fn tell(&self, id: AlertId, body: &[u8]) -> Result<(), String> {
        match self {
            Self::Webhook(webhook) => webhook.tell(id, body).await,
            Self::Command(command) => command.tell(body).await,
        }
    }
}

/// See the module's text.
pub struct Alerts {
    store: Arc<dyn Store>,
    receivers: Vec<Receiver>,
    group: Duration,
    /// Address of this host, by which receivers tell several apart.
    host: Option<String>,
    feed: Feed,
    breakers: tokio::sync::Mutex<Option<mpsc::UnboundedReceiver<BreakerChange>>>,
}

impl Alerts {
    /// Opens the receivers, and says whether alerts are written down.
    ///
    /// # Errors
    /// When a receiver is not usable, or the store fails.
    pub async fn open(
        settings: &AlertSettings,
        store: Arc<dyn Store>,
        host: Option<String>,
        feed: Feed,
        breakers: Option<mpsc::UnboundedReceiver<BreakerChange>>,
    ) -> Result<Self, AlertError> {
        let timeout = Duration::from_secs(settings.timeout_seconds.max(1));
        let mut receivers = Vec::new();
        if let Some(url) = &settings.webhook {
            receivers.push(Receiver::Webhook(Webhook::new(url, secret(settings)?, timeout)?));
        }
        if let Some(command) = Command::new(&settings.command, timeout) {
            receivers.push(Receiver::Command(command));
        }
        store.want_alerts(!receivers.is_empty()).await?;
        let breakers = breakers.filter(|_| !receivers.is_empty());
        Ok(Self {
            store,
            receivers,
            group: Duration::from_secs(settings.group_seconds),
            host,
            feed,
            breakers: tokio::sync::Mutex::new(breakers),
        })
    }

    /// Works for as long as it is polled. Dropped, what was not told is told after the next start.
    pub async fn run(&self) {
        let Some(mut breakers) = self.breakers.lock().await.take() else { return };
        let mut changes = self.feed.subscribe();
        loop {
            let pause = match self.tell_what_is_due().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(code = error.code(), "alerts can't be looked at; trying again");
                    LOOK
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = until_needed(&mut changes) => {}
                Some(change) = breakers.recv() => self.note(change).await,
            }
        }
    }

    async fn note(&self, change: BreakerChange) {
        let kind = if change.since.is_some() { AlertKind::BreakerOpen } else { AlertKind::BreakerClosed };
        if let Err(error) = self.store.add_alert(kind, &change.host).await {
            tracing::warn!(
                code = error.code(),
                host = change.host,
                "an alert about Caspio can't be written down"
            );
        }
    }

    async fn tell_what_is_due(&self) -> Result<Duration, StoreError> {
        let due = |at: Option<Time>| at.map_or(LOOK, |at| at.since(Time::now()).min(LOOK));
        let pause = due(self.store.next_alert().await?);
        if !pause.is_zero() {
            return Ok(pause);
        }
        for alert in self.store.take_alerts(Time::now(), AT_ONCE).await? {
            let Some(id) = alert.id else { continue };
            let end = self.tell(id, &alert).await;
            self.store.end_alert(id, end).await?;
        }
        Ok(due(self.store.next_alert().await?))
    }

    async fn tell(&self, id: AlertId, alert: &AlertRecord) -> AlertEnd {
        let body = body::body(id, alert, self.host.as_deref());
        let mut done = alert.done.clone();
        let mut failed = Vec::new();
        faults::pass("alert.before-send");
        for receiver in &self.receivers {
            let name = receiver.name();
            if done.split(' ').any(|other| other == name) {
                continue;
            }
            let told = receiver.tell(id, &body).await;
            let outcome = if told.is_ok() { "told" } else { "failed" };
            metrics::counter!("caspian_alerts_total", "receiver" => name, "outcome" => outcome).increment(1);
            match told {
                Ok(()) => done = format!("{done} {name}").trim().to_owned(),
                Err(error) => failed.push(format!("{name}: {error}")),
            }
        }
        faults::pass("alert.after-send");
        if failed.is_empty() {
            return AlertEnd::Told(Time::now().after(self.group));
        }
        let error = failed.join("; ");
        tracing::warn!(kind = %alert.kind, tries = alert.tries.saturating_add(1), error, "an alert was not taken; trying again");
        let pause = AGAIN.0.saturating_mul(1 << alert.tries.min(16)).min(AGAIN.1);
        AlertEnd::Failed { done, error, again_at: Time::now().after(pause) }
    }

    /// Tells all receivers of nothing in particular.
    ///
    /// # Errors
    /// When there is none.
    pub async fn test(&self) -> Result<Vec<Tested>, AlertError> {
        if self.receivers.is_empty() {
            return Err(AlertError::Nobody);
        }
        let (id, body) = body::test(self.host.as_deref());
        let mut tested = Vec::new();
        for receiver in &self.receivers {
            tested.push(Tested { receiver: receiver.name(), error: receiver.tell(id, &body).await.err() });
        }
        Ok(tested)
    }
}

/// Ends when a run needs a person, or changes were missed.
async fn until_needed(changes: &mut broadcast::Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(change) if !matches!(change.state, RunState::Dead | RunState::Parked) => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn secret(settings: &AlertSettings) -> Result<Option<Secret>, AlertError> {
    let text = match (&settings.webhook_secret_file, std::env::var(SECRET_VARIABLE)) {
        (_, Ok(text)) => text,
        (Some(path), Err(_)) => std::fs::read_to_string(path).map_err(AlertError::Secret)?,
        (None, Err(_)) => return Ok(None),
    };
    let secret = Secret::new(text.trim().to_owned());
    if secret.expose().is_empty() { Err(AlertError::NoSecret) } else { Ok(Some(secret)) }
}
