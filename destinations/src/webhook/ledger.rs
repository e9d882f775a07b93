//! What a receiver has been told, and what it is still to be told: a SQLite file.
//!
//! A receiver has no transactions that span requests, so the destination's own are here. Of a row it holds what is needed to
//! guard against older versions, to leave out what has not changed and to find what a whole reading did not name: its key,
//! version and digest, and no content. Contents stand in the messages that wait, and in dead letters.
//!
//! Every transaction is on the disk before it counts (`synchronous = FULL`): one that a power failure undid would be made
//! again with other rows after its messages had gone out.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};
use sync::{Timestamp, destination::DestinationError, table::StreamKey};

use crate::sqlite::{checkpoints, failure::Failure, identity::FileIdentity};

/// What this version writes; `PRAGMA user_version` of the file.
const FORMAT: i64 = 1;

const CREATE: &str = "
CREATE TABLE IF NOT EXISTS streams (
    number INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    \"table\" TEXT NOT NULL,
    stream TEXT NOT NULL,
    -- What the receiver was told of the table.
    shape TEXT,
    -- The receiver asked for nothing before this moment.
    not_before INTEGER,
    dead_in_a_row INTEGER NOT NULL DEFAULT 0,
    -- Rows were told since the receiver heard that a window is whole.
    is_open INTEGER NOT NULL DEFAULT 0,
    UNIQUE (connection, object, \"table\", stream)
);
CREATE TABLE IF NOT EXISTS rows (
    \"table\" TEXT NOT NULL,
    connection TEXT NOT NULL,
    key TEXT NOT NULL,
    stream TEXT,
    version INTEGER,
    -- Of the row as it was told last; NULL: it is told again whatever it is.
    digest BLOB,
    -- Of the columns that were filled last since.
    patched BLOB,
    deleted INTEGER NOT NULL DEFAULT 0,
    generation INTEGER,
    -- The message that told the row whole.
    sequence INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (\"table\", connection, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams (number),
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    -- 'waiting' or 'dead'.
    state TEXT NOT NULL DEFAULT 'waiting',
    attempts INTEGER NOT NULL DEFAULT 0,
    answer TEXT,
    made_at INTEGER NOT NULL,
    tried_at INTEGER
);
CREATE INDEX IF NOT EXISTS messages_of_stream ON messages (stream, state, sequence);
CREATE TABLE IF NOT EXISTS last (sequence INTEGER NOT NULL);
INSERT INTO last SELECT 0 WHERE NOT EXISTS (SELECT * FROM last);
";

/// The file; cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger {
    path: PathBuf,
    file: Arc<Mutex<Option<File>>>,
}

struct File {
    connection: Connection,
    identity: FileIdentity,
}

impl Ledger {
    /// Nothing is opened before it is needed.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), file: Arc::default() }
    }

    /// The ledger, as messages name it.
    pub(super) fn place(&self) -> String {
        format!("webhook ledger {}", self.path.display())
    }

    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Runs `work` in one transaction, on a thread where it may block. Once begun it ends, whoever still waits for it.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, DestinationError> {
        let ledger = self.clone();
        tokio::task::spawn_blocking(move || ledger.transact_here(work)).await.expect("a ledger's work does not panic")
    }

    fn transact_here<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, DestinationError> {
        let place = self.place();
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let worked = || -> Result<T, Failure> {
            let still_open = held.take().filter(|file| file.identity.is_at(&self.path));
            let file = held.insert(still_open.map_or_else(|| self.open(), Ok)?);
            let transaction = file.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            file.identity.check(&self.path, &place)?;
            transaction.commit()?;
            Ok(done)
        };
        worked().map_err(|failure| failure.resolve(&place, "rows"))
    }

    /// Copies the log into the file and lets go of it.
    pub(super) async fn close(&self) {
        let ledger = self.clone();
        let closed = tokio::task::spawn_blocking(move || {
            let held = ledger.file.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Best effort: the next one that opens the file copies it.
            held.map(|file| file.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))
        });
        let _ = closed.await;
    }

    fn open(&self) -> Result<File, Failure> {
        let place = self.place();
        if let Some(folder) = self.path.parent().filter(|folder| *folder != Path::new("") && !folder.is_dir()) {
            let reason = format!("the folder {} does not exist; create it first", folder.display());
            return Err(DestinationError::Denied { place, reason }.into());
        }
        make_private(&self.path).map_err(|error| DestinationError::Denied {
            place: place.clone(),
            reason: format!("{error}; the file and its folder have to be writable"),
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(30))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if format > FORMAT {
            let reason = "a later version of Orgtide has written it; run that one".to_owned();
            return Err(DestinationError::Unusable { place, reason }.into());
        }
        if format < FORMAT {
            connection.execute_batch(&format!("BEGIN IMMEDIATE; {CREATE} PRAGMA user_version = {FORMAT}; COMMIT"))?;
        }
        let identity = FileIdentity::opened(&self.path, &place)?;
        Ok(File { connection, identity })
    }
}

/// Creates a file that nobody else can read: rows wait in it.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

const OF_STREAM: &str = "connection = ?1 AND object = ?2 AND \"table\" = ?3 AND stream = ?4";

/// A stream's number in the ledger; makes one where there is none.
pub(super) fn number(transaction: &Transaction<'_>, key: &StreamKey) -> rusqlite::Result<i64> {
    if let Some(number) = find(transaction, key)? {
        return Ok(number);
    }
    let StreamKey { connection, object, table, stream, .. } = key;
    let add = "INSERT INTO streams (connection, object, \"table\", stream) VALUES (?1, ?2, ?3, ?4)";
    transaction.execute(add, params![connection, object, table, stream.as_deref().unwrap_or_default()])?;
    Ok(transaction.last_insert_rowid())
}

pub(super) fn find(connection: &Connection, key: &StreamKey) -> rusqlite::Result<Option<i64>> {
    let StreamKey { connection: name, object, table, stream, .. } = key;
    let query = format!("SELECT number FROM streams WHERE {OF_STREAM}");
    let values = params![name, object, table, stream.as_deref().unwrap_or_default()];
    connection.query_row(&query, values, |row| row.get(0)).optional()
}

/// A number above all others of this ledger, and above those of one that was lost or put back from a backup: it follows
/// the clock.
pub(super) fn next_sequence(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<i64> {
    let next = "UPDATE last SET sequence = max(sequence + 1, ?1) RETURNING sequence";
    transaction.prepare_cached(next)?.query_row([now.0], |row| row.get(0))
}

/// Forgets a stream: its rows, messages, checkpoint and number. Returns how many rows it had.
pub(super) fn forget(transaction: &Transaction<'_>, key: &StreamKey) -> rusqlite::Result<u64> {
    checkpoints::make_ready(transaction)?;
    checkpoints::remove(transaction, key)?;
    if let Some(number) = find(transaction, key)? {
        transaction.execute("DELETE FROM messages WHERE stream = ?1", [number])?;
        transaction.execute("DELETE FROM streams WHERE number = ?1", [number])?;
    }
    let remove = "DELETE FROM rows WHERE \"table\" = ?1 AND connection = ?2 AND stream IS ?3";
    Ok(transaction.execute(remove, params![key.table, key.connection, key.stream])? as u64)
}
