//! Sessions and the approvals behind refresh tokens.

mod approval;
mod code;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::scenario::SessionLevel;

pub(crate) use approval::{ApprovalId, Approvals, InProcess, ListedToken, Refusal};
pub(crate) use code::{Authorized, Codes, Unusable};

/// What an access token looks like. JWTs are refused by SOAP and Bulk (`jsforce/jsforce:src/soap.ts`; vendor guides).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFormat {
    Opaque,
    Jwt,
}

/// What an access token stands for.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) username: String,
    /// The app; absent after SOAP `login()`.
    pub(crate) consumer_key: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) level: SessionLevel,
    /// The password has expired: the session is good for setting a new one and for nothing else.
    pub(crate) password_expired: bool,
    /// Whether the user is the app's Run As user.
    pub(crate) runs_as: bool,
    pub(crate) format: TokenFormat,
    pub(crate) issued: DateTime<Utc>,
    pub(crate) last_used: DateTime<Utc>,
    /// Inactivity that ends it; for a JWT its life, whether it is used or not.
    pub(crate) timeout: TimeDelta,
    /// The approval whose refresh token made it.
    pub(crate) approval: Option<ApprovalId>,
}

impl Session {
    pub(crate) fn expires(&self) -> DateTime<Utc> {
        let from = match self.format {
            TokenFormat::Opaque => self.last_used,
            TokenFormat::Jwt => self.issued,
        };
        from.checked_add_signed(self.timeout).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Whether the token is not a JWT.
    pub(crate) fn is_opaque(&self) -> bool {
        self.format == TokenFormat::Opaque
    }

    /// Whether one of some scopes was granted.
    pub(crate) fn has_scope(&self, wanted: &[&str]) -> bool {
        self.scopes.iter().any(|scope| wanted.contains(&scope.as_str()))
    }

    /// Whether the scopes include use of the data API.
    pub(crate) fn reaches_api(&self) -> bool {
        self.has_scope(&["api", "full"])
    }
}

/// The open sessions of an org by access token. They end after inactivity: use extends them.
#[derive(Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, Session>>,
}

/// Up to here nobody looks for sessions that have ended by themselves.
const FEW: usize = 1024;

impl Sessions {
    /// Opens a session. Whenever their number has doubled, those that have ended by themselves are forgotten.
    pub(crate) fn open(&self, token: String, session: Session) {
        let mut open = self.lock();
        if open.len() >= FEW && open.len().is_power_of_two() {
            let now = session.issued;
            open.retain(|_, session| session.expires() > now);
        }
        open.insert(token, session);
    }

    /// The session of a token that is used now, which extends its life.
    pub(crate) fn authenticate(&self, token: &str, now: DateTime<Utc>) -> Option<Session> {
        let mut open = self.lock();
        let session = open.get_mut(token)?;
        if session.expires() <= now {
            open.remove(token);
            return None;
        }
        session.last_used = now;
        Some(session.clone())
    }

    /// The session of a token, without counting as use.
    pub(crate) fn look_up(&self, token: &str, now: DateTime<Utc>) -> Option<Session> {
        let open = self.lock();
        open.get(token).filter(|session| session.expires() > now).cloned()
    }

    /// Opens the sessions of a user whose expired password has been changed.
    pub(crate) fn renew_password(&self, username: &str) {
        let mut open = self.lock();
        let own = open.values_mut().filter(|session| session.username.eq_ignore_ascii_case(username));
        own.for_each(|session| session.password_expired = false);
    }

    /// Whether a session with this token is kept, ended or not.
    pub(crate) fn knows(&self, token: &str) -> bool {
        self.lock().contains_key(token)
    }

    /// Ends one session; whether there was one.
    pub(crate) fn end(&self, token: &str) -> bool {
        self.lock().remove(token).is_some()
    }

    pub(crate) fn end_all(&self) {
        self.lock().clear();
    }

    /// Ends the sessions that were made from one approval.
    pub(crate) fn end_approval(&self, approval: ApprovalId) {
        self.lock().retain(|_, session| session.approval != Some(approval));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
