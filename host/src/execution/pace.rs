//! How often one record may start runs of a workflow in a minute.
//!
//! The last safeguard against loops that go through other systems, where lineage sees nothing. What is beyond the pace
//! waits its turn, so nothing is lost. Kept in memory: a start of the host forgets a minute.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{RunId, WorkflowId};

const MINUTE: Duration = Duration::from_secs(60);
/// Records remembered before those that were quiet are dropped.
const RECORDS: usize = 4096;

type Record = (WorkflowId, String, i64);

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Pace {
    started: Mutex<HashMap<Record, VecDeque<(Instant, RunId)>>>,
}

impl Pace {
    /// Lets a run of a record begin, or says how long it must wait. A run that began already may go on.
    pub(super) fn admit(&self, record: Record, run: RunId, limit: u32, now: Instant) -> Result<(), Duration> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if started.len() > RECORDS {
            started.retain(|_, runs| runs.back().is_some_and(|(at, _)| now.duration_since(*at) < MINUTE));
        }
        let runs = started.entry(record).or_default();
        while runs.front().is_some_and(|(at, _)| now.duration_since(*at) >= MINUTE) {
            runs.pop_front();
        }
        if runs.iter().any(|(_, other)| *other == run) {
            return Ok(());
        }
        match runs.front() {
            Some((oldest, _)) if runs.len() >= usize::try_from(limit).unwrap_or(usize::MAX) => {
                Err(MINUTE.saturating_sub(now.duration_since(*oldest)))
            }
            _ => {
                runs.push_back((now, run));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_starts_so_many_runs_a_minute_and_the_others_wait_their_turn() {
        let (pace, start, workflow) = (Pace::default(), Instant::now(), WorkflowId::new());
        let at = |seconds| start + Duration::from_secs(seconds);
        let record = |pk_id| (workflow, "Patients".to_owned(), pk_id);
        let (first, third) = (RunId::new(), RunId::new());
        assert_eq!(pace.admit(record(1), first, 2, at(0)), Ok(()));
        assert_eq!(pace.admit(record(1), RunId::new(), 2, at(10)), Ok(()));
        assert_eq!(pace.admit(record(1), third, 2, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(pace.admit(record(1), first, 2, at(20)), Ok(()), "it began already");
        assert_eq!(pace.admit(record(2), RunId::new(), 2, at(20)), Ok(()), "another record");
        assert_eq!(pace.admit(record(1), third, 2, at(60)), Ok(()));
        assert_eq!(pace.admit(record(1), RunId::new(), 2, at(60)), Err(Duration::from_secs(10)));
    }
}
