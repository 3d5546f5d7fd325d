//! The one writer: commands are gathered into one transaction (group commit).
//!
//! Each command runs inside its own savepoint, so that one that fails takes no other with it. Its
//! answer is given after the commit, so `Ok` means durable. When the commit itself fails (full
//! disk), the transaction is rolled back and every command of it is told so; what they carried is
//! still with their callers, who decide whether to try again.

use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::{Result, StoreError};

use super::sql_error;

/// Commands in one transaction at most: bounds how long the first one waits for the last.
const BATCH: usize = 512;
/// Commands waiting at most; beyond it callers wait for room.
const QUEUE: usize = 4096;

type Reply = Box<dyn FnOnce(&Result<()>) + Send>;
/// What a command came to: its answer for later, and why it failed.
type Done = (Reply, Option<StoreError>);
/// Without a connection (no transaction could be begun) nothing is run; the reply tells why.
type Job = Box<dyn FnOnce(Option<&Connection>) -> Done + Send>;

/// Hands commands to the writer thread.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: std::sync::Mutex<Option<mpsc::Sender<Job>>>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(conn: Connection) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let work = std::panic::AssertUnwindSafe(|| work(&conn, queue));
                if std::panic::catch_unwind(work).is_err() {
                    // Without the writer nothing can be stored any more. What is committed is safe; the next start
                    // takes up what was under way.
                    tracing::error!("the store's writer failed; the host ends, start it again");
                    std::process::exit(70);
                }
            })
            .map_err(|e| StoreError::Io(e.to_string()))?;
        Ok(Self { jobs: std::sync::Mutex::new(Some(jobs)), thread: std::sync::Mutex::new(Some(thread)) })
    }

    /// Runs a command; `Ok` once it is durable.
    pub(super) async fn write<T, F>(&self, command: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |conn| {
            let result = match conn {
                Some(conn) => in_savepoint(conn, command),
                None => Err(StoreError::Closed),
            };
            let failed = result.as_ref().err().cloned();
            let reply = Box::new(move |committed: &Result<()>| {
                // Whoever asked may be gone; the command stands.
                let _ = answer.send(match committed {
                    Ok(()) => result,
                    Err(e) => Err(e.clone()),
                });
            });
            (reply, failed)
        });
        let jobs = self.jobs.lock().map_err(|_| StoreError::Closed)?.clone();
        let jobs = jobs.ok_or(StoreError::Closed)?;
        jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        drop(jobs);
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Ends the thread after all that was given to it.
    pub(super) async fn close(&self) {
        if let Ok(mut jobs) = self.jobs.lock() {
            jobs.take();
        }
        let thread = self.thread.lock().ok().and_then(|mut t| t.take());
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn in_savepoint<T>(conn: &Connection, command: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    run(conn, "SAVEPOINT command")?;
    let result = command(conn);
    if result.is_err() {
        // When SQLite rolled everything back by itself, there is no savepoint any more; why is in `result`.
        let _ = run(conn, "ROLLBACK TO command").and_then(|()| run(conn, "RELEASE command"));
        return result;
    }
    run(conn, "RELEASE command")?;
    result
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql).and_then(|mut s| s.execute([])).map(drop).map_err(sql_error)
}

/// A test lets the file grow no further (`store.no-more-pages`), and grow again.
#[cfg(feature = "failpoints")]
fn take_room(conn: &Connection) {
    // SQLite takes a number that is too small as the size that the file has.
    let pages = if crate::faults::hit("store.no-more-pages") { 1 } else { u32::MAX - 1 };
    let _ = conn.pragma_update(None, "max_page_count", pages);
}

fn work(conn: &Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        let started = std::time::Instant::now();
        #[cfg(feature = "failpoints")]
        take_room(conn);
        let before = conn.total_changes();
        let mut begun = run(conn, "BEGIN IMMEDIATE");
        let mut replies = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            let (reply, failed) = job(begun.is_ok().then_some(conn));
            replies.push(reply);
            if begun.is_ok() && conn.is_autocommit() {
                // A full disk or an I/O error made SQLite roll back all of it, not just the command:
                // the commands before are undone, and no further one may run, since it would commit alone.
                begun = Err(failed.unwrap_or(StoreError::Io("rolled back".to_owned())));
                break;
            }
            next = if replies.len() < BATCH { queue.try_recv().ok() } else { None };
        }
        let committed = begun.and_then(|()| {
            let full = crate::faults::hit("store.commit-fails");
            let commit = if full { Err(StoreError::Full) } else { run(conn, "COMMIT") };
            commit.inspect_err(|_| {
                // A failed COMMIT may leave the transaction open.
                let _ = conn.execute_batch("ROLLBACK");
            })
        });
        // A look for due runs that finds none writes nothing, and is no commit.
        if conn.total_changes() != before {
            metrics::histogram!("caspian_commit_commands").record(replies.len() as f64);
            metrics::histogram!("caspian_commit_seconds").record(started.elapsed());
        }
        if let Err(error) = &committed {
            tracing::error!(code = error.code(), commands = replies.len(), "commit failed");
        }
        for reply in replies {
            reply(&committed);
        }
    }
}
