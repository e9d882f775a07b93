//! Sealed credentials.

use salesforce::Timestamp;
use secrecy::SecretString;

use super::{Store, database::Change, error::StoreError};
use crate::vault::{Place, Vault};

/// What kind of secret a credential is; a connection has at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    ClientSecret,
    Password,
    SecurityToken,
    RefreshToken,
    /// An RSA key in PKCS#8 PEM.
    PrivateKey,
    /// An access token with its API base, as JSON.
    Session,
}

impl CredentialKind {
    /// As people say it.
    pub fn title(self) -> &'static str {
        match self {
            Self::ClientSecret => "consumer secret",
            Self::Password => "password",
            Self::SecurityToken => "security token",
            Self::RefreshToken => "refresh token",
            Self::PrivateKey => "private key",
            Self::Session => "session",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::ClientSecret => "client_secret",
            Self::Password => "password",
            Self::SecurityToken => "security_token",
            Self::RefreshToken => "refresh_token",
            Self::PrivateKey => "private_key",
            Self::Session => "session",
        }
    }
}

fn place<'a>(connection: &'a str, kind: CredentialKind) -> Place<'a> {
    Place { table: "credentials", row: connection, column: kind.name() }
}

/// The change that seals and saves one credential.
pub(super) fn save(
    vault: &Vault,
    connection: &str,
    kind: CredentialKind,
    secret: &SecretString,
    now: Timestamp,
) -> Result<Change, StoreError> {
    const SAVE: &str = "INSERT INTO credentials (connection_id, kind, sealed, updated_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (connection_id, kind) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at";
    use secrecy::ExposeSecret;
    let sealed = vault.seal(place(connection, kind), secret.expose_secret().as_bytes());
    Ok(Change::new(SAVE, [connection.into(), kind.name().into(), sealed.into(), now.into()]))
}

impl Store {
    /// A credential of a connection, opened.
    pub async fn credential(&self, connection: &str, kind: CredentialKind) -> Result<Option<SecretString>, StoreError> {
        const READ: &str = "SELECT sealed FROM credentials WHERE connection_id = $1 AND kind = $2";
        let Some(mut row) = self.database.query_first(READ, [connection.into(), kind.name().into()]).await? else {
            return Ok(None);
        };
        let opened = self.vault.open(place(connection, kind), &row.blob()?)?;
        let text = std::str::from_utf8(&opened).map_err(|_| StoreError::corrupt("a credential is no text"))?;
        Ok(Some(SecretString::from(text)))
    }
}
