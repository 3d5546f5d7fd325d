//! From a webhook's bytes to stored events: [`RawMessage`] → [`VerifiedMessage`] → [`StoredEvent`].
//!
//! Each arrow is one function, and only it makes the next type: what was not verified can't be stored,
//! what was not stored starts no run. The answer 200 is given after the durable commit. An unknown URL
//! is known to be so before the body is read; a message that is not authentic is refused and counted at its webhook; one that
//! is authentic but makes no sense is kept, encrypted, and answered 200, since sending it again would not help.
//! Only when the commit fails does Caspio hear 5xx and try again.

mod cut;
mod hooks;
mod order;
mod signature;
mod store;
mod tags;
mod twins;
mod verify;

use crate::accounts::KeyError;
use crate::store::StoreError;

pub use cut::MOST_ROWS;
pub use hooks::{Hook, Hooks};
pub use order::Sequence;
pub use store::{Accepted, Found, StoredEvent, found_message, persist, persist_by_hand, tick_message};
pub use tags::{Tagger, name_tag};
pub use verify::{RawMessage, Verified, VerifiedMessage, verify};

/// Largest body in bytes. Caspio sends up to 10 MB and drops what is larger.
pub const MAX_BODY: usize = 12 << 20;

/// Why a message is not authentic. The code is counted and shown at the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Neither a signature nor the right secret.
    #[error("the message carries neither a valid signature nor the webhook's secret")]
    Unauthentic,
    /// This webhook's messages are signed, this one is not.
    #[error("messages of this webhook are signed, this one is not")]
    Unsigned,
    /// The signature does not fit the body.
    #[error("the signature does not fit the body")]
    WrongSignature,
    /// It names another webhook.
    #[error("the message names another webhook")]
    OtherWebhook,
}

impl Rejection {
    /// Stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unauthentic => "unauthentic",
            Self::Unsigned => "unsigned",
            Self::WrongSignature => "wrong-signature",
            Self::OtherWebhook => "other-webhook",
        }
    }
}

/// Why an authentic message could not be kept: Caspio should send it again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IngressError {
    /// The webhook is still being made.
    #[error("the webhook is not ready yet; send the message again later")]
    NotReady,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl From<crate::secrets::SealError> for IngressError {
    fn from(error: crate::secrets::SealError) -> Self {
        Self::Key(error.into())
    }
}
