//! Client of Caspio's REST API, version 3: tokens, rate limit, paths and envelopes.
//!
//! One [`CaspioClients`] a process makes one [`Caspio`] a connection. All connections to the same
//! integration host share one rate limit, because Caspio limits the account. A token is asked
//! once and kept; reads are repeated a few times on failures of the network or of Caspio, effects
//! never: whether an effect may be repeated is decided by the journal, which asks
//! [`CaspioError::is_undecided`]. Bounded are the length of a request URI (2,047 characters), the
//! size of an answer, the time of a call and the wait for the rate limit. Texts of Caspio's errors
//! can hold values of records: they are looked at and dropped, never shown, logged or kept.
//! Paths are in `paths`, shapes of answers in `envelope`, so that a later version fits beside them.

mod aggregate;
mod attachments;
mod base_url;
mod breaker;
mod bucket;
mod budget;
mod classify;
mod clients;
mod context;
mod counts;
mod criteria;
mod directories;
mod envelope;
mod error;
mod files;
mod list_form;
mod literal;
mod parse;
mod paths;
mod query;
mod records;
mod settings;
mod split;
mod tables;
mod tasks;
mod token;
mod transport;
mod upload;
mod values;
mod views;
mod webhooks;

#[cfg(test)]
mod tests;

pub use base_url::{BaseUrl, BaseUrlError};
pub use breaker::{BreakerChange, Held};
pub use bucket::Limit;
pub use clients::{Caspio, CaspioClients, Credentials};
pub use context::CallContext;
pub use error::CaspioError;
pub use parse::parse_criteria;
pub use records::Updated;
pub use settings::{ClientSettings, LARGEST_FILE};
pub use values::{row_from_json, row_mistake, row_to_plain};
pub use webhooks::{EventSpec, ListedWebhook, MadeWebhook, NewWebhook, WebhookEvent};
