//! The circuit breaker of one integration host.
//!
//! Calls that get no answer (refused, silent, cut off) or an answer of 5xx, so many in a row, open it; a refusal (4xx) or a
//! rate limit is an answer. While it is open, runs of the host's connections are not claimed, and calls of runs and of what goes
//! on in the background are held back before anything is sent; what people do by hand is sent all the same, and its success
//! counts. After a pause, longer each time, the host itself probes with a read ([`Caspio::probe`](super::Caspio)). When that is
//! answered, one call goes at a time, then two, four, …, so that what has waited does not come all at once; the first failure among
//! them opens it again. Kept in memory: a start of the host learns it anew, within as many calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use crate::clock::Time;

use super::ClientSettings;
use super::settings::{seconds, spread};

/// Calls at a time after which a host that came back is trusted again.
const TRUSTED: u32 = 16;
/// How long somebody who came in the middle of a probe stays away.
const PROBING: Duration = Duration::from_secs(1);

/// Nothing is looked at again sooner.
const SOON: Duration = Duration::from_millis(50);

/// A breaker was opened, or closed after that.
#[derive(Debug, Clone)]
pub struct BreakerChange {
    /// The integration host.
    pub host: String,
    /// Since it does not answer; none: it answers again.
    pub since: Option<Time>,
}

/// How a host that does not answer stands.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Since when.
    pub since: Time,
    /// It was answered again, and calls go a few at a time.
    pub half_open: bool,
    /// How long until it is tried again.
    pub next: Duration,
}

/// What the breakers of a process share.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) changes: mpsc::UnboundedSender<BreakerChange>,
    /// Rung when one opened.
    pub(super) opened: Notify,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Breaker {
    host: String,
    failures: u32,
    first_pause: Duration,
    longest_pause: Duration,
    /// A call that was given up after this time got no answer.
    silence: Duration,
    line: Arc<Line>,
    state: Mutex<State>,
    /// Rung when a call that waits for its turn in a trial may look again.
    room: Notify,
    /// Number of the phase. What became of a call of an earlier one tells nothing any more.
    turn: AtomicU64,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// In a row, while closed.
    failures: u32,
    /// How often it opened since it was closed.
    openings: u32,
    since: Time,
    /// The last thing heard in a trial.
    heard: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Closed,
    Open { until: Instant },
    Probing,
    Trial { allowed: u32, under_way: u32 },
}

/// What a call finds.
enum Entry {
    Pass(Pass),
    /// Others are tried first.
    Wait,
    Held(Duration),
}

impl Breaker {
    pub(super) fn new(host: &str, settings: &ClientSettings, line: Arc<Line>) -> Self {
        Self {
            host: host.to_owned(),
            failures: settings.breaker_failures.max(1),
            first_pause: seconds(settings.breaker_pause_seconds),
            longest_pause: seconds(settings.breaker_longest_pause_seconds),
            silence: Duration::from_secs(settings.connect_timeout_seconds.max(1)),
            line,
            state: Mutex::new(State {
                phase: Phase::Closed,
                failures: 0,
                openings: 0,
                since: Time::default(),
                heard: Instant::now(),
            }),
            room: Notify::new(),
            turn: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call go, when it is its turn. `Err`: it is held back; come back after this time.
    pub(super) async fn admit(self: &Arc<Self>, longest: Duration) -> Result<Pass, Duration> {
        let until = tokio::time::Instant::now() + longest;
        loop {
            let room = self.room.notified();
            match self.enter(Instant::now()) {
                Entry::Pass(pass) => return Ok(pass),
                Entry::Held(wait) => return Err(wait),
                Entry::Wait => {}
            }
            if tokio::time::timeout_at(until, room).await.is_err() {
                return Err(PROBING);
            }
        }
    }

    fn enter(self: &Arc<Self>, now: Instant) -> Entry {
        let mut state = self.state();
        match &mut state.phase {
            Phase::Closed => Entry::Pass(self.pass_of(false)),
            Phase::Trial { allowed, under_way } if *under_way < *allowed => {
                *under_way += 1;
                Entry::Pass(self.pass_of(true))
            }
            Phase::Trial { .. } => Entry::Wait,
            Phase::Open { until } => Entry::Held(until.saturating_duration_since(now).max(SOON)),
            Phase::Probing => Entry::Held(PROBING),
        }
    }

    /// For a call that is not held back.
    pub(super) fn pass(self: &Arc<Self>) -> Pass {
        let _state = self.state();
        self.pass_of(false)
    }

    /// Under the lock.
    fn pass_of(self: &Arc<Self>, counted: bool) -> Pass {
        let turn = self.turn.load(Ordering::Relaxed);
        Pass { breaker: self.clone(), turn, counted, sent: None, settled: false }
    }

    /// Calls are held back, all or most of them.
    pub(super) fn is_open(&self) -> bool {
        self.state().phase != Phase::Closed
    }

    /// How long runs are not begun; none when they may be.
    pub(super) fn held(&self, now: Instant) -> Option<Duration> {
        match self.state().phase {
            Phase::Closed | Phase::Trial { .. } => None,
            Phase::Open { until } => Some(until.saturating_duration_since(now).max(SOON)),
            Phase::Probing => Some(PROBING),
        }
    }

    /// How it stands, for people; none when all is well.
    pub(super) fn view(&self, now: Instant) -> Option<Held> {
        let state = self.state();
        let (half_open, next) = match state.phase {
            Phase::Closed => return None,
            Phase::Open { until } => (false, until.saturating_duration_since(now)),
            Phase::Probing => (true, Duration::ZERO),
            Phase::Trial { .. } => (true, Duration::ZERO),
        };
        Some(Held { since: state.since, half_open, next })
    }

    /// True when it is time for a probe, which must follow. `Err`: look again after this time; none: nothing to wait for.
    pub(super) fn begin_probe(&self, now: Instant) -> Result<(), Option<Duration>> {
        let mut state = self.state();
        match state.phase {
            Phase::Closed => Err(None),
            Phase::Open { until } if until <= now => {
                self.change(&mut state, Phase::Probing);
                Ok(())
            }
            Phase::Open { until } => Err(Some(until.saturating_duration_since(now))),
            Phase::Probing => Err(Some(PROBING)),
            // Nobody comes: the host itself finds out whether it may be trusted.
            Phase::Trial { under_way: 0, .. }
                if now.saturating_duration_since(state.heard) >= self.first_pause =>
            {
                state.heard = now;
                Ok(())
            }
            Phase::Trial { .. } => Err(Some(self.first_pause.max(SOON))),
        }
    }

    /// A probe ended without having told anything.
    pub(super) fn end_probe(&self) {
        let mut state = self.state();
        if state.phase == Phase::Probing {
            self.open(&mut state, None);
        }
    }

    fn change(&self, state: &mut State, phase: Phase) {
        state.phase = phase;
        state.heard = Instant::now();
        self.turn.fetch_add(1, Ordering::Relaxed);
        self.room.notify_waiters();
    }

    fn open(&self, state: &mut State, retry_after: Option<Duration>) {
        let first = state.openings == 0;
        let doubled = self.first_pause.saturating_mul(1 << state.openings.min(16)).min(self.longest_pause);
        let pause = spread(doubled).max(retry_after.unwrap_or_default());
        state.openings = state.openings.saturating_add(1);
        self.change(state, Phase::Open { until: Instant::now() + pause });
        let pause_ms = pause.as_millis();
        if first {
            state.since = Time::now();
            metrics::counter!("caspian_breaker_opened_total", "host" => self.host.clone()).increment(1);
            tracing::warn!(host = %self.host, pause_ms, "Caspio does not answer; its runs wait until it does");
            self.tell(Some(state.since));
        } else {
            tracing::info!(host = %self.host, pause_ms, "Caspio does not answer yet");
        }
        self.line.opened.notify_one();
    }

    fn tell(&self, since: Option<Time>) {
        // Nobody listens when the host goes down.
        let _ = self.line.changes.send(BreakerChange { host: self.host.clone(), since });
    }

    fn settle(&self, pass: &Pass, failed: Option<Option<Duration>>) {
        let mut state = self.state();
        if pass.turn != self.turn.load(Ordering::Relaxed) {
            return;
        }
        match (state.phase, failed) {
            (Phase::Closed, None) => state.failures = 0,
            (Phase::Closed, Some(retry_after)) => {
                state.failures = state.failures.saturating_add(1);
                if state.failures >= self.failures {
                    self.open(&mut state, retry_after);
                }
            }
            // By a person, who was not held back.
            (Phase::Open { .. }, Some(_)) => {}
            (Phase::Probing | Phase::Trial { .. }, Some(retry_after)) => self.open(&mut state, retry_after),
            (Phase::Open { .. } | Phase::Probing, None) => {
                tracing::info!(host = %self.host, "Caspio answers again; runs go on, a few at a time at first");
                self.change(&mut state, Phase::Trial { allowed: 1, under_way: 0 });
                self.line.opened.notify_one();
            }
            (Phase::Trial { allowed, under_way }, None) => {
                let under_way = under_way.saturating_sub(u32::from(pass.counted));
                let allowed = allowed.saturating_mul(2);
                if allowed >= TRUSTED {
                    (state.failures, state.openings) = (0, 0);
                    self.change(&mut state, Phase::Closed);
                    tracing::info!(host = %self.host, "Caspio answers as usual");
                    self.tell(None);
                } else {
                    state.heard = Instant::now();
                    state.phase = Phase::Trial { allowed, under_way };
                    self.room.notify_waiters();
                }
            }
        }
    }

    /// A call was not sent, or nothing can be said of it.
    fn give_back(&self, pass: &Pass) {
        let mut state = self.state();
        if pass.turn == self.turn.load(Ordering::Relaxed)
            && let Phase::Trial { under_way, .. } = &mut state.phase
        {
            *under_way = under_way.saturating_sub(u32::from(pass.counted));
            self.room.notify_waiters();
        }
    }
}

/// Leave for one call, which must say what became of it.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    turn: u64,
    counted: bool,
    sent: Option<Instant>,
    settled: bool,
}

impl Pass {
    pub(super) fn sent(&mut self, at: Instant) {
        self.sent = Some(at);
    }

    /// Caspio answered, whatever it said.
    pub(super) fn answered(mut self) {
        self.settled = true;
        self.breaker.settle(&self, None);
    }

    /// No answer, or a failure of Caspio's.
    pub(super) fn failed(mut self, retry_after: Option<Duration>) {
        self.settled = true;
        self.breaker.settle(&self, Some(retry_after));
    }
}

/// Whoever waited for the answer may have given up.
impl Drop for Pass {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        if self.sent.is_some_and(|sent| sent.elapsed() >= self.breaker.silence) {
            self.breaker.settle(self, Some(None));
        } else {
            self.breaker.give_back(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> (Arc<Breaker>, mpsc::UnboundedReceiver<BreakerChange>) {
        let settings = ClientSettings {
            breaker_failures: 3,
            breaker_pause_seconds: 10.0,
            breaker_longest_pause_seconds: 40.0,
            ..ClientSettings::default()
        };
        let (changes, told) = mpsc::unbounded_channel();
        let line = Arc::new(Line { changes, opened: Notify::new() });
        (Arc::new(Breaker::new("caspio", &settings, line)), told)
    }

    fn pass(breaker: &Arc<Breaker>) -> Pass {
        match breaker.enter(Instant::now()) {
            Entry::Pass(pass) => pass,
            Entry::Wait => panic!("it waits"),
            Entry::Held(wait) => panic!("held for {wait:?}"),
        }
    }

    fn later(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn failures_in_a_row_open_it_and_its_pauses_grow() {
        let (breaker, mut told) = breaker();
        for _ in 0..2 {
            pass(&breaker).failed(None);
        }
        pass(&breaker).answered();
        for _ in 0..2 {
            pass(&breaker).failed(None);
        }
        assert!(!breaker.is_open(), "an answer in between ends the row");
        let late = pass(&breaker);
        pass(&breaker).failed(None);
        assert!(matches!(breaker.enter(Instant::now()), Entry::Held(_)));
        late.answered();
        assert!(breaker.is_open(), "a call from before tells nothing");
        assert!(told.try_recv().unwrap().since.is_some());
        for longest in [10, 20, 40, 40] {
            let wait = breaker.held(Instant::now()).unwrap();
            let longest = Duration::from_secs(longest);
            assert!(wait <= longest && wait + Duration::from_secs(1) >= longest / 2, "{wait:?} {longest:?}");
            assert!(breaker.begin_probe(Instant::now()).is_err());
            breaker.begin_probe(later(60)).unwrap();
            assert!(matches!(breaker.enter(Instant::now()), Entry::Held(_)), "only the probe goes");
            breaker.pass().failed(None);
        }
        assert!(told.try_recv().is_err(), "it is told once");
    }

    #[test]
    fn after_a_probe_calls_go_one_two_four_at_a_time() {
        let (breaker, mut told) = breaker();
        for _ in 0..3 {
            pass(&breaker).failed(None);
        }
        breaker.begin_probe(later(60)).unwrap();
        breaker.pass().answered();
        assert!(breaker.held(Instant::now()).is_none());
        let first = pass(&breaker);
        assert!(matches!(breaker.enter(Instant::now()), Entry::Wait));
        drop(first);
        pass(&breaker).answered();
        let two = (pass(&breaker), pass(&breaker));
        assert!(matches!(breaker.enter(Instant::now()), Entry::Wait));
        two.0.failed(None);
        assert!(breaker.held(Instant::now()).is_some(), "a failure opens it again");
        two.1.answered();
        assert!(breaker.held(Instant::now()).is_some(), "what was sent before tells nothing");
        breaker.begin_probe(later(60)).unwrap();
        breaker.pass().answered();
        for _ in 0..4 {
            assert!(breaker.is_open());
            pass(&breaker).answered();
        }
        assert!(!breaker.is_open());
        assert!(told.try_recv().unwrap().since.is_some());
        assert!(told.try_recv().unwrap().since.is_none());
    }

    #[test]
    fn a_wish_to_be_left_alone_lengthens_the_pause_and_a_person_may_end_it() {
        let (breaker, _told) = breaker();
        for _ in 0..3 {
            pass(&breaker).failed(Some(Duration::from_secs(300)));
        }
        assert!(breaker.held(Instant::now()).unwrap() > Duration::from_secs(200));
        breaker.pass().failed(None);
        assert!(breaker.held(Instant::now()).is_some());
        breaker.pass().answered();
        assert!(breaker.held(Instant::now()).is_none());
    }
}
