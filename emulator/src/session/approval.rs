//! Approvals: a user let an app act for them, and a refresh token proves it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::org::random_text;
use crate::scenario::{RefreshTokenPolicy, SessionLevel};

/// Names one approval and everything issued under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ApprovalId(u64);

/// What a user approved. Tokens are among it, so there is no `Debug`.
#[derive(Clone)]
pub(crate) struct Approval {
    pub(crate) consumer_key: String,
    pub(crate) username: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) level: SessionLevel,
    pub(crate) issued: DateTime<Utc>,
    last_used: DateTime<Utc>,
    token: String,
    /// Revokes it as well: what the org's lists of tokens show.
    delete_token: String,
    /// Access tokens that it has given.
    uses: i64,
    /// Tokens that were rotated away, oldest first.
    rotated: VecDeque<String>,
}

/// Older ones of an approval are forgotten: they are refused then, but no longer known for replays.
const ROTATED_TOKENS_KEPT: usize = 1000;
const DELETE_TOKEN: usize = 64;

/// That a user once agreed to what an app asks for. It outlives the tokens, and lets the next authorization pass
/// without a question.
#[derive(Clone, Debug)]
struct Consent {
    scopes: HashSet<String>,
    given: DateTime<Utc>,
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
    pub(crate) level: SessionLevel,
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
pub(crate) struct Approvals {
    state: Mutex<State>,
    in_process: Arc<Mutex<HashSet<String>>>,
    most_per_user_and_app: usize,
}

#[derive(Default)]
struct State {
    approvals: HashMap<ApprovalId, Approval>,
    tokens: HashMap<String, TokenState>,
    /// By consumer key and user name in lower case.
    consents: HashMap<(String, String), Consent>,
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
    pub(crate) fn new(most_per_user_and_app: usize) -> Self {
        Self { state: Mutex::default(), in_process: Arc::default(), most_per_user_and_app }
    }

    /// Records an approval whose refresh token is `token`. One too many of a user for an app ends the oldest of them;
    /// its id comes back, so that its sessions can be ended too (Salesforce Help, 000205876).
    pub(crate) fn grant(
        &self,
        token: String,
        consumer_key: &str,
        username: &str,
        scopes: Vec<String>,
        level: SessionLevel,
        now: DateTime<Utc>,
    ) -> Granted {
        let mut state = self.lock();
        let displaced = state.oldest_beyond(self.most_per_user_and_app, consumer_key, username);
        if let Some(oldest) = displaced {
            state.end(oldest);
        }
        state.last += 1;
        let id = ApprovalId(state.last);
        let approval = Approval {
            consumer_key: consumer_key.to_owned(),
            username: username.to_owned(),
            scopes,
            level,
            issued: now,
            last_used: now,
            token: token.clone(),
            delete_token: random_text(DELETE_TOKEN),
            uses: 1,
            rotated: VecDeque::new(),
        };
        state.approvals.insert(id, approval);
        state.tokens.insert(token, TokenState::Current(id));
        Granted { id, displaced }
    }

    /// Records that a user agreed to scopes, besides those agreed to before.
    pub(crate) fn consent(&self, consumer_key: &str, username: &str, scopes: &[String], now: DateTime<Utc>) {
        let mut state = self.lock();
        let fresh = Consent { scopes: HashSet::new(), given: now, last_used: now };
        let consent = state.consents.entry(consent_key(consumer_key, username)).or_insert(fresh);
        consent.scopes.extend(scopes.iter().cloned());
        (consent.given, consent.last_used) = (now, now);
    }

    /// Whether a user ever agreed to an app.
    pub(crate) fn has_consent(&self, consumer_key: &str, username: &str) -> bool {
        self.lock().consents.contains_key(&consent_key(consumer_key, username))
    }

    /// Whether a user's agreement to an app still covers some scopes. It ages like a refresh token, and being asked for
    /// counts as its use.
    pub(crate) fn use_consent(
        &self,
        consumer_key: &str,
        username: &str,
        scopes: &[String],
        policy: RefreshTokenPolicy,
        now: DateTime<Utc>,
    ) -> bool {
        let mut state = self.lock();
        let Some(consent) = state.consents.get_mut(&consent_key(consumer_key, username)) else { return false };
        let covers = scopes.iter().all(|scope| consent.scopes.contains(scope));
        let holds = covers && !has_expired(policy, consent.given, consent.last_used, now);
        if holds {
            consent.last_used = now;
        }
        holds
    }

    /// Whether a token was ever issued here.
    pub(crate) fn issued(&self, token: &str) -> bool {
        self.lock().tokens.contains_key(token)
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
        if has_expired(policy, approval.issued, approval.last_used, now) {
            state.end(id);
            return Err(Refusal::Expired);
        }
        Ok(Redeemed {
            approval: id,
            username: approval.username.clone(),
            scopes: approval.scopes.clone(),
            level: approval.level,
        })
    }

    /// Counts a use of an approval; with a successor, the presented token is rotated away.
    pub(crate) fn used(&self, approval: ApprovalId, presented: &str, successor: Option<&str>, now: DateTime<Utc>) {
        let mut state = self.lock();
        let State { approvals, tokens, .. } = &mut *state;
        let Some(known) = approvals.get_mut(&approval) else { return };
        known.last_used = now;
        known.uses += 1;
        let Some(successor) = successor else { return };
        tokens.insert(presented.to_owned(), TokenState::Rotated(approval));
        tokens.insert(successor.to_owned(), TokenState::Current(approval));
        known.rotated.push_back(std::mem::replace(&mut known.token, successor.to_owned()));
        if known.rotated.len() > ROTATED_TOKENS_KEPT {
            known.rotated.pop_front().map(|forgotten| tokens.remove(&forgotten));
        }
    }

    /// The refresh tokens that are good, oldest first.
    pub(crate) fn tokens(&self) -> Vec<ListedToken> {
        let state = self.lock();
        let mut listed: Vec<(&ApprovalId, &Approval)> = state.approvals.iter().collect();
        listed.sort_by_key(|(id, _)| **id);
        listed.into_iter().map(|(id, approval)| ListedToken::of(*id, approval)).collect()
    }

    /// The approval that a delete token revokes.
    pub(crate) fn to_delete(&self, delete_token: &str) -> Option<ApprovalId> {
        let state = self.lock();
        let mut all = state.approvals.iter();
        all.find(|(_, approval)| approval.delete_token == delete_token).map(|(id, _)| *id)
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
    /// Ends an approval and forgets its tokens.
    fn end(&mut self, approval: ApprovalId) {
        let Some(ended) = self.approvals.remove(&approval) else { return };
        self.tokens.remove(&ended.token);
        for token in &ended.rotated {
            self.tokens.remove(token);
        }
    }

    /// The oldest approval of a user for an app, when there are `most` already.
    fn oldest_beyond(&self, most: usize, consumer_key: &str, username: &str) -> Option<ApprovalId> {
        let of_both = |approval: &Approval| {
            approval.consumer_key == consumer_key && approval.username.eq_ignore_ascii_case(username)
        };
        let ids = || self.approvals.iter().filter(|(_, approval)| of_both(approval)).map(|(id, _)| *id);
        (ids().count() >= most).then(|| ids().min()).flatten()
    }
}

/// A refresh token as lists of tokens show it: without itself.
pub(crate) struct ListedToken {
    pub(crate) id: ApprovalId,
    pub(crate) consumer_key: String,
    pub(crate) username: String,
    pub(crate) issued: DateTime<Utc>,
    pub(crate) last_used: DateTime<Utc>,
    pub(crate) uses: i64,
    pub(crate) delete_token: String,
}

impl ListedToken {
    fn of(id: ApprovalId, approval: &Approval) -> Self {
        Self {
            id,
            consumer_key: approval.consumer_key.clone(),
            username: approval.username.clone(),
            issued: approval.issued,
            last_used: approval.last_used,
            uses: approval.uses,
            delete_token: approval.delete_token.clone(),
        }
    }
}

/// A new approval, and the one that it displaced.
pub(crate) struct Granted {
    pub(crate) id: ApprovalId,
    pub(crate) displaced: Option<ApprovalId>,
}

fn consent_key(consumer_key: &str, username: &str) -> (String, String) {
    (consumer_key.to_owned(), username.to_ascii_lowercase())
}

/// Policies are evaluated when the token is used, so a changed policy affects tokens that exist.
fn has_expired(
    policy: RefreshTokenPolicy,
    issued: DateTime<Utc>,
    last_used: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    let hours = |hours: u32| TimeDelta::hours(i64::from(hours));
    match policy {
        RefreshTokenPolicy::Infinite => false,
        RefreshTokenPolicy::Zero => true,
        RefreshTokenPolicy::LifetimeHours(life) => now - issued > hours(life),
        RefreshTokenPolicy::InactivityHours(idle) => now - last_used > hours(idle),
    }
}
