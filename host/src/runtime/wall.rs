//! How long an attempt may still take.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Counts time against a limit, except while it is paused. Cheap to clone; clones share the count.
#[derive(Debug, Clone)]
pub struct WallBudget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    left: Duration,
    /// Since when time is counted; none while paused.
    since: Option<Instant>,
    pauses: u32,
}

impl WallBudget {
    /// A budget that counts from now.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        let state = State { left: limit, since: Some(Instant::now()), pauses: 0 };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() }) }
    }

    /// Stops counting until the guard is dropped.
    #[must_use]
    pub fn pause(&self) -> Pause {
        if let Ok(mut state) = self.shared.state.lock() {
            if let Some(since) = state.since.take() {
                state.left = state.left.saturating_sub(since.elapsed());
            }
            state.pauses += 1;
        }
        Pause { shared: self.shared.clone() }
    }

    /// Ends when the budget is used up.
    pub async fn used_up(&self) {
        loop {
            let changed = self.shared.changed.notified();
            let left = match self.shared.state.lock() {
                Ok(state) => state.since.map(|since| state.left.saturating_sub(since.elapsed())),
                Err(_) => Some(Duration::ZERO),
            };
            match left {
                Some(Duration::ZERO) => return,
                Some(left) => tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }
}

/// See [`WallBudget::pause`].
#[derive(Debug)]
pub struct Pause {
    shared: Arc<Shared>,
}

impl Drop for Pause {
    fn drop(&mut self) {
        if let Ok(mut state) = self.shared.state.lock() {
            state.pauses = state.pauses.saturating_sub(1);
            if state.pauses == 0 && state.since.is_none() {
                state.since = Some(Instant::now());
            }
        }
        self.shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn paused_time_does_not_count() {
        let wall = WallBudget::new(Duration::from_millis(1));
        let pause = wall.pause();
        let early = tokio::time::timeout(Duration::from_millis(30), wall.used_up()).await;
        assert!(early.is_err(), "paused");
        drop(pause);
        wall.used_up().await;
    }
}
