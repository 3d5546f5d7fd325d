//! What runs do, as it happens, for whoever looks. Losing it loses nothing.

use serde::Serialize;
use tokio::sync::broadcast;

use crate::model::{Cause, RunId, RunState, TenantId};

/// Changes that a slow reader may lie behind before it misses some.
const BEHIND: usize = 1024;

/// A run has a new state.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// Tenant.
    #[serde(skip)]
    pub tenant: TenantId,
    /// When, RFC 3339.
    pub at: String,
    /// Workflow.
    pub workflow: String,
    /// Run.
    pub run: RunId,
    /// State.
    pub state: RunState,
    /// Why.
    pub cause: Option<Cause>,
}

/// Announces changes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Feed(broadcast::Sender<Change>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::channel(BEHIND).0)
    }
}

impl Feed {
    /// Changes from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }

    /// Nobody listening is no error.
    pub(super) fn announce(&self, change: Change) {
        let _ = self.0.send(change);
    }
}
