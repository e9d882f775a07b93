//! The OAuth endpoints. The order of checks at the token endpoint decides which error a client meets first, and follows
//! what is seen in the field.

mod discovery;
mod form;
mod grant;
mod identity;
mod multipart;
mod token;
mod token_state;

use std::borrow::Cow;

use http::StatusCode;

use crate::answer::Answer;
use form::{Encoding, Fields};

/// An error of an OAuth endpoint: an object with `error` and `error_description`, status 400 unless it says otherwise
/// (Salesforce Help, "OAuth 2.0 error codes").
#[derive(Clone, Debug)]
pub(crate) struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: Cow<'static, str>,
}

impl OAuthError {
    fn new(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description: description.into() }
    }

    fn invalid_grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }

    fn unsupported_grant_type() -> Self {
        Self::new("unsupported_grant_type", "grant type not supported")
    }

    fn wrong_domain() -> Self {
        Self::invalid_grant("request not supported on this domain")
    }

    fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    fn into_answer(self, encoding: Encoding) -> Answer {
        let fields = Fields::new().with("error", self.error).with("error_description", self.description);
        encoding.answer(self.status, &fields)
    }
}
