//! Why Salesforce issues no token.

mod cause;
mod meaning;
mod texts;

use std::time::Duration;

pub(crate) use self::texts::mentioned;
pub use self::{
    cause::{OAuthCause, Setting},
    texts::Stage,
};

use super::{Recovery, WireError};
use crate::{host::HostError, time::Timestamp};

/// Why a session could not be obtained.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OAuthError {
    /// Salesforce said no.
    #[error("{0}")]
    Refused(Box<OAuthRefusal>),
    /// The token endpoint gave no usable answer.
    #[error("signing in: {cause}")]
    Wire { cause: WireError, attempts: u32 },
    /// Not sent: this way of signing in works on the org's own host only.
    #[error(
        "client credentials are not accepted on {host}. Use the org's My Domain address (Setup > My Domain), such as \
         acme.my.salesforce.com"
    )]
    GenericHost { host: String },
    /// Not sent: the client app has no secret, and this way of signing in needs one.
    #[error("the consumer secret is missing, and {grant} needs it. Copy it from the app's settings in Setup")]
    SecretMissing { grant: &'static str },
    #[error("signing in: {host} sent an answer that cannot be read: {reason}")]
    Unexpected { host: String, reason: String },
    /// The answer names an API host that is not admitted; the token is not used.
    #[error("signing in: {0}")]
    InstanceHost(#[from] HostError),
    /// The answer is of another org than the one that is expected; the token is not used.
    #[error(
        "the sign-in leads to org {found}, and this connection is of org {expected}. A sandbox that was refreshed is \
         another org: connect it under another name, so that the records of the two never mix"
    )]
    OtherOrg { expected: String, found: String },
    /// The org behind a sandbox's host is another one now; the token is not used.
    #[error(
        "the sandbox {host} was refreshed: it is another org now ({found}; it was {expected}), whose records may have the \
         same Ids with other content"
    )]
    SandboxRefreshed { host: String, expected: String, found: String },
    /// A rotated refresh token could not be stored, so the session is held back; the next attempt stores it first.
    #[error("the refresh token that replaces the stored one could not be stored: {reason}")]
    NotStored { reason: String },
    /// Not sent: an earlier refusal of these credentials was final, or the connection was ended.
    #[error("the stored sign-in is not used any more: {reason}. Connect again")]
    Retired { reason: String },
    /// Not sent: the last attempt failed, and the next one is due later.
    #[error("the last renewal failed, and the next one is due at {until}: {reason}")]
    Postponed { until: Timestamp, wait: Duration, reason: String },
    /// Not sent: the settings of this installation do not fit the connection.
    #[error("{reason}")]
    Configuration { reason: String },
    /// Not sent: the stored credentials cannot be had.
    #[error("the stored credentials cannot be had: {reason}")]
    Store { reason: String },
    /// The task that was signing in ended before its answer; what it did is unknown.
    #[error("signing in was interrupted")]
    Interrupted,
}

/// Characters of a refusal's texts that are kept.
const LONGEST_TEXT: usize = 300;

/// What Salesforce said when it refused a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthRefusal {
    /// Who refused; `Salesforce` when a person or a browser brings the words and the host is not known.
    pub host: String,
    /// The HTTP status; 0 when it is not known.
    pub status: u16,
    /// `error`, as it was spelt.
    pub error: String,
    /// `error_description`, as it was spelt, with anything that looks like a token blotted out.
    pub description: String,
    pub cause: OAuthCause,
    /// What Salesforce asked to wait.
    pub retry_after: Option<Duration>,
}

impl OAuthRefusal {
    /// A refusal in the words of an OAuth endpoint. What looks like a token is blotted out, and no more than some lines
    /// are kept.
    pub(crate) fn new(stage: Stage, host: &str, status: u16, error: &str, description: &str) -> Self {
        let safe = |text: &str| super::body::redact(text).chars().take(LONGEST_TEXT).collect();
        Self {
            host: host.to_owned(),
            status,
            error: safe(error),
            description: safe(description),
            cause: OAuthCause::parse_at(stage, error, description),
            retry_after: None,
        }
    }

    /// The same, with what Salesforce asked to wait.
    pub(crate) fn retried_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }
}

impl std::fmt::Display for OAuthRefusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, error, description, cause, .. } = self;
        let separator = if description.is_empty() { "" } else { ": " };
        write!(out, "{host} refuses to sign in ({error}{separator}{description}): {}. {}", cause.why(), cause.remedy())
    }
}

impl From<OAuthRefusal> for OAuthError {
    fn from(refusal: OAuthRefusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl OAuthError {
    /// What cures this error.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Refused(refusal) => match (refusal.cause, refusal.status) {
                // Unknown words, but a status that passes. SOAP faults have 500.
                (OAuthCause::Unknown, 420 | 429 | 502..=504) => Recovery::Retry { after: refusal.retry_after },
                (cause, _) => match cause.recovery() {
                    Recovery::Retry { after } => Recovery::Retry { after: refusal.retry_after.or(after) },
                    recovery => recovery,
                },
            },
            Self::Wire { cause, .. } => cause.recovery(),
            Self::GenericHost { .. }
            | Self::SecretMissing { .. }
            | Self::Configuration { .. }
            | Self::InstanceHost(_)
            | Self::OtherOrg { .. }
            | Self::SandboxRefreshed { .. } => Recovery::Configure,
            Self::Postponed { wait, .. } => Recovery::Retry { after: Some(*wait) },
            Self::Unexpected { .. } => Recovery::Bug,
            Self::Retired { .. } => Recovery::Reauthorize,
            Self::Store { .. } | Self::NotStored { .. } | Self::Interrupted => Recovery::Retry { after: None },
        }
    }

    /// The same error with `secret` blotted out of Salesforce's words.
    pub(crate) fn without(mut self, secret: &str) -> Self {
        if let Self::Refused(refusal) = &mut self
            && !secret.is_empty()
        {
            refusal.description = refusal.description.replace(secret, "(hidden)");
        }
        self
    }

    /// Why Salesforce refused, when it did.
    pub fn cause(&self) -> Option<OAuthCause> {
        match self {
            Self::Refused(refusal) => Some(refusal.cause),
            _ => None,
        }
    }

    /// True when a refresh token that was sent may have been redeemed although no new one came back. It must not be
    /// sent again as if nothing had happened: with rotation, a replay ends the whole grant.
    pub fn may_have_redeemed(&self) -> bool {
        match self {
            // A server error leaves open what was done before it.
            Self::Refused(refusal) => refusal.status >= 500,
            Self::GenericHost { .. }
            | Self::SecretMissing { .. }
            | Self::Retired { .. }
            | Self::Postponed { .. }
            | Self::Configuration { .. }
            | Self::Store { .. } => false,
            Self::Wire { cause, .. } => cause.may_have_arrived(),
            Self::Unexpected { .. }
            | Self::InstanceHost(_)
            | Self::OtherOrg { .. }
            | Self::SandboxRefreshed { .. }
            | Self::NotStored { .. }
            | Self::Interrupted => true,
        }
    }
}

#[cfg(test)]
mod tests;
