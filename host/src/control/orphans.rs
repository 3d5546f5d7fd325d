//! Webhooks in Caspio that send to this host and belong to no workflow of it.

use serde::{Deserialize, Serialize};

use crate::model::TenantId;
use crate::store::ConnectionRecord;
use crate::triggers::Orphan;

use super::{Control, ControlError, Result};

/// Where orphans are looked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrphanQuery {
    /// In this connection's account only.
    pub connection: Option<String>,
}

/// Which orphans are to be removed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RemoveOrphans {
    /// From this connection's account only.
    pub connection: Option<String>,
    /// By Caspio's ids.
    pub ids: Vec<String>,
    /// All of them.
    pub all: bool,
}

/// An orphan, as listed.
#[derive(Debug, Serialize)]
pub struct OrphanView {
    /// Caspio's id.
    pub id: String,
    /// Name in Caspio.
    pub name: String,
    /// The connection in whose account it is.
    pub connection: String,
    /// It fires.
    pub active: bool,
    /// A workflow of this host had it once.
    pub known: bool,
}

/// What became of orphans.
#[derive(Debug, Default, Serialize)]
pub struct RemovedOrphans {
    /// Those that are gone.
    pub removed: Vec<OrphanView>,
    /// Why the rest is still there.
    pub error: Option<String>,
}

fn view(connection: &ConnectionRecord, orphan: Orphan) -> OrphanView {
    OrphanView {
        id: orphan.id,
        name: orphan.name,
        connection: connection.name.clone(),
        active: orphan.active,
        known: orphan.known,
    }
}

impl Control {
    /// Lists orphans.
    ///
    /// # Errors
    /// When there is no such connection, this host does not know its public URL, or Caspio can't be asked.
    pub async fn orphans(&self, tenant: &TenantId, query: &OrphanQuery) -> Result<Vec<OrphanView>> {
        let found = self.find_orphans(tenant, query.connection.as_deref()).await?;
        Ok(found.into_iter().map(|(connection, orphan)| view(&connection, orphan)).collect())
    }

    /// Deletes orphans in Caspio.
    ///
    /// # Errors
    /// When one that is named is no orphan: nothing was deleted then.
    pub async fn remove_orphans(&self, tenant: &TenantId, which: RemoveOrphans) -> Result<RemovedOrphans> {
        if which.all != which.ids.is_empty() {
            return Err(ControlError::invalid(
                "orphans-named",
                "either all orphans are to be removed, or some; name them by their ids, or give --all",
            ));
        }
        let found = self.find_orphans(tenant, which.connection.as_deref()).await?;
        if let Some(id) = which.ids.iter().find(|id| !found.iter().any(|(_, orphan)| orphan.id == **id)) {
            return Err(ControlError::not_found(
                "orphan-not-found",
                format!("no orphan has the id '{id}'; see `caspian orphans list`"),
            ));
        }
        let mut done = RemovedOrphans::default();
        for (connection, orphan) in found {
            if !which.all && !which.ids.contains(&orphan.id) {
                continue;
            }
            crate::faults::pass("orphans.before-remove");
            if let Err(error) = self.triggers.remove_orphan(connection.id, &orphan).await {
                done.error = Some(error.to_string());
                break;
            }
            let subject = format!("{} in the account of {}", orphan.id, connection.name);
            self.audit(tenant, "orphan.remove", &subject).await?;
            done.removed.push(view(&connection, orphan));
        }
        Ok(done)
    }

    /// Orphans of all accounts, each once: several connections may lead to one account.
    pub(super) async fn find_orphans(
        &self,
        tenant: &TenantId,
        connection: Option<&str>,
    ) -> Result<Vec<(ConnectionRecord, Orphan)>> {
        let connections = match connection {
            Some(name) => vec![self.connection_record(tenant, name).await?],
            None => self.store.connections(tenant).await?,
        };
        let mut found: Vec<(ConnectionRecord, Orphan)> = Vec::new();
        for connection in connections {
            for orphan in self.triggers.orphans(connection.id).await? {
                let same = |(other, known): &(ConnectionRecord, Orphan)| {
                    other.base_url == connection.base_url && known.id == orphan.id
                };
                if !found.iter().any(same) {
                    found.push((connection.clone(), orphan));
                }
            }
        }
        Ok(found)
    }
}
