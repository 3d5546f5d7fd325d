//! Commands: exit codes, help, JSON.

use caspian_e2e::{Answer, ManifestBuilder, Site, binary};
use serde_json::Value;

/// Runs the binary with this environment besides an empty one.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Answer {
    let mut command = tokio::process::Command::new(binary());
    command.args(arguments).env_clear().envs(environment.iter().copied());
    let output = command.output().await.unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn fails(answer: &Answer, code: i32, part: &str) {
    assert_eq!(answer.code, code, "stdout: {}\nstderr: {}", answer.stdout, answer.stderr);
    assert!(answer.stderr.contains(part), "'{part}' is not in: {}", answer.stderr);
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_exit_code_3() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    for command in [&["run", "list"][..], &["workflow", "list"], &["connection", "list"]] {
        let answer = run(&[command, &["--host", &dead, "--token", "x"]].concat(), &[]).await;
        fails(&answer, 3, &format!("the host {dead} can't be reached"));
        assert!(answer.stderr.contains("next: start it with `caspian serve`"), "{}", answer.stderr);
    }
}

#[tokio::test]
async fn wrong_usage_is_exit_code_2() {
    let token = [("CASPIAN_TOKEN", "x")];
    for (arguments, part) in [
        (&[][..], "Usage"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["run"], "Usage"),
        (&["run", "list", "--colour"], "unexpected argument"),
        (&["run", "list", "--state", "happy"], "no such run state"),
        (&["run", "list", "--limit", "many"], "invalid value"),
        (&["run", "show"], "required"),
        (&["deploy"], "required"),
        (&["connection", "add", "x", "--url", "u", "--client-id", "i"], "--client-secret-file"),
        (
            &[
                "connection",
                "add",
                "x",
                "--url",
                "u",
                "--client-id",
                "i",
                "--client-secret-stdin",
                "--client-secret-file",
                "f",
            ],
            "cannot be used with",
        ),
        (&["run", "list", "--host", "no url"], "--host is no URL"),
        (&["run", "list", "--host", "ftp://x"], "--host is no URL"),
        (&["run", "list", "--token", "two\nlines"], "token"),
        (&["run", "list", "--tenant", "Not A Name"], "the tenant's name is not usable"),
        (&["serve", "--listen", "here"], "invalid value"),
        (&["serve", "--log", "caspian=loud"], "no log filter"),
    ] {
        let answer = run(arguments, &token).await;
        fails(&answer, 2, part);
        assert!(!answer.stderr.contains("panicked"), "{}", answer.stderr);
    }
    let answer = run(&["run", "list"], &[]).await;
    fails(&answer, 2, "there is no token");
    assert!(answer.stderr.contains("admin.token"), "{}", answer.stderr);
}

#[tokio::test]
async fn every_command_has_help() {
    let commands: &[&[&str]] = &[
        &[],
        &["init"],
        &["serve"],
        &["emulator"],
        &["connection"],
        &["connection", "add"],
        &["connection", "list"],
        &["deploy"],
        &["workflow"],
        &["workflow", "list"],
        &["workflow", "show"],
        &["workflow", "activate"],
        &["workflow", "deactivate"],
        &["run"],
        &["run", "list"],
        &["run", "show"],
    ];
    for command in commands {
        let answer = run(&[command, &["--help"][..]].concat(), &[("CASPIAN_TOKEN", "hidden-value")]).await;
        assert_eq!(answer.code, 0, "{command:?}: {}", answer.stderr);
        assert!(answer.stdout.contains("Usage: caspian"), "{command:?}: {}", answer.stdout);
        assert!(!answer.stdout.contains("hidden-value"), "{command:?} shows the token");
        assert!(!answer.stdout.contains("compile-component"), "{command:?} shows what is internal");
    }
    let version = run(&["--version"], &[]).await.ok();
    assert!(version.stdout.starts_with("caspian "), "{}", version.stdout);
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let site = Site::start().await;
    for (arguments, part) in [
        (&["workflow", "show", "nothing"][..], "there is no workflow 'nothing'"),
        (&["workflow", "activate", "nothing"], "there is no workflow 'nothing'"),
        (&["workflow", "deactivate", "nothing"], "there is no workflow 'nothing'"),
        (&["workflow", "show", "a/b ü"], "there is no workflow 'a/b ü'"),
        (&["run", "list", "--workflow", "nothing"], "there is no workflow 'nothing'"),
        (&["run", "show", "17"], "this is no run id"),
        (&["run", "show", "0190a1b2-0000-7000-8000-000000000000"], "there is no run 0190a1b2"),
    ] {
        site.host.cli(arguments).await.refused(part);
    }
}

#[tokio::test]
async fn reading_commands_answer_as_json() {
    let site = Site::start().await;
    let run = site.one_run(&ManifestBuilder::probe("w", "leak"), &["succeeded"]).await;
    let id = run["id"].as_str().unwrap();
    for command in [&["connection", "list"][..], &["workflow", "list"], &["run", "list"]] {
        let list = site.host.cli(&[command, &["--json"]].concat()).await.json();
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{command:?}: {list}");
    }
    for command in [&["workflow", "show", "w"][..], &["run", "show", id], &["run", "show", id, "--values"]] {
        let shown = site.host.cli(&[command, &["--json"]].concat()).await.json();
        assert!(shown.as_object().is_some_and(|o| !o.is_empty()), "{command:?}: {shown}");
        let text = site.host.cli(command).await.ok();
        assert!(serde_json::from_str::<Value>(&text.stdout).is_err(), "without --json it is for people");
    }
}
