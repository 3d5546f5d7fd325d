//! How long a run may sleep.

use std::time::Duration;

use crate::clock::Time;
use crate::model::{ActionError, TimerAction};

/// Longest sleep: what comes once a year, with a month to spare. Beyond it lies a mistake, mostly.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// Until when a call that is made now lets the run sleep.
pub(super) fn until(action: &TimerAction, now: Time) -> Result<Time, ActionError> {
    let until = match action {
        // So long that it would not fit is too long all the same.
        TimerAction::Sleep { seconds } => now.after(Duration::from_secs((*seconds).min(1 << 40))),
        TimerAction::SleepUntil { at } => *at,
    };
    if until > now.after(LONGEST) {
        return Err(ActionError::Limit(format!(
            "a run sleeps at most {} days at a time; sleep less, and again",
            LONGEST.as_secs() / 86_400
        )));
    }
    Ok(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_has_an_end() {
        let now = Time(1_800_000_000_000_000);
        let after = |seconds| now.after(Duration::from_secs(seconds));
        assert_eq!(until(&TimerAction::Sleep { seconds: 60 }, now), Ok(after(60)));
        assert_eq!(until(&TimerAction::Sleep { seconds: 400 * 86_400 }, now), Ok(after(400 * 86_400)));
        assert_eq!(until(&TimerAction::SleepUntil { at: Time(i64::MIN) }, now), Ok(Time(i64::MIN)));
        for long in [
            TimerAction::Sleep { seconds: 400 * 86_400 + 1 },
            TimerAction::Sleep { seconds: u64::MAX },
            TimerAction::SleepUntil { at: Time(i64::MAX) },
        ] {
            assert!(matches!(until(&long, now), Err(ActionError::Limit(_))), "{long:?}");
        }
    }
}
