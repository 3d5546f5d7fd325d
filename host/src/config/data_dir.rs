//! The data folder: what lies where, and the lock that lets one host at a time use it.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Why the data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It was not made yet.
    #[error("{} is no data folder of caspian; make one with: caspian init --data {}", .0.display(), .0.display())]
    NotInitialised(PathBuf),
    /// It is there already.
    #[error("{} is initialised already; use it with: caspian serve --data {}", .0.display(), .0.display())]
    Initialised(PathBuf),
    /// Another host uses it.
    #[error("another caspian uses the data folder {}; stop it first, or give each its own folder", .0.display())]
    InUse(PathBuf),
    /// The file system refused.
    #[error("the data folder {}: {}; check the path, its permissions and the free space", .0.display(), .1)]
    Io(PathBuf, std::io::Error),
}

/// Paths within a data folder.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

/// Held while a host uses the folder.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl DataDir {
    /// How the names of files begin that are of no use to a later process.
    pub const UNFINISHED: &str = ".unfinished-";

    /// A folder, which need not exist.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("caspian.db")
    }
    /// The master key.
    #[must_use]
    pub fn master_key(&self) -> PathBuf {
        self.root.join("master.key")
    }
    /// The administrator's token, written once.
    #[must_use]
    pub fn admin_token(&self) -> PathBuf {
        self.root.join("admin.token")
    }
    /// Deployed components, `{sha256}.wasm`.
    #[must_use]
    pub fn components(&self) -> PathBuf {
        self.root.join("components")
    }
    /// Compiled code; may be deleted while no host runs.
    #[must_use]
    pub fn compiled(&self) -> PathBuf {
        self.root.join("compiled")
    }

    /// Makes the folder and its subfolders, mode 0700.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(&self) -> Result<(), DataDirError> {
        for dir in [self.root.clone(), self.components(), self.compiled()] {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)
                .map_err(|e| DataDirError::Io(dir, e))?;
        }
        self.make_private()
    }

    /// Takes the folder away from other users, whoever made it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn make_private(&self) -> Result<(), DataDirError> {
        use std::os::unix::fs::PermissionsExt as _;
        for dir in [self.root.clone(), self.components(), self.compiled()] {
            let private = std::fs::Permissions::from_mode(0o700);
            match std::fs::set_permissions(&dir, private) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(DataDirError::Io(dir, e)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes what a process that was killed left half done, and components that are not among `used`
    /// (file names), with their compiled code: those of deploys that were refused, and of replays.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn tidy(&self, _: &Lock, used: &HashSet<String>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(Self::UNFINISHED.as_bytes()) {
                match entry.file_type()?.is_dir() {
                    true => std::fs::remove_dir_all(entry.path())?,
                    false => std::fs::remove_file(entry.path())?,
                }
            }
        }
        for entry in std::fs::read_dir(self.components())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What is not named as ours is somebody's own.
            let ours = name
                .split_once('.')
                .is_some_and(|(stem, kind)| stem.len() == 64 && (kind == "wasm" || kind.starts_with("part")));
            if ours && !used.contains(&name) {
                std::fs::remove_file(entry.path())?;
            }
        }
        for entry in std::fs::read_dir(self.compiled())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let digest = name.split_once('-').map(|(digest, _)| digest).filter(|digest| digest.len() == 64);
            if digest.is_some_and(|digest| !used.contains(&format!("{digest}.wasm"))) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Takes the folder for this process.
    ///
    /// # Errors
    /// When another process has it.
    pub fn lock(&self) -> Result<Lock, DataDirError> {
        let path = self.root.join("lock");
        let io = |e| DataDirError::Io(self.root.clone(), e);
        let file =
            std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(DataDirError::InUse(self.root.clone())),
            Err(e) => Err(io(e.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_done_goes_and_what_is_in_use_or_not_ours_stays() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(&tmp.path().join("data"));
        dir.create().unwrap();
        let (used, unused) = ("a".repeat(64), "b".repeat(64));
        let inside = dir.root().join(format!("{}x", DataDir::UNFINISHED));
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("caspian.db"), "x").unwrap();
        let gone = [
            dir.root().join(format!("{}1.tar", DataDir::UNFINISHED)),
            dir.components().join(format!("{unused}.wasm")),
            dir.components().join(format!("{used}.part77")),
            dir.compiled().join(format!("{unused}-x.cwasm")),
        ];
        let kept = [
            dir.root().join("backup.tar"),
            dir.components().join(format!("{used}.wasm")),
            dir.components().join("notes.txt"),
            dir.compiled().join(format!("{used}-x.cwasm")),
        ];
        for file in gone.iter().chain(&kept) {
            std::fs::write(file, "x").unwrap();
        }
        let lock = dir.lock().unwrap();
        dir.tidy(&lock, &HashSet::from([format!("{used}.wasm")])).unwrap();
        assert!(!inside.exists() && gone.iter().all(|f| !f.exists()));
        assert!(kept.iter().all(|f| f.exists()));
    }

    #[test]
    fn one_host_a_folder() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(&tmp.path().join("data"));
        dir.create().unwrap();
        let lock = dir.lock().unwrap();
        assert!(matches!(dir.lock(), Err(DataDirError::InUse(_))));
        drop(lock);
        assert!(dir.lock().is_ok());
    }
}
