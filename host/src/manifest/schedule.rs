//! `event = "schedule"`: runs by the clock, by cron patterns in a time zone.
//!
//! Patterns are those of croner (five fields; six with seconds first). When clocks go forward, what falls into the
//! missing hour runs after it; when they go back, a time of day runs once. Zones are those of the IANA database that is
//! built in, so that all machines agree.

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};

use crate::clock::Time;

use super::raw::RawTrigger;

/// What becomes of ticks at which no host ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    /// They are left out.
    #[default]
    Skip,
    /// Each gets its run, the oldest first.
    CatchUp,
}

/// When a workflow runs by the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Cron pattern.
    pub cron: String,
    /// IANA name of a time zone.
    pub time_zone: String,
    /// What becomes of missed ticks.
    pub missed: Missed,
}

impl Schedule {
    /// From the file; an error comes with its place.
    pub(super) fn of(raw: RawTrigger, at: usize) -> Result<Self, (usize, String)> {
        for (name, place) in [
            ("table", raw.table.as_ref().map(|x| x.span().start)),
            ("fields", raw.fields.as_ref().map(|x| x.span().start)),
            ("sources", raw.sources.as_ref().map(|x| x.span().start)),
            ("reconcile", raw.reconcile.as_ref().map(|x| x.span().start)),
        ] {
            if let Some(place) = place {
                return Err((place, format!("`{name}` does not go with event = \"schedule\"; remove it")));
            }
        }
        let Some(cron) = raw.cron else {
            return Err((at, "a schedule needs `cron`, e.g. cron = \"0 8 * * 1-5\"".to_owned()));
        };
        let cron_at = cron.span().start;
        let (zone, zone_at) = match raw.time_zone {
            Some(zone) => {
                let at = zone.span().start;
                (zone.into_inner(), at)
            }
            None => ("UTC".to_owned(), at),
        };
        let missed = raw.missed.map(toml::Spanned::into_inner).unwrap_or_default();
        let schedule = Self { cron: cron.into_inner(), time_zone: zone, missed };
        if croner::Cron::from_str(&schedule.cron).is_err() {
            return Err((
                cron_at,
                "`cron` is no cron pattern; give minute, hour, day, month and weekday, e.g. \"0 8 * * 1-5\""
                    .to_owned(),
            ));
        }
        if chrono_tz::Tz::from_str(&schedule.time_zone).is_err() {
            return Err((
                zone_at,
                "`time_zone` is no IANA time zone; give e.g. \"Europe/Berlin\" or \"UTC\"".to_owned(),
            ));
        }
        if schedule.next_after(Time::now()).is_none() {
            return Err((cron_at, "`cron` never comes, e.g. a 30th of February; correct it".to_owned()));
        }
        Ok(schedule)
    }

    /// The first tick after a time; none when none comes.
    #[must_use]
    pub fn next_after(&self, time: Time) -> Option<Time> {
        let cron = croner::Cron::from_str(&self.cron).ok()?;
        let zone = chrono_tz::Tz::from_str(&self.time_zone).ok()?;
        let from = chrono::DateTime::from_timestamp_micros(time.0)?.with_timezone(&zone);
        let next = cron.find_next_occurrence(&from, false).ok()?;
        Some(Time(next.timestamp_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros())
    }

    fn ticks(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = Schedule { cron: cron.to_owned(), time_zone: zone.to_owned(), missed: Missed::Skip };
        let mut time = at(from);
        let mut ticks = Vec::new();
        for _ in 0..count {
            time = schedule.next_after(time).unwrap();
            ticks.push(time.to_string().chars().take(16).collect());
        }
        ticks
    }

    #[test]
    fn ticks_follow_the_time_zone() {
        // 2026-11-27 is a Friday; Berlin is one hour ahead of UTC then.
        let weekdays = ticks("0 8 * * 1-5", "Europe/Berlin", "2026-11-27T06:59:00Z", 3);
        assert_eq!(weekdays, ["2026-11-27T07:00", "2026-11-30T07:00", "2026-12-01T07:00"]);
        assert_eq!(
            ticks("*/15 * * * *", "UTC", "2026-11-27T06:59:00Z", 2),
            ["2026-11-27T07:00", "2026-11-27T07:15"]
        );
    }

    #[test]
    fn a_day_has_one_tick_also_when_clocks_change() {
        // Spring: 02:30 does not exist on 2026-03-29 in Berlin. Autumn: it comes twice on 2026-10-25.
        let spring = ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
        assert_eq!(spring.iter().filter(|tick| tick.starts_with("2026-03-29")).count(), 1, "{spring:?}");
        let autumn = ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 3);
        assert_eq!(autumn.iter().filter(|tick| tick.starts_with("2026-10-25")).count(), 1, "{autumn:?}");
    }
}
