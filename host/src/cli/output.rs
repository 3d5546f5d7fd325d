//! Printing. A closed pipe (`caspian run list | head`) is no error.

use std::io::Write as _;

/// A line to standard output.
pub(super) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line to standard error.
pub(super) fn error_line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// JSON for programs.
pub(super) fn json(value: &serde_json::Value) {
    line(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Columns under their heads, each as wide as its longest cell.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = heads.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        line(padded.join("  ").trim_end());
    };
    print(&mut heads.iter().copied());
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}

/// A member of a JSON object as text; "" when it is null or missing.
pub(super) fn cell(value: &serde_json::Value, name: &str) -> String {
    match value.get(name) {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A list of objects as a table of some of their members.
pub(super) fn objects(list: &serde_json::Value, members: &[(&str, &str)]) {
    let heads: Vec<&str> = members.iter().map(|(head, _)| *head).collect();
    let rows: Vec<Vec<String>> = list
        .as_array()
        .map(|list| list.iter().map(|x| members.iter().map(|(_, name)| cell(x, name)).collect()).collect())
        .unwrap_or_default();
    table(&heads, &rows);
}

/// A member that counts by state, e.g. "3 queued, 1 dead".
pub(super) fn counts(value: &serde_json::Value, name: &str) -> String {
    let counts: Vec<String> = value
        .get(name)
        .and_then(serde_json::Value::as_object)
        .into_iter()
        .flatten()
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

/// What a reading command was answered: as JSON, or as `people` prints it.
pub(super) fn answer(
    format: super::Format,
    value: &serde_json::Value,
    people: impl FnOnce(&serde_json::Value),
) {
    if format.json {
        json(value);
    } else {
        people(value);
    }
}

/// Members of an object, one a line under their heads; empty ones are left out.
pub(super) fn members(value: &serde_json::Value, members: &[(&str, &str)]) {
    for (head, name) in members {
        let text = cell(value, name);
        if !text.is_empty() {
            line(&format!("{head:<11} {text}"));
        }
    }
}
