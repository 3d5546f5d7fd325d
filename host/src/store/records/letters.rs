//! Runs that need a person: dead letters, and parked ones.

use crate::clock::Time;
use crate::model::{Cause, ConnectionId, RunId, RunState, TenantId};

use super::{RunRecord, StepRecord};

/// A run with what deciding about it needs.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The run.
    pub run: RunRecord,
    /// The connection that it acts by.
    pub connection: ConnectionId,
    /// Start of its virtual time.
    pub run_start: Time,
    /// Its last step, when that is an effect with an intent and no result.
    pub intent: Option<StepRecord>,
    /// Its workflow was deleted, and the contents of its message with it.
    pub gone: bool,
}

/// What a person decided.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Caspio did what its open intent is about: this is the step with its result. It goes on.
    Done {
        /// The step.
        step: Box<StepRecord>,
        /// The record that was created.
        pk_id: Option<i64>,
    },
    /// Caspio did not do it: the intent is forgotten, and done again when the run comes to it.
    NotDone,
    /// It has slept enough: this is the step with its result. It goes on.
    Wake {
        /// The step.
        step: Box<StepRecord>,
    },
    /// It is a dead letter.
    Fail,
    /// It goes on from its last final step, bound to this version.
    Redrive {
        /// The version.
        version: u32,
    },
    /// It is begun anew as this run, in the next generation; the old one is discarded.
    Restart {
        /// The new run.
        run: RunId,
        /// The version.
        version: u32,
        /// Its seed sealed by the message's data key: `runs`, `seed`, row = new run.
        sealed_seed: Vec<u8>,
    },
    /// It is given up.
    Discard {
        /// Why, sealed by the message's data key: `runs`, `note`, row = run; none when the key is gone.
        sealed_note: Option<Vec<u8>>,
    },
}

/// Which letters are meant.
#[derive(Debug, Clone)]
pub struct LetterFilter {
    /// Owner.
    pub tenant: TenantId,
    /// Of the workflow of this name.
    pub workflow: Option<String>,
    /// For this cause.
    pub cause: Option<Cause>,
    /// Whose last call failed with this code.
    pub code: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// How many letters of a workflow have a cause and a code.
#[derive(Debug, Clone)]
pub struct LetterCount {
    /// The workflow's name.
    pub workflow: String,
    /// Dead or parked.
    pub state: RunState,
    /// Why.
    pub cause: Option<Cause>,
    /// The action that was called last, when it failed.
    pub action: Option<String>,
    /// The code of its error, e.g. `conflict`.
    pub code: Option<String>,
    /// How many.
    pub count: u64,
    /// When the oldest of them ended, or was queued.
    pub oldest: Time,
}
