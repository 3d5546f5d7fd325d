//! On whose behalf a call is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::model::{RunId, WorkflowId};

/// Whom calls are attributed to, and how many were spent. Clones count together.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The action, e.g. `records.create`.
    pub action: &'static str,
    pub(crate) workflow: Option<WorkflowId>,
    pub(crate) run: Option<RunId>,
    pub(crate) sent: Arc<AtomicU32>,
}

impl CallContext {
    /// Calls of a run.
    #[must_use]
    pub fn of_run(workflow: WorkflowId, run: RunId) -> Self {
        Self { action: "run", workflow: Some(workflow), run: Some(run), sent: Arc::default() }
    }

    /// Calls of the host itself, for a workflow or for none.
    #[must_use]
    pub fn of_host(workflow: Option<WorkflowId>, action: &'static str) -> Self {
        Self { action, workflow, run: None, sent: Arc::default() }
    }

    /// Calls sent so far through this context and its clones, token calls included.
    #[must_use]
    pub fn spent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }
}
