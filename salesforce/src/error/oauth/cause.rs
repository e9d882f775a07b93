//! What refusals mean, as a closed set with stable codes.

use crate::error::Recovery;

use super::{
    meaning,
    texts::{self, Stage},
};

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What a refusal means. For `invalid_grant` and its like the description is the code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum OAuthCause {
            $($(#[$doc])* $name,)*
        }

        impl OAuthCause {
            /// Every cause, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable code, as findings, the API and documents spell it.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

causes! {
    // The app and its credentials.
    UnknownClient = "unknown-consumer-key",
    WrongSecret = "wrong-consumer-secret",
    /// A connected app that nobody installed in this org (refused since September 2025).
    AppNotInstalled = "app-not-installed",
    /// An external client app that this org does not have.
    AppOfOtherOrg = "app-of-other-org",
    AppDisabled = "app-disabled",
    AppBlocked = "app-blocked",
    NotAdminApproved = "user-not-admin-approved",
    /// What Salesforce says of much that it does not tell apart.
    ApprovalFailed = "approval-failed",

    // Addresses, flows and scopes.
    WrongHost = "wrong-host",
    GrantUnavailable = "flow-unavailable",
    ResponseTypeUnsupported = "response-type-unsupported",
    RedirectUriMismatch = "callback-mismatch",
    RedirectUriMissing = "callback-missing",
    RedirectUriNotAllowed = "callback-not-allowed",
    InvalidScope = "scope-not-on-app",
    NoUsableScope = "no-usable-scope",
    ScopeNotSupported = "scope-not-supported",

    // A person in a browser.
    ChallengeMissing = "pkce-challenge-missing",
    CodeVerifierWrong = "pkce-verifier-wrong",
    AuthorizationCodeDead = "authorization-code-expired",
    AuthorizationCodeInvalid = "authorization-code-invalid",
    Denied = "denied-by-user",
    InteractionNeeded = "interaction-needed",
    SessionLevelTooLow = "session-level-too-low",

    // A code on another device.
    DeviceFlowOff = "device-flow-off",
    AuthorizationPending = "authorization-pending",
    SlowDown = "polling-too-fast",
    DeviceCodeExpired = "device-code-expired",

    // Client credentials.
    ClientCredentialsOff = "client-credentials-off",
    NoRunAsUser = "no-run-as-user",
    /// Client credentials whose Run As user is none of the org's own.
    AccessDenied = "access-denied",

    // Signed assertions.
    AssertionInvalid = "assertion-invalid",
    AssertionExpired = "assertion-expired",
    AssertionReplayed = "assertion-replayed",
    AudienceInvalid = "audience-invalid",
    NotApproved = "user-not-approved",
    NotPreauthorized = "not-preauthorized",

    // Users and passwords.
    AuthenticationFailure = "authentication-failure",
    SecurityTokenMissing = "security-token-missing",
    PasswordExpired = "password-expired",
    PasswordLocked = "password-locked",
    VerificationPending = "verification-pending",
    SingleSignOnDown = "single-sign-on-down",
    InactiveUser = "inactive-user",
    AddressRestricted = "address-restricted",
    HoursRestricted = "hours-restricted",
    ApiNotAvailable = "api-not-available",
    ApiDisabledForUser = "api-disabled-for-user",
    TooManySignIns = "too-many-sign-ins",

    // SOAP login().
    SoapLoginOff = "soap-login-off",
    SoapLoginRefused = "soap-login-refused",
    SoapVersionRetired = "soap-version-retired",
    ClientUpdateRequired = "client-update-required",

    // Tokens.
    RefreshTokenDead = "refresh-token-dead",
    DeviceSecretInvalid = "refresh-token-damaged",
    AlreadyInProgress = "refresh-in-progress",
    TokenDead = "token-dead",

    // The org, and Salesforce.
    OrgGone = "org-gone",
    OrgInactive = "org-inactive",
    Unavailable = "sign-in-unavailable",
    /// A request that Salesforce calls malformed.
    RequestMalformed = "request-malformed",
    /// A text that is not in the catalogue; `OAuthRefusal` keeps it.
    Unknown = "unknown-refusal",
}

/// The setting that is wrong when Salesforce refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    ConsumerKey,
    ConsumerSecret,
    OrgAddress,
    UsernameOrPassword,
    /// Callback URLs of the app.
    AppCallback,
    /// Flow switches and Run As of the app.
    AppFlow,
    AppScopes,
    /// Permitted users, IP policy, the app's being enabled and installed.
    AppPolicy,
    OrgUser,
    Org,
}

impl OAuthCause {
    /// Reads the two texts of a refusal of the token endpoint.
    pub fn parse(error: &str, description: &str) -> Self {
        Self::parse_at(Stage::Token, error, description)
    }

    /// Reads the two texts of a refusal that was met at `stage`.
    pub fn parse_at(stage: Stage, error: &str, description: &str) -> Self {
        texts::find(stage, error, description).unwrap_or(Self::Unknown)
    }

    /// The setting that is wrong, when it is one.
    pub fn setting(self) -> Option<Setting> {
        meaning::of(self).setting
    }

    /// Why Salesforce refuses.
    pub fn why(self) -> &'static str {
        meaning::of(self).why
    }

    /// What a person does about it, with the way through Setup.
    pub fn remedy(self) -> &'static str {
        meaning::of(self).remedy
    }

    pub fn recovery(self) -> Recovery {
        meaning::of(self).recovery
    }

    /// True when this is also what a correct app gets in the two to ten minutes after it was created or changed.
    ///
    /// Source: help pages of external client apps ("changes can take up to 10 minutes"), and public trackers for the
    /// single codes.
    pub fn may_be_propagation(self) -> bool {
        matches!(
            self,
            Self::UnknownClient
                | Self::WrongSecret
                | Self::RedirectUriMismatch
                | Self::NoRunAsUser
                | Self::ClientCredentialsOff
                | Self::NotApproved
                | Self::AssertionInvalid
                | Self::NotPreauthorized
                | Self::NotAdminApproved
                | Self::ApprovalFailed
        )
    }
}
