//! What goes wrong on the wire, by cause, and what to do about it.

use std::time::Duration;

/// What cures an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The same again later; `after` when Salesforce said how long.
    Retry { after: Option<Duration> },
    /// A person has to sign in, or hand over credentials, again.
    Reauthorize,
    /// A person has to change a setting, here or in the org.
    Configure,
    /// Only this row is wrong.
    Reject,
    /// We are wrong.
    Bug,
}

// Filled by its author: ErrorCode (every code of the catalogue, Other(String)), ApiError, OAuthError.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorCode {
    InvalidSessionId,
    Other(String),
}

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("placeholder")]
    Placeholder,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum OAuthError {
    #[error("placeholder")]
    Placeholder,
}

impl ApiError {
    pub fn recovery(&self) -> Recovery {
        todo!()
    }

    /// Salesforce's error code, when Salesforce gave one.
    pub fn code(&self) -> Option<&ErrorCode> {
        todo!()
    }
}

impl OAuthError {
    pub fn recovery(&self) -> Recovery {
        todo!()
    }
}
