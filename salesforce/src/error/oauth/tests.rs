use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// The rows of a troubleshooting table that are about signing in: number, where, `error`, `error_description`, cause.
const TROUBLES: &[(u8, Stage, &str, &str, OAuthCause)] = &[
    (1, Stage::Token, "invalid_client_id", "client identifier invalid", OAuthCause::UnknownClient),
    (2, Stage::Token, "invalid_client", "invalid client credentials", OAuthCause::WrongSecret),
    (3, Stage::Authorize, "invalid_client", "app must be installed into org", OAuthCause::AppNotInstalled),
    (4, Stage::Authorize, "OAUTH_APP_BLOCKED", "this app is blocked by admin", OAuthCause::AppBlocked),
    (4, Stage::Token, "app_blocked", "this app is blocked by admin", OAuthCause::AppBlocked),
    (
        5,
        Stage::Authorize,
        "OAUTH_APP_ACCESS_DENIED",
        "user is not admin approved to access this app",
        OAuthCause::NotAdminApproved,
    ),
    (
        5,
        Stage::Token,
        "invalid_app_access",
        "user is not admin approved to access this app",
        OAuthCause::NotAdminApproved,
    ),
    (
        6,
        Stage::Authorize,
        "OAUTH_APPROVAL_ERROR_GENERIC",
        "An unexpected error has occured during authentication. Please try again.",
        OAuthCause::ApprovalFailed,
    ),
    (
        7,
        Stage::Authorize,
        "OAUTH_EC_APP_NOT_FOUND",
        "External client app is not installed in this org",
        OAuthCause::AppOfOtherOrg,
    ),
    (7, Stage::Token, "app_not_found", "External client app is not installed in this org", OAuthCause::AppOfOtherOrg),
    (
        8,
        Stage::Token,
        "oauth_flow_disabled",
        "The external client app or the OAuth plugin is disabled.",
        OAuthCause::AppDisabled,
    ),
    (
        9,
        Stage::Authorize,
        "redirect_uri_mismatch",
        "redirect_uri must match configuration",
        OAuthCause::RedirectUriMismatch,
    ),
    (10, Stage::Authorize, "redirect_uri_missing", "", OAuthCause::RedirectUriMissing),
    (11, Stage::Authorize, "invalid_request", "missing required code challenge", OAuthCause::ChallengeMissing),
    (12, Stage::Token, "invalid_grant", "invalid code verifier", OAuthCause::CodeVerifierWrong),
    (12, Stage::Token, "invalid_request", "invalid code verifier", OAuthCause::CodeVerifierWrong),
    (13, Stage::Token, "invalid_grant", "expired authorization code", OAuthCause::AuthorizationCodeDead),
    (13, Stage::Assertion, "invalid_grant", "expired authorization code", OAuthCause::AssertionExpired),
    (14, Stage::Token, "invalid_grant", "invalid authorization code", OAuthCause::AuthorizationCodeInvalid),
    (15, Stage::Token, "invalid_grant", "expired access/refresh token", OAuthCause::RefreshTokenDead),
    (16, Stage::Token, "invalid_grant", "token request is already being processed", OAuthCause::AlreadyInProgress),
    (17, Stage::Token, "invalid_grant", "authentication failure", OAuthCause::AuthenticationFailure),
    (
        18,
        Stage::Soap,
        "INVALID_LOGIN",
        "Invalid username, password, security token; or user locked out.",
        OAuthCause::SoapLoginRefused,
    ),
    (19, Stage::Soap, "LOGIN_MUST_USE_SECURITY_TOKEN", "", OAuthCause::SecurityTokenMissing),
    (20, Stage::Soap, "LOGIN_DURING_RESTRICTED_DOMAIN", "", OAuthCause::AddressRestricted),
    (20, Stage::Token, "invalid_grant", "ip restricted", OAuthCause::AddressRestricted),
    (
        21,
        Stage::Soap,
        "LOGIN_DURING_RESTRICTED_TIME",
        "cannot log in during restricted time",
        OAuthCause::HoursRestricted,
    ),
    (
        22,
        Stage::Soap,
        "INVALID_OPERATION",
        "SOAP API login() is disabled by default in this org",
        OAuthCause::SoapLoginOff,
    ),
    (23, Stage::Soap, "UNSUPPORTED_API_VERSION", "", OAuthCause::SoapVersionRetired),
    (
        23,
        Stage::Soap,
        "INVALID_OPERATION",
        "SOAP API login() is not available in API version 65.0 and later",
        OAuthCause::SoapVersionRetired,
    ),
    (24, Stage::Token, "unsupported_grant_type", "grant type not supported", OAuthCause::GrantUnavailable),
    (25, Stage::Token, "invalid_grant", "request not supported on this domain", OAuthCause::WrongHost),
    (26, Stage::Token, "invalid_grant", "no client credentials user enabled", OAuthCause::NoRunAsUser),
    (27, Stage::Token, "invalid_grant", "client credentials flow not enabled", OAuthCause::ClientCredentialsOff),
    (28, Stage::Token, "invalid_grant", "no valid scopes defined", OAuthCause::NoUsableScope),
    (29, Stage::Token, "access_denied", "end-user denied authorization", OAuthCause::AccessDenied),
    (30, Stage::Assertion, "invalid_grant", "user hasn't approved this consumer", OAuthCause::NotApproved),
    (31, Stage::Assertion, "invalid_grant", "invalid assertion", OAuthCause::AssertionInvalid),
    (32, Stage::Assertion, "invalid_grant", "audience is invalid", OAuthCause::AudienceInvalid),
    (32, Stage::Assertion, "invalid_grant", "Audience validation failed", OAuthCause::AudienceInvalid),
    (
        33,
        Stage::Assertion,
        "invalid_request",
        "refresh_token scope is required and the connected app should be installed and preauthorized",
        OAuthCause::NotPreauthorized,
    ),
    (34, Stage::Token, "invalid_request", "scope parameter not supported", OAuthCause::ScopeNotSupported),
    (35, Stage::Authorize, "invalid_scope", "too many scopes requested", OAuthCause::InvalidScope),
    (36, Stage::Authorize, "immediate_unsuccessful", "", OAuthCause::InteractionNeeded),
    (37, Stage::Authorize, "access_denied", "end-user denied authorization", OAuthCause::Denied),
    (37, Stage::Device, "access_denied", "end-user denied authorization", OAuthCause::Denied),
    (38, Stage::Authorize, "inactive_user", "user is inactive", OAuthCause::InactiveUser),
    (38, Stage::Token, "invalid_grant", "inactive user", OAuthCause::InactiveUser),
    (39, Stage::Token, "inactive_org", "", OAuthCause::OrgInactive),
    (40, Stage::Token, "rate_limit_exceeded", "", OAuthCause::TooManySignIns),
    (40, Stage::Soap, "LOGIN_RATE_EXCEEDED", "", OAuthCause::TooManySignIns),
    (41, Stage::Device, "authorization_pending", "", OAuthCause::AuthorizationPending),
    (41, Stage::Device, "slow_down", "", OAuthCause::SlowDown),
    (41, Stage::Token, "slow_down", "", OAuthCause::TooManySignIns),
    (42, Stage::Device, "invalid_grant", "device flow is not enabled for the app", OAuthCause::DeviceFlowOff),
    (42, Stage::Device, "invalid_client", "app must be installed into org", OAuthCause::AppNotInstalled),
    (54, Stage::Token, "invalid_grant", "Data Not Available", OAuthCause::OrgGone),
    (55, Stage::Token, "invalid_grant", "activation secret invalid", OAuthCause::DeviceSecretInvalid),
    (59, Stage::Token, "invalid_grant", "expired access/refresh token", OAuthCause::RefreshTokenDead),
    (60, Stage::Authorize, "invalid_client", "app must be installed into org", OAuthCause::AppNotInstalled),
];

#[test]
fn every_row_of_the_troubleshooting_table_has_its_cause() {
    for (row, stage, error, description, cause) in TROUBLES {
        assert_eq!(OAuthCause::parse_at(*stage, error, description), *cause, "{row}: {error} {description}");
    }
}

#[test]
fn further_faults_and_codes_have_their_causes() {
    for (stage, error, description, cause) in [
        (Stage::Device, "expired_token", "", OAuthCause::DeviceCodeExpired),
        (Stage::Device, "invalid_grant", "expired device code", OAuthCause::DeviceCodeExpired),
        (Stage::Assertion, "bad_jti_claim", "", OAuthCause::AssertionReplayed),
        (Stage::Soap, "LOGIN_CHALLENGE_PENDING", "", OAuthCause::VerificationPending),
        (Stage::Soap, "PASSWORD_LOCKOUT", "", OAuthCause::PasswordLocked),
        (Stage::Soap, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "", OAuthCause::PasswordExpired),
        (Stage::Soap, "ORG_ADMIN_LOCKED", "", OAuthCause::OrgInactive),
        (Stage::Soap, "ORG_IN_MAINTENANCE", "", OAuthCause::Unavailable),
        (Stage::Soap, "ORG_NOT_OWNED_BY_INSTANCE", "", OAuthCause::WrongHost),
        (Stage::Soap, "TRIAL_EXPIRED", "", OAuthCause::OrgGone),
        (Stage::Soap, "SSO_SERVICE_DOWN", "", OAuthCause::SingleSignOnDown),
        (Stage::Soap, "API_DISABLED_FOR_ORG", "", OAuthCause::ApiNotAvailable),
        (Stage::Soap, "API_CURRENTLY_DISABLED", "", OAuthCause::ApiDisabledForUser),
        (Stage::Soap, "CLIENT_NOT_ACCESSIBLE_FOR_USER", "", OAuthCause::AppBlocked),
        (Stage::Soap, "CLIENT_REQUIRE_UPDATE_FOR_USER", "", OAuthCause::ClientUpdateRequired),
        (Stage::Authorize, "invalid_grant", "invalid login hours", OAuthCause::HoursRestricted),
        (Stage::Authorize, "invalid_grant", "invalid user credentials", OAuthCause::AuthenticationFailure),
        (
            Stage::Authorize,
            "unsupported_response_type",
            "response type not supported",
            OAuthCause::ResponseTypeUnsupported,
        ),
        (Stage::Authorize, "invalid_request", "callback must use HTTPS", OAuthCause::RedirectUriNotAllowed),
        (Stage::Authorize, "invalid_session_level", "", OAuthCause::SessionLevelTooLow),
        (Stage::Token, "something_new", "", OAuthCause::Unknown),
        (Stage::Soap, "invalid_client", "", OAuthCause::Unknown),
    ] {
        assert_eq!(OAuthCause::parse_at(stage, error, description), cause, "{error} {description}");
    }
}

#[test]
fn codes_are_kebab_case_words_and_name_one_cause_each() {
    let codes: BTreeSet<&str> = OAuthCause::ALL.iter().map(|cause| cause.code()).collect();
    assert_eq!(codes.len(), OAuthCause::ALL.len());
    for code in codes {
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        assert!(code.split('-').all(is_word), "{code}");
    }
}

#[test]
fn every_cause_says_why_and_what_to_do_and_settings_come_with_a_place() {
    for cause in OAuthCause::ALL {
        let (why, remedy) = (cause.why(), cause.remedy());
        assert!(!why.is_empty() && !why.ends_with('.') && !remedy.is_empty() && !remedy.ends_with('.'), "{cause:?}");
        let is_of_the_app =
            matches!(cause.setting(), Some(Setting::AppFlow | Setting::AppCallback | Setting::ConsumerKey));
        let is_here = *cause == OAuthCause::RedirectUriNotAllowed;
        assert!(!is_of_the_app || is_here || remedy.contains("Setup > External Client App Manager"), "{cause:?}");
        assert!(!cause.may_be_propagation() || cause.recovery() == Recovery::Configure, "{cause:?}");
    }
}

proptest! {
    #[test]
    fn any_words_of_a_refusal_are_read(error in ".{0,40}", description in ".{0,80}") {
        for stage in [Stage::Authorize, Stage::Token, Stage::Device, Stage::Assertion, Stage::Soap] {
            let refusal = OAuthRefusal::new(stage, "acme.my.salesforce.com", 400, &error, &description);
            prop_assert!(refusal.to_string().contains("acme.my.salesforce.com"));
        }
        let _ = mentioned(&description);
    }
}
