//! What belongs to tenants, opened: their keys ([`Keyring`]) and their accounts in Caspio ([`Connector`]).
//!
//! Between the store, which holds only ciphertext, and the parts that need a key or a client. Both
//! keep what they opened in memory; a connection that changed must be forgotten.

mod connector;
mod keyring;

pub use connector::{ConnectError, Connector};
pub use keyring::{KeyError, Keyring};
