//! Processes that are measured: started, looked at, killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Ticks a second in `/proc`: the same on every Linux that we run on.
const TICKS: u64 = 100;

/// A process of ours. Killed when this is dropped.
pub struct Process {
    child: Child,
    /// Kept open: a line written into a closed pipe would be an error over there.
    _stdout: BufReader<ChildStdout>,
    /// The line that said that it is ready.
    pub ready: String,
}

impl Process {
    /// Starts it and waits until it prints a line with this text. Its log goes to `log`.
    pub fn start(mut command: Command, ready: &str, log: &Path) -> anyhow::Result<Self> {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn().with_context(|| format!("{command:?} can't be started"))?;
        let Some(stdout) = child.stdout.take() else { bail!("{command:?} has no output") };
        let mut stdout = BufReader::new(stdout);
        loop {
            let mut line = String::new();
            let read = stdout.read_line(&mut line);
            if line.contains(ready) {
                return Ok(Self { child, _stdout: stdout, ready: line.trim().to_owned() });
            }
            if read.unwrap_or(0) == 0 {
                let _ = child.kill();
                let _ = child.wait();
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("{command:?} ended before it was ready: {}", said.lines().last().unwrap_or_default());
            }
        }
    }

    /// CPU time so far, of all its threads.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(&self.child.id().to_string())
    }

    /// Memory in the machine's memory, in MB.
    pub fn resident_mb(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of this process so far.
pub fn own_cpu() -> anyhow::Result<Duration> {
    cpu_of("self")
}

fn cpu_of(process: &str) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).context("the process has ended")?;
    // The name in brackets may hold blanks; after it, user and system time are fields 12 and 13.
    let (_, rest) = text.rsplit_once(')').context("/proc/…/stat")?;
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// Ends when this process is told to end.
pub async fn told_to_end() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
