//! Runs components: one fresh store an attempt, every resource limited, nothing real to touch.
//!
//! [`Runtime`] owns the one engine of the process, the compiled components (`components`, compiled by
//! a child process, `compile`), and executes attempts (`attempt`). A guest sees the imports of
//! `wit/` (`capabilities/`, one file an import) and a WASI that gives nothing: virtual clocks, seeded random,
//! output into the run's log. Its calls are handed to a [`Steps`], which knows about journal and Caspio; this
//! part knows neither.
//!
//! Bounds: fuel (CPU, deterministic), memory, wall time, host calls, log; each ends the attempt with an
//! error of its own. What all calls of an attempt carry together is bounded as well; the guest is told. Epochs only make a busy guest yield its thread. A trap drops the store.

mod attempt;
mod bindings;
mod capabilities;
mod clock;
mod compile;
mod components;
mod convert;
mod engine;
mod error;
mod event;
mod guest;
mod output;
mod random;
mod settings;
#[cfg(test)]
mod slots;
mod wall;
mod weight;

pub use attempt::{AttemptInput, AttemptOutcome, AttemptReport, Steps};
pub use compile::{COMPILE_COMMAND, CONTRACT, CompileRequest, compile_in_this_process};
pub use components::{ComponentDigest, Prepared, Runtime};
pub use error::ComponentError;
pub use output::{OutputLine, OutputSource};
pub use settings::RuntimeSettings;
pub use wall::WallBudget;
