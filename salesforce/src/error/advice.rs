//! Why data requests are refused, and what to do about it, for the person who reads the message.

use super::ErrorCode;

/// What is known of a refusal besides Salesforce's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// The code's name in findings and documents.
    pub name: &'static str,
    /// Why Salesforce refuses.
    pub why: &'static str,
    /// What a person does about it. Setup paths are given only where they are documented.
    pub remedy: &'static str,
}

/// What is known of refusals with `code`; `None` when Salesforce's own words say enough.
pub fn advice(code: &ErrorCode) -> Option<&'static Advice> {
    CATALOGUE.iter().find(|(listed, _)| listed == code).map(|(_, advice)| advice)
}

/// Every code that there is advice for.
pub fn advised() -> impl Iterator<Item = (&'static ErrorCode, &'static Advice)> {
    CATALOGUE.iter().map(|(code, advice)| (code, advice))
}

const fn advise(name: &'static str, why: &'static str, remedy: &'static str) -> Advice {
    Advice { name, why, remedy }
}

/// Codes that a person can do something about. Source: the troubleshooting sections of the guides to OAuth, REST and
/// Bulk, and what connectors report.
const CATALOGUE: &[(ErrorCode, Advice)] = &[
    (
        ErrorCode::InvalidSessionId,
        advise(
            "invalid-session-id",
            "the data API does not accept the app's token: the app lacks the scope for APIs, or its IP policy does not \
             admit this installation's address",
            "Select \"Manage user data via APIs (api)\" among the app's OAuth scopes, and look at its IP Relaxation \
             (External Client App Manager > the app > Policies > App Authorization)",
        ),
    ),
    (ErrorCode::BadOAuthToken, advise("bad-oauth-token", "the token has ended or was revoked", "Sign in again")),
    (
        ErrorCode::InvalidAuthHeader,
        advise(
            "invalid-auth-header",
            "the token belongs to another org or host",
            "Connect to the org's own My Domain (Setup > My Domain)",
        ),
    ),
    (
        ErrorCode::RequestLimitExceeded,
        advise(
            "request-limit-exceeded",
            "the org's API requests of the last 24 hours are used up, or too many run at once",
            "Wait until older requests are a day old, find out who uses them (Setup > Company Information shows how \
             many), or buy more",
        ),
    ),
    (
        ErrorCode::ApiDisabledForOrg,
        advise(
            "api-disabled-for-org",
            "the org's edition has no API, or the user lacks \"API Enabled\"",
            "Assign \"API Enabled\" with a permission set (Setup > Permission Sets > the set > System Permissions); \
             an edition without API needs the add-on",
        ),
    ),
    (
        ErrorCode::ApiCurrentlyDisabled,
        advise(
            "api-currently-disabled",
            "the user lacks \"API Enabled\"",
            "Assign \"API Enabled\" to the user with a permission set (Setup > Permission Sets > the set > System \
             Permissions)",
        ),
    ),
    (
        ErrorCode::InsufficientAccess,
        advise(
            "insufficient-access",
            "the user lacks a permission, or the session's security level is too low",
            "Check the user's permission sets, and Setup > Identity Verification > Session Security Level Policies",
        ),
    ),
    (
        ErrorCode::InsufficientAccessOrReadonly,
        advise(
            "insufficient-access-or-readonly",
            "the user may not read this",
            "Give the user's permission set Read on the object (Setup > Permission Sets > the set > Object Settings)",
        ),
    ),
    (
        ErrorCode::InvalidField,
        advise(
            "invalid-field",
            "the field does not exist, or field-level security hides it from the user",
            "Check its spelling, and its Read Access in the user's permission set (Setup > Permission Sets > the set > \
             Object Settings > the object > Field Permissions)",
        ),
    ),
    (
        ErrorCode::InvalidType,
        advise(
            "invalid-type",
            "the object does not exist, or the user may not see it",
            "Check its spelling, and Read on the object in the user's permission set (Setup > Permission Sets > the \
             set > Object Settings)",
        ),
    ),
    (
        ErrorCode::UrlNotReset,
        advise(
            "url-not-reset",
            "data is not served by the login host",
            "Connect to the org's My Domain (Setup > My Domain)",
        ),
    ),
    (ErrorCode::Gone, advise("gone", "this API version is retired", "Choose a newer one")),
    (
        ErrorCode::UnsupportedApiVersion,
        advise("unsupported-api-version", "this API version is retired", "Choose a newer one"),
    ),
    (ErrorCode::InvalidVersion, advise("invalid-version", "this API version is retired", "Choose a newer one")),
    (
        ErrorCode::OperationTooLarge,
        advise(
            "operation-too-large",
            "a user without \"View All Data\" may not read this many activities at once",
            "Assign the permission, or filter",
        ),
    ),
    (
        ErrorCode::TransactionSecurityMetering,
        advise(
            "transaction-security-metering",
            "a transaction security policy is too slow",
            "Assign \"Exempt from Transaction Security\" to the user",
        ),
    ),
    (
        ErrorCode::QueryTimeout,
        advise("query-timeout", "the query needs more than two minutes", "Filter it by an indexed field, or use Bulk"),
    ),
    (
        ErrorCode::QueryTooComplicated,
        advise("query-too-complicated", "the query has too many formula or parent fields", "Map fewer of them"),
    ),
    (
        ErrorCode::InvalidQueryLocator,
        advise(
            "invalid-query-locator",
            "the cursor has ended: it lives two days, for its own session",
            "The query starts again by itself",
        ),
    ),
    (
        ErrorCode::FeatureNotEnabled,
        advise(
            "feature-not-enabled",
            "the Bulk API is not available to this user or edition",
            "REST is used where possible; large objects take longer and cost more requests",
        ),
    ),
    (
        ErrorCode::LoginRateExceeded,
        advise("login-rate-exceeded", "the user has signed in more than 3,600 times in an hour", "Wait an hour"),
    ),
    (
        ErrorCode::ExpiredPassword,
        advise(
            "expired-password",
            "the user's password has expired",
            "Set a new one in Salesforce, then connect again",
        ),
    ),
    (
        ErrorCode::StorageLimitExceeded,
        advise(
            "storage-limit-exceeded",
            "the org's data storage is full",
            "Free some (Setup > Storage Usage shows by what)",
        ),
    ),
];
