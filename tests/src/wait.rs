//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How long a condition may take. Far longer than anything needs, for a machine that is busy.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Asks again and again until there is an answer; panics with `what` when there is none within the deadline.
pub async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
