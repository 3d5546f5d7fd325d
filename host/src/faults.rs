//! Named points at which a test can make this process die or fail.
//!
//! Compiled in by the feature `failpoints` only; without it every call is empty. A point is set by
//! the environment variable `FAILPOINTS`, in the `fail` crate's notation, with one of these tasks:
//! `return(kill)` sends SIGKILL to this process, `return(error)` makes [`hit`] return true. Counts
//! work as usual: `journal.after-effect=2*off->return(kill)` dies at the third passage.

/// Reads `FAILPOINTS`. Call once, at the start of `main`; the value must live as long as the process.
#[must_use]
pub fn setup() -> Guard {
    Guard {
        #[cfg(feature = "failpoints")]
        _scenario: fail::FailScenario::setup(),
    }
}

/// Keeps the points of the environment set.
pub struct Guard {
    #[cfg(feature = "failpoints")]
    _scenario: fail::FailScenario<'static>,
}

/// A point is passed; true when it was told to fail. May not return at all.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn hit(name: &str) -> bool {
    match fail::eval(name, |task| task) {
        Some(Some(task)) if task == "kill" => {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            true
        }
        Some(_) => {
            tracing::warn!(point = name, "a point was told to fail");
            true
        }
        None => false,
    }
}

/// A point is passed; true when it was told to fail.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
#[must_use]
pub fn hit(_name: &str) -> bool {
    false
}

/// A point at which only dying makes sense.
#[inline(always)]
pub fn pass(name: &str) {
    let _ = hit(name);
}
