//! Keys and secrets: master key → tenant key → data key per message.
//!
//! A leaf. Everything that belongs to a tenant is encrypted with XChaCha20-Poly1305 before it
//! reaches the store; the additional data binds a ciphertext to its tenant, table, column and row, so
//! that swapping two of them in the database is noticed. The header of each ciphertext names the
//! format and the kind of key. Dropping a wrapped data key makes all that it encrypted unreadable.
//! No text of an error or log holds key, secret or clear text.

mod keys;
mod master;
mod secret;

pub use keys::{Aad, DataKey, SealError, TenantKey, random_bytes};
pub use master::{MasterKey, MasterKeyError};
pub use secret::Secret;
