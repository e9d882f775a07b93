//! Which finding an error is.

use salesforce::{
    ApiError, ErrorCode, OAuthError,
    error::{BulkRefusal, OAuthCause, Refusal, WireError},
    oauth::CallbackError,
};

use super::{
    catalogue::{self, Entry, of_cause, of_code},
    finding::Finding,
};
use crate::error::Error;

/// What kept a request from being answered.
pub fn of_wire(cause: &WireError) -> Finding {
    let entry: &Entry = match cause {
        WireError::UnknownHost { .. } => &catalogue::UNKNOWN_HOST,
        WireError::Unreachable { .. } => &catalogue::UNREACHABLE,
        WireError::Certificate { .. } => &catalogue::CERTIFICATE,
        WireError::PrivateAddress { .. } => &catalogue::PRIVATE_ADDRESS,
        WireError::HostRefused { .. } => &catalogue::HOST_REFUSED,
        WireError::Broken { .. }
        | WireError::NoAnswer { .. }
        | WireError::Stalled { .. }
        | WireError::TooLate { .. } => &catalogue::NO_ANSWER,
        WireError::Maintenance { .. } => &catalogue::MAINTENANCE,
        WireError::Unavailable { status: 300..=399, .. } => &catalogue::ORG_MOVED,
        WireError::Unavailable { .. } => &catalogue::UNAVAILABLE,
        WireError::TooLarge { .. } => &catalogue::TOO_LARGE,
    };
    entry.found(seen_of_wire(cause))
}

/// True when there is certainly no way to the host as things are.
pub fn is_no_way(error: &ApiError) -> bool {
    match error {
        ApiError::Wire { cause, .. } => matches!(
            cause,
            WireError::UnknownHost { .. }
                | WireError::Unreachable { .. }
                | WireError::Certificate { .. }
                | WireError::PrivateAddress { .. }
                | WireError::HostRefused { .. }
        ),
        _ => false,
    }
}

/// What happened, without advice.
fn seen_of_wire(cause: &WireError) -> String {
    match cause {
        WireError::UnknownHost { host, .. } => format!("{host} does not resolve"),
        WireError::Unreachable { host, reason } => format!("{host} cannot be reached ({reason})"),
        WireError::Certificate { host, reason } => format!("{host} shows a certificate that is not trusted ({reason})"),
        WireError::PrivateAddress { host, address } => format!("{host} resolves to {address}"),
        other => other.to_string(),
    }
}

/// Why there is no session.
pub fn of_oauth(error: &OAuthError) -> Finding {
    match error {
        OAuthError::Refused(refusal) => {
            let said = [refusal.error.as_str(), refusal.description.as_str()];
            let said: Vec<&str> = said.into_iter().filter(|text| !text.is_empty()).collect();
            of_cause(refusal.cause).found(format!("{} refuses to sign in ({})", refusal.host, said.join(": ")))
        }
        OAuthError::Wire { cause, .. } => of_wire(cause),
        OAuthError::GenericHost { host } => catalogue::GENERIC_HOST_REFUSED.found(format!("the address is {host}")),
        OAuthError::SecretMissing { grant } => catalogue::SECRET_MISSING.found(format!("no secret for {grant}")),
        OAuthError::Unexpected { .. } => catalogue::UNREADABLE.found(error.to_string()),
        OAuthError::InstanceHost(host) => catalogue::INSTANCE_REFUSED.found(host.to_string()),
        OAuthError::OtherOrg { expected, found } => {
            catalogue::OTHER_ORG.found(format!("the sign-in leads to org {found}, not {expected}"))
        }
        OAuthError::SandboxRefreshed { .. } => catalogue::SANDBOX_REFRESHED.found(error.to_string()),
        OAuthError::NotStored { reason } => catalogue::NOT_STORED.found(reason.clone()),
        OAuthError::Retired { reason } => catalogue::RETIRED.found(reason.clone()),
        OAuthError::Store { reason } => catalogue::CREDENTIALS_UNAVAILABLE.found(reason.clone()),
        OAuthError::Postponed { .. } => catalogue::POSTPONED.found(error.to_string()),
        OAuthError::Configuration { .. } => catalogue::CONFIGURATION.found(error.to_string()),
        OAuthError::Interrupted => catalogue::INTERRUPTED.found(error.to_string()),
    }
}

/// Why a data request failed, whatever it was about.
pub fn of_api(error: &ApiError) -> Finding {
    match error {
        ApiError::SignIn(error) => of_oauth(error),
        ApiError::Wire { cause, .. } => of_wire(cause),
        ApiError::GivenUp { last, .. } => of_api(last),
        ApiError::Withheld(_) => catalogue::BUDGET_USED_UP.found(error.to_string()),
        ApiError::Refused(refusal) => of_refusal(refusal),
        ApiError::SessionRefused { refusal, renewed } => match (&refusal.code, renewed) {
            (ErrorCode::InvalidSessionId, false) => catalogue::SESSION_NOT_FOR_API.found(said(refusal)),
            (_, true) => catalogue::SESSION_REFUSED.found(format!("{}, with a new session too", said(refusal))),
            (_, false) => of_refusal(refusal),
        },
        ApiError::Unexpected { .. } | ApiError::Protocol { .. } => catalogue::UNREADABLE.found(error.to_string()),
        ApiError::JobEnded { .. } | ApiError::JobUnfinished { .. } => catalogue::JOB_FAILED.found(error.to_string()),
    }
}

fn of_refusal(refusal: &Refusal) -> Finding {
    if (300..=399).contains(&refusal.status) {
        return catalogue::ORG_MOVED.found(said(refusal));
    }
    if refusal.by_bulk() == Some(BulkRefusal::NotEnabled) {
        return catalogue::BULK_REFUSED.found(said(refusal));
    }
    if refusal.code == ErrorCode::InsufficientAccess && is_about_assurance(refusal) {
        return catalogue::SESSION_LEVEL.found(said(refusal));
    }
    if refusal.code == ErrorCode::RequestLimitExceeded && !refusal.message.contains("oncurrent") {
        return catalogue::REQUESTS_USED_UP.found(said(refusal));
    }
    of_code(&refusal.code).as_ref().unwrap_or(&catalogue::API_REFUSED).found(said(refusal))
}

/// Whether the words are those of a Session Security Level Policy.
pub(super) fn is_about_assurance(refusal: &Refusal) -> bool {
    let words = refusal.message.to_lowercase();
    words.contains("assurance") || words.contains("session security")
}

/// Salesforce's own words, from which what looks like a token is blotted out at the wire.
pub(super) fn said(refusal: &Refusal) -> String {
    let Refusal { doing, host, status, code, message, fields, .. } = refusal;
    let fields = if fields.is_empty() { String::new() } else { format!(" [{}]", fields.join(", ")) };
    let message = message.trim();
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    format!("{doing}: {host} refuses ({code}, HTTP {status}){message}{fields}")
}

/// What a browser brought back.
pub fn of_callback(error: &CallbackError) -> Finding {
    match error.refusal() {
        Some(refusal) => of_oauth(&OAuthError::from(refusal.clone())),
        None => catalogue::CALLBACK_REFUSED.found(error.to_string()),
    }
}

impl Error {
    /// What a check would have found, for errors that are about an org.
    pub fn finding(&self) -> Option<Finding> {
        match self {
            Self::Finding { finding, .. } => Some((**finding).clone()),
            Self::SignIn { source, .. } => Some(of_oauth(source)),
            Self::Callback { source, .. } => Some(of_callback(source)),
            Self::SignInOver => Some(catalogue::SIGN_IN_OVER.found(self.to_string())),
            Self::Api { source, .. } => Some(of_api(source)),
            Self::Run { source, .. } => crate::error::api_of(source).map(of_api),
            Self::Host(error) => Some(catalogue::NOT_AN_ADDRESS.found(error.to_string())),
            Self::Version { .. } => Some(catalogue::VERSION_NOT_OFFERED.found(self.to_string())),
            Self::OtherOrg { .. } => Some(catalogue::OTHER_ORG.found(self.to_string())),
            Self::SandboxRefreshed { .. } => Some(catalogue::SANDBOX_REFRESHED.found(self.to_string())),
            Self::OtherUser { .. } => Some(catalogue::OTHER_USER_REFUSED.found(self.to_string())),
            Self::NoClientApp { .. } => Some(of_cause(OAuthCause::AppOfOtherOrg).found(self.to_string())),
            Self::Spent { .. } => Some(catalogue::SPENT.found(self.to_string())),
            _ => None,
        }
        .map(|finding| match self.remedy() {
            // The command that failed knows more than the catalogue.
            Some(remedy) if self.knows_remedy() => finding.with_remedy(remedy),
            _ => finding,
        })
    }
}
