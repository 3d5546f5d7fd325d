//! From the file to a valid manifest.

use std::collections::BTreeMap;

use toml::Spanned;

use crate::model::{Reconcile, TriggerKind};

use super::raw::{Raw, RawReconcile, RawTrigger};
use super::{Grants, Manifest, ManifestError, Op, SOURCES, Schedule, Trigger};

/// Longest text of one setting, in bytes: settings are for choices, not for data.
const SETTING_MAX: usize = 64 * 1024;

/// Calls of a round, unless the manifest says otherwise: a table of 100,000 rows.
const MAX_CALLS: u32 = 100;

pub(super) fn check(raw: Raw, text: &str) -> Result<Manifest, ManifestError> {
    let wrong = |at: usize, message: String| Err(ManifestError::at(text, at, message));
    if !is_name(raw.name.get_ref()) {
        return wrong(
            raw.name.span().start,
            "`name` must be 1 to 63 of a-z, 0-9 and -, starting with a letter".to_owned(),
        );
    }
    let component = raw.component.get_ref();
    if component.is_empty() || !component.ends_with(".wasm") {
        return wrong(
            raw.component.span().start,
            "`component` must be the path of a .wasm component, relative to this file".to_owned(),
        );
    }
    if let Some(connection) = &raw.connection
        && connection.get_ref().trim().is_empty()
    {
        return wrong(
            connection.span().start,
            "`connection` must name one of `caspian connection list`".to_owned(),
        );
    }
    let grants = Grants::of(&raw.grants);
    for (table, fields) in &raw.grants.attachments {
        if ![Op::Read, Op::Update].iter().any(|op| grants.allows(table, *op)) {
            return wrong(
                fields.span().start,
                format!(
                    "`attachments` names table \"{table}\", of which `tables` grants neither read nor update; add what the \
                     workflow does with the files"
                ),
            );
        }
    }
    if raw.triggers.is_empty() {
        return wrong(
            0,
            "there is no [[trigger]]; add one, e.g. event = \"record-insert\", table = \"Patients\""
                .to_owned(),
        );
    }
    let mut triggers: Vec<Trigger> = Vec::with_capacity(raw.triggers.len());
    let mut schedules: Vec<Schedule> = Vec::new();
    for spanned in raw.triggers {
        let at = spanned.span().start;
        if spanned.get_ref().event.get_ref() == TriggerKind::Schedule.as_str() {
            let schedule = Schedule::of(spanned.into_inner(), at)
                .map_err(|(at, message)| ManifestError::at(text, at, message))?;
            if schedules.contains(&schedule) {
                return wrong(at, "two schedules are the same; remove one".to_owned());
            }
            schedules.push(schedule);
            continue;
        }
        let trigger = trigger(spanned.into_inner(), &grants, at, text)?;
        if triggers.iter().any(|other| collide(other, &trigger)) {
            let message = if trigger.kind == TriggerKind::RecordUpdate {
                "two record-update triggers of this table share a field (no `fields` means all of them); \
                 Caspio allows each field once a webhook: merge them"
            } else {
                "two triggers have the same event and table; Caspio allows one a webhook: merge them"
            };
            return wrong(at, message.to_owned());
        }
        triggers.push(trigger);
    }
    let limits = spanned_or_default(raw.limits);
    if let Some((name, allowed)) = limits.0.out_of_range() {
        return wrong(limits.1, format!("`limits.{name}` must be {allowed}"));
    }
    let retry = spanned_or_default(raw.retry);
    if let Some((name, allowed)) = retry.0.out_of_range() {
        return wrong(retry.1, format!("`retry.{name}` must be {allowed}"));
    }
    let chain = spanned_or_default(raw.chain);
    if let Some((name, allowed)) = chain.0.out_of_range() {
        return wrong(chain.1, format!("`loop.{name}` must be {allowed}"));
    }
    let effects = spanned_or_default(raw.effects);
    if let Some(table) = effects.0.creates.keys().find(|table| !grants.allows(table, Op::Create)) {
        return wrong(
            effects.1,
            format!(
                "`effects.creates` names {table}, on which create is not granted; add it under [grants] tables"
            ),
        );
    }
    let order = spanned_or_default(raw.order);
    if let Some(mistake) = order.0.mistake() {
        return wrong(order.1, mistake.to_owned());
    }
    let run = spanned_or_default(raw.run);
    if let Some((name, allowed)) = run.0.out_of_range() {
        return wrong(run.1, format!("`run.{name}` must be {allowed}"));
    }
    let mut settings = BTreeMap::new();
    for (name, value) in raw.settings {
        let at = value.span().start;
        let value = match value.into_inner() {
            toml::Value::String(text) => text,
            other => other.to_string(),
        };
        if value.len() > SETTING_MAX {
            return wrong(at, format!("setting `{name}` is longer than 64 KiB; keep data in a table"));
        }
        settings.insert(name, value);
    }
    Ok(Manifest {
        name: raw.name.into_inner(),
        component: raw.component.into_inner(),
        connection: raw.connection.map(Spanned::into_inner),
        triggers,
        schedules,
        grants,
        limits: limits.0,
        retry: retry.0,
        effects: effects.0,
        chain: chain.0,
        order: order.0,
        run: run.0,
        settings,
    })
}

/// The value and its position.
fn spanned_or_default<T: Default>(value: Option<Spanned<T>>) -> (T, usize) {
    value.map_or_else(
        || (T::default(), 0),
        |v| {
            let at = v.span().start;
            (v.into_inner(), at)
        },
    )
}

fn trigger(raw: RawTrigger, grants: &Grants, at: usize, text: &str) -> Result<Trigger, ManifestError> {
    let wrong = |at: usize, message: String| Err(ManifestError::at(text, at, message));
    let event = raw.event.get_ref().as_str();
    let kind = match TriggerKind::parse(event) {
        Some(kind) if kind.to_caspio().is_some() => kind,
        Some(_) => {
            return wrong(
                raw.event.span().start,
                format!("triggers of the kind \"{event}\" are not supported by this version of caspian"),
            );
        }
        None => {
            return wrong(
                raw.event.span().start,
                "`event` must be \"record-insert\", \"record-update\", \"record-delete\" or \"schedule\""
                    .to_owned(),
            );
        }
    };
    for (name, at) in [
        ("cron", raw.cron.as_ref().map(|x| x.span().start)),
        ("time_zone", raw.time_zone.as_ref().map(|x| x.span().start)),
        ("missed", raw.missed.as_ref().map(|x| x.span().start)),
    ] {
        if let Some(at) = at {
            return wrong(at, format!("`{name}` goes with event = \"schedule\" only; remove it"));
        }
    }
    let table = match raw.table {
        Some(table) if !table.get_ref().trim().is_empty() => table,
        other => {
            let at = other.map_or(at, |table| table.span().start);
            return wrong(at, "`table` must name a table of the connection".to_owned());
        }
    };
    if let Some(fields) = &raw.fields
        && kind != TriggerKind::RecordUpdate
    {
        return wrong(
            fields.span().start,
            "`fields` goes with event = \"record-update\" only; remove it".to_owned(),
        );
    }
    let table = table.into_inner();
    let reconcile = match raw.reconcile {
        Some(wanted) => {
            let span = wanted.span().start;
            match reconcile(&wanted.into_inner()) {
                Some(reconcile) => Some(reconcile),
                None => {
                    return wrong(
                        span,
                        "`reconcile` must be like { every = \"1h\", max_calls = 100 }: from 5 minutes to 30 days, and \
                         from 1 to 100000 integration calls"
                            .to_owned(),
                    );
                }
            }
        }
        None => None,
    };
    let sources = match raw.sources {
        Some(sources) => {
            let span = sources.span().start;
            if sources.get_ref().is_empty() {
                return wrong(
                    span,
                    format!(
                        "`sources` is empty; leave it out for changes by anyone, or name some of {}",
                        SOURCES.join(", ")
                    ),
                );
            }
            let mut known = Vec::new();
            for name in sources.into_inner() {
                match SOURCES.iter().find(|s| s.eq_ignore_ascii_case(&name)) {
                    Some(source) => known.push((*source).to_owned()),
                    None => {
                        return wrong(
                            span,
                            format!("`sources` holds something else than {}", SOURCES.join(", ")),
                        );
                    }
                }
            }
            known
        }
        None if [Op::Create, Op::Update, Op::Delete].iter().any(|op| grants.allows(&table, *op)) => {
            return wrong(
                at,
                "this workflow may write the table that triggers it, so it could start itself again: say \
                 with `sources` whose changes start it, e.g. [\"Datasheet\", \"DataPages\"] (its own are \"RESTAPIs\")"
                    .to_owned(),
            );
        }
        None => Vec::new(),
    };
    Ok(Trigger {
        kind,
        table,
        fields: raw.fields.map(Spanned::into_inner).unwrap_or_default(),
        sources,
        batch: raw.batch,
        reconcile,
    })
}

/// None when it is out of range. Each round reads the whole table, 1,000 rows a call: more often than every five
/// minutes would spend the account's calls on nothing.
fn reconcile(raw: &RawReconcile) -> Option<Reconcile> {
    // A day is 24 hours here, which jiff leaves to calendars.
    let every_seconds = match raw.every.strip_suffix('d').map(|days| days.trim().parse::<u64>()) {
        Some(days) => days.ok()?.checked_mul(86_400)?,
        None => u64::try_from(raw.every.parse::<jiff::SignedDuration>().ok()?.as_secs()).ok()?,
    };
    let max_calls = raw.max_calls.unwrap_or(MAX_CALLS);
    let fits = (300..=30 * 86_400).contains(&every_seconds) && (1..=100_000).contains(&max_calls);
    fits.then_some(Reconcile { every_seconds, max_calls })
}

/// Caspio's rule a webhook and table: one insert, one delete, one update for all fields or several for different ones.
fn collide(a: &Trigger, b: &Trigger) -> bool {
    let shared = || a.fields.iter().any(|x| b.fields.iter().any(|y| x.eq_ignore_ascii_case(y)));
    a.kind == b.kind
        && a.table.eq_ignore_ascii_case(&b.table)
        && (a.kind != TriggerKind::RecordUpdate || a.fields.is_empty() || b.fields.is_empty() || shared())
}

fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
