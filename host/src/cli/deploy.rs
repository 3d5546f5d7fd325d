//! `caspian deploy`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::api::Api;
use super::error::CliError;
use super::output;
use crate::manifest::Manifest;
use crate::runtime::ComponentDigest;

#[derive(Debug, Args)]
pub(super) struct DeployArgs {
    /// The manifest; the component's path in it is relative to it
    #[arg(value_name = "PATH/workflow.toml")]
    manifest: PathBuf,
    /// Connection, instead of the manifest's
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Activate the workflow, too: make its webhook in Caspio
    #[arg(long)]
    activate: bool,
}

pub(super) async fn deploy(api: &Api, args: DeployArgs) -> Result<(), CliError> {
    let path = if args.manifest.is_dir() { args.manifest.join("workflow.toml") } else { args.manifest };
    let text = std::fs::read_to_string(&path)
        .map_err(|e| CliError::failed(format!("{} can't be read ({e}); check the path", path.display())))?;
    let manifest =
        Manifest::parse(&text).map_err(|e| CliError::failed(format!("{e}; correct {}", path.display())))?;
    let component = path.parent().map(|dir| dir.join(&manifest.component)).unwrap_or_default();
    let bytes = std::fs::read(&component).map_err(|e| {
        CliError::failed(format!(
            "the component {} can't be read ({e}); build it, or correct `component` in the manifest",
            component.display()
        ))
    })?;
    let digest = ComponentDigest::of(&bytes).to_string();
    api.put_once(&format!("components/{digest}"), bytes).await?;
    let body = json!({
        "manifest": text,
        "component": digest,
        "connection": args.connection,
        "activate": args.activate,
    });
    let deployed = api.post("workflows", &body).await?;
    let cell = |name| output::cell(&deployed, name);
    output::line(&format!(
        "workflow {} version {} deployed, {}",
        cell("workflow"),
        cell("version"),
        cell("state")
    ));
    if cell("state") == "inactive" {
        output::line(&format!("next: caspian workflow activate {}", cell("workflow")));
    }
    Ok(())
}
