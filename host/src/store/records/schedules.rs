//! Schedules of active workflows.

use crate::clock::Time;
use crate::manifest::Schedule;
use crate::model::{TenantId, WorkflowId};

use super::NewMessage;

/// A schedule and its next tick.
#[derive(Debug, Clone)]
pub struct ScheduleRecord {
    /// Owner.
    pub tenant: TenantId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Its name.
    pub workflow_name: String,
    /// Name of its connection, as events show it.
    pub connection_name: String,
    /// Position in the manifest.
    pub position: u32,
    /// When it ticks.
    pub schedule: Schedule,
    /// The next tick.
    pub next_at: Time,
}

/// A tick that is over.
#[derive(Debug, Clone)]
pub struct Tick {
    /// The workflow.
    pub workflow: WorkflowId,
    /// Position of the schedule.
    pub position: u32,
    /// The tick that was next.
    pub was: Time,
    /// The tick after it; none: there is none any more.
    pub next_at: Option<Time>,
    /// Its event; none when it was missed.
    pub message: Option<NewMessage>,
}
