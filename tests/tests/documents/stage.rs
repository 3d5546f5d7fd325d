//! Where commands of the documents run: a folder of its own, an emulated account, `caspian` in the PATH.

use std::path::PathBuf;
use std::process::Stdio;

use caspian_e2e::{Account, Answer, DEADLINE, binary, guest, repository, until};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// What the documents leave open, and what it is here. `{…}` are the stage's own values.
const SUBSTITUTIONS: &[(&str, &str)] = &[
    ("https://c1abc123.caspio.com", "{account}"),
    ("https://hooks.example.com", "{host}"),
    ("--client-id ID", "--client-id demo-client"),
    ("run show ID", "run show {run}"),
    ("run replay ID", "run replay {run}"),
    ("event show ID", "event show $(caspian event list --limit 1 | awk 'NR == 2 { print $1 }')"),
    ("workflow show NAME", "workflow show patient-onboarding"),
    ("connection rotate NAME", "connection rotate clinic --client-secret-file secret.txt"),
    ("http://127.0.0.1:8080/metrics", "{host}/metrics"),
    ("/etc/caspian/caspian.toml", "caspian.toml"),
    ("/var/lib/", "{folder}/"),
    // The test is the user already that the data folder belongs to.
    ("sudo -u caspian ", ""),
    ("/usr/local/bin/caspian", "caspian"),
];

pub struct Stage {
    pub account: Account,
    folder: TempDir,
    port: u16,
    /// `export` commands so far: each command has a shell of its own.
    exports: Vec<String>,
    background: Vec<Child>,
    /// The latest run.
    run: String,
}

impl Stage {
    /// The folder holds what the documents take as there: the plugins as built, the client's secret, and the
    /// configuration of `packaging/caspian.toml` with a command that takes alerts.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for plugin in ["patient-onboarding", "appointment-audit"] {
            let (from, to) = (repository().join("plugins").join(plugin), path.join("plugins").join(plugin));
            std::fs::create_dir_all(&to).unwrap();
            std::fs::copy(from.join("workflow.toml"), to.join("workflow.toml")).unwrap();
            let name = plugin.replace('-', "_");
            std::fs::copy(guest(&name), to.join(format!("{name}.wasm"))).unwrap();
        }
        std::fs::write(path.join("secret.txt"), "demo-secret\n").unwrap();
        let configuration = std::fs::read_to_string(repository().join("packaging/caspian.toml")).unwrap();
        let configuration = configuration.replace("\ncommand = []\n", "\ncommand = [\"/bin/true\"]\n");
        std::fs::write(path.join("caspian.toml"), configuration).unwrap();
        std::fs::create_dir(path.join("bin")).unwrap();
        std::os::unix::fs::symlink(binary(), path.join("bin/caspian")).unwrap();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let (account, run) = (Account::start(|_| ()).await, String::new());
        Self { account, folder, port, exports: Vec::new(), background: Vec::new(), run }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn host_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn substituted(&self, command: &str) -> String {
        let mut command = command.to_owned();
        for (shown, here) in SUBSTITUTIONS {
            command = command.replace(shown, here);
        }
        let folder = self.folder.path().display().to_string();
        for (name, value) in [
            ("{account}", self.account.url()),
            ("{host}", self.host_url()),
            ("{run}", self.run.clone()),
            ("{folder}", folder),
        ] {
            command = command.replace(name, &value);
        }
        command
    }

    fn shell(&self, command: &str) -> Command {
        let mut lines = self.exports.clone();
        lines.push(command.to_owned());
        let mut shell = Command::new("bash");
        let path = std::env::var("PATH").unwrap();
        shell
            .args(["-euo", "pipefail", "-c", &lines.join("\n")])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", self.folder.path().join("bin").display()))
            // The documents' default port may be taken on this machine.
            .env("CASPIAN_URL", self.host_url())
            .env("CASPIAN_LISTEN", format!("127.0.0.1:{}", self.port))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        for name in
            ["CASPIAN_MASTER_KEY", "CASPIAN_TOKEN", "CASPIAN_DATA", "CASPIAN_CONFIG", "CASPIAN_PUBLIC_URL"]
        {
            shell.env_remove(name);
        }
        shell
    }

    /// Runs a command to its end; it must succeed. An `export` holds for all that follow.
    pub async fn run(&mut self, command: &str) -> Answer {
        let shown = self.substituted(command);
        let mut shell = self.shell(&shown);
        let output = tokio::time::timeout(DEADLINE, shell.stderr(Stdio::piped()).output()).await;
        let output = output.unwrap_or_else(|_| panic!("it does not end: {shown}")).unwrap();
        let answer = Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert_eq!(answer.code, 0, "$ {command}\n$ {shown}\n{}{}", answer.stdout, answer.stderr);
        if shown.starts_with("export ") {
            self.exports.push(shown);
        }
        answer
    }

    /// Starts a command that goes on; answers its output.
    pub fn start(&mut self, command: &str) -> Lines<BufReader<ChildStdout>> {
        let shown = self.substituted(command);
        let mut child = self.shell(&format!("exec env {shown}")).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        self.background.push(child);
        output
    }

    /// Starts a server and waits until it listens; answers the line that says so.
    pub async fn serve(&mut self, command: &str) -> String {
        let mut output = self.start(command);
        line_with(&mut output, command, "is listening on").await
    }

    /// Ends all that was started, as a service manager does.
    pub async fn stop(&mut self) {
        for mut child in self.background.drain(..).rev() {
            let id =
                child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
            rustix::process::kill_process(id.unwrap(), rustix::process::Signal::TERM).unwrap();
            tokio::time::timeout(DEADLINE, child.wait()).await.expect("it ends").unwrap();
        }
    }

    /// A patient comes, and the host has done its work on it; `{run}` is the run from now on.
    pub async fn patient(&mut self, name: &str) {
        let id = self.account.add_patient(name).await;
        let run = until("the patient's run succeeds", async || {
            let output = self.shell("caspian run list --json --state succeeded").output().await.unwrap();
            let runs: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).ok()?;
            let run = runs.iter().find(|run| run["pk_id"] == id)?;
            Some(run["id"].as_str()?.to_owned())
        })
        .await;
        self.run = run;
    }
}

/// The next line of a command's output with this text.
pub async fn line_with(output: &mut Lines<BufReader<ChildStdout>>, command: &str, text: &str) -> String {
    let found = tokio::time::timeout(DEADLINE, async {
        while let Some(line) = output.next_line().await.unwrap() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended: {command}");
    });
    found.await.unwrap_or_else(|_| panic!("it never says '{text}': {command}"))
}
