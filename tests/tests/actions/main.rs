//! Actions beside records of tables: views, numbers, attachments, files, directories, tasks; types and conditions.

mod conditions;
mod crashes;
mod grants;
mod kinds;
mod subjects;

use caspian_e2e::{ManifestBuilder, Site};
use serde_json::Value;

/// Every grant that the modes of the probe need on the sample clinic.
fn probe(mode: &str) -> ManifestBuilder {
    named("probe", mode)
}

/// The same under another name.
fn named(name: &str, mode: &str) -> ManifestBuilder {
    ManifestBuilder::probe(name, mode)
        .grant("Patients", "read")
        .grant("Documents", "read update")
        .grants("views = { ActivePatients = [\"read\"], PatientVisits = [\"read\"] }")
        .grants("attachments = { Documents = [\"Scan\", \"Title\"] }")
        .grants("files = [\"read\", \"write\", \"delete\"]")
        .grants("directories = { Staff = [\"read\", \"create\", \"update\", \"delete\", \"activate\"] }")
        .grants("tasks = [\"Import contacts\"]")
}

/// What the run answered to one of its calls.
fn line<'a>(run: &'a Value, call: &str) -> &'a str {
    let result = run["result"].as_str().unwrap_or_else(|| panic!("no result: {run:#}"));
    let found = result.lines().find_map(|line| line.strip_prefix(call)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no '{call}' in: {result}"))
}

/// Checks lines of a run: exactly the text, or, with a leading `~`, a part of it.
fn assert_lines(run: &Value, wanted: &[(&str, &str)]) {
    for (call, text) in wanted {
        let found = line(run, call);
        match text.strip_prefix('~') {
            Some(part) => assert!(found.contains(part), "{call}: {found}"),
            None => assert_eq!(found, *text, "{call}, of: {}", run["result"].as_str().unwrap()),
        }
    }
}

/// The clinic, and a run of the probe in this mode.
async fn ran(mode: &str) -> (Site, Value) {
    let site = Site::start().await;
    let run = site.one_run(&probe(mode), &["succeeded"]).await;
    (site, run)
}
