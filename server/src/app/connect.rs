//! Connecting an org: everything is proved before anything is saved.
//!
//! [`App::connect`] signs in with what a person hands over. The flows in which a person goes to Salesforce in between
//! have two halves each: [`web_server`], [`device`]. All of them end in `App::conclude`.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use salesforce::{
    ApiError, ApiVersion, Client, OAuthError, OrgUrl,
    oauth::{
        Audience, Flow, Grant, IssuedToken, PrivateKey, Renewal, Session, SoapLogin, SoapVersion, TokenSet,
        TokenSource, exchange, exchange_assertion, revoke, soap_login,
    },
    org::{UserInfo, versions},
    secret::{AccessToken, Password, RefreshToken, SecurityToken},
};
use secrecy::SecretString;
use serde_json::json;

pub use self::client_app::AppChoice;
use self::client_app::ChosenApp;
use super::{App, check_name};
use crate::{
    connection::{
        keeper::{self, LEASE_TERM},
        state::{ConnectionEvent, ConnectionState},
    },
    diagnose::{self, Case, Checklist, Finding, Patience, catalogue},
    error::Error,
    store::{
        connections::{Confirmed, Connection, Difference, NewConnection, SavedConnection},
        credentials::CredentialKind,
        journal::Actor,
    },
};

mod begun;
mod client_app;
mod client_key;
pub mod device;
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

/// The session of a sign-in that is not saved yet. It cannot be renewed.
struct Fresh(Session);

impl TokenSource for Fresh {
    fn session(&self) -> BoxFuture<'_, Result<Session, OAuthError>> {
        std::future::ready(Ok(self.0.clone())).boxed()
    }

    fn renew<'a>(&'a self, _rejected: &'a AccessToken) -> BoxFuture<'a, Result<Session, OAuthError>> {
        let reason = "Salesforce does not accept the session it has just issued".to_owned();
        std::future::ready(Err(OAuthError::Retired { reason })).boxed()
    }
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
        let org = match self.store.find_connection(&request.org).await? {
            Some(known) => known.org,
            None => OrgUrl::parse(&request.org, self.http.host_rules())?,
        };
        let name = name_of(request.name.as_deref(), &org)?;
        let existing = self.store.find_connection(&name).await?;
        let customer = request.customer.as_deref().or(existing.as_ref().map(|existing| existing.customer.as_str()));
        let app = client_app::choose(&self.config.client_apps, &request.app, &org, customer, flow)?;
        Ok(Prepared { name, org, app, existing, request })
    }

    /// Looks around with what was granted, and saves it. What was granted cannot be had again without the person, so only
    /// the looking is repeated while something may pass.
    async fn conclude(
        &self,
        prepared: Prepared,
        granted: Granted,
        checklist: &dyn Checklist,
    ) -> Result<Connected, Error> {
        let mut patience = Patience::new(self.http.timer(), checklist);
        self.conclude_with(&prepared, granted, &mut patience, checklist).await
    }

    async fn conclude_with(
        &self,
        prepared: &Prepared,
        granted: Granted,
        patience: &mut Patience<'_>,
        checklist: &dyn Checklist,
    ) -> Result<Connected, Error> {
        let error = loop {
            match self.look_around_and_save(prepared, &granted, checklist).await {
                Ok(connected) => return Ok(connected),
                Err(error) if patience.waits_out_with_session(&error).await => {}
                Err(error) => break error,
            }
        };
        if granted.flow == Flow::RefreshToken {
            return Err(Error::Spent { source: Box::new(error) });
        }
        self.give_back(granted.flow, &granted.tokens).await;
        Err(error)
    }

    /// Ends what a person has just approved and what is not saved: each approval that is left behind counts among the
    /// five that a user has with an app (help article 000205876).
    async fn give_back(&self, flow: Flow, tokens: &TokenSet) {
        let Some(token) = tokens.refresh_token.as_ref().filter(|_| matches!(flow, Flow::WebServer | Flow::Device))
        else {
            return;
        };
        if let Err(error) = revoke(&self.http, &tokens.instance_url, IssuedToken::Refresh(token)).await {
            tracing::warn!(%error, "a sign-in that is not saved could not be ended at Salesforce");
        }
    }

    async fn look_around_and_save(
        &self,
        prepared: &Prepared,
        granted: &Granted,
        checklist: &dyn Checklist,
    ) -> Result<Connected, Error> {
        let (user, client) = self.look_around(&prepared.name, prepared.request.api_version, granted).await?;
        let (flow, api_version) = (granted.flow, client.version());
        let case = Case {
            connection: prepared.name.clone(),
            instance: granted.tokens.instance_url.clone(),
            flow: Some(flow),
            scopes: granted.tokens.scopes.clone(),
            app: Some(prepared.app.client_app().clone()),
            calls_of_a_day: None,
            has_refresh_token: granted.tokens.refresh_token.is_some(),
            api_version,
            // Whether it may replace what there is, is decided where it is saved.
            expected: None,
            needs: diagnose::usual_needs(),
        };
        let examined = self.examine(&case, Some(&client), checklist).await;
        if let Some(obstacle) = examined.obstacle() {
            return Err(Error::finding_of(&prepared.name, obstacle.clone()));
        }
        let (again, actor) = (prepared.existing.is_some(), prepared.request.actor.clone());
        let new = self.to_save(prepared.clone(), granted.clone(), &user, api_version);
        let connection = self.save(new).await?;
        let event = if again { "connected again" } else { "connected" };
        let detail = json!({ "flow": flow, "org_id": connection.org_id, "username": connection.username });
        self.store.note(Some(&connection.name), &actor, event, detail).await?;
        self.forget_keeper(&connection.name);
        let mut warnings = warnings(flow, &connection);
        warnings.extend(self.approvals_warning(&connection).await?);
        Ok(Connected { connection, user, again, warnings, findings: examined.findings })
    }

    async fn look_around(
        &self,
        name: &str,
        wanted: Option<ApiVersion>,
        granted: &Granted,
    ) -> Result<(UserInfo, Client), Error> {
        let tokens = &granted.tokens;
        let api = |source: ApiError| Error::api(name, source);
        let offered = versions(&self.http, &tokens.instance_url).await.map_err(api)?;
        let offered: Vec<ApiVersion> = offered.into_iter().map(|offered| offered.version).collect();
        let api_version =
            choose_version(wanted, &offered).ok_or_else(|| no_version(&tokens.instance_url, wanted, &offered))?;
        let client = Client::new(self.http.clone(), Arc::new(Fresh(tokens.session())), api_version);
        match client.userinfo().await {
            Ok(user) => Ok((user, client)),
            Err(ApiError::SignIn(OAuthError::Retired { reason })) => {
                Err(Error::finding_of(name, catalogue::SESSION_REFUSED.found(reason)))
            }
            Err(error) => Err(api(error)),
        }
    }

    fn to_save(&self, prepared: Prepared, granted: Granted, user: &UserInfo, api_version: ApiVersion) -> NewConnection {
        let Prepared { name, org, app, existing, request } = prepared;
        let Granted { flow, tokens, mut credentials, audience } = granted;
        let now = self.clock.now();
        let begun = existing.as_ref().map_or(ConnectionState::Connected { since: now }, |it| it.state.clone());
        let state = begun.on(ConnectionEvent::Authorized, now).unwrap_or(ConnectionState::Connected { since: now });
        let customer = request.customer.or_else(|| existing.map(|existing| existing.customer));
        if let Some(token) = tokens.refresh_token.as_ref().filter(|_| flow.renewal() == Renewal::RefreshToken) {
            credentials.retain(|(kind, _)| *kind != CredentialKind::RefreshToken);
            credentials.push((CredentialKind::RefreshToken, token.expose().into()));
        }
        credentials.extend(app.secret_to_keep().map(|secret| (CredentialKind::ClientSecret, secret)));
        credentials.push((CredentialKind::Session, keeper::document(&tokens.session())));
        NewConnection {
            customer: customer.unwrap_or_else(|| name.clone()),
            name,
            org,
            instance: tokens.instance_url,
            org_id: user.organization_id.clone(),
            user_id: user.user_id.clone(),
            username: user.preferred_username.clone(),
            api_version,
            flow,
            client_id: app.client_app().client_id.clone(),
            app: app.configured,
            scopes: tokens.scopes,
            audience: audience.map(|audience| audience.0.host().to_owned()),
            owner: request.owner,
            state,
            credentials,
            confirmed: request.confirmed,
        }
    }

    /// Saves under the lease of the sign-in, so that a renewal under way elsewhere does not overwrite it.
    async fn save(&self, new: NewConnection) -> Result<Connection, Error> {
        let lease = self.store.acquire_lease(&keeper::lease_name(&new.name), &self.holder, LEASE_TERM).await?;
        let saved = self.store.save_connection(&new).await;
        self.store.release_lease(&lease).await?;
        let connection = new.name.clone();
        match saved? {
            SavedConnection::Saved(connection) => Ok(*connection),
            SavedConnection::Differs(Difference::Org { expected }) => {
                Err(Error::OtherOrg { connection, expected, found: new.org_id, has_data: false })
            }
            SavedConnection::Differs(Difference::OrgWithData { expected }) => {
                Err(Error::OtherOrg { connection, expected, found: new.org_id, has_data: true })
            }
            SavedConnection::Differs(Difference::User { expected }) => {
                Err(Error::OtherUser { connection, expected, found: new.username })
            }
        }
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

/// The wanted version if the org has it, else the newest that both sides know.
fn choose_version(wanted: Option<ApiVersion>, offered: &[ApiVersion]) -> Option<ApiVersion> {
    match wanted {
        Some(wanted) => offered.contains(&wanted).then_some(wanted),
        None => offered.iter().copied().filter(|version| *version <= NEWEST_KNOWN).max(),
    }
}

fn no_version(org: &OrgUrl, wanted: Option<ApiVersion>, offered: &[ApiVersion]) -> Error {
    let wanted = wanted.map_or_else(|| format!("{NEWEST_KNOWN} or older"), |wanted| wanted.to_string());
    let offered = match (offered.first(), offered.last()) {
        (Some(oldest), Some(newest)) => format!("{oldest} to {newest}"),
        _ => "none".to_owned(),
    };
    Error::Version { org: org.host().to_owned(), wanted, offered }
}

/// What ends, and what a scope too many or too few means.
fn warnings(flow: Flow, connection: &Connection) -> Vec<String> {
    let ending = flow.ending().map(|ending| {
        format!(
            "{ending}. Move to client credentials: an External Client App with \"Enable Client Credentials Flow\" and a \
             Run As user (`orgtide guide --flow client-credentials`), then connect again under the same name."
        )
    });
    let full = connection.scopes.iter().any(|scope| scope == "full").then(|| {
        "The app grants full access (scope full): whoever gets hold of this connection may do all that the user may. \
         Reading needs \"Manage user data via APIs (api)\" alone; take Full access out of the app's scopes, then connect \
         again."
            .to_owned()
    });
    ending.into_iter().chain(full).chain(connection.api_version.warning()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_sides_know_is_chosen_unless_a_person_says_otherwise() {
        let offered = [ApiVersion(60), ApiVersion(68), ApiVersion(70)];
        assert_eq!(choose_version(None, &offered), Some(ApiVersion(68)));
        assert_eq!(choose_version(Some(ApiVersion(70)), &offered), Some(ApiVersion(70)));
        assert_eq!(choose_version(Some(ApiVersion(61)), &offered), None);
        assert_eq!(choose_version(None, &[ApiVersion(99)]), None);
    }
}
