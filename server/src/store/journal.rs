//! The journal: what happened to connections, and who did it. Entries are written once and never changed.

use salesforce::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Store,
    database::{Change, Row},
    error::StoreError,
    fresh_id,
};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Actor {
    /// This program, by itself.
    Orgtide,
    /// Whoever may use the command line.
    CommandLine,
    /// A person with an account, by name.
    User(String),
    /// A program with an API key, by the key's name.
    ApiKey(String),
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.text()
    }
}

impl Actor {
    /// As the store and documents have it.
    pub fn text(&self) -> String {
        match self {
            Self::Orgtide => "orgtide".to_owned(),
            Self::CommandLine => "command line".to_owned(),
            Self::User(name) => format!("user {name}"),
            Self::ApiKey(name) => format!("API key {name}"),
        }
    }
}

impl From<String> for Actor {
    fn from(text: String) -> Self {
        match (text.as_str(), text.strip_prefix("user "), text.strip_prefix("API key ")) {
            ("orgtide", ..) => Self::Orgtide,
            ("command line", ..) => Self::CommandLine,
            (_, Some(name), _) => Self::User(name.to_owned()),
            (.., Some(name)) => Self::ApiKey(name.to_owned()),
            _ => Self::User(text),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub at: Timestamp,
    /// The connection's name at the time; `None` for what concerns the installation.
    pub connection: Option<String>,
    pub actor: Actor,
    /// A stable name, such as `connected`.
    pub event: String,
    /// Details for people and programs; never a secret, never a value of a record.
    pub detail: Value,
}

impl Store {
    /// Notes what has happened now.
    pub async fn note(
        &self,
        connection: Option<&str>,
        actor: &Actor,
        event: &'static str,
        detail: Value,
    ) -> Result<(), StoreError> {
        let change = self.entry(connection, actor, event, &detail);
        self.database.commit_one(change).await.map_err(|error| error.unexpected())?;
        Ok(())
    }

    /// The change that notes an event, for a commit together with its cause.
    pub(super) fn entry(&self, connection: Option<&str>, actor: &Actor, event: &'static str, detail: &Value) -> Change {
        const NOTE: &str =
            "INSERT INTO journal (id, at, connection, actor, event, detail) VALUES ($1, $2, $3, $4, $5, $6)";
        let values = [
            fresh_id("jou").into(),
            self.clock.now().into(),
            connection.into(),
            actor.text().into(),
            event.into(),
            detail.to_string().into(),
        ];
        Change::new(NOTE, values)
    }

    /// The newest entries, of one connection or of all, the newest first.
    pub async fn journal(&self, connection: Option<&str>, limit: u32) -> Result<Vec<Entry>, StoreError> {
        const OF_ONE: &str = "SELECT at, connection, actor, event, detail FROM journal WHERE connection = $1 \
             ORDER BY at DESC, id LIMIT $2";
        const OF_ALL: &str = "SELECT at, connection, actor, event, detail FROM journal ORDER BY at DESC, id LIMIT $1";
        let limit = i64::from(limit).into();
        let rows = match connection {
            Some(connection) => self.database.query(OF_ONE, [connection.into(), limit]).await?,
            None => self.database.query(OF_ALL, [limit]).await?,
        };
        rows.into_iter().map(entry).collect()
    }
}

fn entry(mut row: Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        at: row.moment()?,
        connection: row.optional_text()?,
        actor: row.text()?.into(),
        event: row.text()?,
        detail: row.document()?,
    })
}
