//! Why Salesforce issues no token.

use super::{Recovery, WireError};
use crate::host::HostError;

/// Why a session could not be obtained.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OAuthError {
    /// The token endpoint said no.
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
    /// A rotated refresh token could not be stored, so the session is held back; the next attempt stores it first.
    #[error("the refresh token that replaces the stored one could not be stored: {reason}")]
    NotStored { reason: String },
    /// Not sent: an earlier refusal of these credentials was final, or the connection was ended.
    #[error("the stored sign-in is not used any more: {reason}. Connect again")]
    Retired { reason: String },
    /// Not sent: the stored credentials cannot be had.
    #[error("the stored credentials cannot be had: {reason}")]
    Store { reason: String },
    /// The task that was signing in ended before its answer; what it did is unknown.
    #[error("signing in was interrupted")]
    Interrupted,
}

/// The token endpoint's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthRefusal {
    pub host: String,
    pub status: u16,
    /// `error`, as it was spelt.
    pub error: String,
    /// `error_description`, as it was spelt, with anything that looks like a token blotted out.
    pub description: String,
    pub cause: OAuthCause,
}

/// What a refusal of the token endpoint means. For `invalid_grant` and its like the description is the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OAuthCause {
    UnknownClient,
    WrongSecret,
    GrantUnavailable,
    AuthenticationFailure,
    RefreshTokenDead,
    AuthorizationCodeDead,
    CodeVerifierWrong,
    AlreadyInProgress,
    NotApproved,
    AssertionInvalid,
    AudienceInvalid,
    NoRunAsUser,
    ClientCredentialsOff,
    WrongHost,
    NoUsableScope,
    AddressRestricted,
    DeviceSecretInvalid,
    InactiveUser,
    DeviceFlowOff,
    OrgGone,
    OrgInactive,
    NotPreauthorized,
    ScopeNotSupported,
    NotAdminApproved,
    AppNotInstalled,
    AppDisabled,
    AppBlocked,
    InvalidScope,
    AccessDenied,
    TooManySignIns,
    Unavailable,
    /// A text that is not in the catalogue; `OAuthRefusal` keeps it.
    Unknown,
}

/// The setting that is wrong when Salesforce refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    ConsumerKey,
    ConsumerSecret,
    OrgAddress,
    UsernameOrPassword,
    /// Flow switches and Run As of the app.
    AppFlow,
    AppScopes,
    /// Permitted users, IP policy, the app's being enabled and installed.
    AppPolicy,
    OrgUser,
    Org,
}

/// `error`, the beginning of `error_description` (`""`: any), and the cause. The first row that fits counts.
///
/// Sources: help pages of the OAuth flows (`remoteaccess_oauth_…`), texts in public trackers, and the codes of
/// `OAuthErrorCode.kt` in Salesforce's mobile SDK of 2026.
const CATALOGUE: &[(&str, &str, OAuthCause)] = &[
    ("invalid_client_id", "", OAuthCause::UnknownClient),
    ("invalid_client", "app must be installed", OAuthCause::AppNotInstalled),
    ("invalid_client", "", OAuthCause::WrongSecret),
    ("invalid_client_credentials", "", OAuthCause::WrongSecret),
    ("unsupported_grant_type", "", OAuthCause::GrantUnavailable),
    ("invalid_grant", "authentication failure", OAuthCause::AuthenticationFailure),
    ("invalid_grant", "expired access/refresh token", OAuthCause::RefreshTokenDead),
    ("invalid_grant", "expired authorization code", OAuthCause::AuthorizationCodeDead),
    ("invalid_grant", "invalid authorization code", OAuthCause::AuthorizationCodeDead),
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
    ("invalid_grant", "activation secret invalid", OAuthCause::DeviceSecretInvalid),
    ("invalid_grant", "inactive user", OAuthCause::InactiveUser),
    ("invalid_grant", "device flow is not enabled", OAuthCause::DeviceFlowOff),
    ("invalid_grant", "data not", OAuthCause::OrgGone),
    ("invalid_request", "refresh_token scope is required", OAuthCause::NotPreauthorized),
    ("invalid_request", "scope parameter not supported", OAuthCause::ScopeNotSupported),
    ("invalid_request", "invalid code verifier", OAuthCause::CodeVerifierWrong),
    ("invalid_app_access", "", OAuthCause::NotAdminApproved),
    ("app_not_found", "", OAuthCause::AppNotInstalled),
    ("app_blocked", "", OAuthCause::AppBlocked),
    ("fail_close_app_blocked", "", OAuthCause::AppBlocked),
    ("oauth_flow_disabled", "", OAuthCause::AppDisabled),
    ("invalid_scope", "", OAuthCause::InvalidScope),
    ("access_denied", "", OAuthCause::AccessDenied),
    ("inactive_user", "", OAuthCause::InactiveUser),
    ("inactive_org", "", OAuthCause::OrgInactive),
    ("rate_limit_exceeded", "", OAuthCause::TooManySignIns),
    ("slow_down", "", OAuthCause::TooManySignIns),
    ("server_error", "", OAuthCause::Unavailable),
    ("service_unavailable", "", OAuthCause::Unavailable),
    ("system_down", "", OAuthCause::Unavailable),
];

/// Why Salesforce refuses, what to do, and which setting it is about.
struct Meaning {
    why: &'static str,
    remedy: &'static str,
    setting: Option<Setting>,
    recovery: Recovery,
}

const RETRY: Recovery = Recovery::Retry { after: None };

impl OAuthCause {
    /// Reads the two texts of a refusal.
    pub fn parse(error: &str, description: &str) -> Self {
        let description = description.to_lowercase();
        CATALOGUE
            .iter()
            .find(|(code, words, _)| *code == error && description.contains(words))
            .map_or(Self::Unknown, |(_, _, cause)| *cause)
    }

    /// The setting that is wrong, when it is one.
    pub fn setting(self) -> Option<Setting> {
        self.meaning().setting
    }

    /// Why Salesforce refuses.
    pub fn why(self) -> &'static str {
        self.meaning().why
    }

    /// What a person does about it, with the way through Setup.
    pub fn remedy(self) -> &'static str {
        self.meaning().remedy
    }

    pub fn recovery(self) -> Recovery {
        self.meaning().recovery
    }

    /// True when this is also what a correct app gets in the two to ten minutes after it was created or changed.
    pub fn may_be_propagation(self) -> bool {
        matches!(
            self,
            Self::UnknownClient
                | Self::WrongSecret
                | Self::NoRunAsUser
                | Self::ClientCredentialsOff
                | Self::NotApproved
                | Self::AssertionInvalid
                | Self::NotPreauthorized
                | Self::NotAdminApproved
        )
    }

    fn meaning(self) -> Meaning {
        let to = |why, remedy, setting, recovery| Meaning { why, remedy, setting: Some(setting), recovery };
        let configure = |why, remedy, setting| to(why, remedy, setting, Recovery::Configure);
        let reauthorize = |why, remedy, setting| to(why, remedy, setting, Recovery::Reauthorize);
        let wait = |why, remedy| Meaning { why, remedy, setting: None, recovery: RETRY };
        let bug = |why, remedy| Meaning { why, remedy, setting: None, recovery: Recovery::Bug };
        match self {
            Self::UnknownClient => configure(
                "the org does not know this consumer key",
                "Compare it with Setup > External Client App Manager > the app > Settings > OAuth Settings > Consumer \
                 Key and Secret, and check that the address is that of the same org. A new app works after up to ten \
                 minutes",
                Setting::ConsumerKey,
            ),
            Self::WrongSecret => configure(
                "the consumer secret is not the app's",
                "Copy it again from Setup > External Client App Manager > the app > Settings > OAuth Settings > \
                 Consumer Key and Secret",
                Setting::ConsumerSecret,
            ),
            Self::GrantUnavailable => configure(
                "this address does not offer this way of signing in",
                "Use the org's My Domain address (Setup > My Domain), not a Lightning address, and check that the flow \
                 is switched on in the app",
                Setting::OrgAddress,
            ),
            Self::AuthenticationFailure => reauthorize(
                "user name, password or security token is wrong, the org is another one, or the org does not allow this \
                 flow",
                "Setup > Login History of the user tells which. The flow is allowed in Setup > OAuth and OpenID Connect \
                 Settings > Allow OAuth Username-Password Flows; the security token comes from the user's own settings \
                 > Reset My Security Token",
                Setting::UsernameOrPassword,
            ),
            Self::RefreshTokenDead => reauthorize(
                "the refresh token was revoked, has expired, was replaced by a newer one, or is one too many of this \
                 user",
                "Connect again. Check the app's Refresh Token Policy (External Client App Manager > the app > Policies \
                 > App Authorization)",
                Setting::AppPolicy,
            ),
            Self::AuthorizationCodeDead => Meaning {
                why: "the authorization code is older than 15 minutes, or was used before",
                remedy: "Start signing in again",
                setting: None,
                recovery: Recovery::Reauthorize,
            },
            Self::CodeVerifierWrong => bug("the PKCE verifier does not fit the challenge", "Start signing in again"),
            Self::AlreadyInProgress => {
                wait("the same refresh token is being redeemed elsewhere", "It is tried again with the newest token")
            }
            Self::NotApproved => configure(
                "the user has not approved the app, or is not assigned to it",
                "Assign the user's permission set or profile (External Client App Manager > the app > Policies > App \
                 Policies)",
                Setting::AppPolicy,
            ),
            Self::AssertionInvalid => configure(
                "the signed assertion does not fit the app's certificate",
                "Upload the matching certificate to the app (Flow Enablement > Enable JWT Bearer Flow)",
                Setting::AppFlow,
            ),
            Self::AudienceInvalid => configure(
                "the assertion names another audience",
                "Use login.salesforce.com, test.salesforce.com or the My Domain, as the org needs it",
                Setting::OrgAddress,
            ),
            Self::NoRunAsUser => configure(
                "the client credentials flow has no user to run as",
                "External Client App Manager > the app > Policies > OAuth Policies > Enable Client Credentials Flow, \
                 then Run As (Username). It works after up to ten minutes",
                Setting::AppFlow,
            ),
            Self::ClientCredentialsOff => configure(
                "the client credentials flow is off in the app",
                "External Client App Manager > the app > Settings > Flow Enablement > Enable Client Credentials Flow",
                Setting::AppFlow,
            ),
            Self::WrongHost => configure(
                "this address does not accept this way of signing in",
                "Use the org's My Domain address (Setup > My Domain), such as acme.my.salesforce.com",
                Setting::OrgAddress,
            ),
            Self::NoUsableScope => configure(
                "the app has only scopes that this flow drops",
                "Add \"Manage user data via APIs (api)\" to the app's Selected OAuth Scopes",
                Setting::AppScopes,
            ),
            Self::AddressRestricted => configure(
                "the network address of this installation is not admitted",
                "Add it to the profile's login IP ranges, or relax the app's IP policy (Policies > App Authorization > \
                 IP Relaxation)",
                Setting::AppPolicy,
            ),
            Self::DeviceSecretInvalid => {
                reauthorize("the refresh token is damaged", "Connect again", Setting::AppPolicy)
            }
            Self::InactiveUser => configure(
                "the Salesforce user is deactivated or frozen",
                "Reactivate the user (Setup > Users), or connect as another one",
                Setting::OrgUser,
            ),
            Self::DeviceFlowOff => configure(
                "the device flow is off in the app",
                "External Client App Manager > the app > Settings > Flow Enablement > Enable Device Flow",
                Setting::AppFlow,
            ),
            Self::OrgGone => configure("the org was deleted or has expired", "Remove the connection", Setting::Org),
            Self::OrgInactive => configure(
                "the org is locked, closed or suspended",
                "The customer has to clear this with Salesforce",
                Setting::Org,
            ),
            Self::NotPreauthorized => configure(
                "the app lacks the scope refresh_token, or is not installed and pre-authorized",
                "Add \"Perform requests at any time (refresh_token, offline_access)\" and assign the user's permission \
                 set to the app",
                Setting::AppScopes,
            ),
            Self::ScopeNotSupported => bug("a scope was sent where none is allowed", "Report this"),
            Self::NotAdminApproved => configure(
                "the app admits only users that an admin has approved, and this one is not among them",
                "External Client App Manager > the app > Policies > App Policies > Select Permission Sets, and assign \
                 that permission set to the user",
                Setting::AppPolicy,
            ),
            Self::AppNotInstalled => configure(
                "the app belongs to another org, or is not installed in this one",
                "Use this org's own My Domain address and its own app; a connected app is installed in Setup > \
                 Connected Apps OAuth Usage > Install",
                Setting::OrgAddress,
            ),
            Self::AppDisabled => configure(
                "the app, or its OAuth plugin, is disabled",
                "Enable both in External Client App Manager > the app > Policies",
                Setting::AppPolicy,
            ),
            Self::AppBlocked => configure(
                "an admin has blocked the app",
                "Setup > Connected Apps OAuth Usage > Unblock",
                Setting::AppPolicy,
            ),
            Self::InvalidScope => configure(
                "the app does not have a scope that was asked for",
                "Select it in the app's Selected OAuth Scopes",
                Setting::AppScopes,
            ),
            Self::AccessDenied => configure(
                "access was denied; with client credentials, the Run As user is a portal user",
                "Choose an internal user with \"API Only User\" as Run As user",
                Setting::OrgUser,
            ),
            Self::TooManySignIns => wait("too many sign-ins of this user within an hour (3,600)", "Wait an hour"),
            Self::Unavailable => wait("Salesforce cannot serve sign-ins now", "It is tried again"),
            Self::Unknown => Meaning {
                why: "Salesforce gives a reason that is not in our catalogue",
                remedy: "Setup > Login History of the user may tell more",
                setting: None,
                recovery: Recovery::Configure,
            },
        }
    }
}

impl std::fmt::Display for OAuthRefusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, error, description, cause, .. } = self;
        let separator = if description.is_empty() { "" } else { ": " };
        write!(out, "{host} refuses to sign in ({error}{separator}{description}): {}. {}", cause.why(), cause.remedy())
    }
}

impl OAuthError {
    /// What cures this error.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Refused(refusal) => refusal.cause.recovery(),
            Self::Wire { cause, .. } => cause.recovery(),
            Self::GenericHost { .. } | Self::SecretMissing { .. } | Self::InstanceHost(_) | Self::OtherOrg { .. } => {
                Recovery::Configure
            }
            Self::Unexpected { .. } => Recovery::Bug,
            Self::Retired { .. } => Recovery::Reauthorize,
            Self::Store { .. } | Self::NotStored { .. } | Self::Interrupted => RETRY,
        }
    }

    /// Why the token endpoint refused, when it did.
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
            Self::Refused(_)
            | Self::GenericHost { .. }
            | Self::SecretMissing { .. }
            | Self::Retired { .. }
            | Self::Store { .. } => false,
            Self::Wire { cause, .. } => cause.may_have_arrived(),
            Self::Unexpected { .. }
            | Self::InstanceHost(_)
            | Self::OtherOrg { .. }
            | Self::NotStored { .. }
            | Self::Interrupted => true,
        }
    }
}
