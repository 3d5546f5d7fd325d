//! Ids as types of their own, so that one can't be taken for another.
//!
//! Ids of rows are UUIDs of version 7 (time-ordered, which keeps indexes compact). They are
//! guessable: nothing secret is derived from them, and [`UrlId`], which is a secret, is random.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind}: {rule}")]
pub struct IdError {
    kind: &'static str,
    rule: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, later than all made before it.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
            /// The 16 bytes, as stored.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
            /// Back from the 16 bytes.
            ///
            /// # Errors
            /// When there are not 16 of them.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                Uuid::from_slice(bytes)
                    .map(Self)
                    .map_err(|_| IdError { kind: $kind, rule: "16 bytes are needed" })
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|_| IdError { kind: $kind, rule: "give the UUID that the list shows" })
            }
        }
    };
}

uuid_id!(
    /// A connection.
    ConnectionId, "connection id"
);
uuid_id!(
    /// A workflow.
    WorkflowId, "workflow id"
);
uuid_id!(
    /// One of our webhooks in Caspio (our id, not Caspio's).
    WebhookId, "webhook id"
);
uuid_id!(
    /// A stored message (our id, not Caspio's `messageId`).
    MessageId, "message id"
);
uuid_id!(
    /// An event.
    EventId, "event id"
);
uuid_id!(
    /// A workflow being run over existing rows.
    BackfillId, "backfill id"
);
uuid_id!(
    /// An alert, as it is told.
    AlertId, "alert id"
);
uuid_id!(
    /// A run.
    RunId, "run id"
);

impl MessageId {
    /// The bytes of the first id that can have been made at this time.
    #[must_use]
    pub fn earliest(at: crate::clock::Time) -> [u8; 16] {
        let [_, _, time @ ..] = (at.0.max(0).unsigned_abs() / 1000).to_be_bytes();
        let mut id = [0; 16];
        for (byte, of_time) in id.iter_mut().zip(time) {
            *byte = of_time;
        }
        id
    }
}

/// A tenant's name: 1 to 63 characters of `a-z`, `0-9`, `-`, starting with a letter.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(String);

impl TenantId {
    /// The tenant that commands mean when they name none.
    pub const DEFAULT: &'static str = "default";

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let tail_ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(tail_ok)
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError {
                kind: "tenant name",
                rule: "use 1 to 63 of a-z, 0-9 and -, starting with a letter",
            })
        }
    }
}

impl TryFrom<String> for TenantId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The secret last part of a hook's URL: 32 random bytes in hex (64 characters).
///
/// Whoever knows it can reach the hook, so `Debug` hides it and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UrlId(String);

impl UrlId {
    /// From 32 random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(hex::encode(bytes))
    }
    /// The text to put into a URL. Not for logs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for UrlId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError { kind: "hook URL", rule: "its last part is 64 hex characters" })
        }
    }
}

impl fmt::Debug for UrlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlId(…)")
    }
}
