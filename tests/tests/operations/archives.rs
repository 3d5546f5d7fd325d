//! `restore` of what is no backup, or one that was tampered with: refused, and nothing is written beside.

use std::path::{Path, PathBuf};

use caspian_e2e::Site;
use serde_json::Value;

use crate::tar::{Entry, backup_of, tar};
use crate::{create, run, until_probes};

/// A folder with a good backup, and where it is to be restored to.
struct Place {
    folder: tempfile::TempDir,
    good: Vec<u8>,
    /// What it holds: `backup.json`, the database, one component.
    entries: [Entry; 3],
}

impl Place {
    async fn new() -> Self {
        let site = Site::start().await;
        site.deploy(&create()).await.ok();
        site.account.add_patient("Ada").await;
        until_probes(&site, 1, "succeeded").await;
        let entries = backup_of(&site);
        Self { folder: tempfile::tempdir().unwrap(), good: tar(&entries), entries }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn entries(&self) -> [Entry; 3] {
        self.entries.clone()
    }

    async fn restore(&self, archive: &[u8]) -> caspian_e2e::Answer {
        let file = self.folder.path().join("archive");
        std::fs::write(&file, archive).unwrap();
        run(&["restore", &file.display().to_string(), "--data", &self.data().display().to_string()], &[])
            .await
    }

    /// It must be refused, and nothing be there afterwards that was not there before.
    async fn refused(&self, what: &str, archive: &[u8], part: &str) {
        let answer = self.restore(archive).await;
        assert_eq!(answer.code, 1, "{what}: {} {}", answer.stdout, answer.stderr);
        answer.refused(part);
        assert!(!self.data().exists(), "{what}: the data folder is as it was");
        assert_eq!(tree(self.folder.path()), ["archive"], "{what}");
    }

    async fn good_is_restored(&self) {
        self.restore(&self.good).await.ok();
        assert!(self.data().join("caspian.db").exists());
    }
}

/// Names of all files below a folder.
fn tree(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(tree(&path));
        }
        names.push(path.file_name().unwrap().display().to_string());
    }
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_that_was_cut_off_anywhere_is_refused() {
    let place = Place::new().await;
    let [about, database, component] = place.entries();
    let block = |entry: &Entry| 512 + entry.content.len().next_multiple_of(512);
    let (first, second) = (block(&about), block(&about) + block(&database));
    let end = second + 512 + component.content.len();
    for at in
        [0, 1, 511, 512, 600, first, first + 512, first + 5000, second - 512, second, second + 512, end - 1]
    {
        place.refused(&format!("cut at {at}"), &place.good[..at], "").await;
    }
    place.good_is_restored().await;
}

#[tokio::test]
async fn what_is_no_backup_is_refused() {
    let place = Place::new().await;
    let [about, database, component] = place.entries();
    place.refused("nothing", b"", "is no backup").await;
    place.refused("text", &b"not a tar at all\n".repeat(100), "is no backup").await;
    place.refused("a database", &database.content, "is no backup").await;
    place.refused("zeros", &[0; 4096], "is no backup").await;
    place.refused("another tar", &tar(&[Entry::file("notes.txt", b"x")]), "no backup.json").await;
    place.refused("no backup.json", &tar(&[database.clone(), component.clone()]), "no backup.json").await;
    place
        .refused("not first", &tar(&[database.clone(), about.clone(), component.clone()]), "no backup.json")
        .await;
    let json = |text: &str| Entry::file("backup.json", text.as_bytes());
    place.refused("empty", &tar(&[json("{}"), database.clone()]), "no backup.json").await;
    let newer = r#"{"format": 2, "version": "9.9.9", "files": []}"#;
    place.refused("newer", &tar(&[json(newer), database.clone()]), "format 2, made by 9.9.9").await;
    let missing = place.folder.path().join("nothing").display().to_string();
    let data = place.data().display().to_string();
    run(&["restore", &missing, "--data", &data], &[]).await.refused("can't be read");
    assert!(!place.data().exists());
    place.good_is_restored().await;
}

#[tokio::test]
async fn files_that_no_backup_has_are_refused_and_nothing_is_written_beside() {
    let place = Place::new().await;
    let [about, database, component] = place.entries();
    let outside = place.folder.path().join("outside").display().to_string();
    let unknown = format!("components/{}.wasm", "a".repeat(64));
    let good = || vec![about.clone(), database.clone(), component.clone()];
    for name in [
        "../outside",
        "data/../../outside",
        &outside,
        "components/../../outside",
        "components/../../../outside.wasm",
        "./caspian.db",
        "/caspian.db",
        "sub/caspian.db",
        "master.key",
        "admin.token",
        "caspian.db-wal",
        "compiled/x.cwasm",
        "components/x.wasm",
        &unknown,
        // A second one of what may be there once.
        "backup.json",
        "caspian.db",
        &component.name,
        "",
    ] {
        let mut last = good();
        last.push(Entry::file(name, b"evil"));
        place.refused(&format!("{name} last"), &tar(&last), "").await;
        let mut early = good();
        early.insert(1, Entry::file(name, b"evil"));
        place.refused(&format!("{name} early"), &tar(&early), "").await;
    }
    for kind in [b'1', b'2', b'3', b'5', b'6', b'L', b'K', b'x', b'g', b'S'] {
        for name in ["caspian.db", &component.name] {
            let mut linked = good();
            linked.retain(|entry| entry.name != name);
            linked.push(Entry::link(name, kind, &outside));
            place.refused(&format!("{name} of kind {}", kind as char), &tar(&linked), "").await;
        }
    }
    place.good_is_restored().await;
}

#[tokio::test]
async fn damaged_contents_are_refused() {
    let place = Place::new().await;
    let [about, database, component] = place.entries();
    let with = |content: &[u8]| tar(&[about.clone(), Entry::file("caspian.db", content), component.clone()]);
    place.refused("no bytes", &with(b""), "").await;
    place.refused("no database", &with(&b"junk".repeat(2000)), "").await;
    place.refused("half a database", &with(&database.content[..database.content.len() / 2]), "").await;
    let other = place.folder.path().join("other.db");
    let foreign = rusqlite::Connection::open(&other).unwrap();
    foreign.execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('x')").unwrap();
    drop(foreign);
    let content = std::fs::read(&other).unwrap();
    std::fs::remove_file(&other).unwrap();
    place.refused("another program's database", &with(&content), "").await;

    let mut changed = component.clone();
    *changed.content.last_mut().unwrap() ^= 1;
    place
        .refused("component", &tar(&[about.clone(), database.clone(), changed]), "component in it is damaged")
        .await;
    place.refused("without component", &tar(&[about.clone(), database.clone()]), "it was cut off").await;

    let text: Value = serde_json::from_slice(&about.content).unwrap();
    assert_eq!(text["format"], 1);
    assert_eq!(component.name, format!("components/{}.wasm", text["components"][0].as_str().unwrap()));
    place.good_is_restored().await;
}

#[tokio::test]
async fn a_component_that_is_needed_and_not_in_the_backup_is_named() {
    let place = Place::new().await;
    let [about, database, _] = place.entries();
    let mut text: Value = serde_json::from_slice(&about.content).unwrap();
    text["components"] = serde_json::json!([]);
    let without = tar(&[Entry::file("backup.json", text.to_string().as_bytes()), database]);
    let said = place.restore(&without).await.ok().stdout;
    let expected = "the component of 'probe' version 1 is not in the backup: deploy the workflow again";
    assert!(said.contains(expected), "{said}");
}

#[tokio::test]
async fn a_folder_with_things_in_it_keeps_them_when_a_restore_is_refused() {
    let place = Place::new().await;
    std::fs::create_dir(place.data()).unwrap();
    std::fs::write(place.data().join("master.key"), "mine").unwrap();
    let cut = &place.good[..place.good.len() / 2];
    place.restore(cut).await.refused("");
    assert_eq!(std::fs::read_to_string(place.data().join("master.key")).unwrap(), "mine");
    assert!(!place.data().join("caspian.db").exists() && !place.data().join("restoring").exists());
    let said = place.restore(&place.good).await.ok().stdout;
    assert!(said.contains("next: caspian serve --data"), "the master key is there: {said}");
    assert_eq!(std::fs::read_to_string(place.data().join("master.key")).unwrap(), "mine");
}
