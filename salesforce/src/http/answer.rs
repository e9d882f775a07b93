//! What came back.

use std::{future::Future, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use serde::Deserialize;

use super::{retry, send};
use crate::{
    error::{ApiError, WireError, body},
    time::Timestamp,
};

/// Of an answer of any kind no more is read: error pages and SOAP envelopes have some kilobytes.
const LONGEST_PAGE_BYTES: usize = 256 << 10;

/// A successful answer whose body is still on its way.
pub(crate) struct Streaming {
    pub(super) response: reqwest::Response,
    pub(super) doing: String,
    pub(super) host: String,
    /// From sending the request to the head of the answer.
    pub(super) took: Duration,
    pub(super) read_timeout: Duration,
    pub(super) longest: usize,
    pub(super) is_first_piece: bool,
}

/// A successful answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    took: Duration,
    doing: String,
    host: String,
}

/// Any answer, whatever its status and its kind, with the beginning of its body.
pub(crate) struct Whatever {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// At most [`LONGEST_PAGE_BYTES`].
    pub(crate) body: Vec<u8>,
    pub(crate) host: String,
    doing: String,
}

/// How the body of a successful answer is taken.
pub(crate) trait Receive: Sized + Send {
    /// Takes the body; what fails here counts as a failed attempt.
    fn receive(answer: Streaming) -> impl Future<Output = Result<Self, ApiError>> + Send;
}

impl Receive for Streaming {
    async fn receive(answer: Streaming) -> Result<Self, ApiError> {
        Ok(answer)
    }
}

/// An answer of which nothing is read, and nothing is judged.
pub(crate) struct Unread(pub(crate) Streaming);

impl Receive for Unread {
    async fn receive(mut answer: Streaming) -> Result<Self, ApiError> {
        answer.is_first_piece = false;
        Ok(Self(answer))
    }
}

impl Receive for Answer {
    async fn receive(mut answer: Streaming) -> Result<Self, ApiError> {
        let status = answer.response.status().as_u16();
        let headers = std::mem::take(answer.response.headers_mut());
        let body = answer.whole(answer.longest).await?;
        Ok(Self { status, headers, body, took: answer.took, doing: answer.doing, host: answer.host })
    }
}

impl Receive for Whatever {
    async fn receive(mut answer: Streaming) -> Result<Self, ApiError> {
        let status = answer.response.status().as_u16();
        let headers = std::mem::take(answer.response.headers_mut());
        let mut body = Vec::new();
        answer.beginning(LONGEST_PAGE_BYTES, &mut body).await?;
        Ok(Self { status, headers, body, host: answer.host, doing: answer.doing })
    }
}

impl Whatever {
    /// The error that this answer stands for, read as a refusal.
    pub(crate) fn into_error(self) -> ApiError {
        send::judge(self.doing, self.host, self.status, retry::retry_after(&self.headers), &self.body)
    }

    /// When Salesforce answered, by its own clock.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        retry::date(&self.headers)
    }
}

impl Streaming {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next piece of the body, as it came, or `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        let piece = match tokio::time::timeout(self.read_timeout, self.response.chunk()).await {
            Ok(Ok(piece)) => piece,
            Ok(Err(error)) => return Err(self.failed(send::wire_error(&self.host, &error))),
            Err(_) => {
                return Err(self.failed(WireError::Stalled { host: self.host.clone(), waited: self.read_timeout }));
            }
        };
        if std::mem::take(&mut self.is_first_piece)
            && let Some(bytes) = &piece
            && starts_like_a_page(bytes)
        {
            return Err(self.maintenance(bytes));
        }
        Ok(piece)
    }

    /// Adds the first bytes of the body to `read`, as far as they come; what is beyond `limit` is not waited for.
    pub(super) async fn beginning(&mut self, limit: usize, read: &mut Vec<u8>) -> Result<(), ApiError> {
        self.is_first_piece = false;
        while let Some(piece) = self.chunk().await? {
            read.extend_from_slice(&piece);
            if read.len() > limit {
                read.truncate(limit);
                break;
            }
        }
        Ok(())
    }

    async fn whole(&mut self, limit: usize) -> Result<Bytes, ApiError> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut body = BytesMut::from(first);
        body.extend_from_slice(&second);
        while let Some(piece) = self.chunk().await? {
            if body.len() + piece.len() > limit {
                return Err(self.failed(WireError::TooLarge { host: self.host.clone(), limit }));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    fn failed(&self, cause: WireError) -> ApiError {
        ApiError::Wire { doing: self.doing.clone(), cause }
    }

    fn maintenance(&self, page: &[u8]) -> ApiError {
        let title = match body::read(page) {
            body::Said::Page { title } => title,
            _ => String::new(),
        };
        let retry_after = retry::retry_after(self.headers());
        let status = self.response.status().as_u16();
        self.failed(WireError::Maintenance { host: self.host.clone(), status, title, retry_after })
    }

    /// True when the head already says that a page for people follows.
    pub(super) fn is_page(&self) -> bool {
        let kind = self.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
    }

    /// Reads a page far enough to name it.
    pub(super) async fn into_maintenance(mut self) -> ApiError {
        self.is_first_piece = false;
        let page = self.chunk().await.ok().flatten().unwrap_or_default();
        self.maintenance(&page)
    }
}

/// JSON and our CSV (quoted headers) never start so.
fn starts_like_a_page(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'<')
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] when it is something else.
    pub(crate) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| self.unexpected(error.to_string()))
    }

    pub(crate) fn unexpected(&self, reason: String) -> ApiError {
        ApiError::Unexpected { doing: self.doing.clone(), host: self.host.clone(), reason }
    }

    pub(crate) fn broken_protocol(&self, violation: &'static str) -> ApiError {
        ApiError::Protocol { doing: self.doing.clone(), host: self.host.clone(), violation }
    }

    /// When Salesforce answered, by its own clock.
    pub(crate) fn date(&self) -> Option<Timestamp> {
        retry::date(&self.headers)
    }

    /// A moment by Salesforce's own clock before which the request was not yet worked on: whatever was there then is in
    /// the answer. The answer's `Date` may be a second old, and is written when the work is done.
    ///
    /// # Errors
    /// An answer without a `Date`, which leaves open what it covers.
    pub(crate) fn dated(&self) -> Result<Timestamp, ApiError> {
        let date = self.date().ok_or_else(|| self.unexpected("it has no Date header".to_owned()))?;
        let before = i64::try_from(self.took.as_millis()).unwrap_or(i64::MAX).saturating_add(1000);
        Ok(Timestamp(date.0.saturating_sub(before).div_euclid(1000) * 1000))
    }
}
