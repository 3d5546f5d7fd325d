//! What a host does besides: components made ready, webhooks finished and looked after, a silent Caspio probed, counters
//! written, the operator told, tombstones, old writes and what was kept long enough dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::{self, Time};
use crate::control::Patrol;
use crate::runtime::ComponentDigest;
use crate::triggers::Left;

use super::host::Host;

/// How often counters of calls are written. A crash loses at most so much of them.
const COUNTERS: Duration = Duration::from_secs(5);
/// First and longest pause between tries to finish webhooks.
const MEND: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// Longest pause when Caspio refused all that is unfinished: each try spends calls, and a person must act first.
const MEND_REFUSED: Duration = Duration::from_secs(3600);
/// Longest pause between looks for webhooks that are due to be compared with Caspio.
const PATROL: Duration = Duration::from_secs(60);
/// How often ended tombstones are looked for.
const TOMBSTONES: Duration = Duration::from_secs(3600);
/// How often it is looked for what was kept long enough.
const PURGE: Duration = Duration::from_secs(3600);
/// How often registered writes are looked for that no webhook is expected for any more.
const OWN_WRITES: Duration = Duration::from_secs(60);

pub(super) struct Background {
    tasks: Vec<JoinHandle<()>>,
}

pub(super) fn start(host: &Arc<Host>, stop: watch::Receiver<bool>) -> Background {
    let tasks = vec![
        tokio::spawn(until(stop.clone(), prepare(host.clone()))),
        tokio::spawn(until(stop.clone(), mend(host.clone()))),
        tokio::spawn(until(stop.clone(), patrol(host.clone()))),
        tokio::spawn(until(stop.clone(), count(host.clone()))),
        tokio::spawn(until(stop.clone(), tombstones(host.clone()))),
        tokio::spawn(until(stop.clone(), cover(host.clone()))),
        tokio::spawn(until(stop.clone(), schedules(host.clone()))),
        tokio::spawn(until(stop.clone(), purge(host.clone()))),
        tokio::spawn(until(stop.clone(), probe(host.clone()))),
        tokio::spawn(until(stop.clone(), alerts(host.clone()))),
        tokio::spawn(until(stop, own_writes(host.clone()))),
    ];
    Background { tasks }
}

impl Background {
    /// Waits for all of it, and writes what is left of the counters.
    pub(super) async fn finish(self, host: &Host) {
        for task in self.tasks {
            let _ = task.await;
        }
        host.control.write_counters().await;
    }
}

async fn until(mut stop: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = work => {}
    }
}

/// Compiled code may be missing after an upgrade: it is made before the host calls itself ready.
async fn prepare(host: Arc<Host>) {
    match host.store.active_components().await {
        Ok(components) => {
            for digest in components.into_iter().map(ComponentDigest) {
                let file = host.data.components().join(format!("{digest}.wasm"));
                if let Err(error) = host.runtime.prepare(&digest, &file).await {
                    tracing::error!(%error, component = %digest, "a deployed component can't be loaded");
                }
            }
        }
        Err(error) => tracing::error!(code = error.code(), "deployed components can't be listed"),
    }
    host.set_ready();
    tracing::info!("ready");
}

async fn mend(host: Arc<Host>) {
    let (mut pause, mut longest) = MEND;
    loop {
        match host.triggers.resume().await {
            Ok(Left { all: 0, .. }) => {
                pause = MEND.0;
                // Tables of webhooks that are ready now may be due.
                host.coverage.wake();
                host.triggers.until_unfinished().await;
                // Whoever left it so may be trying again at this moment.
            }
            Ok(left) => {
                longest = if left.soon > 0 { MEND.1 } else { MEND_REFUSED };
                tracing::warn!(left = left.all, "webhooks are not finished; trying again");
            }
            Err(error) => tracing::error!(code = error.code(), "webhooks can't be looked at; trying again"),
        }
        clock::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// Whether Caspio answers again is found out by the host, not by runs.
async fn probe(host: Arc<Host>) {
    host.connector.clients().probe(&host.wake).await;
}

/// The operator is told of what needs a person.
async fn alerts(host: Arc<Host>) {
    host.alerts.run().await;
}

async fn schedules(host: Arc<Host>) {
    host.schedules.run().await;
}

async fn cover(host: Arc<Host>) {
    host.coverage.run().await;
}

/// Webhooks are compared with Caspio when they are due.
async fn patrol(host: Arc<Host>) {
    let every = Duration::from_secs(host.triggers.settings().check_seconds);
    let mut patrol = Patrol::default();
    loop {
        if let Err(error) = patrol.walk(&host.control).await {
            tracing::error!(%error, "webhooks can't be looked after; trying again");
        }
        clock::sleep(PATROL.min(every / 10)).await;
    }
}

async fn count(host: Arc<Host>) {
    loop {
        clock::sleep(COUNTERS).await;
        host.control.write_counters().await;
    }
}

async fn tombstones(host: Arc<Host>) {
    loop {
        match host.store.drop_tombstones(Time::now()).await {
            Ok(0) => {}
            Ok(dropped) => {
                tracing::info!(dropped, "tombstones of removed webhooks ended");
                host.hooks.forget_all();
            }
            Err(error) => tracing::warn!(code = error.code(), "tombstones can't be dropped"),
        }
        clock::sleep(TOMBSTONES).await;
    }
}

async fn purge(host: Arc<Host>) {
    loop {
        if let Err(error) = host.control.purge_all().await {
            tracing::warn!(%error, "what was kept long enough can't be removed; trying again in an hour");
        }
        clock::sleep(PURGE).await;
    }
}

async fn own_writes(host: Arc<Host>) {
    loop {
        // An event that came in time may wait as long again.
        let kept = host.lineage.window().saturating_mul(2).saturating_add(OWN_WRITES);
        let before = Time(Time::now().0.saturating_sub(i64::try_from(kept.as_micros()).unwrap_or(i64::MAX)));
        let days = u64::from(host.remember_done_days);
        let done = Time::now().before(Duration::from_secs(days.saturating_mul(86_400)));
        if let Err(error) = host.store.drop_done(done).await {
            tracing::warn!(code = error.code(), "what is done can't be forgotten");
        }
        match host.store.drop_writes(before).await {
            Ok(dropped) => tracing::debug!(dropped, "old writes dropped"),
            Err(error) => tracing::warn!(code = error.code(), "old writes can't be dropped"),
        }
        clock::sleep(OWN_WRITES).await;
    }
}
