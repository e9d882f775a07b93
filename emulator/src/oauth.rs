//! The OAuth endpoints. The order of checks at the token endpoint decides which error a client meets first, and follows
//! what is seen in the field.

mod assertion;
mod client;
mod device;
mod discovery;
mod form;
mod grant;
mod headless;
mod id_token;
mod identity;
mod identity_format;
mod jwt_token;
mod pkce;
mod single_access;
mod token;
mod token_state;
mod user_agent;

use std::borrow::Cow;

use http::StatusCode;

use crate::answer::Answer;
use crate::sign_in::Refusal;
use form::{Encoding, Fields};

pub(crate) use assertion::UsedAssertions;
pub(crate) use device::{DeviceApproval, DeviceCodes, DeviceRequest, plain_user_code};
pub(crate) use form::{Parameters, escape_xml};
pub(crate) use headless::{headless, register};
pub(crate) use pkce::CodeChallenge;
pub(crate) use single_access::Frontdoors;

/// An error of an OAuth endpoint: an object with `error` and `error_description`, status 400 unless it says otherwise
/// (Salesforce Help, "OAuth 2.0 error codes").
#[derive(Clone, Debug)]
pub(crate) struct OAuthError {
    status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) description: Cow<'static, str>,
}

impl OAuthError {
    pub(crate) fn new(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description: description.into() }
    }

    pub(crate) fn invalid_grant(description: &'static str) -> Self {
        Self::new("invalid_grant", description)
    }

    fn unsupported_grant_type() -> Self {
        Self::new("unsupported_grant_type", "grant type not supported")
    }

    fn invalid_assertion() -> Self {
        Self::invalid_grant("invalid assertion")
    }

    fn app_not_found() -> Self {
        Self::new("app_not_found", "External client app is not installed in this org")
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

/// The words of the token endpoint. Those for login hours, rate and session level are not documented.
impl From<Refusal> for OAuthError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OrgLocked => Self::new("inactive_org", "organization is inactive"),
            Refusal::OrgDeleted => Self::invalid_grant("Data Not Available"),
            Refusal::FlowClosed
            | Refusal::HostClosed
            | Refusal::UnknownUser
            | Refusal::WrongPassword
            | Refusal::SecurityTokenMissing
            | Refusal::LockedOut => Self::invalid_grant("authentication failure"),
            Refusal::Inactive => Self::invalid_grant("inactive user"),
            Refusal::NotInternal => Self::new("access_denied", "end-user denied authorization"),
            Refusal::RestrictedIp => Self::invalid_grant("ip restricted"),
            Refusal::RestrictedHours => Self::invalid_grant("invalid login hours"),
            Refusal::RateExceeded => Self::new("rate_limit_exceeded", "number of logins exceeded"),
            Refusal::AppNotInstalled => Self::new("invalid_client", "app must be installed into org"),
            Refusal::AppNotAllowed => Self::new("app_blocked", "this app is blocked by admin"),
            Refusal::NotAdminApproved => {
                Self::new("invalid_app_access", "user is not admin approved to access this app")
            }
            Refusal::BrowserClosed => Self::new("access_denied", "end-user denied authorization"),
            Refusal::LevelTooLow => Self::new("invalid_session_level", "session security level is too low"),
        }
    }
}
