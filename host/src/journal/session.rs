//! One attempt's view of the journal.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{self, Time};
use crate::faults;
use crate::model::{Action, ActionError, Answer, Effect, RunId};
use crate::secrets::{DataKey, SealError, TenantKey};
use crate::store::{
    ClaimedRun, JournalWrite, NewWrite, StateChange, StateOutcome, StepRecord, StepState, Store, StoreError,
    WriteEnd,
};

use super::{Plan, entry};

/// First and longest pause between tries of a commit that must succeed.
const COMMIT_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Pending bytes that are written without waiting for an effect.
const FLUSH_BYTES: usize = 4 << 20;

/// Why the journal can't go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A step can't be opened or sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The task that carried an effect died.
    #[error("the host failed while it carried out a step; report it with the host's log")]
    Broken,
}

/// Both calls of a divergence.
#[derive(Debug, Clone)]
pub struct Divergence {
    /// Number of the step.
    pub number: u32,
    /// What is recorded there.
    pub recorded: Action,
    /// What the guest called; none when it ended without calling.
    pub called: Option<Action>,
}

/// A journal that was opened.
pub enum Opened {
    /// The attempt may go on.
    Ready(Box<Journal>),
    /// A step's effect may or may not have happened and can't be repeated: the run must be parked.
    Undecided {
        /// Number of the step.
        number: u32,
        /// Its action, e.g. `records.create`.
        action: String,
    },
}

/// What to do with a call.
pub enum Next {
    /// It is recorded: this is its answer.
    Answered(Result<Answer, ActionError>),
    /// It is new: perform it and report to the slot.
    Perform(Slot),
    /// Its intent is recorded without a result, and may be repeated as planned.
    Repeat(Slot, Plan),
    /// Another call is recorded at its place.
    Diverged(Box<Divergence>),
}

/// A step under way.
#[derive(Debug, Clone)]
pub struct Slot {
    record: StepRecord,
}

impl Slot {
    /// Number of the step.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.record.number
    }
}

/// See the module's text.
pub struct Journal {
    store: Arc<dyn Store>,
    run: RunId,
    owner: String,
    tenant_key: TenantKey,
    data_key: DataKey,
    version: u32,
    run_start: Time,
    recorded: VecDeque<StepRecord>,
    next: u32,
    pending: JournalWrite,
    /// Bytes of `pending`.
    pending_bytes: usize,
    elapsed_us: u64,
}

impl Journal {
    /// Opens the journal of a run that `owner` has claimed.
    ///
    /// # Errors
    /// When the store or a key fails.
    pub async fn open(
        store: Arc<dyn Store>,
        claimed: &ClaimedRun,
        owner: String,
        tenant_key: TenantKey,
        data_key: DataKey,
    ) -> Result<Opened, JournalError> {
        let run = claimed.id;
        let mut steps = if claimed.has_steps { store.steps(run).await? } else { Vec::new() };
        let mut pending = JournalWrite::default();
        if let Some(last) = steps.last().filter(|s| s.state == StepState::Intent) {
            let clear = entry::decode_step(&data_key, run, last)?;
            if !clear.plan.is_some_and(|plan| plan.is_repeatable()) {
                return Ok(Opened::Undecided { number: last.number, action: last.action.clone() });
            }
        } else {
            let keep = steps.iter().rposition(is_final).map_or(0, |last| last + 1);
            if keep < steps.len() {
                steps.truncate(keep);
                let after = steps.last().map_or(0, |s| s.number);
                pending.forget_after = Some(after);
            }
        }
        Ok(Opened::Ready(Box::new(Self {
            store,
            run,
            owner,
            tenant_key,
            data_key,
            version: claimed.journal_version,
            run_start: claimed.run_start,
            recorded: steps.into(),
            next: 1,
            pending,
            pending_bytes: 0,
            elapsed_us: 0,
        })))
    }

    /// Virtual time of the last step, since the start of the run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed_us)
    }

    /// Writes what is pending when it is much, so that it is neither held in memory nor one long commit.
    ///
    /// # Errors
    /// When the store can't.
    pub async fn flush(&mut self) -> Result<(), JournalError> {
        if self.pending_bytes > FLUSH_BYTES {
            self.store.record(self.run, &self.owner, self.pending.clone()).await?;
            self.forget_pending();
        }
        Ok(())
    }

    fn forget_pending(&mut self) {
        self.pending = JournalWrite::default();
        self.pending_bytes = 0;
    }

    /// Number and action of an effect that has an intent and no result and that the guest did not come to.
    #[must_use]
    pub fn open_intent(&self) -> Option<(u32, &str)> {
        let open = self.recorded.iter().find(|step| step.effect && step.state == StepState::Intent)?;
        Some((open.number, open.action.as_str()))
    }

    /// The guest makes its next call. `table`: what is kept in clear of the table it is about.
    ///
    /// # Errors
    /// When a recorded step can't be opened.
    pub fn next(&mut self, action: &Action, table: Option<String>) -> Result<Next, JournalError> {
        let fingerprint = entry::fingerprint(&self.tenant_key, self.version, action)?;
        let number = self.next;
        let Some(recorded) = self.recorded.pop_front() else {
            self.next += 1;
            let sealed_request = entry::seal(&self.data_key, self.run, number, "request", action)?;
            return Ok(Next::Perform(Slot {
                record: StepRecord {
                    number,
                    action: action.name().to_owned(),
                    table,
                    effect: matches!(action.effect(), Effect::Changes | Effect::Keeps),
                    state: StepState::Intent,
                    outcome: None,
                    affected: None,
                    fingerprint,
                    sealed_request,
                    sealed_plan: None,
                    sealed_result: None,
                    elapsed_us: self.elapsed_us,
                    calls: 0,
                    started_at: Time::now(),
                    finished_at: None,
                },
            }));
        };
        let clear = entry::decode_step(&self.data_key, self.run, &recorded)?;
        if recorded.fingerprint != fingerprint {
            let called = Some(action.clone());
            self.recorded.push_front(recorded);
            return Ok(Next::Diverged(Box::new(Divergence { number, recorded: clear.request, called })));
        }
        self.next += 1;
        self.elapsed_us = self.elapsed_us.max(recorded.elapsed_us);
        match (clear.result, clear.plan) {
            (Some(result), _) => Ok(Next::Answered(result)),
            (None, Some(plan)) => Ok(Next::Repeat(Slot { record: recorded }, plan)),
            (None, None) => Err(StoreError::Corrupt(format!("step {number} has no result")).into()),
        }
    }

    /// Steps that are recorded as final and that the guest, which has ended, did not call.
    ///
    /// # Errors
    /// When a recorded step can't be opened.
    pub fn uncalled(&self) -> Result<Option<Divergence>, JournalError> {
        let Some(step) = self.recorded.front() else { return Ok(None) };
        let clear = entry::decode_step(&self.data_key, self.run, step)?;
        Ok(Some(Divergence { number: step.number, recorded: clear.request, called: None }))
    }

    /// A step that changed nothing (a read, a sleep that is over, or a call that was refused) is done. It becomes
    /// durable with the next intent or the end of the attempt.
    ///
    /// # Errors
    /// When it can't be sealed.
    pub fn done(
        &mut self,
        slot: Slot,
        result: &Result<Answer, ActionError>,
        calls: u32,
    ) -> Result<(), JournalError> {
        let mut record = self.completed(slot, result, calls)?;
        record.effect = false;
        self.pending_bytes = self.pending_bytes.saturating_add(weight(&record));
        self.pending.steps.push(record);
        Ok(())
    }

    /// An effect is about to be sent once more: should its write not be known any more, it is again.
    ///
    /// # Errors
    /// When the store can't: nothing was sent then.
    pub async fn register(&mut self, registered: NewWrite) -> Result<(), JournalError> {
        let write = JournalWrite { registered: Some(registered), ..JournalWrite::default() };
        self.store.record(self.run, &self.owner, write).await?;
        Ok(())
    }

    /// Makes the intent of an effect durable, with all steps before it and the write that it will be. Only after this
    /// may it be sent.
    ///
    /// # Errors
    /// When the store can't: nothing was sent then, and nothing is undecided.
    pub async fn intend(
        &mut self,
        slot: &mut Slot,
        plan: &Plan,
        registered: Option<NewWrite>,
    ) -> Result<(), JournalError> {
        let record = &mut slot.record;
        record.sealed_plan = Some(entry::seal(&self.data_key, self.run, record.number, "plan", plan)?);
        let mut write = JournalWrite { registered, ..self.pending.clone() };
        write.steps.push(record.clone());
        if faults::hit("journal.before-intent") {
            return Err(StoreError::Full.into());
        }
        self.store.record(self.run, &self.owner, write).await?;
        self.forget_pending();
        faults::pass("journal.after-intent");
        Ok(())
    }

    /// An effect was answered: its result becomes durable, however long the store needs for it. True when runs that
    /// waited for its write are due now.
    ///
    /// # Errors
    /// When the run's lease was lost, the host is closing, or a key fails.
    pub async fn effect_done(
        &mut self,
        slot: Slot,
        result: &Result<Answer, ActionError>,
        calls: u32,
        ended: Option<WriteEnd>,
    ) -> Result<bool, JournalError> {
        let record = self.completed(slot, result, calls)?;
        let write = JournalWrite { steps: vec![record], ended, ..JournalWrite::default() };
        let mut pause = COMMIT_PAUSE.0;
        loop {
            let full = faults::hit("journal.before-result");
            let committed = match full {
                true => Err(StoreError::Full),
                false => self.store.record(self.run, &self.owner, write.clone()).await,
            };
            match committed {
                Err(e) if e.is_transient() => {
                    tracing::warn!(run = %self.run, code = e.code(), "result not committed yet; trying again");
                    clock::sleep(pause).await;
                    pause = (pause * 2).min(COMMIT_PAUSE.1);
                }
                Err(e) => return Err(e.into()),
                Ok(due) => {
                    faults::pass("journal.after-result");
                    return Ok(due);
                }
            }
        }
    }

    /// Changes the workflow's state: the change, the step with this result, and all steps before it are one commit. When
    /// the store refuses the change, nothing is written, and the step is not done yet.
    ///
    /// # Errors
    /// When the store can't: nothing was changed then.
    pub async fn keep(
        &mut self,
        slot: Slot,
        result: &Result<Answer, ActionError>,
        change: StateChange,
    ) -> Result<StateOutcome, JournalError> {
        let record = self.answered(slot, result, 0)?;
        let mut write = self.pending.clone();
        write.steps.push(record.clone());
        if faults::hit("journal.before-state") {
            return Err(StoreError::Full.into());
        }
        let outcome = self.store.change_state(self.run, &self.owner, write, change).await?;
        faults::pass("journal.after-state");
        if matches!(outcome, StateOutcome::Done { .. }) {
            count(&record);
            self.forget_pending();
        }
        Ok(outcome)
    }

    /// The run sleeps from this step on: it is an intent that becomes durable with the end of the attempt, and is
    /// done when the guest comes to it after that time.
    ///
    /// # Errors
    /// When it can't be sealed.
    pub fn sleep(&mut self, slot: Slot, until: Time) -> Result<(), JournalError> {
        let mut record = slot.record;
        let plan = Plan::Sleep { until };
        record.sealed_plan = Some(entry::seal(&self.data_key, self.run, record.number, "plan", &plan)?);
        self.pending.steps.push(record);
        Ok(())
    }

    /// An intent of which it is certain that it had no effect: it goes away with the end of this attempt.
    pub fn withdraw(&mut self, slot: &Slot) {
        let after = slot.number().saturating_sub(1);
        self.pending.forget_after = Some(self.pending.forget_after.map_or(after, |a| a.min(after)));
    }

    /// What is not durable yet, for the end of the attempt.
    #[must_use]
    pub fn take_pending(&mut self) -> JournalWrite {
        self.pending_bytes = 0;
        std::mem::take(&mut self.pending)
    }

    fn completed(
        &mut self,
        slot: Slot,
        result: &Result<Answer, ActionError>,
        calls: u32,
    ) -> Result<StepRecord, JournalError> {
        let record = self.answered(slot, result, calls)?;
        count(&record);
        Ok(record)
    }

    fn answered(
        &mut self,
        slot: Slot,
        result: &Result<Answer, ActionError>,
        calls: u32,
    ) -> Result<StepRecord, JournalError> {
        let mut record = slot.record;
        let now = Time::now();
        let elapsed = u64::try_from(now.since(self.run_start).as_micros()).unwrap_or(u64::MAX);
        self.elapsed_us = self.elapsed_us.max(elapsed);
        record.state = StepState::Done;
        record.outcome = Some(match result {
            Ok(_) => "ok".to_owned(),
            Err(e) => e.code().to_owned(),
        });
        record.affected = entry::affected(result);
        record.sealed_result = Some(entry::seal(&self.data_key, self.run, record.number, "result", result)?);
        record.elapsed_us = self.elapsed_us;
        record.calls = record.calls.saturating_add(calls);
        record.finished_at = Some(now);
        Ok(record)
    }
}

fn weight(step: &StepRecord) -> usize {
    step.sealed_request.len() + step.sealed_result.as_ref().map_or(0, Vec::len)
}

fn count(step: &StepRecord) {
    let outcome = step.outcome.clone().unwrap_or_default();
    metrics::counter!("caspian_steps_total", "action" => step.action.clone(), "outcome" => outcome)
        .increment(1);
}

/// A successful effect, or a sleep that is over: only what was planned has a plan.
fn is_final(step: &StepRecord) -> bool {
    (step.effect || step.sealed_plan.is_some())
        && step.state == StepState::Done
        && step.outcome.as_deref() == Some("ok")
}
