//! `init` and the data folder: made once, used by one, never with another key.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use caspian_e2e::{Answer, Host, HostOptions, Site, binary};

/// Runs the binary.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Answer {
    let mut command = tokio::process::Command::new(binary());
    command.args(arguments).env_remove("CASPIAN_MASTER_KEY").envs(environment.iter().copied());
    let output = command.output().await.unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

async fn serve(data: &Path, environment: &[(&str, &str)]) -> Answer {
    run(&["serve", "--listen", "127.0.0.1:0", "--data", &data.display().to_string()], environment).await
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn init_makes_private_files_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("deep/data");
    let arguments = ["init", "--data", &data.display().to_string()];
    let made = run(&arguments, &[]).await.ok();
    assert!(made.stdout.contains("next: caspian serve --data"), "{}", made.stdout);
    assert_eq!((mode(&data), mode(&data.join("compiled"))), (0o700, 0o700));
    for file in ["master.key", "admin.token"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    let token = std::fs::read_to_string(data.join("admin.token")).unwrap();
    let key = std::fs::read(data.join("master.key")).unwrap();
    let again = run(&arguments, &[]).await.refused("is initialised already");
    assert!(!again.stderr.contains(token.trim()) && again.stdout.is_empty());
    assert_eq!(std::fs::read_to_string(data.join("admin.token")).unwrap(), token);
    assert_eq!(std::fs::read(data.join("master.key")).unwrap(), key);
}

#[tokio::test]
async fn init_where_nothing_can_be_written_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for data in [file.clone(), file.join("below")] {
        let answer = run(&["init", "--data", &data.display().to_string()], &[]).await;
        answer.refused("the data folder");
    }
}

#[tokio::test]
async fn serve_without_init_says_what_to_do_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nothing");
    for data in [missing.clone(), folder.path().to_owned()] {
        let answer = serve(&data, &[]).await.refused("is no data folder of caspian");
        assert!(answer.stderr.contains("caspian init --data"), "{}", answer.stderr);
    }
    assert!(!missing.exists());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_second_host_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let site = Site::start().await;
    let data = site.host.data();
    let answer = serve(&data, &[]).await.refused("another caspian uses the data folder");
    assert!(answer.stderr.contains("stop it first"), "{}", answer.stderr);
    run(&["init", "--data", &data.display().to_string()], &[]).await.refused("another caspian uses");
    site.still_serves().await;
}

/// A stopped host with something stored.
async fn stopped() -> Site {
    let mut site = Site::start().await;
    site.still_serves().await;
    assert_eq!(site.host.terminate().await, 0);
    site
}

#[tokio::test]
async fn without_its_master_key_a_folder_is_not_served() {
    let mut site = stopped().await;
    let (key, kept) = (site.host.data().join("master.key"), site.folder().join("kept.key"));
    std::fs::rename(&key, &kept).unwrap();
    let answer = serve(&site.host.data(), &[]).await.refused("master.key is missing");
    assert!(answer.stderr.contains("restore it from your backup"), "{}", answer.stderr);
    assert!(!key.exists(), "no new key is made");
    let init = run(&["init", "--data", &site.host.data().display().to_string()], &[]).await;
    assert_eq!(init.code, 1, "{}", init.stdout);
    assert!(!key.exists(), "init makes no new key for an old database");

    let text = std::fs::read_to_string(&kept).unwrap();
    site.host.options().environment = vec![("CASPIAN_MASTER_KEY".to_owned(), text)];
    site.host.start().await;
    site.still_serves().await;
}

#[tokio::test]
async fn another_master_key_opens_nothing() {
    let mut site = stopped().await;
    let other = "1f".repeat(32);
    let answer = serve(&site.host.data(), &[("CASPIAN_MASTER_KEY", &other)]).await;
    let answer = answer.refused("encrypted under another master key");
    assert!(answer.stderr.contains("start with the master key that belongs to this data folder"));
    assert!(!answer.stderr.contains(&other));
    site.host.start().await;
    site.still_serves().await;
}

#[tokio::test]
async fn a_master_key_that_is_none_or_that_others_may_read_is_refused() {
    let site = stopped().await;
    let data = site.host.data();
    let key = data.join("master.key");
    for text in ["1f1f", "no key at all", &"zz".repeat(32)] {
        let answer = serve(&data, &[("CASPIAN_MASTER_KEY", text)]).await;
        let answer = answer.refused("the master key from CASPIAN_MASTER_KEY is not 32 bytes");
        assert!(!answer.stderr.contains(text), "{}", answer.stderr);
    }
    for bits in [0o644, 0o640, 0o604] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(bits)).unwrap();
        let answer = serve(&data, &[]).await.refused("may be read by other users");
        assert!(answer.stderr.contains(&format!("(mode {bits:o})")), "{}", answer.stderr);
        assert!(answer.stderr.contains("chmod 600"), "{}", answer.stderr);
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&key, "damaged").unwrap();
    serve(&data, &[]).await.refused("master.key is not 32 bytes");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_not_touched() {
    let site = stopped().await;
    let database = site.host.data().join("caspian.db");
    let open = || rusqlite::Connection::open(&database).unwrap();
    open().pragma_update(None, "user_version", 99).unwrap();
    let answer = serve(&site.host.data(), &[]).await.refused("version 99");
    assert!(answer.stderr.contains("start the newer version"), "{}", answer.stderr);
    let version: i64 = open().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[tokio::test]
async fn a_damaged_database_is_named() {
    let mut site = stopped().await;
    let database = site.host.data().join("caspian.db");
    let good = std::fs::read(&database).unwrap();
    for damaged in [vec![0x5a; good.len()], good[..good.len() / 3].to_vec()] {
        std::fs::write(&database, &damaged).unwrap();
        let answer = serve(&site.host.data(), &[]).await.refused("the store");
        assert!(
            answer.stderr.contains("restore a backup") || answer.stderr.contains("check the disk"),
            "{}",
            answer.stderr
        );
        assert_eq!(std::fs::read(&database).unwrap(), damaged, "it is left as it is");
    }
    std::fs::write(&database, &good).unwrap();
    site.host.start().await;
    site.still_serves().await;
}

#[tokio::test]
async fn init_goes_on_where_it_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("admin.token"), "left over\n").unwrap();
    let host = Host::init(folder.path(), HostOptions::default()).await;
    assert_ne!(host.token(), "left over");
}
