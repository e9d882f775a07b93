//! One request, as often as it takes.

use std::{
    error::Error as StdError,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};

use super::{
    Http, MaySend, Request, Usage,
    answer::{Receive, Streaming},
    request::Body,
    resolver::{PrivateAddress, UnknownName},
    retry,
};
use crate::{
    error::{
        ApiError, ErrorCode, Refusal, WireError,
        body::{self, Said},
    },
    host::OrgUrl,
    secret::AccessToken,
};

/// Of a refusal's body no more is read.
const LONGEST_REFUSAL_BYTES: usize = 256 << 10;

impl Http {
    /// Sends `request` to `org`, again and again while the failure is transient and the policy allows.
    ///
    /// Each attempt is counted in `usage` if the request counts against the quota at all, and is made only if the quota's
    /// governor admits it.
    pub(crate) async fn send<T: Receive>(
        &self,
        org: &OrgUrl,
        request: &Request,
        bearer: Option<&AccessToken>,
        usage: Option<&Usage>,
    ) -> Result<T, ApiError> {
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(org, request, bearer, usage, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let again = retry::is_worth_another_attempt(&failure, request.replay);
            if !again || attempt >= request.attempts.unwrap_or(self.config.retry.attempts) {
                let given_up = again && attempt > 1;
                return Err(if given_up {
                    ApiError::GivenUp { attempts: attempt, last: Box::new(failure) }
                } else {
                    failure
                });
            }
            self.pause(attempt, &failure).await;
            attempt += 1;
        }
    }

    /// Waits as long as the policy says after failed attempt number `attempt`.
    pub(crate) async fn pause(&self, attempt: u32, failure: &ApiError) {
        // Without randomness the waits are merely less spread.
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        let wait = retry::wait(&self.config.retry, attempt, failure.retry_after(), random);
        tracing::info!(attempt, wait_ms = wait.as_millis() as u64, "waiting before another attempt");
        self.timer().sleep(wait).await;
    }

    /// Attempts that the policy allows, the first one included.
    pub(crate) fn attempts(&self) -> u32 {
        self.config.retry.attempts
    }

    async fn attempt<T: Receive>(
        &self,
        org: &OrgUrl,
        request: &Request,
        bearer: Option<&AccessToken>,
        usage: Option<&Usage>,
        attempt: u32,
    ) -> Result<T, ApiError> {
        let started = Instant::now();
        let outcome = self.attempt_unlogged(org, request, bearer, usage).await;
        let status = match &outcome {
            Ok((status, _)) => *status,
            Err(error) => error.refusal().map_or(0, |refusal| refusal.status),
        };
        tracing::debug!(
            host = org.host(),
            method = request.method.as_str(),
            route = request.route,
            status,
            duration_ms = started.elapsed().as_millis() as u64,
            attempt,
            "request"
        );
        outcome.map(|(_, answer)| answer)
    }

    async fn attempt_unlogged<T: Receive>(
        &self,
        org: &OrgUrl,
        request: &Request,
        bearer: Option<&AccessToken>,
        usage: Option<&Usage>,
    ) -> Result<(u16, T), ApiError> {
        let failed = |cause| ApiError::Wire { doing: request.doing.clone(), cause };
        let host = org.host().to_owned();
        if !self.config.host_rules.admits(&host) {
            return Err(failed(WireError::HostRefused { host }));
        }
        if let (Some(usage), Some(spend)) = (usage, request.spends) {
            usage.spend(spend).await?;
        }
        let kept = Arc::default();
        let sent_at = self.timer().instant();
        let sending = self.build(org, request, bearer, &kept).send();
        let response = match tokio::time::timeout(self.config.response_timeout, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) if kept.load(Ordering::SeqCst) => return Err(failed(WireError::TooLate { host })),
            Ok(Err(error)) => return Err(failed(wire_error(&host, &error))),
            Err(_) => return Err(failed(WireError::NoAnswer { host, waited: self.config.response_timeout })),
        };
        if let (Some(usage), Some(limits)) = (usage, response.headers().get("sforce-limit-info")) {
            usage.note_limits(limits.to_str().unwrap_or_default());
        }
        let answered_at = self.timer().instant();
        if let Some(date) = retry::date(response.headers()) {
            self.clocks.note(&host, date, answered_at);
        }
        let status = response.status().as_u16();
        let answer = Streaming {
            response,
            took: answered_at.saturating_duration_since(sent_at),
            doing: request.doing.clone(),
            host,
            read_timeout: self.config.read_timeout,
            longest: request.longest,
            is_first_piece: !request.takes_anything,
        };
        match status {
            _ if request.takes_anything => Ok((status, T::receive(answer).await?)),
            200..=299 | 304 if answer.is_page() => Err(answer.into_maintenance().await),
            200..=299 | 304 => Ok((status, T::receive(answer).await?)),
            _ => Err(refusal(answer).await),
        }
    }

    fn build(
        &self,
        org: &OrgUrl,
        request: &Request,
        bearer: Option<&AccessToken>,
        kept: &Arc<AtomicBool>,
    ) -> reqwest::RequestBuilder {
        let client = if request.fresh { &self.fresh } else { &self.pooled };
        let mut builder = client.request(request.method.clone(), format!("{org}{}", request.path));
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        // Built anew for each attempt, so a renewed session replaces the header instead of adding a second one.
        if let Some(bearer) = bearer.and_then(bearer_header) {
            builder = builder.header(header::AUTHORIZATION, bearer);
        }
        let (kind, body) = match &request.body {
            Body::Empty => return builder,
            Body::Json(body) => ("application/json; charset=UTF-8", body),
            Body::Form(body) => ("application/x-www-form-urlencoded", body),
            Body::Xml(body) => ("text/xml; charset=UTF-8", body),
            Body::Typed(kind, body) => return builder.header(header::CONTENT_TYPE, kind).body(body.clone()),
        };
        let builder = builder.header(header::CONTENT_TYPE, kind);
        match &request.may_send {
            Some(may_send) => builder.header(header::CONTENT_LENGTH, body.len()).body(held_back(body, may_send, kept)),
            None => builder.body(body.clone()),
        }
    }
}

/// A body that leaves in one piece or not at all; `kept` then becomes true. Without it the request is incomplete, and
/// Salesforce does nothing.
fn held_back(body: &Bytes, may_send: &MaySend, kept: &Arc<AtomicBool>) -> reqwest::Body {
    let (body, may_send, kept) = (body.clone(), MaySend::clone(may_send), Arc::clone(kept));
    reqwest::Body::wrap_stream(stream::once(async move {
        if may_send() {
            return Ok(body);
        }
        kept.store(true, Ordering::SeqCst);
        Err(io::Error::other("it is too late to send this"))
    }))
}

/// `None` for a token that no header can carry; Salesforce then says that there is none.
fn bearer_header(token: &AccessToken) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Turns an answer with an error status into what it says.
async fn refusal(mut answer: Streaming) -> ApiError {
    let (status, headers) = (answer.response.status().as_u16(), answer.headers().clone());
    let mut read = Vec::new();
    // What came of a broken body may still say why.
    let _ = answer.beginning(LONGEST_REFUSAL_BYTES, &mut read).await;
    let (doing, host) = (answer.doing, answer.host);
    judge(doing, host, status, retry::retry_after(&headers), &read)
}

/// The error that an answer with an error status stands for.
pub(crate) fn judge(
    doing: String,
    host: String,
    status: u16,
    retry_after: Option<std::time::Duration>,
    said: &[u8],
) -> ApiError {
    let (code, message, fields) = match body::read(said) {
        Said::Code { code, message, fields } => (code, message, fields),
        Said::OAuth { error, description } => (ErrorCode::parse(&error), description, Vec::new()),
        Said::Page { title } if status >= 500 => {
            return ApiError::Wire { doing, cause: WireError::Maintenance { host, status, title, retry_after } };
        }
        Said::Page { title } => (ErrorCode::Other(format!("HTTP_{status}")), title, Vec::new()),
        Said::Text(text) if !text.contains(char::is_whitespace) => (ErrorCode::parse(&text), String::new(), Vec::new()),
        Said::Text(text) => (ErrorCode::Other(format!("HTTP_{status}")), text, Vec::new()),
        Said::Nothing => {
            return ApiError::Wire { doing, cause: WireError::Unavailable { host, status, retry_after } };
        }
    };
    ApiError::Refused(Box::new(Refusal { doing, host, status, code, message, fields, retry_after }))
}

/// The cause inside reqwest's error.
pub(super) fn wire_error(host: &str, error: &reqwest::Error) -> WireError {
    let (host, reason) = (host.to_owned(), reason(error));
    if let Some(PrivateAddress(address)) = find(error) {
        return WireError::PrivateAddress { host, address: *address };
    }
    if find::<UnknownName>(error).is_some() {
        return WireError::UnknownHost { host, reason };
    }
    if let Some(rustls::Error::InvalidCertificate(certificate)) = find(error) {
        return WireError::Certificate { host, reason: certificate.to_string() };
    }
    match error.is_connect() {
        true => WireError::Unreachable { host, reason },
        false => WireError::Broken { host, reason },
    }
}

/// The first error of type `E` among the causes. An I/O error that was made from another one names that one's source
/// as its own and has to be opened; TLS errors come in two such wrappings.
fn find<'a, E: StdError + 'static>(error: &'a reqwest::Error) -> Option<&'a E> {
    let mut next: Option<&'a (dyn StdError + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|wrapped| wrapped as &(dyn StdError + 'static)).or_else(|| cause.source());
    }
    None
}

/// The words of all causes below the first, which only repeats the URL.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if words.last().is_none_or(|last| !last.contains(&text)) {
            words.push(text);
        }
        next = cause.source();
    }
    if words.is_empty() { "no reason given".to_owned() } else { body::redact(&words.join(": ")) }
}
