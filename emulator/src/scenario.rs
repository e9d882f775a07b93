//! A scenario describes an org: who may sign in, with which client app, what they see, and how much data there is.
//!
//! It is a TOML file. Unknown keys are errors, and names that point at nothing are found before anything starts.

mod app;
mod check;
mod permission;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;

pub use app::{
    AppKind, AppSpec, AppState, ClientCredentialsSpec, IssuedRefreshToken, PermittedUsers, RefreshTokenPolicy,
};
pub use permission::{Permissions, Right, UserAccess};

use crate::clock::Passage;
use crate::schema::{FieldSpec, ObjectSpec};
use crate::secret::Secret;

/// Scenarios that come with the program, by name.
const BUILTIN: [(&str, &str); 2] =
    [("acme", include_str!("../scenarios/acme.toml")), ("demo", include_str!("../scenarios/demo.toml"))];

/// Why a scenario is refused.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("the scenario {path} cannot be read: {source}")]
    File { path: PathBuf, source: std::io::Error },
    /// The text is not TOML, has an unknown key, lacks a required one, or one has the wrong type.
    #[error("the scenario is not valid: {0}")]
    Toml(#[from] toml::de::Error),
    /// The parts do not fit together.
    #[error("the scenario is not consistent: {0}")]
    Inconsistent(String),
}

/// An org and everything around it that decides what a client gets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name of the scenario, for people.
    pub name: String,
    /// All generated values and all random decisions follow from it.
    #[serde(default)]
    pub seed: u64,
    /// Emulated time at the start; without it, the real time.
    #[serde(default)]
    pub now: Option<DateTime<Utc>>,
    /// Whether emulated time runs by itself.
    #[serde(default)]
    pub time: Passage,
    /// The org.
    pub org: OrgSpec,
    /// Profiles by name.
    pub profiles: BTreeMap<String, Permissions>,
    /// Permission sets by name.
    #[serde(default)]
    pub permission_sets: BTreeMap<String, Permissions>,
    /// The org's users.
    pub users: Vec<UserSpec>,
    /// Client apps.
    #[serde(default)]
    pub apps: Vec<AppSpec>,
    /// Refresh tokens that exist from the start.
    #[serde(default)]
    pub refresh_tokens: Vec<IssuedRefreshToken>,
    /// Limits.
    #[serde(default)]
    pub limits: LimitSpec,
    /// REST query pages.
    #[serde(default)]
    pub pages: PageSpec,
    /// Bulk API 2.0 query.
    #[serde(default)]
    pub bulk: BulkSpec,
    /// Generated rows per object.
    #[serde(default)]
    pub rows: BTreeMap<String, u64>,
    /// Objects besides those that every org of this emulator has.
    #[serde(default)]
    pub objects: Vec<ObjectSpec>,
    /// Fields added to objects.
    #[serde(default)]
    pub fields: Vec<ExtraField>,
}

/// A field added to an object that exists.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraField {
    pub object: String,
    pub field: FieldSpec,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// When it is not valid TOML of this shape, or its parts do not fit together.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    /// As [`Scenario::from_toml`], and when the file cannot be read.
    pub fn from_path(path: &Path) -> Result<Self, ScenarioError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ScenarioError::File { path: path.to_path_buf(), source })?;
        Self::from_toml(&text)
    }

    /// A scenario that comes with the program: one of [`Scenario::builtin_names`].
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(known, _)| *known == name)?;
        Some(Self::from_toml(text).expect("the tests read every scenario that is shipped"))
    }

    /// Names of the scenarios that come with the program.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// The user with this name; user names are compared without case.
    pub fn user(&self, username: &str) -> Option<&UserSpec> {
        self.users.iter().find(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// The app with this consumer key.
    pub fn app(&self, consumer_key: &str) -> Option<&AppSpec> {
        self.apps.iter().find(|app| app.consumer_key == consumer_key)
    }

    /// What the profile and the permission sets of a user allow together.
    pub fn access(&self, user: &UserSpec) -> UserAccess {
        let sets = user.permission_sets.iter().filter_map(|name| self.permission_sets.get(name));
        UserAccess::combine(self.profiles.get(&user.profile).into_iter().chain(sets))
    }
}

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
    /// *Setup > OAuth and OpenID Connect Settings > Allow OAuth Username-Password Flows*.
    #[serde(default)]
    pub username_password_flow: bool,
    /// Whether callers come from *Setup > Network Access* ranges: then no security token is needed.
    #[serde(default)]
    pub trusted_network: bool,
    /// *Setup > My Domain > Routing and Policies*: whether `login.salesforce.com` signs this org's users in.
    #[serde(default = "yes")]
    pub generic_login: bool,
    /// Whether the Run As user of an External Client App needs an assigned profile or permission set when only
    /// admin-approved users are permitted. The documentation says no, reports from the field say yes.
    #[serde(default = "yes")]
    pub run_as_needs_assignment: bool,
    /// Minutes of inactivity that end a session, unless the app sets its own. Default two hours.
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

    /// Whether the org signs in at `test.salesforce.com` rather than `login.salesforce.com`.
    pub fn is_sandbox(self) -> bool {
        match self {
            Self::Sandbox | Self::Scratch => true,
            Self::Production | Self::Develop | Self::Trailblaze => false,
        }
    }
}

/// One user of the org.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// User name, unique.
    pub username: String,
    #[serde(default)]
    pub password: Option<Secret>,
    /// Appended to the password outside trusted networks.
    #[serde(default)]
    pub security_token: Option<Secret>,
    pub first_name: Option<String>,
    pub last_name: String,
    /// E-mail address; by default the user name.
    #[serde(default)]
    pub email: Option<String>,
    pub profile: String,
    #[serde(default)]
    pub permission_sets: Vec<String>,
    #[serde(default = "yes")]
    pub active: bool,
}

/// Limits of the org.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSpec {
    /// API requests in any 24 hours.
    pub daily_api_requests: u64,
    /// Bulk 2.0 query jobs in any 24 hours.
    pub daily_bulk_query_jobs: u64,
}

impl Default for LimitSpec {
    fn default() -> Self {
        Self { daily_api_requests: 100_000, daily_bulk_query_jobs: 10_000 }
    }
}

/// How many rows a REST query page holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageSpec {
    /// Page size when the client does not ask for one.
    pub rows: usize,
    /// Page size when the query selects long text or rich text.
    pub rows_with_long_text: usize,
    /// Number of selected columns from which on a page shrinks to `rows_with_long_text`.
    pub wide_from_columns: usize,
}

impl Default for PageSpec {
    fn default() -> Self {
        Self { rows: 2000, rows_with_long_text: 250, wide_from_columns: 100 }
    }
}

/// How Bulk 2.0 query jobs behave.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BulkSpec {
    /// Most rows in a result page. Salesforce documents no number for the size that it picks itself.
    pub page_rows: u64,
    /// Whether jobs run by themselves or one state per step of the control interface.
    pub advance: Advance,
    /// Objects refused with `is not supported by the Bulk API`, besides those that Salesforce refuses.
    pub refused_objects: Vec<String>,
    /// Most megabytes of results kept on disk at a time; a job that needs more fails.
    pub spool_megabytes: u64,
}

impl Default for BulkSpec {
    fn default() -> Self {
        Self { page_rows: 50_000, advance: Advance::Auto, refused_objects: Vec::new(), spool_megabytes: 8192 }
    }
}

/// What moves a job from one state to the next.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Advance {
    #[default]
    Auto,
    Step,
}

fn yes() -> bool {
    true
}

fn two_hours() -> u32 {
    120
}
