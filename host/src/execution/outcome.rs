//! What became of an attempt, as the run's new state.

use std::time::Duration;

use crate::clock::Time;
use crate::journal::{Divergence, JournalError};
use crate::manifest::Retry;
use crate::model::{Cause, RunState};
use crate::runtime::AttemptOutcome;
use crate::store::Counted;

use super::retry::backoff;
use super::steps::End;

/// Longest pause that a guest may ask for: a day. What is to happen later is for a timer.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 3600);

/// The new state of a run, texts in clear.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) state: RunState,
    pub(super) cause: Option<Cause>,
    pub(super) next_at: Option<Time>,
    pub(super) counted: Counted,
    pub(super) waiting: Option<(u32, u32)>,
    pub(super) result: Option<String>,
    pub(super) failure: Option<String>,
}

impl Verdict {
    fn new(state: RunState, cause: Option<Cause>, counted: Counted) -> Self {
        Self { state, cause, next_at: None, counted, waiting: None, result: None, failure: None }
    }

    pub(super) fn succeeded(result: Option<String>) -> Self {
        Self { result, ..Self::new(RunState::Succeeded, None, Counted::Attempt) }
    }

    pub(super) fn dead(cause: Cause, why: String) -> Self {
        Self { failure: Some(why), ..Self::new(RunState::Dead, Some(cause), Counted::Attempt) }
    }

    /// Never begun.
    pub(super) fn skipped(cause: Cause, why: String) -> Self {
        Self { failure: Some(why), ..Self::new(RunState::Skipped, Some(cause), Counted::Nothing) }
    }

    pub(super) fn parked(cause: Cause, why: String) -> Self {
        Self { failure: Some(why), ..Self::new(RunState::Parked, Some(cause), Counted::Attempt) }
    }

    pub(super) fn undecided(step: u32, action: &str, repeatable: bool) -> Self {
        let (twice, place) = match action.split_once('.').map_or("", |(subject, _)| subject) {
            "files" => ("replace another's file", "the files"),
            "directories" => ("create a user or send a message twice", "the directory"),
            "tasks" => ("start the task twice", "the task"),
            _ => ("create the record twice", "the table"),
        };
        let why = if repeatable {
            "it was tried again and refused".to_owned()
        } else {
            format!("it is not repeated, because that could {twice}")
        };
        Self::parked(
            Cause::Undecided,
            format!(
                "step {step} ({action}) was sent, but whether Caspio did it is not known, and {why}; look at \
                 {place} in Caspio"
            ),
        )
    }

    pub(super) fn diverged(divergence: &Divergence) -> Self {
        let text = |action: &crate::model::Action| {
            serde_json::to_string(&action.clone().without_content())
                .unwrap_or_else(|_| action.name().to_owned())
        };
        let called = divergence.called.as_ref().map_or("(it ended)".to_owned(), text);
        Self::parked(
            Cause::Diverged,
            format!(
                "at step {} the component called something else than before; recorded: {}; called: {called}",
                divergence.number,
                text(&divergence.recorded),
            ),
        )
    }

    /// The host ends; the run goes on at the next start.
    fn handed_back() -> Self {
        Self {
            next_at: Some(Time::now()),
            ..Self::new(RunState::Queued, Some(Cause::Shutdown), Counted::Shutdown)
        }
    }

    /// It sleeps.
    fn sleeping(until: Time) -> Self {
        Self { next_at: Some(until), ..Self::new(RunState::Sleeping, None, Counted::Wakeup) }
    }

    /// Again later, without counting as a try.
    pub(super) fn later(cause: Cause, delay: Duration, waiting: Option<(u32, u32)>) -> Self {
        Self {
            next_at: Some(Time::now().after(delay)),
            waiting,
            ..Self::new(RunState::Queued, Some(cause), Counted::Wakeup)
        }
    }
}

/// How tries are counted: the manifest's wishes, and how many there were before this one.
pub(super) struct Tries<'a> {
    pub(super) retry: &'a Retry,
    pub(super) before: u32,
}

impl Tries<'_> {
    /// Another try after a back-off, or dead with `last` when there were enough.
    pub(super) fn again(&self, cause: Cause, last: Cause, why: String, at_least: Duration) -> Verdict {
        let tries = self.before.saturating_add(1);
        if tries >= self.retry.attempts {
            return Verdict::dead(last, why);
        }
        let own = backoff(self.retry.initial_seconds, self.retry.max_seconds, self.before);
        Verdict {
            next_at: Some(Time::now().after(own.max(at_least))),
            failure: Some(why),
            ..Verdict::new(RunState::Queued, Some(cause), Counted::Attempt)
        }
    }

    pub(super) fn judge(&self, outcome: AttemptOutcome<End>) -> Result<Verdict, JournalError> {
        Ok(match outcome {
            AttemptOutcome::Succeeded(text) => Verdict::succeeded(text),
            AttemptOutcome::Retry { message, delay_seconds } => {
                let at_least = Duration::from_secs(delay_seconds.unwrap_or(0).into()).min(LONGEST_DELAY);
                self.again(Cause::GuestRetry, Cause::Retries, message, at_least)
            }
            AttemptOutcome::Fatal(why) => Verdict::dead(Cause::Fatal, why),
            // How long reads take depends on the day; the other limits would be hit again.
            AttemptOutcome::Limit { kind: Cause::LimitWall, text } => {
                self.again(Cause::LimitWall, Cause::LimitWall, text, Duration::ZERO)
            }
            AttemptOutcome::Limit { kind, text } => Verdict::dead(kind, text),
            AttemptOutcome::Trap { text, sensitive } => {
                self.again(Cause::Trap, Cause::Trap, trap_text(text, &sensitive), Duration::ZERO)
            }
            AttemptOutcome::Stopped => Verdict::handed_back(),
            AttemptOutcome::Ended(end) => return self.ended(end),
        })
    }

    pub(super) fn ended(&self, end: End) -> Result<Verdict, JournalError> {
        match end {
            End::Wait { step, tries, delay, cause } => Ok(Verdict::later(cause, delay, Some((step, tries)))),
            End::Undecided { step, action, repeatable } => Ok(Verdict::undecided(step, action, repeatable)),
            End::Sleep { until } => Ok(Verdict::sleeping(until)),
            End::Diverged(divergence) => Ok(Verdict::diverged(&divergence)),
            End::Journal(error) => Err(error),
        }
    }
}

/// A trap as it is kept with the run.
pub(super) fn trap_text(text: String, sensitive: &str) -> String {
    if sensitive.is_empty() { text } else { format!("{text}: {sensitive}") }
}
