//! The PostgreSQL side: a small pool, and the same statements.

use std::error::Error as _;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tokio_postgres::{
    Config, NoTls, Statement,
    config::Host,
    error::SqlState,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::{
    database::{Change, Committed, DatabaseError, Row, Value},
    error::StoreError,
    migrations,
};

/// Connections at most; a process needs few, and many processes share the server.
const POOL_SIZE: usize = 8;
/// Names the advisory lock that migrations hold: "orgtide" in ASCII.
const MIGRATION_LOCK: i64 = 0x006f_7267_7469_6465;

/// A control store in a PostgreSQL database.
pub(crate) struct Postgres {
    place: String,
    pool: Pool,
}

impl Postgres {
    /// Reads the URL and prepares a pool; nothing is connected yet.
    pub(super) fn open(url: &str) -> Result<Self, StoreError> {
        let unusable = |reason: String| StoreError::Unusable { place: "database_url".into(), reason };
        // The reason of a URL that cannot be parsed may repeat the URL, and the URL may hold a password.
        let config: Config = url
            .parse()
            .map_err(|_| unusable("it is no PostgreSQL URL (postgres://user:password@host:5432/database)".into()))?;
        let place = place(&config);
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Verified });
        let pool = Pool::builder(manager)
            .max_size(POOL_SIZE)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Self { place, pool })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let failure = |error| self.failure(&error);
        let transaction = client.transaction().await.map_err(failure)?;
        transaction.query_one("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await.map_err(failure)?;
        transaction.batch_execute(migrations::CREATE_VERSION_TABLE).await.map_err(failure)?;
        let found: i64 = transaction.query_one(migrations::READ_VERSION, &[]).await.map_err(failure)?.get(0);
        if found > migrations::newest() {
            return Err(StoreError::Newer { place: self.place.clone(), found, known: migrations::newest() });
        }
        for (version, sql) in migrations::pending(found) {
            tracing::debug!(store = self.place, version, "migrating the control store");
            transaction.batch_execute(sql).await.map_err(failure)?;
            transaction.execute(migrations::WRITE_VERSION, &[&version]).await.map_err(failure)?;
        }
        transaction.commit().await.map_err(failure)
    }

    pub(super) async fn query(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await.map_err(|error| self.failure(&error))?;
        let rows = client.query(&statement, &parameters(&values)).await.map_err(|error| self.failure(&error))?;
        rows.iter().map(|row| self.row(row)).collect()
    }

    pub(super) async fn commit(&self, changes: Vec<Change>) -> Result<Committed, DatabaseError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(|error| self.failure(&error))?;
        let mut answers = Vec::with_capacity(changes.len());
        for change in &changes {
            let statement = transaction.prepare_cached(change.sql).await.map_err(|error| self.failure(&error))?;
            let (touched, rows) = self.run(&transaction, &statement, change).await?;
            if change.demands_one_row && touched != 1 {
                transaction.rollback().await.map_err(|error| self.failure(&error))?;
                return Ok(Committed::Undone);
            }
            answers.push(rows);
        }
        transaction.commit().await.map_err(|error| self.failure(&error))?;
        Ok(Committed::Done(answers))
    }

    /// How many rows a statement touched, and the ones it returned.
    async fn run(
        &self,
        transaction: &deadpool_postgres::Transaction<'_>,
        statement: &Statement,
        change: &Change,
    ) -> Result<(u64, Vec<Row>), DatabaseError> {
        let parameters = parameters(&change.values);
        let taken = |error: tokio_postgres::Error| match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => DatabaseError::Taken,
            _ => self.failure(&error).into(),
        };
        if statement.columns().is_empty() {
            return Ok((transaction.execute(statement, &parameters).await.map_err(taken)?, Vec::new()));
        }
        let rows = transaction.query(statement, &parameters).await.map_err(taken)?;
        let rows = rows.iter().map(|row| self.row(row)).collect::<Result<Vec<_>, _>>()?;
        Ok((rows.len() as u64, rows))
    }

    async fn client(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => self.failure(&error),
            other => StoreError::Unreachable { place: self.place.clone(), reason: other.to_string() },
        })
    }

    fn row(&self, row: &tokio_postgres::Row) -> Result<Row, StoreError> {
        (0..row.len())
            .map(|column| row.try_get(column))
            .collect::<Result<Vec<Value>, _>>()
            .map(Row::new)
            .map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &tokio_postgres::Error) -> StoreError {
        let place = self.place.clone();
        // The error itself says only which step failed; its cause says why.
        let reason = match (error.as_db_error(), error.source()) {
            (Some(answer), _) => answer.message().to_owned(),
            (None, Some(cause)) => format!("{error}: {cause}"),
            (None, None) => error.to_string(),
        };
        let Some(code) = error.code() else {
            return StoreError::Unreachable { place, reason };
        };
        match *code {
            SqlState::DISK_FULL => StoreError::Full { place, reason },
            SqlState::INVALID_PASSWORD
            | SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            | SqlState::INVALID_CATALOG_NAME
            | SqlState::INSUFFICIENT_PRIVILEGE => StoreError::Unusable { place, reason },
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::CRASH_SHUTDOWN
            | SqlState::TOO_MANY_CONNECTIONS => StoreError::Unreachable { place, reason },
            _ => StoreError::Other { place, reason },
        }
    }
}

/// Host and database for people, without user and password.
fn place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    format!("{host}/{}", config.get_dbname().or(config.get_user()).unwrap_or_default())
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(integer) => integer.to_sql_checked(kind, out),
            Self::Text(text) => text.to_sql_checked(kind, out),
            Self::Blob(bytes) => bytes.to_sql_checked(kind, out),
        }
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Integer),
            Type::BYTEA => <&[u8]>::from_sql(kind, raw).map(|bytes| Self::Blob(bytes.to_owned())),
            _ => <&str>::from_sql(kind, raw).map(|text| Self::Text(text.to_owned())),
        }
    }

    fn from_sql_null(_kind: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::INT8 || *kind == Type::BYTEA || <&str as FromSql>::accepts(kind)
    }
}
