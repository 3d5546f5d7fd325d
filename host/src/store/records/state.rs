//! What workflows keep from run to run. `sealed` fields are ciphertext (see `secrets`).

use crate::clock::Time;
use crate::model::{TenantId, WorkflowId};

/// A key of a workflow's state, found by its keyed hash.
#[derive(Debug, Clone)]
pub struct StateRecord {
    /// Hash of the key.
    pub hash: [u8; 32],
    /// Another one with every change.
    pub version: u64,
    /// Bytes of key and value in clear.
    pub size: u64,
    /// When it was changed last.
    pub changed_at: Time,
    /// The key, sealed by the tenant's key: `state`, `key`, row = workflow + hash.
    pub sealed_key: Vec<u8>,
    /// The value, sealed likewise: `state`, `value`. Empty in lists.
    pub sealed_value: Vec<u8>,
}

/// How much a workflow keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateUse {
    /// Keys.
    pub keys: u64,
    /// Bytes of keys and values in clear.
    pub bytes: u64,
}

/// What a key must be for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Anything,
    /// Not there.
    Nothing,
    /// Of this version.
    Version(u64),
}

/// A change of one key.
#[derive(Debug, Clone)]
pub struct StateChange {
    /// Owner.
    pub tenant: TenantId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Hash of the key.
    pub hash: [u8; 32],
    /// What it must be.
    pub expected: Expected,
    /// What it becomes; none: it is deleted.
    pub entry: Option<StateRecord>,
    /// As much the workflow may keep.
    pub most: StateUse,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateOutcome {
    /// It is made, and the step is done.
    Done {
        /// Runs that waited for a write that was forgotten are due.
        due: bool,
    },
    /// The key is not as it was expected.
    Conflict,
    /// There is no such key to delete.
    Missing,
    /// The workflow would keep too much; this is what it keeps.
    Full(StateUse),
}
