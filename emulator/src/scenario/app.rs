//! Client apps: Connected Apps and External Client Apps with their settings and policies.

use serde::Deserialize;

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
    /// The client credentials flow; absent means that it is off in the app's settings.
    #[serde(default)]
    pub client_credentials: Option<ClientCredentialsSpec>,
    /// *Require Secret for Refresh Token Flow*.
    #[serde(default = "super::yes")]
    pub secret_required_for_refresh: bool,
    /// Session timeout of the app; without it the org's.
    #[serde(default)]
    pub session_timeout_minutes: Option<u32>,
    #[serde(default)]
    pub refresh_token_policy: RefreshTokenPolicy,
    /// *Enable Refresh Token Rotation*.
    #[serde(default)]
    pub refresh_token_rotation: bool,
    #[serde(default)]
    pub permitted_users: PermittedUsers,
    /// Profiles assigned to the app.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Permission sets assigned to the app.
    #[serde(default)]
    pub permission_sets: Vec<String>,
    /// *Introspect All Tokens*.
    #[serde(default)]
    pub introspects_all_tokens: bool,
}

/// The two kinds of client app. The password flow exists only for Connected Apps.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    ConnectedApp,
    ExternalClientApp,
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
    /// Not installed in this org.
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
