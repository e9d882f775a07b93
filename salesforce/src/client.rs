//! One org, one API version, one source of sessions.

mod pass;

use std::{fmt, sync::Arc};

pub use self::pass::{Passed, Passing};

use crate::{
    error::{ApiError, OAuthError},
    host::OrgUrl,
    http::{Answer, Http, Receive, Request, Timer, Usage},
    oauth::{ClientApp, Introspection, IssuedToken, Session, TokenSource, introspect},
    quota::Governor,
    time::Timestamp,
};

/// An API version such as `68.0`, kept as its whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ApiVersion(pub u16);

impl fmt::Display for ApiVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "v{}.0", self.0)
    }
}

/// Calls made by this client, and what the org said of its quota (`Sforce-Limit-Info`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApiUsage {
    /// Requests sent that count against the quota, attempts included.
    pub calls: u64,
    /// Those among them that made a Bulk API 2.0 query job.
    pub jobs: u64,
    pub org_used: Option<u64>,
    pub org_max: Option<u64>,
}

/// Speaks for one org; cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: Http,
    tokens: Arc<dyn TokenSource>,
    version: ApiVersion,
    usage: Arc<Usage>,
}

impl Client {
    pub fn new(http: Http, tokens: Arc<dyn TokenSource>, version: ApiVersion) -> Self {
        Self { http, tokens, version, usage: Arc::default() }
    }

    /// The same client; whatever counts against the org's quota is sent only if `governor` admits it.
    #[must_use]
    pub fn governed_by(self, governor: Arc<dyn Governor>) -> Self {
        Self { usage: Arc::new(Usage::governed_by(governor)), ..self }
    }

    pub fn version(&self) -> ApiVersion {
        self.version
    }

    /// What has been used so far, by all clones of this client.
    pub fn usage(&self) -> ApiUsage {
        let org = self.usage.org();
        ApiUsage {
            calls: self.usage.calls(),
            jobs: self.usage.jobs(),
            org_used: org.map(|(used, _)| used),
            org_max: org.map(|(_, max)| max),
        }
    }

    /// The org's clock, from the `Date` header of an answer to a request made for it (whole seconds).
    ///
    /// The versions resource is asked: it costs no call.
    pub async fn server_time(&self) -> Result<Timestamp, ApiError> {
        let request = Request::get("/services/data", "/services/data".to_owned(), "asking the org for its time");
        let answer: Answer = self.call(&request.uncounted()).await?;
        answer.date().ok_or_else(|| answer.unexpected("it has no Date header".to_owned()))
    }

    /// What the org's clock shows now, by its last answer to this process; the org is asked when there was none.
    ///
    /// Good enough to decide what is due. Another clock than ours, so nothing that has to be right may rest on it.
    pub async fn org_time(&self) -> Result<Timestamp, ApiError> {
        match self.http.time_at(&self.host().await?) {
            Some(time) => Ok(time),
            None => self.server_time().await,
        }
    }

    /// The timer that everything waits on, and measures by.
    pub fn timer(&self) -> &dyn Timer {
        self.http.timer()
    }

    /// Whether the session's token is a JWT, which SOAP and Bulk do not take (jsforce `src/soap.ts`; vendor guides).
    pub async fn speaks_by_jwt(&self) -> Result<bool, OAuthError> {
        Ok(self.tokens.session().await?.access_token.is_jwt())
    }

    /// What Salesforce says of the session's token: what it is good for, and until when.
    ///
    /// # Errors
    /// See [`introspect`].
    pub async fn introspect(&self, app: &ClientApp) -> Result<Introspection, OAuthError> {
        let session = self.tokens.session().await?;
        introspect(&self.http, &session.instance_url, app, IssuedToken::Access(&session.access_token)).await
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// The host that requests go to now.
    pub(crate) async fn host(&self) -> Result<String, ApiError> {
        Ok(self.tokens.session().await?.instance_url.host().to_owned())
    }

    /// An answer that contradicts itself.
    pub(crate) async fn protocol(&self, violation: &'static str) -> ApiError {
        match self.host().await {
            Ok(host) => ApiError::Protocol { doing: "reading records".to_owned(), host, violation },
            Err(error) => error,
        }
    }

    /// The path of a data resource in this client's version.
    pub(crate) fn data_path(&self, resource: &str) -> String {
        format!("/services/data/{}/{resource}", self.version)
    }

    /// Sends `request` with the session. A session that Salesforce no longer accepts is renewed, and the request repeated.
    /// Twice, since the first other session may be one that somebody else obtained long ago and that has ended too.
    ///
    /// # Errors
    /// [`ApiError::SessionRefused`] when a new session is refused too, or would not help. Other refusals of access
    /// renew nothing.
    pub(crate) async fn call<T: Receive>(&self, request: &Request) -> Result<T, ApiError> {
        self.call_at(request).await.map(|(answer, _)| answer)
    }

    /// Like `call`; tells which host answered.
    pub(crate) async fn call_at<T: Receive>(&self, request: &Request) -> Result<(T, OrgUrl), ApiError> {
        let mut session = self.tokens.session().await?;
        for renewed in [false, true] {
            let refusal = match self.call_once(request, &session).await {
                Err(ApiError::Refused(refusal)) if refusal.is_about_session() => refusal,
                outcome => return Ok((outcome?, session.instance_url)),
            };
            if !refusal.is_cured_by_new_session() {
                return Err(ApiError::SessionRefused { refusal, renewed });
            }
            session = self.tokens.renew(&session.access_token).await?;
        }
        match self.call_once(request, &session).await {
            Err(ApiError::Refused(refusal)) if refusal.is_about_session() => {
                Err(ApiError::SessionRefused { refusal, renewed: true })
            }
            outcome => Ok((outcome?, session.instance_url)),
        }
    }

    async fn call_once<T: Receive>(&self, request: &Request, session: &Session) -> Result<T, ApiError> {
        self.http.send(&session.instance_url, request, Some(&session.access_token), Some(&self.usage)).await
    }
}
