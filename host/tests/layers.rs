//! Imports between the parts of the host go down only: the table in `src/lib.rs`, checked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test, helpers included")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Parts from top to bottom; those of one line don't know each other.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["server"],
    &["control"],
    &["config"],
    &["alerts", "coverage", "scheduler"],
    &["ingress"],
    &["execution", "triggers"],
    &["journal", "runtime", "accounts", "lineage"],
    &["caspio"],
    &["store"],
    &["manifest"],
    &["secrets", "telemetry"],
    &["model"],
    &["clock", "faults"],
];

fn layer(part: &str) -> usize {
    LAYERS.iter().position(|parts| parts.contains(&part)).unwrap_or_else(|| panic!("{part} has no layer"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The name at the beginning of a text.
fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// Names that a file takes from the root of the crate, outside of comments: behind `crate::`, or behind as many
/// `super::` as lead there. `depth`: how many modules the file lies below the root. "{" is a group of names.
fn imports(text: &str, depth: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // Indentations of the inline modules that are open, as rustfmt writes them.
    let mut inline: Vec<usize> = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let code = line.trim_start();
        let indentation = line.len() - code.len();
        if code == "}" && inline.last() == Some(&indentation) {
            inline.pop();
        }
        let mut take = |rest: &str| {
            found.insert(if rest.starts_with('{') { "{".to_owned() } else { name(rest) });
        };
        line.split("crate::").skip(1).for_each(&mut take);
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("super::") {
            rest = after;
            let mut supers = 1;
            while let Some(after) = rest.strip_prefix("super::") {
                (rest, supers) = (after, supers + 1);
            }
            if supers == depth + inline.len() {
                take(rest);
            }
        }
        if code.ends_with(" {") && code.trim_start_matches("pub ").starts_with("mod ") {
            inline.push(indentation);
        }
    }
    found
}

#[test]
fn imports_are_found_however_they_are_written() {
    let found = |text: &str, depth: usize| imports(text, depth).into_iter().collect::<Vec<_>>();
    assert_eq!(found("use crate::store::Store;\nlet x = crate::clock::Time::now();", 2), ["clock", "store"]);
    assert_eq!(found("use crate::{cli, store};", 2), ["{"]);
    assert_eq!(found("// crate::cli\n    //! [`crate::cli`]", 2), [""; 0]);
    // In part/file.rs, the second one leads to the root; in part/mod.rs the first.
    assert_eq!(found("use super::super::cli::Api;\nuse super::store;", 2), ["cli"]);
    assert_eq!(found("use super::super::{cli, store};", 2), ["{"]);
    assert_eq!(found("use super::{cli};\nuse super::store;", 1), ["store", "{"]);
    assert_eq!(found("pub(in super::super) fn x() {}", 3), [""; 0]);
    let tests = "mod tests {\n    use super::super::values;\n    use super::super::super::cli;\n}\nuse super::super::api;";
    assert_eq!(found(tests, 2), ["api", "cli"]);
}

#[test]
fn imports_between_parts_go_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let mut wrong = Vec::new();
    for file in &all {
        let inner = file.strip_prefix(&src).unwrap();
        let part = inner.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if matches!(part, "lib" | "main") {
            continue;
        }
        let depth = inner.components().count() - usize::from(inner.ends_with("mod.rs"));
        for import in imports(&std::fs::read_to_string(file).unwrap(), depth) {
            if import == "{" {
                wrong.push(format!("{} takes a group from the root; name each part", inner.display()));
                continue;
            }
            let known = LAYERS.iter().any(|parts| parts.contains(&import.as_str()));
            if known && import != part && layer(&import) <= layer(part) {
                wrong.push(format!("{} imports {import}", inner.display()));
            }
        }
    }
    assert!(all.len() > 50, "the parts were looked at");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
