//! Refusals of an authorization, in the five shapes that real orgs answer with (Salesforce Help, "OAuth 2.0 Authorization
//! Errors"; field reports for the shapes).

use http::{StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;

use super::authorization::Authorization;
use super::page;
use crate::answer::Answer;
use crate::call::Call;
use crate::oauth::{OAuthError, Parameters};
use crate::payload::Payload;
use crate::route::WebRoute;
use crate::scenario::PolicyRefusals;
use crate::sign_in::Refusal;

/// Letters, digits and what no address needs to escape.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
/// More of a text than this is not shown again.
const MAX_SHOWN: usize = 300;

/// A refusal, and where it is shown.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// At the callback: client and callback are proven.
    Callback(OAuthError),
    /// A policy's: at the callback or on a page, as the org is set.
    Policy(OAuthError),
    /// On a page, never at a callback: client or callback are wrong.
    Page(OAuthError),
    /// An uninstalled Connected App.
    NotInstalled,
    /// A bare answer that browsers offer to save.
    Bare(OAuthError),
}

impl Failure {
    pub(super) fn callback(error: &'static str, description: &'static str) -> Self {
        Self::Callback(OAuthError::new(error, description))
    }

    pub(super) fn policy(error: &'static str, description: &'static str) -> Self {
        Self::Policy(OAuthError::new(error, description))
    }

    pub(super) fn page(error: &'static str, description: &'static str) -> Self {
        Self::Page(OAuthError::new(error, description))
    }

    pub(super) fn unknown_client() -> Self {
        Self::page("invalid_client_id", "client identifier invalid")
    }

    pub(super) fn wrong_callback() -> Self {
        Self::page("redirect_uri_mismatch", "redirect_uri must match configuration")
    }

    pub(super) fn blocked() -> Self {
        Self::policy("OAUTH_APP_BLOCKED", "this app is blocked by admin")
    }

    /// What Salesforce says of much that it does not tell apart; the spelling is its own.
    pub(super) fn generic() -> Self {
        let text = "An unexpected error has occured during authentication. Please try again.";
        Self::policy("OAUTH_APPROVAL_ERROR_GENERIC", text)
    }

    pub(super) fn not_in_this_org() -> Self {
        Self::policy("OAUTH_EC_APP_NOT_FOUND", "External client app is not installed in this org")
    }

    pub(super) fn denied() -> Self {
        Self::callback("access_denied", "end-user denied authorization")
    }

    /// The answer to a request.
    pub(super) fn answer(self, request: &Authorization, policies: PolicyRefusals) -> Answer {
        match (self, policies) {
            (Self::Callback(error), _) | (Self::Policy(error), PolicyRefusals::Callback) => {
                page::redirect(&request.callback_with(&encoded(&error, request.state.as_deref())))
            }
            (Self::Policy(error), PolicyRefusals::Page) => to_error_page(&error, request.state.as_deref()),
            (Self::NotInstalled, _) => {
                let error = OAuthError::new("invalid_client", "app must be installed into org");
                to_error_page(&error, request.state.as_deref())
            }
            (Self::Page(error), _) => bad_request_page(&error),
            (Self::Bare(error), _) => bare(&error),
        }
    }

    /// The answer to a request that is not known well enough to go back to a callback.
    pub(super) fn answer_on_page(self) -> Answer {
        match self {
            Self::Callback(error) | Self::Policy(error) | Self::Page(error) => bad_request_page(&error),
            Self::NotInstalled => {
                bad_request_page(&OAuthError::new("invalid_client", "app must be installed into org"))
            }
            Self::Bare(error) => bare(&error),
        }
    }
}

/// The words of the authorization endpoint.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OrgLocked | Refusal::OrgDeleted => Self::callback("inactive_org", "organization is inactive"),
            Refusal::Inactive => Self::callback("inactive_user", "user is inactive"),
            Refusal::NotInternal => Self::denied(),
            Refusal::RestrictedIp => Self::callback("invalid_grant", "ip restricted"),
            Refusal::RestrictedHours => Self::callback("invalid_grant", "invalid login hours"),
            Refusal::RateExceeded => Self::callback("rate_limit_exceeded", "number of logins exceeded"),
            Refusal::LevelTooLow => Self::callback("invalid_session_level", "session security level is too low"),
            Refusal::AppNotInstalled => Self::NotInstalled,
            Refusal::AppNotAllowed => Self::blocked(),
            Refusal::NotAdminApproved => {
                Self::policy("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app")
            }
            Refusal::BrowserClosed => Self::generic(),
            Refusal::FlowClosed
            | Refusal::HostClosed
            | Refusal::UnknownUser
            | Refusal::WrongPassword
            | Refusal::SecurityTokenMissing
            | Refusal::LockedOut => Self::callback("invalid_grant", "invalid user credentials"),
        }
    }
}

fn encoded(error: &OAuthError, state: Option<&str>) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("error", error.error).append_pair("error_description", &error.description);
    if let Some(state) = state {
        pairs.append_pair("state", state);
    }
    pairs.finish()
}

fn to_error_page(error: &OAuthError, state: Option<&str>) -> Answer {
    page::redirect(&format!("{}?{}", WebRoute::Error.path(), encoded(error, state)))
}

/// The page of shape C, with the error in a `pre` as tools look for it. That its status is 400 is inferred.
fn bad_request_page(error: &OAuthError) -> Answer {
    let description = utf8_percent_encode(&error.description, ESCAPED);
    let code = format!("error={}&error_description={description}", error.error);
    page::error(StatusCode::BAD_REQUEST, &error.description, &code)
}

fn bare(error: &OAuthError) -> Answer {
    let body = format!("error={}&error_description={}", error.error, error.description);
    Answer::typed(StatusCode::BAD_REQUEST, "application/octet-stream", Payload::bytes(body))
        .with(header::CACHE_CONTROL, "no-cache, no-store")
}

/// `RemoteAccessErrorPage.apexp`: the error of its address.
pub(super) fn error_page(call: &Call) -> Answer {
    let parameters = Parameters::of(call);
    let shown = |name: &str| parameters.get(name).unwrap_or_default().chars().take(MAX_SHOWN).collect::<String>();
    let (error, description) = (shown("error"), shown("error_description"));
    let code = format!("error={}&error_description={}", escape(&error), escape(&description));
    page::error(StatusCode::OK, &description, &code)
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}
