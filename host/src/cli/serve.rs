//! `caspian serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::sync::watch;

use crate::config::{Config, DataDir};
use crate::server;
use crate::telemetry::{self, LogFormat};

use super::error::CliError;
use super::output::line;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Configuration file; flags, and variables CASPIAN__SECTION__KEY, go before it
    #[arg(long, env = "CASPIAN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder, made by `caspian init`
    #[arg(long, env = "CASPIAN_DATA", default_value = super::DATA, value_name = "DIR")]
    data: PathBuf,
    /// Address to listen on
    #[arg(long, env = "CASPIAN_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where Caspio reaches this host: https://host[:port]
    #[arg(long, env = "CASPIAN_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// What is logged, e.g. info, debug, caspian=trace [default: as configured, else info]
    #[arg(long, env = "CASPIAN_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How it is logged [default: as configured, else text]
    #[arg(long, env = "CASPIAN_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

pub(super) async fn serve(args: ServeArgs) -> Result<(), CliError> {
    let config = Config::load(args.config.as_deref(), std::env::vars_os());
    let mut config = config.map_err(CliError::failed)?;
    if let Some(listen) = args.listen {
        config.server.listen = listen;
    }
    if args.public_url.is_some() {
        config.server.public_url = args.public_url;
    }
    let filter = args.log.unwrap_or_else(|| config.log.level.clone());
    let (format, settings) = (args.log_format.unwrap_or(config.log.format), config.telemetry.clone());
    let traces = on_own_thread(move || telemetry::start(&filter, format, &settings)).await?;
    let traces = traces.map_err(CliError::usage)?;
    let compiler = std::env::current_exe().map_err(|e| {
        CliError::failed(format!("the path of this program is not known ({e}); start it by its full path"))
    })?;
    let (stop, stopped) = watch::channel(false);
    let mut signals = signals().map_err(|e| {
        CliError::failed(format!("signals can't be handled ({e}); start it in another environment"))
    })?;
    tokio::spawn(async move {
        signals.recv().await;
        tracing::info!("stopping: no new runs are begun; those under way are given time to end");
        let _ = stop.send(true);
        // A second signal ends at once, as a crash would: nothing is lost by it.
        signals.recv().await;
        std::process::exit(130);
    });
    let started = |address| line(&format!("caspian is listening on http://{address}"));
    let served = server::serve(config, DataDir::new(&args.data), compiler, stopped, started).await;
    if let Some(traces) = traces {
        on_own_thread(move || traces.end()).await?;
    }
    Ok(served?)
}

/// What sends traces blocks, and may not be started or ended on a thread of the async runtime.
async fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CliError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| CliError::failed("telemetry can't be started; look at what was written above"))
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

fn signals() -> std::io::Result<Signals> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
}

impl Signals {
    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
