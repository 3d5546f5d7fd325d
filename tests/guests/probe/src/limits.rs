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

/// Prints empty lines for ever: little text, many lines.
pub(crate) fn newline_flood() -> Never {
    use std::io::Write as _;
    let lines = [b'\n'; 4096];
    let mut out = std::io::stdout();
    loop {
        let _ = out.write_all(&lines);
    }
}

#[link(wasm_import_module = "wasi:clocks/monotonic-clock@0.2.0")]
unsafe extern "C" {
    #[link_name = "subscribe-duration"]
    safe fn subscribe_duration(nanoseconds: u64) -> i32;
}

/// Makes handles in the host for ever and gives none back.
pub(crate) fn hoard() -> Never {
    loop {
        black_box(subscribe_duration(1));
    }
}

/// Makes cheap calls for ever.
pub(crate) fn call_flood() -> Never {
    let table = settings::get("table").unwrap_or_else(|| "Patients".to_owned());
    loop {
        let _ = black_box(raw_tables::fields(&table));
    }
}

/// Makes calls that are refused, each with 8 MiB of text, until one is refused for another reason.
/// Answers how many were made, and that reason.
pub(crate) fn bulk() -> String {
    let text = "x".repeat(8 << 20);
    for made in 0.. {
        match records("Forbidden").create(Row::new().set("Text", text.as_str())) {
            Err(Error::Denied(_)) => {}
            other => return format!("{made} calls, then {other:?}"),
        }
    }
    String::new()
}

/// Takes 20 MiB of memory that nobody has used, counts what is not zero in it, and leaves it full.
pub(crate) fn residue() -> String {
    let mut found = 0;
    // Fresh pages come as zero by the rules of WebAssembly: the allocator asks for no more than that.
    let mut fresh = vec![0_u8; 20 << 20];
    for byte in &mut fresh {
        found += usize::from(*black_box(&mut *byte) != 0);
        *byte = 0xa5;
    }
    black_box(&fresh);
    format!("{found} of {} bytes were not zero", fresh.len())
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
