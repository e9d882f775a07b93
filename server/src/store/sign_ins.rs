//! Sign-ins that somebody has begun: what has to be remembered between sending a person to Salesforce and their return.

use salesforce::{Timestamp, oauth::Flow};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Store,
    connections::flow,
    database::{Change, Row},
    error::StoreError,
    fresh_id,
};
use crate::vault::Place;

/// A sign-in that is to be remembered.
#[derive(Debug)]
pub struct NewSignIn<'a> {
    pub flow: Flow,
    /// The name of the connection that it is to become.
    pub connection: &'a str,
    /// Who began it: only they can end it.
    pub begun_by: &'a str,
    /// SHA-256 of the state, in hex; `None` where no answer comes back through a browser.
    pub state_hash: Option<&'a str>,
    /// What is needed to go on; sealed.
    pub document: &'a SecretString,
    pub expires_at: Timestamp,
}

/// A sign-in that was begun and is not over.
#[derive(Debug)]
pub struct SignInRow {
    pub id: String,
    pub flow: Flow,
    pub connection: String,
    pub begun_by: String,
    pub begun_at: Timestamp,
    pub expires_at: Timestamp,
}

fn place(id: &str) -> Place<'_> {
    Place { table: "sign_ins", row: id, column: "sealed" }
}

impl Store {
    /// Remembers a sign-in, and forgets those that are over; returns its id.
    pub async fn begin_sign_in(&self, new: &NewSignIn<'_>) -> Result<String, StoreError> {
        const FORGET: &str = "DELETE FROM sign_ins WHERE expires_at <= $1";
        const BEGIN: &str = "INSERT INTO sign_ins (id, state_hash, flow, connection, begun_by, sealed, begun_at, \
             expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let (id, now) = (fresh_id("sig"), self.clock.now());
        let sealed = self.vault.seal(place(&id), new.document.expose_secret().as_bytes());
        let values = [
            (&id).into(),
            new.state_hash.into(),
            new.flow.name().into(),
            new.connection.into(),
            new.begun_by.into(),
            sealed.into(),
            now.into(),
            new.expires_at.into(),
        ];
        let changes = vec![Change::new(FORGET, [now.into()]), Change::new(BEGIN, values)];
        self.database.commit(changes).await.map_err(|error| error.unexpected())?;
        Ok(id)
    }

    /// Takes the sign-in with this state out of the store, so that an answer is used once; `None` when there is none,
    /// when it has expired, or when somebody else began it (it stays then).
    pub async fn take_sign_in(
        &self,
        state_hash: &str,
        begun_by: &str,
    ) -> Result<Option<(SignInRow, SecretString)>, StoreError> {
        const TAKE: &str = "DELETE FROM sign_ins WHERE state_hash = $1 AND begun_by = $2 AND expires_at > $3 \
             RETURNING id, flow, connection, begun_by, begun_at, expires_at, sealed";
        let values = [state_hash.into(), begun_by.into(), self.clock.now().into()];
        let rows = self.database.commit_one(Change::new(TAKE, values)).await.map_err(|error| error.unexpected())?;
        rows.into_iter().next().map(|row| self.opened(row)).transpose()
    }

    /// The sign-in of that id, if it was begun by `begun_by` and has not expired.
    pub async fn sign_in(&self, id: &str, begun_by: &str) -> Result<Option<(SignInRow, SecretString)>, StoreError> {
        const READ: &str = "SELECT id, flow, connection, begun_by, begun_at, expires_at, sealed FROM sign_ins \
             WHERE id = $1 AND begun_by = $2 AND expires_at > $3";
        let values = [id.into(), begun_by.into(), self.clock.now().into()];
        self.database.query_first(READ, values).await?.map(|row| self.opened(row)).transpose()
    }

    /// Replaces what is remembered of a sign-in.
    pub async fn change_sign_in(&self, id: &str, document: &SecretString) -> Result<(), StoreError> {
        const CHANGE: &str = "UPDATE sign_ins SET sealed = $2 WHERE id = $1";
        let sealed = self.vault.seal(place(id), document.expose_secret().as_bytes());
        let change = Change::new(CHANGE, [id.into(), sealed.into()]);
        self.database.commit_one(change).await.map_err(|error| error.unexpected())?;
        Ok(())
    }

    /// Forgets a sign-in; true for the one caller that removed it.
    pub async fn end_sign_in(&self, id: &str) -> Result<bool, StoreError> {
        const END: &str = "DELETE FROM sign_ins WHERE id = $1 RETURNING id";
        let rows = self.database.commit_one(Change::new(END, [id.into()])).await.map_err(|error| error.unexpected())?;
        Ok(!rows.is_empty())
    }

    /// Every sign-in that is under way, the oldest first.
    pub async fn sign_ins(&self) -> Result<Vec<SignInRow>, StoreError> {
        const ALL: &str = "SELECT id, flow, connection, begun_by, begun_at, expires_at FROM sign_ins \
             WHERE expires_at > $1 ORDER BY begun_at, id";
        let rows = self.database.query(ALL, [self.clock.now().into()]).await?;
        rows.into_iter().map(|mut row| sign_in(&mut row)).collect()
    }

    fn opened(&self, mut row: Row) -> Result<(SignInRow, SecretString), StoreError> {
        let read = sign_in(&mut row)?;
        let opened = self.vault.open(place(&read.id), &row.blob()?)?;
        let text = std::str::from_utf8(&opened).map_err(|_| StoreError::corrupt("a sign-in is no text"))?;
        Ok((read, SecretString::from(text)))
    }
}

fn sign_in(row: &mut Row) -> Result<SignInRow, StoreError> {
    Ok(SignInRow {
        id: row.text()?,
        flow: flow(&row.text()?)?,
        connection: row.text()?,
        begun_by: row.text()?,
        begun_at: row.moment()?,
        expires_at: row.moment()?,
    })
}
