//! Answers and the three shapes in which Salesforce reports an error over HTTP.

use std::any::Any;
use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::payload::Payload;

const JSON: &str = "application/json;charset=UTF-8";

/// What goes back to the client.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Payload,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Payload::empty() }
    }

    pub(crate) fn typed(status: StatusCode, media: &str, body: Payload) -> Self {
        let mut answer = Self::empty(status);
        answer.body = body;
        answer.with(header::CONTENT_TYPE, media)
    }

    pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Self {
        let body = Payload::bytes(text.into());
        Self::typed(status, "text/plain;charset=UTF-8", body)
    }

    pub(crate) fn html(status: StatusCode, text: impl Into<String>) -> Self {
        let body = Payload::bytes(text.into());
        Self::typed(status, "text/html;charset=UTF-8", body)
    }

    /// JSON that is written already.
    pub(crate) fn json_text(status: StatusCode, text: impl Into<bytes::Bytes>) -> Self {
        Self::typed(status, JSON, Payload::bytes(text))
    }

    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        let text = serde_json::to_vec(value).expect("answers have string keys and finite numbers");
        Self::json_text(status, text)
    }

    pub(crate) fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// Sets a header; a value that HTTP cannot carry is left out.
    pub(crate) fn with(mut self, name: impl Into<HeaderName>, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name.into(), value);
        }
        self
    }

    /// The same answer with its JSON indented.
    pub(crate) fn indented(mut self) -> Self {
        let is_json = self.headers.get(header::CONTENT_TYPE).is_some_and(|media| media == JSON);
        if let Some(json) = self.body.in_memory().filter(|_| is_json) {
            let indented = indent_json(json);
            self.body = self.body.replaced(indented.into());
        }
        self
    }

    /// Keeps `guard` until the answer has been sent.
    pub(crate) fn holding(mut self, guard: Box<dyn Any + Send>) -> Self {
        self.body = self.body.holding(guard);
        self
    }

    pub(crate) fn into_response(self) -> Response<Payload> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// An error of the data API: an array of one `{message, errorCode, fields?}`
/// (REST API guide, "Status Codes and Error Responses").
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
    pub(crate) fields: Option<Vec<String>>,
    duplicates: Option<Box<serde_json::Value>>,
    /// The methods that the resource has.
    allowed: Option<String>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    /// Misspelt as Salesforce misspells it.
    #[serde(rename = "duplicateResut", skip_serializing_if = "Option::is_none")]
    duplicates: Option<&'a serde_json::Value>,
    message: &'a str,
    #[serde(rename = "errorCode")]
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a [String]>,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code: code.into(), message: message.into(), fields: None, duplicates: None, allowed: None }
    }

    pub(crate) fn bad_request(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested resource does not exist")
    }

    pub(crate) fn invalid_session() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", "Session expired or invalid")
    }

    pub(crate) fn method_not_allowed(method: &str, allowed: &str) -> Self {
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        let error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
        Self { allowed: Some(allowed.to_owned()), ..error }
    }

    pub(crate) fn with_fields(mut self, fields: Vec<String>) -> Self {
        self.fields = Some(fields);
        self
    }

    /// With what a duplicate rule found.
    pub(crate) fn with_duplicates(mut self, found: serde_json::Value) -> Self {
        self.duplicates = Some(Box::new(found));
        self
    }

    pub(crate) fn body(&self) -> serde_json::Value {
        let body = ErrorBody {
            duplicates: self.duplicates.as_deref(),
            message: &self.message,
            code: &self.code,
            fields: self.fields.as_deref(),
        };
        serde_json::json!([body])
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        let answer = Self::json(error.status, &error.body());
        match &error.allowed {
            Some(allowed) => answer.with(header::ALLOW, allowed),
            None => answer,
        }
    }
}

/// JSON with a line per value and two spaces per level. It works on the text, so that numbers and the order of keys stay.
fn indent_json(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut bytes = json.iter().copied().peekable();
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', depth * 2));
    };
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                out.push(byte);
                if !matches!(bytes.peek(), Some(b'}' | b']')) {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                if !matches!(out.last(), Some(b'{' | b'[')) {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth);
                }
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b" : "),
            b'"' => {
                out.push(byte);
                copy_string(&mut bytes, &mut out);
            }
            other => out.push(other),
        }
    }
    out
}

/// The rest of a JSON string, its closing quote included.
fn copy_string(bytes: &mut impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let mut escaped = false;
    for byte in bytes {
        out.push(byte);
        match byte {
            b'"' if !escaped => return,
            _ => escaped = byte == b'\\' && !escaped,
        }
    }
}
