//! The whole account, under one lock.
//!
//! [`Account`] owns every part; [`Shared`] is the lock around it, with what the tasks need beside it.
//! Handlers are plain functions over `&mut Account`, so the lock is never held across an await. A
//! panic while the lock is held would leave a poisoned lock; it is taken over as it is, because a
//! statement checks before it writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::auth::{Client, Tokens};
use crate::data::Table;
use crate::directories::Directory;
use crate::environment::Environment;
use crate::error::ApiError;
use crate::faults::Faults;
use crate::files::Files;
use crate::hooks::{Messages, Webhook};
use crate::requests::RequestLog;
use crate::settings::Settings;
use crate::tasks::Task;
use crate::views::View;

/// Everything that a Caspio account holds here.
#[derive(Debug)]
pub struct Account {
    pub id: String,
    pub settings: Settings,
    pub env: Environment,
    pub tokens: Tokens,
    pub tables: Vec<Table>,
    pub views: Vec<View>,
    pub directories: Vec<Directory>,
    pub files: Files,
    pub tasks: Vec<Task>,
    pub webhooks: Vec<Webhook>,
    pub messages: Messages,
    pub faults: Faults,
    pub requests: RequestLog,
    window: Option<(Instant, u32)>,
}

impl Account {
    /// From its parts; without views, directories, files and tasks.
    pub fn new(
        id: String,
        clients: Vec<Client>,
        tables: Vec<Table>,
        settings: Settings,
        env: Environment,
    ) -> Self {
        Self {
            id,
            settings,
            env,
            tokens: Tokens::new(clients),
            tables,
            views: Vec::new(),
            directories: Vec::new(),
            files: Files::default(),
            tasks: Vec::new(),
            webhooks: Vec::new(),
            messages: Messages::default(),
            faults: Faults::default(),
            requests: RequestLog::default(),
            window: None,
        }
    }

    /// A table by name, in any case.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// Where a table is, or 404.
    pub fn table_at(&self, name: &str) -> Result<usize, ApiError> {
        self.tables
            .iter()
            .position(|table| table.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| ApiError::object("table", name))
    }

    /// Counts a REST call; false when the rate limit is used up.
    pub fn admit(&mut self, now: Instant) -> bool {
        let Some(limit) = &self.settings.rate_limit else { return true };
        let window = Duration::from_millis(limit.window_millis);
        match &mut self.window {
            Some((start, calls)) if now.duration_since(*start) < window => {
                *calls = calls.saturating_add(1);
                *calls <= limit.calls
            }
            slot => {
                *slot = Some((now, 1));
                limit.calls > 0
            }
        }
    }
}

/// The account as tasks share it.
#[derive(Debug)]
pub struct Shared {
    account: Mutex<Account>,
    /// Client for outgoing calls.
    pub http: reqwest::Client,
    /// Turns true once, at the end.
    pub ending: watch::Sender<bool>,
    closed: AtomicBool,
}

impl Shared {
    /// Puts the lock around an account.
    pub fn new(account: Account, http: reqwest::Client) -> Arc<Self> {
        let (ending, _) = watch::channel(false);
        Arc::new(Self { account: Mutex::new(account), http, ending, closed: AtomicBool::new(false) })
    }

    /// The account. Never keep the guard across an await.
    pub fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all tasks; further calls are cut.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.ending.send_replace(true);
    }

    /// Whether [`Shared::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}
