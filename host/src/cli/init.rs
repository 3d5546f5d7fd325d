//! `caspian init`

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::accounts::Keyring;
use crate::clock::Time;
use crate::config::{DataDir, DataDirError};
use crate::control::new_token;
use crate::model::{TenantId, TokenScope};
use crate::secrets::{MasterKey, MasterKeyError};
use crate::server::master_key;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, TokenRecord};

use super::error::CliError;
use super::output::line;

/// Can be repeated after it was cut off: it is done once there is a token.
pub(super) async fn init(data: &Path) -> Result<(), CliError> {
    let dir = DataDir::new(data);
    dir.create().map_err(CliError::failed)?;
    let _lock = dir.lock().map_err(CliError::failed)?;
    let master = match master_key(&dir) {
        Err(MasterKeyError::Missing(path)) if !dir.database().exists() => {
            let key = MasterKey::generate().map_err(CliError::failed)?;
            key.write_new(&path).map_err(CliError::failed)?;
            key
        }
        other => other.map_err(CliError::failed)?,
    };
    let store = std::sync::Arc::new(SqliteStore::open(&dir.database()).map_err(CliError::failed)?);
    if store.token_count().await.map_err(CliError::failed)? > 0 {
        return Err(CliError::failed(DataDirError::Initialised(data.to_owned())));
    }
    if let Ok(tenant) = TenantId::DEFAULT.parse::<TenantId>() {
        Keyring::new(store.clone(), master).tenant_or_new(&tenant).await.map_err(CliError::failed)?;
    }
    let (token, hash) = new_token().map_err(CliError::failed)?;
    let token = token.expose();
    write_token(&dir.admin_token(), token)
        .map_err(|e| CliError::failed(DataDirError::Io(dir.admin_token(), e)))?;
    let record = TokenRecord { name: "admin".to_owned(), scope: TokenScope::Admin, created_at: Time::now() };
    store.add_token(hash, record).await.map_err(CliError::failed)?;
    store.close().await;

    line(&format!("initialised {}", data.display()));
    line(&format!("administrator's token (shown once, also in {}): {token}", dir.admin_token().display()));
    if dir.master_key().exists() {
        line(&format!(
            "back up {} apart from the database: without it the stored data is unreadable",
            dir.master_key().display()
        ));
    }
    line(&format!("next: caspian serve --data {}", data.display()));
    Ok(())
}

fn write_token(path: &Path, token: &str) -> std::io::Result<()> {
    // Left over of an init that was cut off before its token counted.
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}
