//! Changes that no webhook tells of: tables are swept for them, and workflows run over rows that were there before.
//!
//! Imports, cascades and deletes of a whole table fire no webhook. A sweep reads a table by `PK_ID` and compares keyed
//! tags of its rows with those of the round before; what changed and no webhook told of becomes an event (`reconciled`).
//! The first round only takes stock. A page's events and its tags are one commit, so a kill at any point finds nothing
//! twice; a webhook that comes after all is known as one about the same change (`duplicate`). What a sweep finds is
//! looked at again a while later, since a webhook may merely be on its way. What runs wrote is known as theirs (`origin.rs`). A round spends its calls and no more;
//! the rest of a large table is read in the next. When Caspio fails, a sweep or backfill waits and goes on.

mod backfill;
mod origin;
mod page;
mod sweep;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::accounts::{ConnectError, Connector, KeyError, Keyring};
use crate::caspio::CaspioError;
use crate::clock::{self, Time};
use crate::ingress::IngressError;
use crate::lineage::LineageSettings;
use crate::model::{BackfillState, ConnectionId};
use crate::store::{Store, StoreError};

pub use backfill::NewBackfill;

/// Sweeps and backfills that are worked on at the same time: they share the account's calls with runs.
const AT_ONCE: usize = 4;
/// Longest pause between looks for what is due.
const IDLE: Duration = Duration::from_secs(60);
/// How long something that failed waits.
const FAILED: Duration = Duration::from_secs(60);
/// How long it is kept that a webhook told of a change, or a sweep found it: no webhook comes later than that.
const TOLD: Duration = Duration::from_secs(30 * 86_400);

/// `[coverage]` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoverageSettings {
    /// Seconds until a change that a sweep found is believed to have no webhook. Default 60: a webhook that Caspio's
    /// throttling or a retry holds up for longer is known when it comes; a shorter time only means more of these.
    pub settle_seconds: u64,
}

impl Default for CoverageSettings {
    fn default() -> Self {
        Self { settle_seconds: 60 }
    }
}

/// How long something waits that failed so often before.
fn failed_for(before: u32) -> Duration {
    FAILED.saturating_mul(1 << before.min(10))
}

/// Why a sweep or a backfill does not go on now.
#[derive(Debug, thiserror::Error)]
pub enum CoverageError {
    /// Caspio refused or did not answer.
    #[error(transparent)]
    Caspio(#[from] CaspioError),
    /// The connection can't be used.
    #[error(transparent)]
    Connection(#[from] ConnectError),
    /// A key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Events can't be made.
    #[error(transparent)]
    Ingress(#[from] IngressError),
    /// Webhooks come faster than the page can be written down; nothing of it was.
    #[error("its rows change faster than they can be looked at; it is tried again")]
    Busy,
    /// What is stored of it can't be read.
    #[error("what is stored of it can't be read; end it with: caspian workflow backfill NAME --cancel")]
    Damaged,
}

impl CoverageError {
    fn code(&self) -> String {
        match self {
            Self::Caspio(error) => error.code().to_owned(),
            Self::Connection(_) => "connection".to_owned(),
            Self::Key(_) => "key".to_owned(),
            Self::Store(error) => error.code().to_owned(),
            Self::Ingress(_) => "store".to_owned(),
            Self::Busy => "busy".to_owned(),
            Self::Damaged => "damaged".to_owned(),
        }
    }
}

/// See the module's text. Cheap to clone.
#[derive(Clone)]
pub struct Coverage {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    keys: Keyring,
    connector: Connector,
    settings: CoverageSettings,
    lineage: LineageSettings,
    /// Rung when runs were queued.
    queued: Arc<Notify>,
    /// Rung when something is due.
    due: Notify,
}

impl Coverage {
    /// Over these parts; `queued` is rung when runs were queued.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        keys: Keyring,
        connector: Connector,
        settings: CoverageSettings,
        lineage: LineageSettings,
        queued: Arc<Notify>,
    ) -> Self {
        let due = Notify::new();
        Self { parts: Arc::new(Parts { store, keys, connector, settings, lineage, queued, due }) }
    }

    /// Something is due that was not when it was looked for.
    pub fn wake(&self) {
        self.parts.due.notify_one();
    }

    /// Works for as long as it is polled. Dropped, everything stays where its last commit left it.
    pub async fn run(&self) {
        let mut working = JoinSet::new();
        let mut busy: HashSet<String> = HashSet::new();
        let mut purged = Time::default();
        loop {
            let now = Time::now();
            if now.since(purged) > Duration::from_secs(3600) {
                purged = now;
                let before = Time(now.0.saturating_sub(i64::try_from(TOLD.as_micros()).unwrap_or(i64::MAX)));
                if let Err(error) = self.parts.store.purge_told(before).await {
                    tracing::warn!(code = error.code(), "old entries of sweeps can't be dropped");
                }
            }
            let pause = match self.begin(&mut working, &mut busy, now).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(code = error.code(), "sweeps can't be looked at; trying again");
                    FAILED
                }
            };
            tokio::select! {
                () = clock::sleep(pause) => {}
                () = self.parts.due.notified() => {}
                Some(done) = working.join_next(), if !working.is_empty() => match done {
                    Ok(name) => drop(busy.remove(&name)),
                    // Its name went with it: after the pause nothing counts as under way that is not.
                    Err(_) => {
                        tracing::error!("a sweep failed; it begins again");
                        working.abort_all();
                        while working.join_next().await.is_some() {}
                        busy.clear();
                    }
                },
            }
        }
    }

    /// Begins what is due; says when to look again.
    async fn begin(
        &self,
        working: &mut JoinSet<String>,
        busy: &mut HashSet<String>,
        now: Time,
    ) -> Result<Duration, StoreError> {
        let mut pause = IDLE;
        let mut due = |next_at: Time, connection: ConnectionId, name: &str, working: &JoinSet<String>| {
            if next_at > now {
                pause = pause.min(next_at.since(now));
            }
            // While Caspio does not answer nothing is begun.
            if let Some(wait) = self.parts.connector.clients().held_back(connection) {
                pause = pause.min(wait);
                return false;
            }
            next_at <= now && !busy.contains(name) && working.len() < AT_ONCE
        };
        let mut begun = Vec::new();
        for sweep in self.parts.store.sweeps().await? {
            let name = format!("{} {}", sweep.workflow, sweep.table.to_ascii_lowercase());
            if due(sweep.progress.next_at, sweep.connection, &name, working) {
                let (this, own) = (self.clone(), name.clone());
                working.spawn(async move {
                    this.sweep(sweep).await;
                    own
                });
                begun.push(name);
            }
        }
        for backfill in self.parts.store.backfills(None, Some(BackfillState::Running)).await? {
            let name = backfill.id.to_string();
            if due(backfill.next_at, backfill.connection, &name, working) {
                let (this, own) = (self.clone(), name.clone());
                working.spawn(async move {
                    this.fill(backfill).await;
                    own
                });
                begun.push(name);
            }
        }
        busy.extend(begun);
        Ok(pause.max(Duration::from_millis(20)))
    }
}
