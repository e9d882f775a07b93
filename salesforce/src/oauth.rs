//! Client apps, grants, and the token endpoint.

use futures_util::future::BoxFuture;

use crate::{
    error::OAuthError,
    host::OrgUrl,
    http::Http,
    secret::{AccessToken, ClientSecret, Password, RefreshToken, SecurityToken},
};

/// A connected app or external client app, as the org knows it.
#[derive(Debug, Clone)]
pub struct ClientApp {
    /// Called Consumer Key in Setup.
    pub client_id: String,
    pub client_secret: Option<ClientSecret>,
}

/// What is posted to the token endpoint.
#[derive(Debug, Clone)]
pub enum Grant {
    ClientCredentials,
    Password { username: String, password: Password, security_token: Option<SecurityToken> },
    Refresh { refresh_token: RefreshToken },
}

/// A successful answer of the token endpoint.
#[derive(Debug, Clone)]
pub struct TokenSet {
    pub access_token: AccessToken,
    /// `Some` replaces the stored one: this is how rotation arrives.
    pub refresh_token: Option<RefreshToken>,
    /// The API base, checked against the host rules.
    pub instance_url: OrgUrl,
    /// 18 characters; from the identity URL.
    pub org_id: Option<String>,
    /// 18 characters; from the identity URL.
    pub user_id: Option<String>,
    pub scopes: Vec<String>,
}

/// What data requests are made with.
#[derive(Debug, Clone)]
pub struct Session {
    pub access_token: AccessToken,
    pub instance_url: OrgUrl,
}

/// Where a client gets its session from, and a new one when Salesforce refuses the old one.
pub trait TokenSource: Send + Sync {
    /// The current session; obtains one when there is none.
    fn session(&self) -> BoxFuture<'_, Result<Session, OAuthError>>;

    /// A session other than the one with `rejected`. Callers that were refused together share one renewal.
    fn renew<'a>(&'a self, rejected: &'a AccessToken) -> BoxFuture<'a, Result<Session, OAuthError>>;
}

/// Posts `grant` to the token endpoint of `login`.
pub async fn exchange(_http: &Http, _login: &OrgUrl, _app: &ClientApp, _grant: &Grant) -> Result<TokenSet, OAuthError> {
    todo!()
}
