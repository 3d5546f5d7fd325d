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
    /// A knob of the account, for example BatchMode=MessagePerOperation; can be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", long_help = SET_HELP)]
    settings: Vec<String>,
}

/// What `--set` takes, in `--help`.
const SET_HELP: &str = "A knob of the account: what Caspio does not document, and how the line behaves. The value is JSON \
or plain text, a member of a knob has its name after a point: \
--set Signature.Header=X-Signature --set RateLimit=null --set Network.DropAfter=0.1. \
Can be given several times, and changed later with PATCH /emulator/settings; GET /emulator/settings shows all of them";

pub(super) async fn emulator(args: EmulatorArgs) -> Result<(), CliError> {
    telemetry::start("info", LogFormat::Text, &TelemetrySettings::default()).map_err(CliError::failed)?;
    let embedded = args.seed.as_os_str() == "clinic";
    let seed = if embedded { Seed::clinic() } else { Seed::from_file(&args.seed) };
    let seed = seed.map_err(CliError::failed)?;
    let mut settings = seed.settings().map_err(CliError::failed)?;
    for assignment in &args.settings {
        settings = settings.set(assignment).map_err(CliError::usage)?;
    }
    let options = EmulatorOptions { listen: args.listen, seed: Some(seed), settings: Some(settings) };
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
