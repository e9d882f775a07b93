//! Client apps: Connected Apps and External Client Apps with their settings and policies.

use serde::Deserialize;

use super::network::IpRange;
use super::{no, yes};
use crate::secret::Secret;

/// One client app.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSpec {
    pub name: String,
    pub kind: AppKind,
    pub consumer_key: String,
    pub consumer_secret: Secret,
    /// Scopes by their wire names, such as `api` and `refresh_token`.
    pub scopes: Vec<String>,
    #[serde(default)]
    pub callback_urls: Vec<String>,
    #[serde(default)]
    pub state: AppState,
    /// Where an External Client App may be used.
    #[serde(default)]
    pub distribution: Distribution,
    /// Created when the scenario starts, so that the org does not know it until the propagation delay is over.
    #[serde(default = "no")]
    pub fresh: bool,

    /// The client credentials flow; absent means that it is off in the app's settings.
    #[serde(default)]
    pub client_credentials: Option<ClientCredentialsSpec>,
    /// *Enable Device Flow*.
    #[serde(default = "no")]
    pub device_flow: bool,
    /// *Enable Authorization Code and Credentials Flow*: the headless flow for users of Experience Cloud sites. It makes
    /// no difference to the web server flow.
    #[serde(default = "no")]
    pub code_credentials_flow: bool,
    /// *Enable Token Exchange Flow*.
    #[serde(default = "no")]
    pub token_exchange_flow: bool,
    /// *Require secret for Token Exchange Flow*.
    #[serde(default = "no")]
    pub secret_required_for_token_exchange: bool,
    /// The certificate (PEM) that switches the JWT bearer flow on.
    #[serde(default)]
    pub certificate: Option<String>,
    /// The certificate (PEM) for client assertions.
    #[serde(default)]
    pub client_assertion_certificate: Option<String>,

    /// *Require Secret for Web Server Flow*; off makes the app a public client.
    #[serde(default = "yes")]
    pub secret_required_for_web_server: bool,
    /// *Require Secret for Refresh Token Flow*.
    #[serde(default = "yes")]
    pub secret_required_for_refresh: bool,
    /// *Require Proof Key for Code Exchange*; by default on for External Client Apps and off for Connected Apps
    /// (Metadata API, `isPkceRequired`).
    #[serde(default)]
    pub pkce_required: Option<bool>,
    /// *Enable Refresh Token Rotation*.
    #[serde(default = "no")]
    pub refresh_token_rotation: bool,
    /// *Issue JSON Web Token (JWT)-based access tokens for named users*.
    #[serde(default = "no")]
    pub named_user_jwt: bool,
    /// Minutes that a JWT access token lives; by default as long as a session.
    #[serde(default)]
    pub named_user_jwt_minutes: Option<u32>,
    /// Minutes that an ID token is valid.
    #[serde(default = "two_minutes")]
    pub id_token_minutes: u32,
    /// *Introspect All Tokens*.
    #[serde(default = "no")]
    pub introspects_all_tokens: bool,

    #[serde(default)]
    pub permitted_users: PermittedUsers,
    /// Profiles assigned to the app.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Permission sets assigned to the app.
    #[serde(default)]
    pub permission_sets: Vec<String>,
    #[serde(default)]
    pub ip_relaxation: IpRelaxation,
    /// The app's own trusted addresses, in the web server flow.
    #[serde(default)]
    pub trusted_ip_ranges: Vec<IpRange>,
    #[serde(default)]
    pub refresh_token_policy: RefreshTokenPolicy,
    /// Session timeout of the app in minutes; without it the profile's or the org's.
    #[serde(default)]
    pub session_timeout_minutes: Option<u32>,
    /// Session security level that the app asks for.
    #[serde(default)]
    pub required_session_level: SessionLevel,
    /// What becomes of a session below that level.
    #[serde(default)]
    pub level_action: LevelAction,
}

impl AppSpec {
    /// Whether every authorization needs a code challenge, as far as the app decides it.
    pub fn requires_pkce(&self) -> bool {
        self.pkce_required.unwrap_or(self.kind == AppKind::ExternalClientApp)
    }

    /// Whether the app may be given a scope. Names of one meaning count as one.
    pub fn has_scope(&self, wanted: &str) -> bool {
        self.scopes.iter().any(|scope| same_scope(scope, wanted))
    }

    /// Whether the app can have refresh tokens.
    pub fn has_refresh_scope(&self) -> bool {
        self.has_scope("refresh_token")
    }
}

/// `refresh_token` and `offline_access` are one scope (Salesforce Help, "OAuth Tokens and Scopes").
fn same_scope(one: &str, other: &str) -> bool {
    let canonical = |scope| if scope == "offline_access" { "refresh_token" } else { scope };
    canonical(one) == canonical(other)
}

/// The two kinds of client app. The password flow exists only for Connected Apps.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    ConnectedApp,
    ExternalClientApp,
}

/// Where an External Client App may be used (Metadata API, `distributionState`).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// In its own org alone.
    #[default]
    Local,
    /// In every org where its package is installed.
    Packaged,
}

/// Whether an app can be used at all.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AppState {
    #[default]
    Enabled,
    /// Switched off in its policies.
    Disabled,
    /// Blocked on the OAuth usage page.
    Blocked,
    /// Not installed in this org: an External Client App cannot be used, a Connected App only as long as the rules
    /// for uninstalled apps allow.
    NotInstalled,
}

/// The client credentials flow of an app.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentialsSpec {
    /// The user name in *Run As*; absent when the policy names nobody.
    pub run_as: Option<String>,
}

/// When a refresh token stops working (Metadata API, `refreshTokenPolicyType`).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenPolicy {
    /// Valid until revoked.
    #[default]
    Infinite,
    /// Expires immediately.
    Zero,
    /// Hours after issue.
    LifetimeHours(u32),
    /// Hours without use.
    InactivityHours(u32),
}

/// *Permitted Users* of an app.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PermittedUsers {
    /// All users may self-authorize.
    #[default]
    All,
    /// Admin approved users are pre-authorized.
    AdminApproved,
}

/// *IP Relaxation* of an app (Metadata API, `ipRelaxationPolicyType`): whether login IP ranges of profiles hold for it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum IpRelaxation {
    #[default]
    Enforce,
    Bypass,
    EnforceRelaxRefresh,
    /// Relaxed for users with a second factor or from a verified browser.
    BypassSecondFactor,
}

/// Session security level (Metadata API, `requiredSessionLevel`).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum SessionLevel {
    Low,
    #[default]
    Standard,
    HighAssurance,
}

/// What becomes of a session below the level that an app asks for (Metadata API, `policyAction`).
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LevelAction {
    #[default]
    Block,
    /// The user is asked for a second factor.
    RaiseSessionLevel,
}

/// A refresh token that a user's approval left behind before the scenario starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedRefreshToken {
    /// Consumer key of the app.
    pub app: String,
    /// User name.
    pub user: String,
    pub token: Secret,
    /// Granted scopes; by default those of the app.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
}

fn two_minutes() -> u32 {
    2
}
