//! Intents to redeem a refresh token, and what a renewal comes to, committed as one.

use std::time::Duration;

use salesforce::{OrgUrl, Timestamp};
use secrecy::SecretString;

use super::{
    Store,
    connections::Connection,
    credentials::{self, CredentialKind},
    database::{Change, Committed, DatabaseError, Row, Value},
    error::StoreError,
    journal::Actor,
    lease::{self, Lease, still_held},
};
use crate::connection::{outcome::Outcome, state::ConnectionEvent};

/// An open redemption of a refresh token: it may have been sent, and its answer is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redemption {
    /// SHA-256 of the token, in hex.
    pub token_hash: String,
    pub epoch: i64,
    /// How often this token has been sent without an answer, the first time included.
    pub attempts: i64,
    pub started_at: Timestamp,
}

/// What a renewal comes to. All of it is durable at once, or nothing.
#[derive(Debug, Default)]
pub struct Settlement {
    pub answer: Option<Answer>,
    pub redemption: Closing,
    pub event: Option<ConnectionEvent>,
    pub outcomes: Vec<Outcome>,
}

/// What an answer of the token endpoint changes; what it does not say stays as it is.
#[derive(Debug, Default)]
pub struct Answer {
    pub instance: Option<OrgUrl>,
    pub scopes: Option<Vec<String>>,
    pub credentials: Vec<(CredentialKind, SecretString)>,
}

/// What becomes of the intent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Closing {
    /// It stays open: the token may be spent.
    #[default]
    StaysOpen,
    /// The last request redeemed nothing; an earlier one without an answer stays open.
    Withdrawn,
    /// Answered for good.
    Closed,
}

impl Store {
    /// The redemption of a connection's refresh token that is open, if any.
    pub async fn open_redemption(&self, connection: &str) -> Result<Option<Redemption>, StoreError> {
        const READ: &str = "SELECT token_hash, epoch, attempts, started_at FROM redemptions WHERE connection_id = $1";
        let read = |mut row: Row| {
            Ok(Redemption {
                token_hash: row.text()?,
                epoch: row.integer()?,
                attempts: row.integer()?,
                started_at: row.moment()?,
            })
        };
        self.database.query_first(READ, [connection.into()]).await?.map(read).transpose()
    }

    /// Commits the intent to redeem a refresh token before anything is sent, and holds the lease for another whole
    /// `term` from the same moment.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another process has taken the lease.
    pub async fn begin_redemption(
        &self,
        connection: &Connection,
        token_hash: &str,
        lease: &mut Lease,
        term: Duration,
        outcomes: &[Outcome],
    ) -> Result<Redemption, StoreError> {
        const BEGIN: &str = "INSERT INTO redemptions (connection_id, token_hash, epoch, attempts, started_at) \
             VALUES ($1, $2, $3, 1, $4) ON CONFLICT (connection_id) DO UPDATE SET epoch = excluded.epoch, \
             attempts = CASE WHEN redemptions.token_hash = excluded.token_hash THEN redemptions.attempts + 1 ELSE 1 END, \
             token_hash = excluded.token_hash, started_at = excluded.started_at RETURNING attempts";
        // Read before the commit, so that the deadline counts from no later than the intent.
        let now = self.clock.now();
        let expires_at = now.after(term);
        let begin = [(&connection.id).into(), token_hash.into(), lease.epoch.into(), now.into()];
        let mut changes = vec![lease::hold_until(lease, expires_at), Change::new(BEGIN, begin)];
        changes.extend(self.moved(connection, Some(&ConnectionEvent::Attempted)));
        changes.extend(outcomes.iter().map(|outcome| self.noted(connection, outcome)));
        let committed = self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        let Committed::Done(answers) = committed else {
            return Err(StoreError::Fenced { name: lease.name.clone(), epoch: lease.epoch });
        };
        lease.expires_at = expires_at;
        let row = answers.into_iter().nth(1).and_then(|rows| rows.into_iter().next());
        let attempts = row.ok_or_else(|| StoreError::corrupt("an intent was not counted"))?.integer()?;
        Ok(Redemption { token_hash: token_hash.to_owned(), epoch: lease.epoch, attempts, started_at: now })
    }

    /// Commits what a renewal came to, while `lease` is held.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another process has taken the lease; nothing is changed then.
    pub async fn settle(
        &self,
        connection: &Connection,
        settlement: &Settlement,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        let mut changes = vec![still_held(lease)];
        changes.extend(closed(connection, settlement.redemption));
        if let Some(answer) = &settlement.answer {
            changes.extend(self.answered(connection, answer)?);
        }
        changes.extend(self.moved(connection, settlement.event.as_ref()));
        changes.extend(settlement.outcomes.iter().map(|outcome| self.noted(connection, outcome)));
        self.commit_under(lease, changes).await
    }

    /// Notes an outcome of which nothing else is left to commit.
    pub async fn note_outcome(&self, connection: &Connection, outcome: &Outcome) -> Result<(), StoreError> {
        self.database.commit_one(self.noted(connection, outcome)).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    fn answered(&self, connection: &Connection, answer: &Answer) -> Result<Vec<Change>, StoreError> {
        const RENEWED: &str = "UPDATE connections SET instance_host = COALESCE($2, instance_host), \
             scopes = COALESCE($3, scopes), updated_at = $4, renewed_at = $4 WHERE id = $1";
        let now = self.clock.now();
        let values: [Value; 4] = [
            (&connection.id).into(),
            answer.instance.as_ref().map(OrgUrl::host).into(),
            answer.scopes.as_ref().map(|scopes| scopes.join(" ")).into(),
            now.into(),
        ];
        let mut changes = vec![Change::new(RENEWED, values)];
        for (kind, secret) in &answer.credentials {
            changes.push(credentials::save(&self.vault, &connection.id, *kind, secret, now)?);
        }
        Ok(changes)
    }

    /// The change of state that `event` means for a connection as it was read; none when it has no meaning there.
    pub(super) fn moved(&self, connection: &Connection, event: Option<&ConnectionEvent>) -> Option<Change> {
        // Whoever moves the state of a connection holds its lease, so it is as it was read.
        const MOVE: &str = "UPDATE connections SET state = $2, updated_at = $3 WHERE id = $1";
        let now = self.clock.now();
        let next = connection.state.clone().on(event?.clone(), now).ok()?;
        let document = serde_json::to_string(&next).expect("a state is plain data");
        (next != connection.state).then(|| Change::new(MOVE, [(&connection.id).into(), document.into(), now.into()]))
    }

    fn noted(&self, connection: &Connection, outcome: &Outcome) -> Change {
        self.entry(Some(&connection.name), &Actor::Orgtide, outcome.name(), &outcome.detail())
    }
}

fn closed(connection: &Connection, closing: Closing) -> Vec<Change> {
    const FORGET_ONE: &str = "UPDATE redemptions SET attempts = attempts - 1 WHERE connection_id = $1";
    const FORGET_LAST: &str = "DELETE FROM redemptions WHERE connection_id = $1 AND attempts <= 0";
    const CLOSE: &str = "DELETE FROM redemptions WHERE connection_id = $1";
    let id = || [(&connection.id).into()];
    match closing {
        Closing::StaysOpen => Vec::new(),
        Closing::Withdrawn => vec![Change::new(FORGET_ONE, id()), Change::new(FORGET_LAST, id())],
        Closing::Closed => vec![Change::new(CLOSE, id())],
    }
}
