//! Errors as programs get them: problem documents (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{
    app::access::AccessError,
    error::{Error, Exit},
};

/// An error as an answer.
#[derive(Debug)]
pub struct Problem(AccessError);

impl<E: Into<AccessError>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Problem {
    fn status(&self) -> StatusCode {
        match &self.0 {
            AccessError::Key => StatusCode::UNAUTHORIZED,
            AccessError::NotAllowed { .. } | AccessError::SwitchedOff { .. } => StatusCode::FORBIDDEN,
            AccessError::Path(_) => StatusCode::BAD_REQUEST,
            AccessError::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            AccessError::Reserve { .. } => StatusCode::TOO_MANY_REQUESTS,
            AccessError::Other(error) => status_of(error),
        }
    }

    fn code(&self) -> &'static str {
        match &self.0 {
            AccessError::Key => "api_key",
            AccessError::NotAllowed { .. } => "not_allowed",
            AccessError::SwitchedOff { .. } => "switched_off",
            AccessError::Path(_) => "path_refused",
            AccessError::Method { .. } => "method_refused",
            AccessError::Reserve { .. } => "quota_reserved",
            AccessError::Other(error) => error.code(),
        }
    }

    fn remedy(&self) -> Option<String> {
        match &self.0 {
            AccessError::Key => Some("make a key with `orgtide api-key create`, and send it as a bearer token".into()),
            AccessError::NotAllowed { needs, .. } => {
                Some(format!("make a key of this connection that allows {}", needs.name()))
            }
            AccessError::SwitchedOff { connection, needs } => {
                Some(format!("its owner switches it on: orgtide connection allow {connection} {}", needs.name()))
            }
            AccessError::Path(_) => Some("ask for a path below /services/data/, encoded once".into()),
            AccessError::Method { .. } => None,
            AccessError::Reserve { .. } => {
                Some("wait: the org counts the calls of the last 24 hours; or lower the reserve".into())
            }
            AccessError::Other(error) => error.remedy(),
        }
    }
}

fn status_of(error: &Error) -> StatusCode {
    match error.exit() {
        Exit::TryLater | Exit::Busy => StatusCode::SERVICE_UNAVAILABLE,
        _ if error.code() == "unknown_name" => StatusCode::NOT_FOUND,
        Exit::Setup | Exit::Refused => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::warn!(error = %self.0, "a request of a program failed");
        }
        let document = json!({
            "type": format!("urn:orgtide:{}", self.code()),
            "title": status.canonical_reason().unwrap_or("error"),
            "status": status.as_u16(),
            "code": self.code(),
            "detail": self.0.to_string(),
            "remedy": self.remedy(),
        });
        let mut answer = (status, document.to_string()).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.0 {
            AccessError::Key => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            AccessError::Reserve { .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("900"));
            }
            _ => {}
        }
        answer
    }
}
