//! A scenario describes an org: who may sign in, with which client app, what they see, and how much data there is.
//!
//! It is a TOML file. Unknown keys are errors, and names that point at nothing are found before anything starts.

mod app;
mod builtin;
mod check;
pub mod guide;
mod network;
mod org;
mod patch;
mod permission;
mod sandbox;
mod setup;
mod user;
mod volume;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;

pub use app::{
    AppKind, AppSpec, AppState, ClientCredentialsSpec, Distribution, IpRelaxation, IssuedRefreshToken, LevelAction,
    PermittedUsers, RefreshTokenPolicy, SessionLevel,
};
pub use builtin::Builtin;
pub(crate) use check::{ID_TOKEN_MINUTES, JWT_MINUTES};
pub use network::{IpRange, LoginHours, MalformedRange};
pub use org::{IdentityVerification, OrgKind, OrgSpec, OrgState, PolicyRefusals, SandboxSpec, SessionLevelPolicy};
pub use permission::{Permissions, Right, UserAccess};
pub use setup::Setup;
pub use user::{UserKind, UserSpec};
pub use volume::VolumeSpec;

use patch::Patch;

use crate::catalog;
use crate::clock::Passage;
use crate::database::Rules;
use crate::metadata::{self, DeployError};
use crate::schema::{FieldSpec, ObjectSpec, Schema, SchemaError};

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
    /// A folder of metadata that the scenario names is not deployed.
    #[error(transparent)]
    Metadata(#[from] DeployError),
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
    /// The address that callers seem to have: all of them come from loopback in truth.
    #[serde(default = "documentation_address")]
    pub caller_address: IpAddr,
    /// The org.
    pub org: OrgSpec,
    /// Sandboxes of the org, as they are when the org starts.
    #[serde(default)]
    pub sandboxes: Vec<SandboxSpec>,
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
    /// Source-format folders that are deployed into the org before it starts, in this order. In a scenario file they
    /// are relative to the file.
    #[serde(default)]
    pub metadata: Vec<PathBuf>,
    /// Limits.
    #[serde(default)]
    pub limits: LimitSpec,
    /// REST query pages.
    #[serde(default)]
    pub pages: PageSpec,
    /// The REST API.
    #[serde(default)]
    pub rest: RestSpec,
    /// Bulk API.
    #[serde(default)]
    pub bulk: BulkSpec,
    /// What the org demands of rows beyond the types of their fields.
    #[serde(default)]
    pub rules: Rules,
    /// Switches several currencies on.
    #[serde(default)]
    pub currencies: Option<CurrencySpec>,
    /// Switches person accounts on, and makes so many.
    #[serde(default)]
    pub person_accounts: Option<u64>,
    /// Whether `Invoice__c` has fields of types that no object has that connectors know, on which some of them give up.
    #[serde(default)]
    pub rare_types: bool,
    /// Fields whose changes are written into the histories of their objects, by object.
    #[serde(default)]
    pub field_history: BTreeMap<String, Vec<String>>,
    /// Objects that are private: their owners have a row in the object's shares.
    #[serde(default)]
    pub shares: Vec<String>,
    /// Custom objects that are made up.
    #[serde(default)]
    pub volume: VolumeSpec,
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

/// The currencies of an org that has several.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurrencySpec {
    /// ISO code of the corporate currency.
    pub corporate: String,
    /// How much of each other currency one unit of the corporate currency is, by ISO code.
    pub rates: BTreeMap<String, String>,
}

impl CurrencySpec {
    /// Every ISO code with its rate, the corporate one first.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let corporate = (self.corporate.clone(), "1".to_owned());
        std::iter::once(corporate).chain(self.rates.clone()).collect()
    }

    /// Every ISO code, the corporate one first.
    pub(crate) fn codes(&self) -> Vec<String> {
        self.all().into_iter().map(|(code, _)| code).collect()
    }
}

/// A field added to an object that exists.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraField {
    pub object: String,
    pub field: FieldSpec,
}

impl Scenario {
    /// Reads a scenario and deploys the folders of metadata that it names; they are relative to the working directory.
    ///
    /// # Errors
    /// When it is not valid TOML of this shape, a folder is refused, or the parts do not fit together.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        Self::read(text, Path::new(""))
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    /// As [`Scenario::from_toml`], and when the file cannot be read. Folders of metadata are relative to the file.
    pub fn from_path(path: &Path) -> Result<Self, ScenarioError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ScenarioError::File { path: path.to_path_buf(), source })?;
        Self::read(&text, path.parent().unwrap_or(Path::new("")))
    }

    fn read(text: &str, base: &Path) -> Result<Self, ScenarioError> {
        toml::from_str::<Self>(text)?.ready(base)
    }

    /// With its folders of metadata deployed, and checked.
    fn ready(mut self, base: &Path) -> Result<Self, ScenarioError> {
        for folder in std::mem::take(&mut self.metadata) {
            self.deploy(&base.join(folder))?;
        }
        self.check()?;
        Ok(self)
    }

    /// Deploys a source-format folder: External Client Apps, Connected Apps, permission sets and org switches, as
    /// `sf project deploy start` does. Either everything is deployed or nothing.
    ///
    /// # Errors
    /// When the folder cannot be read, or a deployment would be refused; with every problem and its place.
    pub fn deploy(&mut self, folder: &Path) -> Result<(), DeployError> {
        let setup = metadata::deploy(folder, &self.setup(), &self.schema().0, self.seed)?;
        let Setup { org, profiles, permission_sets, users, apps, withheld: _ } = setup;
        (self.org, self.profiles, self.permission_sets) = (org, profiles, permission_sets);
        (self.users, self.apps) = (users, apps);
        Ok(())
    }

    /// What the org has without declaring it.
    fn catalog(&self) -> Schema {
        let mut schema = catalog::standard();
        if !self.rare_types {
            catalog::RARE_FIELDS.iter().for_each(|(object, field)| drop(schema.remove_field(object, field)));
        }
        schema
    }

    /// The objects and fields of the org, and the first declaration that makes no sense. Such declarations are left out.
    pub(crate) fn schema(&self) -> (Schema, Result<(), SchemaError>) {
        let mut schema = self.catalog();
        let mut outcome = Ok(());
        let made_up: Vec<ObjectSpec> = self.volume.specs().collect();
        for object in self.objects.iter().chain(&made_up) {
            outcome = outcome.and(schema.declare(object).map(drop));
        }
        for extra in &self.fields {
            outcome = outcome.and(schema.declare_field(&extra.object, &extra.field).map(drop));
        }
        if let Some(currencies) = &self.currencies {
            let (object, codes) = (catalog::currency_type(), currencies.codes());
            outcome = outcome.and(schema.enable_currencies(&object, &codes, &currencies.corporate).map(drop));
        }
        if self.person_accounts.is_some() {
            outcome = outcome.and(schema.enable_person_accounts().map(drop));
        }
        (schema, outcome)
    }

    /// Reads a scenario with some changes, under another name.
    fn patched(text: &str, name: &str, patches: &[&Patch]) -> Result<Self, ScenarioError> {
        let mut document: toml::Table = toml::from_str(text)?;
        document.insert("name".to_owned(), name.into());
        for patch in patches {
            patch.apply(&mut document).map_err(|error| ScenarioError::Inconsistent(format!("{name}: {error}")))?;
        }
        document.try_into::<Self>()?.ready(Path::new(""))
    }
}

/// Limits of the org.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSpec {
    /// API requests in any 24 hours.
    pub daily_api_requests: u64,
    /// Bulk 2.0 query jobs in any 24 hours.
    pub daily_bulk_query_jobs: u64,
    /// Bulk batches in any 24 hours: those of Bulk 1.0, and those that Bulk 2.0 cuts uploads into.
    pub daily_bulk_batches: u64,
    /// Logins of one user in an hour.
    pub hourly_logins_per_user: u64,
    /// Approvals, and so refresh tokens, of one user for one app; one more revokes the oldest.
    pub approvals_per_user_and_app: usize,
    /// Wrong passwords in a row that lock a user out.
    pub wrong_passwords: u32,
    /// API requests that may be running for 20 seconds or longer at a time; one more is refused.
    pub concurrent_long_requests: usize,
    /// Megabytes of data storage, at two kilobytes a record; nothing leaves it unlimited.
    pub data_storage_megabytes: Option<u64>,
    /// API requests of an app in any 24 hours, by its name. Their use shows in `Sforce-Limit-Info`.
    pub daily_api_requests_per_app: BTreeMap<String, u64>,
}

impl Default for LimitSpec {
    fn default() -> Self {
        Self {
            daily_api_requests: 100_000,
            daily_bulk_query_jobs: 10_000,
            daily_bulk_batches: 15_000,
            hourly_logins_per_user: 3600,
            approvals_per_user_and_app: 5,
            wrong_passwords: 10,
            concurrent_long_requests: 25,
            data_storage_megabytes: None,
            daily_api_requests_per_app: BTreeMap::new(),
        }
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
    /// Children of one record by one subquery on a page, however large the page is.
    pub child_rows: usize,
}

impl Default for PageSpec {
    fn default() -> Self {
        Self { rows: 2000, rows_with_long_text: 250, wide_from_columns: 100, child_rows: 499 }
    }
}

/// How the REST API behaves where real orgs differ.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestSpec {
    /// Whether calls of a deprecated version are answered with a `Warning`.
    pub deprecated_versions: DeprecatedVersions,
}

/// What a call of a deprecated API version meets.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum DeprecatedVersions {
    #[default]
    Silent,
    Warned,
}

/// How Bulk jobs behave.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BulkSpec {
    /// Most rows in a result page, whatever a request asks for. Salesforce documents no number.
    pub page_rows: u64,
    /// Whether jobs run by themselves or one state per step of the control interface.
    pub advance: Advance,
    /// Objects refused with `is not supported by the Bulk API`, besides those that Salesforce refuses.
    pub refused_objects: Vec<String>,
    /// Most megabytes of uploads and results kept on disk at a time; a job that needs more fails.
    pub spool_megabytes: u64,
    /// Rows that an ingest job writes between two looks at whether it has been aborted.
    pub batch_rows: u64,
    /// Most kilobytes of one upload. Base64 makes 150 MB of the default.
    pub upload_kilobytes: u64,
    /// Whether the org has the Bulk APIs.
    pub enabled: bool,
}

impl Default for BulkSpec {
    fn default() -> Self {
        Self {
            page_rows: 250_000,
            advance: Advance::Auto,
            refused_objects: Vec::new(),
            spool_megabytes: 8192,
            batch_rows: 10_000,
            upload_kilobytes: 150 * 1024 / 4 * 3,
            enabled: true,
        }
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

/// The API name that Setup proposes for a label.
pub(crate) fn developer_name(label: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    label.chars().map(letter).collect()
}

fn yes() -> bool {
    true
}

fn no() -> bool {
    false
}

/// An address of TEST-NET-3, which RFC 5737 reserves for documentation.
fn documentation_address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10))
}

fn two_hours() -> u32 {
    120
}
