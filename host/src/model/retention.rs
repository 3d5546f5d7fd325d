//! How long things are kept.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A time for which something is kept, as text `"30d"`, `"36h"`, `"90m"`, `"0s"` or `"forever"`. A day is 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Keep {
    /// Until somebody removes it.
    Forever,
    /// So long.
    For(Duration),
}

/// The longest time that is not for ever: a hundred years.
const LONGEST: u64 = 36_500 * 86_400;

/// The text is no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time; write a number and d, h, m or s, e.g. \"30d\", or \"forever\"")]
pub struct KeepError;

impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let text = text.trim();
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let units = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
        let found = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)));
        let (number, unit) = found.ok_or(KeepError)?;
        let number: u64 = number.trim_end().parse().map_err(|_| KeepError)?;
        let seconds = number.checked_mul(unit).filter(|seconds| *seconds <= LONGEST).ok_or(KeepError)?;
        Ok(Self::For(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::For(time) = self else { return f.pad("forever") };
        let seconds = time.as_secs();
        let text = match seconds {
            0 => "0s".to_owned(),
            _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
            _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
            _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            _ => format!("{seconds}s"),
        };
        f.pad(&text)
    }
}

impl TryFrom<String> for Keep {
    type Error = KeepError;
    fn try_from(text: String) -> Result<Self, KeepError> {
        text.parse()
    }
}

impl From<Keep> for String {
    fn from(keep: Keep) -> Self {
        keep.to_string()
    }
}

/// How long what belongs to runs is kept after they ended. Then the key of their message is dropped, so that payload,
/// journal, output and texts can't be read by anybody any more; what is left says that the run was, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Contents of runs that succeeded. Default 30 days: long enough to look into a complaint about last month.
    pub succeeded: Keep,
    /// Contents of runs that were skipped. Default 30 days.
    pub skipped: Keep,
    /// Contents of runs that a person gave up. Default 30 days.
    pub discarded: Keep,
    /// Contents of dead letters. Default for ever: nobody has decided about them yet.
    pub dead: Keep,
    /// Messages that could not be parsed. Default 90 days.
    pub unparsable: Keep,
    /// After the contents are gone: records of messages, events, runs and steps, without values, counted from when the
    /// message came. At least 7 days, since they tell a message that comes again. Default 400 days: last year's, too.
    pub records: Keep,
}

/// Least time for which records are kept.
const LEAST_RECORDS: Duration = Duration::from_secs(7 * 86_400);

impl Default for Retention {
    fn default() -> Self {
        let days = |days: u64| Keep::For(Duration::from_secs(days * 86_400));
        Self {
            succeeded: days(30),
            skipped: days(30),
            discarded: days(30),
            dead: Keep::Forever,
            unparsable: days(90),
            records: days(400),
        }
    }
}

impl Retention {
    /// Whether records outlive every message that may come again.
    #[must_use]
    pub fn keeps_records(&self) -> bool {
        !matches!(self.records, Keep::For(time) if time < LEAST_RECORDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, seconds) in [("30d", 2_592_000), ("36h", 129_600), ("90m", 5400), ("0s", 0), (" 5 s", 5)] {
            assert_eq!(text.parse(), Ok(Keep::For(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["30d", "36h", "90m", "0s", "61s", "forever"] {
            assert_eq!(text.parse::<Keep>().unwrap().to_string(), text);
        }
        for text in ["", "d", "30", "-1d", "1.5d", "1w", "99999999999d", "never"] {
            assert_eq!(text.parse::<Keep>(), Err(KeepError), "{text}");
        }
    }
}
