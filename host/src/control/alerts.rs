//! What the operator was not told yet, and whether telling works.

use serde::Serialize;

use crate::alerts::{AlertError, Tested};
use crate::model::{RunId, TenantId};

use super::{Control, ControlError, Kind, Result};

/// An alert that was not told yet.
#[derive(Debug, Serialize)]
pub struct AlertView {
    /// What.
    pub kind: String,
    /// Whose; none: of the host.
    pub tenant: Option<String>,
    /// Workflow.
    pub workflow: Option<String>,
    /// Cause, reason or code; of a breaker the integration host.
    pub cause: Option<String>,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first_at: String,
    /// The last time.
    pub last_at: String,
    /// The first run.
    pub first_run: Option<RunId>,
    /// The last run.
    pub last_run: Option<RunId>,
    /// When it is told, or tried again.
    pub due_at: String,
    /// How often telling it failed.
    pub tries: u32,
    /// How it failed last.
    pub error: Option<String>,
}

impl Control {
    /// Alerts that wait for their turn, or that no receiver took, of all tenants.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn alerts(&self) -> Result<Vec<AlertView>> {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let waiting = self.store.alerts().await?.into_iter();
        let view = waiting.map(|alert| AlertView {
            kind: alert.kind.to_string(),
            tenant: some(alert.tenant),
            workflow: some(alert.workflow),
            cause: some(alert.cause),
            count: alert.count,
            first_at: alert.first_at.to_string(),
            last_at: alert.last_at.to_string(),
            first_run: alert.first_run,
            last_run: alert.last_run,
            due_at: alert.due_at.to_string(),
            tries: alert.tries,
            error: alert.error,
        });
        Ok(view.collect())
    }

    /// Sends a test alert to all receivers, at once.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn test_alert(&self, tenant: &TenantId) -> Result<Vec<Tested>> {
        let tested = self.alerts.test().await?;
        self.audit(tenant, "alert.test", "").await?;
        Ok(tested)
    }

    /// For the status: how many alerts no receiver took, and how telling one failed last.
    pub(super) async fn untold(&self) -> Result<Option<(usize, String)>> {
        let failed: Vec<_> = self.store.alerts().await?.into_iter().filter(|alert| alert.tries > 0).collect();
        let error = failed.last().and_then(|alert| alert.error.clone());
        Ok(error.map(|error| (failed.len(), error)))
    }
}

impl From<AlertError> for ControlError {
    fn from(error: AlertError) -> Self {
        match error {
            AlertError::Store(error) => error.into(),
            error => Self::new(Kind::Conflict, "alerts", error.to_string()),
        }
    }
}
