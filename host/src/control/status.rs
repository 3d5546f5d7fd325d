//! How a host is doing, at a glance.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Time;
use crate::model::{Cause, RunState, TenantId, WorkflowState};
use crate::runtime::ComponentDigest;
use crate::store::WebhookStage;

use super::{Control, Result};

/// How long a refused message is worth a look.
const REFUSED: Duration = Duration::from_secs(24 * 3600);

/// State of the host as a tenant sees it.
#[derive(Debug, Serialize)]
pub struct StatusView {
    /// Version of the host.
    pub version: &'static str,
    /// Components are loaded, or are named below.
    pub ready: bool,
    /// Where Caspio reaches it.
    pub public_url: Option<String>,
    /// Runs by state.
    pub runs: BTreeMap<String, u64>,
    /// Workflows by state.
    pub workflows: BTreeMap<String, u64>,
    /// What needs a person, one sentence each with what to do.
    pub attention: Vec<String>,
}

impl Control {
    /// Health, queue, and what needs a person.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn status(&self, tenant: &TenantId, ready: bool) -> Result<StatusView> {
        let totals = self.store.run_totals(Some(tenant)).await?;
        let mut workflows: BTreeMap<String, u64> = BTreeMap::new();
        let mut attention = Vec::new();
        let (mut parked, mut restored, mut dead) = (0, 0, 0);
        for letters in self.store.letter_counts(tenant).await? {
            match (letters.state, letters.cause) {
                (RunState::Parked, Some(Cause::Restored)) => restored += letters.count,
                (RunState::Parked, _) => parked += letters.count,
                _ => dead += letters.count,
            }
        }
        for (n, what, next) in [
            (
                parked,
                "parked: a person must look whether Caspio did what was sent",
                "see: caspian run list --state parked",
            ),
            (
                restored,
                "parked (restored): the original host may have gone on; where it did not",
                "let them go on: caspian run resume --cause restored",
            ),
            (dead, "dead", "see: caspian run list --state dead"),
        ] {
            if n > 0 {
                let runs = if n == 1 { "run is" } else { "runs are" };
                attention.push(format!("{n} {runs} {what}; {next}"));
            }
        }
        for connection in self.store.waiting_connections(tenant).await? {
            attention.push(format!(
                "Caspio refuses the credentials of '{connection}', its runs wait; give it a new secret: caspian connection rotate {connection}"
            ));
        }
        for (host, held, names) in self.connector.clients().silent(Some(tenant)) {
            let next = match held.half_open {
                true => "it is being tried at this moment".to_owned(),
                false => format!("it is tried again in {} s", held.next.as_secs() + 1),
            };
            attention.push(format!(
                "Caspio at {host} does not answer since {}, the runs of {} wait and go on by themselves; {next}, or now: \
                 caspian connection check {}",
                held.since,
                names.join(", "),
                names.first().map_or("", String::as_str)
            ));
        }
        for needed in self.store.needed_components(Some(tenant)).await? {
            if let Some(error) = self.runtime.failure(&ComponentDigest(needed.component)) {
                attention.push(format!(
                    "the component of '{}' version {} can't be loaded: {error}",
                    needed.workflow, needed.version
                ));
            }
        }
        if let Some((n, error)) = self.untold().await? {
            let alerts = if n == 1 { "alert is" } else { "alerts are" };
            attention
                .push(format!("{n} {alerts} not taken ({error}) and told again; see: caspian alert list"));
        }
        for (workflow, n) in self.store.held_up(tenant).await? {
            let (runs, hold) = if n == 1 { ("run", "holds") } else { ("runs", "hold") };
            attention.push(format!(
                "{n} dead or parked {runs} of '{workflow}' {hold} up later ones of the same record; decide about them, see: \
                 caspian run letters"
            ));
        }
        self.write_counters().await;
        for budget in self.budgets(tenant).await?.into_iter().filter(|budget| budget.used_up) {
            let name = budget.connection;
            attention.push(format!(
                "the budget of integration calls of '{name}' is used up, its runs wait for the next day or month; raise it \
                 with: caspian connection budget {name}"
            ));
        }
        for (workflow, n) in self.store.waiting_workflows(tenant, Cause::RecordPace).await? {
            let (runs, wait) = if n == 1 { ("run", "waits") } else { ("runs", "wait") };
            attention.push(format!(
                "{n} {runs} of '{workflow}' {wait}: a record started more in a minute than \
                 loop.record_runs_per_minute allows; is there a loop through another system? see: caspian run list --workflow {workflow}"
            ));
        }
        for workflow in self.store.workflows(tenant).await? {
            *workflows.entry(workflow.state.to_string()).or_default() += 1;
            let Some(webhook) = self.store.webhook_of(workflow.id).await? else { continue };
            if webhook.stage != WebhookStage::Ready && webhook.trouble.is_none() {
                let (name, stage) = (&workflow.name, webhook.stage.as_str());
                let next = match (webhook.stage, workflow.state) {
                    (WebhookStage::Removing, _) => format!(", or: caspian workflow deactivate {name}"),
                    // Activating would end the pause.
                    (_, WorkflowState::Paused) => String::new(),
                    _ => format!(", or: caspian workflow activate {name}"),
                };
                attention.push(format!(
                    "the webhook of '{name}' is {stage}, not finished; the host goes on trying, see its log{next}"
                ));
            }
            if let Some(trouble) = &webhook.trouble {
                let then = if trouble.contains("; ") { ", then" } else { "; mend it with" };
                attention.push(format!(
                    "the webhook of '{}' is not as it should be: {trouble}{then}: caspian trigger repair {0}",
                    workflow.name
                ));
            }
            // Older ones are still counted at the workflow.
            let lately = |at: Time| Time::now().since(at) < REFUSED;
            if webhook.rejected.last_at.is_some_and(lately) {
                let n = webhook.rejected.count;
                let messages = if n == 1 { "message" } else { "messages" };
                attention.push(format!(
                    "{n} {messages} to '{}' refused; see: caspian workflow show {0}",
                    workflow.name
                ));
            }
            if workflow.state == WorkflowState::Paused {
                attention
                    .push(format!("'{}' is paused; go on with: caspian workflow resume {0}", workflow.name));
            }
        }
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION"),
            ready,
            public_url: self.public_url.clone(),
            runs: totals.into_iter().map(|(state, n)| (state.to_string(), n)).collect(),
            workflows,
            attention,
        })
    }
}
