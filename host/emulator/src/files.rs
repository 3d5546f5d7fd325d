//! The files of an account: a tree of folders, and the content in it.
//!
//! Names are unique within a folder, without regard to case. Folders and files are named by a UUID,
//! the *external key*; a file also by its path, `/Folder/name.ext`, as FILE fields hold it. Folders come
//! from the seed, since REST v3 makes none. Everything is in memory.

use uuid::Uuid;

use crate::data::StoredFile;
use crate::environment::{self, Environment};

/// A folder; `parent` is null in the root.
#[derive(Debug, Clone)]
pub struct Folder {
    pub key: Uuid,
    pub name: String,
    pub parent: Option<Uuid>,
    pub created: String,
}

/// A file and where it lies.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: Uuid,
    pub folder: Option<Uuid>,
    pub file: StoredFile,
}

/// All folders and files.
#[derive(Debug, Default)]
pub struct Files {
    pub folders: Vec<Folder>,
    pub entries: Vec<Entry>,
}

impl Files {
    /// A folder by its key.
    pub fn folder(&self, key: Uuid) -> Option<&Folder> {
        self.folders.iter().find(|folder| folder.key == key)
    }

    /// A file by its key.
    pub fn get(&self, key: Uuid) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// A file by its name in a folder.
    pub fn named(&self, folder: Option<Uuid>, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.folder == folder && same(&entry.file.name, name))
    }

    /// A file by its path; the first slash may be missing.
    pub fn at_path(&self, path: &str) -> Option<&Entry> {
        let mut folder = None;
        let mut names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let last = names.pop()?;
        for name in names {
            let child = |own: &&Folder| own.parent == folder && same(&own.name, name);
            folder = Some(self.folders.iter().find(child)?.key);
        }
        self.named(folder, last)
    }

    /// Puts a file into a folder; one of that name is overwritten and keeps its key and its date. Gives the
    /// key, and whether the file is new.
    pub fn put(&mut self, folder: Option<Uuid>, file: StoredFile, env: &mut Environment) -> (Uuid, bool) {
        let known = |entry: &&mut Entry| entry.folder == folder && same(&entry.file.name, &file.name);
        if let Some(entry) = self.entries.iter_mut().find(known) {
            entry.file = StoredFile { created: entry.file.created.clone(), ..file };
            return (entry.key, false);
        }
        let key = env.uuid();
        self.entries.push(Entry { key, folder, file });
        (key, true)
    }

    /// Removes a file; whether it was there.
    pub fn remove(&mut self, key: Uuid) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.key != key);
        self.entries.len() != before
    }

    /// The folder of a path, made where it is missing; the root for an empty path.
    pub fn make_folders(&mut self, path: &str, env: &mut Environment) -> Option<Uuid> {
        let mut parent = None;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let known = self.folders.iter().find(|own| own.parent == parent && same(&own.name, name));
            let key = match known {
                Some(folder) => folder.key,
                None => {
                    let key = env.uuid();
                    let created = environment::now_text();
                    self.folders.push(Folder { key, name: name.to_owned(), parent, created });
                    key
                }
            };
            parent = Some(key);
        }
        parent
    }
}

fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}
