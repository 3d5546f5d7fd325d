//! Between the guest and the outside: grants, then the journal, then Caspio.
//!
//! An effect runs in a task of its own: when the guest is dropped meanwhile, it is still carried to
//! its end and its result recorded; [`RunSteps::settle`] waits for that before the run may change state.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::caspio::CaspioError;
use crate::faults;
use crate::journal::{Divergence, Journal, JournalError, Next, Plan, Slot};
use crate::model::{Action, ActionError, Answer, Cause, Effect};
use crate::runtime::{Steps, WallBudget};
use crate::store::StoreError;

use super::grants;
use super::perform::{Performer, Planned};
use super::retry::{RetrySettings, backoff};

/// Why an attempt ends in the middle of a host call.
#[derive(Debug)]
pub(super) enum End {
    /// Caspio can't take the call now; the run goes on later.
    Wait { step: u32, tries: u32, delay: Duration, cause: Cause },
    /// An effect may or may not have happened, and can't be repeated (or can't any more).
    Undecided { step: u32, action: &'static str, repeatable: bool },
    /// The guest called something else than before.
    Diverged(Box<Divergence>),
    /// The journal can't be read or written.
    Journal(JournalError),
}

impl From<JournalError> for End {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

type Answered = Result<Answer, ActionError>;
type Ended = Result<Answered, End>;

/// The host calls of one attempt.
pub(super) struct RunSteps {
    journal: Option<Box<Journal>>,
    performer: Arc<Performer>,
    waits: Waits,
    wall: WallBudget,
    in_flight: Option<JoinHandle<(Box<Journal>, Ended)>>,
}

/// How often which step has waited.
#[derive(Clone, Copy)]
pub(super) struct Waits {
    pub(super) before: Option<(u32, u32)>,
    pub(super) settings: RetrySettings,
    /// An effect was done in this attempt: the run is getting on.
    pub(super) progressed: bool,
}

impl Waits {
    /// The wait that this error calls for, unless the step's waits are used up.
    fn wait(&self, step: u32, error: &CaspioError) -> Option<End> {
        let cause = error.transient_cause()?;
        // Two steps that fail in turns are one wait; only an effect done is progress.
        let so_far =
            self.before.filter(|(at, _)| *at >= step || !self.progressed).map_or(0, |(_, tries)| tries);
        // Refused credentials wait for a person, however long.
        if so_far >= self.settings.step_waits && cause != Cause::Connection {
            return None;
        }
        let own = backoff(self.settings.step_initial_seconds, self.settings.step_max_seconds, so_far);
        let delay = error.retry_after().map_or(own, |asked| asked.max(own));
        Some(End::Wait { step, tries: so_far + 1, delay, cause })
    }
}

impl RunSteps {
    pub(super) fn new(
        journal: Box<Journal>,
        performer: Arc<Performer>,
        waits: Waits,
        wall: WallBudget,
    ) -> Self {
        Self { journal: Some(journal), performer, waits, wall, in_flight: None }
    }

    /// Waits for an effect that outlived the guest, and gives the journal back.
    pub(super) async fn settle(&mut self) -> (Option<Box<Journal>>, Option<End>) {
        let mut end = None;
        if let Some(task) = self.in_flight.take()
            && let Ok((journal, ended)) = task.await
        {
            self.journal = Some(journal);
            end = ended.err();
        }
        (self.journal.take(), end)
    }

    async fn read(&mut self, slot: Slot, action: &Action) -> Ended {
        let before = self.performer.calls();
        // A read that outlasts the attempt's time is Caspio's slowness, not the guest's.
        let read = tokio::select! {
            read = self.performer.read(action) => read,
            () = self.wall.used_up() => Err(CaspioError::slow()),
        };
        let result = match read {
            Ok(answer) => Ok(answer),
            Err(error) => match self.waits.wait(slot.number(), &error) {
                Some(wait) => return Err(wait),
                None => Err(error.to_action_error()),
            },
        };
        let calls = self.performer.calls().saturating_sub(before);
        let journal = self.journal.as_mut().ok_or_else(closed)?;
        journal.done(slot, &result, calls)?;
        Ok(result)
    }

    async fn effect(&mut self, slot: Slot, action: Action, plan: Option<Plan>) -> Ended {
        let _pause = self.wall.pause();
        let journal = self.journal.take().ok_or_else(closed)?;
        let task = EffectTask { journal, performer: self.performer.clone(), waits: self.waits };
        let task = self.in_flight.insert(tokio::spawn(task.run(slot, action, plan).in_current_span()));
        let joined = task.await;
        self.in_flight = None;
        let (journal, ended) = joined.map_err(|_| End::Journal(JournalError::Broken))?;
        self.journal = Some(journal);
        self.waits.progressed |= matches!(ended, Ok(Ok(_)));
        ended
    }
}

impl Steps for RunSteps {
    type End = End;

    async fn step(&mut self, action: Action) -> Ended {
        let denied = grants::check(&self.performer.manifest.grants, &action);
        let shown = grants::table_of(&self.performer.manifest.grants, &action);
        let journal = self.journal.as_mut().ok_or_else(closed)?;
        journal.flush().await?;
        let (slot, plan) = match journal.next(&action, shown)? {
            Next::Answered(result) => return Ok(result),
            Next::Diverged(divergence) => return Err(End::Diverged(divergence)),
            Next::Perform(slot) => (slot, None),
            Next::Repeat(slot, plan) => (slot, Some(plan)),
        };
        if let Err(denied) = denied {
            let result = Err(denied);
            journal.done(slot, &result, 0)?;
            return Ok(result);
        }
        let span = tracing::info_span!("step", number = slot.number(), action = action.name());
        match action.effect() {
            Effect::None => self.read(slot, &action).instrument(span).await,
            Effect::Changes => self.effect(slot, action, plan).instrument(span).await,
        }
    }

    fn elapsed(&self) -> Duration {
        self.journal.as_ref().map_or(Duration::ZERO, |journal| journal.elapsed())
    }
}

/// The journal went away with a task that died; only a host that is going down does that.
fn closed() -> End {
    End::Journal(JournalError::Store(StoreError::Closed))
}

struct EffectTask {
    journal: Box<Journal>,
    performer: Arc<Performer>,
    waits: Waits,
}

impl EffectTask {
    async fn run(mut self, slot: Slot, action: Action, plan: Option<Plan>) -> (Box<Journal>, Ended) {
        let ended = self.carry(slot, &action, plan).await;
        (self.journal, ended)
    }

    async fn carry(&mut self, mut slot: Slot, action: &Action, plan: Option<Plan>) -> Ended {
        let before = self.performer.calls();
        let repeated = plan.is_some();
        let plan = match plan {
            Some(plan) => plan,
            None => match self.performer.plan(action).await {
                Ok(Planned::Do(plan)) => match self.performer.prepare(action).await {
                    Ok(()) => {
                        self.journal.intend(&mut slot, &plan).await?;
                        plan
                    }
                    Err(error) => return self.not_sent(slot, &error, before),
                },
                Ok(Planned::Nothing(answer)) => return self.without_effect(slot, Ok(answer), before),
                Err(error) => return self.not_sent(slot, &error, before),
            },
        };
        faults::pass("effect.before-send");
        let sent = self.performer.carry_out(action, &plan, repeated).await;
        faults::pass("effect.after-send");
        let result = match sent {
            Ok(answer) => Ok(answer),
            // Nothing is known of what happened, now or at the try before.
            Err(error) if error.is_undecided() || repeated => {
                let wait = self.waits.wait(slot.number(), &error).filter(|_| plan.is_repeatable());
                let repeatable = plan.is_repeatable();
                let undecided = End::Undecided { step: slot.number(), action: action.name(), repeatable };
                return Err(wait.unwrap_or(undecided));
            }
            Err(error) => {
                if let Some(wait) = self.waits.wait(slot.number(), &error) {
                    self.journal.withdraw(&slot);
                    return Err(wait);
                }
                Err(error.to_action_error())
            }
        };
        let calls = self.performer.calls().saturating_sub(before);
        self.journal.effect_done(slot, &result, calls).await?;
        Ok(result)
    }

    /// An error before anything was sent.
    fn not_sent(&mut self, slot: Slot, error: &CaspioError, before: u32) -> Ended {
        match self.waits.wait(slot.number(), error) {
            Some(wait) => Err(wait),
            None => self.without_effect(slot, Err(error.to_action_error()), before),
        }
    }

    fn without_effect(&mut self, slot: Slot, result: Answered, before: u32) -> Ended {
        let calls = self.performer.calls().saturating_sub(before);
        self.journal.done(slot, &result, calls)?;
        Ok(result)
    }
}
