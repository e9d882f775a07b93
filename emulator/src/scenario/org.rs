//! The org itself: its name, its kind and its switches in Setup.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::network::IpRange;
use super::{no, two_hours, yes};

/// The org itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgSpec {
    /// Org id, 15 or 18 characters, beginning with `00D`.
    pub id: String,
    /// Company name.
    pub name: String,
    /// The part of the My Domain host before the kind, such as `acme` or `acme--uat`.
    pub my_domain: String,
    /// Which kind of org, and so which host names it has.
    #[serde(default)]
    pub kind: OrgKind,
    /// Whether the org can be used at all.
    #[serde(default)]
    pub state: OrgState,
    /// The instance that the org lives on, such as `NA224`.
    #[serde(default = "first_instance")]
    pub instance: String,
    /// The namespace of an org in which packages are made.
    #[serde(default)]
    pub namespace: Option<String>,
    /// When a trial or a scratch org expires.
    #[serde(default)]
    pub trial_expiration: Option<DateTime<Utc>>,
    /// Minutes until a change of apps, policies or users takes effect, on the emulated clock. Real orgs take 2 to 10.
    #[serde(default)]
    pub propagation_minutes: u32,
    /// Whether, in the second half of that time, every other request is served from the changed configuration: real
    /// requests meet servers that know of a change and servers that do not.
    #[serde(default = "no")]
    pub propagation_alternates: bool,

    /// *Setup > OAuth and OpenID Connect Settings > Allow OAuth Username-Password Flows*.
    #[serde(default = "no")]
    pub username_password_flow: bool,
    /// *Setup > OAuth and OpenID Connect Settings > Allow OAuth User-Agent Flows*.
    #[serde(default = "yes")]
    pub user_agent_flow: bool,
    /// *Setup > OAuth and OpenID Connect Settings > Require PKCE*, for every app of the org.
    #[serde(default = "no")]
    pub pkce_required: bool,
    /// *Setup > User Interface > Enable SOAP API login()*.
    #[serde(default = "no")]
    pub soap_login: bool,
    /// *Setup > My Domain > Routing and Policies*: whether `login.salesforce.com` signs this org's users in.
    #[serde(default = "yes")]
    pub generic_login: bool,
    /// *Setup > My Domain > Routing and Policies*: whether SOAP `login()` works at `login.salesforce.com`.
    #[serde(default = "yes")]
    pub generic_soap_login: bool,
    /// *API Access Control*: only apps that an admin installed and approved. External Client Apps are not caught by it.
    #[serde(default = "no")]
    pub api_access_control: bool,
    /// The rule of September 2025: an uninstalled Connected App is refused to users who have not approved it already,
    /// and in the device flow to everybody.
    #[serde(default = "yes")]
    pub uninstalled_apps_refused: bool,
    /// Whether Connected Apps may still be created by a deployment. Since Spring '26 only by way of Salesforce Support.
    #[serde(default = "no")]
    pub connected_app_creation: bool,
    /// Whether the Run As user of an External Client App needs an assigned profile or permission set when only
    /// admin-approved users are permitted. The documentation says no, reports from the field say yes.
    #[serde(default = "yes")]
    pub run_as_needs_assignment: bool,

    /// *Setup > Network Access*: callers from here need no security token and no verification code.
    #[serde(default)]
    pub trusted_ip_ranges: Vec<IpRange>,
    /// *Session Settings > Enforce login IP ranges on every request*.
    #[serde(default = "no")]
    pub ip_ranges_on_every_request: bool,
    /// Whether the login page asks for a code that is sent by e-mail.
    #[serde(default)]
    pub identity_verification: IdentityVerification,
    /// *Identity Verification > Session Security Level Policies*: what sessions of standard level meet at the data API.
    #[serde(default)]
    pub session_level_policy: SessionLevelPolicy,
    /// Where a person ends up whom an app's policies refuse.
    #[serde(default)]
    pub policy_refusals: PolicyRefusals,
    /// Whether a code verifier that does not fit is `invalid_request`, as documented, and not `invalid_grant`, as seen.
    #[serde(default = "no")]
    pub wrong_verifier_is_invalid_request: bool,
    /// Whether a scope that an app lacks ends in `OAUTH_APPROVAL_ERROR_GENERIC` at the My Domain: both are seen.
    #[serde(default = "no")]
    pub missing_scope_is_generic_error: bool,
    /// Minutes of inactivity that end a session, unless the app or the profile sets its own. Default two hours.
    #[serde(default = "two_hours")]
    pub session_timeout_minutes: u32,
}

/// Kind of an org; decides the host names (Salesforce Help, "My Domain Login and Application URL Formats").
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OrgKind {
    #[default]
    Production,
    Sandbox,
    Develop,
    Scratch,
    Trailblaze,
}

impl OrgKind {
    /// The label between the My Domain name and the Salesforce suffix, with its dot.
    pub(crate) fn partition(self) -> &'static str {
        match self {
            Self::Production => "",
            Self::Sandbox => ".sandbox",
            Self::Develop => ".develop",
            Self::Scratch => ".scratch",
            Self::Trailblaze => ".trailblaze",
        }
    }

    /// The edition, as Organization names it.
    pub(crate) fn edition(self) -> &'static str {
        match self {
            Self::Production | Self::Sandbox => "Enterprise Edition",
            Self::Develop | Self::Scratch | Self::Trailblaze => "Developer Edition",
        }
    }

    /// Whether the org signs in at `test.salesforce.com` rather than `login.salesforce.com`.
    pub fn is_sandbox(self) -> bool {
        match self {
            Self::Sandbox | Self::Scratch => true,
            Self::Production | Self::Develop | Self::Trailblaze => false,
        }
    }
}

/// Whether an org can be used.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OrgState {
    #[default]
    Active,
    /// Locked, closed or suspended: `inactive_org`.
    Locked,
    /// Deleted or expired, as scratch orgs and trials are: `Data Not Available`.
    Deleted,
    /// In maintenance: 503 with a page in HTML.
    Maintenance,
}

/// When the login page asks for a code that is sent by e-mail.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum IdentityVerification {
    #[default]
    Never,
    /// From a browser that has not been verified, outside the trusted ranges.
    UnknownBrowser,
    /// At every login.
    Always,
}

/// What a session of standard level meets at the data API.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SessionLevelPolicy {
    #[default]
    None,
    /// 403 `INSUFFICIENT_ACCESS`; only high assurance sessions pass.
    Block,
}

/// Where a person ends up whom an app's policies refuse: field reports show both.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PolicyRefusals {
    /// At the app's callback.
    #[default]
    Callback,
    /// On an error page of Salesforce.
    Page,
}

/// A sandbox of the scenario's org: a copy of its data, with the same record ids.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxSpec {
    /// Name, such as `uat`: the My Domain is then `acme--uat`, and user names end in `.uat`.
    pub name: String,
    /// Org id of the sandbox; records keep theirs.
    pub id: String,
    /// Whether the production org's apps are copied with their consumer keys and secrets.
    #[serde(default = "yes")]
    pub copies_apps: bool,
}

fn first_instance() -> String {
    "NA1".to_owned()
}
