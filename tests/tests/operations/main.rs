//! The commands that people run a host with: each with what is in Caspio and in the store afterwards.

mod alerts;
mod archives;
mod backup;
mod components;
mod configuration;
mod connections;
mod deleting;
mod events;
mod pausing;
mod restore;
mod retention;
mod status;
mod tail;
mod tar;
mod tokens;
mod versions;

use caspian_e2e::{Answer, ManifestBuilder, Site, binary, until};
use serde_json::Value;

/// Runs the binary without a host, in an environment of its own.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Answer {
    let mut command = tokio::process::Command::new(binary());
    command.args(arguments).env_clear().envs(environment.iter().copied());
    let output = command.output().await.unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Writes its patient's key into Tasks.Title.
fn create() -> ManifestBuilder {
    ManifestBuilder::probe("probe", "create")
        .grant("Tasks", "create")
        .setting("table", "Tasks")
        .setting("field", "Title")
}

/// The titles of all tasks but the seed's, sorted.
async fn titles(site: &Site) -> Vec<String> {
    let rows = site.account.rows("Tasks").await;
    let mut titles: Vec<String> =
        rows.iter().skip(1).map(|row| row["Title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

/// The titles that these patients' runs write, sorted.
fn titles_of(patients: &[i64]) -> Vec<String> {
    let mut titles: Vec<String> = patients.iter().map(i64::to_string).collect();
    titles.sort();
    titles
}

async fn add_patients(site: &Site, count: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(site.account.add_patient(&format!("Patient {n}")).await);
    }
    ids
}

/// Runs of the workflow `probe`, newest first.
async fn probes(site: &Site) -> Vec<Value> {
    let list = site.host.cli(&["run", "list", "--workflow", "probe", "--limit", "1000", "--json"]).await;
    list.json().as_array().unwrap().clone()
}

/// Waits until so many runs of `probe` are in this state.
async fn until_probes(site: &Site, count: usize, state: &str) -> Vec<Value> {
    until(&format!("{count} runs of probe are {state}"), async || {
        let runs = probes(site).await;
        (runs.len() == count && runs.iter().all(|run| run["state"] == state)).then_some(runs)
    })
    .await
}

/// A number from the store, by its own connection.
fn count(site: &Site, sql: &str) -> i64 {
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// How often this was written to the audit log.
fn audited(site: &Site, action: &str) -> i64 {
    count(site, &format!("SELECT count(*) FROM audit WHERE action = '{action}'"))
}

/// What needs a person, as `status` says.
async fn attention(site: &Site) -> Vec<String> {
    let status = site.host.cli(&["status", "--json"]).await.json();
    let texts = status["attention"].as_array().unwrap();
    texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}
