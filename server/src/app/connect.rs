//! Connecting an org: everything is proved before anything is saved.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use salesforce::{
    ApiError, ApiVersion, Client, OAuthError, OrgUrl,
    oauth::{ClientApp, Grant, Session, TokenSet, TokenSource, exchange},
    org::{UserInfo, versions},
    secret::{AccessToken, ClientSecret, Password, RefreshToken, SecurityToken},
};

use super::{App, check_name};
use crate::{
    connection::{
        keeper::{self, LEASE_TERM},
        state::{ConnectionEvent, ConnectionState},
    },
    error::Error,
    store::connections::{Connection, GrantKind, NewConnection, SavedConnection},
    store::credentials::CredentialKind,
};

/// The newest API version that this program was written for; a newer one is used only when a person asks for it.
pub const NEWEST_KNOWN: ApiVersion = ApiVersion(68);

/// What a person hands over to sign in with.
#[derive(Debug)]
pub enum OfferedGrant {
    ClientCredentials {
        client_secret: ClientSecret,
    },
    Password {
        client_secret: ClientSecret,
        username: String,
        password: Password,
        security_token: Option<SecurityToken>,
    },
    RefreshToken {
        client_secret: Option<ClientSecret>,
        refresh_token: RefreshToken,
    },
}

/// A sign-in to be proved and saved.
#[derive(Debug)]
pub struct SignIn {
    /// `None`: the first label of the org's address.
    pub name: Option<String>,
    /// As it was pasted; the name of a connection stands for its org.
    pub org: String,
    /// Whose org it is; on a first connect the name stands in for it, on a reconnect it stays.
    pub customer: Option<String>,
    /// Called Consumer Key in Setup.
    pub client_id: String,
    pub grant: OfferedGrant,
    /// `None`: the newest that both sides know.
    pub api_version: Option<ApiVersion>,
}

/// A sign-in that is proved and saved.
#[derive(Debug)]
pub struct Connected {
    pub connection: Connection,
    pub user: UserInfo,
    /// The name was connected to the same org before.
    pub again: bool,
    pub warnings: Vec<String>,
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

/// What signing in has shown.
struct Proof {
    tokens: TokenSet,
    user: UserInfo,
    api_version: ApiVersion,
}

impl App {
    /// Signs in, asks who and where that is, and saves the connection only then.
    ///
    /// # Errors
    /// A name that belongs to another org is refused. Whatever fails, nothing is saved.
    pub async fn connect(&self, sign_in: SignIn) -> Result<Connected, Error> {
        let org = match self.store.find_connection(&sign_in.org).await? {
            Some(known) => known.org,
            None => OrgUrl::parse(&sign_in.org, self.http.host_rules())?,
        };
        let name = name_of(sign_in.name.as_deref(), &org)?;
        let existing = self.store.find_connection(&name).await?;
        let proof = self.prove(&name, &sign_in, &org).await?;
        if let Some(existing) = existing.as_ref().filter(|existing| existing.org_id != proof.user.organization_id) {
            let refused = other_org(&name, &existing.org_id, &proof.user.organization_id);
            return Err(if proof.tokens.refresh_token.is_some() { spent(refused) } else { refused });
        }
        let warnings = warnings(&sign_in.grant, proof.api_version);
        let user = proof.user.clone();
        let new = self.to_save(name, sign_in, org, existing.as_ref(), proof);
        Ok(Connected { connection: self.save(new).await?, user, again: existing.is_some(), warnings })
    }

    /// Signs in with what is offered, and looks around.
    async fn prove(&self, name: &str, sign_in: &SignIn, org: &OrgUrl) -> Result<Proof, Error> {
        let (app, grant) = offered(sign_in);
        let tokens = exchange(&self.http, org, &app, &grant).await.map_err(|source| Error::sign_in(name, source))?;
        let is_spent = tokens.refresh_token.is_some();
        match self.look_around(name, sign_in.api_version, &tokens).await {
            Ok((user, api_version)) => Ok(Proof { tokens, user, api_version }),
            Err(error) if is_spent => Err(spent(error)),
            Err(error) => Err(error),
        }
    }

    async fn look_around(
        &self,
        name: &str,
        wanted: Option<ApiVersion>,
        tokens: &TokenSet,
    ) -> Result<(UserInfo, ApiVersion), Error> {
        let api = |source: ApiError| Error::api(name, source);
        let offered = versions(&self.http, &tokens.instance_url).await.map_err(api)?;
        let offered: Vec<ApiVersion> = offered.into_iter().map(|offered| offered.version).collect();
        let api_version =
            choose_version(wanted, &offered).ok_or_else(|| no_version(&tokens.instance_url, wanted, &offered))?;
        let client = Client::new(self.http.clone(), Arc::new(Fresh(tokens.session())), api_version);
        Ok((client.userinfo().await.map_err(api)?, api_version))
    }

    fn to_save(
        &self,
        name: String,
        sign_in: SignIn,
        org: OrgUrl,
        existing: Option<&Connection>,
        proof: Proof,
    ) -> NewConnection {
        let now = self.clock.now();
        let begun = existing.map_or(ConnectionState::Connected { since: now }, |existing| existing.state.clone());
        let state = begun.on(ConnectionEvent::Authorized, now).unwrap_or(ConnectionState::Connected { since: now });
        let customer = sign_in.customer.or_else(|| existing.map(|existing| existing.customer.clone()));
        let (grant, mut credentials) = credentials(sign_in.grant);
        if let Some(rotated) = &proof.tokens.refresh_token {
            credentials.retain(|(kind, _)| *kind != CredentialKind::RefreshToken);
            credentials.push((CredentialKind::RefreshToken, rotated.expose().into()));
        }
        credentials.push((CredentialKind::Session, keeper::document(&proof.tokens.session())));
        NewConnection {
            customer: customer.unwrap_or_else(|| name.clone()),
            name,
            org,
            instance: proof.tokens.instance_url,
            org_id: proof.user.organization_id,
            user_id: proof.user.user_id,
            username: proof.user.preferred_username,
            api_version: proof.api_version,
            grant,
            client_id: sign_in.client_id,
            state,
            credentials,
        }
    }

    /// Saves under the lease of the sign-in, so that a renewal under way elsewhere does not overwrite it.
    async fn save(&self, new: NewConnection) -> Result<Connection, Error> {
        let lease = self.store.acquire_lease(&keeper::lease_name(&new.name), &self.holder, LEASE_TERM).await?;
        let saved = self.store.save_connection(&new).await;
        self.store.release_lease(&lease).await?;
        match saved? {
            SavedConnection::Saved(connection) => Ok(*connection),
            SavedConnection::OtherOrg { org_id } => Err(other_org(&new.name, &org_id, &new.org_id)),
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

/// What failed after a refresh token was replaced: the one that was given is of no use any more.
fn spent(source: Error) -> Error {
    Error::Spent { source: Box::new(source) }
}

fn other_org(connection: &str, expected: &str, found: &str) -> Error {
    Error::OtherOrg { connection: connection.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
}

fn offered(sign_in: &SignIn) -> (ClientApp, Grant) {
    let (client_secret, grant) = match &sign_in.grant {
        OfferedGrant::ClientCredentials { client_secret } => (Some(client_secret), Grant::ClientCredentials),
        OfferedGrant::Password { client_secret, username, password, security_token } => (
            Some(client_secret),
            Grant::Password {
                username: username.clone(),
                password: password.clone(),
                security_token: security_token.clone(),
            },
        ),
        OfferedGrant::RefreshToken { client_secret, refresh_token } => {
            (client_secret.as_ref(), Grant::Refresh { refresh_token: refresh_token.clone() })
        }
    };
    (ClientApp { client_id: sign_in.client_id.clone(), client_secret: client_secret.cloned() }, grant)
}

fn credentials(grant: OfferedGrant) -> (GrantKind, Vec<(CredentialKind, secrecy::SecretString)>) {
    use CredentialKind as Kind;
    match grant {
        OfferedGrant::ClientCredentials { client_secret } => {
            (GrantKind::ClientCredentials, vec![(Kind::ClientSecret, client_secret.expose().into())])
        }
        OfferedGrant::Password { client_secret, password, security_token, .. } => {
            let mut credentials =
                vec![(Kind::ClientSecret, client_secret.expose().into()), (Kind::Password, password.expose().into())];
            credentials.extend(security_token.map(|token| (Kind::SecurityToken, token.expose().into())));
            (GrantKind::Password, credentials)
        }
        OfferedGrant::RefreshToken { client_secret, refresh_token } => {
            let mut credentials = vec![(Kind::RefreshToken, refresh_token.expose().into())];
            credentials.extend(client_secret.map(|secret| (Kind::ClientSecret, secret.expose().into())));
            (GrantKind::RefreshToken, credentials)
        }
    }
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

fn warnings(grant: &OfferedGrant, version: ApiVersion) -> Vec<String> {
    let ending = match grant {
        // Help page `remoteaccess_disable_username_password_flow_ca`; knowledge article 005228017.
        OfferedGrant::Password { .. } => Some(
            "The username-password flow is ending: orgs created since Summer '23 block it, External Client Apps do not \
             offer it, and new Connected Apps can no longer be created. Move to client credentials: an External Client \
             App with \"Enable Client Credentials Flow\" and a Run As user, then connect again under the same name."
                .to_owned(),
        ),
        OfferedGrant::ClientCredentials { .. } | OfferedGrant::RefreshToken { .. } => None,
    };
    ending.into_iter().chain(version.warning()).collect()
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
