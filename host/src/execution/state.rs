//! What a workflow keeps from run to run: keys hashed, keys and values sealed by the tenant's key.
//!
//! The store finds a key by its keyed hash and sees neither it nor its value in clear. Whether a change is made
//! is decided where it is committed, together with the step that makes it (`store/sqlite/state.rs`), so it is never
//! undecided. Lists open the keys of the whole workflow, which `[state]` of the configuration bounds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::journal::JournalError;
use crate::model::{ActionError, Answer, Content, StateAction, StateEntry, TenantId, WorkflowId};
use crate::secrets::{SealError, TenantKey, random_bytes};
use crate::store::{Expected, StateChange, StateOutcome, StateRecord, StateUse, Store};

const TABLE: &str = "state";
/// Longest key, in bytes.
const LONGEST_KEY: usize = 255;

/// `[state]` of the configuration.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateSettings {
    /// Keys that a workflow may keep. Default 10,000: a list opens all of them, in some hundredths of a second.
    pub max_keys: u64,
    /// Bytes of keys and values that a workflow may keep. Default 16 MiB: state is for counters, cursors and marks; records
    /// belong into tables.
    pub max_bytes: u64,
    /// Largest value, in bytes. Default 256 KiB: each change is kept in the journal of its run as well.
    pub max_value_bytes: u64,
}

impl Default for StateSettings {
    fn default() -> Self {
        Self { max_keys: 10_000, max_bytes: 16 << 20, max_value_bytes: 256 << 10 }
    }
}

/// A key, as the host's own people see it.
pub struct KeptKey {
    /// The key.
    pub key: String,
    /// Another one with every change.
    pub version: u64,
    /// Bytes of key and value.
    pub size: u64,
    /// When it was changed last.
    pub changed_at: Time,
}

/// The state of one workflow.
pub struct KeptState {
    store: Arc<dyn Store>,
    key: TenantKey,
    tenant: TenantId,
    workflow: WorkflowId,
    settings: StateSettings,
}

impl KeptState {
    /// The state of a workflow.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        key: TenantKey,
        tenant: TenantId,
        workflow: WorkflowId,
        settings: StateSettings,
    ) -> Self {
        Self { store, key, tenant, workflow, settings }
    }

    /// By what the store finds a key: equal keys of two workflows have different ones.
    #[must_use]
    pub fn hash(&self, key: &str) -> [u8; 32] {
        let mut text = self.workflow.as_bytes().to_vec();
        text.extend_from_slice(key.as_bytes());
        self.key.fingerprint("state key 1", &text)
    }

    fn row(&self, hash: &[u8; 32]) -> Vec<u8> {
        [self.workflow.as_bytes().as_slice(), hash].concat()
    }

    /// One key; none when it is not there.
    ///
    /// # Errors
    /// When the store or the key fails.
    pub async fn get(&self, key: &str) -> Result<Option<(StateEntry, Time)>, JournalError> {
        let Some(found) = self.store.state_entry(self.workflow, self.hash(key)).await? else {
            return Ok(None);
        };
        let value = self.key.open(TABLE, "value", &self.row(&found.hash), &found.sealed_value)?;
        Ok(Some((StateEntry { value: Content(value), version: found.version }, found.changed_at)))
    }

    /// All keys, sorted.
    ///
    /// # Errors
    /// When the store or a key fails.
    pub async fn keys(&self) -> Result<Vec<KeptKey>, JournalError> {
        let mut keys = Vec::new();
        for found in self.store.state_keys(self.workflow).await? {
            let key = self.key.open(TABLE, "key", &self.row(&found.hash), &found.sealed_key)?;
            let key = String::from_utf8(key).map_err(|_| SealError::Format)?;
            let StateRecord { version, size, changed_at, .. } = found;
            keys.push(KeptKey { key, version, size, changed_at });
        }
        keys.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(keys)
    }

    /// A call that only reads.
    pub(super) async fn read(&self, action: &StateAction) -> Result<Answer, JournalError> {
        match action {
            StateAction::List { prefix, after, limit } => {
                let is_wanted = |key: &String| {
                    key.starts_with(prefix.as_str()) && after.as_ref().is_none_or(|after| key > after)
                };
                let keys = self.keys().await?.into_iter().map(|kept| kept.key).filter(is_wanted);
                Ok(Answer::Keys(keys.take(limit.map_or(usize::MAX, |n| n as usize)).collect()))
            }
            StateAction::Get { key }
            | StateAction::Set { key, .. }
            | StateAction::CompareAndSet { key, .. }
            | StateAction::Delete { key } => Ok(Answer::Entry(self.get(key).await?.map(|(entry, _)| entry))),
        }
    }

    /// What a call is to change, and what it is answered when that is done; none: it changes nothing.
    pub(super) fn change(&self, action: &StateAction) -> Result<Option<(StateChange, Answer)>, SealError> {
        let (key, expected, value) = match action {
            StateAction::Get { .. } | StateAction::List { .. } => return Ok(None),
            StateAction::Set { key, value } => (key, Expected::Anything, Some(value)),
            StateAction::CompareAndSet { key, expected, value } => {
                (key, expected.map_or(Expected::Nothing, Expected::Version), Some(value))
            }
            StateAction::Delete { key } => (key, Expected::Anything, None),
        };
        let hash = self.hash(key);
        let row = self.row(&hash);
        // Never 0, and positive as a number of the database. Drawn, so that a key that is deleted and made again never has
        // a version that it had before.
        let version = (u64::from_le_bytes(random_bytes()?) >> 1).max(1);
        let entry = match value {
            Some(value) => Some(StateRecord {
                hash,
                version,
                size: (key.len() as u64).saturating_add(value.0.len() as u64),
                changed_at: Time::now(),
                sealed_key: self.key.seal(TABLE, "key", &row, key.as_bytes())?,
                sealed_value: self.key.seal(TABLE, "value", &row, &value.0)?,
            }),
            None => None,
        };
        let answer = if entry.is_some() { Answer::Version(version) } else { Answer::WasThere(true) };
        let StateSettings { max_keys: keys, max_bytes: bytes, .. } = self.settings;
        let (tenant, workflow) = (self.tenant.clone(), self.workflow);
        let most = StateUse { keys, bytes };
        Ok(Some((StateChange { tenant, workflow, hash, expected, entry, most }, answer)))
    }

    /// What a change that was not made is answered.
    pub(super) fn refusal(&self, outcome: StateOutcome) -> Result<Answer, ActionError> {
        match outcome {
            StateOutcome::Full(StateUse { keys, bytes }) => Err(ActionError::Limit(format!(
                "the workflow keeps {keys} keys of at most {} and {bytes} bytes of at most {}; delete keys, keep records in \
                 a table, or raise state.max_keys or state.max_bytes of the host",
                self.settings.max_keys, self.settings.max_bytes
            ))),
            StateOutcome::Conflict => Err(ActionError::Conflict(
                "the key has another version, or is there already; get it again".to_owned(),
            )),
            StateOutcome::Missing | StateOutcome::Done { .. } => Ok(Answer::WasThere(false)),
        }
    }

    /// Whether key and value may be so.
    pub(super) fn check(&self, action: &StateAction) -> Result<(), ActionError> {
        let (key, value) = match action {
            StateAction::List { .. } => return Ok(()),
            StateAction::Get { key } | StateAction::Delete { key } => (key, None),
            StateAction::Set { key, value } | StateAction::CompareAndSet { key, value, .. } => {
                (key, Some(value))
            }
        };
        if key.is_empty() || key.len() > LONGEST_KEY {
            let message = format!("a key of state has 1 to {LONGEST_KEY} bytes; shorten it, or hash it");
            return Err(ActionError::Invalid { field: String::new(), message });
        }
        let most = self.settings.max_value_bytes;
        if value.is_some_and(|value| value.0.len() as u64 > most) {
            return Err(ActionError::TooLarge(format!(
                "a value of state has at most {most} bytes; split it, keep it in a table, or raise \
                 state.max_value_bytes of the host"
            )));
        }
        Ok(())
    }
}
