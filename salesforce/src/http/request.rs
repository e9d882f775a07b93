//! What is sent, before it is known with which session.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};

use crate::quota::Spend;

/// What happens when Salesforce gets a request twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    /// Nothing that matters: it is sent again after every transient failure.
    Harmless,
    /// Something may be lost: it is sent again only if Salesforce has certainly not acted on it.
    OnlyIfNotSeen,
}

/// Says whether a request may still be sent. It is asked when the connection stands and the first byte of the body is
/// about to leave: after all that may have taken long.
pub type MaySend = std::sync::Arc<dyn Fn() -> bool + Send + Sync>;

/// No answer that is read whole is larger. The largest are describes and query pages of 2,000 wide records.
const LONGEST_ANSWER_BYTES: usize = 256 << 20;
/// Tokens, identities and the like take a few kilobytes.
const LONGEST_TOKEN_BYTES: usize = 1 << 20;

/// The body of a request.
#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    Json(Bytes),
    Form(Bytes),
    Xml(Bytes),
    /// Of a type that others have chosen.
    Typed(HeaderValue, Bytes),
}

/// A request to some org's host. It has no `Debug`: path and body may hold what must not be logged.
#[derive(Clone)]
pub(crate) struct Request {
    pub(super) method: Method,
    /// Encoded path and query.
    pub(super) path: String,
    /// The path's pattern, for the log.
    pub(super) route: &'static str,
    /// For messages: "describe Account".
    pub(super) doing: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Body,
    pub(super) replay: Replay,
    /// What it takes from the org's quota; `None`: nothing.
    pub(super) spends: Option<Spend>,
    /// Uses a connection of its own.
    pub(super) fresh: bool,
    /// Whatever comes back is an answer: redirects, pages, refusals.
    pub(super) takes_anything: bool,
    pub(super) may_send: Option<MaySend>,
    /// Attempts in all; `None`: as many as the policy allows.
    pub(super) attempts: Option<u32>,
    /// Of an answer that is read whole no more bytes are taken.
    pub(super) longest: usize,
}

impl Request {
    pub(crate) fn new(method: Method, route: &'static str, path: String, doing: impl Into<String>) -> Self {
        Self {
            method,
            path,
            route,
            doing: doing.into(),
            headers: vec![(header::ACCEPT, HeaderValue::from_static("application/json"))],
            body: Body::Empty,
            replay: Replay::Harmless,
            spends: Some(Spend::Call),
            fresh: false,
            takes_anything: false,
            may_send: None,
            attempts: None,
            longest: LONGEST_ANSWER_BYTES,
        }
    }

    pub(crate) fn get(route: &'static str, path: String, doing: impl Into<String>) -> Self {
        Self::new(Method::GET, route, path, doing)
    }

    /// A form for an OAuth endpoint, whose answers must never be lost unnoticed.
    pub(crate) fn oauth(route: &'static str, form: Bytes, replay: Replay) -> Self {
        let mut request = Self::new(Method::POST, route, route.to_owned(), "signing in").uncounted();
        request.body = Body::Form(form);
        request.longest = LONGEST_TOKEN_BYTES;
        request.replay = replay;
        request.fresh = true;
        request
    }

    /// A request to the data API in the words of others, whose answer is passed on whatever it is.
    pub(crate) fn passed_on(method: Method, path: String, replay: Replay) -> Self {
        let request = Self::new(method, "/services/data/…", path, "passing a request on");
        Self { replay, ..request.taking_anything() }
    }

    /// A body of any type.
    pub(crate) fn typed(mut self, kind: HeaderValue, body: Bytes) -> Self {
        self.body = Body::Typed(kind, body);
        self
    }

    /// Keeps the body back unless `may_send` says yes at the last moment.
    pub(crate) fn only_if(mut self, may_send: MaySend) -> Self {
        self.may_send = Some(may_send);
        self
    }

    pub(crate) fn json(mut self, body: Bytes) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// An XML message, sent over a connection of its own.
    pub(crate) fn xml(mut self, body: Bytes, replay: Replay) -> Self {
        self.body = Body::Xml(body);
        self.replay = replay;
        self.fresh = true;
        self
    }

    /// Sets a header, replacing an earlier one of that name.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(present, _)| *present != name);
        self.headers.push((name, value));
        self
    }

    /// Takes every answer as one, whatever its status and its kind; see [`super::Whatever`].
    pub(crate) fn taking_anything(mut self) -> Self {
        self.takes_anything = true;
        self
    }

    /// Is not sent again, whatever becomes of it, and gets a short answer.
    pub(crate) fn once(mut self) -> Self {
        (self.attempts, self.longest) = (Some(1), LONGEST_TOKEN_BYTES);
        self
    }

    pub(crate) fn uncounted(mut self) -> Self {
        self.spends = None;
        self
    }

    /// Makes a Bulk job, of which an org has so many a day.
    pub(crate) fn making_a_job(mut self) -> Self {
        self.spends = Some(Spend::Job);
        self
    }
}
