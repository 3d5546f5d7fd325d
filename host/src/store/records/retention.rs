//! Legal holds, and what is asked of messages whose time is over.

use crate::clock::Time;
use crate::model::{MessageId, RunId, TenantId, WorkflowId};

/// A legal hold: what it keeps is neither shredded nor forgotten, and its workflow is not deleted.
#[derive(Debug, Clone)]
pub struct HoldRecord {
    /// Tenant.
    pub tenant: TenantId,
    /// Unique within the tenant.
    pub name: String,
    /// All of this workflow.
    pub workflow: Option<WorkflowId>,
    /// The message of this run. Neither: all of the tenant.
    pub run: Option<RunId>,
    /// Sealed by the tenant key: table `holds`, column `reason`, row = name.
    pub sealed_reason: Vec<u8>,
    /// When it was added.
    pub created_at: Time,
}

/// Which messages' time is over.
#[derive(Debug, Clone)]
pub struct Over {
    /// Of this tenant.
    pub tenant: TenantId,
    /// What of them.
    pub what: OverWhat,
    /// After this one; none: from the first.
    pub after: Option<MessageId>,
    /// Looked at at most.
    pub limit: u32,
}

/// What of a message is over: it is when all its runs ended before these times; none: never.
#[derive(Debug, Clone, Copy)]
pub enum OverWhat {
    /// Contents.
    Contents {
        /// Runs that succeeded.
        succeeded: Option<Time>,
        /// Skipped ones.
        skipped: Option<Time>,
        /// Discarded ones.
        discarded: Option<Time>,
        /// Dead ones.
        dead: Option<Time>,
        /// Messages without runs.
        unparsable: Option<Time>,
    },
    /// Records, whose contents are gone: received before this time.
    Records(Time),
}

/// A page of messages that were looked at.
#[derive(Debug, Clone, Default)]
pub struct OverPage {
    /// Those whose time is over.
    pub messages: Vec<MessageId>,
    /// Where to go on; none: these were the last.
    pub next: Option<MessageId>,
}
