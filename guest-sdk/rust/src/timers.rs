//! Waiting: the run sleeps for seconds or months, over restarts of the host, upgrades, and new versions of the workflow.
//!
//! A sleep ends the instance. When its time has come, `handle` is called in a fresh one; the calls before the sleep are
//! answered from the journal, and it goes on after it. What was read before may be old then: read it again.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use caspian_sdk::prelude::*;
//! #[workflow]
//! fn handle(event: Event) -> Result<(), Failure> {
//!     let id = event.row()?.pk_id()?;
//!     timers::sleep(Duration::from_secs(3 * 86_400))?;
//!     let appointment = records("Appointments").get(id)?.or_fatal("the appointment is gone")?;
//!     if appointment.text("Status")? == "Open" {
//!         records("Tasks").create(Row::new().set("Title", "Remind").set("PatientId", appointment.integer("PatientId")?))?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A finished sleep is final: a run that fails after it and is tried again does not sleep again.
//! `std::thread::sleep` only moves the run's clock, and returns at once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Error;
use crate::raw::caspian::workflow::timers as raw;

/// Now, by the run's virtual time: that of the last call. After a sleep it is later by the sleep.
#[must_use]
pub fn now() -> SystemTime {
    from_micros(raw::now())
}

/// Sleeps so long, at most 400 days; parts of a second count as a whole one.
///
/// # Errors
/// [`Error::Limit`] when that is too long.
pub fn sleep(duration: Duration) -> Result<(), Error> {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    Ok(raw::sleep(seconds)?)
}

/// Sleeps until then, at most 400 days from now. A time that is past returns at once.
///
/// ```no_run
/// # use std::time::Duration;
/// # use caspian_sdk::{Error, Event, OrFail, Failure, timers};
/// # fn example(event: &Event) -> Result<(), Failure> {
/// let happened = event.date_time()?.as_utc().or_fatal("the event has no date")?;
/// timers::sleep_until(happened + Duration::from_secs(86_400))?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Limit`] when that is too late.
pub fn sleep_until(at: SystemTime) -> Result<(), Error> {
    Ok(raw::sleep_until(to_micros(at))?)
}

/// Rounded up, so that nothing wakes too early.
fn to_micros(at: SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(since) => {
            let micros = since.as_micros() + u128::from(since.subsec_nanos() % 1000 > 0);
            i64::try_from(micros).unwrap_or(i64::MAX)
        }
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}

fn from_micros(micros: i64) -> SystemTime {
    let distance = Duration::from_micros(micros.unsigned_abs());
    let at = if micros < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    at.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up() {
        for micros in [0, 1, -1, 1_800_000_000_000_000] {
            assert_eq!(to_micros(from_micros(micros)), micros);
        }
        assert_eq!(to_micros(UNIX_EPOCH + Duration::from_nanos(1)), 1);
        assert_eq!(to_micros(UNIX_EPOCH - Duration::from_secs(1)), -1_000_000);
    }
}
