//! Days and times as Caspio has them: wall-clock, without zone.
//!
//! A workflow that needs "three days later" reckons from the event's date, not from a clock, so that
//! every execution of the run gets the same day. Only the Gregorian calendar from year 1 to 9999.
//! `Debug` hides the value (a date of birth is a patient's); `Display` shows it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Error;

/// A day, 0001-01-01 to 9999-12-31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// A day; none when the calendar has no such day.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let valid = (1..=9999).contains(&year) && (1..=days_in_month(year, month)).contains(&day);
        valid.then_some(Self { year, month, day })
    }

    /// Reads "2026-11-24"; none for any other form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 10 {
            return None;
        }
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if year.len() != 4 || month.len() != 2 || day.len() != 2 || parts.next().is_some() {
            return None;
        }
        Self::new(digits(year)?, u8::try_from(digits(month)?).ok()?, u8::try_from(digits(day)?).ok()?)
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }

    /// So many days later (earlier, when negative); none outside the years 1 to 9999.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Option<Self> {
        from_day_number(day_number(self).checked_add(days)?)
    }

    /// Days from `earlier` to this day; negative when this day is the earlier one.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> i64 {
        day_number(self) - day_number(earlier)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("date(…)")
    }
}

/// A day with a time, "2026-11-24T15:04:05" and perhaps ".fff"; kept as it was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(String);

impl DateTime {
    /// Reads "2026-11-24T15:04:05" or "2026-11-24T15:04:05.123"; none for any other form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.split_once('T')?;
        Date::parse(day)?;
        let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
        if whole.len() != 8 || !fraction.bytes().all(|b| b.is_ascii_digit()) || fraction.is_empty() {
            return None;
        }
        let mut parts = whole.split(':');
        for limit in [24, 60, 60] {
            let part = parts.next().filter(|part| part.len() == 2)?;
            if digits(part)? >= limit {
                return None;
            }
        }
        Some(Self(text.to_owned()))
    }

    /// The first instant of a day.
    #[must_use]
    pub fn midnight(date: Date) -> Self {
        Self(format!("{date}T00:00:00"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The day. (None can't happen for what [`DateTime::parse`] accepted.)
    #[must_use]
    pub fn date(&self) -> Option<Date> {
        Date::parse(self.0.get(..10)?)
    }

    /// As an instant, when it is one of UTC, as the date of an event is. (Other times of Caspio are those of clocks on the
    /// wall, in the zone of the account or field.) None when it is before 1970.
    #[must_use]
    pub fn as_utc(&self) -> Option<SystemTime> {
        let days = self.date()?.days_since(Date { year: 1970, month: 1, day: 1 });
        let (whole, fraction) = self.0.get(11..)?.split_at_checked(8)?;
        let mut seconds = u64::try_from(days).ok()?.checked_mul(86_400)?;
        for (part, unit) in whole.split(':').zip([3600, 60, 1]) {
            seconds += u64::from(digits(part)?) * unit;
        }
        let nanos: String =
            fraction.trim_start_matches('.').chars().chain("000000000".chars()).take(9).collect();
        UNIX_EPOCH.checked_add(Duration::new(seconds, nanos.parse().ok()?))
    }

    /// The day, or an error that speaks of the event.
    pub(crate) fn event_day(&self) -> Result<Date, Error> {
        self.date().ok_or(Error::Event("the event's date is malformed; report it to whoever runs the host"))
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("date-time(…)")
    }
}

/// Only digits; `str::parse` would take a sign too.
fn digits(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Days since 0000-03-01: years begin in March, so that the leap day is a year's last.
fn day_number(date: Date) -> i64 {
    let (year, month) = (i64::from(date.year), i64::from(date.month));
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + i64::from(date.day) - 1
}

fn from_day_number(number: i64) -> Option<Date> {
    // 400 years are always 146,097 days.
    let (cycle, rest) = (number.div_euclid(146_097), number.rem_euclid(146_097));
    let of_cycle = (rest - rest / 1_460 + rest / 36_524 - rest / 146_096) / 365;
    let of_year = rest - (365 * of_cycle + of_cycle / 4 - of_cycle / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    let year = year + of_cycle + cycle.checked_mul(400)?;
    Date::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_follows_the_one_before() {
        let mut day = Date::new(1, 1, 1).unwrap();
        let mut count = 1;
        while let Some(next) = day.plus_days(1) {
            let expected = Date::new(day.year, day.month, day.day + 1)
                .or_else(|| Date::new(day.year, day.month + 1, 1))
                .or_else(|| Date::new(day.year + 1, 1, 1))
                .unwrap();
            assert!(next == expected && next.days_since(day) == 1, "{next} after {day}");
            day = next;
            count += 1;
        }
        assert_eq!(day.to_string(), "9999-12-31");
        assert_eq!(count, 3_652_059);
    }

    #[test]
    fn reckons_over_months_and_leap_days() {
        let plus = |text: &str, days| Date::parse(text).unwrap().plus_days(days).map(|d| d.to_string());
        assert_eq!(plus("2026-11-24", 7).as_deref(), Some("2026-12-01"));
        assert_eq!(plus("2024-02-28", 1).as_deref(), Some("2024-02-29"));
        assert_eq!(plus("2100-02-28", 1).as_deref(), Some("2100-03-01"));
        assert_eq!(plus("2026-01-01", -1).as_deref(), Some("2025-12-31"));
        assert_eq!(plus("2026-01-01", i64::MAX), None);
        assert_eq!(plus("0001-01-01", -1), None);
    }

    #[test]
    fn times_of_utc_are_instants() {
        let at = |text: &str| DateTime::parse(text).unwrap().as_utc();
        assert_eq!(at("1970-01-01T00:00:00"), Some(UNIX_EPOCH));
        let expected = Duration::new(1_795_532_645, 123_000_000);
        assert_eq!(at("2026-11-24T15:04:05.123"), Some(UNIX_EPOCH + expected));
        assert_eq!(at("1969-12-31T23:59:59"), None);
    }

    #[test]
    fn only_the_exact_form_is_read() {
        for text in ["", "2026-1-1", "2026-02-30", "2026-13-01", "26-11-024", "+026-11-24", "2026-11-24 "] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
        for text in ["2026-11-24", "2026-11-24T24:00:00", "2026-11-24T1:02:03", "2026-11-24T10:00:00."] {
            assert_eq!(DateTime::parse(text), None, "{text}");
        }
        let time = DateTime::parse("2026-11-24T15:04:05.123").unwrap();
        assert_eq!(time.date(), Date::new(2026, 11, 24));
        assert_eq!(format!("{time:?} {:?}", time.date()), "date-time(…) Some(date(…))");
    }
}
