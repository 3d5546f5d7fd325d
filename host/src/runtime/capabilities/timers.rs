//! `caspian:workflow/timers`

use std::time::Duration;

use crate::clock::Time;
use crate::model::{Action, Answer, TimerAction};
use crate::runtime::bindings::caspian::workflow::timers::Host;
use crate::runtime::guest::Guest;

use super::{Done, answered};

impl Host for Guest {
    async fn now(&mut self) -> wasmtime::Result<i64> {
        self.count_call()?;
        Ok(i64::try_from(self.clock.read_wall().as_micros()).unwrap_or(i64::MAX))
    }

    async fn sleep(&mut self, seconds: u64) -> Done<()> {
        let end = self.clock.elapsed().saturating_add(Duration::from_secs(seconds));
        let answer = self.step(Action::Timer(TimerAction::Sleep { seconds })).await?;
        if answer.is_ok() {
            // A guest may be ahead of the host by sleeps of its own.
            self.clock.step_ended(end);
        }
        answered(answer, done)
    }

    async fn sleep_until(&mut self, at: i64) -> Done<()> {
        let answer = self.step(Action::Timer(TimerAction::SleepUntil { at: Time(at) })).await?;
        answered(answer, done)
    }
}

fn done(answer: Answer) -> Option<()> {
    matches!(answer, Answer::Done).then_some(())
}
