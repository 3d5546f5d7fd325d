//! On whose behalf a call is made.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{RunId, WorkflowId};

use super::breaker::Pass;

/// Whom calls are attributed to, and how many were spent. Clones count together.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The action, e.g. `records.create`.
    pub action: &'static str,
    pub(crate) workflow: Option<WorkflowId>,
    pub(crate) run: Option<RunId>,
    pub(crate) sent: Arc<AtomicU32>,
    /// A turn at the rate limit that was taken before the call.
    turn: Arc<Mutex<Option<Pass>>>,
    /// What it belongs to is under way and must come to its end.
    committed: bool,
    /// Nobody waits for it.
    background: bool,
    waiting: Option<OnWait>,
}

/// Makes a guard that is held while a call waits for something else than Caspio's answer.
#[derive(Clone)]
struct OnWait(Arc<dyn Fn() -> Box<dyn Any + Send> + Send + Sync>);

impl fmt::Debug for OnWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnWait")
    }
}

impl CallContext {
    /// Calls of a run.
    #[must_use]
    pub fn of_run(workflow: WorkflowId, run: RunId) -> Self {
        Self { run: Some(run), ..Self::of_host(Some(workflow), "run") }
    }

    /// Calls of the host itself, for a workflow or for none.
    #[must_use]
    pub fn of_host(workflow: Option<WorkflowId>, action: &'static str) -> Self {
        Self {
            action,
            workflow,
            run: None,
            sent: Arc::default(),
            turn: Arc::default(),
            committed: false,
            background: false,
            waiting: None,
        }
    }

    /// The same for another action.
    #[must_use]
    pub fn for_action(&self, action: &'static str) -> Self {
        Self { action, ..self.clone() }
    }

    /// The same for calls that are part of an effect whose intent is durable: no budget holds them back.
    #[must_use]
    pub fn committed(&self) -> Self {
        Self { committed: true, ..self.clone() }
    }

    /// The same for calls of the host that nobody waits for: a used up budget holds them back, and a Caspio that does not
    /// answer.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { background: true, ..self.clone() }
    }

    /// Whether these calls are held back when the budget is used up, or Caspio does not answer.
    pub(super) fn can_wait(&self) -> bool {
        (self.run.is_some() || self.background) && !self.committed
    }

    /// Lets `guard` be held while a call waits for the rate limit, for a token, or to be repeated.
    #[must_use]
    pub fn holding_while_waiting<G: Send + 'static>(
        mut self,
        guard: impl Fn() -> G + Send + Sync + 'static,
    ) -> Self {
        self.waiting = Some(OnWait(Arc::new(move || Box::new(guard()))));
        self
    }

    /// To be held while waiting.
    pub(super) fn wait_guard(&self) -> Option<Box<dyn Any + Send>> {
        self.waiting.as_ref().map(|on_wait| on_wait.0())
    }

    /// The next call needs not wait for the rate limit.
    pub(super) fn give_turn(&self, pass: Pass) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(pass);
    }

    pub(super) fn has_turn(&self) -> bool {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn take_turn(&self) -> Option<Pass> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Calls sent so far through this context and its clones, token calls included.
    #[must_use]
    pub fn spent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }
}
