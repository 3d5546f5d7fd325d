//! The parts of a host, put together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::accounts::{Connector, KeyError, Keyring};
use crate::alerts::{AlertError, Alerts};
use crate::caspio::CaspioClients;
use crate::config::{Config, ConfigError, DataDir, DataDirError, Lock};
use crate::control::Control;
use crate::coverage::Coverage;
use crate::execution::{Executor, ExecutorParts, Feed, Replayer, Schemas};
use crate::ingress::Hooks;
use crate::lineage::LineageSettings;
use crate::model::TenantId;
use crate::runtime::{ComponentDigest, ComponentError, Runtime};
use crate::scheduler::{Scheduler, Schedules};
use crate::secrets::{MasterKey, MasterKeyError, SealError, random_bytes};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;
use crate::triggers::Triggers;

/// Environment variable that holds the master key instead of the file.
const MASTER_KEY_VARIABLE: &str = "CASPIAN_MASTER_KEY";

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    Data(#[from] DataDirError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tenant's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The engine.
    #[error(transparent)]
    Runtime(#[from] ComponentError),
    /// Who is told of alerts.
    #[error(transparent)]
    Alerts(#[from] AlertError),
    /// The HTTP client.
    #[error("the HTTP client can't be made ({0}); check the system's certificates")]
    Client(String),
    /// The address.
    #[error("can't listen on {0} ({1}); choose another address with --listen, or stop what uses it")]
    Listen(SocketAddr, std::io::Error),
}

impl From<SealError> for StartError {
    fn from(error: SealError) -> Self {
        Self::MasterKey(error.into())
    }
}

/// A host.
pub struct Host {
    pub(super) store: Arc<dyn Store>,
    pub(super) hooks: Hooks,
    pub(super) control: Control,
    pub(super) scheduler: Scheduler,
    pub(super) triggers: Arc<Triggers>,
    pub(super) coverage: Coverage,
    pub(super) schedules: Arc<Schedules>,
    pub(super) connector: Connector,
    pub(super) alerts: Arc<Alerts>,
    pub(super) runtime: Runtime,
    pub(super) data: DataDir,
    pub(super) public_url: Option<String>,
    /// None when another host of this process counts.
    pub(super) metrics: Option<Metrics>,
    /// What runs do.
    pub(super) feed: Feed,
    /// Rung when runs were queued.
    pub(super) wake: Arc<Notify>,
    pub(super) lineage: LineageSettings,
    /// `scheduler.remember_done_days`
    pub(super) remember_done_days: u32,
    ready: AtomicBool,
}

/// The master key of a data folder: of the environment, else of the file.
///
/// # Errors
/// When there is none or it is malformed.
pub fn master_key(data: &DataDir) -> Result<MasterKey, MasterKeyError> {
    match std::env::var(MASTER_KEY_VARIABLE) {
        Ok(text) if !text.trim().is_empty() => MasterKey::parse(&text, MASTER_KEY_VARIABLE),
        _ => MasterKey::from_file(&data.master_key()),
    }
}

impl Host {
    /// Opens everything. The data folder is locked by the caller.
    pub(super) async fn open(config: &Config, data: DataDir, compiler: PathBuf) -> Result<Self, StartError> {
        let public_url = config.server.checked_public_url()?;
        let master = master_key(&data)?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&data.database())?);
        let keys = Keyring::new(store.clone(), master);
        // A wrong master key is noticed now, not at the first message.
        if let Ok(tenant) = TenantId::DEFAULT.parse::<TenantId>() {
            keys.tenant_or_new(&tenant).await?;
        }
        let clients =
            CaspioClients::new(config.caspio.clone()).map_err(|e| StartError::Client(e.to_string()))?;
        let connector = Connector::new(store.clone(), keys.clone(), Arc::new(clients));
        let runtime = Runtime::new(config.runtime.clone(), data.compiled(), compiler)?;
        let hooks = Hooks::new(store.clone(), keys.clone(), config.lineage);
        let forget = hooks.clone();
        let triggers = Arc::new(Triggers::new(
            store.clone(),
            keys.clone(),
            connector.clone(),
            public_url.clone(),
            config.triggers.clone(),
            Arc::new(move |webhook| forget.forget(webhook)),
        ));
        let owner = format!("{}-{}", std::process::id(), hex::encode(random_bytes::<8>()?));
        let feed = Feed::default();
        let wake = Arc::new(Notify::new());
        let executor = Executor::new(ExecutorParts {
            store: store.clone(),
            keys: keys.clone(),
            runtime: runtime.clone(),
            connector: connector.clone(),
            schemas: Arc::new(Schemas::default()),
            components: data.components(),
            retry: config.retry,
            state: config.state,
            feed: feed.clone(),
            owner,
            wake: wake.clone(),
        });
        let scheduler = Scheduler::new(executor, config.scheduler.clone(), wake.clone());
        let coverage = Coverage::new(
            store.clone(),
            keys.clone(),
            connector.clone(),
            config.coverage.clone(),
            config.lineage,
            wake.clone(),
        );
        let schedules = Arc::new(Schedules::new(store.clone(), keys.clone(), wake.clone()));
        let changes = connector.clients().breaker_changes();
        let alerts =
            Alerts::open(&config.alerts, store.clone(), public_url.clone(), feed.clone(), changes).await?;
        let alerts = Arc::new(alerts);
        let control = Control {
            store: store.clone(),
            keys: keys.clone(),
            connector: connector.clone(),
            triggers: triggers.clone(),
            coverage: coverage.clone(),
            schedules: schedules.clone(),
            alerts: alerts.clone(),
            runtime: runtime.clone(),
            replayer: Replayer::new(keys.clone(), runtime.clone(), config.runtime.replays),
            data: data.clone(),
            public_url: public_url.clone(),
            wake: wake.clone(),
            retention: config.retention,
            state: config.state,
        };
        Ok(Self {
            store,
            hooks,
            control,
            scheduler,
            triggers,
            coverage,
            schedules,
            connector,
            alerts,
            runtime,
            data,
            public_url,
            metrics: Metrics::start().ok(),
            feed,
            wake,
            lineage: config.lineage,
            remember_done_days: config.scheduler.remember_done_days,
            ready: AtomicBool::new(false),
        })
    }

    /// Removes files that are of no use any more. Before anything new is put into the data folder.
    pub(super) async fn tidy(&self, lock: &Lock) -> Result<(), StartError> {
        let used = self.store.components().await?;
        let used = used.into_iter().map(|digest| format!("{}.wasm", ComponentDigest(digest))).collect();
        if let Err(error) = self.data.tidy(lock, &used) {
            // They only take room.
            tracing::warn!(error = %error.kind(), "files of no use can't be removed from the data folder");
        }
        Ok(())
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub(super) fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }
}
