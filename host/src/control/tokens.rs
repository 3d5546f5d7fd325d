//! Tokens of the control API: who may ask a host. A token is shown once; only its SHA-256 is kept.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Time;
use crate::model::{TenantId, TokenScope};
use crate::secrets::{SealError, Secret, random_bytes};
use crate::store::{StoreError, TokenRecord};

use super::{Control, ControlError, Kind, Result, usable_name};

/// A token to add.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: TokenScope,
}

/// A new token.
#[derive(Serialize)]
pub struct MadeToken {
    /// Its name.
    pub name: String,
    /// The token, shown this once.
    pub token: String,
}

/// A token, as listed.
#[derive(Debug, Serialize)]
pub struct TokenView {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: TokenScope,
    /// When it was added.
    pub created_at: String,
}

/// A new token, and the SHA-256 that it is known by.
///
/// # Errors
/// When the system gives no random numbers.
pub fn new_token() -> std::result::Result<(Secret, [u8; 32]), SealError> {
    let token = format!("caspian_{}", hex::encode(random_bytes::<32>()?));
    let hash = Sha256::digest(token.as_bytes()).into();
    Ok((Secret::new(token), hash))
}

impl Control {
    /// Adds a token.
    ///
    /// # Errors
    /// When the name is taken or not usable.
    pub async fn add_token(&self, tenant: &TenantId, new: NewToken) -> Result<MadeToken> {
        usable_name(&new.name, "token")?;
        let (token, hash) = new_token()?;
        let record = TokenRecord { name: new.name.clone(), scope: new.scope, created_at: Time::now() };
        self.store.add_token(hash, record).await.map_err(|error| match error {
            StoreError::Exists(_) => ControlError::new(
                Kind::Conflict,
                "token-exists",
                format!(
                    "there is a token '{}' already; choose another name, or remove it first: caspian token remove {0}",
                    new.name
                ),
            ),
            other => other.into(),
        })?;
        self.audit(tenant, "token.add", &format!("{} ({})", new.name, new.scope)).await?;
        Ok(MadeToken { name: new.name, token: token.expose().to_owned() })
    }

    /// All tokens by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tokens(&self) -> Result<Vec<TokenView>> {
        let view =
            |x: TokenRecord| TokenView { name: x.name, scope: x.scope, created_at: x.created_at.to_string() };
        Ok(self.store.tokens().await?.into_iter().map(view).collect())
    }

    /// Removes a token: from now on it is not known.
    ///
    /// # Errors
    /// When there is none of that name, or it is the administrator's last.
    pub async fn remove_token(&self, tenant: &TenantId, name: &str) -> Result<()> {
        let removed = self.store.remove_token(name).await.map_err(|error| match error {
            StoreError::Missing(_) => ControlError::not_found(
                "token-not-found",
                format!("there is no token '{name}'; see `caspian token list`"),
            ),
            other => other.into(),
        })?;
        if !removed {
            return Err(ControlError::new(
                Kind::Conflict,
                "last-token",
                format!(
                    "'{name}' is the last token of an administrator; add another one first: caspian token add NAME --scope \
                     admin"
                ),
            ));
        }
        self.audit(tenant, "token.remove", name).await
    }
}
