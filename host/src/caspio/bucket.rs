//! The rate limit of one integration host.
//!
//! A bucket that fills at a steady pace (generic cell rate algorithm: one point in time is its whole
//! level). When Caspio says that the limit is exceeded, nothing is sent for a while, twice as long each
//! time it says so again, and the pace is halved; it grows back while calls are answered. A call whose
//! turn is too far off is not queued but told how long to stay away. Pure arithmetic on given
//! times; only [`Bucket::acquire`] sleeps.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ClientSettings;
use super::settings::{LONGEST, seconds, spread};

/// A host whose next turn is further off than this has no budget for another run.
const LONG_QUEUE: Duration = Duration::from_secs(2);
/// The pace is never slowed below this share of the wished one.
const LOWEST_SHARE: f64 = 0.1;
/// Answered calls after which the pace grows by a quarter.
const CALLS_TO_RECOVER: u32 = 50;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Bucket {
    interval: Duration,
    burst: u32,
    first_pause: Duration,
    longest_pause: Duration,
    /// Calls in [`Bucket::acquire`].
    waiting: AtomicUsize,
    state: Mutex<State>,
}

/// How an integration host's rate limit stands.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// The present pace.
    pub calls_per_second: f64,
    /// How long nothing will be sent.
    pub blocked: Duration,
}

#[derive(Debug)]
struct State {
    /// When the bucket is full again, at the present pace.
    full_at: Option<Instant>,
    blocked_until: Option<Instant>,
    last_throttled: Option<Instant>,
    throttled_in_a_row: u32,
    share: f64,
    answered: u32,
}

impl Bucket {
    pub(super) fn new(settings: &ClientSettings) -> Self {
        // A pace of zero or nonsense would stop everything for ever.
        let pace = if settings.calls_per_second > 0.01 { settings.calls_per_second } else { 0.01 };
        Self {
            interval: seconds(1.0 / pace),
            burst: settings.burst.max(1),
            first_pause: seconds(settings.first_pause_seconds),
            longest_pause: seconds(settings.longest_pause_seconds),
            waiting: AtomicUsize::new(0),
            state: Mutex::new(State {
                full_at: None,
                blocked_until: None,
                last_throttled: None,
                throttled_in_a_row: 0,
                share: 1.0,
                answered: 0,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tolerance(&self, state: &State) -> Duration {
        self.interval.div_f64(state.share).saturating_mul(self.burst.saturating_sub(1)).min(LONGEST)
    }

    fn next_turn(&self, state: &State, now: Instant) -> Duration {
        let full_at = state.full_at.unwrap_or(now);
        let by_pace = full_at.saturating_duration_since(now).saturating_sub(self.tolerance(state));
        by_pace.max(blocked_for(state, now).unwrap_or_default())
    }

    /// Takes a turn: how long to wait for it. `Err`: it is further off than `longest`, none was taken.
    fn reserve(&self, now: Instant, longest: Duration) -> Result<Duration, Duration> {
        let mut state = self.state();
        let wait = self.next_turn(&state, now);
        if wait > longest {
            return Err(wait);
        }
        let interval = self.interval.div_f64(state.share);
        state.full_at = Some(state.full_at.unwrap_or(now).max(now) + interval);
        Ok(wait)
    }

    /// Waits for a turn. `Err`: it is further off than `longest`; come back after this time.
    pub(super) async fn acquire(&self, longest: Duration) -> Result<(), Duration> {
        loop {
            let wait = self.reserve(Instant::now(), longest)?;
            if wait.is_zero() {
                return Ok(());
            }
            let waiting = Waiting::begin(&self.waiting);
            tokio::time::sleep(wait).await;
            drop(waiting);
            // Blocked while it waited: the turn is void.
            if blocked_for(&self.state(), Instant::now()).is_none() {
                return Ok(());
            }
        }
    }

    /// Caspio refused a call sent at `sent` for its rate. Returns how long nothing will be sent.
    pub(super) fn throttled(&self, sent: Instant, now: Instant, retry_after: Option<Duration>) -> Duration {
        let mut state = self.state();
        let known = state.last_throttled.is_some_and(|last| sent <= last);
        if !known {
            state.throttled_in_a_row = state.throttled_in_a_row.saturating_add(1);
            state.share = (state.share / 2.0).max(LOWEST_SHARE);
            state.answered = 0;
            state.last_throttled = Some(now);
        }
        let doublings = state.throttled_in_a_row.saturating_sub(1).min(16);
        let own = self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause);
        let pause = match (retry_after, known) {
            (Some(asked), _) => asked.min(LONGEST),
            (None, false) => spread(own),
            (None, true) => Duration::ZERO,
        };
        let until = state.blocked_until.unwrap_or(now).max(now + pause);
        state.blocked_until = Some(until);
        // No burst when the silence ends.
        let empty = until + self.tolerance(&state);
        state.full_at = Some(state.full_at.unwrap_or(empty).max(empty));
        until.saturating_duration_since(now)
    }

    /// A call sent at `sent` was answered.
    pub(super) fn answered(&self, sent: Instant) {
        let mut state = self.state();
        if state.last_throttled.is_some_and(|last| sent <= last) {
            return;
        }
        state.throttled_in_a_row = 0;
        state.answered = state.answered.saturating_add(1);
        if state.answered >= CALLS_TO_RECOVER {
            state.answered = 0;
            state.share = (state.share * 1.25).min(1.0);
        }
    }

    /// How it stands, for people.
    pub(super) fn limit(&self, now: Instant) -> Limit {
        let state = self.state();
        Limit {
            waiting: self.waiting.load(Ordering::Relaxed),
            calls_per_second: self.interval.div_f64(state.share).as_secs_f64().recip(),
            blocked: blocked_for(&state, now).unwrap_or_default(),
        }
    }

    /// How long the host has no budget; none when it has some now.
    pub(super) fn without_budget(&self, now: Instant) -> Option<Duration> {
        let state = self.state();
        if let Some(blocked) = blocked_for(&state, now) {
            return Some(blocked);
        }
        let wait = self.next_turn(&state, now);
        (wait > LONG_QUEUE).then(|| wait.saturating_sub(LONG_QUEUE))
    }
}

/// Counts a call for as long as it waits; it may be given up meanwhile.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn blocked_for(state: &State, now: Instant) -> Option<Duration> {
    state.blocked_until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn bucket() -> Bucket {
        Bucket::new(&ClientSettings { calls_per_second: 5.0, burst: 3, ..ClientSettings::default() })
    }

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_burst_goes_at_once_then_the_pace_holds() {
        let (bucket, now) = (bucket(), Instant::now());
        let waits: Vec<_> = (0..6).map(|_| bucket.reserve(now, LONG).expect("queued")).collect();
        assert_eq!(waits, [ms(0), ms(0), ms(0), ms(200), ms(400), ms(600)]);
        // A minute later the bucket is full, not fuller.
        let later = now + Duration::from_secs(60);
        let waits: Vec<_> = (0..4).map(|_| bucket.reserve(later, LONG).expect("queued")).collect();
        assert_eq!(waits, [ms(0), ms(0), ms(0), ms(200)]);
    }

    #[test]
    fn a_turn_too_far_off_is_not_taken() {
        let (bucket, now) = (bucket(), Instant::now());
        for _ in 0..4 {
            bucket.reserve(now, ms(300)).expect("within");
        }
        assert_eq!(bucket.reserve(now, ms(300)), Err(ms(400)));
        assert_eq!(bucket.reserve(now, ms(400)), Ok(ms(400)), "the refused one took no turn");
    }

    #[test]
    fn a_throttled_host_is_left_alone_longer_each_time() {
        let (bucket, start) = (bucket(), Instant::now());
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let pause = bucket.throttled(now, now + ms(1), None);
            assert!(bucket.without_budget(now + ms(1)).is_some());
            assert!(bucket.reserve(now + ms(1), ms(100)).is_err());
            pauses.push(pause.as_secs_f64());
            now += ms(1) + pause + ms(1);
            assert!(bucket.without_budget(now).is_none());
        }
        for (pause, full) in pauses.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]) {
            assert!(*pause >= full / 2.0 - 1e-6 && *pause <= full + 1e-6, "{pauses:?}");
        }
    }

    #[test]
    fn calls_refused_together_count_once() {
        let (bucket, now) = (bucket(), Instant::now());
        let first = bucket.throttled(now, now + ms(10), None);
        for _ in 0..50 {
            let again = bucket.throttled(now + ms(5), now + ms(10), None);
            assert_eq!(again, first);
        }
        assert_eq!(bucket.state().throttled_in_a_row, 1);
    }

    #[test]
    fn retry_after_is_obeyed_and_no_burst_follows() {
        let (bucket, now) = (bucket(), Instant::now());
        assert_eq!(bucket.throttled(now, now, Some(Duration::from_secs(7))), Duration::from_secs(7));
        let then = now + Duration::from_secs(7);
        assert_eq!(bucket.reserve(then, LONG), Ok(ms(0)));
        assert_eq!(bucket.reserve(then, LONG), Ok(ms(400)), "half the pace, one at a time");
    }

    #[test]
    fn the_pace_grows_back() {
        let (bucket, now) = (bucket(), Instant::now());
        bucket.throttled(now, now, None);
        for n in 1..=(4 * CALLS_TO_RECOVER) {
            bucket.answered(now + ms(n.into()));
        }
        assert!((bucket.state().share - 1.0).abs() < 1e-9);
        assert_eq!(bucket.state().throttled_in_a_row, 0);
    }

    #[test]
    fn a_long_queue_is_no_budget() {
        let (bucket, now) = (bucket(), Instant::now());
        for _ in 0..20 {
            let _ = bucket.reserve(now, LONG);
        }
        assert_eq!(bucket.without_budget(now), Some(ms(1600)));
    }

    #[test]
    fn nonsense_settings_do_not_stop_it_for_ever() {
        for calls_per_second in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let settings = ClientSettings { calls_per_second, burst: 0, ..ClientSettings::default() };
            let bucket = Bucket::new(&settings);
            assert_eq!(bucket.reserve(Instant::now(), LONG), Ok(ms(0)));
        }
    }
}
