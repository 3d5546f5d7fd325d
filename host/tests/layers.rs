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
    &["coverage", "scheduler"],
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

/// Names behind `crate::`, outside of comments.
fn imports(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn imports_between_parts_go_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let mut upward = Vec::new();
    for file in &all {
        let inner = file.strip_prefix(&src).unwrap();
        let part = inner.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if matches!(part, "lib" | "main") {
            continue;
        }
        for import in imports(&std::fs::read_to_string(file).unwrap()) {
            let known = LAYERS.iter().any(|parts| parts.contains(&import.as_str()));
            if known && import != part && layer(&import) <= layer(part) {
                upward.push(format!("{} imports {import}", inner.display()));
            }
        }
    }
    assert!(all.len() > 50, "the parts were looked at");
    assert!(upward.is_empty(), "{upward:#?}");
}
