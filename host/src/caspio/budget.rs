//! What a connection may still spend of its budget of calls.
//!
//! Counted in memory from what the store says at the first use; days and months are those of UTC. Held back are calls of
//! runs and of what goes on in the background, but no part of an effect that is under way: whoever works by hand, and what
//! must be finished, may go beyond it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::civil::Date;

use crate::clock::Time;
use crate::store::CallBudget;

#[derive(Debug)]
pub(super) struct Budget(Mutex<State>);

#[derive(Debug)]
struct State {
    limits: CallBudget,
    day: Date,
    in_day: u64,
    in_month: u64,
}

impl Budget {
    pub(super) fn new(limits: CallBudget, in_day: u64, in_month: u64) -> Self {
        Self(Mutex::new(State { limits, day: day(Time::now()), in_day, in_month }))
    }

    fn state(&self, now: Time) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let today = day(now);
        if today != state.day {
            if (today.year(), today.month()) != (state.day.year(), state.day.month()) {
                state.in_month = 0;
            }
            state.in_day = 0;
            state.day = today;
        }
        state
    }

    pub(super) fn set(&self, limits: CallBudget) {
        self.state(Time::now()).limits = limits;
    }

    /// How long until calls may be sent again; none when one may be sent now.
    pub(super) fn used_up(&self, now: Time) -> Option<Duration> {
        self.state(now).used_up(now)
    }

    /// Spends a call, unless there is none left: then how long until there is.
    pub(super) fn try_take(&self, now: Time) -> Result<(), Duration> {
        let mut state = self.state(now);
        match state.used_up(now) {
            Some(wait) => Err(wait),
            None => {
                state.add(1);
                Ok(())
            }
        }
    }

    /// Spends a call that can't be held back.
    pub(super) fn take(&self, now: Time) {
        self.state(now).add(1);
    }

    /// A call that was spent was not sent.
    pub(super) fn give_back(&self) {
        let mut state = self.state(Time::now());
        state.in_day = state.in_day.saturating_sub(1);
        state.in_month = state.in_month.saturating_sub(1);
    }
}

impl State {
    fn add(&mut self, calls: u64) {
        self.in_day = self.in_day.saturating_add(calls);
        self.in_month = self.in_month.saturating_add(calls);
    }

    fn used_up(&self, now: Time) -> Option<Duration> {
        let beyond = |limit: Option<u32>, used: u64| limit.is_some_and(|limit| used >= u64::from(limit));
        let day = beyond(self.limits.per_day, self.in_day).then(|| self.day.tomorrow());
        let month = beyond(self.limits.per_month, self.in_month).then(|| self.day.last_of_month().tomorrow());
        let turn = [day, month].into_iter().flatten().filter_map(Result::ok).max()?;
        let turn = jiff::tz::Offset::UTC.to_timestamp(turn.at(0, 0, 0, 0)).ok()?;
        Some(Time(turn.as_microsecond()).since(now).max(Duration::from_millis(1)))
    }
}

fn day(now: Time) -> Date {
    let at = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default();
    jiff::tz::Offset::UTC.to_datetime(at).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    fn budget(per_day: Option<u32>, per_month: Option<u32>, now: Time) -> Budget {
        let state =
            State { limits: CallBudget { per_day, per_month }, day: day(now), in_day: 0, in_month: 0 };
        Budget(Mutex::new(state))
    }

    #[test]
    fn calls_go_on_when_the_period_turns() {
        let now = at("2026-01-31T23:59:30Z");
        let monthly = budget(None, Some(2), now);
        assert_eq!(monthly.try_take(now), Ok(()));
        monthly.take(now);
        assert_eq!(monthly.try_take(now), Err(Duration::from_secs(30)));
        assert_eq!(monthly.used_up(at("2026-02-01T00:00:00Z")), None);

        let daily = budget(Some(1), Some(3), now);
        for _ in 0..2 {
            daily.take(now);
        }
        assert_eq!(daily.used_up(now), Some(Duration::from_secs(30)));
        let next = at("2026-02-01T12:00:00Z");
        assert_eq!(daily.try_take(next), Ok(()));
        assert_eq!(daily.used_up(next), Some(Duration::from_secs(12 * 3600)));
    }

    #[test]
    fn of_two_budgets_the_later_turn_counts_and_more_lets_on() {
        let now = at("2026-01-10T00:00:00Z");
        let both = budget(Some(1), Some(1), now);
        both.take(now);
        assert_eq!(both.used_up(now), Some(Duration::from_secs(22 * 86_400)));
        both.state(now).limits = CallBudget { per_day: None, per_month: Some(2) };
        assert_eq!(both.used_up(now), None);
        both.take(now);
        assert!(both.used_up(now).is_some());
        both.state(now).in_month -= 1;
        assert_eq!(both.used_up(now), None);
    }
}
