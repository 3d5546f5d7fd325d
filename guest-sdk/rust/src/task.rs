//! Caspio's tasks that import or export data, meant by name or key as the manifest has it.

use crate::Error;
use crate::raw::caspian::workflow::tasks as raw;

/// A task by its name or key; see [`task`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Task(String);

/// A task: `task("Import contacts").run()`. Nothing is called by this alone.
pub fn task(name: impl Into<String>) -> Task {
    Task(name.into())
}

/// The tasks that this workflow was granted and that exist.
///
/// # Errors
/// As for every call: limits, and Caspio's answers.
pub fn tasks() -> Result<Vec<raw::Task>, Error> {
    Ok(raw::list()?)
}

impl Task {
    /// What it is and does now.
    ///
    /// # Errors
    /// When it is not granted, does not exist, or Caspio does not answer.
    pub fn get(&self) -> Result<raw::Task, Error> {
        Ok(raw::get(&self.0)?)
    }

    /// Starts it; it goes on in Caspio. Interrupted, it parks the run: it may have been started.
    ///
    /// # Errors
    /// When it is not granted, does not exist, Caspio refuses, or does not answer.
    pub fn run(&self) -> Result<(), Error> {
        Ok(raw::run(&self.0)?)
    }
}
