//! What a guest writes: its log, stdout and stderr. Kept, encrypted, with the run; never in the host's log.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Longest line that is kept whole, in bytes; the rest of a longer one is cut off.
const LINE_MAX: usize = 16 << 10;
/// What a line counts besides its bytes, so that many empty lines are not free: kept, each takes more than this.
const LINE_COST: usize = 16;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputSource {
    /// `log.write` at this level.
    Debug,
    /// `log.write` at this level.
    Info,
    /// `log.write` at this level.
    Warn,
    /// `log.write` at this level.
    Error,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line. Its text may hold anything of a record: it is only ever stored sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputLine {
    /// Where it came from.
    pub source: OutputSource,
    /// What was written.
    pub text: String,
}

#[derive(Default)]
struct Kept {
    lines: Vec<OutputLine>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    used: usize,
    truncated: bool,
    exceeded: bool,
}

/// Collects the output of one attempt. Cheap to clone; clones are the same collection.
#[derive(Clone)]
pub(super) struct RunLog {
    kept: Arc<Mutex<Kept>>,
    limit: usize,
}

/// The guest wrote more than its limit.
pub(super) struct LogLimit;

impl RunLog {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: Arc::default(), limit }
    }

    /// Adds a line of `log.write`.
    pub(super) fn write_line(&self, source: OutputSource, text: &str) -> Result<(), LogLimit> {
        let Ok(mut kept) = self.kept.lock() else { return Ok(()) };
        kept.count(text.len().saturating_add(LINE_COST), self.limit)?;
        kept.push(source, text.as_bytes());
        Ok(())
    }

    fn write_bytes(&self, source: OutputSource, bytes: &[u8]) -> Result<(), LogLimit> {
        let Ok(mut kept) = self.kept.lock() else { return Ok(()) };
        let (mut fits, mut cost) = (0, 0);
        let room = self.limit.saturating_sub(kept.used);
        for byte in bytes {
            let more: usize = if *byte == b'\n' { 1 + LINE_COST } else { 1 };
            if cost + more > room {
                break;
            }
            (fits, cost) = (fits + 1, cost + more);
        }
        kept.buffer(source).extend_from_slice(bytes.get(..fits).unwrap_or(bytes));
        kept.flush_lines(source, false);
        // What did not fit is what goes beyond the limit.
        let counted = if fits < bytes.len() { self.limit.saturating_add(1) } else { cost };
        kept.count(counted, self.limit)
    }

    /// Whether the limit was exceeded.
    pub(super) fn exceeded(&self) -> bool {
        self.kept.lock().is_ok_and(|kept| kept.exceeded)
    }

    /// The last lines of standard error, at most about `max` bytes.
    pub(super) fn last_stderr(&self, max: usize) -> String {
        let Ok(kept) = self.kept.lock() else { return String::new() };
        let mut picked: Vec<&str> = Vec::new();
        let mut size = 0;
        for line in kept.lines.iter().rev().filter(|l| l.source == OutputSource::Stderr) {
            size += line.text.len();
            if size > max {
                break;
            }
            picked.push(&line.text);
        }
        picked.reverse();
        picked.join("\n")
    }

    /// Ends unfinished lines and hands everything over: the lines, and whether something was cut off.
    pub(super) fn take(&self) -> (Vec<OutputLine>, bool) {
        let Ok(mut kept) = self.kept.lock() else { return (Vec::new(), true) };
        kept.flush_lines(OutputSource::Stdout, true);
        kept.flush_lines(OutputSource::Stderr, true);
        (std::mem::take(&mut kept.lines), kept.truncated)
    }

    /// Ends unfinished lines.
    pub(super) fn end_lines(&self) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.flush_lines(OutputSource::Stdout, true);
            kept.flush_lines(OutputSource::Stderr, true);
        }
    }

    /// A stream of the guest that ends up here.
    pub(super) fn stream(&self, source: OutputSource) -> GuestStream {
        GuestStream { log: self.clone(), source }
    }
}

impl Kept {
    fn count(&mut self, bytes: usize, limit: usize) -> Result<(), LogLimit> {
        self.used = self.used.saturating_add(bytes);
        if self.used > limit {
            self.exceeded = true;
            self.truncated = true;
            return Err(LogLimit);
        }
        Ok(())
    }

    fn buffer(&mut self, source: OutputSource) -> &mut Vec<u8> {
        if source == OutputSource::Stderr { &mut self.stderr } else { &mut self.stdout }
    }

    fn flush_lines(&mut self, source: OutputSource, all: bool) {
        let mut rest = std::mem::take(self.buffer(source));
        let mut start: usize = 0;
        while let Some(tail) = rest.get(start..)
            && let Some(end) = tail.iter().position(|b| *b == b'\n')
        {
            self.push(source, tail.get(..end).unwrap_or(tail));
            start = start.saturating_add(end).saturating_add(1);
        }
        rest.drain(..start.min(rest.len()));
        if (all && !rest.is_empty()) || rest.len() > LINE_MAX {
            self.push(source, &rest);
            rest.clear();
        }
        *self.buffer(source) = rest;
    }

    fn push(&mut self, source: OutputSource, bytes: &[u8]) {
        let kept = bytes.get(..LINE_MAX).unwrap_or(bytes);
        self.truncated |= kept.len() < bytes.len();
        self.lines.push(OutputLine { source, text: String::from_utf8_lossy(kept).into_owned() });
    }
}

/// Standard output or error of a guest.
#[derive(Clone)]
pub(super) struct GuestStream {
    log: RunLog,
    source: OutputSource,
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this, which is not linked.
        Box::new(tokio::io::sink())
    }
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for GuestStream {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log
            .write_bytes(self.source, &bytes)
            .map_err(|LogLimit| StreamError::Trap(wasmtime::Error::msg("log limit")))
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_become_lines_and_stop_at_the_limit() {
        let log = RunLog::new(40 + 3 * LINE_COST);
        assert!(log.write_bytes(OutputSource::Stdout, b"one\ntw").is_ok());
        assert!(log.write_line(OutputSource::Warn, "log").is_ok());
        assert!(log.write_bytes(OutputSource::Stdout, b"o\n").is_ok());
        assert!(log.write_bytes(OutputSource::Stderr, b"bad").is_ok());
        assert!(log.write_bytes(OutputSource::Stdout, &[b'x'; 100]).is_err());
        assert!(log.exceeded());
        let (lines, truncated) = log.take();
        let texts: Vec<_> = lines.iter().map(|l| (l.source, l.text.as_str())).collect();
        assert_eq!(texts[0], (OutputSource::Stdout, "one"));
        assert_eq!(texts[1], (OutputSource::Warn, "log"));
        assert_eq!(texts[2], (OutputSource::Stdout, "two"));
        assert!(truncated);
        // Two newlines and the three texts; the line of `log.write` has none.
        assert_eq!(lines.iter().map(|l| l.text.len()).sum::<usize>(), 3 + 3 + 3 + 3 + (40 - 14));
    }

    #[test]
    fn empty_lines_are_not_free() {
        let log = RunLog::new(1000);
        assert!(log.write_bytes(OutputSource::Stdout, &[b'\n'; 900]).is_err());
        let (lines, truncated) = log.take();
        assert_eq!(lines.len(), 1000 / (1 + LINE_COST));
        assert!(truncated);
    }
}
