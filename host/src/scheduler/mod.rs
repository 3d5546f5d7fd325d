//! Takes queued runs and lets them be executed.
//!
//! One loop claims due runs, as many as there is room for, in one commit; each then executes in a
//! task of its own. Which ones is the store's choice, fair between tenants and workflows (`store/fair.rs`). It sleeps until a run falls
//! due, a place gets free, or a new run is announced. Runs of a connection that takes no calls now are left queued. After a start, runs that an earlier process
//! left `running` are queued again. When the store fails, the loop waits and goes on.

mod schedules;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore, watch};

use crate::clock::{self, Time};
use crate::execution::Executor;
use crate::model::Cause;
use crate::store::{Claim, Claimed, ClaimedRun, ShareSettings, StoreError};

pub use schedules::Schedules;

/// How long a shutdown waits for effects under way after the grace time: an effect's own timeout.
const EFFECTS: Duration = Duration::from_secs(60);

/// `[scheduler]` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SchedulerSettings {
    /// Runs executed at the same time. Default 64: a run mostly waits for Caspio, which allows a few
    /// calls a second; more would only hold memory.
    pub concurrency: usize,
    /// Runs executed at the same time against one integration host (an account of Caspio), of all its connections. Default
    /// 48: an account that answers slowly leaves a quarter of the places to the others.
    pub runs_per_host: u32,
    /// Weights of tenants, when more runs are due than there are places, e.g. `{ clinic = 3 }`; one that is not named has 1.
    /// Default none: all are equal.
    pub tenant_weights: BTreeMap<String, u32>,
    /// What `run.weight` of a manifest counts for at most. Default 10: a workflow that is ten times as important as the others gets
    /// nearly all places already.
    pub max_weight: u32,
    /// Days for which it is known how new the newest event of a record is that a workflow is done with, where older
    /// ones are skipped. Default 30: a webhook that is older comes no more.
    pub remember_done_days: u32,
    /// Seconds that a claim is marked to hold. Default 300. Of use to stores that several hosts share; a data folder has
    /// one host, and takes runs back at its start only.
    pub lease_seconds: u64,
    /// Longest pause between looks for due runs, in seconds. Default 5; only a safety net, since
    /// new and due runs wake the loop.
    pub idle_seconds: u64,
    /// Seconds that a shutdown waits for runs under way. Default 20: most runs are shorter, and with the time that
    /// an effect may still take it stays below the 90 s that service managers wait.
    pub grace_seconds: u64,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            runs_per_host: 48,
            tenant_weights: BTreeMap::new(),
            max_weight: 10,
            remember_done_days: 30,
            lease_seconds: 300,
            idle_seconds: 5,
            grace_seconds: 20,
        }
    }
}

/// See the module's text.
pub struct Scheduler {
    executor: Executor,
    settings: SchedulerSettings,
    shares: Arc<ShareSettings>,
    wake: Arc<Notify>,
    room: Arc<Semaphore>,
    /// Says true when runs under way must end where they are.
    cut: watch::Sender<bool>,
}

impl Scheduler {
    /// A scheduler that `wake` tells of new runs.
    #[must_use]
    pub fn new(executor: Executor, settings: SchedulerSettings, wake: Arc<Notify>) -> Self {
        let room = Arc::new(Semaphore::new(settings.concurrency.max(1)));
        let shares = Arc::new(ShareSettings {
            tenant_weights: settings.tenant_weights.clone(),
            max_weight: settings.max_weight.max(1),
            runs_per_host: settings.runs_per_host.max(1),
        });
        Self { executor, settings, shares, wake, room, cut: watch::Sender::new(false) }
    }

    /// Queues what an earlier process left running. Call once, before [`run`](Self::run).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recover(&self) -> Result<(), StoreError> {
        let parts = self.executor.parts();
        let (queued, dead) = parts.store.recover(Time::now(), parts.retry.max_host_crashes).await?;
        if queued + dead > 0 {
            tracing::warn!(queued, dead, "runs were under way when the host ended; they go on");
        }
        Ok(())
    }

    /// Works until `stop` says true. Then the runs under way may end within the grace time; those that
    /// don't are cut off and queued again, after an effect that is under way has its answer.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let pause = match self.claim().await {
                Ok(claimed) if !claimed.runs.is_empty() => {
                    self.start(claimed.runs);
                    Duration::ZERO
                }
                Ok(claimed) => self.until_due(claimed.next_at),
                Err(error) => {
                    tracing::error!(code = error.code(), "runs can't be claimed; trying again");
                    Duration::from_secs(1)
                }
            };
            if !pause.is_zero() {
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = clock::sleep(pause) => {}
                    _ = stop.changed() => {}
                }
            }
        }
        let all = u32::try_from(self.settings.concurrency.max(1)).unwrap_or(u32::MAX);
        let grace = Duration::from_secs(self.settings.grace_seconds);
        if tokio::time::timeout(grace, self.room.acquire_many(all)).await.is_err() {
            tracing::warn!("runs are still under way after the grace time; they are handed back");
            self.cut.send_replace(true);
            if tokio::time::timeout(EFFECTS, self.room.acquire_many(all)).await.is_err() {
                tracing::warn!(
                    "effects are still without an answer; they are looked at after the next start"
                );
            }
        }
    }

    async fn claim(&self) -> Result<Claimed, StoreError> {
        let limit = self.room.available_permits();
        if limit == 0 {
            return Ok(Claimed { runs: Vec::new(), next_at: None });
        }
        let parts = self.executor.parts();
        let now = Time::now();
        let claim = Claim {
            owner: parts.owner.clone(),
            limit,
            now,
            lease_until: now.after(Duration::from_secs(self.settings.lease_seconds)),
            blocked: parts.connector.clients().without_budget(),
            no_calls_left: parts.connector.clients().no_calls_left(),
            shares: self.shares.clone(),
        };
        crate::faults::pass("scheduler.before-claim");
        let began = Instant::now();
        let claimed = parts.store.claim(claim).await?;
        if !claimed.runs.is_empty() {
            metrics::histogram!("caspian_claim_seconds").record(began.elapsed());
        }
        crate::faults::pass("scheduler.after-claim");
        Ok(claimed)
    }

    fn start(&self, claimed: Vec<ClaimedRun>) {
        for run in claimed {
            // There was room for all of them, and only this loop takes it.
            let Ok(permit) = self.room.clone().try_acquire_owned() else { return };
            let (executor, wake, cut) = (self.executor.clone(), self.wake.clone(), self.cut.subscribe());
            tokio::spawn(async move {
                let (id, parked) = (run.id, executor.clone());
                // A fault of the host in one run must neither go unseen nor leave the run under way for ever.
                let executed = tokio::spawn(async move { executor.execute(run, cut).await }).await;
                if executed.is_err() {
                    tracing::error!(run = %id, "the host failed while it executed the run, which is parked");
                    parked.park(id, Cause::HostCrash).await;
                }
                drop(permit);
                wake.notify_one();
            });
        }
    }

    /// How long until the next run is due, at most the idle time. Without room, a run that ends wakes the loop; as it
    /// does for runs that are due and wait for their turn.
    fn until_due(&self, next_at: Option<Time>) -> Duration {
        let idle = Duration::from_secs(self.settings.idle_seconds.max(1));
        if self.room.available_permits() == 0 {
            return idle;
        }
        let due = next_at.map_or(idle, |due| due.since(Time::now()));
        // A run that is due may wait for its connection's budget.
        let budget = self.executor.parts().connector.clients().next_budget();
        let budget = budget.map_or(idle, |budget| budget.max(Duration::from_millis(20)));
        due.min(budget).min(idle)
    }
}
