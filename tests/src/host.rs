//! A `caspian` process with its data folder, and commands against it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::wait::{DEADLINE, until};

/// The binary under test, built with the feature `failpoints`.
#[must_use]
pub fn binary() -> PathBuf {
    let path = match std::env::var_os("CASPIAN_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let test = std::env::current_exe().expect("the path of the test");
            test.parent().and_then(Path::parent).expect("target/debug").join("caspian")
        }
    };
    assert!(path.exists(), "{} is missing; run the tests with: make test", path.display());
    path
}

/// How a host is started.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// Text of `caspian.toml`, added to settings that make retries quick.
    pub config: String,
    /// `FAILPOINTS` of the process.
    pub failpoints: String,
    /// More of its environment.
    pub environment: Vec<(String, String)>,
    /// `--public-url`; default [`Host::url`].
    pub public_url: Option<String>,
    /// `--log`; default debug.
    pub log: Option<String>,
    /// It may write no file beyond so many KiB (`ulimit -f`, which can be raised again).
    pub file_kib: Option<u64>,
    /// Its log goes through a pipe, so that [`Host::limit_files`] does not concern it.
    pub piped_log: bool,
}

/// Retries and limits so quick that no test waits for them, a section each; one that the test's own
/// configuration has is left out.
const QUICK: [(&str, &str); 2] = [
    (
        "[retry]",
        "
step_initial_seconds = 0.05
step_max_seconds = 0.2
step_waits = 2000
",
    ),
    (
        "[caspio]",
        "
calls_per_second = 100000.0
burst = 100000
retry_pause_ms = 10
first_pause_seconds = 0.05
longest_pause_seconds = 0.2
breaker_pause_seconds = 0.05
breaker_longest_pause_seconds = 0.2
",
    ),
];

/// What a command answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Exit code; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Answer {
    /// It must have succeeded.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// It must have failed with this text in its error, and say what to do.
    pub fn refused(self, part: &str) -> Self {
        assert_eq!(self.code, 1, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert!(self.stderr.contains(part), "'{part}' is not in: {}", self.stderr);
        assert!(self.stderr.contains("next: "), "it does not say what to do: {}", self.stderr);
        self
    }

    /// Its output as JSON.
    #[must_use]
    pub fn json(self) -> Value {
        let answer = self.ok();
        serde_json::from_str(&answer.stdout).unwrap_or_else(|e| panic!("{e}: {}", answer.stdout))
    }
}

/// A host and its data folder. The process is killed when this is dropped.
pub struct Host {
    folder: PathBuf,
    token: String,
    port: u16,
    child: Option<Child>,
    options: HostOptions,
}

impl Host {
    /// `caspian init` in a folder; does not start it.
    pub async fn init(folder: &Path, options: HostOptions) -> Self {
        let data = folder.join("data");
        let made = Command::new(binary()).arg("init").arg("--data").arg(&data).output().await;
        let made = answer(made.expect("caspian init runs")).ok();
        let token = std::fs::read_to_string(data.join("admin.token")).expect("admin.token").trim().to_owned();
        assert!(made.stdout.contains(&token), "the token is printed once");
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("an address").port();
        Self { folder: folder.to_owned(), token, port, child: None, options }
    }

    /// A host with the same address, token and options over the data folder of another folder; neither
    /// copied nor started.
    #[must_use]
    pub fn moved(&self, folder: &Path) -> Self {
        let (token, options) = (self.token.clone(), self.options.clone());
        Self { folder: folder.to_owned(), token, port: self.port, child: None, options }
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Everything that its processes wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("host.log")).unwrap_or_default()
    }

    /// `http://127.0.0.1:port`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The administrator's token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Options of the next start.
    pub fn options(&mut self) -> &mut HostOptions {
        &mut self.options
    }

    /// The binary, under a shell that changes its limits and its log first where that is wanted.
    fn program(&self) -> Command {
        let mut script = String::new();
        if self.options.piped_log {
            script.push_str("exec 2> >(exec cat >&2); ");
        }
        if let Some(kib) = self.options.file_kib {
            script.push_str(&format!("ulimit -S -f {kib}; "));
        }
        if script.is_empty() {
            return Command::new(binary());
        }
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(format!("{script}exec \"$0\" \"$@\"")).arg(binary());
        shell
    }

    fn command(&self) -> Command {
        let config = self.folder.join("caspian.toml");
        let mut text = self.options.config.clone();
        for (section, keys) in QUICK {
            if !self.options.config.contains(section) {
                text.push_str(&format!("\n{section}{keys}"));
            }
        }
        std::fs::write(&config, text).expect("caspian.toml");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("host.log"))
            .expect("host.log");
        let mut command = self.program();
        command
            .arg("serve")
            .arg("--data")
            .arg(self.data())
            .arg("--config")
            .arg(config)
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--public-url", &self.options.public_url.clone().unwrap_or_else(|| self.url())])
            .args(["--log", self.options.log.as_deref().unwrap_or("debug")])
            .env("FAILPOINTS", &self.options.failpoints)
            .envs(self.options.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        command
    }

    /// Starts the process and waits until it listens.
    pub async fn start(&mut self) {
        assert!(self.try_start().await, "the host does not start:\n{}", self.log());
    }

    /// Starts the process; false when it ended before it listened.
    pub async fn try_start(&mut self) -> bool {
        self.kill().await;
        let mut child = self.command().spawn().expect("caspian serve runs");
        let stdout = child.stdout.take().expect("its output");
        let mut lines = BufReader::new(stdout).lines();
        let listening = tokio::time::timeout(DEADLINE, async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("is listening on") {
                    return true;
                }
            }
            false
        });
        let listening = listening.await.expect("it listens or ends within the deadline");
        self.child = Some(child);
        listening
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().await;
        }
    }

    fn id(&self) -> rustix::process::Pid {
        let id = self.child.as_ref().and_then(Child::id).and_then(|id| i32::try_from(id).ok());
        id.and_then(rustix::process::Pid::from_raw).expect("a process id")
    }

    /// From now on the process may write no file beyond so many bytes (RLIMIT_FSIZE): for it, the disk is full.
    /// `None` gives the space back.
    pub fn limit_files(&self, bytes: Option<u64>) {
        use rustix::process::{Resource, Rlimit, prlimit};
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(self.id()), Resource::Fsize, limit).expect("the limit is set");
    }

    /// SIGTERM.
    pub fn signal(&self) {
        let id = self.id();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a signal");
    }

    /// SIGTERM, and waits until it has ended; answers its exit code.
    pub async fn terminate(&mut self) -> i32 {
        self.signal();
        let mut child = self.child.take().expect("it runs");
        let ended = tokio::time::timeout(DEADLINE, child.wait()).await.expect("it ends within the deadline");
        ended.expect("its exit").code().unwrap_or(-1)
    }

    /// Whether the process is there.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Waits until the process has ended by itself (a failpoint killed it).
    pub async fn until_dead(&mut self) {
        let mut child = self.child.take().expect("it runs");
        tokio::time::timeout(DEADLINE, child.wait())
            .await
            .expect("it dies within the deadline")
            .expect("its exit");
    }

    /// Starts a command against this host that goes on; its output is piped, and dropping it ends it.
    #[must_use]
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        Command::new(binary())
            .args(arguments)
            .env("CASPIAN_URL", self.url())
            .env("CASPIAN_TOKEN", &self.token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the command runs")
    }

    /// Runs a command against this host.
    pub async fn cli(&self, arguments: &[&str]) -> Answer {
        self.cli_with_input(arguments, "").await
    }

    /// Runs a command against this host with standard input.
    pub async fn cli_with_input(&self, arguments: &[&str], input: &str) -> Answer {
        let mut child = Command::new(binary())
            .args(arguments)
            .env("CASPIAN_URL", self.url())
            .env("CASPIAN_TOKEN", &self.token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the command runs");
        let mut stdin = child.stdin.take().expect("its input");
        // A command that reads no input may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await;
        answer(output.expect("the command ends within the deadline").expect("its output"))
    }

    /// `/health/ready` says so.
    pub async fn until_ready(&self) {
        let http = reqwest::Client::new();
        until("the host is ready", async || {
            let answer = http.get(format!("{}/health/ready", self.url())).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }
}

fn answer(output: Output) -> Answer {
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
