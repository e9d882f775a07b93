//! Requests of others, passed on as they are.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::Client;
use crate::{
    error::ApiError,
    http::{Replay, Request, Streaming, Unread},
    oauth::Session,
};

/// A request to the data API in somebody else's words. Path and headers are the caller's to check.
#[derive(Clone)]
pub struct Passing {
    pub method: Method,
    /// Encoded path and query, below the org's own address.
    pub path: String,
    /// Neither `Authorization` nor anything about the connection.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// With its content type.
    pub body: Option<(HeaderValue, Bytes)>,
}

/// What the org answered, whatever its status; the body is still on its way.
pub struct Passed {
    pub status: u16,
    pub headers: HeaderMap,
    body: Streaming,
}

impl Passed {
    /// The next piece of the body, decompressed, or `None` at its end.
    ///
    /// # Errors
    /// The connection broke, or nothing came for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        self.body.chunk().await
    }
}

impl Client {
    /// Sends `passing` with the session. A session that has ended is renewed. It counts against the org's quota.
    ///
    /// What can change something is sent again only if Salesforce has certainly not seen it.
    ///
    /// # Errors
    /// There is no session, or no answer. A refusal is an answer.
    pub async fn pass(&self, passing: &Passing) -> Result<Passed, ApiError> {
        let reads = matches!(passing.method, Method::GET | Method::HEAD);
        let replay = if reads { Replay::Harmless } else { Replay::OnlyIfNotSeen };
        let request = Request::passed_on(passing.method.clone(), passing.path.clone(), replay);
        let request =
            passing.headers.iter().fold(request, |request, (name, value)| request.header(name.clone(), value.clone()));
        let request = match &passing.body {
            Some((kind, body)) => request.typed(kind.clone(), body.clone()),
            None => request,
        };
        let mut session = self.tokens.session().await?;
        for _ in 0..2 {
            let answer = self.pass_once(&request, &session).await?;
            if answer.status != 401 {
                return Ok(answer);
            }
            // Whatever was asked was not done. Whether another session helps is seen when it is used.
            session = self.tokens.renew(&session.access_token).await?;
        }
        self.pass_once(&request, &session).await
    }

    async fn pass_once(&self, request: &Request, session: &Session) -> Result<Passed, ApiError> {
        let bearer = Some(&session.access_token);
        let Unread(answer) = self.http.send(&session.instance_url, request, bearer, Some(&self.usage)).await?;
        Ok(Passed { status: answer.status(), headers: answer.headers().clone(), body: answer })
    }
}
