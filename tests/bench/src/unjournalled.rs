//! `caspian-bench unjournalled DATA LISTEN COMPONENT CASPIAN`: the host without its journal, out of the host's own parts.
//!
//! The same inbox: a message is verified, sealed and committed with its events and runs before it is answered. Then the
//! same component runs in the same sandbox with the same limits and as many at a time, and its creates go through the
//! same client of Caspio. But nothing of a run is written: no claim, no intent, no result, no end, so that all that
//! was under way when it dies would be lost or done twice. It also spares itself what depends on the journal: grants,
//! registered writes, opening what was sealed. `DATA` is a copy of a host's data folder.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail};
use axum::body::{Body, to_bytes};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use caspian::accounts::{Connector, Keyring};
use caspian::caspio::{CallContext, Caspio, CaspioClients, ClientSettings};
use caspian::config::DataDir;
use caspian::ingress::{Accepted, Hook, Hooks, MAX_BODY, RawMessage, Verified, persist, verify};
use caspian::lineage::LineageSettings;
use caspian::manifest::Manifest;
use caspian::model::{Action, ActionError, Answer, Event, EventId, RunId, TableSchema, UrlId};
use caspian::runtime::{
    AttemptInput, AttemptOutcome, ComponentDigest, Prepared, Runtime, RuntimeSettings, Steps, WallBudget,
};
use caspian::scheduler::SchedulerSettings;
use caspian::secrets::random_bytes;
use caspian::server::master_key;
use caspian::store::Store;
use caspian::store::sqlite::SqliteStore;
use tokio::sync::{OnceCell, Semaphore, watch};

use crate::baseline::READY;

#[derive(Clone)]
struct Server(Arc<Parts>);

struct Parts {
    store: Arc<dyn Store>,
    hooks: Hooks,
    connector: Connector,
    runtime: Runtime,
    prepared: Arc<Prepared>,
    /// As many runs at a time as the host's scheduler allows.
    room: Arc<Semaphore>,
    manifest: OnceCell<Manifest>,
    tasks: OnceCell<TableSchema>,
    stop: watch::Sender<bool>,
    finished: AtomicU64,
}

/// Serves until it is killed.
pub fn serve(arguments: &[String]) -> anyhow::Result<()> {
    let [data, listen, component, caspian] = arguments else {
        bail!("unjournalled needs DATA, LISTEN, COMPONENT and CASPIAN")
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let data = DataDir::new(Path::new(data));
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&data.database())?);
        let keys = Keyring::new(store.clone(), master_key(&data)?);
        // As the host is configured here: Caspio's limits are not what is measured.
        let quick = ClientSettings { calls_per_second: 1e6, burst: 1_000_000, ..ClientSettings::default() };
        let clients = Arc::new(CaspioClients::new(quick)?);
        let runtime = Runtime::new(RuntimeSettings::default(), data.compiled(), caspian.into())?;
        let digest = ComponentDigest::of(&std::fs::read(component)?);
        let prepared = runtime.prepare(&digest, Path::new(component)).await?;
        let server = Server(Arc::new(Parts {
            hooks: Hooks::new(store.clone(), keys.clone(), LineageSettings::default()),
            connector: Connector::new(store.clone(), keys, clients),
            store,
            runtime,
            prepared,
            room: Arc::new(Semaphore::new(SchedulerSettings::default().concurrency)),
            manifest: OnceCell::new(),
            tasks: OnceCell::new(),
            stop: watch::Sender::new(false),
            finished: AtomicU64::new(0),
        }));
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        writeln!(std::io::stdout().lock(), "{READY} {address}")?;
        let router = Router::new()
            .route("/hooks/{id}", post(receive))
            .route("/finished", get(finished))
            .with_state(server);
        axum::serve(listener, router.into_make_service()).await?;
        anyhow::Ok(())
    })
}

async fn finished(State(Server(parts)): State<Server>) -> Json<u64> {
    Json(parts.finished.load(Ordering::Relaxed))
}

async fn receive(
    State(Server(parts)): State<Server>,
    UrlPath(id): UrlPath<String>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let Ok(id) = id.parse::<UrlId>() else { return StatusCode::NOT_FOUND };
    let Ok(Some(hook)) = parts.hooks.find(&id).await else { return StatusCode::NOT_FOUND };
    let Ok(body) = to_bytes(body, MAX_BODY).await else { return StatusCode::BAD_REQUEST };
    let headers = headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec())).collect();
    let raw = RawMessage { hook: hook.clone(), headers, body: body.to_vec() };
    let Ok(Verified::Authentic(message)) = verify(raw) else { return StatusCode::UNAUTHORIZED };
    let events = message.events();
    match persist(&*parts.store, &parts.hooks, *message).await {
        Ok(Accepted::Stored(_)) => {}
        Ok(_) => return StatusCode::OK,
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE,
    }
    for event in events {
        let (parts, hook) = (parts.clone(), hook.clone());
        tokio::spawn(async move {
            let _permit = parts.room.clone().acquire_owned().await;
            match parts.run(&hook, event).await {
                Ok(()) => drop(parts.finished.fetch_add(1, Ordering::Relaxed)),
                // Whoever waits for the runs gives up, and finds this.
                Err(error) => crate::report::complain(&format!("a run failed: {error:#}")),
            }
        });
    }
    StatusCode::OK
}

impl Parts {
    async fn run(&self, hook: &Hook, event: Event) -> anyhow::Result<()> {
        let manifest = self
            .manifest
            .get_or_try_init(|| async {
                let version = self.store.active_version(hook.workflow()).await?.context("no version")?;
                anyhow::Ok(Manifest::parse(&version.manifest)?)
            })
            .await?;
        let limits = manifest.limits.to_limits();
        let caspio = self.connector.connect(hook.connection()).await?;
        let context = CallContext::of_run(hook.workflow(), RunId::new());
        let input = AttemptInput {
            event_id: EventId::new(),
            event: Arc::new(event),
            attempt: 1,
            limits,
            settings: Arc::new(manifest.settings.clone()),
            seed: random_bytes()?,
            run_start: SystemTime::now(),
            wall: WallBudget::new(limits.wall),
            stop: self.stop.subscribe(),
        };
        let steps = Sent { tasks: &self.tasks, caspio, context, began: Instant::now() };
        let (report, _) = self.runtime.attempt(&self.prepared, input, steps).await;
        match report.outcome {
            AttemptOutcome::Succeeded(_) => Ok(()),
            other => bail!("the attempt ended otherwise: {other:?}"),
        }
    }
}

/// Sends each create, and keeps nothing of it.
struct Sent<'a> {
    tasks: &'a OnceCell<TableSchema>,
    caspio: Arc<Caspio>,
    context: CallContext,
    began: Instant,
}

impl Steps for Sent<'_> {
    type End = anyhow::Error;

    async fn step(&mut self, action: Action) -> anyhow::Result<Result<Answer, ActionError>> {
        let Action::CreateRecord { table, row } = action else { bail!("the component only creates") };
        let schema = self.tasks.get_or_try_init(|| self.caspio.fields(&self.context, &table)).await?;
        Ok(Ok(Answer::Created(self.caspio.create(&self.context, schema, &row).await?)))
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
