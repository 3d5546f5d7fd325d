//! `caspian backup` and `caspian restore`

use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::api::Api;
use super::error::CliError;
use super::output::line;
use crate::config::DataDir;
use crate::control;

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    /// Data folder to make
    #[arg(long, env = "CASPIAN_DATA", default_value = super::DATA, value_name = "DIR")]
    data: PathBuf,
    /// Let unfinished runs go on: only when the original host did nothing after the backup. Without it they are
    /// parked, since the original may have done what they would do again
    #[arg(long)]
    resume: bool,
}

/// The file gets its name when it is whole.
pub(super) async fn backup(api: &Api, file: &Path) -> Result<(), CliError> {
    let taken = || CliError::failed(format!("{} exists already; choose another name", file.display()));
    if file.exists() {
        return Err(taken());
    }
    let failed = |e: std::io::Error| {
        CliError::failed(format!("{} can't be written ({e}); check path and free space", file.display()))
    };
    let broken = || CliError::unreachable("the host broke off the backup; try again");
    let response = api.stream("backup", &[]).await?;
    let length = response.content_length();
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Mode 0600, and gone when this ends early.
    let part =
        tempfile::Builder::new().prefix(".backup").suffix(".part").tempfile_in(folder).map_err(failed)?;
    let mut out = tokio::fs::File::from_std(part.as_file().try_clone().map_err(failed)?);
    let mut written = 0_u64;
    let mut bytes = response.bytes_stream();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|_| broken())?;
        written = written.saturating_add(chunk.len() as u64);
        out.write_all(&chunk).await.map_err(failed)?;
    }
    if length.is_some_and(|length| length != written) {
        return Err(broken());
    }
    out.flush().await.map_err(failed)?;
    out.sync_all().await.map_err(failed)?;
    part.persist_noclobber(file).map_err(|e| match e.error.kind() {
        std::io::ErrorKind::AlreadyExists => taken(),
        _ => failed(e.error),
    })?;
    line(&format!("backup written to {} ({written} bytes)", file.display()));
    line("the master key is not in it: keep a copy of master.key in another place");
    Ok(())
}

pub(super) async fn restore(args: RestoreArgs) -> Result<(), CliError> {
    let data = DataDir::new(&args.data);
    let restored = control::restore(&args.file, &data, args.resume).await.map_err(CliError::failed)?;
    let control::Restored { parked, missing } = restored;
    line(&format!("restored into {}", args.data.display()));
    if parked > 0 {
        let runs = if parked == 1 { "run is" } else { "runs are" };
        line(&format!(
            "{parked} unfinished {runs} parked (restored): the original host may have gone on with them; where it did \
             not, let them go on: caspian run resume --cause restored"
        ));
    }
    for (workflow, version) in missing {
        line(&format!(
            "the component of '{workflow}' version {version} is not in the backup: deploy the workflow again"
        ));
    }
    if data.master_key().exists() {
        line(&format!("next: caspian serve --data {}", args.data.display()));
    } else {
        line(&format!(
            "next: put the master key of the original host at {} (mode 0600), or into CASPIAN_MASTER_KEY; without \
             it the data can't be read",
            data.master_key().display()
        ));
    }
    Ok(())
}
