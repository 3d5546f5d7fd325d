//! The run's own log.
//!
//! It is kept encrypted with the run and never reaches the host's log. A line may be cut off, and
//! writing more than the manifest's `log_kib` ends the run.
//!
//! ```no_run
//! use caspian_sdk::log;
//!
//! log::info!("{} open tasks", 3);
//! ```

use std::borrow::Cow;
use std::fmt;

use crate::raw::caspian::workflow::log as raw;

/// How much a line matters.
pub use raw::Level;

/// Adds a line to the run's log.
pub fn write(level: Level, message: &str) {
    raw::write(level, message);
}

/// Called by the macros. A text without arguments needs no formatting.
#[doc(hidden)]
pub fn write_args(level: Level, message: fmt::Arguments<'_>) {
    let text = message.as_str().map_or_else(|| Cow::Owned(message.to_string()), Cow::Borrowed);
    write(level, &text);
}

/// For whoever develops the workflow.
#[macro_export]
#[doc(hidden)]
macro_rules! __log_debug {
    ($($arg:tt)+) => { $crate::log::write_args($crate::log::Level::Debug, ::std::format_args!($($arg)+)) };
}

/// What was done.
#[macro_export]
#[doc(hidden)]
macro_rules! __log_info {
    ($($arg:tt)+) => { $crate::log::write_args($crate::log::Level::Info, ::std::format_args!($($arg)+)) };
}

/// Something to look at.
#[macro_export]
#[doc(hidden)]
macro_rules! __log_warn {
    ($($arg:tt)+) => { $crate::log::write_args($crate::log::Level::Warn, ::std::format_args!($($arg)+)) };
}

/// Something failed.
#[macro_export]
#[doc(hidden)]
macro_rules! __log_error {
    ($($arg:tt)+) => { $crate::log::write_args($crate::log::Level::Error, ::std::format_args!($($arg)+)) };
}

#[doc(inline)]
pub use crate::{__log_debug as debug, __log_error as error, __log_info as info, __log_warn as warn};
