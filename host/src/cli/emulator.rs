//! `caspian emulator`

use std::net::SocketAddr;
use std::path::PathBuf;

use caspio_emulator::{Emulator, EmulatorOptions, Seed};
use clap::Args;

use super::error::CliError;
use super::output::line;
use crate::telemetry::{self, LogFormat, TelemetrySettings};

#[derive(Debug, Args)]
pub(super) struct EmulatorArgs {
    /// Address to listen on; its administration needs no token, so keep it on this machine
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDR")]
    listen: SocketAddr,
    /// What the account holds: `clinic`, or a JSON file of your own
    #[arg(long, default_value = "clinic", value_name = "clinic|FILE")]
    seed: PathBuf,
}

pub(super) async fn emulator(args: EmulatorArgs) -> Result<(), CliError> {
    telemetry::start("info", LogFormat::Text, &TelemetrySettings::default()).map_err(CliError::failed)?;
    let embedded = args.seed.as_os_str() == "clinic";
    let seed = if embedded { Seed::clinic() } else { Seed::from_file(&args.seed) };
    let seed = seed.map_err(CliError::failed)?;
    let options = EmulatorOptions { listen: args.listen, seed: Some(seed), settings: None };
    let mut running = Emulator::start(options).await.map_err(|e| CliError::failed(format!("{e:#}")))?;
    line(&format!("caspio emulator is listening on {}", running.base_url()));
    if embedded {
        line("embedded clinic: client ID demo-client, client secret demo-secret");
    }
    tokio::select! {
        ended = running.wait() => ended.map_err(|e| CliError::failed(format!("{e:#}")))?,
        _ = tokio::signal::ctrl_c() => running.shutdown().await,
    }
    Ok(())
}
