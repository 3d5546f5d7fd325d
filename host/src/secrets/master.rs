//! The master key: made once by `caspian init`, read from a file of mode 0600 or from the environment.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use zeroize::Zeroize as _;

use super::keys::{Key, SealError, TenantKey, random_bytes};

/// Kind byte of what the master key seals.
const BY_MASTER_KEY: u8 = 0;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file is not there.
    #[error(
        "the master key {} is missing; restore it from your backup (without it the stored data is \
         unreadable), or set CASPIAN_MASTER_KEY", .0.display()
    )]
    Missing(PathBuf),
    /// Others may read it.
    #[error("the master key {} may be read by other users (mode {:o}); run: chmod 600 {}", .0.display(), .1, .0.display())]
    Exposed(PathBuf, u32),
    /// Not 32 bytes in hex or base64.
    #[error("the master key from {0} is not 32 bytes in hex or base64; restore it from your backup")]
    Malformed(String),
    /// The file can't be read or written.
    #[error("the master key {}: {}; check the path and its permissions", .0.display(), .1)]
    Io(PathBuf, std::io::Error),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] SealError),
}

/// The key above all others. Zeroed when dropped.
#[derive(Clone)]
pub struct MasterKey(Key);

impl MasterKey {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, MasterKeyError> {
        Ok(Self(Key::new(random_bytes()?)))
    }

    /// Writes it to a new file of mode 0600.
    ///
    /// # Errors
    /// When the file exists or can't be written.
    pub fn write_new(&self, path: &Path) -> Result<(), MasterKeyError> {
        let io = |e| MasterKeyError::Io(path.to_owned(), e);
        if path.exists() {
            return Err(io(std::io::ErrorKind::AlreadyExists.into()));
        }
        // It gets its name when it is whole: half a key (full disk, kill) would be taken for one that is damaged.
        let part = path.with_extension("part");
        let mut text = hex::encode(self.0.bytes());
        text.push('\n');
        let written = write_private(&part, text.as_bytes());
        text.zeroize();
        written.and_then(|()| std::fs::rename(&part, path)).map_err(io)
    }

    /// Reads it from a file that only its owner may read.
    ///
    /// # Errors
    /// Missing, readable by others, malformed.
    pub fn from_file(path: &Path) -> Result<Self, MasterKeyError> {
        let meta = std::fs::metadata(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => MasterKeyError::Missing(path.to_owned()),
            _ => MasterKeyError::Io(path.to_owned(), e),
        })?;
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Exposed(path.to_owned(), mode));
        }
        let mut text = std::fs::read_to_string(path).map_err(|e| MasterKeyError::Io(path.to_owned(), e))?;
        let key = Self::parse(&text, &path.display().to_string());
        text.zeroize();
        key
    }

    /// Reads it from a text, e.g. of the environment; `origin` is named in errors.
    ///
    /// # Errors
    /// When it is not 32 bytes in hex or base64.
    pub fn parse(text: &str, origin: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        let mut bytes = hex::decode(text)
            .ok()
            .filter(|b| b.len() == 32)
            .or_else(|| base64::engine::general_purpose::STANDARD.decode(text).ok())
            .unwrap_or_default();
        let key =
            <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| MasterKeyError::Malformed(origin.to_owned()));
        bytes.zeroize();
        Ok(Self(Key::new(key?)))
    }

    /// A new key for a tenant, and its wrapped form for the store.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new_tenant_key(&self, tenant: &str) -> Result<(TenantKey, Vec<u8>), SealError> {
        let key = Key::new(random_bytes()?);
        let wrapped = self.0.seal(BY_MASTER_KEY, &tenant_aad(tenant), key.bytes())?;
        Ok((TenantKey::from_key(tenant, key)?, wrapped))
    }

    /// A tenant's key from its wrapped form.
    ///
    /// # Errors
    /// When this is not the master key that wrapped it.
    pub fn unwrap_tenant_key(&self, tenant: &str, wrapped: &[u8]) -> Result<TenantKey, SealError> {
        let mut bytes = self.0.open(BY_MASTER_KEY, &tenant_aad(tenant), wrapped)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| SealError::Open)?;
        bytes.zeroize();
        TenantKey::from_key(tenant, Key::new(key))
    }
}

/// A file for this user alone, on the disk.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn tenant_aad(tenant: &str) -> super::Aad<'_> {
    super::Aad { tenant, table: "tenants", column: "wrapped_key", row: tenant.as_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let key = MasterKey::generate().unwrap();
        key.write_new(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (_, wrapped) = key.new_tenant_key("default").unwrap();
        let again = MasterKey::from_file(&path).unwrap();
        assert!(again.unwrap_tenant_key("default", &wrapped).is_ok());
        assert!(again.unwrap_tenant_key("other", &wrapped).is_err());
        assert!(key.write_new(&path).is_err(), "never overwritten");

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(MasterKey::from_file(&path), Err(MasterKeyError::Exposed(_, 0o640))));
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let (_, wrapped) = MasterKey::generate().unwrap().new_tenant_key("default").unwrap();
        assert_eq!(
            MasterKey::generate().unwrap().unwrap_tenant_key("default", &wrapped).err(),
            Some(SealError::Open)
        );
        assert!(MasterKey::parse("abc", "CASPIAN_MASTER_KEY").is_err());
    }
}
