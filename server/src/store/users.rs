//! People who use the console, their sessions, and one-time links.

use salesforce::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{
    Store,
    database::{Change, Committed, DatabaseError, Row},
    error::StoreError,
    fresh_id,
};
use crate::auth::{Purpose, Role, Token, role};

/// Somebody who may use the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: String,
    /// In lower case.
    pub email: String,
    pub role: Role,
    pub created_at: Timestamp,
    pub signed_in_at: Option<Timestamp>,
}

/// A session, and who it belongs to.
#[derive(Debug, Clone)]
pub struct StoredSession {
    pub user: User,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
}

/// A one-time link that has been neither used nor outlived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub purpose: Purpose,
    /// For whom it is; `None` for the first start.
    pub email: Option<String>,
    pub expires_at: Timestamp,
}

/// What became of a change to the accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChange<T> {
    Done(T),
    /// A link was used before, or an account is not there, or it is the last owner's; nothing is changed.
    Refused,
    /// There is an account with that address already.
    EmailTaken,
}

const END_SESSIONS: &str = "DELETE FROM sessions WHERE user_id = $1";
/// Two changes of owners wait for one another, so that neither counts an owner whom the other removes.
const LOCK_OWNERS: &str = "UPDATE users SET role = 'owner' WHERE role = 'owner'";
const TAKE_LINK: &str = "DELETE FROM links WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3";

impl Store {
    /// Whether there is an owner: whether the first start is over.
    pub async fn has_owner(&self) -> Result<bool, StoreError> {
        const OWNERS: &str = "SELECT COUNT(*) FROM users WHERE role = 'owner'";
        let row = self.database.query_first(OWNERS, []).await?;
        Ok(row.map_or(Ok(0), |mut row| row.count())? > 0)
    }

    /// Everybody, by address.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        const ALL: &str = "SELECT id, email, role, created_at, signed_in_at FROM users ORDER BY email";
        self.database.query(ALL, []).await?.into_iter().map(|mut row| user(&mut row)).collect()
    }

    /// The user of that id.
    pub async fn user(&self, id: &str) -> Result<Option<User>, StoreError> {
        const ONE: &str = "SELECT id, email, role, created_at, signed_in_at FROM users WHERE id = $1";
        let row = self.database.query_first(ONE, [id.into()]).await?;
        row.map(|mut row| user(&mut row)).transpose()
    }

    /// The user of that address, and the hash of the password.
    pub async fn user_to_sign_in(&self, email: &str) -> Result<Option<(User, SecretString)>, StoreError> {
        const ONE: &str = "SELECT id, email, role, created_at, signed_in_at, password FROM users WHERE email = $1";
        let row = self.database.query_first(ONE, [email.into()]).await?;
        row.map(|mut row| Ok((user(&mut row)?, row.text()?.into()))).transpose()
    }

    /// Remembers a one-time link, and forgets those that are over and those that it replaces: of one purpose for one
    /// address there is one link.
    pub async fn save_link(&self, token: &Token, link: &Link) -> Result<(), StoreError> {
        const FORGET: &str = "DELETE FROM links WHERE expires_at <= $1 OR (purpose = $2 AND COALESCE(email, '') = $3)";
        const SAVE: &str =
            "INSERT INTO links (token_hash, purpose, email, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
        let (now, purpose) = (self.clock.now(), link.purpose.text());
        let forget = [now.into(), (&purpose).into(), link.email.clone().unwrap_or_default().into()];
        let save = [token.hash().into(), purpose.into(), link.email.clone().into(), now.into(), link.expires_at.into()];
        let changes = vec![Change::new(FORGET, forget), Change::new(SAVE, save)];
        self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// The link of that token, if it can still be used.
    pub async fn link(&self, token: &Token) -> Result<Option<Link>, StoreError> {
        const ONE: &str = "SELECT purpose, email, expires_at FROM links WHERE token_hash = $1 AND expires_at > $2";
        let row = self.database.query_first(ONE, [token.hash().into(), self.clock.now().into()]).await?;
        row.map(link).transpose()
    }

    /// Every link that can still be used, the newest first.
    pub async fn links(&self) -> Result<Vec<Link>, StoreError> {
        const ALL: &str = "SELECT purpose, email, expires_at FROM links WHERE expires_at > $1 ORDER BY created_at DESC";
        self.database.query(ALL, [self.clock.now().into()]).await?.into_iter().map(link).collect()
    }

    /// Takes back the links for an address.
    pub async fn forget_links(&self, email: &str) -> Result<(), StoreError> {
        let change = Change::new("DELETE FROM links WHERE email = $1", [email.into()]);
        self.database.commit_one(change).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// Uses a link up and creates the account that it promises, in one commit.
    pub async fn create_user(
        &self,
        token: &Token,
        purpose: Purpose,
        email: &str,
        role: Role,
        password: &SecretString,
    ) -> Result<AccountChange<User>, StoreError> {
        // The first start is over when there is an owner, whatever link is left.
        const CREATE: &str = "INSERT INTO users (id, email, role, password, created_at) \
             SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT) \
             WHERE CAST($6 AS TEXT) <> 'first-start' OR NOT EXISTS (SELECT 1 FROM users WHERE role = 'owner')";
        let now = self.clock.now();
        let created = User { id: fresh_id("usr"), email: email.to_owned(), role, created_at: now, signed_in_at: None };
        let values = vec![
            (&created.id).into(),
            email.into(),
            role.name().into(),
            password.expose_secret().into(),
            now.into(),
            purpose.text().into(),
        ];
        let changes = vec![take(token, purpose, now), Change::exactly_one(CREATE, values)];
        self.change_accounts(changes, created).await
    }

    /// Uses a link up, sets a password, and ends every session of its user.
    pub async fn replace_password(
        &self,
        token: &Token,
        user: &User,
        password: &SecretString,
    ) -> Result<AccountChange<()>, StoreError> {
        let changes = vec![
            take(token, Purpose::Password, self.clock.now()),
            set_password(user, password),
            Change::new(END_SESSIONS, [(&user.id).into()]),
        ];
        self.change_accounts(changes, ()).await
    }

    /// Sets a password, and ends every session of its user but the one of `kept`.
    pub async fn change_password(
        &self,
        user: &User,
        password: &SecretString,
        kept: &Token,
    ) -> Result<AccountChange<()>, StoreError> {
        const END_OTHERS: &str = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
        let end = Change::new(END_OTHERS, [(&user.id).into(), kept.hash().into()]);
        self.change_accounts(vec![set_password(user, password), end], ()).await
    }

    /// Uses up a link that signs in.
    pub async fn use_link(&self, token: &Token, purpose: Purpose) -> Result<AccountChange<()>, StoreError> {
        self.change_accounts(vec![take(token, purpose, self.clock.now())], ()).await
    }

    /// Gives a user another role; the last owner stays one.
    pub async fn change_role(&self, id: &str, role: Role) -> Result<AccountChange<()>, StoreError> {
        const CHANGE: &str = "UPDATE users SET role = $2 WHERE id = $1 AND (role <> 'owner' OR $2 = 'owner' \
             OR (SELECT COUNT(*) FROM users WHERE role = 'owner') > 1)";
        let change = Change::exactly_one(CHANGE, [id.into(), role.name().into()]);
        self.change_accounts(vec![Change::new(LOCK_OWNERS, []), change], ()).await
    }

    /// Removes a user with the sessions and links; the last owner stays.
    pub async fn remove_user(&self, id: &str) -> Result<AccountChange<()>, StoreError> {
        const LINKS: &str = "DELETE FROM links WHERE email = (SELECT email FROM users WHERE id = $1)";
        const REMOVE: &str = "DELETE FROM users WHERE id = $1 AND (role <> 'owner' \
             OR (SELECT COUNT(*) FROM users WHERE role = 'owner') > 1)";
        let changes = vec![
            Change::new(LOCK_OWNERS, []),
            Change::new(END_SESSIONS, [id.into()]),
            Change::new(LINKS, [id.into()]),
            Change::exactly_one(REMOVE, [id.into()]),
        ];
        self.change_accounts(changes, ()).await
    }

    async fn change_accounts<T>(&self, changes: Vec<Change>, done: T) -> Result<AccountChange<T>, StoreError> {
        match self.database.commit(changes).await {
            Ok(Committed::Done(_)) => Ok(AccountChange::Done(done)),
            Ok(Committed::Undone) => Ok(AccountChange::Refused),
            Err(DatabaseError::Taken) => Ok(AccountChange::EmailTaken),
            Err(error) => Err(error.unexpected()),
        }
    }

    /// Opens a session; `replaced` ends with it, and sessions that nobody used since `forgotten` are cleared away.
    pub async fn open_session(
        &self,
        token: &Token,
        user: &User,
        replaced: Option<&Token>,
        forgotten: Timestamp,
    ) -> Result<(), StoreError> {
        const CLEAR: &str = "DELETE FROM sessions WHERE seen_at < $1 OR token_hash = $2";
        const OPEN: &str = "INSERT INTO sessions (token_hash, user_id, created_at, seen_at) VALUES ($1, $2, $3, $3)";
        const SEEN: &str = "UPDATE users SET signed_in_at = $2 WHERE id = $1";
        let now = self.clock.now();
        let replaced = replaced.map(Token::hash).unwrap_or_default();
        let changes = vec![
            Change::new(CLEAR, [forgotten.into(), replaced.into()]),
            Change::new(OPEN, [token.hash().into(), (&user.id).into(), now.into()]),
            Change::new(SEEN, [(&user.id).into(), now.into()]),
        ];
        self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// The session of that token.
    pub async fn session(&self, token: &Token) -> Result<Option<StoredSession>, StoreError> {
        const ONE: &str = "SELECT users.id, email, role, users.created_at, signed_in_at, sessions.created_at, seen_at \
             FROM sessions JOIN users ON users.id = sessions.user_id WHERE token_hash = $1";
        let row = self.database.query_first(ONE, [token.hash().into()]).await?;
        row.map(|mut row| {
            Ok(StoredSession { user: user(&mut row)?, created_at: row.moment()?, seen_at: row.moment()? })
        })
        .transpose()
    }

    /// Notes that a session is used.
    pub async fn touch_session(&self, token: &Token) -> Result<(), StoreError> {
        let values = [token.hash().into(), self.clock.now().into()];
        let touch = Change::new("UPDATE sessions SET seen_at = $2 WHERE token_hash = $1", values);
        self.database.commit_one(touch).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// Ends one session.
    pub async fn end_session(&self, token: &Token) -> Result<(), StoreError> {
        let end = Change::new("DELETE FROM sessions WHERE token_hash = $1", [token.hash().into()]);
        self.database.commit_one(end).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// Ends every session of a user.
    pub async fn end_sessions(&self, user_id: &str) -> Result<(), StoreError> {
        let end = Change::new(END_SESSIONS, [user_id.into()]);
        self.database.commit_one(end).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }
}

fn take(token: &Token, purpose: Purpose, now: Timestamp) -> Change {
    Change::exactly_one(TAKE_LINK, [token.hash().into(), purpose.text().into(), now.into()])
}

fn set_password(user: &User, password: &SecretString) -> Change {
    const SET: &str = "UPDATE users SET password = $2 WHERE id = $1";
    Change::exactly_one(SET, [(&user.id).into(), password.expose_secret().into()])
}

fn user(row: &mut Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.text()?,
        email: row.text()?,
        role: role(&row.text()?).ok_or_else(|| StoreError::corrupt("a user has a role that is none"))?,
        created_at: row.moment()?,
        signed_in_at: row.optional_integer()?.map(Timestamp),
    })
}

fn link(mut row: Row) -> Result<Link, StoreError> {
    let purpose = row.text()?;
    let purpose =
        Purpose::from_text(&purpose).ok_or_else(|| StoreError::corrupt(format!("a link is for {purpose:?}")))?;
    Ok(Link { purpose, email: row.optional_text()?, expires_at: row.moment()? })
}
