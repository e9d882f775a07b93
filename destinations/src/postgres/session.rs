//! One connection to the server.

use std::collections::HashMap;

use secrecy::ExposeSecret;
use sync::destination::DestinationError;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, SimpleQueryMessage, Statement, Transaction};

use super::{PostgresSettings, fault::unconnected, password::password};

/// The oldest PostgreSQL that this is tested with, as `server_version_num` counts.
const OLDEST_VERSION: i32 = 130_000;

/// Joins of a batch with its table go by the key, however little the server knows about either: a plan that scans the
/// table for each batch is what makes loading slow. `temp_buffers` holds a batch.
const SET_UP: &str = "SET client_min_messages = warning; SET timezone = 'UTC'; SET datestyle = 'ISO';
    SET jit = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;
    SET plan_cache_mode = force_custom_plan; SET temp_buffers = '32MB'";

/// An open connection and what is prepared on it.
pub(super) struct Session {
    client: Client,
    /// Statements by their text.
    statements: HashMap<String, Statement>,
    /// The statement that has made the staging table that is there.
    staging: Option<String>,
    /// Carries bytes until the client is dropped.
    connection: JoinHandle<()>,
}

impl Session {
    pub(super) async fn open(settings: &PostgresSettings) -> Result<Self, DestinationError> {
        let place = settings.place();
        let unusable = |reason: String| DestinationError::Unusable { place: place.clone(), reason };
        let mut config = settings.config().clone();
        if let Some(password) = password(settings.password(), &config).map_err(unusable)? {
            config.password(password.expose_secret());
        }
        let tls = settings.verification().connector().map_err(unusable)?;
        let failed = |error| unconnected(&place, &error);
        let (client, connection) = config.connect(tls).await.map_err(failed)?;
        let connection = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to PostgreSQL has ended");
            }
        });
        let session = Self { client, statements: HashMap::new(), staging: None, connection };
        session.set_up(settings, &place).await?;
        Ok(session)
    }

    /// Settings and what has to be known of the server, in one round trip.
    async fn set_up(&self, settings: &PostgresSettings, place: &str) -> Result<(), DestinationError> {
        let unusable = |reason: String| DestinationError::Unusable { place: place.to_owned(), reason };
        let query = format!(
            "{SET_UP}; SET lock_timeout = {}; SELECT current_setting('server_version_num'), \
             current_setting('server_version'), current_setting('server_encoding')",
            settings.lock_timeout.as_millis()
        );
        let answer = self.client.simple_query(&query).await.map_err(|error| unconnected(place, &error))?;
        let found = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0)?.parse::<i32>().ok()?, row.get(1)?, row.get(2)?)),
            _ => None,
        });
        let (number, version, encoding) =
            found.ok_or_else(|| unusable("it does not say which version it is".to_owned()))?;
        if number < OLDEST_VERSION {
            return Err(unusable(format!("it is PostgreSQL {version}; 13 is the oldest that Orgtide writes to")));
        }
        if encoding != "UTF8" {
            return Err(unusable(format!(
                "its encoding is {encoding}, which cannot hold every text; create a database with --encoding UTF8 \
                 --template template0"
            )));
        }
        Ok(())
    }

    /// Whether the server or the network has ended it.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// A transaction in which each statement sees what others have committed before it.
    pub(super) async fn transaction(&mut self) -> Result<Work<'_>, tokio_postgres::Error> {
        let builder = self.client.build_transaction().isolation_level(tokio_postgres::IsolationLevel::ReadCommitted);
        let Self { statements, staging, .. } = self;
        Ok(Work { transaction: builder.start().await?, statements, staging, staged: None })
    }

    /// Waits until a transaction that was given up is undone, and holds no lock any more.
    pub(super) async fn settle(&self) {
        // Where the connection is gone, so is the transaction.
        let _ = self.client.batch_execute("").await;
    }

    /// Forgets what is prepared: the tables it names have changed.
    pub(super) fn forget_statements(&mut self) {
        self.statements.clear();
    }

    /// Ends the connection and waits until it is gone.
    pub(super) async fn close(self) {
        drop((self.statements, self.client));
        // It ends with the client; how it ended no longer matters.
        let _ = self.connection.await;
    }
}

/// A transaction with the connection's prepared statements. Dropped before its commit, it is undone.
pub(super) struct Work<'a> {
    pub(super) transaction: Transaction<'a>,
    statements: &'a mut HashMap<String, Statement>,
    staging: &'a mut Option<String>,
    /// The statement that has made a staging table in this transaction.
    staged: Option<String>,
}

impl Work<'_> {
    pub(super) async fn commit(self) -> Result<(), tokio_postgres::Error> {
        self.transaction.commit().await?;
        if self.staged.is_some() {
            *self.staging = self.staged;
        }
        Ok(())
    }

    /// Has the staging table that `make` makes: a transaction without rows needs none.
    pub(super) async fn stage(&mut self, make: String) -> Result<(), tokio_postgres::Error> {
        if self.staged.as_ref().or(self.staging.as_ref()) != Some(&make) {
            self.transaction.batch_execute(&make).await?;
            self.staged = Some(make);
        }
        Ok(())
    }

    /// Prepares a statement once.
    pub(super) async fn prepared(&mut self, sql: String) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(&sql) {
            return Ok(statement.clone());
        }
        let statement = self.transaction.prepare(&sql).await?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}
