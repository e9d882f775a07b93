//! Removing a stream's rows for good.

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use sync::{checkpoint::Epoch, destination::DestinationError, table::StreamKey};

use super::{
    SqliteSettings, checkpoints,
    failure::Failure,
    matcher,
    schema::{CONNECTION, STREAM, quoted},
};
use crate::not_ours;

/// Looks whether the rows are the stream's own to remove.
pub(crate) fn may_remove(settings: &SqliteSettings, stream: &StreamKey) -> Result<(), DestinationError> {
    if !settings.path.exists() {
        return Ok(());
    }
    let opened = || {
        let file = Connection::open_with_flags(&settings.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        file.busy_timeout(settings.busy_timeout)?;
        refuse_what_is_not_ours(&file, settings, stream)
    };
    opened().map_err(|failure: Failure| failure.resolve(&settings.place(), &stream.table))
}

fn refuse_what_is_not_ours(file: &Connection, settings: &SqliteSettings, stream: &StreamKey) -> Result<(), Failure> {
    if !checkpoints::know_writers(file)? {
        return Ok(());
    }
    match checkpoints::other_writer_of(file, stream)? {
        Some((org, installation)) => Err(DestinationError::NotOurs {
            place: settings.place(),
            table: stream.table.clone(),
            reason: not_ours(stream, &org, &installation),
        }
        .into()),
        None => Ok(()),
    }
}

/// Removes the rows, their links and the checkpoint together, and the table when no other stream has rows in it. What is removed
/// is overwritten in the file.
pub(crate) fn remove(settings: &SqliteSettings, stream: &StreamKey) -> Result<u64, DestinationError> {
    removed(settings, stream, None)
}

/// The same, and leaves the place to another org's rows, of this epoch or a later one.
pub(crate) fn hand_over(settings: &SqliteSettings, stream: &StreamKey, epoch: Epoch) -> Result<u64, DestinationError> {
    removed(settings, stream, Some(epoch))
}

fn removed(settings: &SqliteSettings, stream: &StreamKey, successor: Option<Epoch>) -> Result<u64, DestinationError> {
    if !settings.path.exists() {
        return Ok(0);
    }
    let removed = || -> Result<u64, Failure> {
        let mut file = Connection::open_with_flags(&settings.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        file.busy_timeout(settings.busy_timeout)?;
        file.execute_batch("PRAGMA secure_delete = ON")?;
        let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let has =
            |sql: &str, name: &str| transaction.query_row(sql, (&stream.table, name), |row| row.get::<_, bool>(0));
        let mut rows = 0;
        refuse_what_is_not_ours(&transaction, settings, stream)?;
        if checkpoints::has_table(&transaction)? {
            checkpoints::make_ready(&transaction)?;
            match successor {
                None => checkpoints::remove(&transaction, stream)?,
                Some(epoch) => checkpoints::hand_over(&transaction, &settings.place(), stream, epoch)?,
            }
        }
        matcher::remove(&transaction, stream)?;
        if has("SELECT COUNT(*) FROM sqlite_schema WHERE name = ?1 AND type = ?2", "table")? {
            let table = quoted(&stream.table);
            let has_stream = has("SELECT COUNT(*) FROM pragma_table_info(?1) WHERE name = ?2", STREAM)?;
            let own = if has_stream { format!("{STREAM} IS ?2") } else { "?2 IS NULL".to_owned() };
            let sql = format!("DELETE FROM {table} WHERE {CONNECTION} = ?1 AND {own}");
            rows = transaction.execute(&sql, (&stream.connection, &stream.stream))?;
            let left: i64 = transaction.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0))?;
            if left == 0 {
                transaction.execute_batch(&format!("DROP TABLE {table}"))?;
            }
        }
        transaction.commit()?;
        // Best effort: the rows are gone from the tables, and the log still repeats them until it is emptied.
        let _ = file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        Ok(rows as u64)
    };
    removed().map_err(|failure| failure.resolve(&settings.place(), &stream.table))
}
