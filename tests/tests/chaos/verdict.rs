//! What came out of a schedule, beside what comes out without faults.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use crate::kinds::{Kind, Promise};
use crate::run::Life;

/// Results of these say how many records there were, not which.
const TOLD: [&str; 4] = ["update", "delete", "touch", "reader"];

/// How often each text is there.
type Counted = BTreeMap<String, usize>;

/// See the file's text.
#[derive(Debug, Default)]
pub struct Outcome {
    /// By table: rows without what Caspio and the host choose.
    tables: BTreeMap<String, Counted>,
    /// Runs by workflow and record; and what they say.
    runs: Counted,
}

impl Outcome {
    /// Of a site that is quiet.
    pub async fn of(life: &mut Life, kinds: &[Kind], runs: &[Value]) -> Result<Self> {
        let mut outcome = Self::default();
        for kind in kinds {
            let mut counted = Counted::new();
            for row in life.account.rows(kind.table).await {
                *counted.entry(plain(row)).or_default() += 1;
            }
            if kind.name == "tally" {
                // Each run adds one, once: what it comes to is a row like any other.
                let state = life.json(&["workflow", "state", "get", kind.name, "runs", "--json"]).await?;
                counted.insert(format!("state {}", state["text"]), 1);
            }
            outcome.tables.insert(kind.table.to_owned(), counted);
            if !kind.is_told_of_people() {
                continue;
            }
            for run in runs.iter().filter(|run| run["workflow"] == kind.name && run["state"] != "skipped") {
                let said = if TOLD.contains(&kind.name) {
                    let id = run["id"].as_str().unwrap_or_default();
                    life.run(id).await?["result"].to_string()
                } else {
                    String::new()
                };
                let what = format!("{} {} {} {said}", kind.name, run["event"], run["pk_id"]);
                *outcome.runs.entry(what).or_default() += 1;
            }
        }
        Ok(outcome)
    }

    /// What is wrong with it before people resolve anything: rows that are there twice.
    pub fn twice(&self, kinds: &[Kind], reference: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        for kind in kinds.iter().filter(|kind| kind.promise == Promise::NoneTwice) {
            more(&self.tables[kind.table], &reference.tables[kind.table], kind.table, &mut wrong);
        }
        wrong
    }

    /// What is wrong with it at the end.
    pub fn compare(&self, kinds: &[Kind], reference: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        less(&self.runs, &reference.runs, "runs", &mut wrong);
        more(&self.runs, &reference.runs, "runs", &mut wrong);
        for kind in kinds {
            let (ours, theirs) = (&self.tables[kind.table], &reference.tables[kind.table]);
            match kind.promise {
                Promise::Equal | Promise::NoneTwice => {
                    less(ours, theirs, kind.table, &mut wrong);
                    more(ours, theirs, kind.table, &mut wrong);
                }
                Promise::NoneMissing => {
                    let missing = theirs.keys().find(|row| !ours.contains_key(*row));
                    wrong.extend(missing.map(|row| format!("lost: {}: {row}", kind.table)));
                    let strange = ours.keys().find(|row| !theirs.contains_key(*row));
                    wrong.extend(strange.map(|row| format!("diverged: {}: {row}", kind.table)));
                }
                Promise::Different => {
                    if let Some((row, _)) = ours.iter().find(|(_, count)| **count > 1) {
                        wrong.push(format!("doubled: {}: {row}", kind.table));
                    }
                    let (ours, theirs) = (ours.len(), theirs.len());
                    if ours != theirs {
                        let what = if ours < theirs { "lost" } else { "doubled" };
                        wrong.push(format!("{what}: {}: {ours} rows instead of {theirs}", kind.table));
                    }
                }
            }
        }
        wrong
    }
}

fn less(ours: &Counted, theirs: &Counted, what: &str, wrong: &mut Vec<String>) {
    for (text, count) in theirs {
        let there = ours.get(text).copied().unwrap_or(0);
        if there < *count {
            wrong.push(format!("lost: {what}: {there} instead of {count}: {text}"));
        }
    }
}

fn more(ours: &Counted, theirs: &Counted, what: &str, wrong: &mut Vec<String>) {
    for (text, count) in ours {
        let there = theirs.get(text).copied().unwrap_or(0);
        if *count > there {
            // What nobody expects was not doubled: something else was done.
            let class = if there > 0 { "doubled" } else { "diverged" };
            wrong.push(format!("{class}: {what}: {count} instead of {there}: {text}"));
        }
    }
}

/// Without its key, and without the host's stamp.
fn plain(mut row: Value) -> String {
    if let Some(row) = row.as_object_mut() {
        row.remove("PK_ID");
        row.retain(|_, value| !value.as_str().is_some_and(|text| text.starts_with("caspian-")));
        row.retain(|_, value| !value.is_null() && value != "");
    }
    row.to_string()
}
