//! What the workflow keeps from run to run: values by key, shared by all runs and versions of this one workflow.
//!
//! Needs `[grants] state = true`. Keys are texts of 1 to 255 bytes; how much may be kept is the host's setting (10,000 keys
//! and 16 MiB a workflow, 256 KiB a value; beyond it: [`Error::Limit`], [`Error::TooLarge`]). Keys and values are kept
//! encrypted. A change is done once, whenever the host dies.
//!
//! ```no_run
//! # use caspian_sdk::prelude::*;
//! # fn example(event: &Event) -> Result<(), Error> {
//! let visits = state::add("visits", 1)?;                      // exact, however many runs add at the same time
//! let last = state::text("last-date")?.unwrap_or_default();
//! state::set("last-date", event.event_date.as_str())?;
//! if !state::set_new("welcomed:7", "yes")? {
//!     log::info!("another run was faster");
//! }
//! for key in state::keys("welcomed:")? {
//!     state::delete(&key)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Between [`get`] and [`set`] another run may write. What depends on the old value is written by [`update`], [`add`] or
//! [`replace`], which notice that.

use std::fmt;

use crate::Error;
use crate::raw::caspian::workflow::state as raw;

/// Says which of a key's values it is: another one with every change, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(u64);

/// A value with its version.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Vec<u8>,
    /// Its version.
    pub version: Version,
}

impl Entry {
    /// The value as text.
    ///
    /// # Errors
    /// When it is none.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.value).map_err(|_| Error::State("is no text; read it with `state::get`"))
    }

    /// The value as a number, as [`set_int`] and [`add`] write it.
    ///
    /// # Errors
    /// When it is none.
    pub fn int(&self) -> Result<i64, Error> {
        self.text()
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(Error::State("is no whole number; read it with `state::get`"))
    }
}

/// The value may be a patient's.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} bytes)", self.value.len())
    }
}

/// The value of a key with its version; none when there is none.
///
/// # Errors
/// When state is not granted, or the key is too long.
pub fn get(key: &str) -> Result<Option<Entry>, Error> {
    let entry = raw::get(key)?;
    Ok(entry.map(|entry| Entry { value: entry.value, version: Version(entry.version) }))
}

/// The value of a key as text; none when there is none.
///
/// # Errors
/// As [`get`], and when it is no text.
pub fn text(key: &str) -> Result<Option<String>, Error> {
    get(key)?.map(|entry| entry.text().map(str::to_owned)).transpose()
}

/// The value of a key as a number; none when there is none.
///
/// # Errors
/// As [`get`], and when it is no whole number.
pub fn int(key: &str) -> Result<Option<i64>, Error> {
    get(key)?.map(|entry| entry.int()).transpose()
}

/// Sets a value, whatever was there.
///
/// # Errors
/// When state is not granted, key or value are too long, or the workflow keeps too much.
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<Version, Error> {
    Ok(Version(raw::set(key, value.as_ref())?))
}

/// Sets a number, whatever was there.
///
/// # Errors
/// As [`set`].
pub fn set_int(key: &str, value: i64) -> Result<Version, Error> {
    set(key, value.to_string())
}

/// Sets a value if there is no such key. False: there is one.
///
/// # Errors
/// As [`set`].
pub fn set_new(key: &str, value: impl AsRef<[u8]>) -> Result<bool, Error> {
    compare_and_set(key, None, value.as_ref()).map(|version| version.is_some())
}

/// Sets a value if the key still has this version. None: it was changed or deleted meanwhile.
///
/// # Errors
/// As [`set`].
pub fn replace(key: &str, version: Version, value: impl AsRef<[u8]>) -> Result<Option<Version>, Error> {
    compare_and_set(key, Some(version), value.as_ref())
}

/// Makes a new value of the old one, again until nobody wrote in between. Each try is two calls of `limits.host_calls`.
///
/// # Errors
/// As [`get`] and [`set`], and those of `change`.
pub fn update<E: From<Error>>(
    key: &str,
    mut change: impl FnMut(Option<&Entry>) -> Result<Vec<u8>, E>,
) -> Result<Version, E> {
    loop {
        let old = get(key)?;
        let new = change(old.as_ref())?;
        if let Some(version) = compare_and_set(key, old.map(|old| old.version), &new)? {
            return Ok(version);
        }
    }
}

/// Adds to a number (0 when there is none), exactly, however many runs do so at the same time. Returns the sum.
///
/// # Errors
/// As [`int`] and [`set`], and when the sum is too large for 64 bits.
pub fn add(key: &str, number: i64) -> Result<i64, Error> {
    let mut sum = 0;
    update(key, |old| {
        let old = old.map_or(Ok(0), Entry::int)?;
        sum = old.checked_add(number).ok_or(Error::State("would be larger than 64 bits hold"))?;
        Ok::<_, Error>(sum.to_string().into_bytes())
    })?;
    Ok(sum)
}

/// Deletes a key. False: there was none.
///
/// # Errors
/// When state is not granted.
pub fn delete(key: &str) -> Result<bool, Error> {
    Ok(raw::delete(key)?)
}

/// All keys that begin so, sorted.
///
/// # Errors
/// When state is not granted.
pub fn keys(prefix: &str) -> Result<Vec<String>, Error> {
    Ok(raw::list(prefix, None, None)?)
}

/// As [`keys`], but only those after one, and at most so many: a page of a long list.
///
/// # Errors
/// As [`keys`].
pub fn keys_after(prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
    Ok(raw::list(prefix, after, Some(limit))?)
}

fn compare_and_set(key: &str, expected: Option<Version>, value: &[u8]) -> Result<Option<Version>, Error> {
    match raw::compare_and_set(key, expected.map(|version| version.0), value).map_err(Error::from) {
        Ok(version) => Ok(Some(Version(version))),
        Err(Error::Conflict(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_what_they_are_and_are_not_shown() {
        let entry = |value: &[u8]| Entry { value: value.to_vec(), version: Version(1) };
        assert_eq!((entry(b"-7").int(), entry(b"-7").text()), (Ok(-7), Ok("-7")));
        let error = entry(b"Ada").int().unwrap_err().to_string();
        assert!(
            error.starts_with("the value of state is no whole number") && !error.contains("Ada"),
            "{error}"
        );
        assert!(entry(&[0xff]).text().is_err());
        assert_eq!(format!("{:?}", entry(b"Ada")), "Entry(3 bytes)");
    }
}
