//! Backup while running, and restore into a new data folder.
//!
//! A backup is a tar: `backup.json`, a consistent copy of the database, and the components. A restore takes exactly
//! what `backup.json` names, checks it in a folder beside, and gives the database its name last, so
//! that a folder is either restored or not initialised. The master key is not in it: it is backed up apart, once. A restored host may
//! be older than what the original did after the backup, so runs that were unfinished then are parked unless the
//! person says that the original did nothing more.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Time;
use crate::config::{DataDir, DataDirError};
use crate::model::TenantId;
use crate::runtime::ComponentDigest;
use crate::store::sqlite::SqliteStore;
use crate::store::{NeededComponent, Store, StoreError};

use super::{Control, ControlError, Kind, Result};

/// Format of the archive.
const FORMAT: u32 = 1;
const DATABASE: &str = "caspian.db";
const COMPONENTS: &str = "components";
/// Folder in the data folder where a backup is checked before it counts.
const RESTORING: &str = "restoring";
/// Longest `backup.json`: 67 bytes a component.
const MAX_ABOUT: u64 = 16 << 20;
const ABOUT: &str = "backup.json";

/// First entry of the archive.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    format: u32,
    version: String,
    created_at: String,
    /// SHA-256 of each component, which is also its name.
    components: Vec<String>,
}

/// What every format has.
#[derive(Debug, Deserialize)]
struct Formatted {
    format: u32,
    #[serde(default)]
    version: String,
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
        let dir =
            tempfile::Builder::new().prefix(DataDir::UNFINISHED).tempdir_in(self.data.root()).map_err(io)?;
        let copy = dir.path().join(DATABASE);
        self.store.copy_to(copy.clone()).await?;
        let needed = self.store.needed_components(None).await?;
        let root = self.data.root().to_owned();
        let components = self.data.components();
        let packed = tokio::task::spawn_blocking(move || {
            let whole = whole_components(&components).map_err(io)?;
            if let Some(missing) =
                needed.iter().find(|needed| !whole.contains(&hex::encode(needed.component)))
            {
                return Err(incomplete(missing));
            }
            let packed = || {
                let file =
                    tempfile::Builder::new().prefix(DataDir::UNFINISHED).suffix(".tar").tempfile_in(&root)?;
                pack(file.as_file(), &copy, &components, whole)?;
                drop(dir);
                Ok(file)
            };
            packed().map_err(io)
        });
        let file = packed.await.map_err(|_| StoreError::Closed)??;
        Ok(Backup { file })
    }
}

/// A backup without it would restore a workflow that can't run.
fn incomplete(missing: &NeededComponent) -> ControlError {
    let NeededComponent { workflow, version, component } = missing;
    ControlError::new(
        Kind::Conflict,
        "component-file",
        format!(
            "the component of '{workflow}' version {version} is missing or damaged in the data folder, so no backup \
             would be whole; deploy the workflow with that component again, or put components/{}.wasm of an earlier \
             backup in its place",
            hex::encode(component)
        ),
    )
}

fn io(error: std::io::Error) -> ControlError {
    let text =
        format!("the backup can't be written ({}); free space on the disk of the data folder", error.kind());
    ControlError::new(Kind::Unavailable, "backup", text)
}

/// SHA-256 of each component in the folder that is what its name says, sorted.
fn whole_components(components: &Path) -> std::io::Result<Vec<String>> {
    let mut digests = Vec::new();
    for entry in std::fs::read_dir(components)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(digest) = name.to_str().and_then(digest_in) else { continue };
        if ComponentDigest::of(&std::fs::read(entry.path())?).to_string() == digest {
            digests.push(digest.to_owned());
        }
    }
    digests.sort();
    Ok(digests)
}

fn pack(
    out: &std::fs::File,
    database: &Path,
    components: &Path,
    digests: Vec<String>,
) -> std::io::Result<()> {
    let about = About {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: Time::now().to_string(),
        components: digests,
    };
    let mut tar = tar::Builder::new(std::io::BufWriter::new(out));
    tar.sparse(false);
    let text = serde_json::to_vec_pretty(&about)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    tar.append_data(&mut header, ABOUT, text.as_slice())?;
    tar.append_path_with_name(database, DATABASE)?;
    for digest in &about.components {
        let name = format!("{digest}.wasm");
        tar.append_path_with_name(components.join(&name), Path::new(COMPONENTS).join(&name))?;
    }
    let mut out = tar.into_inner()?;
    out.flush()?;
    out.get_ref().sync_all()
}

/// The SHA-256 in the name of a component's file.
fn digest_in(name: &str) -> Option<&str> {
    let digest = name.strip_suffix(".wasm")?;
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (digest.len() == 64 && digest.bytes().all(hex)).then_some(digest)
}

/// Why a backup was not restored. The data folder is not initialised by it.
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
        "the file is no backup that this version reads ({0}); give a file that `caspian backup` of this version made"
    )]
    Format(String),
    /// The data folder can't be written.
    #[error("the data folder can't be written ({0}); free space on its disk, and check its permissions")]
    Write(std::io::Error),
    /// The store in it is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a restore made.
#[derive(Debug)]
pub struct Restored {
    /// How many unfinished runs were parked.
    pub parked: u64,
    /// Workflow and version of each component that is needed and not in the backup.
    pub missing: Vec<(String, u32)>,
}

/// Unpacks an archive into a new data folder. Unfinished runs are parked (`restored`), unless `resume`:
/// the original did nothing after the backup.
///
/// # Errors
/// When the folder is initialised already, or the archive is not whole.
pub async fn restore(
    archive: &Path,
    data: &DataDir,
    resume: bool,
) -> std::result::Result<Restored, RestoreError> {
    if data.database().exists() {
        return Err(DataDirError::Initialised(data.root().to_owned()).into());
    }
    let new = !data.root().exists();
    data.create()?;
    let lock = data.lock()?;
    let staged = data.root().join(RESTORING);
    let done = restore_through(archive, &staged, data, resume).await;
    let _ = std::fs::remove_dir_all(&staged);
    if done.is_err() && new {
        let _ = std::fs::remove_dir_all(data.root());
    }
    drop(lock);
    done
}

async fn restore_through(
    archive: &Path,
    staged: &Path,
    data: &DataDir,
    resume: bool,
) -> std::result::Result<Restored, RestoreError> {
    let (from, to) = (archive.to_owned(), staged.to_owned());
    let unpacked = tokio::task::spawn_blocking(move || unpack(&from, &to)).await;
    let components = unpacked.map_err(|_| StoreError::Closed)??;
    let database = staged.join(DATABASE);
    let store = SqliteStore::open(&database)?;
    store.check().await?;
    if store.token_count().await? == 0 {
        return Err(RestoreError::Format("its database is none of an initialised host".to_owned()));
    }
    let mut missing = store.needed_components(None).await?;
    missing.retain(|needed| !components.contains(&hex::encode(needed.component)));
    let missing = missing.into_iter().map(|needed| (needed.workflow, needed.version)).collect();
    let parked = if resume { 0 } else { store.park_unfinished(Time::now()).await? };
    store.close().await;
    drop(store);
    let moved = || -> std::io::Result<()> {
        for digest in &components {
            let name = format!("{digest}.wasm");
            std::fs::rename(staged.join(COMPONENTS).join(&name), data.components().join(&name))?;
        }
        let with = |path: &Path, end: &str| PathBuf::from(format!("{}{end}", path.display()));
        // A log that an earlier database left here would be taken for a part of this one.
        for end in ["-wal", "-shm"] {
            match std::fs::remove_file(with(&data.database(), end)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        std::fs::File::open(data.root())?.sync_all()?;
        // Closing it leaves no log behind; if it did, what is in it belongs to the database.
        if with(&database, "-wal").exists() {
            std::fs::rename(with(&database, "-wal"), with(&data.database(), "-wal"))?;
        }
        std::fs::File::open(data.components())?.sync_all()?;
        // The name comes last: a folder without it is not initialised.
        std::fs::rename(&database, data.database())?;
        std::fs::File::open(data.root())?.sync_all()
    };
    moved().map_err(RestoreError::Write)?;
    Ok(Restored { parked, missing })
}

/// Takes what `backup.json` names, and nothing else, into a new folder; answers the components.
fn unpack(archive: &Path, staged: &Path) -> std::result::Result<Vec<String>, RestoreError> {
    let unreadable = |e| RestoreError::Archive(archive.to_owned(), e);
    let format = |what: &str| RestoreError::Format(what.to_owned());
    let mut tar = tar::Archive::new(std::fs::File::open(archive).map_err(unreadable)?);
    let mut entries = tar.entries().map_err(unreadable)?;
    let mut first = match entries.next() {
        Some(entry) => entry.map_err(|_| format("it is no tar"))?,
        None => return Err(format("it is empty")),
    };
    let about = about(&mut first)?;
    // Left over of a restore that was cut off.
    let _ = std::fs::remove_dir_all(staged);
    std::fs::create_dir_all(staged.join(COMPONENTS)).map_err(RestoreError::Write)?;
    let (mut database, mut components) = (false, Vec::new());
    for entry in entries {
        let mut entry = entry.map_err(unreadable)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let component = name.strip_prefix("components/").and_then(digest_in).map(str::to_owned);
        let is_file = entry.header().entry_type().is_file();
        match component {
            _ if !is_file => return Err(format("it holds what is no plain file")),
            None if name == DATABASE && !database => {
                write(&mut entry, &staged.join(DATABASE), archive)?;
                database = true;
            }
            Some(digest) if about.components.contains(&digest) && !components.contains(&digest) => {
                let path = staged.join(COMPONENTS).join(format!("{digest}.wasm"));
                if write(&mut entry, &path, archive)? != digest {
                    return Err(format("a component in it is damaged"));
                }
                components.push(digest);
            }
            _ => return Err(format("it holds files that no backup has")),
        }
    }
    if !database || components.len() != about.components.len() {
        return Err(format("files are missing, it was cut off"));
    }
    Ok(components)
}

fn about(entry: &mut tar::Entry<'_, std::fs::File>) -> std::result::Result<About, RestoreError> {
    let malformed = || RestoreError::Format("it has no backup.json".to_owned());
    if entry.path_bytes().as_ref() != ABOUT.as_bytes() {
        return Err(malformed());
    }
    let mut text = String::new();
    entry.take(MAX_ABOUT).read_to_string(&mut text).map_err(|_| malformed())?;
    let formatted: Formatted = serde_json::from_str(&text).map_err(|_| malformed())?;
    if formatted.format != FORMAT {
        let (format, version) = (formatted.format, formatted.version);
        return Err(RestoreError::Format(format!("format {format}, made by {version:.20}")));
    }
    serde_json::from_str(&text).map_err(|_| malformed())
}

/// Writes an entry to a new file; answers its SHA-256.
fn write(
    entry: &mut tar::Entry<'_, std::fs::File>,
    to: &Path,
    archive: &Path,
) -> std::result::Result<String, RestoreError> {
    let size = entry.size();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(RestoreError::Write)?;
    let (mut hash, mut written, mut buffer) = (Sha256::new(), 0_u64, vec![0; 64 << 10]);
    loop {
        let n = entry.read(&mut buffer).map_err(|e| RestoreError::Archive(archive.to_owned(), e))?;
        let Some(part) = buffer.get(..n).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
        file.write_all(part).map_err(RestoreError::Write)?;
        written += n as u64;
    }
    if written != size {
        return Err(RestoreError::Format("files are missing, it was cut off".to_owned()));
    }
    file.sync_all().map_err(RestoreError::Write)?;
    Ok(hex::encode(hash.finalize()))
}
