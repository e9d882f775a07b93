//! One request, read completely, except for an upload, which whoever stores it reads as it arrives.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use flate2::read::{GzDecoder, ZlibDecoder};
use http::request::Parts;
use http::{HeaderMap, Method, Request, header};
use hyper::body::{Body, Incoming};
use tokio::sync::Mutex;

use crate::route::Route;
use crate::site::Site;

/// Bodies above this are refused; the largest that Salesforce documents for REST is 50 MB.
const MAX_BODY: usize = 64 << 20;
/// What is still read of an upload that has been refused, so that its sender gets to read why.
const MAX_UNWANTED: usize = 256 << 20;

/// How data in the format of gzip begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// By which listener a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Plain,
    Tls,
}

/// A request and where it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// Empty for an upload.
    pub(crate) body: Bytes,
    pub(crate) upload: Option<Upload>,
    pub(crate) arrival: Arrival,
    /// Host without port, in lower case.
    pub(crate) host: String,
    pub(crate) site: Site,
    /// Number in the journal; decides which server a change of configuration has reached.
    pub(crate) number: u64,
    /// Bytes of the request target, before decoding.
    pub(crate) uri_bytes: usize,
}

/// A body that is read as it arrives, once.
#[derive(Clone, Debug)]
pub(crate) struct Upload(Arc<Mutex<Incoming>>);

impl Upload {
    /// The next piece; `None` at the end.
    pub(crate) async fn next(&self) -> Option<Result<Bytes, Unreadable>> {
        let mut body = self.0.lock().await;
        loop {
            let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                Ok(Err(_)) => {}
                Err(_) => return Some(Err(Unreadable::Broken)),
            }
        }
    }

    /// How long it says that it is.
    pub(crate) async fn length(&self) -> Option<u64> {
        self.0.lock().await.size_hint().exact()
    }

    /// Reads past what nobody wanted.
    pub(crate) async fn drain(&self) {
        let mut read = 0;
        while let Some(Ok(data)) = self.next().await {
            read += data.len();
            if read > MAX_UNWANTED {
                return;
            }
        }
    }
}

/// Why the body of a request could not be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    TooLarge,
    Broken,
}

impl Call {
    pub(crate) async fn read(
        request: Request<Incoming>,
        arrival: Arrival,
        site: impl FnOnce(&str) -> Site,
    ) -> Result<Self, Unreadable> {
        let (parts, body) = request.into_parts();
        if Route::parse(parts.uri.path()).takes_upload(&parts.method) {
            let mut call = Self::new(parts, Bytes::new(), arrival, site);
            call.upload = Some(Upload(Arc::new(Mutex::new(body))));
            return Ok(call);
        }
        let body = uncompressed(&parts.headers, read_body(body).await?)?;
        Ok(Self::new(parts, body, arrival, site))
    }

    pub(crate) fn new(parts: Parts, body: Bytes, arrival: Arrival, site: impl FnOnce(&str) -> Site) -> Self {
        let host = host_of(&parts);
        let target = parts.uri.path_and_query();
        let mut method = parts.method;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let overridden = overridden_method(&method, &query);
        if let Some(overridden) = overridden {
            method = overridden;
        }
        Self {
            method,
            path: parts.uri.path().to_owned(),
            query,
            uri_bytes: target.map_or(0, |target| target.as_str().len()),
            headers: parts.headers,
            body,
            upload: None,
            arrival,
            site: site(&host),
            number: 0,
            host,
        }
    }

    /// The first value of a header, when it is text.
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter of the query string, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        url::form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Method and path as faults and people write them.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Bytes of all headers as HTTP/1.1 would send them.
    pub(crate) fn header_bytes(&self) -> usize {
        let line = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
            name.as_str().len() + value.len() + ": \r\n".len()
        };
        self.headers.iter().map(line).sum()
    }

    /// The token of an `Authorization` header with the scheme `Bearer` or, as older clients send it, `OAuth`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header(header::AUTHORIZATION)?.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth");
        known.then_some(token.trim())
    }

    /// Whether the body has the media type `wanted`.
    pub(crate) fn has_media_type(&self, wanted: &str) -> bool {
        self.header(header::CONTENT_TYPE)
            .and_then(|value| value.split(';').next())
            .is_some_and(|media| media.trim().eq_ignore_ascii_case(wanted))
    }

    /// Whether the client asked for indented JSON.
    pub(crate) fn wants_pretty_json(&self) -> bool {
        matches!(self.header("x-prettyprint"), Some("1" | "true"))
    }
}

/// `?_HttpMethod=PATCH` on a POST (REST API guide, "Using HTTP PATCH with clients that do not support it").
fn overridden_method(method: &Method, query: &str) -> Option<Method> {
    if method != Method::POST {
        return None;
    }
    let (_, name) = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "_HttpMethod")?;
    Method::from_bytes(name.to_ascii_uppercase().as_bytes()).ok()
}

fn host_of(parts: &Parts) -> String {
    let from_header = || parts.headers.get(header::HOST)?.to_str().ok();
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let host = authority.or_else(from_header).unwrap_or_default();
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    without_port.to_ascii_lowercase()
}

async fn read_body(mut body: Incoming) -> Result<Bytes, Unreadable> {
    let mut frames = VecDeque::new();
    let mut total = 0;
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Unreadable::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        total += data.len();
        if total > MAX_BODY {
            return Err(Unreadable::TooLarge);
        }
        frames.push_back(data);
    }
    if frames.len() == 1 {
        return Ok(frames.pop_front().unwrap_or_default());
    }
    let mut whole = BytesMut::with_capacity(total);
    frames.iter().for_each(|frame| whole.extend_from_slice(frame));
    Ok(whole.freeze())
}

/// A body without its compression. Source: REST API guide, "Compression Headers".
fn uncompressed(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Unreadable> {
    let coding = headers.get(header::CONTENT_ENCODING).and_then(|coding| coding.to_str().ok()).unwrap_or_default();
    let decoder: Box<dyn Read + '_> = match coding.trim().to_ascii_lowercase().as_str() {
        // Some clients send the header with a body that is not packed, and orgs take it.
        "gzip" | "x-gzip" if body.starts_with(&GZIP) => Box::new(GzDecoder::new(body.as_ref())),
        "deflate" => Box::new(ZlibDecoder::new(body.as_ref())),
        _ => return Ok(body),
    };
    let mut plain = Vec::new();
    let most = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    decoder.take(most + 1).read_to_end(&mut plain).map_err(|_| Unreadable::Broken)?;
    if plain.len() > MAX_BODY { Err(Unreadable::TooLarge) } else { Ok(plain.into()) }
}
