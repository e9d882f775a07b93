//! The state of one emulated org, shared by all its listeners.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::faults::Faults;
use crate::ids::{KeyPrefix, RecordId};
use crate::journal::Journal;
use crate::limits::Usage;
use crate::scenario::Scenario;
use crate::session::{Approvals, Sessions};
use crate::site::Hosts;

const USER_PREFIX: &str = "005";
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
    released: watch::Sender<u64>,
}

impl Org {
    pub(crate) fn new(scenario: Scenario) -> Result<Arc<Self>, crate::ids::MalformedId> {
        let clock = Clock::new(scenario.now, scenario.time);
        let org = Self {
            id: RecordId::parse(&scenario.org.id)?,
            hosts: Hosts::of(&scenario.org),
            started: clock.now(),
            sessions: Sessions::default(),
            approvals: Approvals::default(),
            faults: Faults::new(scenario.seed),
            journal: Journal::default(),
            usage: Usage::default(),
            http_url: OnceLock::new(),
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
            self.approvals
                .grant(token, &issued.app, &issued.user, scopes, self.started);
        }
    }

    /// The record id of a user of the scenario.
    pub(crate) fn user_id(&self, username: &str) -> RecordId {
        let prefix = KeyPrefix::parse(USER_PREFIX).expect("005 is a key prefix");
        let index = self
            .scenario
            .users
            .iter()
            .position(|user| user.username.eq_ignore_ascii_case(username));
        RecordId::new(prefix, index.unwrap_or_default() as u64)
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

fn random_text(length: usize) -> String {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    let letter = |byte: &u8| char::from(TOKEN_ALPHABET[usize::from(byte % 64)]);
    bytes.iter().map(letter).collect()
}
