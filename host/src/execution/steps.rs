//! Between the guest and the outside: grants, then the journal, then Caspio.
//!
//! An effect runs in a task of its own: when the guest is dropped meanwhile, it is still carried to
//! its end and its result recorded; [`RunSteps::settle`] waits for that before the run may change state.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::caspio::CaspioError;
use crate::clock::Time;
use crate::faults;
use crate::journal::{Divergence, Journal, JournalError, Next, Plan, Slot};
use crate::model::{Action, ActionError, Answer, Cause, Effect, StateAction, TimerAction};
use crate::runtime::{Steps, WallBudget};
use crate::store::{NewWrite, StateOutcome, StoreError};

use super::cache::ReadCache;
use super::grants;
use super::perform::{Performer, Planned};
use super::retry::{RetrySettings, backoff};
use super::state::KeptState;
use super::timers;

/// Longest pause of a run that was held back.
const HELD_BACK: Duration = Duration::from_secs(1);

/// Why an attempt ends in the middle of a host call.
#[derive(Debug)]
pub(super) enum End {
    /// Caspio can't take the call now; the run goes on later.
    Wait { step: u32, tries: u32, delay: Duration, cause: Cause },
    /// An effect may or may not have happened, and can't be repeated (or can't any more).
    Undecided { step: u32, action: &'static str, repeatable: bool },
    /// The run sleeps until then.
    Sleep { until: Time },
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
    state: Arc<KeptState>,
    waits: Waits,
    wall: WallBudget,
    in_flight: Option<JoinHandle<(Box<Journal>, Ended)>>,
    /// Tables that the run wrote to, in lower case.
    written: HashSet<String>,
    /// What was read, when the workflow wants to read it once.
    cache: Option<ReadCache>,
    wake: Arc<Notify>,
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
        // Refused credentials wait for a person, a used up budget for the next period, however long.
        let at_length = matches!(cause, Cause::Connection | Cause::Budget);
        // Nor does what was not even sent use up its waits: others before it got no answer.
        if error.is_held_back() {
            // It is not begun before Caspio answers, which may be sooner than it seems now.
            let delay = error.retry_after().unwrap_or_default().min(HELD_BACK);
            return Some(End::Wait { step, tries: so_far, delay, cause });
        }
        if so_far >= self.settings.step_waits && !at_length {
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
        state: KeptState,
        waits: Waits,
        wall: WallBudget,
        wake: Arc<Notify>,
    ) -> Self {
        let cache = performer.manifest.run.cache_reads.then(ReadCache::default);
        let (journal, written) = (Some(journal), HashSet::new());
        let state = Arc::new(state);
        Self { journal, performer, state, waits, wall, in_flight: None, written, cache, wake }
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

    /// What an action was answered, now or in an earlier attempt.
    fn note(&mut self, action: &Action, result: &Answered) {
        // What other runs keep meanwhile must be seen.
        let is_state = matches!(action, Action::State(_));
        if let Some(cache) = self.cache.as_mut().filter(|_| !is_state) {
            cache.note(action, result.as_ref().ok());
        }
        if let (Effect::Changes, Some(table)) = (action.effect(), action.table()) {
            self.written.insert(table.to_ascii_lowercase());
        }
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
        let first = action.table().is_none_or(|table| !self.written.contains(&table.to_ascii_lowercase()));
        let (performer, wake) = (self.performer.clone(), self.wake.clone());
        let task = EffectTask { journal, performer, waits: self.waits, first, wake };
        self.carried(tokio::spawn(task.run(slot, action, plan).in_current_span())).await
    }

    /// Waits for what is carried to its end also when nobody waits.
    async fn carried(&mut self, task: JoinHandle<(Box<Journal>, Ended)>) -> Ended {
        let joined = self.in_flight.insert(task).await;
        self.in_flight = None;
        let (journal, ended) = joined.map_err(|_| End::Journal(JournalError::Broken))?;
        self.journal = Some(journal);
        self.waits.progressed |= matches!(ended, Ok(Ok(_)));
        ended
    }

    /// A change of the workflow's state. Cut off in the middle it could be committed and forgotten.
    async fn keep(&mut self, slot: Slot, action: StateAction) -> Ended {
        let mut journal = self.journal.take().ok_or_else(closed)?;
        let (state, wake) = (self.state.clone(), self.wake.clone());
        let task = async move {
            let ended = keep(&mut journal, &state, slot, &action, &wake).await;
            (journal, ended)
        };
        self.carried(tokio::spawn(task.in_current_span())).await
    }

    /// The run sleeps, unless the time has come.
    fn sleep(&mut self, slot: Slot, action: TimerAction, plan: Option<Plan>) -> Ended {
        let journal = self.journal.as_mut().ok_or_else(closed)?;
        let now = Time::now();
        let until = match plan {
            Some(Plan::Sleep { until }) => Ok(until),
            _ => timers::until(&action, now),
        };
        let result = match until {
            Ok(until) if until > now => {
                journal.sleep(slot, until)?;
                return Err(End::Sleep { until });
            }
            Ok(_) => {
                faults::pass("timers.woken");
                Ok(Answer::Done)
            }
            Err(refused) => Err(refused),
        };
        journal.done(slot, &result, 0)?;
        Ok(result)
    }
}

impl Steps for RunSteps {
    type End = End;

    async fn step(&mut self, action: Action) -> Ended {
        let mut denied = grants::check(&self.performer.manifest.grants, &action);
        if let (Ok(()), Action::State(action)) = (&denied, &action) {
            denied = self.state.check(action);
        }
        let shown = grants::table_of(&self.performer.manifest.grants, &action);
        let journal = self.journal.as_mut().ok_or_else(closed)?;
        journal.flush().await?;
        let (slot, plan) = match journal.next(&action, shown)? {
            Next::Answered(result) => {
                self.note(&action, &result);
                return Ok(result);
            }
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
        if let Some(answer) = self.cache.as_ref().and_then(|cache| cache.get(&action)) {
            let result = Ok(answer);
            journal.done(slot, &result, 0)?;
            return Ok(result);
        }
        let result = match (&action, action.effect()) {
            (Action::State(state), Effect::None) => {
                let result = Ok(self.state.read(state).instrument(span).await?);
                let journal = self.journal.as_mut().ok_or_else(closed)?;
                journal.done(slot, &result, 0)?;
                return Ok(result);
            }
            (Action::State(state), _) => self.keep(slot, state.clone()).instrument(span).await?,
            (Action::Timer(timer), _) => span.in_scope(|| self.sleep(slot, *timer, plan))?,
            (_, Effect::None) => self.read(slot, &action).instrument(span).await?,
            _ => self.effect(slot, action.clone(), plan).instrument(span).await?,
        };
        self.note(&action, &result);
        Ok(result)
    }

    fn elapsed(&self) -> Duration {
        self.journal.as_ref().map_or(Duration::ZERO, |journal| journal.elapsed())
    }
}

/// The journal went away with a task that died; only a host that is going down does that.
fn closed() -> End {
    End::Journal(JournalError::Store(StoreError::Closed))
}

/// The change and its step in one commit; refused, it is a step that changed nothing.
async fn keep(
    journal: &mut Journal,
    state: &KeptState,
    slot: Slot,
    action: &StateAction,
    wake: &Notify,
) -> Ended {
    let change = state.change(action).map_err(JournalError::from)?;
    let Some((change, answer)) = change else { return Err(End::Journal(JournalError::Broken)) };
    let result = Ok(answer);
    match journal.keep(slot.clone(), &result, change).await? {
        StateOutcome::Done { due } => {
            if due {
                wake.notify_one();
            }
            Ok(result)
        }
        refused => {
            let result = state.refusal(refused);
            journal.done(slot, &result, 0)?;
            Ok(result)
        }
    }
}

struct EffectTask {
    journal: Box<Journal>,
    performer: Arc<Performer>,
    waits: Waits,
    /// The run has not written to the table before.
    first: bool,
    wake: Arc<Notify>,
}

impl EffectTask {
    async fn run(mut self, slot: Slot, action: Action, plan: Option<Plan>) -> (Box<Journal>, Ended) {
        let ended = self.carry(slot, &action, plan).await;
        (self.journal, ended)
    }

    async fn carry(&mut self, mut slot: Slot, action: &Action, plan: Option<Plan>) -> Ended {
        let before = self.performer.calls();
        let repeated = plan.is_some();
        let number = slot.number();
        let (plan, registered) = match plan {
            Some(plan) => match self.performer.write(action, &plan, number, self.first).await {
                Ok(write) => {
                    let registered = write.is_some();
                    if let Some(write) = write {
                        self.journal.register(write).await?;
                    }
                    (plan, registered)
                }
                // Its fields could not be read: it is not sent, and stays undecided.
                Err(error) => {
                    let undecided = End::Undecided { step: number, action: action.name(), repeatable: true };
                    return Err(self.waits.wait(number, &error).unwrap_or(undecided));
                }
            },
            None => match self.performer.plan(action).await {
                Ok(Planned::Do(plan)) => match self.ready(action, &plan, number).await {
                    Ok(write) => {
                        let registered = write.is_some();
                        self.journal.intend(&mut slot, &plan, write).await?;
                        (plan, registered)
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
        let ended = match registered {
            true => Some(self.performer.write_end(number, action, &result).await),
            false => None,
        };
        if self.journal.effect_done(slot, &result, calls, ended).await? {
            self.wake.notify_one();
        }
        Ok(result)
    }

    /// All that comes before the intent.
    async fn ready(&self, action: &Action, plan: &Plan, step: u32) -> Result<Option<NewWrite>, CaspioError> {
        self.performer.prepare(action).await?;
        self.performer.write(action, plan, step, self.first).await
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
