//! Which client app a sign-in uses.

use salesforce::{
    OrgUrl,
    oauth::{ClientApp, Flow},
    secret::ClientSecret,
};
use secrecy::SecretString;

use crate::{config::ClientApps, error::Error};

/// The client app that a person wants to sign in with.
#[derive(Debug, Clone)]
pub enum AppChoice {
    /// The customer's own: consumer key, and the secret unless the app is public.
    Own { client_id: String, client_secret: Option<ClientSecret> },
    /// One of the server configuration; without a name, the one that fits the org.
    Configured { name: Option<String> },
    /// None: SOAP `login()` knows no client apps.
    Absent,
}

/// The client app of a sign-in.
#[derive(Clone)]
pub(in crate::app) struct ChosenApp {
    /// The name of the configured one.
    pub(super) configured: Option<String>,
    app: ClientApp,
}

impl ChosenApp {
    pub(super) fn client_app(&self) -> &ClientApp {
        &self.app
    }

    /// The secret that has to be stored with the connection: that of a configured app stays in the configuration.
    pub(super) fn secret_to_keep(&self) -> Option<SecretString> {
        let own = self.app.client_secret.as_ref().filter(|_| self.configured.is_none());
        own.map(|secret| secret.expose().into())
    }
}

pub(super) fn choose(
    apps: &ClientApps,
    choice: &AppChoice,
    org: &OrgUrl,
    customer: Option<&str>,
    flow: Flow,
) -> Result<ChosenApp, Error> {
    let own = |client_id: &str, client_secret: &Option<ClientSecret>| ChosenApp {
        configured: None,
        app: ClientApp { client_id: client_id.trim().to_owned(), client_secret: client_secret.clone() },
    };
    let configured = match choice {
        AppChoice::Own { client_id, client_secret } => return Ok(own(client_id, client_secret)),
        AppChoice::Absent if flow == Flow::SoapLogin => return Ok(own("", &None)),
        AppChoice::Absent => {
            return Err(Error::Missing { what: "the consumer key", remedy: "give the Consumer Key of the client app" });
        }
        AppChoice::Configured { name: Some(name) } => apps.find(name).ok_or_else(|| Error::UnknownClientApp {
            name: name.clone(),
            known: apps.iter().map(|app| app.name.clone()).collect(),
        })?,
        AppChoice::Configured { name: None } => {
            apps.fitting(org, customer).ok_or_else(|| Error::NoClientApp { org: org.host().to_owned() })?
        }
    };
    Ok(ChosenApp { configured: Some(configured.name.clone()), app: configured.client_app().clone() })
}
