//! The clients of this process, one a connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::clock::{Time, on_the_wall};
use crate::model::{ConnectionId, TenantId, WorkflowId};
use crate::secrets::Secret;
use crate::store::{CallBudget, CallCount};

use tokio::sync::{Notify, mpsc};

use super::breaker::{Breaker, BreakerChange, Held, Line};
use super::bucket::{Bucket, Limit};
use super::budget::Budget;
use super::counts::Counts;
use super::error::ErrorKind;
use super::list_form::KnownForm;
use super::token::TokenCache;
use super::{BaseUrl, CaspioError, ClientSettings};

/// What a connection is opened with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whose it is.
    pub tenant: TenantId,
    /// The connection.
    pub connection: ConnectionId,
    /// Its name, for texts.
    pub name: String,
    /// Where the account answers.
    pub base: BaseUrl,
    /// Client ID of the Web services profile.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

impl Credentials {
    fn same(&self, other: &Self) -> bool {
        self.tenant == other.tenant
            && self.name == other.name
            && self.base == other.base
            && self.client_id == other.client_id
            && self.client_secret.expose() == other.client_secret.expose()
    }
}

/// What all clients share.
pub(super) struct Shared {
    http: reqwest::Client,
    /// For servers on this machine, which no proxy reaches.
    here: reqwest::Client,
    pub(super) settings: ClientSettings,
    pub(super) counts: Counts,
}

/// Makes clients and keeps them. One a process.
pub struct CaspioClients {
    shared: Arc<Shared>,
    clients: RwLock<HashMap<ConnectionId, Arc<Caspio>>>,
    buckets: Mutex<HashMap<String, Arc<Bucket>>>,
    breakers: Mutex<HashMap<String, Arc<Breaker>>>,
    line: Arc<Line>,
    /// Until somebody asked for them.
    changes: Mutex<Option<mpsc::UnboundedReceiver<BreakerChange>>>,
    budgets: Mutex<HashMap<ConnectionId, Arc<Budget>>>,
}

/// The client of one connection.
pub struct Caspio {
    pub(super) credentials: Credentials,
    pub(super) shared: Arc<Shared>,
    pub(super) bucket: Arc<Bucket>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) token: TokenCache,
    pub(super) budget: Arc<Budget>,
    /// How far Caspio's clock is ahead of this machine's, in microseconds.
    pub(super) clock_ahead: AtomicI64,
    pub(super) list_form: KnownForm,
    /// Until when the connection is left alone because Caspio refused its credentials.
    refused_until: Mutex<Option<Instant>>,
}

/// How long a connection with refused credentials is left alone: one question a minute shows soon enough that a
/// person has mended it.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

impl CaspioClients {
    /// Clients with these settings, none yet.
    ///
    /// # Errors
    /// When the HTTP client can't be set up.
    pub fn new(settings: ClientSettings) -> Result<Self, CaspioError> {
        let setup = |_| CaspioError::from(ErrorKind::Setup);
        let builder = || {
            reqwest::Client::builder()
                .connect_timeout(on_the_wall(Duration::from_secs(settings.connect_timeout_seconds.max(1))))
                .timeout(on_the_wall(Duration::from_secs(settings.request_timeout_seconds.max(1))))
                .pool_idle_timeout(Duration::from_secs(settings.idle_connection_seconds))
                // A redirect would carry token and values to another place.
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("caspian/", env!("CARGO_PKG_VERSION")))
        };
        let http = builder().build().map_err(setup)?;
        let here = builder().no_proxy().build().map_err(setup)?;
        let shared = Arc::new(Shared { http, here, settings, counts: Counts::default() });
        let (changes, changed) = mpsc::unbounded_channel();
        Ok(Self {
            shared,
            clients: RwLock::default(),
            buckets: Mutex::default(),
            breakers: Mutex::default(),
            line: Arc::new(Line { changes, opened: Notify::new() }),
            changes: Mutex::new(Some(changed)),
            budgets: Mutex::default(),
        })
    }

    /// How the rate limit of each integration host stands.
    #[must_use]
    pub fn limits(&self) -> Vec<(String, Limit)> {
        let now = Instant::now();
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.iter().map(|(host, bucket)| (host.clone(), bucket.limit(now))).collect()
    }

    /// The client of a connection: the one there is, or a new one when there is none or its
    /// credentials changed.
    pub fn connect(&self, credentials: Credentials) -> Arc<Caspio> {
        let bucket = self.bucket(credentials.base.host());
        let budget = self.budget(credentials.connection);
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.get(&credentials.connection)
            && known.credentials.same(&credentials)
        {
            return known.clone();
        }
        let id = credentials.connection;
        let client = self.client(credentials, bucket, budget);
        clients.insert(id, client.clone());
        client
    }

    /// A client that is not kept, to try credentials out. Its calls are the connection's all the same.
    #[must_use]
    pub fn apart(&self, credentials: Credentials) -> Arc<Caspio> {
        let bucket = self.bucket(credentials.base.host());
        let budget = self.budget(credentials.connection);
        self.client(credentials, bucket, budget)
    }

    fn client(&self, credentials: Credentials, bucket: Arc<Bucket>, budget: Arc<Budget>) -> Arc<Caspio> {
        let host = credentials.base.host().to_owned();
        Arc::new(Caspio {
            credentials,
            shared: self.shared.clone(),
            breaker: self.breaker(&host),
            bucket,
            token: TokenCache::default(),
            budget,
            clock_ahead: AtomicI64::default(),
            list_form: KnownForm::default(),
            refused_until: Mutex::default(),
        })
    }

    /// The client of a connection, when it was made before.
    #[must_use]
    pub fn get(&self, connection: ConnectionId) -> Option<Arc<Caspio>> {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).get(&connection).cloned()
    }

    /// Forgets a connection: it was removed, or its credentials change. Calls under way go on.
    pub fn forget(&self, connection: ConnectionId) {
        self.clients.write().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    }

    /// Connections that take no calls now: Caspio said so or does not answer, the queue before the rate limit is long, the
    /// credentials were refused a moment ago, or their budget of calls is used up.
    #[must_use]
    pub fn without_budget(&self) -> Vec<ConnectionId> {
        self.waits().map(|(id, _)| id).collect()
    }

    /// How long until the first of [`without_budget`](Self::without_budget) has budget again; none when all have it.
    #[must_use]
    pub fn next_budget(&self) -> Option<Duration> {
        self.waits().map(|(_, wait)| wait).min()
    }

    fn waits(&self) -> impl Iterator<Item = (ConnectionId, Duration)> {
        let now = Instant::now();
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let waits: Vec<_> =
            clients.iter().filter_map(|(id, c)| Some((*id, c.without_budget(now)?))).collect();
        waits.into_iter()
    }

    /// How long a connection is left alone since Caspio does not answer; none when it may be called.
    #[must_use]
    pub fn held_back(&self, connection: ConnectionId) -> Option<Duration> {
        self.get(connection)?.breaker.held(Instant::now())
    }

    /// Hosts that do not answer, and the names of a tenant's (none: of all) connections to each.
    #[must_use]
    pub fn silent(&self, tenant: Option<&TenantId>) -> Vec<(String, Held, Vec<String>)> {
        let now = Instant::now();
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut silent = Vec::new();
        for (host, breaker) in breakers.iter() {
            let Some(held) = breaker.view(now) else { continue };
            let own = |c: &&Arc<Caspio>| {
                c.credentials.base.host() == host && tenant.is_none_or(|t| c.credentials.tenant == *t)
            };
            let mut names: Vec<String> = clients.values().filter(own).map(|c| c.name().to_owned()).collect();
            names.sort();
            if !names.is_empty() {
                silent.push((host.clone(), held, names));
            }
        }
        silent
    }

    /// All hosts by name, and how those stand that do not answer.
    #[must_use]
    pub fn breakers(&self) -> Vec<(String, Option<Held>)> {
        let now = Instant::now();
        let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.iter().map(|(host, breaker)| (host.clone(), breaker.view(now))).collect()
    }

    /// Tells of hosts that do not answer any more, or again. There is one to be told.
    #[must_use]
    pub fn breaker_changes(&self) -> Option<mpsc::UnboundedReceiver<BreakerChange>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Probes hosts that do not answer, for as long as it is polled; rings `wake` when one may be called again.
    pub async fn probe(&self, wake: &Arc<Notify>) {
        loop {
            let pause = self.begin_probes(wake);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.line.opened.notified() => {}
            }
        }
    }

    /// Begins the probes that are due; how long until the next may be.
    fn begin_probes(&self, wake: &Arc<Notify>) -> Duration {
        let now = Instant::now();
        let mut pause = Duration::from_secs(3600);
        let mut unused = Vec::new();
        let breakers: Vec<_> = {
            let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
            breakers.iter().map(|(host, breaker)| (host.clone(), breaker.clone())).collect()
        };
        for (host, breaker) in breakers {
            match breaker.begin_probe(now) {
                Ok(()) => {
                    pause = pause.min(Duration::from_secs(1));
                    let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
                    let Some(client) = clients.values().find(|c| c.credentials.base.host() == host).cloned()
                    else {
                        unused.push(host);
                        continue;
                    };
                    let wake = wake.clone();
                    tokio::spawn(async move {
                        client.probe().await;
                        breaker.end_probe();
                        wake.notify_one();
                    });
                }
                Err(Some(wait)) => pause = pause.min(wait),
                Err(None) => {}
            }
        }
        // Nobody calls them any more.
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.retain(|host, _| !unused.contains(host));
        pause
    }

    /// Counters of the calls sent since the last time; they start from zero again.
    #[must_use]
    pub fn take_counts(&self) -> Vec<CallCount> {
        self.shared.counts.take()
    }

    /// Takes counters back that could not be stored.
    pub fn put_back(&self, counts: Vec<CallCount>) {
        self.shared.counts.put_back(counts);
    }

    /// Whether the budget of a connection was loaded, or made with the connection.
    #[must_use]
    pub fn has_budget(&self, connection: ConnectionId) -> bool {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&connection)
    }

    /// Loads the budget of a connection, with what was spent of it today and this month; once.
    pub fn load_budget(&self, connection: ConnectionId, limits: CallBudget, in_day: u64, in_month: u64) {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.entry(connection).or_insert_with(|| Arc::new(Budget::new(limits, in_day, in_month)));
    }

    /// Gives a connection another budget.
    pub fn set_budget(&self, connection: ConnectionId, limits: CallBudget) {
        self.budget(connection).set(limits);
    }

    /// How long until calls may be sent again, when the budget of a connection is used up.
    #[must_use]
    pub fn budget_used_up(&self, connection: ConnectionId) -> Option<Duration> {
        self.budget(connection).used_up(Time::now())
    }

    /// Connections whose budget is used up.
    #[must_use]
    pub fn no_calls_left(&self) -> Vec<ConnectionId> {
        let now = Time::now();
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.iter().filter(|(_, budget)| budget.used_up(now).is_some()).map(|(id, _)| *id).collect()
    }

    /// Counts a webhook that Caspio delivered: a call by its meter, though not one of ours.
    pub fn count_delivery(&self, tenant: &TenantId, connection: ConnectionId, workflow: WorkflowId) {
        self.shared.counts.delivery(tenant, connection, workflow);
    }

    fn budget(&self, connection: ConnectionId) -> Arc<Budget> {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Budget::new(CallBudget::default(), 0, 0));
        budgets.entry(connection).or_insert_with(new).clone()
    }

    fn breaker(&self, host: &str) -> Arc<Breaker> {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Breaker::new(host, &self.shared.settings, self.line.clone()));
        breakers.entry(host.to_owned()).or_insert_with(new).clone()
    }

    fn bucket(&self, host: &str) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Bucket::new(&self.shared.settings));
        buckets.entry(host.to_owned()).or_insert_with(new).clone()
    }
}

impl Caspio {
    /// The connection.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.credentials.connection
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        if self.credentials.base.is_here() { &self.shared.here } else { &self.shared.http }
    }

    /// The connection's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.credentials.name
    }

    /// Remembers how Caspio took the credentials.
    pub(super) fn note_credentials(&self, refused: bool) {
        let mut until = self.refused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = refused.then(|| Instant::now() + on_the_wall(REFUSED_PAUSE));
    }

    /// Now, by Caspio's clock as far as its answers tell.
    #[must_use]
    pub fn now(&self) -> Time {
        Time(Time::now().0.saturating_add(self.clock_ahead.load(Ordering::Relaxed)))
    }

    fn without_budget(&self, now: Instant) -> Option<Duration> {
        let refused = *self.refused_until.lock().unwrap_or_else(PoisonError::into_inner);
        let refused =
            refused.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero());
        let held = self.breaker.held(now).max(self.bucket.without_budget(now));
        refused.max(held).max(self.budget.used_up(Time::now()))
    }
}

impl fmt::Debug for CaspioClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaspioClients").finish_non_exhaustive()
    }
}

impl fmt::Debug for Caspio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caspio").field("connection", &self.credentials.connection).finish_non_exhaustive()
    }
}
