//! Tenant keys and data keys, and what they do: seal, open, fingerprint.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand::Rng as _;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// First byte of a ciphertext: version of the format.
const FORMAT: u8 = 1;
/// Second byte: which kind of key sealed it.
const BY_TENANT_KEY: u8 = 1;
const BY_DATA_KEY: u8 = 2;
const NONCE: usize = 24;
const HEADER: usize = 2;

/// Why something could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Wrong key, moved or damaged ciphertext.
    #[error(
        "stored data can't be decrypted: it is damaged, or was encrypted under another master key; \
         start with the master key that belongs to this data folder, or restore a backup"
    )]
    Open,
    /// A format that this version does not know.
    #[error("stored data has a newer encryption format; start the newer version of caspian")]
    Format,
    /// The operating system gave no randomness, or the cipher refused the size.
    #[error("encryption failed; the system's random source is not available")]
    Seal,
}

/// What a ciphertext is bound to.
#[derive(Debug, Clone, Copy)]
pub struct Aad<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// Table of the store.
    pub table: &'a str,
    /// Column of the table.
    pub column: &'a str,
    /// The row's key.
    pub row: &'a [u8],
}

impl Aad<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.row.len());
        for part in [self.tenant.as_bytes(), self.table.as_bytes(), self.column.as_bytes(), self.row] {
            out.extend_from_slice(&(part.len() as u64).to_le_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

/// Random bytes of the operating system.
///
/// # Errors
/// When the system has none.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|_| SealError::Seal)?;
    Ok(bytes)
}

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key for one purpose.
    fn derive(&self, purpose: &str) -> Result<Self, SealError> {
        let mut out = [0_u8; 32];
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(purpose.as_bytes(), &mut out)
            .map_err(|_| SealError::Seal)?;
        Ok(Self(out))
    }

    pub(super) fn seal(&self, kind: u8, aad: &Aad<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        // Unique, not secret: the process's own generator, seeded by the system, spares a call of the system each.
        let mut nonce = [0_u8; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let cipher = XChaCha20Poly1305::new(&self.0.into());
        let aad = aad.bytes();
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| SealError::Seal)?;
        let mut out = Vec::with_capacity(HEADER + NONCE + sealed.len());
        out.extend_from_slice(&[FORMAT, kind]);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    pub(super) fn open(&self, kind: u8, aad: &Aad<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (header, rest) = sealed.split_at_checked(HEADER).ok_or(SealError::Open)?;
        match header {
            [FORMAT, k] if *k == kind => {}
            [FORMAT, _] => return Err(SealError::Open),
            _ => return Err(SealError::Format),
        }
        let (nonce, body) = rest.split_at_checked(NONCE).ok_or(SealError::Open)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| SealError::Open)?;
        let aad = aad.bytes();
        XChaCha20Poly1305::new(&self.0.into())
            .decrypt(&XNonce::from(nonce), Payload { msg: body, aad: &aad })
            .map_err(|_| SealError::Open)
    }
}

/// The key of one tenant: seals the tenant's settings (secrets of connections and webhooks) and the
/// data keys, and makes fingerprints.
#[derive(Clone)]
pub struct TenantKey {
    tenant: String,
    key: Key,
    fingerprint: Key,
}

impl TenantKey {
    pub(super) fn from_key(tenant: &str, key: Key) -> Result<Self, SealError> {
        let fingerprint = key.derive("caspian fingerprint 1")?;
        Ok(Self { tenant: tenant.to_owned(), key, fingerprint })
    }

    /// Seals something that belongs to the tenant as a whole.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(&self, table: &str, column: &str, row: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.key.seal(BY_TENANT_KEY, &Aad { tenant: &self.tenant, table, column, row }, plain)
    }

    /// Opens what [`seal`](Self::seal) made for the same place.
    ///
    /// # Errors
    /// When it is damaged, moved, or of another key.
    pub fn open(&self, table: &str, column: &str, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.key.open(BY_TENANT_KEY, &Aad { tenant: &self.tenant, table, column, row }, sealed)
    }

    /// A keyed fingerprint (HMAC-SHA256), to compare without keeping the text.
    #[must_use]
    pub fn fingerprint(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        // A 32-byte key is always accepted; an all-zero fingerprint would only compare unequal.
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(self.fingerprint.bytes()) else {
            return [0; 32];
        };
        mac.update(&(purpose.len() as u64).to_le_bytes());
        mac.update(purpose.as_bytes());
        mac.update(text);
        mac.finalize().into_bytes().into()
    }

    /// A new data key and its wrapped form, bound to the message it is for.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new_data_key(&self, message: &[u8; 16]) -> Result<(DataKey, Vec<u8>), SealError> {
        let key = Key::new(random_bytes()?);
        let wrapped = self.seal("data_keys", "wrapped", message, key.bytes())?;
        Ok((DataKey { tenant: self.tenant.clone(), key }, wrapped))
    }

    /// The data key of a message from its wrapped form.
    ///
    /// # Errors
    /// When it is damaged or of another message.
    pub fn unwrap_data_key(&self, message: &[u8; 16], wrapped: &[u8]) -> Result<DataKey, SealError> {
        let mut bytes = self.open("data_keys", "wrapped", message, wrapped)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| SealError::Open)?;
        bytes.zeroize();
        Ok(DataKey { tenant: self.tenant.clone(), key: Key::new(key) })
    }
}

/// The key of one message, of its events, and of all that its runs record.
#[derive(Clone)]
pub struct DataKey {
    tenant: String,
    key: Key,
}

impl DataKey {
    /// Seals one column of one row.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(&self, table: &str, column: &str, row: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.key.seal(BY_DATA_KEY, &Aad { tenant: &self.tenant, table, column, row }, plain)
    }

    /// Opens what [`seal`](Self::seal) made for the same place.
    ///
    /// # Errors
    /// When it is damaged, moved, or of another key.
    pub fn open(&self, table: &str, column: &str, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.key.open(BY_DATA_KEY, &Aad { tenant: &self.tenant, table, column, row }, sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantKey {
        TenantKey::from_key(name, Key::new([7; 32])).unwrap()
    }

    #[test]
    fn a_ciphertext_opens_only_at_its_own_place() {
        let key = tenant("default");
        let sealed = key.seal("steps", "request", b"row1", b"clear").unwrap();
        assert_eq!(key.open("steps", "request", b"row1", &sealed).unwrap(), b"clear");
        assert_eq!(key.open("steps", "result", b"row1", &sealed), Err(SealError::Open));
        assert_eq!(key.open("steps", "request", b"row2", &sealed), Err(SealError::Open));
        assert_eq!(tenant("other").open("steps", "request", b"row1", &sealed), Err(SealError::Open));
        assert!(!sealed.windows(5).any(|w| w == b"clear"));
    }

    #[test]
    fn a_data_key_belongs_to_one_message() {
        let tenant = tenant("default");
        let (data, wrapped) = tenant.new_data_key(&[1; 16]).unwrap();
        let sealed = data.seal("events", "typed", b"e", b"clear").unwrap();
        let again = tenant.unwrap_data_key(&[1; 16], &wrapped).unwrap();
        assert_eq!(again.open("events", "typed", b"e", &sealed).unwrap(), b"clear");
        assert!(tenant.unwrap_data_key(&[2; 16], &wrapped).is_err());
        assert_eq!(tenant.open("events", "typed", b"e", &sealed), Err(SealError::Open));
    }

    #[test]
    fn damage_is_noticed() {
        let key = tenant("default");
        let sealed = key.seal("t", "c", b"r", b"clear").unwrap();
        for i in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[i] ^= 1;
            assert!(key.open("t", "c", b"r", &bad).is_err(), "byte {i}");
        }
        assert!(key.open("t", "c", b"r", &sealed[..5]).is_err());
    }
}
