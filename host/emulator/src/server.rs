//! Starting and ending an emulator.
//!
//! [`Emulator::start`] binds the address before it returns, so a client may call at once. A
//! [`RunningEmulator`] serves until [`RunningEmulator::shutdown`] or until it is dropped; open
//! connections get two seconds to finish and are cut then. The end of the process loses everything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::account::Shared;
use crate::connection::{CuttableListener, Peer};
use crate::front;
use crate::seed::Seed;
use crate::settings::Settings;

/// How long open connections may take to finish at the end.
const GRACE: Duration = Duration::from_secs(2);

/// How to start.
#[derive(Debug, Clone)]
pub struct EmulatorOptions {
    /// Where to listen; port 0 picks a free one. Default: a free port of the loopback address.
    pub listen: SocketAddr,
    /// What the account holds; `None`: the embedded clinic.
    pub seed: Option<Seed>,
    /// All knobs; `None`: the defaults and what the seed changes.
    pub settings: Option<Settings>,
}

impl Default for EmulatorOptions {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), seed: None, settings: None }
    }
}

/// The emulator.
#[derive(Debug, Clone, Copy)]
pub struct Emulator;

impl Emulator {
    /// Binds, serves in the background, and returns.
    pub async fn start(options: EmulatorOptions) -> anyhow::Result<RunningEmulator> {
        let seed = match options.seed {
            Some(seed) => seed,
            None => Seed::clinic()?,
        };
        let settings = match options.settings {
            Some(settings) => settings,
            None => seed.settings()?,
        };
        let account = seed.build(settings)?;
        // Never follows a redirect and never goes through a proxy of the machine.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("Caspio-Webhooks")
            .build()
            .context("the client for outgoing calls cannot be made")?;
        let listener = TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("cannot listen on {}. Choose a free address.", options.listen))?;
        let address = listener.local_addr().context("the address cannot be read")?;
        let mut account = account;
        account.base_url = base_url(address);
        let shared = Shared::new(account, http);
        let app = Router::new().fallback(front::handle).with_state(Arc::clone(&shared));
        let mut ending = shared.ending.subscribe();
        let signal = async move {
            // An error means that the sender is gone, which is an end too.
            let _ended = ending.wait_for(|ended| *ended).await;
        };
        let service = app.into_make_service_with_connect_info::<Peer>();
        let task = tokio::spawn(async move {
            axum::serve(CuttableListener(listener), service).with_graceful_shutdown(signal).await
        });
        tracing::info!(%address, "the emulator listens");
        Ok(RunningEmulator { address, base_url: base_url(address), shared, task })
    }

    /// Starts and serves until the process is told to end (Ctrl-C, SIGTERM).
    pub async fn run(options: EmulatorOptions) -> anyhow::Result<()> {
        let mut running = Self::start(options).await?;
        tokio::select! {
            result = running.wait() => result,
            signal = end_signal() => {
                running.shutdown().await;
                signal.context("the end signal cannot be awaited")
            }
        }
    }
}

#[cfg(unix)]
async fn end_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn end_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

fn base_url(address: SocketAddr) -> String {
    let mut shown = address;
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
        };
        shown.set_ip(loopback);
    }
    format!("http://{shown}")
}

/// An emulator that serves.
#[derive(Debug)]
pub struct RunningEmulator {
    address: SocketAddr,
    base_url: String,
    shared: Arc<Shared>,
    task: JoinHandle<std::io::Result<()>>,
}

impl RunningEmulator {
    /// `http://host:port`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the server ends by itself, which it does only on an error of the socket.
    pub async fn wait(&mut self) -> anyhow::Result<()> {
        (&mut self.task).await.context("the server task failed")?.context("the server failed")
    }

    /// Ends serving and calling; returns when the address is free again.
    pub async fn shutdown(mut self) {
        self.shared.close();
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for RunningEmulator {
    fn drop(&mut self) {
        self.shared.close();
        self.task.abort();
    }
}
