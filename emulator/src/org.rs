//! The state of one emulated org.

pub(crate) mod audit;
mod computed;
mod configuration;
mod password;
mod population;
mod refresh;
mod system;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};

use crate::bulk::Jobs;
use crate::call::Call;
use crate::database::{Database, RowError, Snapshot};
use crate::ids::RecordId;
use crate::limits::Usage;
use crate::login_history::LoginHistory;
use crate::oauth::{Frontdoors, UsedAssertions};
use crate::rest::{Cursors, RecentlyUsed};
use crate::scenario::{Scenario, ScenarioError, SessionLevel, Setup, UserSpec};
use crate::schema::{Schema, SchemaError};
use crate::session::{Approvals, Codes, Sessions};
use crate::sign_in::Attempts;
use crate::site::{Hosts, Site};
use crate::value::Timestamp;
use crate::world::Shared;

use computed::Computed;
pub(crate) use computed::{custom_field_id, custom_object_id, is_customizable};
pub(crate) use configuration::Configuration;
use system::SystemRows;

const TOKEN_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// Everything that requests to one org read and change.
pub(crate) struct Org {
    /// What does not change while the org runs; users, apps and switches are in [`Org::setup`].
    pub(crate) scenario: Scenario,
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: RecordId,
    pub(crate) hosts: Hosts,
    /// Whether plain HTTP without a name stands for this org.
    pub(crate) is_primary: bool,
    /// Emulated time when the org came up; stamps what the scenario made.
    pub(crate) started: DateTime<Utc>,
    pub(crate) sessions: Sessions,
    pub(crate) approvals: Approvals,
    pub(crate) used_assertions: UsedAssertions,
    pub(crate) frontdoors: Frontdoors,
    pub(crate) codes: Codes,
    pub(crate) attempts: Attempts,
    pub(crate) login_history: LoginHistory,
    pub(crate) usage: Usage,
    pub(crate) cursors: Cursors,
    pub(crate) recently_used: RecentlyUsed,
    pub(crate) jobs: Jobs,
    system: SystemRows,
    computed: Computed,
    database: RwLock<Database>,
    schema_changed: Mutex<DateTime<Utc>>,
}

/// A scenario whose data cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PopulateError {
    /// There is no scenario.
    #[error("an emulator needs at least one scenario")]
    NoOrg,
    /// The orgs do not fit together.
    #[error(transparent)]
    Inconsistent(#[from] ScenarioError),
    /// The org id is not one.
    #[error("the org id of the scenario is wrong: {0}")]
    OrgId(#[from] crate::ids::MalformedId),
    /// An object or field is declared wrongly, or rows are asked for an object that does not exist.
    #[error("an object of the scenario is wrong: {0}")]
    Schema(#[from] SchemaError),
    /// A row that follows from the scenario is refused.
    #[error("a row of {object} that the scenario implies is refused: {source}")]
    Row { object: String, source: RowError },
}

impl Org {
    pub(crate) fn new(
        scenario: Scenario,
        configuration: Arc<Configuration>,
        shared: Arc<Shared>,
        is_primary: bool,
        spool: Option<PathBuf>,
    ) -> Result<Arc<Self>, PopulateError> {
        let now = shared.clock.now();
        let id = RecordId::parse(&scenario.org.id)?;
        let (schema, declared) = scenario.schema();
        declared?;
        let mut database = Database::new(schema, scenario.seed);
        let system = SystemRows::default();
        population::populate(&mut database, &system, &scenario, id, Timestamp::from(now))?;
        Ok(Self::of(scenario, id, configuration, shared, is_primary, spool, (database, system)))
    }

    /// An org with these rows.
    fn of(
        scenario: Scenario,
        id: RecordId,
        configuration: Arc<Configuration>,
        shared: Arc<Shared>,
        is_primary: bool,
        spool: Option<PathBuf>,
        (mut database, system): (Database, SystemRows),
    ) -> Arc<Self> {
        let now = shared.clock.now();
        database.set_rules(scenario.rules.clone());
        database.set_storage_limit(scenario.limits.data_storage_megabytes);
        let faults = Arc::clone(&shared);
        database.set_mishaps(Arc::new(move |line| faults.faults.strike_row(line)));
        let org = Self {
            id,
            hosts: Hosts::of(&scenario.org),
            is_primary,
            started: now,
            sessions: Sessions::default(),
            approvals: Approvals::new(scenario.limits.approvals_per_user_and_app),
            used_assertions: UsedAssertions::default(),
            frontdoors: Frontdoors::default(),
            codes: Codes::default(),
            attempts: Attempts::default(),
            login_history: LoginHistory::default(),
            usage: Usage::default(),
            cursors: Cursors::default(),
            recently_used: RecentlyUsed::default(),
            jobs: Jobs::new(&scenario.bulk, spool),
            system,
            computed: Computed::default(),
            database: RwLock::new(database),
            schema_changed: Mutex::new(now),
            configuration,
            shared,
            scenario,
        };
        org.grant_issued_tokens();
        org.refresh_system_rows();
        Arc::new(org)
    }

    fn grant_issued_tokens(&self) {
        let setup = self.configuration.saved();
        for issued in &self.scenario.refresh_tokens {
            let of_app = || setup.app(&issued.app).map(|app| app.scopes.clone()).unwrap_or_default();
            let scopes = issued.scopes.clone().unwrap_or_else(of_app);
            let token = issued.token.expose().to_owned();
            self.approvals.consent(&issued.app, &issued.user, &scopes, self.started);
            let level = SessionLevel::Standard;
            self.approvals.grant(token, &issued.app, &issued.user, scopes, level, self.started);
        }
    }

    /// The emulated time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now()
    }

    /// The configuration that is in effect for a call.
    pub(crate) fn setup(&self, call: &Call) -> Arc<Setup> {
        self.configuration.in_effect(self.now(), call.number)
    }

    /// Whether `id` is the org's, in 15 or 18 characters.
    pub(crate) fn is_named(&self, id: &str) -> bool {
        matches!(id.len(), 15 | 18) && id.get(..15) == self.id.to_string().get(..15)
    }

    /// Whether the org issued a token or an authorization code, whatever has become of it since.
    pub(crate) fn issued(&self, token: &str) -> bool {
        let owner = token.split_once('!').map(|(owner, _)| owner);
        let names_org = owner.is_some_and(|owner| self.is_named(owner));
        names_org || self.approvals.issued(token) || self.codes.issued(token) || self.sessions.knows(token)
    }

    /// Whether this org's users sign in at a host: at its My Domain, and at its generic host unless that is closed.
    pub(crate) fn signs_in_at(&self, setup: &Setup, site: Site) -> bool {
        match site {
            Site::MyDomain => true,
            Site::Login => setup.org.generic_login && !setup.org.kind.is_sandbox(),
            Site::Test => setup.org.generic_login && setup.org.kind.is_sandbox(),
            Site::Lightning | Site::Setup | Site::Unknown => false,
        }
    }

    /// The record id of a user of the scenario.
    pub(crate) fn user_id(&self, username: &str) -> RecordId {
        Self::user_id_in(&self.scenario, username)
    }

    /// The record id of a user; of the first user for a name that nobody has.
    pub(in crate::org) fn user_id_in(scenario: &Scenario, username: &str) -> RecordId {
        let named = |user: &UserSpec| user.username.eq_ignore_ascii_case(username);
        population::scenario_id("005", scenario.users.iter().position(named).unwrap_or_default())
    }

    /// The record id of a profile of the scenario.
    pub(crate) fn profile_id(&self, name: &str) -> RecordId {
        let position = self.scenario.profiles.keys().position(|profile| profile == name);
        population::scenario_id("00e", position.unwrap_or_default())
    }

    /// The data as it is now. Rows that are worked out for whoever asks are not in it: see [`Org::view`].
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.refresh_system_rows();
        self.database.read().unwrap_or_else(PoisonError::into_inner).snapshot()
    }

    fn current_schema(&self) -> Arc<Schema> {
        Arc::clone(self.database.read().unwrap_or_else(PoisonError::into_inner).schema())
    }

    /// Changes data, stamped with the emulated time.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut Database, Timestamp) -> T) -> T {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut database, Timestamp::from(self.now()))
    }

    /// Emulated time of the last change of objects or fields.
    pub(crate) fn schema_changed(&self) -> DateTime<Utc> {
        *self.schema_changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that objects, fields or who sees them have changed now. `Last-Modified` counts in seconds, and moves with
    /// every change even where the clock stands still.
    pub(crate) fn note_schema_change(&self) {
        let mut changed = self.schema_changed.lock().unwrap_or_else(PoisonError::into_inner);
        *changed = self.now().max(*changed + TimeDelta::seconds(1));
    }

    /// An opaque access token: the short org id, `!`, and a random part that begins with `AQ`.
    pub(crate) fn new_access_token(&self) -> String {
        format!("{}!AQ{}", self.id.short(), random_text(86))
    }

    pub(crate) fn new_refresh_token(&self) -> String {
        format!("5Aep{}", random_text(83))
    }
}

pub(crate) fn random_text(length: usize) -> String {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    let letter = |byte: &u8| char::from(TOKEN_ALPHABET[usize::from(byte % 64)]);
    bytes.iter().map(letter).collect()
}
