//! A recorded journal played to a guest once more: every call is compared and answered from it; nothing is sent or written.
//!
//! A call is the recorded one when its fingerprint is, as the run's `journal_version` makes it. One that is not is looked for
//! further on: what lies between is not called any more. Else, when it is the same action on the same thing, its arguments
//! differ, and it is answered as recorded, which is an assumption. What else Caspio would answer can't be known: there the
//! playback ends, as it does behind the last recorded call and at an intent without result. Clocks follow the recorded steps.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Action, ActionError, Answer, RunId};
use crate::secrets::{DataKey, SealError, TenantKey};
use crate::store::StepRecord;

use super::entry::{self, decode_step};

/// How calls differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// The same action on the same thing, with other arguments.
    Changed,
    /// It is recorded, and not called any more.
    NotCalled,
    /// Another action, or on another thing.
    Other,
}

/// A recorded call and what was called instead.
#[derive(Debug, Clone)]
pub struct CallDifference {
    /// Number of the recorded step.
    pub number: u32,
    /// How they differ.
    pub kind: DifferenceKind,
    /// What is recorded.
    pub recorded: Action,
    /// What was called; none when it is not called any more.
    pub called: Option<Action>,
}

/// Why a playback ends in the middle of a call.
#[derive(Debug)]
pub enum PlaybackEnd {
    /// All recorded calls were made, and this one more.
    Beyond(Box<Action>),
    /// The call is the recorded one, which has no result.
    Open(u32),
    /// It is another call than the recorded one, which is the last difference.
    Unknown,
    /// The journal can't be read.
    Damaged(SealError),
}

/// See the module's text.
pub struct Playback {
    run: RunId,
    tenant_key: TenantKey,
    data_key: DataKey,
    version: u32,
    recorded: VecDeque<StepRecord>,
    elapsed_us: u64,
    /// Calls that were the recorded ones.
    pub same: u32,
    /// The others.
    pub differences: Vec<CallDifference>,
}

impl Playback {
    /// Of these steps of a run, recorded under a `journal_version`.
    #[must_use]
    pub fn new(
        run: RunId,
        version: u32,
        steps: Vec<StepRecord>,
        tenant_key: TenantKey,
        data_key: DataKey,
    ) -> Self {
        let (recorded, differences) = (steps.into(), Vec::new());
        Self { run, tenant_key, data_key, version, recorded, elapsed_us: 0, same: 0, differences }
    }

    /// Virtual time of the last step, since the start of the run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed_us)
    }

    /// Steps that are recorded and were not come to.
    #[must_use]
    pub fn left(&self) -> usize {
        self.recorded.len()
    }

    /// The guest makes its next call: the recorded answer.
    ///
    /// # Errors
    /// When there is none.
    pub fn call(&mut self, action: &Action) -> Result<Result<Answer, ActionError>, PlaybackEnd> {
        let fingerprint =
            entry::fingerprint(&self.tenant_key, self.version, action).map_err(PlaybackEnd::Damaged)?;
        if let Some(at) = self.recorded.iter().position(|step| step.fingerprint == fingerprint) {
            for _ in 0..at {
                self.not_called()?;
            }
            self.same += 1;
            return self.answer();
        }
        let Some(step) = self.recorded.front() else {
            return Err(PlaybackEnd::Beyond(Box::new(action.clone())));
        };
        let recorded = self.request(step)?;
        let number = step.number;
        let alike = recorded.name() == action.name()
            && recorded.table() == action.table()
            && recorded.view() == action.view();
        let kind = if alike { DifferenceKind::Changed } else { DifferenceKind::Other };
        self.differences.push(CallDifference { number, kind, recorded, called: Some(action.clone()) });
        if alike { self.answer() } else { Err(PlaybackEnd::Unknown) }
    }

    /// The guest has ended: what is left is not called any more.
    ///
    /// # Errors
    /// When the journal can't be read.
    pub fn ended(&mut self) -> Result<(), PlaybackEnd> {
        while !self.recorded.is_empty() {
            self.not_called()?;
        }
        Ok(())
    }

    fn request(&self, step: &StepRecord) -> Result<Action, PlaybackEnd> {
        decode_step(&self.data_key, self.run, step).map(|clear| clear.request).map_err(PlaybackEnd::Damaged)
    }

    fn not_called(&mut self) -> Result<(), PlaybackEnd> {
        let Some(step) = self.recorded.front() else { return Ok(()) };
        let recorded = self.request(step)?;
        let (number, kind) = (step.number, DifferenceKind::NotCalled);
        self.differences.push(CallDifference { number, kind, recorded, called: None });
        self.recorded.pop_front();
        Ok(())
    }

    fn answer(&mut self) -> Result<Result<Answer, ActionError>, PlaybackEnd> {
        let Some(step) = self.recorded.pop_front() else { return Err(PlaybackEnd::Unknown) };
        let clear = decode_step(&self.data_key, self.run, &step).map_err(PlaybackEnd::Damaged)?;
        self.elapsed_us = self.elapsed_us.max(step.elapsed_us);
        clear.result.ok_or(PlaybackEnd::Open(step.number))
    }
}
