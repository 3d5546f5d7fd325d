//! One attempt of a run, from its claim to its new state.
//!
//! `attempt` opens the journal, prepares the component, lets the runtime run `handle`, and turns
//! what came of it into the run's new state in one commit. `steps` stands between the guest and the
//! outside: every host call goes through grants, then the journal, then `perform`, which asks Caspio.
//! `replay` executes a run again from its journal alone.
//! `timers` and `state` are what the host itself answers.
//! `retry` says when a run is due again. Whatever fails here ends as a state of the run, never as a lost run:
//! when the store fails in the middle, the run is queued again as after a crash of the process.

mod attempt;
mod cache;
mod feed;
mod grants;
mod outcome;
mod pace;
mod perform;
mod replay;
mod retry;
mod schemas;
mod state;
mod steps;
mod timers;

pub use attempt::{Executor, ExecutorParts};
pub use feed::{Change, Feed};
pub use replay::{GuestEnd, OutputDifference, RecordedEnd, Replayed, Replayer, Verdict as ReplayVerdict};
pub use retry::RetrySettings;
pub use schemas::Schemas;
pub use state::{KeptKey, KeptState, StateSettings};
