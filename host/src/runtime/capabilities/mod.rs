//! The imports of `caspian:workflow`, one file each: from the contract's types to an action and back.
//!
//! Nothing is decided here: an action goes to the attempt's `Steps`, which knows grants, journal and Caspio.

mod aggregates;
mod attachments;
mod directories;
mod files;
mod log;
mod records;
mod settings;
mod state;
mod tables;
mod tasks;
mod timers;
mod views;

use crate::model::{ActionError, Answer};

use super::bindings::caspian::workflow::types::Error;
use super::convert::error;
use super::guest::Guest;

/// What an import gives back.
type Done<T> = wasmtime::Result<Result<T, Error>>;

/// The answer as the contract has it; `take` knows the kind that the call must be answered with.
fn answered<T>(answer: Result<Answer, ActionError>, take: impl FnOnce(Answer) -> Option<T>) -> Done<T> {
    match answer {
        Ok(answer) => take(answer).map(Ok).ok_or_else(mismatch),
        Err(e) => Ok(Err(error(e))),
    }
}

impl super::bindings::caspian::workflow::types::Host for Guest {}

/// An answer of another kind than the call: a fault of the host, which ends the attempt as a trap.
fn mismatch() -> wasmtime::Error {
    wasmtime::Error::msg("the host answered with another kind of result")
}
