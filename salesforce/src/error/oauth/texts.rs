//! Salesforce's texts and what they mean.

use super::OAuthCause;

/// Where in a sign-in a refusal is met: some texts mean another thing in another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The authorization endpoint, and the callback behind it.
    Authorize,
    /// The token endpoint, with a grant that is none of the following.
    Token,
    /// The token endpoint, while a person confirms a device's code.
    Device,
    /// The token endpoint, with a signed assertion.
    Assertion,
    /// SOAP `login()`.
    Soap,
}

/// `error`, words of `error_description` in lower case (`""`: any), and the cause. The first row that fits counts.
type Rows = &'static [(&'static str, &'static str, OAuthCause)];

/// Sources: help pages of the OAuth flows (`remoteaccess_oauth_…`), texts in public trackers, and the codes of
/// `OAuthErrorCode.kt` in Salesforce's mobile SDK of 2026.
const TOKEN: Rows = &[
    ("invalid_client_id", "", OAuthCause::UnknownClient),
    ("invalid_client", "app must be installed", OAuthCause::AppNotInstalled),
    ("invalid_client", "", OAuthCause::WrongSecret),
    ("invalid_client_credentials", "", OAuthCause::WrongSecret),
    ("unsupported_grant_type", "", OAuthCause::GrantUnavailable),
    ("invalid_grant", "authentication failure", OAuthCause::AuthenticationFailure),
    ("invalid_grant", "invalid user credentials", OAuthCause::AuthenticationFailure),
    ("invalid_grant", "expired access/refresh token", OAuthCause::RefreshTokenDead),
    ("invalid_grant", "expired authorization code", OAuthCause::AuthorizationCodeDead),
    ("invalid_grant", "invalid authorization code", OAuthCause::AuthorizationCodeInvalid),
    ("invalid_grant", "invalid code verifier", OAuthCause::CodeVerifierWrong),
    ("invalid_grant", "token request is already being processed", OAuthCause::AlreadyInProgress),
    ("invalid_grant", "user hasn't approved this consumer", OAuthCause::NotApproved),
    ("invalid_grant", "invalid assertion", OAuthCause::AssertionInvalid),
    ("invalid_grant", "audience", OAuthCause::AudienceInvalid),
    ("invalid_grant", "no client credentials user enabled", OAuthCause::NoRunAsUser),
    ("invalid_grant", "client credentials flow not enabled", OAuthCause::ClientCredentialsOff),
    ("invalid_grant", "request not supported on this domain", OAuthCause::WrongHost),
    ("invalid_grant", "no valid scopes defined", OAuthCause::NoUsableScope),
    ("invalid_grant", "ip restricted", OAuthCause::AddressRestricted),
    ("invalid_grant", "login hours", OAuthCause::HoursRestricted),
    ("invalid_grant", "activation secret invalid", OAuthCause::DeviceSecretInvalid),
    ("invalid_grant", "inactive user", OAuthCause::InactiveUser),
    ("invalid_grant", "device flow is not enabled", OAuthCause::DeviceFlowOff),
    ("invalid_grant", "data not", OAuthCause::OrgGone),
    ("invalid_request", "refresh_token scope is required", OAuthCause::NotPreauthorized),
    ("invalid_request", "scope parameter not supported", OAuthCause::ScopeNotSupported),
    ("invalid_request", "invalid code verifier", OAuthCause::CodeVerifierWrong),
    ("invalid_request", "missing required code challenge", OAuthCause::ChallengeMissing),
    ("invalid_request", "https", OAuthCause::RedirectUriNotAllowed),
    ("invalid_request", "out-of-band", OAuthCause::RedirectUriNotAllowed),
    ("invalid_request", "", OAuthCause::RequestMalformed),
    ("unsupported_response_type", "", OAuthCause::ResponseTypeUnsupported),
    ("redirect_uri_mismatch", "", OAuthCause::RedirectUriMismatch),
    ("redirect_uri_missing", "", OAuthCause::RedirectUriMissing),
    ("invalid_app_access", "", OAuthCause::NotAdminApproved),
    ("OAUTH_APP_ACCESS_DENIED", "", OAuthCause::NotAdminApproved),
    ("OAUTH_APPROVAL_ERROR_GENERIC", "", OAuthCause::ApprovalFailed),
    ("app_not_found", "", OAuthCause::AppOfOtherOrg),
    ("OAUTH_EC_APP_NOT_FOUND", "", OAuthCause::AppOfOtherOrg),
    ("app_blocked", "", OAuthCause::AppBlocked),
    ("fail_close_app_blocked", "", OAuthCause::AppBlocked),
    ("OAUTH_APP_BLOCKED", "", OAuthCause::AppBlocked),
    ("oauth_flow_disabled", "", OAuthCause::AppDisabled),
    ("invalid_scope", "", OAuthCause::InvalidScope),
    ("access_denied", "", OAuthCause::AccessDenied),
    ("immediate_unsuccessful", "", OAuthCause::InteractionNeeded),
    ("invalid_session_level", "", OAuthCause::SessionLevelTooLow),
    ("bad_jti_claim", "", OAuthCause::AssertionReplayed),
    ("inactive_user", "", OAuthCause::InactiveUser),
    ("inactive_org", "", OAuthCause::OrgInactive),
    ("unsupported_token_type", "", OAuthCause::TokenDead),
    ("invalid_token", "", OAuthCause::TokenDead),
    ("rate_limit_exceeded", "", OAuthCause::TooManySignIns),
    ("slow_down", "", OAuthCause::TooManySignIns),
    ("server_error", "", OAuthCause::Unavailable),
    ("service_unavailable", "", OAuthCause::Unavailable),
    ("system_down", "", OAuthCause::Unavailable),
];

/// Only a person denies here: an app of its own has nobody to ask.
const AUTHORIZE: Rows = &[("access_denied", "", OAuthCause::Denied)];

/// Help page `remoteaccess_oauth_device_flow`; the text of an expired code is not documented, and `expired_token` is
/// RFC 8628's name for it (section 3.5).
const DEVICE: Rows = &[
    ("authorization_pending", "", OAuthCause::AuthorizationPending),
    ("slow_down", "", OAuthCause::SlowDown),
    ("access_denied", "", OAuthCause::Denied),
    ("expired_token", "", OAuthCause::DeviceCodeExpired),
    ("invalid_grant", "device code", OAuthCause::DeviceCodeExpired),
    ("invalid_grant", "authorization code", OAuthCause::DeviceCodeExpired),
];

/// An assertion that is past has the text of a code that is (public trackers).
const ASSERTION: Rows = &[("invalid_grant", "expired authorization code", OAuthCause::AssertionExpired)];

/// `ExceptionCode` of the partner WSDL v66, as far as `login()` gives it.
const SOAP: Rows = &[
    ("INVALID_LOGIN", "", OAuthCause::SoapLoginRefused),
    ("LOGIN_MUST_USE_SECURITY_TOKEN", "", OAuthCause::SecurityTokenMissing),
    ("LOGIN_CHALLENGE_ISSUED", "", OAuthCause::VerificationPending),
    ("LOGIN_CHALLENGE_PENDING", "", OAuthCause::VerificationPending),
    ("LOGIN_DURING_RESTRICTED_DOMAIN", "", OAuthCause::AddressRestricted),
    ("LOGIN_DURING_RESTRICTED_TIME", "", OAuthCause::HoursRestricted),
    ("LOGIN_RATE_EXCEEDED", "", OAuthCause::TooManySignIns),
    ("PASSWORD_LOCKOUT", "", OAuthCause::PasswordLocked),
    ("PASSWORD_EXPIRED", "", OAuthCause::PasswordExpired),
    ("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "", OAuthCause::PasswordExpired),
    ("ORG_LOCKED", "", OAuthCause::OrgInactive),
    ("ORG_ADMIN_LOCKED", "", OAuthCause::OrgInactive),
    ("ORG_IN_MAINTENANCE", "", OAuthCause::Unavailable),
    ("ORG_NOT_OWNED_BY_INSTANCE", "", OAuthCause::WrongHost),
    ("TRIAL_EXPIRED", "", OAuthCause::OrgGone),
    ("SSO_SERVICE_DOWN", "", OAuthCause::SingleSignOnDown),
    ("API_DISABLED_FOR_ORG", "", OAuthCause::ApiNotAvailable),
    ("API_CURRENTLY_DISABLED", "", OAuthCause::ApiDisabledForUser),
    ("CLIENT_NOT_ACCESSIBLE_FOR_USER", "", OAuthCause::AppBlocked),
    ("CLIENT_REQUIRE_UPDATE_FOR_USER", "", OAuthCause::ClientUpdateRequired),
    ("UNSUPPORTED_API_VERSION", "", OAuthCause::SoapVersionRetired),
    ("INVALID_OPERATION", "api version", OAuthCause::SoapVersionRetired),
    ("INVALID_OPERATION", "", OAuthCause::SoapLoginOff),
    ("SERVER_UNAVAILABLE", "", OAuthCause::Unavailable),
    ("UNKNOWN_EXCEPTION", "", OAuthCause::Unavailable),
];

impl Stage {
    /// The rows that count here, those with a meaning of their own first.
    fn rows(self) -> impl Iterator<Item = &'static (&'static str, &'static str, OAuthCause)> {
        let (own, shared) = match self {
            Self::Authorize => (AUTHORIZE, TOKEN),
            Self::Token => (TOKEN, &[] as Rows),
            Self::Device => (DEVICE, TOKEN),
            Self::Assertion => (ASSERTION, TOKEN),
            Self::Soap => (SOAP, &[] as Rows),
        };
        own.iter().chain(shared)
    }
}

/// The cause of a refusal with these two texts, if they are known. Case does not count.
pub(super) fn find(stage: Stage, error: &str, description: &str) -> Option<OAuthCause> {
    let description = description.to_lowercase();
    let fits = |code: &str, words: &str| code.eq_ignore_ascii_case(error) && description.contains(words);
    stage.rows().find(|(code, words, _)| fits(code, words)).map(|(_, _, cause)| *cause)
}

/// The `error` and `error_description` of the authorization endpoint that `text` mentions among other words.
///
/// The code counts first, whole and underscored, since texts are repeated by several codes; then the longest text.
pub(crate) fn mentioned(text: &str) -> Option<(&'static str, &'static str)> {
    let text = text.to_lowercase();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let codes: Vec<&str> = text.split(|c| !is_part(c)).filter(|word| word.contains('_')).collect();
    let is_code = |code: &str| codes.iter().any(|word| word.eq_ignore_ascii_case(code));
    let words_fit = |words: &str| words.len() >= LONG_ENOUGH && text.contains(words);
    let rows = || Stage::Authorize.rows();
    let by_both = rows().find(|(code, words, _)| is_code(code) && text.contains(words));
    let by_words = || rows().filter(|(_, words, _)| words_fit(words)).max_by_key(|(_, words, _)| words.len());
    let alone = || ALONE.iter().find(|(words, _)| text.contains(words)).map(|(words, code)| (*code, *words));
    by_both.or_else(by_words).map(|(code, words, _)| (*code, *words)).or_else(alone)
}

/// Shorter words are in too many sentences.
const LONG_ENOUGH: usize = 12;

/// Texts of error pages whose code says everything, so that the catalogue has none.
const ALONE: &[(&str, &str)] = &[
    ("client identifier invalid", "invalid_client_id"),
    ("redirect_uri must match configuration", "redirect_uri_mismatch"),
    ("this app is blocked by admin", "OAUTH_APP_BLOCKED"),
    ("user is not admin approved to access this app", "OAUTH_APP_ACCESS_DENIED"),
    ("external client app is not installed in this org", "OAUTH_EC_APP_NOT_FOUND"),
    ("an unexpected error has occured during authentication", "OAUTH_APPROVAL_ERROR_GENERIC"),
    ("end-user denied authorization", "access_denied"),
];
