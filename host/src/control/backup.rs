//! Backup while running, and restore into a new data folder.
//!
//! A backup is a tar: a consistent copy of the database, the components that it names, and
//! `backup.json`. The master key is not in it: it is backed up apart, once. A restored host may
//! be older than what the original did after the backup, so runs that were unfinished then are parked unless the
//! person says that the original did nothing more.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::config::{DataDir, DataDirError};
use crate::model::TenantId;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};

use super::{Control, ControlError, Kind, Result};

/// Format of the archive.
const FORMAT: u32 = 1;
const DATABASE: &str = "caspian.db";
const ABOUT: &str = "backup.json";

/// First entry of the archive.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    version: String,
    created_at: String,
}

/// A finished archive; its file goes when this is dropped.
#[derive(Debug)]
pub struct Backup {
    file: tempfile::NamedTempFile,
}

impl Backup {
    /// The archive.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

impl Control {
    /// Makes an archive of everything but the master key, while work goes on.
    ///
    /// # Errors
    /// When there is no space for it beside the database.
    pub async fn backup(&self, tenant: &TenantId) -> Result<Backup> {
        self.audit(tenant, "backup", "").await?;
        let dir = tempfile::Builder::new().prefix("backup").tempdir_in(self.data.root()).map_err(io)?;
        let copy = dir.path().join(DATABASE);
        self.store.copy_to(copy.clone()).await?;
        let root = self.data.root().to_owned();
        let components = self.data.components();
        let packed = tokio::task::spawn_blocking(move || {
            let file = tempfile::Builder::new().prefix("backup").suffix(".tar").tempfile_in(&root)?;
            pack(file.as_file(), &copy, &components)?;
            drop(dir);
            Ok::<_, std::io::Error>(file)
        });
        let file = packed.await.map_err(|_| StoreError::Closed)?.map_err(io)?;
        Ok(Backup { file })
    }
}

fn io(error: std::io::Error) -> ControlError {
    let text =
        format!("the backup can't be written ({}); free space on the disk of the data folder", error.kind());
    ControlError::new(Kind::Unavailable, "backup", text)
}

fn pack(out: &std::fs::File, database: &Path, components: &Path) -> std::io::Result<()> {
    let mut tar = tar::Builder::new(std::io::BufWriter::new(out));
    let about = About {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: Time::now().to_string(),
    };
    let about = serde_json::to_vec_pretty(&about)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(about.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    tar.append_data(&mut header, ABOUT, about.as_slice())?;
    tar.append_path_with_name(database, DATABASE)?;
    for entry in std::fs::read_dir(components)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "wasm")
            && let Some(name) = path.file_name()
        {
            tar.append_path_with_name(&path, Path::new("components").join(name))?;
        }
    }
    let mut out = tar.into_inner()?;
    out.flush()?;
    out.get_ref().sync_all()
}

/// Why a backup was not restored. The data folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The folder is in use.
    #[error(transparent)]
    Data(#[from] DataDirError),
    /// The archive can't be read.
    #[error("the backup {0} can't be read ({1}); check the path, and that it is whole")]
    Archive(PathBuf, std::io::Error),
    /// It is none of ours.
    #[error(
        "the backup is not one that this version reads ({0}); restore it with the version that made it, or a newer one"
    )]
    Format(String),
    /// The store in it is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Unpacks an archive into a new data folder. Unfinished runs are parked (`restored`), unless `resume`:
/// the original did nothing after the backup. Returns how many were parked.
///
/// # Errors
/// When the folder is initialised already, or the archive is not whole.
pub async fn restore(archive: &Path, data: &DataDir, resume: bool) -> std::result::Result<u64, RestoreError> {
    if data.database().exists() {
        return Err(DataDirError::Initialised(data.root().to_owned()).into());
    }
    data.create()?;
    let _lock = data.lock()?;
    let part = data.root().join("restoring.db");
    let (from, to, folder) = (archive.to_owned(), part.clone(), data.components());
    let unpacked = tokio::task::spawn_blocking(move || unpack(&from, &to, &folder)).await;
    let done = match unpacked {
        Ok(Ok(())) => finish_restore(&part, &data.database(), resume).await,
        Ok(Err(error)) => Err(error),
        Err(_) => Err(StoreError::Closed.into()),
    };
    if done.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    done
}

async fn finish_restore(
    part: &Path,
    database: &Path,
    resume: bool,
) -> std::result::Result<u64, RestoreError> {
    let store = SqliteStore::open(part)?;
    store.check().await?;
    let parked = if resume { 0 } else { store.park_unfinished(Time::now()).await? };
    store.close().await;
    drop(store);
    // The name comes last: a folder without it is not initialised.
    std::fs::rename(part, database).map_err(|e| RestoreError::Archive(database.to_owned(), e))?;
    Ok(parked)
}

fn unpack(archive: &Path, database: &Path, components: &Path) -> std::result::Result<(), RestoreError> {
    let failed = |e| RestoreError::Archive(archive.to_owned(), e);
    let mut tar = tar::Archive::new(std::fs::File::open(archive).map_err(failed)?);
    let (mut about, mut found) = (false, false);
    for entry in tar.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let path = entry.path().map_err(failed)?.into_owned();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        match path.parent().and_then(Path::to_str) {
            Some("") if name == ABOUT => {
                let mut text = String::new();
                (&mut entry).take(64 << 10).read_to_string(&mut text).map_err(failed)?;
                let read: About = serde_json::from_str(&text)
                    .map_err(|_| RestoreError::Format("backup.json is malformed".to_owned()))?;
                if read.format != FORMAT {
                    return Err(RestoreError::Format(format!(
                        "format {}, made by {}",
                        read.format, read.version
                    )));
                }
                about = true;
            }
            Some("") if name == DATABASE => {
                write(&mut entry, database).map_err(failed)?;
                found = true;
            }
            Some("components") if name.ends_with(".wasm") => {
                write(&mut entry, &components.join(&name)).map_err(failed)?;
            }
            _ => return Err(RestoreError::Format("it holds files that no backup has".to_owned())),
        }
    }
    if about && found { Ok(()) } else { Err(RestoreError::Format("the database is missing".to_owned())) }
}

fn write(from: &mut impl std::io::Read, to: &Path) -> std::io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    std::io::copy(from, &mut file)?;
    file.sync_all()
}
