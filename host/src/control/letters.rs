//! What people decide about runs that need them: resolve, redrive, discard.
//!
//! A parked run whose effect is undecided is resolved: a person looked into Caspio and says what became of it. A dead or
//! diverged one is redriven: it goes on after its last final step, with the active version or another, or is begun
//! anew in the next generation. Nothing that is final is done again, except by beginning anew.

use serde::{Deserialize, Serialize};

use crate::caspio::CallContext;
use crate::clock::Time;
use crate::journal::{Plan, decode_step, resolved_step};
use crate::model::{Action, Answer, Cause, RunId, RunState, TenantId};
use crate::secrets::{DataKey, random_bytes};
use crate::store::{Decision, Letter, LetterCount, LetterFilter, StepRecord};

use super::{Control, ControlError, Kind, Result, contents_gone};

/// Runs of one redrive by cause at most; the command is given again for more.
const MOST: u32 = 10_000;
/// Longest reason.
const REASON_MAX: usize = 4 << 10;

/// What became of an undecided effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// Caspio did it.
    Done,
    /// Caspio did not do it: it is sent again.
    Retry,
    /// The run is given up as a dead letter.
    Fail,
}

/// How an undecided run is resolved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// What became of the effect.
    pub resolution: Resolution,
    /// `PK_ID` of the record that Caspio created; needed for `done` of a create.
    pub pk_id: Option<i64>,
}

/// How a run is redriven.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedriveRequest {
    /// The version; the active one when left out.
    pub version: Option<u32>,
    /// Begin anew, in the next generation.
    #[serde(default)]
    pub from_start: bool,
}

/// Which runs are redriven.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedriveMany {
    /// Of this workflow.
    pub workflow: String,
    /// For this cause.
    pub cause: Cause,
    /// Only those whose last call failed with this code.
    pub code: Option<String>,
    /// The version; the active one when left out.
    pub version: Option<u32>,
}

/// What was decided.
#[derive(Debug, Serialize)]
pub struct DecidedView {
    /// The run that goes on or ended; after a start anew, the new one.
    pub run: RunId,
    /// Its state.
    pub state: RunState,
}

/// How many runs were redriven.
#[derive(Debug, Serialize)]
pub struct RedrivenView {
    /// So many go on.
    pub redriven: u64,
    /// So many could not: their effect is undecided.
    pub left: u64,
}

/// Dead and parked runs of a workflow by cause, and by the error of their last call.
#[derive(Debug, Serialize)]
pub struct LetterView {
    /// Workflow.
    pub workflow: String,
    /// `dead` or `parked`.
    pub state: RunState,
    /// Why.
    pub cause: Option<Cause>,
    /// The action that was called last, when it failed.
    pub action: Option<String>,
    /// The code of its error.
    pub code: Option<String>,
    /// How many.
    pub count: u64,
    /// Since when the oldest of them waits.
    pub oldest: String,
}

impl From<LetterCount> for LetterView {
    fn from(x: LetterCount) -> Self {
        Self {
            workflow: x.workflow,
            state: x.state,
            cause: x.cause,
            action: x.action,
            code: x.code,
            count: x.count,
            oldest: x.oldest.to_string(),
        }
    }
}

impl Control {
    /// Dead and parked runs, grouped by workflow, cause, and the error of their last call.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn letters(&self, tenant: &TenantId) -> Result<Vec<LetterView>> {
        Ok(self.store.letter_counts(tenant).await?.into_iter().map(LetterView::from).collect())
    }

    /// A person says what became of a run's undecided effect.
    ///
    /// # Errors
    /// When nothing of the run is undecided, or the record that is named does not exist.
    pub async fn resolve_run(
        &self,
        tenant: &TenantId,
        id: RunId,
        request: ResolveRequest,
    ) -> Result<DecidedView> {
        let letter = self.letter(tenant, id).await?;
        let undecided = letter.run.state == RunState::Parked && letter.run.cause == Some(Cause::Undecided);
        let Some(intent) = letter.intent.as_ref().filter(|_| undecided) else {
            return Err(ControlError::new(
                Kind::Conflict,
                "not-undecided",
                format!(
                    "nothing of the run {id} is undecided (it is {}); see: caspian run show {id}",
                    letter.run.state
                ),
            ));
        };
        let decision = match request.resolution {
            Resolution::Retry => Decision::NotDone,
            Resolution::Fail => Decision::Fail,
            Resolution::Done => {
                let key = self.key_of(tenant, &letter).await?;
                let step = Box::new(self.done(&letter, intent, &key, request.pk_id).await?);
                Decision::Done { step, pk_id: request.pk_id }
            }
        };
        let state = if request.resolution == Resolution::Fail { RunState::Dead } else { RunState::Queued };
        self.decide(&letter, decision).await?;
        let what = serde_json::to_value(request.resolution).unwrap_or_default();
        let subject = format!("{id} {}", what.as_str().unwrap_or_default());
        self.audit(tenant, "run.resolve", &subject).await?;
        Ok(DecidedView { run: id, state })
    }

    /// The step as it would be, had its answer come.
    async fn done(
        &self,
        letter: &Letter,
        intent: &StepRecord,
        key: &DataKey,
        pk_id: Option<i64>,
    ) -> Result<StepRecord> {
        let id = letter.run.id;
        let clear = decode_step(key, id, intent)?;
        let context = CallContext::of_host(Some(letter.run.workflow), "run.resolve");
        let read = async |table: &str, pk_ids: &[i64]| -> Result<Vec<crate::model::Row>> {
            let caspio = self.connector.connect(letter.connection).await?;
            let schema = caspio.fields(&context, table).await?;
            let mut rows = Vec::with_capacity(pk_ids.len());
            for pk_id in pk_ids {
                rows.extend(caspio.get(&context, &schema, *pk_id).await?);
            }
            Ok(rows)
        };
        let count = |ids: &[i64]| u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let answer = match (&clear.request, clear.plan.as_ref()) {
            (Action::CreateRecord { table, .. } | Action::UpsertRecord { table, .. }, Some(Plan::Create)) => {
                let Some(pk_id) = pk_id else {
                    return Err(ControlError::invalid(
                        "resolve-pk-id",
                        format!(
                            "which record Caspio created is not known; look at the table in Caspio and give its PK_ID: \
                             caspian run resolve {id} --done --pk-id N"
                        ),
                    ));
                };
                let row = read(table, &[pk_id]).await?.into_iter().next().ok_or_else(|| {
                    ControlError::not_found(
                        "resolve-record",
                        format!(
                            "the table {table} has no record with PK_ID {pk_id}; look at the table in Caspio, and use \
                             --retry when it was not created"
                        ),
                    )
                })?;
                match &clear.request {
                    Action::CreateRecord { .. } => Answer::Created(row),
                    _ => Answer::Upserted { created: true, row },
                }
            }
            (Action::UpsertRecord { table, .. }, Some(Plan::Update { pk_ids })) => {
                let row = read(table, pk_ids).await?.into_iter().next().ok_or_else(|| {
                    ControlError::not_found(
                        "resolve-record",
                        "the record was deleted meanwhile; use --fail, or --retry to create it",
                    )
                })?;
                Answer::Upserted { created: false, row }
            }
            (Action::UpdateRecords { table, return_rows, .. }, Some(Plan::Update { pk_ids })) => {
                let rows = if *return_rows { read(table, pk_ids).await? } else { Vec::new() };
                Answer::Updated { affected: count(pk_ids), rows }
            }
            (Action::DeleteRecords { .. }, Some(Plan::Delete { pk_ids })) => Answer::Deleted(count(pk_ids)),
            _ => {
                return Err(ControlError::new(
                    Kind::Conflict,
                    "resolve-step",
                    format!(
                        "the result of {} can't be made up afterwards; use --retry, or --fail",
                        clear.request.name()
                    ),
                ));
            }
        };
        let elapsed = Time::now().since(letter.run_start);
        Ok(resolved_step(key, id, intent.clone(), answer, context.spent(), elapsed)?)
    }

    /// A dead, diverged or otherwise stopped run goes on after its last final step, or begins anew.
    ///
    /// # Errors
    /// When it is neither dead nor parked, its effect is undecided, or there is no such version.
    pub async fn redrive_run(
        &self,
        tenant: &TenantId,
        id: RunId,
        request: RedriveRequest,
    ) -> Result<DecidedView> {
        let letter = self.letter(tenant, id).await?;
        waits_for_a_person(&letter)?;
        // Also of a dead one: a person gave up on it without saying what became of its effect.
        if letter.run.cause == Some(Cause::Undecided) || letter.intent.is_some() {
            return Err(undecided(id));
        }
        let version = self.version_for(tenant, &letter, request.version).await?;
        let how = if request.from_start { " from the start" } else { "" };
        let subject = format!("{id} with version {version}{how}");
        let (decision, run) = if request.from_start {
            let key = self.key_of(tenant, &letter).await?;
            let new = RunId::new();
            let seed: [u8; 32] = random_bytes()?;
            let sealed_seed = key.seal("runs", "seed", new.as_bytes(), &seed)?;
            (Decision::Restart { run: new, version, sealed_seed }, new)
        } else {
            self.key_of(tenant, &letter).await?;
            (Decision::Redrive { version }, id)
        };
        self.decide(&letter, decision).await?;
        self.audit(tenant, "run.redrive", &subject).await?;
        Ok(DecidedView { run, state: RunState::Queued })
    }

    /// All runs of a workflow that are dead or parked for a cause go on.
    ///
    /// # Errors
    /// When there is no such workflow or version.
    pub async fn redrive_runs(&self, tenant: &TenantId, request: RedriveMany) -> Result<RedrivenView> {
        let workflow = self.workflow_named(tenant, &request.workflow).await?;
        if request.cause == Cause::Undecided {
            return Err(ControlError::new(
                Kind::Conflict,
                "undecided",
                "what became of an undecided effect must be said run by run; see: caspian run list --state parked",
            ));
        }
        let filter = LetterFilter {
            tenant: tenant.clone(),
            workflow: Some(workflow.name),
            cause: Some(request.cause),
            code: request.code,
            limit: MOST,
        };
        let mut done = RedrivenView { redriven: 0, left: 0 };
        for id in self.store.letters(filter).await? {
            let one = RedriveRequest { version: request.version, from_start: false };
            match self.redrive_run(tenant, id, one).await {
                Ok(_) => done.redriven += 1,
                // Undecided, or somebody else was faster.
                Err(error) if error.kind == Kind::Conflict => done.left += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// A dead, parked or sleeping run is given up.
    ///
    /// # Errors
    /// When it is none of them, or the reason is missing or too long.
    pub async fn discard_run(&self, tenant: &TenantId, id: RunId, reason: &str) -> Result<DecidedView> {
        let letter = self.letter(tenant, id).await?;
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > REASON_MAX {
            return Err(ControlError::invalid(
                "discard-reason",
                "the reason is missing or longer than 4 KiB; say in a sentence why the run is given up",
            ));
        }
        if letter.run.state != RunState::Sleeping {
            waits_for_a_person(&letter)?;
        }
        let sealed_note = match self.data_key(tenant, letter.run.message).await? {
            Some(key) => Some(key.seal("runs", "note", id.as_bytes(), reason.as_bytes())?),
            None => None,
        };
        self.decide(&letter, Decision::Discard { sealed_note }).await?;
        self.audit(tenant, "run.discard", &id.to_string()).await?;
        Ok(DecidedView { run: id, state: RunState::Discarded })
    }

    async fn letter(&self, tenant: &TenantId, id: RunId) -> Result<Letter> {
        self.store.letter(tenant, id).await?.ok_or_else(|| {
            ControlError::not_found("run-not-found", format!("there is no run {id}; see `caspian run list`"))
        })
    }

    async fn key_of(&self, tenant: &TenantId, letter: &Letter) -> Result<DataKey> {
        if letter.gone {
            return Err(contents_gone());
        }
        self.data_key(tenant, letter.run.message).await?.ok_or_else(contents_gone)
    }

    /// The version that a run goes on with: the one asked for, which must exist, or the active one.
    async fn version_for(&self, tenant: &TenantId, letter: &Letter, asked: Option<u32>) -> Result<u32> {
        if let Some(number) = asked {
            return match self.store.version(letter.run.workflow, number).await? {
                Some(_) => Ok(number),
                None => Err(ControlError::not_found(
                    "version-not-found",
                    format!(
                        "the workflow '{0}' has no version {number}; see: caspian workflow history {0}",
                        letter.run.workflow_name
                    ),
                )),
            };
        }
        if letter.gone {
            return Err(contents_gone());
        }
        Ok(self.workflow_named(tenant, &letter.run.workflow_name).await?.active_version)
    }

    async fn decide(&self, letter: &Letter, decision: Decision) -> Result<()> {
        let was = (letter.run.state, letter.run.cause);
        if !self.store.decide(letter.run.id, was, decision, Time::now()).await? {
            return Err(ControlError::new(
                Kind::Conflict,
                "changed",
                format!("the run {0} changed meanwhile; see: caspian run show {0}", letter.run.id),
            ));
        }
        self.wake.notify_one();
        Ok(())
    }
}

/// What a person can do about a run in such a state.
pub(super) fn next_step(id: RunId, state: RunState, cause: Option<Cause>) -> Option<String> {
    match (state, cause) {
        (RunState::Parked, Some(Cause::Undecided)) => {
            Some(format!("look at the table in Caspio, then: caspian run resolve {id} --done|--retry|--fail"))
        }
        (RunState::Dead, Some(Cause::Undecided)) => Some(format!("caspian run discard {id} --reason \"…\"")),
        (RunState::Parked, Some(Cause::Restored)) => Some(format!(
            "where the original host did not go on with it: caspian run resume {id}; or: caspian run discard {id} --reason \
             \"…\""
        )),
        (RunState::Sleeping, _) => Some(format!(
            "it goes on by itself; to wake it now: caspian run wake {id}; or: caspian run discard {id} --reason \"…\""
        )),
        (RunState::Skipped, Some(Cause::Stale)) => {
            Some("nothing is to be done: what is newer is done already".to_owned())
        }
        (RunState::Parked | RunState::Dead, _) => Some(format!(
            "mend what is wrong, then: caspian run redrive {id}; or: caspian run discard {id} --reason \"…\""
        )),
        _ => None,
    }
}

fn waits_for_a_person(letter: &Letter) -> Result<()> {
    let (id, state) = (letter.run.id, letter.run.state);
    if matches!(state, RunState::Dead | RunState::Parked) {
        return Ok(());
    }
    let text = format!("the run {id} is {state}, neither dead nor parked; see: caspian run show {id}");
    Err(ControlError::new(Kind::Conflict, "not-dead", text))
}

fn undecided(id: RunId) -> ControlError {
    ControlError::new(
        Kind::Conflict,
        "undecided",
        format!(
            "whether Caspio did what the run {id} sent last is not known; look at the table in Caspio, then: caspian run \
             resolve {id} --done|--retry|--fail"
        ),
    )
}
