//! `config check`, what goes before what, and completions.

use std::process::Stdio;

use caspian_e2e::{Answer, DEADLINE, Host, HostOptions, binary, repository};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::run;

async fn check(text: &str) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("caspian.toml");
    std::fs::write(&file, text).unwrap();
    run(&["config", "check", &file.display().to_string()], &[]).await
}

#[tokio::test]
async fn a_valid_configuration_is_said_to_be_so() {
    let documented = &std::fs::read_to_string(repository().join("packaging/caspian.toml")).unwrap();
    for text in ["", documented, "[server]\npublic_url = \"https://hooks.example.com\"\n"] {
        let answer = check(text).await.ok();
        assert!(answer.stdout.contains("caspian.toml is valid"), "{}", answer.stdout);
    }
}

#[tokio::test]
async fn a_mistake_is_named_with_its_place() {
    for (text, parts) in [
        ("[server]\nlisten = \"127.0.0.1:1\"\n  lisen = 3\n", &["line 3, column 3", "lisen"][..]),
        ("[srever]\n", &["line 1, column 2", "srever"]),
        ("[server]\nlisten = \"nowhere\"\n", &["line 2, column 10"]),
        ("[scheduler]\nconcurrency = \"many\"\n", &["line 2, column 15"]),
        ("[server\n", &["line 1, column 8"]),
        ("[scheduler]\nconcurrency = 9000000000000000000\n", &["scheduler.concurrency must be from 1 to"]),
        ("[telemetry]\notlp_endpoint = \"nonsense\"\n", &["telemetry.otlp_endpoint must be a base URL"]),
        ("[server]\npublic_url = \"http://example.com\"\n", &["the public URL is none that Caspio can use"]),
        ("[server]\npublic_url = \"https://example.com/x\"\n", &["give https://host[:port] without a path"]),
    ] {
        let answer = check(text).await.refused("");
        for part in parts {
            assert!(answer.stderr.contains(part), "'{part}' is not in: {}", answer.stderr);
        }
    }
    run(&["config", "check", "/no/such/file.toml"], &[]).await.refused("can't be read");
}

/// The address that a host listens on when it is started so.
async fn listens_on(host: &Host, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut child = tokio::process::Command::new(binary())
        .args(["serve", "--data", &host.data().display().to_string()])
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(DEADLINE, lines.next_line()).await.unwrap().unwrap().expect("it listens");
    child.kill().await.unwrap();
    line.strip_prefix("caspian is listening on http://").expect("its address").to_owned()
}

/// `127.0.0.N` with a port of its own: which one is used is seen by the number.
fn address(n: u8) -> String {
    let socket = std::net::TcpListener::bind((std::net::Ipv4Addr::new(127, 0, 0, n), 0)).unwrap();
    socket.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::init(folder.path(), HostOptions::default()).await;
    let file = folder.path().join("caspian.toml");
    let (in_file, in_environment, flag) = (address(11), address(12), address(13));
    std::fs::write(&file, format!("[server]\nlisten = \"{in_file}\"\n")).unwrap();
    let config = file.display().to_string();
    let variable = [("CASPIAN_LISTEN", in_environment.as_str())];
    let config_variable = [("CASPIAN_CONFIG", config.as_str())];
    assert_eq!(listens_on(&host, &["--config", &config], &[]).await, in_file);
    assert_eq!(listens_on(&host, &[], &config_variable).await, in_file);
    assert_eq!(listens_on(&host, &["--config", &config], &variable).await, in_environment);
    let by_key = address(14);
    let of_key = [("CASPIAN__SERVER__LISTEN", by_key.as_str())];
    assert_eq!(listens_on(&host, &[], &of_key).await, by_key);
    assert_eq!(listens_on(&host, &["--config", &config], &of_key).await, by_key);
    let both = [variable[0], of_key[0]];
    assert_eq!(listens_on(&host, &["--config", &config], &both).await, in_environment);
    assert_eq!(listens_on(&host, &["--config", &config, "--listen", &flag], &variable).await, flag);
}

#[tokio::test]
async fn a_host_with_a_wrong_configuration_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::init(folder.path(), HostOptions::default()).await;
    let data = host.data().display().to_string();
    let file = folder.path().join("caspian.toml");
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:0\"\n[scheduler]\nslots = 3\n").unwrap();
    let serve = ["serve", "--data", &data, "--config", &file.display().to_string()];
    run(&serve, &[]).await.refused("line 4, column 1");
    for (text, part) in [
        ("[server]\nhooks_in_flight = 9000000000000000000\n", "server.hooks_in_flight must be from 1 to"),
        ("[runtime]\ninstances = 4000000000\n", "runtime.instances must be from 1 to"),
        ("[telemetry]\notlp_endpoint = \"nonsense\"\n", "telemetry.otlp_endpoint must be a base URL"),
    ] {
        std::fs::write(&file, text).unwrap();
        run(&serve, &[]).await.refused(part);
    }
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    for (name, value, part) in [
        ("CASPIAN__SCHEDULER__SLOTS", "3", "unknown field `slots`"),
        ("CASPIAN__SCHEDULER__CONCURRENCY", "0", "scheduler.concurrency must be from 1 to"),
        ("CASPIAN__LISTEN", "127.0.0.1:0", "not of the form CASPIAN__SECTION__KEY"),
    ] {
        let answer = run(&serve, &[(name, value)]).await.refused(part);
        assert!(answer.stderr.contains(&format!("the environment variable {name}")), "{}", answer.stderr);
    }
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://example.com\"\n")
        .unwrap();
    run(&serve, &[]).await.refused("the public URL is none that Caspio can use");
    let serve = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--public-url", "ftp://x"];
    run(&serve, &[]).await.refused("the public URL is none that Caspio can use");
}

#[tokio::test]
async fn completions_are_there_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let answer = run(&["completions", shell], &[]).await.ok();
        for word in ["workflow", "discard-runs", "backup", "restore", "rotate"] {
            assert!(answer.stdout.contains(word), "{shell}: {word}");
        }
    }
    let answer = run(&["completions", "tcsh"], &[]).await;
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    // Into a pipe that is closed.
    let mut child = tokio::process::Command::new(binary())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// What a host logs until it listens.
async fn logged(host: &Host, arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let mut child = tokio::process::Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--data", &host.data().display().to_string()])
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    tokio::time::timeout(DEADLINE, lines.next_line()).await.unwrap().unwrap().expect("it listens");
    child.start_kill().unwrap();
    let output = child.wait_with_output().await.unwrap();
    String::from_utf8(output.stderr).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_log_is_as_configured_unless_a_flag_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::init(folder.path(), HostOptions::default()).await;
    let file = folder.path().join("caspian.toml");
    std::fs::write(&file, "[log]\nformat = \"json\"\nlevel = \"error\"\n").unwrap();
    let file = file.display().to_string();
    let config = ["--config", file.as_str()];
    assert_eq!(logged(&host, &config, &[]).await, Vec::<String>::new());
    let is_json = |lines: &[String]| lines.iter().all(|line| line.starts_with("{\""));
    let listens = |lines: &[String]| lines.iter().any(|line| line.contains("listening"));
    let lines = logged(&host, &config, &[("CASPIAN__LOG__LEVEL", "info")]).await;
    assert!(listens(&lines) && is_json(&lines), "{lines:?}");
    let flags = ["--log", "info", "--log-format", "text"];
    let lines = logged(&host, &[&config[..], &flags].concat(), &[]).await;
    assert!(listens(&lines) && !is_json(&lines), "{lines:?}");
    let lines = logged(&host, &[], &[]).await;
    assert!(listens(&lines) && !is_json(&lines), "the defaults: {lines:?}");
}
