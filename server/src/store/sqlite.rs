//! The SQLite side: one connection that writes, always in an immediate transaction, and one that reads.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, ffi, params_from_iter, types};

use super::{
    database::{Change, Committed, DatabaseError, Row, Value},
    error::StoreError,
    migrations,
};

/// How long a statement waits for another process that is writing.
const BUSY_WAIT: Duration = Duration::from_secs(15);

/// A control store in one file.
pub(crate) struct Sqlite {
    place: String,
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
}

impl Sqlite {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// A file of a newer version, or of another program, is refused before anything in it is touched.
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        let place = path.display().to_string();
        let path = path.to_owned();
        let (writer, reader) = blocking(move || open_both(&path)).await?;
        Ok(Self { place, writer: Arc::new(Mutex::new(writer)), reader: Arc::new(Mutex::new(reader)) })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let place = self.place.clone();
        self.with(&self.writer, move |connection| {
            migrate(connection, &place).map_err(|error| match error {
                MigrationError::Newer(found) => StoreError::Newer { place, found, known: migrations::newest() },
                MigrationError::Sqlite(error) => failure(&place, &error),
            })
        })
        .await
    }

    pub(super) async fn query(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let place = self.place.clone();
        self.with(&self.reader, move |connection| {
            rows(connection, sql, values).map_err(|error| failure(&place, &error))
        })
        .await
    }

    pub(super) async fn commit(&self, changes: Vec<Change>) -> Result<Committed, DatabaseError> {
        let place = self.place.clone();
        self.with(&self.writer, move |connection| {
            commit(connection, changes)
                .map_err(|error| if is_taken(&error) { DatabaseError::Taken } else { failure(&place, &error).into() })
        })
        .await
    }

    /// Runs `work` on a thread that may wait for the disk.
    async fn with<T, E>(
        &self,
        connection: &Arc<Mutex<Connection>>,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let connection = Arc::clone(connection);
        blocking(move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("blocking tasks are never cancelled"),
        },
    }
}

fn open_both(path: &Path) -> Result<(Connection, Connection), StoreError> {
    let place = path.display().to_string();
    refuse_what_is_not_ours(path, &place)?;
    let unusable = |error: rusqlite::Error| match failure(&place, &error) {
        full @ StoreError::Full { .. } => full,
        _ => StoreError::Unusable { place: place.clone(), reason: error.to_string() },
    };
    let writer = Connection::open(path).map_err(unusable)?;
    restrict(path).map_err(|error| StoreError::Unusable { place: place.clone(), reason: error.to_string() })?;
    writer.busy_timeout(BUSY_WAIT).map_err(unusable)?;
    // `FULL` makes a commit survive a power failure; a refresh token depends on it.
    writer
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
        .map_err(unusable)?;
    let reader = Connection::open(path).map_err(unusable)?;
    reader.busy_timeout(BUSY_WAIT).map_err(unusable)?;
    reader.execute_batch("PRAGMA query_only = ON;").map_err(unusable)?;
    Ok((writer, reader))
}

/// Looks at an existing file through a connection that cannot write.
fn refuse_what_is_not_ours(path: &Path, place: &str) -> Result<(), StoreError> {
    if !path.exists() {
        return Ok(());
    }
    let unusable = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            StoreError::Foreign { place: place.to_owned(), reason: "the file is no SQLite database".into() }
        }
        _ => StoreError::Unusable { place: place.to_owned(), reason: error.to_string() },
    };
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(unusable)?;
    connection.busy_timeout(BUSY_WAIT).map_err(unusable)?;
    let tables: i64 = connection
        .query_row("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))
        .map_err(unusable)?;
    let ours: bool = connection
        .query_row("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'schema_version'", [], |row| row.get(0))
        .map_err(unusable)?;
    if !ours {
        return if tables == 0 {
            Ok(())
        } else {
            Err(StoreError::Foreign { place: place.to_owned(), reason: "it holds tables of another program".into() })
        };
    }
    let found: i64 = connection.query_row(migrations::READ_VERSION, [], |row| row.get(0)).map_err(unusable)?;
    if found > migrations::newest() {
        return Err(StoreError::Newer { place: place.to_owned(), found, known: migrations::newest() });
    }
    Ok(())
}

/// Only the owner reads the store: it tells which customers there are, even though its secrets are sealed.
#[cfg(unix)]
fn restrict(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn restrict(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

enum MigrationError {
    Newer(i64),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for MigrationError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn migrate(connection: &mut Connection, place: &str) -> Result<(), MigrationError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migrations::CREATE_VERSION_TABLE)?;
    let found: i64 = transaction.query_row(migrations::READ_VERSION, [], |row| row.get(0))?;
    if found > migrations::newest() {
        return Err(MigrationError::Newer(found));
    }
    for (version, sql) in migrations::pending(found) {
        tracing::debug!(store = place, version, "migrating the control store");
        transaction.execute_batch(&sql.replace("BYTEA", "BLOB"))?;
        transaction.execute(&placeholders(migrations::WRITE_VERSION), [version])?;
    }
    transaction.commit()?;
    Ok(())
}

fn commit(connection: &mut Connection, changes: Vec<Change>) -> rusqlite::Result<Committed> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(changes.len());
    for change in changes {
        let demands_one_row = change.demands_one_row;
        let before = transaction.total_changes();
        answers.push(rows(&transaction, change.sql, change.values)?);
        if demands_one_row && transaction.total_changes() - before != 1 {
            return Ok(Committed::Undone);
        }
    }
    transaction.commit()?;
    Ok(Committed::Done(answers))
}

fn rows(connection: &Connection, sql: &str, values: Vec<Value>) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&placeholders(sql))?;
    let columns = statement.column_count();
    let mut found = statement.query(params_from_iter(values.into_iter().map(to_sqlite)))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..columns).map(|column| row.get_ref(column).map(from_sqlite)).collect::<Result<_, _>>()?;
        rows.push(Row::new(values));
    }
    Ok(rows)
}

/// SQLite numbers its placeholders `?1`; no statement of ours holds a `$` otherwise.
fn placeholders(sql: &str) -> String {
    sql.replace('$', "?")
}

fn to_sqlite(value: Value) -> types::Value {
    match value {
        Value::Null => types::Value::Null,
        Value::Integer(integer) => types::Value::Integer(integer),
        Value::Text(text) => types::Value::Text(text),
        Value::Blob(bytes) => types::Value::Blob(bytes),
    }
}

fn from_sqlite(value: types::ValueRef<'_>) -> Value {
    match value {
        types::ValueRef::Null => Value::Null,
        types::ValueRef::Integer(integer) => Value::Integer(integer),
        types::ValueRef::Real(real) => Value::Text(real.to_string()),
        types::ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        types::ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
    }
}

fn is_taken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
    )
}

fn failure(place: &str, error: &rusqlite::Error) -> StoreError {
    let (place, reason) = (place.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { place, reason },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Unreachable {
            place,
            reason: format!("another process has been writing for {} seconds", BUSY_WAIT.as_secs()),
        },
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StoreError::Unusable { place, reason }
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Foreign { place, reason },
        _ => StoreError::Other { place, reason },
    }
}
