//! A sign-in that goes on at Salesforce: what is remembered of it until the person comes back.

use std::time::Duration;

use salesforce::{ApiVersion, OrgUrl, Timestamp, oauth::Flow};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{AppChoice, ConnectRequest, FirstImport, Prepared};
use crate::{
    app::App,
    error::Error,
    store::{StoreError, connections::Confirmed, journal::Actor, sign_ins::NewSignIn},
};

/// What is sealed while a person is at Salesforce. It holds secrets and is never printed.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) name: String,
    org: OrgUrl,
    customer: Option<String>,
    /// The configured client app; without one, the credentials of the connection's own.
    configured: Option<String>,
    client_id: String,
    client_secret: Option<String>,
    api_version: Option<ApiVersion>,
    confirmed: Confirmed,
    owner: Option<String>,
    actor: Actor,
    #[serde(default)]
    first_import: FirstImport,
    pub(super) pending: Pending,
}

/// What the flow itself has to remember.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pending {
    WebServer { verifier: String, redirect_uri: String },
    Device { device_code: String, interval_seconds: u64 },
}

impl Begun {
    pub(super) fn new(prepared: &Prepared, pending: Pending) -> Self {
        let (app, request) = (&prepared.app, &prepared.request);
        let own = app.client_app().client_secret.as_ref().filter(|_| app.configured.is_none());
        Self {
            name: prepared.name.clone(),
            org: prepared.org.clone(),
            customer: request.customer.clone(),
            configured: app.configured.clone(),
            client_id: app.client_app().client_id.clone(),
            client_secret: own.map(|secret| secret.expose().to_owned()),
            api_version: request.api_version,
            confirmed: request.confirmed,
            owner: request.owner.clone(),
            actor: request.actor.clone(),
            first_import: request.first_import.clone(),
            pending,
        }
    }

    /// The request that began it.
    pub(super) fn request(&self) -> ConnectRequest {
        let app = match &self.configured {
            Some(name) => AppChoice::Configured { name: Some(name.clone()) },
            None => AppChoice::Own {
                client_id: self.client_id.clone(),
                client_secret: self.client_secret.clone().map(Into::into),
            },
        };
        ConnectRequest {
            name: Some(self.name.clone()),
            org: self.org.host().to_owned(),
            customer: self.customer.clone(),
            app,
            api_version: self.api_version,
            confirmed: self.confirmed,
            owner: self.owner.clone(),
            actor: self.actor.clone(),
            first_import: self.first_import.clone(),
        }
    }

    pub(super) fn document(&self) -> SecretString {
        let document = Zeroizing::new(serde_json::to_string(self).expect("what is remembered is plain data"));
        SecretString::from(document.as_str())
    }

    pub(super) fn from_document(document: &SecretString) -> Result<Self, StoreError> {
        // The reason is left out: it might quote the document.
        serde_json::from_str(document.expose_secret())
            .map_err(|_| StoreError::Corrupt { reason: "a sign-in that was begun cannot be read".to_owned() })
    }
}

impl App {
    /// Remembers a sign-in; returns its id and when it ends.
    pub(super) async fn remember(
        &self,
        flow: Flow,
        begun: &Begun,
        begun_by: &str,
        state_hash: Option<&str>,
        life: Duration,
    ) -> Result<(String, Timestamp), Error> {
        let expires_at = self.clock.now().after(life);
        let document = begun.document();
        let new = NewSignIn { flow, connection: &begun.name, begun_by, state_hash, document: &document, expires_at };
        Ok((self.store.begin_sign_in(&new).await?, expires_at))
    }
}
