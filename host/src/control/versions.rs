//! Versions of a workflow: what there was, and going back to one.
//!
//! A version never changes. Going back makes an earlier one active again, under its number; runs that were begun end on the
//! version that they began on. Webhook and schedules follow as after a deploy, with the same checks before and the same way
//! on after a failure. `the one before` is the version that was active until the active one was deployed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::faults;
use crate::manifest::Manifest;
use crate::model::{RunState, TenantId, WorkflowState};
use crate::runtime::ComponentDigest;
use crate::store::{AuditEntry, PastVersion, VersionRecord};

use super::{ADMIN, Control, ControlError, DeployView, Kind, Result};

/// The versions of a workflow.
#[derive(Debug, Serialize)]
pub struct HistoryView {
    /// The workflow.
    pub workflow: String,
    /// The version that runs bind to when they are claimed first.
    pub active: u32,
    /// Runs that wait for their first claim.
    pub unbound: u64,
    /// Newest first.
    pub versions: Vec<VersionView>,
}

/// A version.
#[derive(Debug, Serialize)]
pub struct VersionView {
    /// Number.
    pub version: u32,
    /// It is the active one.
    pub active: bool,
    /// When it was deployed.
    pub deployed_at: String,
    /// Who deployed it.
    pub by: String,
    /// SHA-256 of its component.
    pub component: String,
    /// Bytes of the component; none when its file is gone.
    pub size: Option<u64>,
    /// Its component is the one of the version before.
    pub same_component: bool,
    /// The contract that the component was checked against.
    pub contract: String,
    /// Its connection.
    pub connection: String,
    /// The version that was active until it was deployed.
    pub before: Option<u32>,
    /// What is different in its manifest since then: keys with `+`, `-`, or old and new value.
    pub changes: Vec<String>,
    /// Its runs by state.
    pub runs: BTreeMap<String, u64>,
}

/// Where to go back to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The version; the one before when left out.
    pub version: Option<u32>,
}

impl Control {
    /// All versions of a workflow.
    ///
    /// # Errors
    /// When there is no such workflow.
    pub async fn history(&self, tenant: &TenantId, name: &str) -> Result<HistoryView> {
        let workflow = self.workflow_named(tenant, name).await?;
        let all = self.store.history(workflow.id).await?;
        let names: BTreeMap<_, _> = self.store.connection_names(tenant).await?.into_iter().collect();
        let total = self.store.run_counts(workflow.id).await?;
        let waiting: u64 = total.iter().filter(|(s, _)| *s == RunState::Queued).map(|(_, n)| n).sum();
        let bound = all.iter().flat_map(|v| &v.runs).filter(|(s, _)| *s == RunState::Queued).map(|(_, n)| n);
        let unbound = waiting.saturating_sub(bound.sum());
        let view = |x: &PastVersion| {
            let v = &x.version;
            let digest = ComponentDigest(v.component);
            let before = x.before.and_then(|n| all.iter().find(|other| other.version.number == n));
            VersionView {
                version: v.number,
                active: v.number == workflow.active_version,
                deployed_at: v.created_at.to_string(),
                by: x.actor.clone(),
                component: digest.to_string(),
                size: std::fs::metadata(self.component_file(digest)).ok().map(|m| m.len()),
                same_component: before.is_some_and(|b| b.version.component == v.component),
                contract: x.contract.clone(),
                connection: names.get(&v.connection).cloned().unwrap_or_default(),
                before: x.before,
                changes: before.map(|b| changes(&b.version.manifest, &v.manifest)).unwrap_or_default(),
                runs: x.runs.iter().map(|(state, n)| (state.to_string(), *n)).collect(),
            }
        };
        let versions = all.iter().map(view).collect();
        Ok(HistoryView { workflow: workflow.name, active: workflow.active_version, unbound, versions })
    }

    /// Makes an earlier version the active one.
    ///
    /// # Errors
    /// When there is none, or it can't work any more: nothing was changed then. When only the change of triggers failed, the
    /// version is active, and the error says so.
    pub async fn roll_back(
        &self,
        tenant: &TenantId,
        name: &str,
        request: RollbackRequest,
    ) -> Result<DeployView> {
        let workflow = self.workflow_named(tenant, name).await?;
        let from = workflow.active_version;
        let version = self.earlier(&workflow, request.version).await?;
        let manifest = Manifest::parse(&version.manifest).map_err(|e| {
            conflict(
                "version-manifest",
                format!(
                    "the manifest of version {} is none for this caspian any more ({e}); correct it and deploy it anew",
                    version.number
                ),
            )
        })?;
        let connection = self.store.connection(version.connection).await?.ok_or_else(|| {
            conflict(
                "version-connection",
                format!(
                    "the connection of version {} was removed; deploy its manifest anew, with another connection",
                    version.number
                ),
            )
        })?;
        let digest = ComponentDigest(version.component);
        self.check_version(Some(&workflow), &connection, &manifest, digest).await?;

        faults::pass("rollback.before-commit");
        let entry = AuditEntry {
            tenant: tenant.clone(),
            at: Time::now(),
            actor: ADMIN.to_owned(),
            action: "workflow.rollback".to_owned(),
            subject: format!("{name} from version {from} to {}", version.number),
        };
        if !self.store.roll_back(workflow.id, from, version.number, entry).await? {
            return Err(conflict(
                "changed",
                format!("another version became active meanwhile; see: caspian workflow history {name}"),
            ));
        }
        faults::pass("rollback.after-commit");
        if workflow.state != WorkflowState::Inactive {
            self.follow(tenant, name, version.number, false).await?;
        }
        self.wake.notify_one();
        let workflow = self.workflow_named(tenant, name).await?;
        Ok(DeployView { workflow: workflow.name, version: version.number, state: workflow.state })
    }

    /// The version that was asked for, else the one before the active one.
    async fn earlier(
        &self,
        workflow: &crate::store::WorkflowRecord,
        asked: Option<u32>,
    ) -> Result<VersionRecord> {
        let (name, active) = (&workflow.name, workflow.active_version);
        let number = match asked {
            Some(number) => number,
            None => {
                let history = self.store.history(workflow.id).await?;
                let before = history.iter().find(|x| x.version.number == active).and_then(|x| x.before);
                before.ok_or_else(|| {
                    conflict(
                        "no-earlier-version",
                        format!("no version was active before version {active}; name one: caspian workflow history {name}"),
                    )
                })?
            }
        };
        if number == active {
            return Err(conflict(
                "version-active",
                format!("version {number} is the active one; see: caspian workflow history {name}"),
            ));
        }
        self.store.version(workflow.id, number).await?.ok_or_else(|| {
            ControlError::not_found(
                "version-not-found",
                format!(
                    "the workflow '{name}' has no version {number}; see: caspian workflow history {name}"
                ),
            )
        })
    }
}

fn conflict(code: &str, text: String) -> ControlError {
    ControlError::new(Kind::Conflict, code, text)
}

/// What differs between two manifests, by key. Settings may be anything, so their values are left out.
fn changes(before: &str, after: &str) -> Vec<String> {
    let keys = |text: &str| {
        let mut found = BTreeMap::new();
        if let Ok(table) = text.parse::<toml::Table>() {
            flatten("", &toml::Value::Table(table), &mut found);
        }
        found
    };
    let (before, after) = (keys(before), keys(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let line = |name: &String| match (before.get(name), after.get(name)) {
        (None, Some(_)) if hidden(name) => Some(format!("+ {name}")),
        (None, Some(new)) => Some(format!("+ {name} = {new}")),
        (Some(_), None) => Some(format!("- {name}")),
        (Some(old), Some(new)) if old == new => None,
        (Some(_), Some(_)) if hidden(name) => Some(format!("{name} (another value)")),
        (Some(old), Some(new)) => Some(format!("{name} = {new} (was {old})")),
        (None, None) => None,
    };
    names.into_iter().filter_map(line).collect()
}

fn hidden(name: &str) -> bool {
    name.starts_with("settings.")
}

fn flatten(path: &str, value: &toml::Value, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        toml::Value::Table(table) if !table.is_empty() => {
            for (name, value) in table {
                flatten(&below(name), value, found);
            }
        }
        toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
            for (index, value) in list.iter().enumerate() {
                flatten(&format!("{path}[{}]", index + 1), value, found);
            }
        }
        value => {
            found.insert(path.to_owned(), value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::changes;

    #[test]
    fn what_changed_is_said_by_key_and_settings_without_values() {
        let before = "name = \"w\"\n[[trigger]]\ntable = \"A\"\n[limits]\nfuel = 1\n[settings]\nkey = \"secret\"\nold = 1\n";
        let after = "name = \"w\"\n[[trigger]]\ntable = \"B\"\n[retry]\nattempts = 2\n[settings]\nkey = \"other\"\nnew = 1\n";
        assert_eq!(
            changes(before, after),
            [
                "- limits.fuel",
                "+ retry.attempts = 2",
                "settings.key (another value)",
                "+ settings.new",
                "- settings.old",
                "trigger[1].table = \"B\" (was \"A\")",
            ]
        );
    }
}
