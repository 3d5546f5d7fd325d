//! Steps in clear and as kept: sealing, opening, fingerprints.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Time;
use crate::model::{Action, ActionError, Answer, RunId};
use crate::secrets::{DataKey, SealError, TenantKey};
use crate::store::{StepRecord, StepState};

use super::Plan;

const TABLE: &str = "steps";

/// A step's contents in clear.
#[derive(Debug, Clone)]
pub struct StepClear {
    /// What the guest called.
    pub request: Action,
    /// What was decided before sending.
    pub plan: Option<Plan>,
    /// What the guest was answered.
    pub result: Option<Result<Answer, ActionError>>,
}

/// The row part of the additional data: a step can't be moved to another run or number.
fn row_key(run: RunId, number: u32) -> [u8; 20] {
    let mut key = [0; 20];
    let (id, at) = key.split_at_mut(16);
    id.copy_from_slice(run.as_bytes());
    at.copy_from_slice(&number.to_be_bytes());
    key
}

/// Seals one part of a step.
pub(super) fn seal<T: Serialize>(
    key: &DataKey,
    run: RunId,
    number: u32,
    column: &str,
    value: &T,
) -> Result<Vec<u8>, SealError> {
    let plain = serde_json::to_vec(value).map_err(|_| SealError::Seal)?;
    key.seal(TABLE, column, &row_key(run, number), &plain)
}

fn open<T: DeserializeOwned>(
    key: &DataKey,
    run: RunId,
    number: u32,
    column: &str,
    sealed: &[u8],
) -> Result<T, SealError> {
    let plain = key.open(TABLE, column, &row_key(run, number), sealed)?;
    serde_json::from_slice(&plain).map_err(|_| SealError::Format)
}

/// Opens a kept step.
///
/// # Errors
/// When it is damaged, moved, or of another key.
pub fn decode_step(key: &DataKey, run: RunId, step: &StepRecord) -> Result<StepClear, SealError> {
    let n = step.number;
    Ok(StepClear {
        request: open(key, run, n, "request", &step.sealed_request)?,
        plan: step.sealed_plan.as_deref().map(|s| open(key, run, n, "plan", s)).transpose()?,
        result: step.sealed_result.as_deref().map(|s| open(key, run, n, "result", s)).transpose()?,
    })
}

/// A step whose result a person vouches for.
///
/// # Errors
/// When it can't be sealed.
pub fn resolved_step(
    key: &DataKey,
    run: RunId,
    mut step: StepRecord,
    answer: Answer,
    calls: u32,
    elapsed: Duration,
) -> Result<StepRecord, SealError> {
    let result: Result<Answer, ActionError> = Ok(answer);
    step.state = StepState::Done;
    step.outcome = Some("ok".to_owned());
    step.affected = affected(&result);
    step.sealed_result = Some(seal(key, run, step.number, "result", &result)?);
    step.elapsed_us = step.elapsed_us.max(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
    step.calls = step.calls.saturating_add(calls);
    step.finished_at = Some(Time::now());
    Ok(step)
}

/// What a call is compared by: the HMAC of its whole request.
pub(super) fn fingerprint(key: &TenantKey, version: u32, action: &Action) -> Result<[u8; 32], SealError> {
    let bytes = serde_json::to_vec(action).map_err(|_| SealError::Seal)?;
    Ok(key.fingerprint(&format!("step {version}"), &bytes))
}

/// How many records an answer speaks of.
pub(super) fn affected(result: &Result<Answer, ActionError>) -> Option<u32> {
    let count = |n: usize| Some(u32::try_from(n).unwrap_or(u32::MAX));
    match result.as_ref().ok()? {
        Answer::Rows(rows) => count(rows.len()),
        Answer::Record(row) => count(usize::from(row.is_some())),
        Answer::Created(_) | Answer::Upserted { .. } => Some(1),
        Answer::Updated { affected, .. } => Some(*affected),
        Answer::Deleted(n) => Some(*n),
        Answer::Tables(names) | Answer::Keys(names) => count(names.len()),
        Answer::Fields(fields) => count(fields.len()),
        Answer::Attachments(list) => count(list.len()),
        Answer::Folders(list) => count(list.len()),
        Answer::Files(list) => count(list.len()),
        Answer::Directories(list) => count(list.len()),
        Answer::Tasks(list) => count(list.len()),
        Answer::WasThere(was_there) => count(usize::from(*was_there)),
        Answer::Entry(entry) => count(usize::from(entry.is_some())),
        Answer::Version(_)
        | Answer::Content(_)
        | Answer::Uploaded(_)
        | Answer::Activated(_)
        | Answer::Task(_) => Some(1),
        // How many there are is no number of records that came.
        Answer::Count(_) | Answer::Done => None,
    }
}
