//! What the operator is to be told.

use crate::clock::Time;
use crate::model::{AlertId, AlertKind, RunId};

/// Something that happened so often, and was not told yet.
#[derive(Debug, Clone)]
pub struct AlertRecord {
    /// Of what is being told; none: it waits for its turn.
    pub id: Option<AlertId>,
    /// What.
    pub kind: AlertKind,
    /// Whose; "" when it is about the host.
    pub tenant: String,
    /// Name of the workflow, or "".
    pub workflow: String,
    /// Cause, reason or code; of a breaker the integration host.
    pub cause: String,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first_at: Time,
    /// The last time.
    pub last_at: Time,
    /// The first run, when it is about runs.
    pub first_run: Option<RunId>,
    /// The last one.
    pub last_run: Option<RunId>,
    /// Receivers that have it, between blanks.
    pub done: String,
    /// How often telling it failed.
    pub tries: u32,
    /// How it failed last.
    pub error: Option<String>,
    /// When it is told, or tried again.
    pub due_at: Time,
}

/// What came of telling.
#[derive(Debug, Clone)]
pub enum AlertEnd {
    /// All receivers have it. Of its group more is told from this time on.
    Told(Time),
    /// Some may have it (`done`); it is tried again.
    Failed {
        /// Receivers that have it, between blanks.
        done: String,
        /// What went wrong.
        error: String,
        /// When it is tried again.
        again_at: Time,
    },
}
