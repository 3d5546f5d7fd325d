//! States, as stored and as shown (see the words in `docs/`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As stored and shown.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(format!(
                        concat!("no such ", $what, "; one of: {}"),
                        [$($text),+].join(", ")
                    )),
                }
            }
        }
    };
}

text_enum!(
    /// State of a run.
    RunState, "run state" {
    /// Waits for its first attempt or for a retry.
    Queued = "queued",
    /// An attempt is under way.
    Running = "running",
    /// Waits for a timer.
    Sleeping = "sleeping",
    /// Needs a person: an effect is undecided, or the component's calls differ from the journal.
    Parked = "parked",
    /// `handle` returned ok.
    Succeeded = "succeeded",
    /// A dead letter.
    Dead = "dead",
    /// Given up by a person.
    Discarded = "discarded",
    /// Never started: loop, stale or inactive.
    Skipped = "skipped",
});

impl RunState {
    /// Nothing will happen to it by itself any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Discarded | Self::Skipped)
    }
}

text_enum!(
    /// Why a run is in its state. Stable codes, shown to people and used to group dead letters.
    Cause, "cause" {
    /// The guest said fatal.
    Fatal = "fatal",
    /// Attempts used up; the last failure was the guest's.
    Retries = "retries",
    /// The guest trapped (panic, unreachable, …) in its last attempt.
    Trap = "trap",
    /// CPU limit (fuel).
    LimitFuel = "limit-fuel",
    /// Memory limit.
    LimitMemory = "limit-memory",
    /// Wall limit.
    LimitWall = "limit-wall",
    /// Too many host calls.
    LimitHostCalls = "limit-host-calls",
    /// Too much written to the log.
    LimitLog = "limit-log",
    /// The process died too often while it ran.
    HostCrash = "host-crash",
    /// The component can't be loaded.
    Component = "component",
    /// The connection is gone or its credentials are refused.
    Connection = "connection",
    /// An effect has an intent and no result.
    Undecided = "undecided",
    /// The component's calls differ from the journal.
    Diverged = "diverged",
    /// The workflow was not active when the message came.
    Inactive = "inactive",
    /// The event was caused by a run, in a chain that is as long as it may be.
    Loop = "loop",
    /// The change is known: by a sweep before its webhook came, or by the workflow's other webhook.
    Duplicate = "duplicate",
    /// An event of the same record that is newer was done already.
    Stale = "stale",
    /// Caspio's rate limit (the run waits).
    Throttled = "throttled",
    /// Caspio can't be reached (the run waits).
    Unavailable = "unavailable",
    /// The guest asked for a retry (the run waits).
    GuestRetry = "guest-retry",
    /// The event may be the work of a write whose end is not known yet (the run waits).
    OwnWrite = "own-write",
    /// Its record has started as many runs in the last minute as the manifest allows (the run waits).
    RecordPace = "record-pace",
    /// An earlier event of its record, or one with the same value of a field, is not done yet (the run waits).
    Order = "order",
    /// The connection's budget of integration calls is used up (the run waits).
    Budget = "budget",
    /// The host was shut down in the middle (the run waits).
    Shutdown = "shutdown",
    /// The host's store could not be used (the run waits).
    Store = "store",
    /// The store was restored from a backup; the run may have gone on in the original.
    Restored = "restored",
    /// What the host keeps of the run can't be read: damaged, or encrypted under another key.
    Damaged = "damaged",
});

text_enum!(
    /// State of a workflow.
    WorkflowState, "workflow state" {
    /// Has its webhook; runs.
    Active = "active",
    /// Has its webhook; events queue.
    Paused = "paused",
    /// Has no webhook.
    Inactive = "inactive",
});

text_enum!(
    /// What a token of the control API may do.
    TokenScope, "scope" {
    /// Everything.
    Admin = "admin",
    /// Read `/metrics`.
    Metrics = "metrics",
});

text_enum!(
    /// State of a stored message.
    MessageState, "message state" {
    /// Cut into events.
    Stored = "stored",
    /// Authentic, but not to be parsed; kept encrypted.
    Unparsable = "unparsable",
    /// No run was wanted: test message, no rows, or the workflow was inactive.
    Skipped = "skipped",
});

text_enum!(
    /// What an operator is told of.
    AlertKind, "kind of alert" {
    /// Runs are dead.
    Dead = "dead",
    /// Runs are parked.
    Parked = "parked",
    /// Messages to a webhook were refused.
    Rejected = "rejected",
    /// Authentic messages could not be read.
    Unparsable = "unparsable",
    /// Caspio does not answer.
    BreakerOpen = "breaker-open",
    /// Caspio answers again.
    BreakerClosed = "breaker-closed",
    /// A webhook in Caspio is not as it should be, and could not be put right.
    WebhookTrouble = "webhook-trouble",
    /// A sweep has failed several times in a row.
    SweepFailing = "sweep-failing",
    /// A backfill has failed several times in a row.
    BackfillFailing = "backfill-failing",
    /// A person tried the way.
    Test = "test",
});

text_enum!(
    /// State of a backfill.
    BackfillState, "backfill state" {
    /// Rows are being taken.
    Running = "running",
    /// All rows have their runs.
    Done = "done",
    /// Ended by a person, or with the workflow's connection.
    Cancelled = "cancelled",
});
