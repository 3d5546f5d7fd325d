//! `serve`: configuration, public URL, address.

use caspian_e2e::{Answer, Host, HostOptions, binary};

/// An initialised data folder, and `serve` on it with a configuration and more arguments.
async fn serve(config: &str, more: &[&str]) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::init(folder.path(), HostOptions::default()).await;
    let path = folder.path().join("caspian.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = tokio::process::Command::new(binary());
    command.arg("serve").arg("--data").arg(host.data()).arg("--config").arg(path);
    command.args(["--listen", "127.0.0.1:0"]).args(more).kill_on_drop(true);
    let output = tokio::time::timeout(caspian_e2e::DEADLINE, command.output()).await;
    let output = output.expect("it ends").unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[tokio::test]
async fn mistakes_in_the_configuration_are_shown_with_line_and_column() {
    for (config, place, part) in [
        ("[server]\nlisten = \"127.0.0.1:1\"\nlisen = 3\n", "line 3, column 1", "unknown field `lisen`"),
        ("[sever]\n", "line 1, column 2", "unknown field `sever`"),
        ("[server]\nlisten = \"here\"\n", "line 2, column 10", ""),
        ("[scheduler]\nconcurrency = -1\n", "line 2, column 15", ""),
        ("[runtime]\ninstances = 1\ninstances = 2\n", "line 3, column 1", "duplicate key"),
        ("[retry\n", "line 1, column 7", ""),
    ] {
        let answer = serve(config, &[]).await.refused(part);
        let place = format!("caspian.toml, {place}: ");
        assert!(answer.stderr.contains(&place), "'{place}' is not in: {}", answer.stderr);
    }
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::init(folder.path(), HostOptions::default()).await;
    let output = tokio::process::Command::new(binary())
        .args(["serve", "--config", "/nothing/caspian.toml", "--data"])
        .arg(host.data())
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("/nothing/caspian.toml can't be read") && stderr.contains("next: "), "{stderr}");
}

#[tokio::test]
async fn a_public_url_that_caspio_could_not_use_is_refused() {
    for url in [
        "http://example.com",
        "https://example.com/hooks",
        "https://example.com?x=1",
        "https://user:word@example.com",
        "ftp://example.com",
        "example.com",
        "",
    ] {
        let answer = serve("", &["--public-url", url]).await.refused("the public URL");
        assert!(answer.stderr.contains("https://host[:port]"), "{url}: {}", answer.stderr);
        assert!(!answer.stderr.contains("word"), "{}", answer.stderr);
        let answer = serve(&format!("[server]\npublic_url = \"{url}\"\n"), &[]).await;
        answer.refused("the public URL");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let host = Host::init(folder.path(), HostOptions::default()).await;
    let output = tokio::process::Command::new(binary())
        .args(["serve", "--listen", &address, "--data"])
        .arg(host.data())
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("can't listen on {address}")), "{stderr}");
    assert!(stderr.contains("next: choose another address with --listen"), "{stderr}");
}
