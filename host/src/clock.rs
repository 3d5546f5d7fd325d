//! The one place that time comes from.

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
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
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
