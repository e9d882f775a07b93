//! The state of one emulated org, shared by all its listeners.

mod population;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::bulk::Jobs;
use crate::catalog;
use crate::clock::Clock;
use crate::database::{Database, RowError, Snapshot};
use crate::faults::Faults;
use crate::ids::RecordId;
use crate::journal::Journal;
use crate::limits::Usage;
use crate::rest::Cursors;
use crate::scenario::{Scenario, UserSpec};
use crate::schema::SchemaError;
use crate::session::{Approvals, Sessions};
use crate::site::Hosts;
use crate::value::Timestamp;

const TOKEN_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// Everything that requests read and change.
pub(crate) struct Org {
    pub(crate) scenario: Scenario,
    pub(crate) id: RecordId,
    pub(crate) hosts: Hosts,
    pub(crate) clock: Clock,
    /// Emulated time when the org came up; stamps what the scenario made.
    pub(crate) started: DateTime<Utc>,
    pub(crate) sessions: Sessions,
    pub(crate) approvals: Approvals,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) usage: Usage,
    /// Address of the plain listener, once it is bound.
    pub(crate) http_url: OnceLock<String>,
    pub(crate) cursors: Cursors,
    pub(crate) jobs: Jobs,
    database: RwLock<Database>,
    schema_changed: Mutex<DateTime<Utc>>,
    released: watch::Sender<u64>,
}

/// A scenario whose data cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PopulateError {
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
    pub(crate) fn new(scenario: Scenario, spool: Option<PathBuf>) -> Result<Arc<Self>, PopulateError> {
        let clock = Clock::new(scenario.now, scenario.time);
        let id = RecordId::parse(&scenario.org.id)?;
        let mut database = Database::new(catalog::standard(), scenario.seed);
        population::populate(&mut database, &scenario, id, Timestamp::from(clock.now()))?;
        let org = Self {
            id,
            hosts: Hosts::of(&scenario.org),
            started: clock.now(),
            sessions: Sessions::default(),
            approvals: Approvals::default(),
            faults: Faults::new(scenario.seed),
            journal: Journal::default(),
            usage: Usage::default(),
            http_url: OnceLock::new(),
            cursors: Cursors::default(),
            jobs: Jobs::new(&scenario.bulk, spool),
            database: RwLock::new(database),
            schema_changed: Mutex::new(clock.now()),
            released: watch::channel(0).0,
            clock,
            scenario,
        };
        org.grant_issued_tokens();
        Ok(Arc::new(org))
    }

    fn grant_issued_tokens(&self) {
        for issued in &self.scenario.refresh_tokens {
            let app = self.scenario.app(&issued.app);
            let of_app = || app.map(|app| app.scopes.clone()).unwrap_or_default();
            let scopes = issued.scopes.clone().unwrap_or_else(of_app);
            let token = issued.token.expose().to_owned();
            self.approvals.grant(token, &issued.app, &issued.user, scopes, self.started);
        }
    }

    /// The record id of a user of the scenario.
    pub(crate) fn user_id(&self, username: &str) -> RecordId {
        Self::user_id_in(&self.scenario, username)
    }

    /// The record id of a user; of the first user for a name that nobody has.
    fn user_id_in(scenario: &Scenario, username: &str) -> RecordId {
        let named = |user: &UserSpec| user.username.eq_ignore_ascii_case(username);
        population::scenario_id("005", scenario.users.iter().position(named).unwrap_or_default())
    }

    /// The data as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.database.read().unwrap_or_else(PoisonError::into_inner).snapshot()
    }

    /// Changes data, stamped with the emulated time.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut Database, Timestamp) -> T) -> T {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut database, Timestamp::from(self.clock.now()))
    }

    /// Emulated time of the last change of objects or fields.
    pub(crate) fn schema_changed(&self) -> DateTime<Utc> {
        *self.schema_changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that objects or fields have changed now.
    pub(crate) fn note_schema_change(&self) {
        *self.schema_changed.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.now();
    }

    /// An opaque access token: the short org id, `!`, and a random part that begins with `AQ`.
    pub(crate) fn new_access_token(&self) -> String {
        format!("{}!AQ{}", self.id.short(), random_text(86))
    }

    pub(crate) fn new_refresh_token(&self) -> String {
        format!("5Aep{}", random_text(83))
    }

    /// Waits, when told to, until [`Org::release`].
    pub(crate) async fn hang_if(&self, hangs: bool) {
        if hangs {
            let mut released = self.released.subscribe();
            // The sender lives as long as the org, so the channel is not closed here.
            let _ = released.changed().await;
        }
    }

    /// Lets every request go on that hangs now.
    pub(crate) fn release(&self) {
        self.released.send_modify(|count| *count += 1);
    }
}

pub(crate) fn random_text(length: usize) -> String {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    let letter = |byte: &u8| char::from(TOKEN_ALPHABET[usize::from(byte % 64)]);
    bytes.iter().map(letter).collect()
}
