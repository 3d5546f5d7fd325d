//! Caspio's file store: folders and files, each with a key.
//!
//! How large a file may be is the host's setting, 8 MiB by default; the guest's memory must hold it too.
//!
//! ```no_run
//! # use caspian_sdk::{Error, files};
//! # fn example() -> Result<(), Error> {
//! let folder = files::folders(None)?.into_iter().find(|folder| folder.name == "Templates");
//! if let Some(folder) = folder {
//!     for file in files::list(Some(&folder.key))? {
//!         let content = files::download(&file.key)?;
//!     }
//!     files::put(Some(&folder.key), "report.txt", b"All is well.")?;
//! }
//! # Ok(())
//! # }
//! ```

use crate::Error;
use crate::raw::caspian::workflow::files as raw;

pub use raw::{File, Folder};

/// Folders in a folder, by its key; none: at the top.
///
/// # Errors
/// When `read` is not granted, there is no such folder, or Caspio does not answer.
pub fn folders(parent: Option<&str>) -> Result<Vec<Folder>, Error> {
    Ok(raw::folders(parent)?)
}

/// Files in a folder, by its key; none: at the top.
///
/// # Errors
/// When `read` is not granted, there is no such folder, or Caspio does not answer.
pub fn list(folder: Option<&str>) -> Result<Vec<File>, Error> {
    Ok(raw::list(folder)?)
}

/// A file's content.
///
/// # Errors
/// When `read` is not granted, there is no such file, it is too large, or Caspio does not answer.
pub fn download(key: &str) -> Result<Vec<u8>, Error> {
    Ok(raw::download(key)?)
}

/// Stores a new file and returns its key. A file of that name is [`Error::Conflict`]. Interrupted, it parks the run: nobody can
/// tell then whose file is there; [`put`] is done again.
///
/// # Errors
/// When `write` is not granted, the file is too large, or Caspio does not answer.
pub fn create(folder: Option<&str>, name: &str, content: &[u8]) -> Result<String, Error> {
    Ok(raw::upload(folder, name, content, false)?)
}

/// Stores a file, instead of one of that name, and returns its key.
///
/// # Errors
/// When `write` is not granted, the file is too large, or Caspio does not answer.
pub fn put(folder: Option<&str>, name: &str, content: &[u8]) -> Result<String, Error> {
    Ok(raw::upload(folder, name, content, true)?)
}

/// Deletes a file. False: there was none.
///
/// # Errors
/// When `delete` is not granted, or Caspio does not answer.
pub fn delete(key: &str) -> Result<bool, Error> {
    Ok(raw::delete(key)?)
}
