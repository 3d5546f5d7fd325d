//! A person wakes a run before its time: the sleep is over, and the run goes on.

use crate::clock::Time;
use crate::journal::{Plan, decode_step, resolved_step};
use crate::model::{Answer, RunId, RunState, TenantId};
use crate::store::{Decision, StepState};

use super::{Control, ControlError, DecidedView, Kind, Result, contents_gone};

impl Control {
    /// Ends the sleep of a run. Its virtual time is that at which it would have woken.
    ///
    /// # Errors
    /// When it does not sleep.
    pub async fn wake_run(&self, tenant: &TenantId, id: RunId) -> Result<DecidedView> {
        let letter = self.store.letter(tenant, id).await?.ok_or_else(|| super::runs::no_run(id))?;
        if letter.run.state != RunState::Sleeping {
            return Err(awake(id, letter.run.state));
        }
        let key = self.data_key(tenant, letter.run.message).await?.ok_or_else(contents_gone)?;
        let last = self.store.steps(id).await?.pop().filter(|step| step.state == StepState::Intent);
        let Some(step) = last else { return Err(awake(id, letter.run.state)) };
        let Some(Plan::Sleep { until }) = decode_step(&key, id, &step)?.plan else {
            return Err(awake(id, letter.run.state));
        };
        let step = resolved_step(&key, id, step, Answer::Done, 0, until.since(letter.run_start))?;
        let decision = Decision::Wake { step: Box::new(step) };
        let was = (letter.run.state, letter.run.cause);
        if !self.store.decide(id, was, decision, Time::now()).await? {
            return Err(awake(id, RunState::Running));
        }
        self.audit(tenant, "run.wake", &id.to_string()).await?;
        self.wake.notify_one();
        Ok(DecidedView { run: id, state: RunState::Queued })
    }
}

fn awake(id: RunId, state: RunState) -> ControlError {
    let text = format!("the run {id} does not sleep (it is {state}); see: caspian run show {id}");
    ControlError::new(Kind::Conflict, "not-sleeping", text)
}
