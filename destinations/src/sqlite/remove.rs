//! Removing a stream's rows for good.

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use sync::{destination::DestinationError, table::StreamKey};

use super::{
    SqliteSettings,
    fault::fault,
    schema::{CHECKPOINTS, CONNECTION, quoted},
};

/// Removes the rows and the checkpoint together, and the table when no other connection has rows in it. What is removed
/// is overwritten in the file.
pub(crate) fn remove(settings: &SqliteSettings, stream: &StreamKey) -> Result<u64, DestinationError> {
    if !settings.path.exists() {
        return Ok(0);
    }
    let removed = || {
        let mut file = Connection::open_with_flags(&settings.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        file.busy_timeout(settings.busy_timeout)?;
        file.execute_batch("PRAGMA secure_delete = ON")?;
        let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let has = |name: &str| -> rusqlite::Result<bool> {
            let sql = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
            transaction.query_row(sql, [name], |row| row.get(0))
        };
        let mut rows = 0;
        if has(CHECKPOINTS)? {
            let sql = format!("DELETE FROM {CHECKPOINTS} WHERE connection = ?1 AND object = ?2 AND \"table\" = ?3");
            transaction.execute(&sql, (&stream.connection, &stream.object, &stream.table))?;
        }
        if has(&stream.table)? {
            let table = quoted(&stream.table);
            rows =
                transaction.execute(&format!("DELETE FROM {table} WHERE {CONNECTION} = ?1"), [&stream.connection])?;
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
    removed().map_err(|error: rusqlite::Error| fault(&settings.place(), &stream.table, &error))
}
