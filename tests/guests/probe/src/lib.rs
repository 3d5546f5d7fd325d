//! A guest for hostile and odd cases: the setting `mode` chooses what it does.
//!
//! The end-to-end tests deploy it under one name per mode and look at what the host makes of it.
//! Other settings are read by the modes that need them: `table`, `field`, `count`, `until`, `delay`,
//! `value`, `to`, `case`, `seconds`, `key`, `then_panic`; README.md lists them. An unknown mode, or a needed setting that
//! is missing, is a fatal failure, so that a mistyped test doesn't pass by accident.
//! Modes that break the rules of a workflow do so on purpose: don't copy from here.

use caspian_sdk::prelude::*;

mod durable;
mod limits;
mod spread;
mod steps;
mod subjects;
mod world;

#[workflow]
fn handle(event: Event) -> Result<Option<String>, Failure> {
    let mode = settings::require("mode")?;
    match mode.as_str() {
        "loop" => limits::endless(),
        "memory" => limits::memory(),
        "panic" => limits::panic(),
        "log-flood" => limits::log_flood(),
        "output-flood" => limits::output_flood(),
        "newline-flood" => limits::newline_flood(),
        "hoard" => limits::hoard(),
        "call-flood" => limits::call_flood(),
        "deep" => Ok(Some(limits::deep(0).to_string())),
        "bulk" => Ok(Some(limits::bulk())),
        "residue" => Ok(Some(limits::residue())),
        "big-result" => Ok(Some("x".repeat(10 << 20))),

        "fatal" => Err(Failure::fatal("the probe was told to fail")),
        "retry" => retry(&event),
        "retry-until" => until(&event, None),

        "create" => steps::create(&event).map(Some),
        "create-then-retry" => {
            let created = steps::create(&event)?;
            until(&event, Some(created))
        }
        "update" => steps::update(&event).map(Some),
        "delete" => steps::delete(&event).map(Some),
        "upsert" => steps::upsert(&event).map(Some),
        "count-up" => steps::count_up(&event).map(Some),
        "touch" => steps::touch(&event).map(Some),
        "read-again" => steps::read_again(&event).map(Some),
        "list" => steps::list().map(Some),
        "denied" => steps::denied(&event).map(Some),
        "unknown-table" => steps::unknown_table().map(Some),
        "unknown-field" => steps::unknown_field(&event).map(Some),
        "bad-criteria" => steps::bad_criteria().map(Some),
        "diverge" => steps::diverge(&event),
        "skip-step" => steps::skip_step(&event),

        "numbers" => subjects::numbers().map(Some),
        "views" => subjects::views().map(Some),
        "condition" => subjects::condition_text().map(Some),
        "long-criteria" => subjects::long_criteria().map(Some),
        "attachments" => subjects::attachments().map(Some),
        "files" => subjects::file_store().map(Some),
        "directories" => subjects::staff().map(Some),
        "tasks" => subjects::tasks().map(Some),
        "one" => subjects::one(&event).map(Some),
        "kinds" => subjects::kinds().map(Some),

        "nap" => {
            let slept = durable::nap(&event)?;
            again(&event, slept)
        }
        "nap-until" => durable::nap_until().map(Some),
        "nap-wrong" => durable::nap_wrong().map(Some),
        "tally" => {
            let sum = durable::tally()?;
            again(&event, sum)
        }
        "keep" => durable::keep().map(Some),
        "look" => durable::look().map(Some),
        "remember" => durable::remember(&event).map(Some),
        "fill" => durable::fill().map(Some),
        "state" => durable::all().map(Some),

        "echo" => Ok(Some(world::echo(&event))),
        "values" => Ok(Some(world::values(&event))),
        "spread" => spread::spread(&event).map(Some),
        "leak" => Ok(Some(world::leak(&event))),
        "clock" => Ok(Some(world::clock())),
        "clock-retry" => clock_retry(&event),
        "sleep" => Ok(Some(world::sleep())),
        "world" => Ok(Some(world::world())),
        _ => Err(Failure::fatal("setting mode is none that the probe knows; see its README.md")),
    }
}

/// Fails for another try; waits at least `delay` seconds when that is set.
fn retry(event: &Event) -> Result<Option<String>, Failure> {
    let failure = Failure::retry(format!("the probe was told to try again, attempt {}", event.attempt));
    Err(match settings::parse("delay")? {
        Some(seconds) => failure.after(std::time::Duration::from_secs(seconds)),
        None => failure,
    })
}

/// Fails for another try before attempt `until`; then succeeds with `result`, or the attempt's number.
fn until(event: &Event, result: Option<String>) -> Result<Option<String>, Failure> {
    let until: u32 =
        settings::parse("until")?.or_fatal("setting until is missing; set the attempt that succeeds")?;
    if event.attempt < until {
        return retry(event);
    }
    Ok(Some(result.unwrap_or_else(|| format!("attempt {}", event.attempt))))
}

/// Succeeds, or, when `until` is set, fails before that attempt.
fn again(event: &Event, result: String) -> Result<Option<String>, Failure> {
    match settings::get("until") {
        Some(_) => until(event, Some(result)),
        None => Ok(Some(result)),
    }
}

/// Reads the clocks before and after a create (when `table` is set), logs what it read, and fails the
/// first attempt: the readings of both attempts must be the same.
fn clock_retry(event: &Event) -> Result<Option<String>, Failure> {
    let mut readings = world::clock();
    if settings::get("table").is_some() {
        steps::create(event)?;
        readings.push_str(&world::clock());
    }
    log::info!("{readings}");
    until(event, Some(readings))
}
