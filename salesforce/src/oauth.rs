//! Client apps, grants, and the token endpoint.

mod flow;
mod reissued;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use url::form_urlencoded;
use zeroize::Zeroizing;

pub use self::{
    flow::{Flow, Renewal, UnknownFlow},
    reissued::{KeepRefreshToken, ReissuedSession},
};
use crate::{
    error::{ApiError, OAuthCause, OAuthError, OAuthRefusal},
    host::OrgUrl,
    http::{Answer, Http, Replay, Request},
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
/// A request with a refresh token is sent again only if Salesforce has certainly not seen it, because with rotation the
/// second use of a token ends the whole grant. See [`OAuthError::may_have_redeemed`]. The other grants are harmless to
/// repeat, and are retried like any request.
///
/// # Errors
/// The refusal with its cause, or why there was no usable answer; see [`OAuthError`].
pub async fn exchange(http: &Http, login: &OrgUrl, app: &ClientApp, grant: &Grant) -> Result<TokenSet, OAuthError> {
    let replay = grant.admits(login, app)?;
    let request = Request::token("/services/oauth2/token", form(app, grant), replay);
    let answer: Answer = http.send(login, &request, None, None).await.map_err(|error| in_words_of_oauth(error, 1))?;
    token_set(http, login, &answer)
}

impl Grant {
    /// What repeating this grant does, if it can be posted to `login` at all.
    fn admits(&self, login: &OrgUrl, app: &ClientApp) -> Result<Replay, OAuthError> {
        let has_secret = app.client_secret.as_ref().is_some_and(|secret| !secret.is_empty());
        match self {
            Self::ClientCredentials if login.is_generic() => {
                Err(OAuthError::GenericHost { host: login.host().to_owned() })
            }
            Self::ClientCredentials if !has_secret => Err(OAuthError::SecretMissing { grant: "client credentials" }),
            Self::Password { .. } if !has_secret => Err(OAuthError::SecretMissing { grant: "the password flow" }),
            Self::ClientCredentials | Self::Password { .. } => Ok(Replay::Harmless),
            Self::Refresh { .. } => Ok(Replay::OnlyIfNotSeen),
        }
    }
}

/// The form of the token endpoint (help pages "OAuth 2.0 … Flow"; table of parameters by grant).
fn form(app: &ClientApp, grant: &Grant) -> Bytes {
    let mut form = form_urlencoded::Serializer::new(String::new());
    match grant {
        Grant::ClientCredentials => {
            form.append_pair("grant_type", "client_credentials");
        }
        Grant::Password { username, password, security_token } => {
            // The token directly follows the password.
            let token = security_token.as_ref().map_or("", SecurityToken::expose);
            let secret = Zeroizing::new(format!("{}{token}", password.expose()));
            form.append_pair("grant_type", "password");
            form.append_pair("username", username).append_pair("password", &secret);
        }
        Grant::Refresh { refresh_token } => {
            form.append_pair("grant_type", "refresh_token");
            form.append_pair("refresh_token", refresh_token.expose());
        }
    }
    form.append_pair("client_id", &app.client_id);
    if let Some(secret) = app.client_secret.as_ref().filter(|secret| !secret.is_empty()) {
        form.append_pair("client_secret", secret.expose());
    }
    form.finish().into()
}

/// The answer, read leniently: password answers have no scope, JWT answers neither signature nor time.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    instance_url: String,
    refresh_token: Option<String>,
    id: Option<String>,
    scope: Option<String>,
}

fn token_set(http: &Http, login: &OrgUrl, answer: &Answer) -> Result<TokenSet, OAuthError> {
    let read: TokenAnswer = serde_json::from_slice(&answer.body).map_err(|error| OAuthError::Unexpected {
        host: login.host().to_owned(),
        // The position only: the text beside it is the token.
        reason: format!("no token in line {} column {}", error.line(), error.column()),
    })?;
    let instance_url = OrgUrl::from_instance_url(&read.instance_url, http.host_rules())?;
    let (org_id, user_id) = read.id.as_deref().map(identity).unwrap_or_default();
    Ok(TokenSet {
        access_token: read.access_token.into(),
        refresh_token: read.refresh_token.filter(|token| !token.is_empty()).map(RefreshToken::from),
        instance_url,
        org_id,
        user_id,
        scopes: read.scope.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
    })
}

/// Org and user of `https://login.salesforce.com/id/<org>/<user>`. The host is not used: it is the generic one.
fn identity(url: &str) -> (Option<String>, Option<String>) {
    let Some((_, ids)) = url.split_once("/id/") else { return (None, None) };
    let mut ids = ids.split(['/', '?']);
    let mut next_id = |prefix: &str| ids.next().filter(|id| id.starts_with(prefix)).and_then(whole_id);
    (next_id("00D"), next_id("005"))
}

/// The 18-character form of an id: after each five characters' worth of capitals, one character that tells them
/// (SOAP API guide v66, "ID Field Type").
fn whole_id(id: &str) -> Option<String> {
    const SUFFIXES: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        18 => Some(id.to_owned()),
        15 => {
            let capitals = |five: &[u8]| {
                five.iter().rev().fold(0, |bits, byte| bits << 1 | usize::from(byte.is_ascii_uppercase()))
            };
            let suffix = id.as_bytes().chunks(5).map(|five| char::from(SUFFIXES[capitals(five)]));
            Some(id.chars().chain(suffix).collect())
        }
        _ => None,
    }
}

/// A refusal of the token endpoint arrives as any other refusal, with `error` as its code.
fn in_words_of_oauth(error: ApiError, attempts: u32) -> OAuthError {
    match error {
        ApiError::Refused(refusal) => {
            let error = refusal.code.as_str().to_owned();
            let cause = OAuthCause::parse(&error, &refusal.message);
            OAuthError::Refused(Box::new(OAuthRefusal {
                host: refusal.host,
                status: refusal.status,
                error,
                description: refusal.message,
                cause,
            }))
        }
        ApiError::Wire { cause, .. } => OAuthError::Wire { cause, attempts },
        ApiError::GivenUp { attempts, last } => in_words_of_oauth(*last, attempts),
        ApiError::SignIn(error) => error,
        ApiError::SessionRefused { .. }
        | ApiError::Unexpected { .. }
        | ApiError::Protocol { .. }
        | ApiError::JobEnded { .. }
        | ApiError::JobUnfinished { .. } => OAuthError::Unexpected { host: String::new(), reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostRules;

    fn app() -> ClientApp {
        ClientApp { client_id: "key".to_owned(), client_secret: Some("s&cret".to_owned().into()) }
    }

    fn text(grant: &Grant) -> String {
        String::from_utf8(form(&app(), grant).to_vec()).unwrap()
    }

    #[test]
    fn each_grant_posts_its_own_parameters_and_no_scope() {
        assert_eq!(
            text(&Grant::ClientCredentials),
            "grant_type=client_credentials&client_id=key&client_secret=s%26cret"
        );
        let password = Grant::Password {
            username: "a+b@acme.test".to_owned(),
            password: "p w".to_owned().into(),
            security_token: Some("TOKEN".to_owned().into()),
        };
        assert_eq!(
            text(&password),
            "grant_type=password&username=a%2Bb%40acme.test&password=p+wTOKEN&client_id=key&client_secret=s%26cret"
        );
        let refresh = Grant::Refresh { refresh_token: "5Aep".to_owned().into() };
        assert_eq!(text(&refresh), "grant_type=refresh_token&refresh_token=5Aep&client_id=key&client_secret=s%26cret");
    }

    #[test]
    fn client_credentials_are_not_sent_to_a_generic_host() {
        for host in ["login.salesforce.com", "test.salesforce.com"] {
            let login = OrgUrl::parse(host, HostRules::default()).unwrap();
            let refused = Grant::ClientCredentials.admits(&login, &app()).unwrap_err();
            assert!(matches!(&refused, OAuthError::GenericHost { host: named } if named == host));
            assert!(refused.to_string().contains("My Domain"));
            assert!(Grant::Refresh { refresh_token: String::new().into() }.admits(&login, &app()).is_ok());
        }
    }

    #[test]
    fn only_a_refresh_token_must_not_be_sent_twice() {
        let login = OrgUrl::parse("acme", HostRules::default()).unwrap();
        let refresh = Grant::Refresh { refresh_token: "x".to_owned().into() };
        assert_eq!(refresh.admits(&login, &app()).unwrap(), Replay::OnlyIfNotSeen);
        assert_eq!(Grant::ClientCredentials.admits(&login, &app()).unwrap(), Replay::Harmless);
    }

    #[test]
    fn org_and_user_come_from_the_identity_url() {
        let (org, user) = identity("https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA");
        assert_eq!(org.as_deref(), Some("00D000000000001EAA"));
        assert_eq!(user.as_deref(), Some("005000000000001AAA"));
        let (org, user) = identity("https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P");
        assert_eq!(org.as_deref(), Some("00Dx0000000BV7zEAG"));
        assert_eq!(user.as_deref(), Some("005x00000012Q9PAAU"));
        for odd in ["", "https://login.salesforce.com/id/", "https://x/id/00D/005", "nonsense/id/../.."] {
            assert_eq!(identity(odd), (None, None), "{odd}");
        }
    }
}
