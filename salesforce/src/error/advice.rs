//! What to do about a refused data request, for the person who reads the message.

use super::ErrorCode;

/// Why Salesforce refuses with `code`, and what to do about it; `None` when its own words say enough.
///
/// Setup paths are given only where they are documented; see the guides' troubleshooting sections.
pub fn advice(code: &ErrorCode) -> Option<&'static str> {
    CATALOGUE.iter().find(|(listed, _)| listed == code).map(|(_, advice)| *advice)
}

/// Codes that a person can do something about.
const CATALOGUE: &[(ErrorCode, &str)] = &[
    (
        ErrorCode::InvalidSessionId,
        "The app's token is not accepted by the data API: check that the app has the scope \"Manage user data via APIs \
         (api)\" and that its IP policy admits this address (External Client App Manager > the app > Policies > OAuth \
         Policies)",
    ),
    (ErrorCode::BadOAuthToken, "The token has ended or was revoked: sign in again"),
    (ErrorCode::InvalidAuthHeader, "The token belongs to another org or host: connect to the org's own My Domain"),
    (
        ErrorCode::RequestLimitExceeded,
        "The org's API requests of the last 24 hours are used up, or too many run at once: wait, or raise the limit \
         (Setup > Company Information shows it)",
    ),
    (
        ErrorCode::ApiDisabledForOrg,
        "The org's edition has no API, or the user lacks \"API Enabled\": assign it with a permission set \
         (Setup > Permission Sets > System Permissions)",
    ),
    (
        ErrorCode::ApiCurrentlyDisabled,
        "The API is switched off for this user: assign \"API Enabled\" with a permission set (Setup > Permission Sets)",
    ),
    (
        ErrorCode::InsufficientAccess,
        "The user lacks a permission, or the session's security level is too low: check the permission set, and \
         Setup > Identity Verification > Session Security Level Policies",
    ),
    (
        ErrorCode::InsufficientAccessOrReadonly,
        "The user may not read this: give its permission set Read on the object (Setup > Permission Sets > Object \
         Settings)",
    ),
    (
        ErrorCode::InvalidField,
        "The field does not exist, or field-level security hides it from the user: check its spelling, and its Read \
         access in the user's permission set",
    ),
    (
        ErrorCode::InvalidType,
        "The object does not exist, or the user may not see it: check its spelling, and Read on the object in the \
         user's permission set",
    ),
    (
        ErrorCode::UrlNotReset,
        "Data is not served by the login host: connect to the org's My Domain (Setup > My Domain)",
    ),
    (ErrorCode::Gone, "This API version is retired: choose a newer one"),
    (ErrorCode::UnsupportedApiVersion, "This API version is retired: choose a newer one"),
    (ErrorCode::InvalidVersion, "This API version is retired: choose a newer one"),
    (
        ErrorCode::OperationTooLarge,
        "A user without \"View All Data\" may not read this many activities at once: assign the permission, or filter",
    ),
    (
        ErrorCode::TransactionSecurityMetering,
        "A transaction security policy is too slow: assign \"Exempt from Transaction Security\" to the user",
    ),
    (ErrorCode::QueryTimeout, "The query needs more than two minutes: filter it by an indexed field, or use Bulk"),
    (ErrorCode::QueryTooComplicated, "The query has too many formula or parent fields: map fewer of them"),
    (ErrorCode::InvalidQueryLocator, "The cursor has ended (two days): the query starts again"),
    (
        ErrorCode::FeatureNotEnabled,
        "The Bulk API is not available to this user or edition: REST is used where possible",
    ),
    (ErrorCode::LoginRateExceeded, "More than 3,600 sign-ins within an hour: wait an hour"),
    (ErrorCode::ExpiredPassword, "The user's password has expired: set a new one in Salesforce, then connect again"),
    (ErrorCode::StorageLimitExceeded, "The org's data storage is full (Setup > Storage Usage)"),
];
