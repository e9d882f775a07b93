//! What a stored connection is renewed with, and the session that is stored with it.

use salesforce::{
    OAuthError, OrgUrl,
    oauth::{Audience, ClientApp, Flow, Grant, PrivateKey, Session},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Kept, Means, stored};
use crate::{
    hex::sha256_hex,
    store::{connections::Connection, credentials::CredentialKind},
};

/// A session as the store holds it, sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredSession {
    access_token: String,
    instance: OrgUrl,
}

impl StoredSession {
    pub(super) fn read(document: &SecretString) -> Result<Session, OAuthError> {
        let session: Self = serde_json::from_str(document.expose_secret())
            .map_err(|_| OAuthError::Store { reason: "the stored session cannot be read".into() })?;
        Ok(Session { access_token: session.access_token.into(), instance_url: session.instance })
    }
}

/// A session as a document to be sealed.
pub(crate) fn document(session: &Session) -> SecretString {
    let stored = StoredSession {
        access_token: session.access_token.expose().to_owned(),
        instance: session.instance_url.clone(),
    };
    let document = Zeroizing::new(serde_json::to_string(&stored).expect("a session is plain data"));
    SecretString::from(document.as_str())
}

impl Kept {
    /// What the connection's next session is obtained with.
    ///
    /// # Errors
    /// [`OAuthError::Configuration`] when the server configuration no longer has the client app that the connection was
    /// made with; nothing is sent then.
    pub(super) async fn means(&self, connection: &Connection) -> Result<Means, OAuthError> {
        let username = || connection.username.clone();
        let app = self.client_app(connection).await?;
        let grant = match connection.flow {
            Flow::ClientCredentials => Grant::ClientCredentials,
            Flow::JwtBearer => {
                let pem = Zeroizing::new(self.required(connection, CredentialKind::PrivateKey).await?);
                let unusable = |error| OAuthError::Store { reason: format!("the private key: {error}") };
                return Ok(Means::Assertion {
                    app,
                    key: PrivateKey::from_pem(&pem).map_err(unusable)?,
                    username: username(),
                    audience: connection.audience.as_deref().and_then(audience),
                    now: self.clock.now(),
                });
            }
            Flow::SoapLogin => {
                return Ok(Means::SoapLogin {
                    username: username(),
                    password: self.required(connection, CredentialKind::Password).await?.into(),
                    security_token: self.credential(connection, CredentialKind::SecurityToken).await?.map(Into::into),
                });
            }
            Flow::Password => Grant::Password {
                username: username(),
                password: self.required(connection, CredentialKind::Password).await?.into(),
                security_token: self.credential(connection, CredentialKind::SecurityToken).await?.map(Into::into),
            },
            Flow::WebServer | Flow::Device | Flow::RefreshToken => {
                Grant::Refresh { refresh_token: self.required(connection, CredentialKind::RefreshToken).await?.into() }
            }
        };
        Ok(Means::Grant { app, grant })
    }

    /// The connection's own client app, or the configured one that it was made with.
    pub(super) async fn client_app(&self, connection: &Connection) -> Result<ClientApp, OAuthError> {
        let Some(name) = &connection.app else {
            let client_secret = self.credential(connection, CredentialKind::ClientSecret).await?.map(Into::into);
            return Ok(ClientApp { client_id: connection.client_id.clone(), client_secret });
        };
        let configured = |reason: String| OAuthError::Configuration { reason };
        let app = self.apps.find(name).ok_or_else(|| {
            configured(format!(
                "the client app {name:?}, which {} was connected with, is not in the server configuration any more. \
                 Put the section [client_apps.{name}] back, or connect again",
                connection.name
            ))
        })?;
        if app.client_app().client_id != connection.client_id {
            return Err(configured(format!(
                "the client app {name:?} of the server configuration has another consumer key than {} was connected \
                 with: its sign-in belongs to the former app. Put the former key back, or connect again",
                connection.name
            )));
        }
        Ok(app.client_app().clone())
    }

    pub(super) async fn credential(
        &self,
        connection: &Connection,
        kind: CredentialKind,
    ) -> Result<Option<String>, OAuthError> {
        let credential = self.store.credential(&connection.id, kind).await.map_err(stored)?;
        Ok(credential.map(|secret| secret.expose_secret().to_owned()))
    }

    async fn required(&self, connection: &Connection, kind: CredentialKind) -> Result<String, OAuthError> {
        let missing = || OAuthError::Store { reason: format!("the {} is missing", kind.title()) };
        self.credential(connection, kind).await?.ok_or_else(missing)
    }
}

/// The hash of the refresh token that is to be sent, when it is one.
pub(super) fn hash_of(means: &Means) -> Option<String> {
    match means {
        Means::Grant { grant: Grant::Refresh { refresh_token }, .. } => {
            Some(token_hash(&SecretString::from(refresh_token.expose())))
        }
        Means::Grant { .. } | Means::Assertion { .. } | Means::SoapLogin { .. } => None,
    }
}

/// An audience as the store has it: an address, or its host alone.
fn audience(text: &str) -> Option<Audience> {
    let host = text.trim_start_matches("https://").trim_end_matches('/');
    serde_json::from_value(host.into()).ok()
}

pub(super) fn token_hash(token: &SecretString) -> String {
    sha256_hex(token.expose_secret())
}

/// The same org in either spelling: 15 characters, or 18 with a checksum.
pub(crate) fn is_same_org(one: &str, other: &str) -> bool {
    match (one.get(..15), other.get(..15)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}
