//! Keys that were made here for the JWT bearer flow, until a connection uses them.

use salesforce::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{Store, database::Change, error::StoreError};
use crate::vault::Place;

/// The public half of a key that was made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM.
    pub certificate: String,
    pub ends_at: Timestamp,
    pub made_at: Timestamp,
}

fn place(connection: &str) -> Place<'_> {
    Place { table: "client_keys", row: connection, column: "sealed" }
}

impl Store {
    /// Keeps a key for the connection of that name, in the place of an earlier one.
    pub async fn keep_client_key(
        &self,
        connection: &str,
        key: &SecretString,
        certificate: &str,
        ends_at: Timestamp,
    ) -> Result<(), StoreError> {
        const KEEP: &str = "INSERT INTO client_keys (connection, sealed, certificate, ends_at, made_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (connection) DO UPDATE SET sealed = excluded.sealed, \
             certificate = excluded.certificate, ends_at = excluded.ends_at, made_at = excluded.made_at";
        let sealed = self.vault.seal(place(connection), key.expose_secret().as_bytes());
        let values = [connection.into(), sealed.into(), certificate.into(), ends_at.into(), self.clock.now().into()];
        self.database.commit_one(Change::new(KEEP, values)).await.map_err(|error| error.unexpected())?;
        Ok(())
    }

    /// The key that was made for the connection of that name: its private half in PEM.
    pub async fn client_key(&self, connection: &str) -> Result<Option<SecretString>, StoreError> {
        const READ: &str = "SELECT sealed FROM client_keys WHERE connection = $1";
        let Some(mut row) = self.database.query_first(READ, [connection.into()]).await? else { return Ok(None) };
        let opened = self.vault.open(place(connection), &row.blob()?)?;
        let text = std::str::from_utf8(&opened).map_err(|_| StoreError::corrupt("a key is no text"))?;
        Ok(Some(SecretString::from(text)))
    }

    /// Its certificate.
    pub async fn client_certificate(&self, connection: &str) -> Result<Option<ClientCertificate>, StoreError> {
        const READ: &str = "SELECT certificate, ends_at, made_at FROM client_keys WHERE connection = $1";
        let Some(mut row) = self.database.query_first(READ, [connection.into()]).await? else { return Ok(None) };
        Ok(Some(ClientCertificate { certificate: row.text()?, ends_at: row.moment()?, made_at: row.moment()? }))
    }
}
