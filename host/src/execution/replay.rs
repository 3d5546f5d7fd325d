//! A run executed again from its journal, to see whether a component does what it did: the same calls, the same end, the
//! same output.
//!
//! Offline: every call is answered by the journal's playback, so nothing can be sent, and nothing of the run is written. Seed, clocks,
//! event and number of the attempt are the run's. What depended on the day is no part of what a component does: how the wall
//! limit or the host ended an attempt is recorded and never replayed, so there is no end to compare then, only the calls up to
//! it. Replays have a bound of their own, beside the places of real runs.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use crate::accounts::{KeyError, Keyring};
use crate::journal::{JournalError, Playback, PlaybackEnd};
use crate::manifest::Manifest;
use crate::model::{Action, ActionError, Answer, Cause, Event, RunState};
use crate::runtime::{
    AttemptInput, AttemptOutcome, AttemptReport, OutputLine, Prepared, Runtime, Steps, WallBudget,
};
use crate::secrets::DataKey;
use crate::store::{ClaimedRun, RecordedRun, StoreError};

use super::outcome::trap_text;

/// What came of comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All that is recorded was done again.
    Same,
    /// Something was not.
    Different,
    /// The replay was not carried to its end, and what there was is the same.
    Incomplete,
}

/// How a guest ended by itself: `succeeded`, or the code of what it failed for, with the text.
#[derive(Clone, PartialEq, Eq)]
pub struct GuestEnd {
    /// `succeeded`, `retry`, `fatal`, `trap`, or the code of a limit.
    pub kind: &'static str,
    /// Result or failure.
    pub text: Option<String>,
}

/// How the recorded attempt ended.
pub enum RecordedEnd {
    /// By what the guest did.
    Guest(GuestEnd),
    /// By something else, for this cause; none: it has not ended.
    Cut(Option<Cause>),
}

/// A line that differs, by its number from 1.
pub struct OutputDifference {
    /// Number.
    pub line: usize,
    /// What is recorded.
    pub recorded: Option<OutputLine>,
    /// What was written now.
    pub replayed: Option<OutputLine>,
}

/// What a replay found.
pub struct Replayed {
    /// In one word.
    pub verdict: Verdict,
    /// The journal as it was played.
    pub playback: Playback,
    /// A call beyond the journal.
    pub next: Option<Action>,
    /// The step whose call is recorded without a result.
    pub open: Option<u32>,
    /// How the recorded attempt ended.
    pub recorded: RecordedEnd,
    /// How the guest ended now; none when it was stopped at a call or by its wall limit.
    pub ended: Option<GuestEnd>,
    /// Both ended by what the guest did: whether in the same way.
    pub same_end: Option<bool>,
    /// Lines that were compared; none when no output is recorded to compare with.
    pub lines: Option<usize>,
    /// Lines that differ.
    pub output: Vec<OutputDifference>,
}

/// Executes replays. Cheap to clone.
#[derive(Clone)]
pub struct Replayer {
    keys: Keyring,
    runtime: Runtime,
    room: Arc<Semaphore>,
}

struct PlaybackSteps(Playback);

impl Steps for PlaybackSteps {
    type End = PlaybackEnd;

    async fn step(&mut self, action: Action) -> Result<Result<Answer, ActionError>, PlaybackEnd> {
        self.0.call(&action)
    }

    fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}

impl Replayer {
    /// With room for so many replays at a time.
    #[must_use]
    pub fn new(keys: Keyring, runtime: Runtime, at_a_time: u32) -> Self {
        let room = Arc::new(Semaphore::new(usize::try_from(at_a_time.max(1)).unwrap_or(1)));
        Self { keys, runtime, room }
    }

    /// Executes a run again with this component and manifest.
    ///
    /// # Errors
    /// When what is kept of the run can't be read.
    pub async fn replay(
        &self,
        recorded: &RecordedRun,
        claimed: &ClaimedRun,
        prepared: &Prepared,
        manifest: &Manifest,
    ) -> Result<Replayed, JournalError> {
        let _room = self.room.acquire().await;
        let tenant_key = self.keys.tenant(&claimed.tenant).await.map_err(|e| match e {
            KeyError::Store(e) => JournalError::from(e),
            KeyError::Seal(e) => e.into(),
        })?;
        let data_key = tenant_key.unwrap_data_key(claimed.message.as_bytes(), &claimed.wrapped_key)?;
        let (event, seed) = opened(claimed, &data_key)?;
        let limits = manifest.limits.to_limits();
        let wall = WallBudget::new(limits.wall);
        // Nobody says stop: whoever asked and is gone drops the replay.
        let (_, stop) = watch::channel(false);
        let input = AttemptInput {
            event_id: claimed.event,
            event: Arc::new(event),
            attempt: recorded.tried,
            limits,
            settings: Arc::new(manifest.settings.clone()),
            seed,
            run_start: claimed.run_start.to_system_time(),
            wall,
            stop,
        };
        let steps = recorded.steps.clone();
        let playback =
            Playback::new(claimed.id, claimed.journal_version, steps, tenant_key, data_key.clone());
        let (report, PlaybackSteps(playback)) =
            self.runtime.attempt(prepared, input, PlaybackSteps(playback)).await;
        compare(recorded, &data_key, report, playback)
    }
}

fn opened(claimed: &ClaimedRun, key: &DataKey) -> Result<(Event, [u8; 32]), JournalError> {
    let typed = key.open("events", "typed", claimed.event.as_bytes(), &claimed.sealed_typed)?;
    let seed = key.open("runs", "seed", claimed.id.as_bytes(), &claimed.sealed_seed)?;
    let damaged = || StoreError::Corrupt("a typed event or a seed".to_owned());
    let event = serde_json::from_slice(&typed).map_err(|_| damaged())?;
    Ok((event, <[u8; 32]>::try_from(seed.as_slice()).map_err(|_| damaged())?))
}

fn compare(
    recorded: &RecordedRun,
    key: &DataKey,
    report: AttemptReport<PlaybackEnd>,
    mut playback: Playback,
) -> Result<Replayed, JournalError> {
    let before = recorded_end(recorded, key)?;
    let (mut next, mut open) = (None, None);
    let mut complete = true;
    let ended = match report.outcome {
        AttemptOutcome::Succeeded(text) => Some(GuestEnd { kind: "succeeded", text }),
        AttemptOutcome::Retry { message, .. } => Some(GuestEnd { kind: "retry", text: Some(message) }),
        AttemptOutcome::Fatal(text) => Some(GuestEnd { kind: "fatal", text: Some(text) }),
        AttemptOutcome::Trap { text, sensitive } => {
            Some(GuestEnd { kind: "trap", text: Some(trap_text(text, &sensitive)) })
        }
        AttemptOutcome::Limit { kind: Cause::LimitWall, .. } | AttemptOutcome::Stopped => {
            // Where the recorded attempt was stopped so, too, its calls are all there is to compare.
            let as_before = matches!(before, RecordedEnd::Cut(Some(Cause::LimitWall)));
            complete = as_before && playback.left() == 0;
            None
        }
        AttemptOutcome::Limit { kind, text } => Some(GuestEnd { kind: kind.as_str(), text: Some(text) }),
        AttemptOutcome::Ended(PlaybackEnd::Beyond(action)) => {
            next = Some(*action);
            None
        }
        AttemptOutcome::Ended(PlaybackEnd::Open(step)) => {
            open = Some(step);
            None
        }
        AttemptOutcome::Ended(PlaybackEnd::Unknown) => None,
        AttemptOutcome::Ended(PlaybackEnd::Damaged(error)) => return Err(error.into()),
    };
    if ended.is_some()
        && let Err(PlaybackEnd::Damaged(error)) = playback.ended()
    {
        return Err(error.into());
    }
    let same_end = match (&before, &ended) {
        (RecordedEnd::Guest(before), Some(now)) => Some(before == now),
        // It does not end where it did, except that this could not be seen.
        (RecordedEnd::Guest(_), None) if complete => Some(false),
        _ => None,
    };
    let comparable = match &before {
        RecordedEnd::Guest(_) => true,
        // Where time cut it off, output ends anywhere.
        RecordedEnd::Cut(cause) => *cause != Some(Cause::LimitWall) && recorded.output.is_some(),
    };
    // What it would have written after the call that it was stopped at, nobody knows.
    let at_a_call = next.is_some() && matches!(before, RecordedEnd::Guest(_));
    let stopped = !complete || at_a_call || !playback.differences.is_empty() && ended.is_none();
    let kept = kept_output(recorded, key)?;
    let (lines, output) = match comparable && !stopped {
        true => (Some(kept.len()), differing(kept, report.output)),
        false => (None, Vec::new()),
    };
    let same = playback.differences.is_empty() && same_end != Some(false) && output.is_empty();
    let verdict = match (same, complete) {
        (false, _) => Verdict::Different,
        (true, false) => Verdict::Incomplete,
        (true, true) => Verdict::Same,
    };
    Ok(Replayed { verdict, playback, next, open, recorded: before, ended, same_end, lines, output })
}

/// How the attempt ended that was begun last.
fn recorded_end(recorded: &RecordedRun, key: &DataKey) -> Result<RecordedEnd, JournalError> {
    let run = &recorded.run;
    let text = |column: &str, sealed: &Option<Vec<u8>>| -> Result<Option<String>, JournalError> {
        let opened = sealed.as_ref().map(|s| key.open("runs", column, run.id.as_bytes(), s)).transpose()?;
        Ok(opened.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let failed = |kind: &'static str| {
        Ok(RecordedEnd::Guest(GuestEnd { kind, text: text("failure", &run.sealed_failure)? }))
    };
    match (run.state, run.cause) {
        (RunState::Succeeded, _) => {
            Ok(RecordedEnd::Guest(GuestEnd { kind: "succeeded", text: text("result", &run.sealed_result)? }))
        }
        // Under way: how it ended before says nothing about now.
        (RunState::Running, _) => Ok(RecordedEnd::Cut(None)),
        (_, Some(Cause::Retries | Cause::GuestRetry)) => failed("retry"),
        (_, Some(Cause::Fatal)) => failed("fatal"),
        (_, Some(Cause::Trap)) => failed("trap"),
        (
            _,
            Some(kind @ (Cause::LimitFuel | Cause::LimitMemory | Cause::LimitHostCalls | Cause::LimitLog)),
        ) => failed(kind.as_str()),
        (_, cause) => Ok(RecordedEnd::Cut(cause)),
    }
}

fn kept_output(recorded: &RecordedRun, key: &DataKey) -> Result<Vec<OutputLine>, JournalError> {
    let Some(kept) = &recorded.output else { return Ok(Vec::new()) };
    let plain = key.open("run_output", "lines", recorded.run.id.as_bytes(), &kept.sealed_lines)?;
    Ok(serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt("the output of a run".to_owned()))?)
}

fn differing(recorded: Vec<OutputLine>, replayed: Vec<OutputLine>) -> Vec<OutputDifference> {
    let longest = recorded.len().max(replayed.len());
    let (mut recorded, mut replayed) = (recorded.into_iter(), replayed.into_iter());
    let pairs = (1..=longest).map(|line| (line, recorded.next(), replayed.next()));
    pairs
        .filter(|(_, recorded, replayed)| recorded != replayed)
        .map(|(line, recorded, replayed)| OutputDifference { line, recorded, replayed })
        .collect()
}
