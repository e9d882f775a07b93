//! The control store: customers, connections, sealed credentials, streams, runs and leases.
//!
//! SQLite in the data directory, or PostgreSQL. The SQL lives in this folder, and is written once for both. Several
//! processes may share a store: whatever must happen once is done under a [`lease::Lease`], whose epoch is checked in
//! the same commit as the effect. What is secret or personal passes through the [`Vault`] on its way in and out.

use std::{path::Path, sync::Arc};

use secrecy::{ExposeSecret, SecretString};

use crate::{clock::SharedClock, hex::hex, vault::Vault};

pub mod api_keys;
pub mod care;
pub mod certificates;
pub mod client_keys;
pub mod connections;
pub mod credentials;
mod database;
pub mod describes;
pub mod drifts;
pub mod error;
pub mod forecasts;
pub mod journal;
pub mod lease;
pub mod mappings;
mod migrations;
mod postgres;
pub mod promoted;
pub mod quotas;
pub mod redemptions;
mod refreshed;
pub mod rejected;
pub mod runs;
pub mod schedules;
pub mod sealed;
pub mod sign_ins;
mod sqlite;
pub mod staged;
pub mod streams;
pub mod users;
pub mod verifications;

pub use error::StoreError;

use database::{Change, Database, DatabaseError};

/// Where the control store is.
#[derive(Debug, Clone)]
pub enum StoreAddress<'a> {
    File(&'a Path),
    /// A PostgreSQL URL; it may hold a password.
    Url(&'a SecretString),
}

/// The control store.
pub struct Store {
    database: Database,
    clock: SharedClock,
    vault: Arc<Vault>,
    installation: String,
}

impl Store {
    /// Opens the store, creates it when there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// A store that a newer version wrote, or that another keyring seals, is refused and left as it is.
    pub async fn open(address: StoreAddress<'_>, clock: SharedClock, vault: Arc<Vault>) -> Result<Self, StoreError> {
        let database = connect(address).await?;
        check_clock(&database, &clock).await?;
        sealed::check_keyring(&database, &vault).await?;
        database.migrate().await?;
        sealed::plant_canary(&database, &vault, clock.now()).await?;
        let installation = installation(&database).await?;
        Ok(Self { database, clock, vault, installation })
    }

    /// The same without a look at who sealed it: for giving up a key that is lost.
    pub(crate) async fn open_unproved(
        address: StoreAddress<'_>,
        clock: SharedClock,
        vault: Arc<Vault>,
    ) -> Result<Self, StoreError> {
        let database = connect(address).await?;
        database.migrate().await?;
        let installation = installation(&database).await?;
        Ok(Self { database, clock, vault, installation })
    }

    /// True when there is a store that holds anything sealed. Changes and makes nothing.
    pub async fn holds_secrets(address: StoreAddress<'_>) -> Result<bool, StoreError> {
        if let StoreAddress::File(path) = &address
            && !path.exists()
        {
            return Ok(false);
        }
        sealed::holds_secrets(&connect(address).await?).await
    }

    /// What destinations know this control store by. A copy of the store has the same.
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// Where the store is, for people; without credentials.
    pub fn place(&self) -> &str {
        self.database.place()
    }
}

async fn connect(address: StoreAddress<'_>) -> Result<Database, StoreError> {
    Ok(match address {
        StoreAddress::File(path) => Database::Sqlite(sqlite::Sqlite::open(path).await?),
        StoreAddress::Url(url) => Database::Postgres(postgres::Postgres::open(url.expose_secret())?),
    })
}

/// Leases of several machines hold only as long as their clocks agree.
const TOLERATED_SKEW_MILLIS: i64 = 30_000;

/// Refuses a machine whose clock differs from that of the database server: it would take leases that others still hold,
/// and send a refresh token a second time.
async fn check_clock(database: &Database, clock: &SharedClock) -> Result<(), StoreError> {
    const THEIRS: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    if !clock.is_of_this_machine() || matches!(database, Database::Sqlite(_)) {
        return Ok(());
    }
    let Some(mut row) = database.query_first(THEIRS, []).await? else { return Ok(()) };
    let skew = clock.now().0 - row.integer()?;
    match skew.abs() > TOLERATED_SKEW_MILLIS {
        true => Err(StoreError::ClockSkew { place: database.place().to_owned(), seconds: skew / 1000 }),
        false => Ok(()),
    }
}

/// The store's id, which the first process that opens the store gives it.
async fn installation(database: &Database) -> Result<String, StoreError> {
    const NAME: &str = "INSERT INTO installation (one, id) VALUES (1, $1) ON CONFLICT (one) DO NOTHING";
    const READ: &str = "SELECT id FROM installation";
    if database.query_first(READ, []).await?.is_none() {
        let named = Change::new(NAME, [fresh_id("ins").into()]);
        database.commit_one(named).await.map_err(DatabaseError::unexpected)?;
    }
    let row = database.query_first(READ, []).await?;
    row.ok_or_else(|| StoreError::corrupt("the store has no id"))?.text()
}

/// A fresh id: a prefix that tells its kind, and 80 random bits.
fn fresh_id(prefix: &str) -> String {
    let mut bytes = [0_u8; 10];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    format!("{prefix}_{}", hex(&bytes))
}
