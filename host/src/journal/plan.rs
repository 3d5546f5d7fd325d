//! What was decided before an effect is sent, so that an interrupted one can be judged.

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// How an effect is carried out; durable with its intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plan {
    /// A record is created (also by an upsert whose look-up found none).
    Create,
    /// As `Create`, and done again when it is undecided: the manifest says that twice is better than not at all.
    CreateAgain,
    /// As `Create`, with a text in a Unique field by which an undecided one is recognised.
    CreateStamped {
        /// The field.
        field: String,
        /// The text.
        stamp: String,
    },
    /// These records are changed (pinned before the effect, or named by the guest).
    Update {
        /// Their `PK_ID`s.
        pk_ids: Vec<i64>,
    },
    /// These records are deleted.
    Delete {
        /// Their `PK_ID`s.
        pk_ids: Vec<i64>,
    },
    /// One request about something else than records: a file, a user, a task.
    Call {
        /// Doing it twice leaves the same as doing it once.
        repeatable: bool,
        /// Caspio's key of what it is about, where the guest gave a name.
        key: Option<String>,
    },
    /// The run sleeps.
    Sleep {
        /// Until then.
        until: Time,
    },
}

impl Plan {
    /// Whether it makes a record.
    #[must_use]
    pub fn creates(&self) -> bool {
        matches!(self, Self::Create | Self::CreateAgain | Self::CreateStamped { .. })
    }

    /// Whether doing it twice leaves the same as doing it once (or the manifest does not mind), so that an undecided one
    /// is simply done again.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        match self {
            Self::Create => false,
            Self::CreateAgain
            | Self::CreateStamped { .. }
            | Self::Update { .. }
            | Self::Delete { .. }
            | Self::Sleep { .. } => true,
            Self::Call { repeatable, .. } => *repeatable,
        }
    }
}
