//! `workflow.toml`: what a workflow is, when it runs, what it may do.
//!
//! [`Manifest::parse`] is the only way to one, so whoever holds a manifest holds a valid one. Unknown
//! keys, values out of range and combinations that Caspio would refuse are errors with line and
//! column. The text that was given is what is stored; versions of a workflow keep theirs for ever, so
//! keys are added and never change their meaning.

mod check;
mod effects;
mod error;
mod grants;
mod limits;
mod order;
mod raw;
mod schedule;

use std::collections::BTreeMap;

use crate::model::{Limits, Reconcile, TriggerKind};

pub use effects::{Effects, Undecided};
pub use error::ManifestError;
pub use grants::{DirectoryOp, FileOp, Grants, Op, ViewOp};
pub use limits::{Chain, LimitSettings, Retry, RunSettings};
pub use order::{OnFailure, Order, OrderBy, Stale};
pub use schedule::{Missed, Schedule};

/// Caspio's event sources: the five of its contract and the two that its own n8n node sends.
pub const SOURCES: &[&str] =
    &["Datasheet", "DataPages", "RESTAPIs", "TriggeredActions", "Tasks", "DataParts", "Extensions"];

/// `[[trigger]]`: what starts a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Kind.
    pub kind: TriggerKind,
    /// The table.
    pub table: String,
    /// Updates only: the change must touch one of these fields; empty: any.
    pub fields: Vec<String>,
    /// Who must have made the change; empty: anyone.
    pub sources: Vec<String>,
    /// One run for the whole message instead of one a row.
    pub batch: bool,
    /// How its table is swept for changes that no webhook tells of; none: not at all.
    pub reconcile: Option<Reconcile>,
}

/// A valid manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The workflow's name.
    pub name: String,
    /// Path of the component, relative to the manifest.
    pub component: String,
    /// Name of the connection, unless the deploy names one.
    pub connection: Option<String>,
    /// When it runs.
    pub triggers: Vec<Trigger>,
    /// When it runs by the clock.
    pub schedules: Vec<Schedule>,
    /// What it may do.
    pub grants: Grants,
    /// What an attempt may use.
    pub limits: LimitSettings,
    /// Tries and back-off.
    pub retry: Retry,
    /// What becomes of undecided creates.
    pub effects: Effects,
    /// How long chains of runs may be.
    pub chain: Chain,
    /// In which order events of a record run.
    pub order: Order,
    /// How a run goes about its work, and how many at once.
    pub run: RunSettings,
    /// What the guest reads by `settings`.
    pub settings: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// With line and column, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let raw: raw::Raw = toml::from_str(text).map_err(|e| ManifestError::syntax(text, &e))?;
        check::check(raw, text)
    }
}

impl LimitSettings {
    /// As the runtime wants them.
    #[must_use]
    pub fn to_limits(&self) -> Limits {
        Limits {
            wall: std::time::Duration::from_secs(self.wall_seconds),
            fuel: self.fuel,
            memory: usize::try_from(self.memory_mib).unwrap_or(usize::MAX).saturating_mul(1 << 20),
            host_calls: self.host_calls,
            log: usize::try_from(self.log_kib).unwrap_or(usize::MAX).saturating_mul(1 << 10),
        }
    }
}
