//! The one place that time comes from.
//!
//! With the feature `failpoints` a test can make time faster: `CASPIAN_CLOCK=START*FACTOR` (START in microseconds since
//! 1970) lets it run FACTOR times as fast from START on, after every start of the process, so that back-offs, schedules
//! and time-outs keep their lengths and nobody waits for them. Limits of guests and of Caspio's calls a second stay real.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// Now, by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(faster::time(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This much earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long from `earlier` until this; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As Caspio writes an `eventDate`: UTC, whole seconds, no zone.
    #[must_use]
    pub fn event_date(self) -> String {
        self.to_string().chars().take(19).collect()
    }

    /// As the standard library's type.
    #[must_use]
    pub fn to_system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }
}

/// Waits so long, by the time of [`Time::now`].
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(on_the_wall(duration)).await;
}

/// How long this takes for the machine: as long as it is, unless a test made time faster.
#[must_use]
pub fn on_the_wall(duration: Duration) -> Duration {
    faster::wall(duration)
}

#[cfg(not(feature = "failpoints"))]
mod faster {
    use std::time::Duration;

    #[inline(always)]
    pub(super) fn time(micros: i64) -> i64 {
        micros
    }

    #[inline(always)]
    pub(super) fn wall(duration: Duration) -> Duration {
        duration
    }
}

#[cfg(feature = "failpoints")]
mod faster {
    use std::sync::OnceLock;
    use std::time::Duration;

    /// From when on, and how many times as fast.
    static PACE: OnceLock<Option<(i64, u32)>> = OnceLock::new();

    fn pace() -> Option<(i64, u32)> {
        *PACE.get_or_init(|| {
            let text = std::env::var("CASPIAN_CLOCK").ok()?;
            let (start, factor) = text.split_once('*')?;
            Some((start.parse().ok()?, factor.parse().ok().filter(|factor| *factor > 0)?))
        })
    }

    pub(super) fn time(micros: i64) -> i64 {
        pace().map_or(micros, |(start, factor)| {
            start.saturating_add(micros.saturating_sub(start).saturating_mul(i64::from(factor)))
        })
    }

    pub(super) fn wall(duration: Duration) -> Duration {
        // Never busy: a pause stays one.
        pace().map_or(duration, |(_, factor)| (duration / factor).max(duration.min(Duration::from_millis(1))))
    }
}

/// An `eventDate` in UTC with whole seconds; it is UTC already unless it has an offset. None when it is no date.
#[must_use]
pub fn event_date_in_utc(text: &str) -> Option<String> {
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => jiff::tz::Offset::UTC.to_datetime(at),
        Err(_) => text.parse::<jiff::civil::DateTime>().ok()?,
    };
    Some(at.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// RFC 3339 in UTC, milliseconds.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(at) => f.pad(&format!("{at:.3}")),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::event_date_in_utc;

    #[test]
    fn event_dates_become_utc() {
        assert_eq!(event_date_in_utc("2026-01-16T19:52:55").as_deref(), Some("2026-01-16T19:52:55"));
        assert_eq!(event_date_in_utc("2026-01-16T19:52:55.123").as_deref(), Some("2026-01-16T19:52:55"));
        assert_eq!(event_date_in_utc("2026-01-16T19:52:55Z").as_deref(), Some("2026-01-16T19:52:55"));
        assert_eq!(event_date_in_utc("2026-01-16T19:52:55-05:00").as_deref(), Some("2026-01-17T00:52:55"));
        assert_eq!(event_date_in_utc("yesterday").as_deref(), None);
    }
}
