//! Alerts by a program of the operator's: the JSON on its standard input, no shell. It has nothing of the host's environment but
//! the path and the language, since the environment may hold keys. What it has not done in time is killed, its children too.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Child;

/// Variables that it is given.
const PASSED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

pub(super) struct Command {
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
}

impl Command {
    /// None when there is none.
    pub(super) fn new(command: &[String], timeout: Duration) -> Option<Self> {
        let (program, arguments) = command.split_first()?;
        Some(Self { program: program.clone(), arguments: arguments.to_vec(), timeout })
    }

    pub(super) async fn tell(&self, body: &[u8]) -> Result<(), String> {
        let mut child = tokio::process::Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(PASSED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("it can't be started ({})", error.kind()))?;
        let group = child.id();
        let ended = tokio::time::timeout(self.timeout, feed(&mut child, body)).await;
        let Ok(ended) = ended else {
            end_group(group);
            let _ = child.wait().await;
            return Err("it did not end in time".to_owned());
        };
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(match status.code() {
                Some(code) => format!("it ended with code {code}"),
                None => "a signal ended it".to_owned(),
            }),
            Err(error) => Err(format!("it can't be waited for ({})", error.kind())),
        }
    }
}

async fn feed(child: &mut Child, body: &[u8]) -> std::io::Result<std::process::ExitStatus> {
    if let Some(mut stdin) = child.stdin.take() {
        // It may end without having read all of it; its exit code tells.
        let _ = stdin.write_all(body).await;
        let _ = stdin.write_all(b"\n").await;
    }
    child.wait().await
}

/// The program leads a group of its own, of which nothing may stay behind.
fn end_group(id: Option<u32>) {
    let id = id.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
    }
}
