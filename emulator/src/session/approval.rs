//! Approvals: a user let an app act for them, and a refresh token proves it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::scenario::RefreshTokenPolicy;

/// Names one approval and everything issued under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ApprovalId(u64);

/// What a user approved.
#[derive(Clone, Debug)]
pub(crate) struct Approval {
    pub(crate) consumer_key: String,
    pub(crate) username: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) issued: DateTime<Utc>,
    last_used: DateTime<Utc>,
}

/// State of one refresh token that was ever issued.
#[derive(Clone, Copy, Debug)]
enum TokenState {
    Current(ApprovalId),
    /// Replaced by rotation. Its presentation is a replay.
    Rotated(ApprovalId),
}

/// A refresh token that may be used.
#[derive(Clone, Debug)]
pub(crate) struct Redeemed {
    pub(crate) approval: ApprovalId,
    pub(crate) username: String,
    pub(crate) scopes: Vec<String>,
}

/// Why a refresh token may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Never issued, revoked, expired, or issued to another app.
    Expired,
    /// Rotated away earlier: the approval behind it has just ended.
    Replayed(ApprovalId),
}

/// The refresh tokens of an org.
#[derive(Default)]
pub(crate) struct Approvals {
    state: Mutex<State>,
    in_process: Arc<Mutex<HashSet<String>>>,
}

#[derive(Default)]
struct State {
    approvals: HashMap<ApprovalId, Approval>,
    tokens: HashMap<String, TokenState>,
    last: u64,
}

/// Marks a refresh token as being processed until it is dropped.
pub(crate) struct InProcess {
    token: String,
    marks: Arc<Mutex<HashSet<String>>>,
}

impl Drop for InProcess {
    fn drop(&mut self) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.remove(&self.token);
    }
}

impl Approvals {
    /// Records an approval whose refresh token is `token`.
    pub(crate) fn grant(
        &self,
        token: String,
        consumer_key: &str,
        username: &str,
        scopes: Vec<String>,
        now: DateTime<Utc>,
    ) -> ApprovalId {
        let mut state = self.lock();
        state.last += 1;
        let id = ApprovalId(state.last);
        let approval = Approval {
            consumer_key: consumer_key.to_owned(),
            username: username.to_owned(),
            scopes,
            issued: now,
            last_used: now,
        };
        state.approvals.insert(id, approval);
        state.tokens.insert(token, TokenState::Current(id));
        id
    }

    /// Claims a token for one request; `None` while another request has it.
    pub(crate) fn claim(&self, token: &str) -> Option<InProcess> {
        let mut marks = self.in_process.lock().unwrap_or_else(PoisonError::into_inner);
        marks
            .insert(token.to_owned())
            .then(|| InProcess { token: token.to_owned(), marks: Arc::clone(&self.in_process) })
    }

    /// Looks at a presented token. A replay ends its approval.
    pub(crate) fn present(
        &self,
        token: &str,
        consumer_key: &str,
        policy: RefreshTokenPolicy,
        now: DateTime<Utc>,
    ) -> Result<Redeemed, Refusal> {
        let mut state = self.lock();
        let id = match state.tokens.get(token) {
            None => return Err(Refusal::Expired),
            Some(TokenState::Current(id)) => *id,
            Some(TokenState::Rotated(id)) => {
                let id = *id;
                state.end(id);
                return Err(Refusal::Replayed(id));
            }
        };
        let approval = state.approvals.get(&id).ok_or(Refusal::Expired)?;
        if approval.consumer_key != consumer_key {
            return Err(Refusal::Expired);
        }
        if approval.has_expired(policy, now) {
            state.end(id);
            return Err(Refusal::Expired);
        }
        Ok(Redeemed { approval: id, username: approval.username.clone(), scopes: approval.scopes.clone() })
    }

    /// Counts a use of an approval; with a successor, the presented token is rotated away.
    pub(crate) fn used(&self, approval: ApprovalId, presented: &str, successor: Option<&str>, now: DateTime<Utc>) {
        let mut state = self.lock();
        if let Some(known) = state.approvals.get_mut(&approval) {
            known.last_used = now;
        }
        if let Some(successor) = successor {
            let rotated = TokenState::Rotated(approval);
            state.tokens.insert(presented.to_owned(), rotated);
            let current = TokenState::Current(approval);
            state.tokens.insert(successor.to_owned(), current);
        }
    }

    /// The approval that a token is the current one of.
    pub(crate) fn current_id(&self, token: &str) -> Option<ApprovalId> {
        let state = self.lock();
        match state.tokens.get(token)? {
            TokenState::Current(id) if state.approvals.contains_key(id) => Some(*id),
            TokenState::Current(_) | TokenState::Rotated(_) => None,
        }
    }

    /// The approval itself.
    pub(crate) fn current(&self, token: &str) -> Option<Approval> {
        let id = self.current_id(token)?;
        self.lock().approvals.get(&id).cloned()
    }

    /// Ends an approval: none of its refresh tokens works any more.
    pub(crate) fn end(&self, approval: ApprovalId) {
        self.lock().end(approval);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self, approval: ApprovalId) {
        self.approvals.remove(&approval);
    }
}

impl Approval {
    /// Policies are evaluated when the token is used, so a changed policy affects tokens that exist.
    fn has_expired(&self, policy: RefreshTokenPolicy, now: DateTime<Utc>) -> bool {
        let hours = |hours: u32| TimeDelta::hours(i64::from(hours));
        match policy {
            RefreshTokenPolicy::Infinite => false,
            RefreshTokenPolicy::Zero => true,
            RefreshTokenPolicy::LifetimeHours(life) => now - self.issued > hours(life),
            RefreshTokenPolicy::InactivityHours(idle) => now - self.last_used > hours(idle),
        }
    }
}
