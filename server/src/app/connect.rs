//! Connecting an org: everything is proved before anything is saved.
//!
//! [`App::connect`] signs in with what a person hands over. The flows in which a person goes to Salesforce in between
//! have two halves each: [`web_server`], [`device`]. All of them end in `App::conclude`.

use salesforce::{
    ApiVersion, OrgUrl,
    oauth::{
        Audience, Flow, Grant, PrivateKey, SoapLogin, SoapVersion, TokenSet, exchange, exchange_assertion, soap_login,
    },
    org::UserInfo,
    secret::{Password, RefreshToken, SecurityToken},
};
use secrecy::SecretString;

use self::client_app::ChosenApp;
pub use self::{client_app::AppChoice, first_import::FirstImport};
use super::{App, check_name, disconnect::Removed};
use crate::{
    diagnose::{Checklist, Finding, Patience},
    error::Error,
    store::{
        connections::{Confirmed, Connection},
        credentials::CredentialKind,
        journal::Actor,
    },
};

mod begun;
mod client_app;
mod client_key;
mod conclude;
pub mod device;
mod first_import;
pub mod web_server;

/// The newest API version that this program was written for; a newer one is used only when a person asks for it.
pub const NEWEST_KNOWN: ApiVersion = ApiVersion(68);

/// What is asked for where scopes are asked for: the data, and staying connected. Nothing more is needed (least
/// privilege); `full` would bring no refresh token.
const SCOPES: &[&str] = &["api", "refresh_token"];

/// What a person wants to connect.
#[derive(Debug, Clone)]
pub struct ConnectRequest {
    /// `None`: the first label of the org's address.
    pub name: Option<String>,
    /// As it was pasted; the name of a connection stands for its org.
    pub org: String,
    /// Whose org it is; on a first connect the name stands in for it, on a reconnect it stays.
    pub customer: Option<String>,
    pub app: AppChoice,
    /// `None`: the newest that both sides know.
    pub api_version: Option<ApiVersion>,
    pub confirmed: Confirmed,
    /// The person who signs in, where persons have accounts here.
    pub owner: Option<String>,
    pub actor: Actor,
    /// What is imported as soon as the connection is saved; empty: what the configured client app says.
    pub first_import: FirstImport,
}

/// What a person hands over to sign in with at once.
#[derive(Debug, Clone)]
pub enum Offered {
    ClientCredentials,
    Password(UserPassword),
    /// Only because a person chose it: nothing falls back to it.
    SoapLogin(UserPassword),
    JwtBearer {
        username: String,
        /// `None`: the key that was made here for the connection of that name.
        key: Option<PrivateKey>,
    },
    RefreshToken {
        refresh_token: RefreshToken,
    },
}

/// What a person signs in with at Salesforce.
#[derive(Debug, Clone)]
pub struct UserPassword {
    pub username: String,
    pub password: Password,
    /// `None` from a trusted network.
    pub security_token: Option<SecurityToken>,
}

/// A sign-in that is proved and saved.
#[derive(Debug)]
pub struct Connected {
    pub connection: Connection,
    pub user: UserInfo,
    /// The name was connected to the same org before.
    pub again: bool,
    pub warnings: Vec<String>,
    pub findings: Vec<Finding>,
    /// Rows of the org that a sandbox was before its refresh, which this one takes the place of.
    pub removed: Vec<Removed>,
}

/// What is known before Salesforce is asked.
#[derive(Clone)]
pub(super) struct Prepared {
    name: String,
    org: OrgUrl,
    app: ChosenApp,
    existing: Option<Connection>,
    request: ConnectRequest,
}

/// What Salesforce has granted, and what has to be kept to be granted more.
#[derive(Clone)]
pub(super) struct Granted {
    flow: Flow,
    tokens: TokenSet,
    credentials: Vec<(CredentialKind, SecretString)>,
    audience: Option<Audience>,
}

impl Granted {
    /// Whether what was handed over is good for another session. Codes are used up, and so is a refresh token that
    /// another one replaces.
    fn can_be_had_again(&self) -> bool {
        match self.flow {
            Flow::WebServer | Flow::Device => false,
            Flow::RefreshToken => self.tokens.refresh_token.is_none(),
            Flow::ClientCredentials | Flow::JwtBearer | Flow::Password | Flow::SoapLogin => true,
        }
    }

    /// Whether a person has just approved it: another approval of the same user then counts beside it.
    fn is_approved_now(&self) -> bool {
        matches!(self.flow, Flow::WebServer | Flow::Device)
    }
}

impl Offered {
    fn flow(&self) -> Flow {
        match self {
            Self::ClientCredentials => Flow::ClientCredentials,
            Self::Password(_) => Flow::Password,
            Self::SoapLogin(_) => Flow::SoapLogin,
            Self::JwtBearer { .. } => Flow::JwtBearer,
            Self::RefreshToken { .. } => Flow::RefreshToken,
        }
    }
}

impl UserPassword {
    fn grant(&self) -> Grant {
        Grant::Password {
            username: self.username.clone(),
            password: self.password.clone(),
            security_token: self.security_token.clone(),
        }
    }

    fn credentials(&self) -> Vec<(CredentialKind, SecretString)> {
        let password = (CredentialKind::Password, self.password.expose().into());
        let token = self.security_token.as_ref();
        std::iter::once(password)
            .chain(token.map(|token| (CredentialKind::SecurityToken, token.expose().into())))
            .collect()
    }
}

impl App {
    /// Signs in, asks who and where that is, and saves the connection only then.
    ///
    /// # Errors
    /// A name that belongs to another org or user is refused unless that is confirmed. Whatever fails, nothing is saved.
    pub async fn connect(
        &self,
        request: ConnectRequest,
        offered: Offered,
        checklist: &dyn Checklist,
    ) -> Result<Connected, Error> {
        let prepared = self.prepare(request, offered.flow()).await?;
        self.knock(&prepared.name, &prepared.org).await?;
        let mut patience = Patience::new(self.http.timer(), checklist);
        loop {
            let connected = match self.obtain(&prepared, offered.clone()).await {
                Ok(granted) if granted.can_be_had_again() => {
                    self.look_around_and_save(&prepared, &granted, checklist).await
                }
                Ok(granted) => return self.conclude_with(&prepared, granted, &mut patience, checklist).await,
                Err(error) => Err(error),
            };
            match connected {
                Err(error) if patience.waits_out(&error).await => {}
                connected => return connected,
            }
        }
    }

    /// Repeats `attempt` while its refusal may be a change in Setup that has not reached every server yet, as long as
    /// whoever follows is patient.
    ///
    /// # Errors
    /// Those of the last attempt.
    pub async fn patiently<T>(
        &self,
        checklist: &dyn Checklist,
        attempt: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut patience = Patience::new(self.http.timer(), checklist);
        loop {
            match attempt().await {
                Err(error) if patience.waits_out(&error).await => {}
                outcome => return outcome,
            }
        }
    }

    /// Signs in with what is handed over.
    async fn obtain(&self, prepared: &Prepared, offered: Offered) -> Result<Granted, Error> {
        let flow = offered.flow();
        let (http, org, app) = (&self.http, &prepared.org, prepared.app.client_app());
        let (tokens, credentials, audience) = match offered {
            Offered::ClientCredentials => (exchange(http, org, app, &Grant::ClientCredentials).await, Vec::new(), None),
            Offered::Password(who) => (exchange(http, org, app, &who.grant()).await, who.credentials(), None),
            Offered::SoapLogin(who) => {
                let login = SoapLogin {
                    username: &who.username,
                    password: &who.password,
                    security_token: who.security_token.as_ref(),
                    version: SoapVersion::NEWEST,
                };
                (soap_login(http, org, &login).await, who.credentials(), None)
            }
            Offered::JwtBearer { username, key } => {
                let key = match key {
                    Some(key) => key,
                    None => self.kept_key(&prepared.name).await?,
                };
                let kept = vec![(CredentialKind::PrivateKey, key.expose().into())];
                let exchanged = exchange_assertion(http, org, app, &key, &username, self.clock.now(), None).await;
                match exchanged {
                    Ok((tokens, audience)) => (Ok(tokens), kept, Some(audience)),
                    Err(error) => (Err(error), kept, None),
                }
            }
            Offered::RefreshToken { refresh_token } => {
                let kept = vec![(CredentialKind::RefreshToken, refresh_token.expose().into())];
                (exchange(http, org, app, &Grant::Refresh { refresh_token }).await, kept, None)
            }
        };
        let tokens = tokens.map_err(|source| Error::sign_in(&prepared.name, source))?;
        Ok(Granted { flow, tokens, credentials, audience })
    }

    /// Reads what a person wants, and finds the client app and the connection that it means.
    async fn prepare(&self, request: ConnectRequest, flow: Flow) -> Result<Prepared, Error> {
        let known = self.store.find_connection(&request.org).await?;
        let org = match &known {
            Some(known) => known.org.clone(),
            None => OrgUrl::parse(&request.org, self.http.host_rules())?,
        };
        let name = request.name.as_deref().or(known.as_ref().map(|known| known.name.as_str()));
        let name = name_of(name, &org)?;
        let existing = self.store.find_connection(&name).await?;
        let customer = request.customer.as_deref().or(existing.as_ref().map(|existing| existing.customer.as_str()));
        let app = client_app::choose(&self.config.client_apps, &request.app, &org, customer, flow)?;
        Ok(Prepared { name, org, app, existing, request })
    }
}

/// The given name, or the first label of an org's own address.
fn name_of(given: Option<&str>, org: &OrgUrl) -> Result<String, Error> {
    let name = match given {
        Some(given) => given,
        None if org.is_generic() => {
            return Err(Error::Missing {
                what: "the connection's name",
                remedy: "give one beside the address: orgtide connect <name> --org login.salesforce.com",
            });
        }
        None => org.host().split('.').next().unwrap_or_default(),
    };
    check_name(name)?;
    Ok(name.to_owned())
}
