//! Connections: added after Caspio took their credentials, listed without their secrets.

use serde::{Deserialize, Serialize};

use crate::caspio::{BaseUrl, CallContext, Credentials};
use crate::clock::Time;
use crate::model::{Cause, ConnectionId, TenantId};
use crate::secrets::Secret;
use crate::store::{CallBudget, ConnectionRecord, StoreError};

use super::{Control, ControlError, Kind, Result};

/// A connection to add. The secret is read from a request and never shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewConnection {
    /// Unique within the tenant.
    pub name: String,
    /// Integration URL of the Web services profile.
    pub url: String,
    /// Client ID.
    pub client_id: String,
    /// Client secret.
    pub client_secret: String,
}

/// A connection, as shown.
#[derive(Debug, Serialize)]
pub struct ConnectionView {
    /// Name.
    pub name: String,
    /// Base URL.
    pub url: String,
    /// Client ID.
    pub client_id: String,
    /// When it was added, RFC 3339.
    pub created_at: String,
}

impl From<ConnectionRecord> for ConnectionView {
    fn from(x: ConnectionRecord) -> Self {
        Self { name: x.name, url: x.base_url, client_id: x.client_id, created_at: x.created_at.to_string() }
    }
}

impl Control {
    /// Checks the credentials against Caspio, then stores them.
    ///
    /// # Errors
    /// When the name is taken or malformed, the URL is not usable, or Caspio refuses the credentials.
    pub async fn add_connection(&self, tenant: &TenantId, new: NewConnection) -> Result<ConnectionView> {
        let name = new.name.trim().to_owned();
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 63 || !name.chars().all(ok) {
            return Err(ControlError::invalid(
                "connection-name",
                "the connection's name is not usable; use 1 to 63 letters, digits, - and _",
            ));
        }
        let base =
            BaseUrl::parse(&new.url).map_err(|e| ControlError::invalid("connection-url", e.to_string()))?;
        if new.client_id.trim().is_empty() || new.client_secret.trim().is_empty() {
            return Err(ControlError::invalid(
                "connection-credentials",
                "client ID or client secret is empty; copy both from the Web services profile in Caspio",
            ));
        }
        let key = self.keys.tenant_or_new(tenant).await?;
        if self.store.connection_named(tenant, &name).await?.is_some() {
            return Err(taken(&name));
        }
        let id = ConnectionId::new();
        let secret = Secret::new(new.client_secret.trim().to_owned());
        let client_id = new.client_id.trim().to_owned();
        let sealed_secret = key.seal("connections", "secret", id.as_bytes(), secret.expose().as_bytes())?;
        let base_url = base.to_string();
        let clients = self.connector.clients();
        let caspio = clients.connect(Credentials {
            tenant: tenant.clone(),
            connection: id,
            name: name.clone(),
            base,
            client_id: client_id.clone(),
            client_secret: secret,
        });
        let added = async {
            caspio.check(&CallContext::of_host(None, "connection.check")).await?;
            let record = ConnectionRecord {
                id,
                tenant: tenant.clone(),
                name: name.clone(),
                base_url,
                client_id,
                sealed_secret,
                created_at: Time::now(),
                budget: CallBudget::default(),
            };
            let view = ConnectionView::from(record.clone());
            match self.store.add_connection(record).await {
                Err(StoreError::Exists(_)) => Err(taken(&name)),
                other => other.map(|()| view).map_err(ControlError::from),
            }
        };
        let view = added.await.inspect_err(|_| clients.forget(id))?;
        self.audit(tenant, "connection.add", &name).await?;
        Ok(view)
    }

    /// Whether Caspio takes a connection's credentials now.
    ///
    /// # Errors
    /// When there is no such connection, or Caspio refuses or can't be reached.
    pub async fn check_connection(&self, tenant: &TenantId, name: &str) -> Result<ConnectionView> {
        let record = self.connection_record(tenant, name).await?;
        let key = self.keys.tenant(tenant).await?;
        let secret = key.open("connections", "secret", record.id.as_bytes(), &record.sealed_secret)?;
        let secret =
            String::from_utf8(secret).map_err(|_| StoreError::Corrupt("a connection's secret".to_owned()))?;
        let next = format!("give it the new client secret with: caspian connection rotate {name}");
        self.try_out(tenant, &record, Secret::new(secret), &next).await?;
        // What a person mended in Caspio, runs need not find out by themselves.
        self.store.hurry(record.id, Cause::Connection, Time::now()).await?;
        self.wake.notify_one();
        Ok(record.into())
    }

    /// Asks Caspio with a token of its own whether it takes a secret: a token that was granted earlier stays
    /// valid after the secret was changed. The client in use is not disturbed by what is wrong.
    async fn try_out(
        &self,
        tenant: &TenantId,
        record: &ConnectionRecord,
        secret: Secret,
        next: &str,
    ) -> Result<()> {
        let base = BaseUrl::parse(&record.base_url)
            .map_err(|e| ControlError::invalid("connection-url", e.to_string()))?;
        // So that it is known what was spent of the budget; a secret that can't be opened is just what is replaced.
        let _ = self.connector.connect(record.id).await;
        let caspio = self.connector.clients().apart(Credentials {
            tenant: tenant.clone(),
            connection: record.id,
            name: record.name.clone(),
            base,
            client_id: record.client_id.clone(),
            client_secret: secret,
        });
        let checked = caspio.check(&CallContext::of_host(None, "connection.check")).await;
        checked.map_err(|error| match error.code() {
            "credentials" => {
                let what = format!("connection '{}': Caspio refused the credentials", record.name);
                ControlError::new(Kind::Caspio, "credentials", format!("{what}; {next}"))
            }
            _ => error.into(),
        })
    }

    /// Checks a new client secret against Caspio, then stores it in place of the old one.
    ///
    /// # Errors
    /// When there is no such connection or Caspio refuses the secret: the old one stays.
    pub async fn rotate_connection(
        &self,
        tenant: &TenantId,
        name: &str,
        secret: &str,
    ) -> Result<ConnectionView> {
        let record = self.connection_record(tenant, name).await?;
        let secret = secret.trim();
        if secret.is_empty() {
            return Err(ControlError::invalid(
                "connection-credentials",
                "the client secret is empty; copy it from the Web services profile in Caspio",
            ));
        }
        let key = self.keys.tenant(tenant).await?;
        let next = "copy the client secret from the Web services profile in Caspio and try again: the old one stays in use";
        self.try_out(tenant, &record, Secret::new(secret.to_owned()), next).await?;
        let sealed = key.seal("connections", "secret", record.id.as_bytes(), secret.as_bytes())?;
        self.store.set_secret(record.id, sealed).await?;
        self.connector.clients().forget(record.id);
        self.store.hurry(record.id, Cause::Connection, Time::now()).await?;
        self.wake.notify_one();
        self.audit(tenant, "connection.rotate", name).await?;
        Ok(record.into())
    }

    pub(super) async fn connection_record(&self, tenant: &TenantId, name: &str) -> Result<ConnectionRecord> {
        self.store.connection_named(tenant, name).await?.ok_or_else(|| {
            ControlError::not_found(
                "connection-not-found",
                format!("there is no connection '{name}'; see `caspian connection list`"),
            )
        })
    }

    /// All connections of a tenant.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn connections(&self, tenant: &TenantId) -> Result<Vec<ConnectionView>> {
        Ok(self.store.connections(tenant).await?.into_iter().map(ConnectionView::from).collect())
    }
}

fn taken(name: &str) -> ControlError {
    ControlError::new(
        Kind::Conflict,
        "connection-exists",
        format!(
            "there is a connection '{name}' already; choose another name, or give it a new secret with: caspian \
             connection rotate {name}"
        ),
    )
}
