//! Using up what is limited: time, fuel, memory, stack, calls, log.
//!
//! None of these returns by itself; the host ends the attempt. Errors of the host are ignored, as a
//! hostile guest would.

use std::hint::black_box;

use caspian_sdk::prelude::*;
use caspian_sdk::raw::caspian::workflow::tables as raw_tables;

/// What none of these ever returns.
type Never = Result<Option<String>, Failure>;

/// Reckons for ever.
pub(crate) fn endless() -> Never {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

/// Takes memory until there is none; each page is written, so that it is really there.
pub(crate) fn memory() -> Never {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(black_box(vec![1; 1 << 20]));
    }
}

/// Panics.
#[allow(clippy::panic, reason = "the mode's purpose")]
pub(crate) fn panic() -> Never {
    panic!("the probe was told to panic")
}

/// Writes 1 KiB lines to the log for ever.
pub(crate) fn log_flood() -> Never {
    let line = "flood ".repeat(171);
    loop {
        log::write(log::Level::Info, &line);
    }
}

/// Prints 1 KiB lines for ever.
pub(crate) fn output_flood() -> Never {
    use std::io::Write as _;
    let line = "flood ".repeat(171);
    let mut out = std::io::stdout();
    loop {
        // println! would panic on an error; this guest goes on.
        let _ = writeln!(out, "{line}");
    }
}

/// Makes cheap calls for ever.
pub(crate) fn call_flood() -> Never {
    let table = settings::get("table").unwrap_or_else(|| "Patients".to_owned());
    loop {
        let _ = black_box(raw_tables::fields(&table));
    }
}

/// Calls itself until the engine's stack is used up. It keeps nothing in linear memory: else the
/// guest's own stack there would overflow first, which is another trap.
#[inline(never)]
pub(crate) fn deep(level: u64) -> u64 {
    if level == u64::MAX {
        return 0;
    }
    // Mixed after the call and in an order that matters, so that it can become neither jump nor loop.
    deep(level + 1).rotate_left(7) ^ level.wrapping_mul(31)
}
