//! Steps of runs, what guests wrote, and the ends of attempts. `sealed` fields are ciphertext (see `secrets`).

use crate::clock::Time;
use crate::model::{Cause, RunState};

use super::{NewWrite, WriteEnd};

/// State of a step in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// About to be sent, or sent without an answer yet.
    Intent,
    /// Answered.
    Done,
}

/// One step.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// From 1.
    pub number: u32,
    /// Name of the action.
    pub action: String,
    /// The table it is about.
    pub table: Option<String>,
    /// Changes something, outside or in the workflow's state.
    pub effect: bool,
    /// State.
    pub state: StepState,
    /// `ok` or the error's code, when done.
    pub outcome: Option<String>,
    /// How many records it changed or answered, when done.
    pub affected: Option<u32>,
    /// HMAC of the request.
    pub fingerprint: [u8; 32],
    /// Request sealed by the data key: `steps`, `request`, row = run + number.
    pub sealed_request: Vec<u8>,
    /// What was decided before sending (pinned `PK_ID`s, insert or update), sealed: `steps`, `plan`.
    pub sealed_plan: Option<Vec<u8>>,
    /// Answer or error, sealed: `steps`, `result`.
    pub sealed_result: Option<Vec<u8>>,
    /// Virtual time since the start of the run at which the step ended.
    pub elapsed_us: u64,
    /// Integration calls spent.
    pub calls: u32,
    /// When it was begun.
    pub started_at: Time,
    /// When it was done.
    pub finished_at: Option<Time>,
}

/// A change of a run's journal. Steps are inserted or replaced by number.
#[derive(Debug, Clone, Default)]
pub struct JournalWrite {
    /// First drop every step after this number.
    pub forget_after: Option<u32>,
    /// Then write these.
    pub steps: Vec<StepRecord>,
    /// A write that is about to be sent.
    pub registered: Option<NewWrite>,
    /// How a registered write ended.
    pub ended: Option<WriteEnd>,
}

/// How an attempt is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A try.
    Attempt,
    /// Waits for Caspio, or sleeps, and will go on.
    Wakeup,
    /// Interrupted by a shutdown.
    Shutdown,
    /// Not begun at all.
    Nothing,
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Finish {
    /// New state.
    pub state: RunState,
    /// Why.
    pub cause: Option<Cause>,
    /// When it is due again, for `Queued` and `Sleeping`.
    pub next_at: Option<Time>,
    /// How to count it.
    pub counted: Counted,
    /// The step that waits, and how often it has.
    pub waiting: Option<(u32, u32)>,
    /// Result text sealed by the data key: `runs`, `result`, row = run.
    pub sealed_result: Option<Vec<u8>>,
    /// Failure text sealed by the data key: `runs`, `failure`, row = run.
    pub sealed_failure: Option<Vec<u8>>,
    /// What the guest wrote, sealed: `run_output`, `lines`, row = run + attempt instance.
    pub output: Option<NewOutput>,
    /// Steps not written yet.
    pub journal: JournalWrite,
    /// When.
    pub at: Time,
}

/// What one instantiation wrote.
#[derive(Debug, Clone)]
pub struct NewOutput {
    /// Sealed lines.
    pub sealed_lines: Vec<u8>,
    /// Something was cut off.
    pub truncated: bool,
}

/// What one instantiation wrote, as kept.
#[derive(Debug, Clone)]
pub struct OutputRecord {
    /// Number of the instantiation, from 1.
    pub number: u32,
    /// Sealed lines.
    pub sealed_lines: Vec<u8>,
    /// Something was cut off.
    pub truncated: bool,
    /// When it ended.
    pub at: Time,
}
