//! The commands, one file each. No logic: `serve` starts the server, the others talk to one.
//!
//! Errors go to standard error as two lines, what happened and what to do. Exit codes: 0 done, 1 refused or
//! failed, 2 wrong usage, 3 the host can't be reached; of `run replay` also 4, a run differs, and 5, not carried to its end; of `serve` also 70, nothing can be written any more, and 130, a
//! second signal.

mod alert;
mod api;
mod backup;
mod connection;
mod coverage;
mod deploy;
mod emulator;
mod error;
mod event;
mod init;
mod letters;
mod orphans;
mod output;
mod replay;
mod retention;
mod run;
mod serve;
mod state;
mod status;
mod token;
mod trigger;
mod usage;
mod versions;
mod workflow;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use error::CliError;

/// Default data folder.
const DATA: &str = "caspian-data";

/// Self-hosted workflow host for Caspio: webhooks in, sandboxed WebAssembly, durable actions out.
#[derive(Debug, Parser)]
#[command(
    name = "caspian",
    version,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 host not reachable; of run replay also 4 a run differs, 5 not carried to its end; \
                  of serve also 70 nothing can be \
                  written any more, 130 ended by a second signal."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a data folder: database, master key, administrator's token (printed once)
    Init {
        /// Data folder
        #[arg(long, env = "CASPIAN_DATA", default_value = DATA, value_name = "DIR")]
        data: PathBuf,
    },
    /// Run the host
    Serve(serve::ServeArgs),
    /// Run a Caspio account on this machine, in memory, to try things out
    Emulator(emulator::EmulatorArgs),
    /// Connections to Caspio accounts
    Connection {
        #[command(flatten)]
        host: HostArgs,
        #[command(subcommand)]
        command: connection::ConnectionCommand,
    },
    /// Deploy a workflow: a new version becomes the active one
    Deploy {
        #[command(flatten)]
        host: HostArgs,
        #[command(flatten)]
        deploy: deploy::DeployArgs,
    },
    /// Workflows
    Workflow {
        #[command(flatten)]
        host: HostArgs,
        #[command(subcommand)]
        command: workflow::WorkflowCommand,
    },
    /// Triggers and their webhooks in Caspio
    Trigger {
        #[command(flatten)]
        host: HostArgs,
        #[command(subcommand)]
        command: trigger::TriggerCommand,
    },
    /// Webhooks in Caspio that send to this host and belong to no workflow
    Orphans {
        #[command(flatten)]
        host: HostArgs,
        #[command(subcommand)]
        command: orphans::OrphansCommand,
    },
    /// Runs
    Run {
        #[command(flatten)]
        host: HostArgs,
        #[command(subcommand)]
        command: run::RunCommand,
    },
    /// Events
    Event {
        #[command(flatten)]
        host: HostArgs,
        #[command(subcommand)]
        command: event::EventCommand,
    },
    /// What sweeps found that no webhook told of, and how far backfills are
    Coverage {
        #[command(flatten)]
        host: HostArgs,
        #[command(flatten)]
        coverage: coverage::CoverageArgs,
    },
    /// How long contents are kept, and legal holds
    Retention {
        #[command(flatten)]
        host: HostArgs,
        #[command(subcommand)]
        command: retention::RetentionCommand,
    },
    /// Tokens of the control API
    Token {
        #[command(flatten)]
        host: HostArgs,
        #[command(subcommand)]
        command: token::TokenCommand,
    },
    /// Alerts to the operator
    Alert {
        #[command(flatten)]
        host: HostArgs,
        #[command(subcommand)]
        command: alert::AlertCommand,
    },
    /// Health, queue, and what needs a person
    Status {
        #[command(flatten)]
        host: HostArgs,
        #[command(flatten)]
        format: Format,
    },
    /// Integration calls that were spent
    Usage {
        #[command(flatten)]
        host: HostArgs,
        #[command(flatten)]
        usage: usage::UsageArgs,
    },
    /// Show what runs do, as it happens
    Tail {
        #[command(flatten)]
        host: HostArgs,
        /// Only of this workflow
        workflow: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Write a backup of a running host: everything but the master key
    Backup {
        #[command(flatten)]
        host: HostArgs,
        /// File to make
        file: PathBuf,
    },
    /// Make a data folder from a backup
    Restore(backup::RestoreArgs),
    /// Print a script that completes commands in a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a configuration file
    Check {
        /// The file
        file: PathBuf,
    },
}

/// Which host is meant, and who asks.
#[derive(Debug, Clone, Args)]
struct HostArgs {
    /// URL of the host
    #[arg(
        long,
        global = true,
        env = "CASPIAN_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    host: String,
    /// Token of the control API, from DATA/admin.token
    #[arg(long, global = true, env = "CASPIAN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Talk to another machine without TLS
    #[arg(long, global = true)]
    allow_http: bool,
    /// Tenant
    #[arg(long, global = true, default_value = crate::model::TenantId::DEFAULT, value_name = "NAME")]
    tenant: String,
}

/// How a reading command answers.
#[derive(Debug, Clone, Copy, Args)]
struct Format {
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command that the process was called with.
#[must_use]
pub fn main() -> ExitCode {
    let _faults = crate::faults::setup();
    // What is written here is for this user alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    // The host calls itself: compiles on this thread only, no runtime.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == crate::runtime::COMPILE_COMMAND) {
        let request = arguments.next().unwrap_or_default();
        return compile(&request.to_string_lossy()).map_or_else(|e| e.report(), |()| ExitCode::SUCCESS);
    }
    let cli = Cli::parse();
    let result = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(execute(cli.command));
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
            result
        }
        Err(e) => Err(CliError::failed(format!("no threads can be started ({e}); raise the process limit"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

async fn execute(command: Command) -> Result<(), CliError> {
    survive_file_limit().map_err(|e| {
        CliError::failed(format!("signals can't be handled ({e}); start it in another environment"))
    })?;
    match command {
        Command::Init { data } => init::init(&data).await,
        Command::Serve(args) => serve::serve(args).await,
        Command::Emulator(args) => emulator::emulator(args).await,
        Command::Connection { host, command } => connection::run(&api::Api::new(&host)?, command).await,
        Command::Deploy { host, deploy } => deploy::deploy(&api::Api::new(&host)?, deploy).await,
        Command::Workflow { host, command } => workflow::run(&api::Api::new(&host)?, command).await,
        Command::Trigger { host, command } => trigger::run(&api::Api::new(&host)?, command).await,
        Command::Orphans { host, command } => orphans::run(&api::Api::new(&host)?, command).await,
        Command::Run { host, command } => run::run(&api::Api::new(&host)?, command).await,
        Command::Event { host, command } => event::run(&api::Api::new(&host)?, command).await,
        Command::Coverage { host, coverage } => coverage::coverage(&api::Api::new(&host)?, coverage).await,
        Command::Retention { host, command } => retention::run(&api::Api::new(&host)?, command).await,
        Command::Token { host, command } => token::run(&api::Api::new(&host)?, command).await,
        Command::Alert { host, command } => alert::run(&api::Api::new(&host)?, command).await,
        Command::Status { host, format } => status::status(&api::Api::new(&host)?, format).await,
        Command::Usage { host, usage } => usage::usage(&api::Api::new(&host)?, usage).await,
        Command::Tail { host, workflow, format } => {
            status::tail(&api::Api::new(&host)?, workflow, format).await
        }
        Command::Config { command: ConfigCommand::Check { file } } => check_config(&file),
        Command::Backup { host, file } => backup::backup(&api::Api::new(&host)?, &file).await,
        Command::Restore(args) => backup::restore(args).await,
        Command::Completions { shell } => {
            // Into memory first: the generator panics when its output is closed.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "caspian", &mut script);
            output::line(String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
    }
}

/// A write beyond the largest file size (`ulimit -f`) must fail as on a full disk, not end the process. Once the
/// signal is listened to, it does nothing, for as long as the process lives.
fn survive_file_limit() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

fn check_config(file: &std::path::Path) -> Result<(), CliError> {
    let config = crate::config::Config::read(file).map_err(CliError::failed)?;
    config.server.checked_public_url().map_err(CliError::failed)?;
    output::line(&format!("{} is valid", file.display()));
    Ok(())
}

fn compile(request: &str) -> Result<(), CliError> {
    let answer = crate::runtime::compile_in_this_process(request)
        .map_err(|_| CliError::failed("this command is for the host itself; use: caspian deploy"))?;
    output::line(&answer);
    Ok(())
}
