//! The imports of `caspian:workflow`, one file each: from the contract's types to an action and back.
//!
//! Nothing is decided here: an action goes to the attempt's `Steps`, which knows grants, journal and Caspio.

mod log;
mod records;
mod settings;
mod tables;

use super::guest::Guest;

impl super::bindings::caspian::workflow::types::Host for Guest {}

/// An answer of another kind than the call: a fault of the host, which ends the attempt as a trap.
fn mismatch() -> wasmtime::Error {
    wasmtime::Error::msg("the host answered with another kind of result")
}
