//! Sleeping, and what is kept from run to run.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use caspian_sdk::prelude::*;
use caspian_sdk::raw::caspian::workflow::{state as raw_state, timers as raw_timers};

use crate::steps::refusal;

type Text = Result<String, Failure>;

fn key() -> Text {
    Ok(settings::get("key").unwrap_or_else(|| "count".to_owned()))
}

/// A record with this name, when `table` is set.
fn mark(event: &Event, name: &str) -> Result<(), Failure> {
    if let Some(table) = settings::get("table") {
        let value = format!("{}-{name}", event.row()?.pk_id()?);
        records(table).create(Row::new().set(settings::require("field")?, value))?;
    }
    Ok(())
}

/// Whole seconds since then.
fn passed(since: SystemTime) -> u64 {
    timers::now().duration_since(since).unwrap_or_default().as_secs()
}

/// Creates "PK-before" (when `table` is set), sleeps `seconds` for `count` times, creates "PK-after"; returns by how many whole
/// seconds the virtual clock moved.
pub(crate) fn nap(event: &Event) -> Text {
    mark(event, "before")?;
    let seconds: u64 = settings::parse("seconds")?.or_fatal("setting seconds is missing")?;
    let count: u32 = settings::parse("count")?.unwrap_or(1);
    let begun = timers::now();
    for _ in 0..count {
        timers::sleep(Duration::from_secs(seconds))?;
    }
    let moved = passed(begun);
    mark(event, "after")?;
    Ok(format!("slept {moved} s"))
}

/// Sleeps until `seconds` (perhaps negative) from now; returns "woke", and whether it is not too early.
pub(crate) fn nap_until() -> Text {
    let seconds: i64 = settings::parse("seconds")?.or_fatal("setting seconds is missing")?;
    let at = raw_timers::now() + seconds * 1_000_000;
    raw_timers::sleep_until(at).map_err(Error::from)?;
    Ok(format!("woke {}", if raw_timers::now() >= at { "in time" } else { "too early" }))
}

/// Sleeps in ways that are refused or return at once; returns "case: what it answered" lines.
pub(crate) fn nap_wrong() -> Text {
    let begun = timers::now();
    let lines = [
        ("long", refusal(timers::sleep(Duration::from_secs(401 * 86_400)))),
        ("endless", refusal(timers::sleep(Duration::MAX))),
        ("late", refusal(timers::sleep_until(timers::now() + Duration::from_secs(401 * 86_400)))),
        ("past", refusal(timers::sleep_until(UNIX_EPOCH))),
        ("nothing", refusal(timers::sleep(Duration::ZERO))),
    ];
    let mut text = lines.map(|(name, answer)| format!("{name}: {answer}")).join("\n");
    text.push_str(&format!("\nmoved: {}", passed(begun)));
    Ok(text)
}

/// Adds one to `key`, `count` times; returns the sum.
pub(crate) fn tally() -> Text {
    let (key, count) = (key()?, settings::parse("count")?.unwrap_or(1));
    let mut sum = 0;
    for _ in 0..count {
        sum = state::add(&key, 1)?;
    }
    Ok(sum.to_string())
}

/// Sets `key` to `value`.
pub(crate) fn keep() -> Text {
    state::set(&key()?, settings::require("value")?)?;
    Ok("kept".to_owned())
}

/// What `key` holds, or "nothing".
pub(crate) fn look() -> Text {
    Ok(state::text(&key()?)?.unwrap_or_else(|| "nothing".to_owned()))
}

/// Keeps the patient's email under the patient's name.
pub(crate) fn remember(event: &Event) -> Text {
    let row = event.row()?;
    state::set(row.text("FirstName")?, row.text("Email")?)?;
    Ok(format!("{} keys", state::keys("")?.len()))
}

/// Sets keys "a0", "a1", … to values of `size` bytes until one is refused; returns how many were set, and the error. Then
/// a larger value is refused, a smaller one is not.
pub(crate) fn fill() -> Text {
    let size: usize = settings::parse("size")?.or_fatal("setting size is missing")?;
    let value = vec![7; size];
    let mut made = 0;
    let error = loop {
        match state::set(&format!("a{made}"), &value) {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    let larger = refusal(state::set("a0", vec![7; size * 2]));
    let smaller = refusal(state::set("a0", "x"));
    Ok(format!("{made} set, then {error}\nlarger: {larger}\nsmaller: {smaller}"))
}

/// Every call once, rightly and wrongly; returns "call: what it answered" lines.
pub(crate) fn all() -> Text {
    let mut lines = Vec::new();
    let mut add = |name: &str, answer: String| lines.push(format!("{name}: {answer}"));
    let shown =
        |entry: Option<state::Entry>| entry.map_or("-".to_owned(), |e| format!("{} bytes", e.value.len()));
    add("get nothing", shown(state::get("a")?));
    let first = state::set("a", "one")?;
    add("get", shown(state::get("a")?));
    add("text", state::text("a")?.unwrap_or_default());
    add("int", refusal(state::int("a")));
    let second = state::replace("a", first, "two")?;
    add("replace", second.is_some().to_string());
    add("replace old", state::replace("a", first, "three")?.is_some().to_string());
    add("set new", state::set_new("a", "four")?.to_string());
    add("still", state::text("a")?.unwrap_or_default());
    add("add", state::add("n", i64::MAX)?.to_string());
    add("overflow", refusal(state::add("n", 1)));
    add("bytes", shown(state::set("b", [0xff, 0]).and_then(|_| state::get("b"))?));
    add("not text", refusal(state::text("b")));
    for n in 0..3 {
        state::set(&format!("list:{n}"), "")?;
    }
    add("keys", state::keys("")?.join(","));
    add("prefix", state::keys("list:")?.join(","));
    add("page", state::keys_after("list:", Some("list:0"), 1)?.join(","));
    add("delete", state::delete("a")?.to_string());
    add("delete again", state::delete("a")?.to_string());
    let again = state::set("a", "five")?;
    add("other version", (again != first && Some(again) != second).to_string());
    add("replace deleted", state::replace("a", first, "six")?.is_some().to_string());
    add("no key", refusal(state::set("", "x")));
    add("long key", refusal(state::get(&"k".repeat(256))));
    add("longest key", refusal(state::set(&"k".repeat(255), "x")));
    add("large", refusal(state::set("large", vec![0; (256 << 10) + 1])));
    let conflict = raw_state::compare_and_set("a", None, b"x").map_err(Error::from);
    add("conflict", refusal(conflict));
    Ok(lines.join("\n"))
}
