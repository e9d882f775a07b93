//! Client apps, grants, and the token endpoint.

mod authorize;
mod callback;
mod device;
mod flow;
mod grant;
mod identity;
mod introspect;
mod jwt;
mod probe;
mod reissued;
mod renewed;
mod revoke;
mod soap;

use futures_util::future::BoxFuture;
use serde::Deserialize;

pub use self::{
    authorize::AuthorizationRequest,
    callback::{CallbackError, read_callback},
    device::{DEVICE_CODE_LIFE, DeviceStart, start_device},
    flow::{Flow, Renewal, UnknownFlow},
    grant::Grant,
    introspect::{Introspection, introspect},
    jwt::{Audience, KeyError, PrivateKey, assertion, audiences, exchange_assertion},
    probe::{Probe, probe_authorize, read_error_page},
    reissued::{KeepRefreshToken, ReissuedSession},
    renewed::{Renewed, renew},
    revoke::{IssuedToken, Revoked, revoke},
    soap::{SoapLogin, SoapVersion, soap_login},
};
use crate::{
    error::{ApiError, OAuthError, OAuthRefusal, Stage},
    host::OrgUrl,
    http::{Answer, Http, Request},
    secret::{AccessToken, ClientSecret, RefreshToken},
};

/// A connected app or external client app, as the org knows it.
#[derive(Debug, Clone)]
pub struct ClientApp {
    /// Called Consumer Key in Setup.
    pub client_id: String,
    pub client_secret: Option<ClientSecret>,
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

impl ClientApp {
    /// The secret, unless it is empty: a public app has none.
    fn secret(&self) -> Option<&ClientSecret> {
        self.client_secret.as_ref().filter(|secret| !secret.is_empty())
    }
}

impl TokenSet {
    /// What data requests are made with.
    pub fn session(&self) -> Session {
        Session { access_token: self.access_token.clone(), instance_url: self.instance_url.clone() }
    }
}

/// Posts `grant` to the token endpoint of `login`.
///
/// Client credentials work on the org's My Domain only (help page "OAuth 2.0 Client Credentials Flow"), so the generic
/// login hosts are refused here without asking them. A scope is never sent: it is an error on a refresh.
///
/// What is good once (a refresh token, a code, an assertion) is sent again only if Salesforce has certainly not seen it;
/// with rotation, the second use of a refresh token even ends the whole grant. See [`OAuthError::may_have_redeemed`].
/// Client credentials and passwords are harmless to repeat, and are retried like any request.
///
/// # Errors
/// The refusal with its cause, or why there was no usable answer; see [`OAuthError`].
pub async fn exchange(http: &Http, login: &OrgUrl, app: &ClientApp, grant: &Grant) -> Result<TokenSet, OAuthError> {
    grant.check(login, app)?;
    let request = Request::oauth(TOKEN_ENDPOINT, grant.form(app), grant.replay());
    token_set(http, login, &post(http, login, &request, grant.stage()).await?)
}

/// Where grants are exchanged, and the device flow starts.
const TOKEN_ENDPOINT: &str = "/services/oauth2/token";

/// Sends a form to an OAuth endpoint; a refusal is read as one of `stage`.
async fn post(http: &Http, host: &OrgUrl, request: &Request, stage: Stage) -> Result<Answer, OAuthError> {
    http.send(host, request, None, None).await.map_err(|error| in_words_of_oauth(error, stage, 1))
}

/// The answer, read leniently: password answers have no scope, JWT answers neither signature nor time.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    instance_url: Option<String>,
    refresh_token: Option<String>,
    id: Option<String>,
    scope: Option<String>,
}

impl TokenAnswer {
    fn read(login: &OrgUrl, body: &[u8]) -> Result<Self, OAuthError> {
        serde_json::from_slice(body).map_err(|error| OAuthError::Unexpected {
            host: login.host().to_owned(),
            // The position only: the text beside it is the token.
            reason: format!("no token in line {} column {}", error.line(), error.column()),
        })
    }

    /// The tokens, of an org whose API base is `instance_url`.
    fn into_tokens(self, instance_url: OrgUrl) -> TokenSet {
        let (org_id, user_id) = self.id.as_deref().map(identity::of_url).unwrap_or_default();
        TokenSet {
            access_token: self.access_token.into(),
            refresh_token: self.refresh_token.filter(|token| !token.is_empty()).map(RefreshToken::from),
            instance_url,
            org_id,
            user_id,
            scopes: self.scope.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
        }
    }
}

/// A first answer has to name the API base.
fn token_set(http: &Http, login: &OrgUrl, answer: &Answer) -> Result<TokenSet, OAuthError> {
    let read = TokenAnswer::read(login, &answer.body)?;
    let instance_url = read.instance_url.as_deref().ok_or_else(|| OAuthError::Unexpected {
        host: login.host().to_owned(),
        reason: "no instance_url".to_owned(),
    })?;
    let instance_url = OrgUrl::from_instance_url(instance_url, http.host_rules())?;
    Ok(read.into_tokens(instance_url))
}

/// A refusal of an OAuth endpoint arrives as any other refusal, with `error` as its code.
fn in_words_of_oauth(error: ApiError, stage: Stage, attempts: u32) -> OAuthError {
    match error {
        ApiError::Refused(refusal) => {
            let (error, description) = (refusal.code.as_str(), refusal.message.as_str());
            OAuthRefusal::new(stage, &refusal.host, refusal.status, error, description)
                .retried_after(refusal.retry_after)
                .into()
        }
        ApiError::Wire { cause, .. } => OAuthError::Wire { cause, attempts },
        ApiError::GivenUp { attempts, last } => in_words_of_oauth(*last, stage, attempts),
        ApiError::SignIn(error) => error,
        ApiError::SessionRefused { .. }
        | ApiError::Withheld(_)
        | ApiError::Unexpected { .. }
        | ApiError::Protocol { .. }
        | ApiError::JobEnded { .. }
        | ApiError::JobUnfinished { .. } => OAuthError::Unexpected { host: String::new(), reason: error.to_string() },
    }
}
