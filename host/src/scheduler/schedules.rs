//! Schedules: each tick becomes an event, once.
//!
//! The next tick of every schedule is kept; when it has come, its event and the tick after it are one commit. So a
//! kill neither loses a tick nor makes two of it. Ticks at which no host ran are left out or caught up with, as the
//! manifest says.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::accounts::{KeyError, Keyring};
use crate::clock::{self, Time};
use crate::faults;
use crate::ingress::{IngressError, tick_message};
use crate::manifest::Missed;
use crate::model::{Event, TriggerKind};
use crate::store::{ScheduleRecord, Store, StoreError, Tick};

/// Longest pause between looks: also how far the clock may jump unnoticed.
const IDLE: Duration = Duration::from_secs(30);
/// A tick that is later than this was missed. More than a restart takes.
const LATE: Duration = Duration::from_secs(60);

/// See the module's text.
pub struct Schedules {
    store: Arc<dyn Store>,
    keys: Keyring,
    /// Rung when runs were queued.
    queued: Arc<Notify>,
    /// Rung when schedules changed.
    changed: Notify,
}

/// Why a tick did not become an event.
#[derive(Debug, thiserror::Error)]
enum TickError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Ingress(#[from] IngressError),
}

impl Schedules {
    /// `queued` is rung when runs were queued.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: Keyring, queued: Arc<Notify>) -> Self {
        Self { store, keys, queued, changed: Notify::new() }
    }

    /// Schedules were made or changed.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// Works for as long as it is polled. Dropped, everything stays where its last commit left it.
    pub async fn run(&self) {
        loop {
            let pause = match self.tick(Time::now()).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(%error, "a schedule's tick can't be kept; trying again");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = clock::sleep(pause) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// What is due becomes events; says when to look again.
    async fn tick(&self, now: Time) -> Result<Duration, TickError> {
        for due in self.store.due_schedules(now).await? {
            let (fires, next_at) = what_is_due(&due, now);
            let message = match fires {
                Some(tick) => {
                    let key = self.keys.tenant(&due.tenant).await?;
                    Some(tick_message(&key, &due.tenant, due.workflow, &event(&due, tick))?)
                }
                None => None,
            };
            let fired = message.is_some();
            faults::pass("schedule.before-commit");
            let tick =
                Tick { workflow: due.workflow, position: due.position, was: due.next_at, next_at, message };
            if self.store.commit_tick(tick).await? && fired {
                faults::pass("schedule.after-commit");
                self.queued.notify_one();
            }
        }
        let next = self.store.next_tick().await?;
        Ok(next.map_or(IDLE, |next| next.since(Time::now()).clamp(Duration::from_millis(10), IDLE)))
    }
}

/// The tick that fires, if one does, and the one after it.
fn what_is_due(due: &ScheduleRecord, now: Time) -> (Option<Time>, Option<Time>) {
    let schedule = &due.schedule;
    let late = i64::try_from(LATE.as_micros()).unwrap_or(i64::MAX);
    let in_time = now.0.saturating_sub(late);
    if due.next_at.0 >= in_time || schedule.missed == Missed::CatchUp {
        return (Some(due.next_at), schedule.next_after(due.next_at));
    }
    match schedule.next_after(Time(in_time)) {
        Some(tick) if tick <= now => (Some(tick), schedule.next_after(tick)),
        later => (None, later),
    }
}

fn event(due: &ScheduleRecord, tick: Time) -> Event {
    Event {
        kind: TriggerKind::Schedule,
        connection: due.connection_name.clone(),
        table: String::new(),
        rows: Vec::new(),
        event_date: tick.event_date(),
        message_id: String::new(),
        reconciled: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Schedule;
    use crate::model::WorkflowId;

    fn due(missed: Missed) -> ScheduleRecord {
        ScheduleRecord {
            tenant: "default".parse().unwrap(),
            workflow: WorkflowId::new(),
            workflow_name: String::new(),
            connection_name: String::new(),
            position: 0,
            schedule: Schedule { cron: "*/10 * * * *".to_owned(), time_zone: "UTC".to_owned(), missed },
            next_at: minute(10),
        }
    }

    fn minute(minute: i64) -> Time {
        Time(1_800_000_000_000_000 + minute * 60_000_000)
    }

    #[test]
    fn ticks_in_time_fire_and_missed_ones_as_the_manifest_says() {
        assert_eq!(what_is_due(&due(Missed::Skip), minute(10)), (Some(minute(10)), Some(minute(20))));
        assert_eq!(what_is_due(&due(Missed::Skip), minute(35)), (None, Some(minute(40))));
        assert_eq!(what_is_due(&due(Missed::Skip), minute(40)), (Some(minute(40)), Some(minute(50))));
        assert_eq!(what_is_due(&due(Missed::CatchUp), minute(35)), (Some(minute(10)), Some(minute(20))));
    }
}
