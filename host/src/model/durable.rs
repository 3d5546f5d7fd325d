//! Calls that the host answers itself: timers, and what a workflow keeps from run to run.

use serde::{Deserialize, Serialize};

use crate::clock::Time;

use super::{Content, Effect};

/// A call of `timers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimerAction {
    /// `timers.sleep`
    Sleep {
        /// How long.
        seconds: u64,
    },
    /// `timers.sleep-until`
    SleepUntil {
        /// Until when.
        at: Time,
    },
}

impl TimerAction {
    /// See [`super::Action::name`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sleep { .. } => "timers.sleep",
            Self::SleepUntil { .. } => "timers.sleep-until",
        }
    }
}

/// A call of `state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateAction {
    /// `state.get`
    Get {
        /// The key.
        key: String,
    },
    /// `state.list`
    List {
        /// How the keys begin.
        prefix: String,
        /// Only keys after this one.
        after: Option<String>,
        /// At most so many.
        limit: Option<u32>,
    },
    /// `state.set`
    Set {
        /// The key.
        key: String,
        /// The new value.
        value: Content,
    },
    /// `state.compare-and-set`
    CompareAndSet {
        /// The key.
        key: String,
        /// The version that it must have; none: there must be no such key.
        expected: Option<u64>,
        /// The new value.
        value: Content,
    },
    /// `state.delete`
    Delete {
        /// The key.
        key: String,
    },
}

impl StateAction {
    /// See [`super::Action::name`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Get { .. } => "state.get",
            Self::List { .. } => "state.list",
            Self::Set { .. } => "state.set",
            Self::CompareAndSet { .. } => "state.compare-and-set",
            Self::Delete { .. } => "state.delete",
        }
    }

    /// See [`super::Action::effect`].
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::Get { .. } | Self::List { .. } => Effect::None,
            Self::Set { .. } | Self::CompareAndSet { .. } | Self::Delete { .. } => Effect::Keeps,
        }
    }
}
