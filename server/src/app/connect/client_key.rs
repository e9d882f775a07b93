//! Keys of the JWT bearer flow: made here, and used by the connection of the same name.

use salesforce::oauth::PrivateKey;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::{App, check_name},
    certificate::ClientKey,
    error::Error,
    store::{client_keys::ClientCertificate, credentials::CredentialKind},
};

impl App {
    /// Makes a key for the connection of that name (which need not exist yet), keeps it sealed, and returns the
    /// certificate that is uploaded to the client app. A connection goes on with its former key until it is connected
    /// again.
    pub async fn make_client_key(&self, connection: &str) -> Result<ClientCertificate, Error> {
        check_name(connection)?;
        let (name, now) = (format!("Orgtide {connection}"), self.clock.now());
        let name: String = name.chars().take(64).collect();
        let made = tokio::task::spawn_blocking(move || ClientKey::make(&name, now)).await;
        let unmade = |reason: String| Error::Unreadable { what: "a new key".to_owned(), reason };
        let made = made.map_err(|error| unmade(error.to_string()))?.map_err(|error| unmade(error.to_string()))?;
        let key = SecretString::from(made.key.expose());
        self.store.keep_client_key(connection, &key, &made.certificate_pem, made.ends).await?;
        Ok(ClientCertificate { certificate: made.certificate_pem, ends_at: made.ends, made_at: now })
    }

    /// The certificate of the key that was made for the connection of that name.
    pub async fn client_certificate(&self, connection: &str) -> Result<Option<ClientCertificate>, Error> {
        Ok(self.store.client_certificate(connection).await?)
    }

    /// The key that a connection of that name signs with: the one made for it, else the one it has.
    pub(super) async fn kept_key(&self, connection: &str) -> Result<PrivateKey, Error> {
        let mut kept = self.store.client_key(connection).await?;
        if kept.is_none()
            && let Some(existing) = self.store.find_connection(connection).await?
        {
            kept = self.store.credential(&existing.id, CredentialKind::PrivateKey).await?;
        }
        let kept = kept.ok_or(Error::Missing {
            what: "the private key",
            remedy: "give it with --private-key-file or ORGTIDE_PRIVATE_KEY, or have one made: orgtide certificate <name>",
        })?;
        PrivateKey::from_pem(kept.expose_secret())
            .map_err(|error| Error::Unreadable { what: "the private key".to_owned(), reason: error.to_string() })
    }
}
