//! How many integration calls were spent, by whom; budgets of connections.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::model::{Cause, ConnectionId, TenantId, WorkflowId};
use crate::store::{CallBudget, CallCount, DELIVERY};

use super::{Control, ControlError, Result};

/// Longest time that is added up, in days.
const MOST_DAYS: u32 = 3660;

/// What calls are added up by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Workflows.
    #[default]
    Workflow,
    /// Actions.
    Action,
    /// Connections.
    Connection,
}

/// What is asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageQuery {
    /// The last so many days, today included; none: since the first of this month.
    pub days: Option<u32>,
    /// What to add up by.
    #[serde(default)]
    pub by: By,
}

/// Calls in a time.
#[derive(Debug, Serialize)]
pub struct UsageView {
    /// First day, UTC.
    pub from: String,
    /// Last day: today, UTC.
    pub to: String,
    /// Calls that this host sent.
    pub calls: u64,
    /// Webhooks that Caspio delivered to it, which Caspio meters as well.
    pub deliveries: u64,
    /// What the lines are about.
    pub by: By,
    /// A line each, the most calls first.
    pub lines: Vec<UsageLine>,
    /// Connections that have a budget.
    pub budgets: Vec<BudgetView>,
}

/// Calls of one workflow, action or connection.
#[derive(Debug, Serialize)]
pub struct UsageLine {
    /// Its name; "(host)" for calls of no workflow.
    pub name: String,
    /// Calls that this host sent.
    pub calls: u64,
    /// Webhooks that Caspio delivered.
    pub deliveries: u64,
}

/// A connection's budget, and what was spent of it.
#[derive(Debug, Serialize)]
pub struct BudgetView {
    /// The connection.
    pub connection: String,
    /// Calls a UTC day; none: as many as wanted.
    pub calls_per_day: Option<u32>,
    /// Calls sent today.
    pub in_day: u64,
    /// Calls a calendar month in UTC; none: as many as wanted.
    pub calls_per_month: Option<u32>,
    /// Calls sent this month.
    pub in_month: u64,
    /// Runs wait until the day or month turns.
    pub used_up: bool,
}

/// A new budget. Neither: none.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBudget {
    /// Calls a UTC day.
    pub calls_per_day: Option<u32>,
    /// Calls a calendar month in UTC.
    pub calls_per_month: Option<u32>,
}

/// Today and the first of its month, UTC.
fn today() -> (String, String) {
    let today: String = Time::now().to_string().chars().take(10).collect();
    let first = today.chars().take(8).chain("01".chars()).collect();
    (today, first)
}

impl Control {
    /// Writes the counters of calls that are still in memory; what could not be written stays there.
    pub async fn write_counters(&self) {
        let clients = self.connector.clients();
        let counts = clients.take_counts();
        if counts.is_empty() {
            return;
        }
        if let Err(error) = self.store.count_calls(counts.clone()).await {
            tracing::warn!(code = error.code(), "counters of calls are not written yet");
            clients.put_back(counts);
        }
    }

    /// Adds up calls.
    ///
    /// # Errors
    /// When the number of days is senseless.
    pub async fn usage(&self, tenant: &TenantId, query: UsageQuery) -> Result<UsageView> {
        let (to, first) = today();
        let from = match query.days {
            None => first,
            Some(days) if (1..=MOST_DAYS).contains(&days) => {
                let earlier = std::time::Duration::from_secs(u64::from(days - 1) * 86_400);
                let since = Time(Time::now().0 - i64::try_from(earlier.as_micros()).unwrap_or(0));
                since.to_string().chars().take(10).collect()
            }
            Some(_) => {
                return Err(ControlError::invalid(
                    "days",
                    format!("the number of days is not usable; give 1 to {MOST_DAYS}"),
                ));
            }
        };
        self.write_counters().await;
        let counts = self.store.calls(tenant, &from).await?;
        let names = self.names(tenant, query.by).await?;
        let mut lines: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for count in &counts {
            let (calls, deliveries) = lines.entry(names.of(count)).or_default();
            let sum = if count.action == DELIVERY { deliveries } else { calls };
            *sum = sum.saturating_add(count.count);
        }
        let mut lines: Vec<UsageLine> = lines
            .into_iter()
            .map(|(name, (calls, deliveries))| UsageLine { name, calls, deliveries })
            .collect();
        lines.sort_by_key(|line| std::cmp::Reverse((line.calls, line.deliveries)));
        let (calls, deliveries) =
            lines.iter().fold((0, 0), |(c, d), line| (c + line.calls, d + line.deliveries));
        Ok(UsageView {
            from,
            to,
            calls,
            deliveries,
            by: query.by,
            lines,
            budgets: self.budgets(tenant).await?,
        })
    }

    async fn names(&self, tenant: &TenantId, by: By) -> Result<Names> {
        Ok(match by {
            By::Action => Names::Action,
            By::Workflow => Names::Workflow(self.store.workflow_names(tenant).await?.into_iter().collect()),
            By::Connection => {
                Names::Connection(self.store.connection_names(tenant).await?.into_iter().collect())
            }
        })
    }

    /// Connections that have a budget, and what was spent of it.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn budgets(&self, tenant: &TenantId) -> Result<Vec<BudgetView>> {
        let (day, month) = today();
        let mut budgets = Vec::new();
        for record in self.store.connections(tenant).await? {
            let CallBudget { per_day, per_month } = record.budget;
            if per_day.is_none() && per_month.is_none() {
                continue;
            }
            let in_day = self.store.spent(tenant, record.id, &day).await?;
            let in_month = self.store.spent(tenant, record.id, &month).await?;
            let beyond = |limit: Option<u32>, used| limit.is_some_and(|limit| used >= u64::from(limit));
            budgets.push(BudgetView {
                connection: record.name,
                calls_per_day: per_day,
                in_day,
                calls_per_month: per_month,
                in_month,
                used_up: beyond(per_day, in_day) || beyond(per_month, in_month),
            });
        }
        Ok(budgets)
    }

    /// Gives a connection another budget; runs that wait for the old one are looked at again.
    ///
    /// # Errors
    /// When there is no such connection, or the numbers are senseless.
    pub async fn set_budget(&self, tenant: &TenantId, name: &str, new: NewBudget) -> Result<()> {
        let record = self.connection_record(tenant, name).await?;
        if new.calls_per_day == Some(0) || new.calls_per_month == Some(0) {
            return Err(ControlError::invalid(
                "budget",
                "a budget of no calls lets nothing run; give at least 1, or pause the workflows instead",
            ));
        }
        let budget = CallBudget { per_day: new.calls_per_day, per_month: new.calls_per_month };
        // What is in memory belongs to what was spent, should the connection be opened for the first time just now.
        self.write_counters().await;
        self.connector.connect(record.id).await?;
        self.store.set_budget(record.id, budget).await?;
        self.connector.clients().set_budget(record.id, budget);
        self.store.hurry(record.id, Cause::Budget, Time::now()).await?;
        self.wake.notify_one();
        let said = |limit: Option<u32>| limit.map_or("none".to_owned(), |n| n.to_string());
        let subject = format!("{name} day {} month {}", said(budget.per_day), said(budget.per_month));
        self.audit(tenant, "connection.budget", &subject).await
    }
}

/// Names of what lines are about.
enum Names {
    Action,
    Workflow(HashMap<WorkflowId, String>),
    Connection(HashMap<ConnectionId, String>),
}

impl Names {
    fn of(&self, count: &CallCount) -> String {
        let gone = || "(removed)".to_owned();
        match self {
            Self::Action => count.action.clone(),
            Self::Workflow(names) => match &count.workflow {
                Some(workflow) => names.get(workflow).cloned().unwrap_or_else(gone),
                None => "(host)".to_owned(),
            },
            Self::Connection(names) => names.get(&count.connection).cloned().unwrap_or_else(gone),
        }
    }
}
