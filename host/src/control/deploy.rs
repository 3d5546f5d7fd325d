//! Deploying: everything that can be wrong with a version is found here, before it can get an event.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::caspio::CallContext;
use crate::clock::Time;
use crate::manifest::{Manifest, OrderBy};
use crate::model::{FieldType, TenantId, WorkflowState};
use crate::runtime::{CONTRACT, ComponentDigest, Prepared};
use crate::store::{ConnectionRecord, NewVersion, WorkflowRecord};

use super::{ADMIN, Control, ControlError, Kind, Result};

/// A version to deploy. The component was uploaded before.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// Text of `workflow.toml`.
    pub manifest: String,
    /// SHA-256 of the component, in hex.
    pub component: String,
    /// Connection, instead of the manifest's.
    pub connection: Option<String>,
    /// Activate the workflow, too.
    #[serde(default)]
    pub activate: bool,
}

/// What a deploy made.
#[derive(Debug, Serialize)]
pub struct DeployView {
    /// The workflow.
    pub workflow: String,
    /// The new version.
    pub version: u32,
    /// State of the workflow.
    pub state: WorkflowState,
}

impl Control {
    /// Where a component lies.
    pub(super) fn component_file(&self, digest: ComponentDigest) -> PathBuf {
        self.data.components().join(format!("{digest}.wasm"))
    }

    /// Whether a component was uploaded.
    ///
    /// # Errors
    /// When the digest is none.
    pub async fn has_component(&self, digest: &str) -> Result<bool> {
        let digest = parse_digest(digest)?;
        let file = self.component_file(digest);
        // A damaged one counts as missing, so that it is sent again.
        let whole = move || std::fs::read(file).is_ok_and(|bytes| ComponentDigest::of(&bytes) == digest);
        Ok(tokio::task::spawn_blocking(whole).await.unwrap_or(false))
    }

    /// Keeps an uploaded component under its digest.
    ///
    /// # Errors
    /// When the bytes have another digest, are too many, or can't be written.
    pub async fn put_component(&self, digest: &str, bytes: Vec<u8>) -> Result<()> {
        let wanted = parse_digest(digest)?;
        let max = self.runtime.settings().max_component_mib;
        if bytes.len() as u64 > u64::from(max) << 20 {
            return Err(crate::runtime::ComponentError::TooLarge(max).into());
        }
        if ComponentDigest::of(&bytes) != wanted {
            return Err(ControlError::invalid(
                "component-digest",
                "the component was damaged on its way; deploy again",
            ));
        }
        let file = self.component_file(wanted);
        let written = tokio::task::spawn_blocking(move || write_whole(&file, &bytes)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(ControlError::new(
                Kind::Unavailable,
                "component-file",
                format!(
                    "the component can't be stored ({}); free space on the disk of the data folder",
                    e.kind()
                ),
            )),
            Err(_) => Err(crate::store::StoreError::Closed.into()),
        }
    }

    /// Checks manifest, component and tables, then makes the version active.
    ///
    /// # Errors
    /// When anything of it is wrong: nothing was changed then. When only activating or the change of
    /// triggers failed, the version is there, and the error says so.
    pub async fn deploy(&self, tenant: &TenantId, request: DeployRequest) -> Result<DeployView> {
        let manifest = Manifest::parse(&request.manifest)?;
        let connection = self.connection_for(tenant, request.connection.as_deref(), &manifest).await?;
        let existing = self.store.workflow(tenant, &manifest.name).await?;
        let digest = parse_digest(&request.component)?;
        self.check_version(existing.as_ref(), &connection, &manifest, digest).await?;

        let deployed = self
            .store
            .deploy(NewVersion {
                tenant: tenant.clone(),
                name: manifest.name.clone(),
                manifest: request.manifest,
                component: digest.0,
                connection: connection.id,
                contract: CONTRACT.to_owned(),
                actor: ADMIN.to_owned(),
                at: Time::now(),
            })
            .await?;
        let subject = format!("{} version {}", manifest.name, deployed.number);
        let audited = self.audit(tenant, "workflow.deploy", &subject).await;
        let had_webhook = existing.is_some_and(|w| w.state != WorkflowState::Inactive);
        if request.activate || had_webhook {
            self.follow(tenant, &manifest.name, deployed.number, request.activate).await?;
        }
        audited?;
        let workflow = self.workflow_named(tenant, &manifest.name).await?;
        Ok(DeployView { workflow: manifest.name, version: deployed.number, state: workflow.state })
    }

    /// Whether a version can work: on this host, with its connection, and with what is in Caspio.
    pub(super) async fn check_version(
        &self,
        existing: Option<&WorkflowRecord>,
        connection: &ConnectionRecord,
        manifest: &Manifest,
        digest: ComponentDigest,
    ) -> Result<()> {
        self.fits_host(manifest)?;
        if let Some(workflow) = existing
            && let Some(webhook) = self.store.webhook_of(workflow.id).await?
            && webhook.connection != connection.id
        {
            return Err(crate::triggers::TriggerError::OtherConnection.into());
        }
        self.prepared(digest).await?;
        self.check_names(connection, manifest).await
    }

    pub(super) fn fits_host(&self, manifest: &Manifest) -> Result<()> {
        let max = self.runtime.settings().max_memory_mib;
        if manifest.limits.memory_mib > max {
            return Err(ControlError::invalid(
                "manifest",
                format!(
                    "limits.memory_mib is more than this host allows ({max}); lower it, or raise runtime.max_memory_mib"
                ),
            ));
        }
        Ok(())
    }

    /// An uploaded component, compiled and linked.
    pub(super) async fn prepared(&self, digest: ComponentDigest) -> Result<Arc<Prepared>> {
        let file = self.component_file(digest);
        if !file.exists() {
            return Err(ControlError::not_found(
                "component-not-found",
                "the component was not uploaded; deploy again",
            ));
        }
        Ok(self.runtime.prepare(&digest, &file).await?)
    }

    /// Brings what is in Caspio into step with the version that was made active.
    pub(super) async fn follow(
        &self,
        tenant: &TenantId,
        name: &str,
        version: u32,
        activate: bool,
    ) -> Result<()> {
        self.ensure_triggers(tenant, name, activate).await.map_err(|e| {
            let (message, next) = e.message_and_next();
            let comma = if next.is_empty() { "" } else { ", " };
            // Activating would end a pause, and what has a webhook is brought into step by itself.
            let then = if activate {
                format!("then run: caspian workflow activate {name}")
            } else {
                "the host goes on trying; see: caspian status".to_owned()
            };
            let text = format!(
                "version {version} is deployed, but its triggers are not set up: {message}; {next}{comma}{then}",
            );
            ControlError::new(e.kind, e.code.clone(), text)
        })
    }

    async fn connection_for(
        &self,
        tenant: &TenantId,
        asked: Option<&str>,
        manifest: &Manifest,
    ) -> Result<ConnectionRecord> {
        let name = asked.or(manifest.connection.as_deref()).ok_or_else(|| {
            ControlError::invalid(
                "connection-missing",
                "neither the manifest nor the command names a connection; add `connection = \"…\"`, or give --connection",
            )
        })?;
        self.store.connection_named(tenant, name).await?.ok_or_else(|| {
            ControlError::not_found(
                "connection-not-found",
                format!("there is no connection '{name}'; add it with: caspian connection add {name} --url … --client-id …"),
            )
        })
    }

    /// Everything that the manifest names exists: tables, and, where they are granted, views, directories and tasks. One
    /// call for each kind.
    async fn check_names(&self, connection: &ConnectionRecord, manifest: &Manifest) -> Result<()> {
        let caspio = self.connector.connect(connection.id).await?;
        let context = CallContext::of_host(None, "deploy.check");
        let grants = &manifest.grants;
        let tables = manifest.triggers.iter().map(|t| t.table.as_str()).chain(grants.tables());
        all_exist(connection, "table", tables, &caspio.tables(&context).await?)?;
        for (table, name) in manifest.effects.verified() {
            let schema = caspio.fields(&context, table).await?;
            let fits = schema
                .field(name)
                .is_some_and(|field| field.unique && field.writable && field.kind == FieldType::TextShort);
            if !fits {
                return Err(ControlError::invalid(
                    "verify-field",
                    format!(
                        "`effects.creates` verifies {table} by {name}, which is no Text (255) field that is Unique and can be \
                         written; make such a field in Caspio, or use \"park\" or \"retry\""
                    ),
                ));
            }
        }
        if let Some(OrderBy::Field(name)) = &manifest.order.by {
            for trigger in &manifest.triggers {
                if caspio.fields(&context, &trigger.table).await?.field(name).is_none() {
                    return Err(ControlError::invalid(
                        "order-field",
                        format!(
                            "`order.by` names the field {name}, which the table {} of a trigger does not have; correct it, or use \
                             by = \"record\"",
                            trigger.table
                        ),
                    ));
                }
            }
        }
        if grants.views().next().is_some() {
            all_exist(connection, "view", grants.views(), &caspio.views(&context).await?)?;
        }
        if grants.directories().next().is_some() {
            let known = caspio.directories(&context).await?.into_iter().map(|directory| directory.name);
            all_exist(connection, "directory", grants.directories(), &known.collect::<Vec<_>>())?;
        }
        if grants.tasks().next().is_some() {
            let known = caspio.import_export_tasks(&context).await?;
            let known: Vec<String> = known.into_iter().flat_map(|task| [task.name, task.key]).collect();
            all_exist(connection, "task", grants.tasks(), &known)?;
        }
        Ok(())
    }
}

fn all_exist<'n>(
    connection: &ConnectionRecord,
    noun: &str,
    named: impl Iterator<Item = &'n str>,
    known: &[String],
) -> Result<()> {
    for name in named {
        if !known.iter().any(|k| k.eq_ignore_ascii_case(name)) {
            return Err(ControlError::invalid(
                &format!("{noun}-not-found"),
                format!(
                    "connection '{}' has no {noun} '{name}'; correct the name in the manifest, or let the \
                     Web services profile see the {noun}",
                    connection.name
                ),
            ));
        }
    }
    Ok(())
}

pub(super) fn parse_digest(text: &str) -> Result<ComponentDigest> {
    let bytes = hex::decode(text).ok().and_then(|b| <[u8; 32]>::try_from(b.as_slice()).ok());
    bytes.map(ComponentDigest).ok_or_else(|| {
        ControlError::invalid(
            "component-digest",
            "a component is named by its SHA-256; give 64 hex characters",
        )
    })
}

/// Under another name first, so that a crash leaves no half of it.
fn write_whole(file: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let part = file.with_extension(format!("part{}", std::process::id()));
    let written = std::fs::File::create(&part)
        .and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()))
        .and_then(|()| std::fs::rename(&part, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}
