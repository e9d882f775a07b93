//! Keys of programs. A key belongs to one connection and is shown once; the store has its hash alone.

use salesforce::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Store,
    connections::Connection,
    database::{Change, DatabaseError, Row},
    error::StoreError,
    fresh_id,
    journal::Actor,
};
use crate::hex::{hex, sha256_hex};

/// What a key lets a program do with its connection, if the connection's owner has switched it on as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowance {
    /// Get access tokens.
    Token,
    /// Read through the proxy.
    Proxy,
    /// Write through the proxy.
    ProxyWrites,
}

impl Allowance {
    pub const ALL: [Self; 3] = [Self::Token, Self::Proxy, Self::ProxyWrites];

    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Proxy => "proxy",
            Self::ProxyWrites => "proxy-writes",
        }
    }
}

/// A key, without what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    /// The connection's name.
    pub connection: String,
    pub allows: Vec<Allowance>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// True when it is neither revoked nor expired.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

/// Tells people, and scanners of source code, what they have found.
const PREFIX: &str = "orgtide_";
const RANDOM_BYTES: usize = 32;

const ALL: &str = "SELECT api_keys.id, api_keys.name, connections.name, allows, api_keys.created_at, expires_at, \
     revoked_at, last_used_at FROM api_keys JOIN connections ON connections.id = api_keys.connection_id \
     ORDER BY api_keys.created_at, api_keys.id";
const BY_HASH: &str = "SELECT api_keys.id, api_keys.name, connections.name, allows, api_keys.created_at, expires_at, \
     revoked_at, last_used_at FROM api_keys JOIN connections ON connections.id = api_keys.connection_id \
     WHERE secret_hash = $1";

impl Store {
    /// Makes a key, and returns it for the one time that it is shown.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`].
    pub async fn create_api_key(
        &self,
        name: &str,
        connection: &Connection,
        allows: &[Allowance],
        expires_at: Option<Timestamp>,
        actor: &Actor,
    ) -> Result<SecretString, StoreError> {
        const CREATE: &str = "INSERT INTO api_keys (id, name, connection_id, secret_hash, allows, created_at, \
             expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let mut random = [0_u8; RANDOM_BYTES];
        getrandom::fill(&mut random).expect("the system gives random bytes");
        let key = SecretString::from(format!("{PREFIX}{}", hex(&random)));
        let values = [
            fresh_id("key").into(),
            name.into(),
            (&connection.id).into(),
            hash(&key).into(),
            serde_json::to_string(allows).expect("allowances are plain data").into(),
            self.clock.now().into(),
            expires_at.into(),
        ];
        let detail = json!({ "key": name, "allows": allows, "expires_at": expires_at });
        let entry = self.entry(Some(&connection.name), actor, "api-key-created", &detail);
        match self.database.commit(vec![Change::new(CREATE, values), entry]).await {
            Ok(_) => Ok(key),
            Err(DatabaseError::Taken) => Err(StoreError::NameTaken { kind: "API key", name: name.to_owned() }),
            Err(error) => Err(error.unexpected()),
        }
    }

    /// Every key, the oldest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.database.query(ALL, []).await?.into_iter().map(key).collect()
    }

    /// The key that this text is, whether or not it is still good.
    pub async fn api_key(&self, presented: &SecretString) -> Result<Option<ApiKey>, StoreError> {
        self.database.query_first(BY_HASH, [hash(presented).into()]).await?.map(key).transpose()
    }

    /// Notes that a key was used.
    pub async fn api_key_used(&self, key: &ApiKey) -> Result<(), StoreError> {
        const USED: &str = "UPDATE api_keys SET last_used_at = $2 WHERE id = $1";
        let change = Change::new(USED, [(&key.id).into(), self.clock.now().into()]);
        self.database.commit_one(change).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// Revokes a key by its name; false when there is none that is not revoked.
    pub async fn revoke_api_key(&self, name: &str, actor: &Actor) -> Result<bool, StoreError> {
        const REVOKE: &str = "UPDATE api_keys SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL RETURNING id";
        let change = Change::new(REVOKE, [name.into(), self.clock.now().into()]);
        let rows = self.database.commit_one(change).await.map_err(DatabaseError::unexpected)?;
        if rows.is_empty() {
            return Ok(false);
        }
        self.note(None, actor, "api-key-revoked", json!({ "key": name })).await?;
        Ok(true)
    }
}

fn key(mut row: Row) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.text()?,
        name: row.text()?,
        connection: row.text()?,
        allows: row.document()?,
        created_at: row.moment()?,
        expires_at: row.optional_integer()?.map(Timestamp),
        revoked_at: row.optional_integer()?.map(Timestamp),
        last_used_at: row.optional_integer()?.map(Timestamp),
    })
}

fn hash(key: &SecretString) -> String {
    sha256_hex(key.expose_secret())
}
