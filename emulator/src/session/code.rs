//! Authorization codes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::oauth::CodeChallenge;
use crate::org::random_text;
use crate::scenario::SessionLevel;
use crate::web::Bounded;

/// Salesforce Help, "OAuth 2.0 Web Server Flow".
const LIFE: TimeDelta = TimeDelta::minutes(15);
/// Codes that an org remembers, so that it can tell a used one from one that never was.
const CAPACITY: usize = 5000;

/// What a user has let an app have.
#[derive(Clone, Debug)]
pub(crate) struct Authorized {
    pub(crate) consumer_key: String,
    pub(crate) redirect_uri: String,
    pub(crate) username: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) level: SessionLevel,
    pub(crate) challenge: Option<CodeChallenge>,
    /// For the ID token.
    pub(crate) nonce: Option<String>,
    pub(crate) at: DateTime<Utc>,
}

enum State {
    Open(Box<Authorized>),
    Used,
}

/// Why a code cannot be redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Older than its life, or used already.
    Expired,
    /// Never issued.
    Unknown,
}

/// The codes of an org.
pub(crate) struct Codes {
    issued: Mutex<Bounded<State>>,
}

impl Default for Codes {
    fn default() -> Self {
        Self { issued: Mutex::new(Bounded::new(CAPACITY)) }
    }
}

impl Codes {
    pub(crate) fn issue(&self, authorized: Authorized) -> String {
        let code = format!("aPrx{}==", random_text(82));
        self.lock().insert(code.clone(), State::Open(Box::new(authorized)));
        code
    }

    pub(crate) fn issued(&self, code: &str) -> bool {
        self.lock().get(code).is_some()
    }

    /// Uses a code up, once `check` finds nothing wrong. Of several that try at a time one succeeds.
    pub(crate) fn redeem<E: From<Unusable>>(
        &self,
        code: &str,
        now: DateTime<Utc>,
        check: impl FnOnce(&Authorized) -> Result<(), E>,
    ) -> Result<Authorized, E> {
        let mut issued = self.lock();
        let state = issued.get_mut(code).ok_or(Unusable::Unknown)?;
        let State::Open(authorized) = state else { return Err(Unusable::Expired.into()) };
        if now - authorized.at >= LIFE {
            return Err(Unusable::Expired.into());
        }
        check(authorized)?;
        let authorized = authorized.as_ref().clone();
        *state = State::Used;
        Ok(authorized)
    }

    fn lock(&self) -> MutexGuard<'_, Bounded<State>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
