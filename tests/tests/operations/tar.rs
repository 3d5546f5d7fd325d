//! Tar archives written by hand: a library would refuse the names and kinds that the tests need.

use std::path::PathBuf;

use caspian_e2e::Site;
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// A file in a tar.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub kind: u8,
    pub link: String,
    pub content: Vec<u8>,
}

impl Entry {
    pub fn file(name: &str, content: &[u8]) -> Self {
        Self { name: name.to_owned(), kind: b'0', link: String::new(), content: content.to_owned() }
    }

    pub fn link(name: &str, kind: u8, to: &str) -> Self {
        Self { kind, link: to.to_owned(), ..Self::file(name, b"") }
    }
}

/// A tar.
pub fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in entries {
        let mut header = [0_u8; 512];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, entry.name.as_bytes());
        for (at, number) in [(100, b"0000600"), (108, b"0000000"), (116, b"0000000")] {
            put(at, number);
        }
        put(124, format!("{:011o}\0", entry.content.len()).as_bytes());
        put(136, b"00000000000\0        ");
        put(156, &[entry.kind]);
        put(157, entry.link.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        all.extend_from_slice(&header);
        all.extend_from_slice(&entry.content);
        all.resize(all.len().next_multiple_of(512), 0);
    }
    all.resize(all.len() + 1024, 0);
    all
}

/// The three files of a backup of a site with one component, in format 1, made beside `caspian backup`.
pub fn backup_of(site: &Site) -> [Entry; 3] {
    let copy = site.folder().join("copy.db");
    let database = rusqlite::Connection::open(site.host.data().join("caspian.db")).unwrap();
    database.execute("VACUUM INTO ?1", [copy.display().to_string()]).unwrap();
    let content = std::fs::read(&copy).unwrap();
    std::fs::remove_file(&copy).unwrap();
    let components: Vec<PathBuf> = std::fs::read_dir(site.host.data().join("components"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "wasm"))
        .collect();
    let component = std::fs::read(&components[0]).unwrap();
    assert_eq!(components.len(), 1);
    let digest = hex::encode(Sha256::digest(&component));
    let about = json!({
        "format": 1, "version": "0.1.0", "created_at": "2026-01-16T19:52:55Z", "components": [digest],
    });
    [
        Entry::file("backup.json", about.to_string().as_bytes()),
        Entry::file("caspian.db", &content),
        Entry::file(&format!("components/{digest}.wasm"), &component),
    ]
}

/// Writes it beside the data folder; answers its path.
pub fn write_backup_of(site: &Site, name: &str) -> String {
    let file = site.folder().join(name);
    std::fs::write(&file, tar(&backup_of(site))).unwrap();
    file.display().to_string()
}
