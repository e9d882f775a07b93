//! What programs of others get: access tokens, and the org's REST API through this installation. Off by default, by keys of
//! their own, and noted in the journal.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use salesforce::{
    ApiVersion, Timestamp,
    client::{Passed, Passing},
    oauth::TokenSource,
    secret::AccessToken,
};
use secrecy::SecretString;
use serde_json::json;

use super::{App, check_name};
use crate::{
    error::Error,
    store::{
        api_keys::{Allowance, ApiKey},
        care::{ProxiedCalls, Quota, Switches},
        connections::Connection,
        journal::Actor,
    },
};

mod confined;

pub use confined::{PathRefused, confined};

/// What the org said of its quota is believed for so long; then one call may ask again.
const QUOTA_IS_FRESH: Duration = Duration::from_secs(15 * 60);

/// Of a program's headers these go on to Salesforce (REST API guide v66, "Headers").
const REQUEST_HEADERS: &[&str] = &[
    "accept",
    "accept-language",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "sforce-auto-assign",
    "sforce-call-options",
    "sforce-duplicate-rule-header",
    "sforce-mru",
    "sforce-query-options",
    "x-prettyprint",
];

/// Of Salesforce's headers these come back.
const ANSWER_HEADERS: &[&str] = &[
    "content-type",
    "etag",
    "last-modified",
    "retry-after",
    "sforce-limit-info",
    "sforce-locator",
    "sforce-numberofrecords",
    "warning",
];

/// An access token that is handed out.
#[derive(Debug)]
pub struct IssuedSession {
    pub access_token: AccessToken,
    pub instance_url: String,
    pub api_version: ApiVersion,
}

/// What a program wants of the org.
pub struct ProxyRequest {
    pub method: Method,
    /// The path as it came, encoded, from `/services/data` on.
    pub path: String,
    /// The query as it came.
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why a program does not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("there is no such API key, or it is not good any more")]
    Key,
    #[error("the API key {key} is of another connection, or does not allow this ({})", needs.name())]
    NotAllowed { key: String, needs: Allowance },
    #[error("{connection}: {} is switched off", needs.name())]
    SwitchedOff { connection: String, needs: Allowance },
    #[error("{0}")]
    Path(#[from] PathRefused),
    #[error("the method {method} is not passed on")]
    Method { method: Method },
    #[error("{used} of the org's {available} API calls of 24 hours are used, and {reserve} are reserved for others")]
    Reserve { used: u64, available: u64, reserve: u64 },
    #[error(transparent)]
    Other(#[from] Box<Error>),
}

impl<E: Into<Error>> From<E> for AccessError {
    fn from(error: E) -> Self {
        Self::Other(Box::new(error.into()))
    }
}

impl App {
    /// Makes an API key for a connection, and returns it for the one time that it is shown.
    pub async fn create_api_key(
        &self,
        name: &str,
        connection: &str,
        allows: &[Allowance],
        lives: Option<Duration>,
        actor: &Actor,
    ) -> Result<SecretString, Error> {
        check_name(name)?;
        let connection = self.store.connection(connection).await?;
        let expires_at = lives.map(|lives| self.clock.now().after(lives));
        Ok(self.store.create_api_key(name, &connection, allows, expires_at, actor).await?)
    }

    /// Every API key, and the present moment to hold them against.
    pub async fn api_keys(&self) -> Result<(Vec<ApiKey>, Timestamp), Error> {
        Ok((self.store.api_keys().await?, self.clock.now()))
    }

    /// Revokes an API key; false when there is none of that name.
    pub async fn revoke_api_key(&self, name: &str, actor: &Actor) -> Result<bool, Error> {
        Ok(self.store.revoke_api_key(name, actor).await?)
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// [`AccessError::Key`], whatever is wrong with it.
    pub async fn who(&self, presented: &SecretString) -> Result<ApiKey, AccessError> {
        let key = self.store.api_key(presented).await?.ok_or(AccessError::Key)?;
        if !key.is_good(self.clock.now()) {
            return Err(AccessError::Key);
        }
        self.store.api_key_used(&key).await?;
        Ok(key)
    }

    /// An access token of the connection for the person at the command line, if its owner has switched that on.
    pub async fn token(&self, connection: &str, actor: &Actor) -> Result<IssuedSession, AccessError> {
        let (connection, _) = self.switched_on(connection, Allowance::Token).await?;
        let session = self.keeper(&connection.name).session().await;
        let session = session.map_err(|source| Error::sign_in(&connection.name, source))?;
        self.store.note(Some(&connection.name), actor, "token-issued", json!({})).await?;
        Ok(IssuedSession {
            access_token: session.access_token,
            instance_url: session.instance_url.to_string().trim_end_matches('/').to_owned(),
            api_version: connection.api_version,
        })
    }

    /// An access token of the connection for the program that holds `key`.
    pub async fn token_for(&self, key: &ApiKey, connection: &str) -> Result<IssuedSession, AccessError> {
        allowed(key, connection, Allowance::Token)?;
        self.token(connection, &Actor::ApiKey(key.name.clone())).await
    }

    /// Passes a request of a program on to the org. Reading needs the switch `proxy`; all else `proxy-writes` as well, and
    /// is noted. The reserve of the org's quota is left to others.
    pub async fn proxy(&self, key: &ApiKey, connection: &str, request: ProxyRequest) -> Result<Passed, AccessError> {
        let writes = match request.method {
            Method::GET | Method::HEAD => false,
            Method::POST | Method::PUT | Method::PATCH | Method::DELETE => true,
            method => return Err(AccessError::Method { method }),
        };
        let needs = if writes { Allowance::ProxyWrites } else { Allowance::Proxy };
        allowed(key, connection, needs)?;
        let (connection, switches) = self.switched_on(connection, needs).await?;
        let path = confined(&request.path, request.query.as_deref())?;
        self.spare_the_reserve(&connection, &switches).await?;
        if writes {
            // Before it is sent: what happens is known even if this process dies in the middle. Values stay out.
            let detail = json!({ "method": request.method.as_str(), "path": request.path });
            let actor = Actor::ApiKey(key.name.clone());
            self.store.note(Some(&connection.name), &actor, "proxy-write", detail).await?;
        }
        let client = self.client(&connection);
        let passed = client.pass(&passing(request, path)).await;
        let usage = client.usage();
        let calls = ProxiedCalls { calls: usage.calls, writes: if writes { usage.calls } else { 0 } };
        let quota = usage.org_used.zip(usage.org_max);
        self.store.count_proxied(&connection.id, &calls, quota).await?;
        passed
            .map(|mut passed| {
                passed.headers = only(&passed.headers, ANSWER_HEADERS);
                passed
            })
            .map_err(|source| Error::api(&connection.name, source).into())
    }

    /// What programs have asked of the org through the proxy within a day, and what the org says of its quota.
    pub async fn proxied(&self, connection: &Connection) -> Result<(ProxiedCalls, Option<Quota>), Error> {
        let day = Duration::from_secs(24 * 3600);
        Ok((self.store.proxied_calls(&connection.id, day).await?, self.store.quota(&connection.id).await?))
    }

    async fn switched_on(&self, name: &str, needs: Allowance) -> Result<(Connection, Switches), AccessError> {
        let connection = self.store.connection(name).await?;
        let switches = self.store.switches(&connection.id).await?;
        let is_on = match needs {
            Allowance::Token => switches.token,
            Allowance::Proxy => switches.proxy,
            Allowance::ProxyWrites => switches.proxy && switches.proxy_writes,
        };
        match is_on {
            true => Ok((connection, switches)),
            false => Err(AccessError::SwitchedOff { connection: connection.name, needs }),
        }
    }

    async fn spare_the_reserve(&self, connection: &Connection, switches: &Switches) -> Result<(), AccessError> {
        let Some(quota) = self.store.quota(&connection.id).await?.filter(|_| switches.reserve > 0) else {
            return Ok(());
        };
        let age = self.clock.now().0.saturating_sub(quota.seen_at.0);
        let is_fresh = u64::try_from(age).is_ok_and(|age| u128::from(age) < QUOTA_IS_FRESH.as_millis());
        match is_fresh && quota.used + switches.reserve >= quota.available {
            true => {
                Err(AccessError::Reserve { used: quota.used, available: quota.available, reserve: switches.reserve })
            }
            false => Ok(()),
        }
    }
}

fn allowed(key: &ApiKey, connection: &str, needs: Allowance) -> Result<(), AccessError> {
    match key.connection == connection && key.allows.contains(&needs) {
        true => Ok(()),
        false => Err(AccessError::NotAllowed { key: key.name.clone(), needs }),
    }
}

fn passing(request: ProxyRequest, path: String) -> Passing {
    let kind = request.headers.get(http::header::CONTENT_TYPE).cloned();
    let body = (!request.body.is_empty())
        .then(|| (kind.unwrap_or(HeaderValue::from_static("application/json")), request.body));
    let headers = only(&request.headers, REQUEST_HEADERS);
    let headers: Vec<(HeaderName, HeaderValue)> =
        headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Passing { method: request.method, path, headers, body }
}

/// What is named goes on; all else (hop-by-hop, cookies, credentials) stays here.
fn only(headers: &HeaderMap, names: &[&'static str]) -> HeaderMap {
    let known = names.iter().map(|name| HeaderName::from_static(name));
    known.filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect()
}
