//! Calls to the host, proper and improper.
//!
//! `table` and `field` name where it writes. The value is the event's `PK_ID` as text.

use caspian_sdk::prelude::*;
use caspian_sdk::raw::caspian::workflow::{records as raw, types};

type Text = Result<String, Failure>;

fn table() -> Result<Table, Failure> {
    Ok(records(settings::require("table")?))
}

fn field_name() -> Result<String, Failure> {
    Ok(settings::require("field")?)
}

/// The event's `PK_ID` as text.
fn key(event: &Event) -> Text {
    Ok(event.row()?.pk_id()?.to_string())
}

/// The value to look for: setting `value`, or the event's `PK_ID`.
fn wanted(event: &Event) -> Text {
    settings::get("value").map_or_else(|| key(event), Ok)
}

/// One record, or `count` of them: "PK-0", "PK-1", …
pub(crate) fn create(event: &Event) -> Text {
    let (table, field, key) = (table()?, field_name()?, key(event)?);
    let count: Option<u32> = settings::parse("count")?;
    let values = match count {
        Some(count) => (0..count).map(|i| format!("{key}-{i}")).collect(),
        None => vec![key],
    };
    let mut created = Vec::new();
    for value in values {
        created.push(table.create(Row::new().set(&field, value))?.pk_id()?.to_string());
    }
    Ok(format!("created {}", created.join(",")))
}

/// Sets `field` to `to` where it is `value` (default: the event's `PK_ID`).
pub(crate) fn update(event: &Event) -> Text {
    let name = field_name()?;
    let to = settings::get("to").unwrap_or_else(|| "changed".to_owned());
    let affected = table()?.update(field(&name).equals(wanted(event)?), Row::new().set(&name, to))?;
    Ok(format!("updated {affected}"))
}

/// Deletes where `field` is `value` (default: the event's `PK_ID`).
pub(crate) fn delete(event: &Event) -> Text {
    let deleted = table()?.delete(field(field_name()?).equals(wanted(event)?))?;
    Ok(format!("deleted {deleted}"))
}

/// Finds by `field`; writes the same, or `to`.
pub(crate) fn upsert(event: &Event) -> Text {
    let (name, value) = (field_name()?, wanted(event)?);
    let to = settings::get("to").unwrap_or_else(|| value.clone());
    let upserted = table()?.upsert(field(&name).equals(value), Row::new().set(&name, to))?;
    let done = if upserted.created { "created" } else { "updated" };
    Ok(format!("{done} {}", upserted.row.pk_id()?))
}

/// Adds one to the number in `field` of the event's record, as the event shows it.
pub(crate) fn count_up(event: &Event) -> Text {
    let (name, row) = (field_name()?, event.row()?);
    let next = row.get::<i64>(&name)? + 1;
    records(&event.table).update(pk_id(row.pk_id()?), Row::new().set(&name, next))?;
    Ok(next.to_string())
}

/// Sets `field` of the event's record to `to`.
pub(crate) fn touch(event: &Event) -> Text {
    let to = settings::get("to").unwrap_or_else(|| "changed".to_owned());
    let changes = Row::new().set(field_name()?, to);
    let touched = records(&event.table).update(pk_id(event.row()?.pk_id()?), changes)?;
    Ok(format!("touched {touched}"))
}

/// Reads the event's record `count` times; after the second time it writes `field`, when that is set.
pub(crate) fn read_again(event: &Event) -> Text {
    let (table, id) = (records(&event.table), event.row()?.pk_id()?);
    let count: u32 = settings::parse("count")?.or_fatal("setting count is missing")?;
    let mut seen = Vec::new();
    for n in 0..count {
        let row = table.get(id)?.or_fatal("the event's record is gone")?;
        seen.push(row.optional_text("Notes")?.unwrap_or_default().to_owned());
        if n == 1 && settings::get("field").is_some() {
            table.update(pk_id(id), Row::new().set(field_name()?, "written"))?;
        }
    }
    Ok(seen.join(","))
}

/// How many records the table has.
pub(crate) fn list() -> Text {
    Ok(format!("listed {}", table()?.list(Query::new())?.len()))
}

/// The error's text, or "no error".
pub(crate) fn refusal<T>(answer: Result<T, Error>) -> String {
    answer.map_or_else(|error| error.to_string(), |_| "no error".to_owned())
}

/// Deletes where nothing was granted.
pub(crate) fn denied(event: &Event) -> Text {
    let table = settings::get("table").unwrap_or_else(|| "Forbidden".to_owned());
    Ok(refusal(records(table).delete(pk_id(event.row()?.pk_id()?))))
}

/// Reads a table that does not exist.
pub(crate) fn unknown_table() -> Text {
    let table = settings::get("table").unwrap_or_else(|| "NoSuchTable".to_owned());
    Ok(refusal(records(table).list(Query::new().limit(1))))
}

/// Writes a field that does not exist.
pub(crate) fn unknown_field(event: &Event) -> Text {
    let field = settings::get("field").unwrap_or_else(|| "NoSuchField".to_owned());
    Ok(refusal(table()?.create(Row::new().set(field, key(event)?))))
}

/// Creates something else on every attempt; fails the first.
pub(crate) fn diverge(event: &Event) -> Result<Option<String>, Failure> {
    let value = format!("{}-attempt-{}", key(event)?, event.attempt);
    table()?.create(Row::new().set(field_name()?, value))?;
    if event.attempt == 1 {
        return Err(Failure::retry("the probe was told to diverge"));
    }
    Ok(Some(format!("attempt {}", event.attempt)))
}

/// Creates on the first attempt only, which fails.
pub(crate) fn skip_step(event: &Event) -> Result<Option<String>, Failure> {
    if event.attempt == 1 {
        create(event)?;
        return Err(Failure::retry("the probe was told to skip a step"));
    }
    Ok(None)
}

/// Criteria that the contract forbids, and two that it allows but that a careless reader drowns in
/// (`shared`, `deep`). `case` chooses one, without it all are tried in turn. Each is sent as the
/// criteria of a delete. The comparison in them matches no record, so that only a host that takes
/// `unreachable` or `no-comparison` for "all records" would delete anything.
pub(crate) fn bad_criteria() -> Text {
    let table = settings::require("table")?;
    let only = settings::get("case");
    let mut seen = Vec::new();
    for (case, criteria) in bad_cases() {
        if only.as_deref().is_none_or(|only| only == case) {
            let answer = raw::delete(&table, &criteria).map_err(Error::from);
            seen.push(format!("{case}: {}", refusal(answer)));
        }
    }
    if seen.is_empty() {
        return Err(Failure::fatal("setting case is none that the probe knows; see its README.md"));
    }
    Ok(seen.join("\n"))
}

fn bad_cases() -> Vec<(&'static str, raw::Criteria)> {
    use raw::Criterion::{All, Any, Compare, Not};
    let leaf = || {
        let operator = raw::Operator::Less(types::Value::Integer(0));
        Compare(raw::Comparison { field: "PK_ID".to_owned(), operator })
    };
    vec![
        ("none", vec![]),
        ("self", vec![All(vec![0])]),
        ("self-not", vec![Not(0)]),
        ("cycle", vec![Any(vec![1, 2]), Not(0), leaf()]),
        ("backwards", vec![All(vec![2]), leaf(), Not(1)]),
        ("beyond", vec![Any(vec![1, 7]), leaf()]),
        ("far-beyond", vec![Not(u32::MAX)]),
        ("shared", doubling(leaf())),
        ("no-comparison", vec![All(vec![])]),
        ("unreachable", vec![All(vec![]), leaf()]),
        ("deep", (1..=100_000).map(Not).chain([leaf()]).collect()),
    ]
}

/// Every node names the next one twice: small as a list, 2^40 comparisons as a tree.
fn doubling(leaf: raw::Criterion) -> raw::Criteria {
    (1..=40).map(|next| raw::Criterion::Any(vec![next, next])).chain([leaf]).collect()
}
