//! Counting a stream's rows, for people who compare both sides.

use rusqlite::{Connection, OpenFlags};
use sync::{destination::DestinationError, table::StreamKey};

use super::{
    SqliteSettings,
    fault::fault,
    schema::{CONNECTION, DELETED, STREAM, quoted},
};
use crate::RowCounts;

/// Counts through a connection that cannot write.
pub(crate) fn count(settings: &SqliteSettings, stream: &StreamKey) -> Result<RowCounts, DestinationError> {
    let counted = || {
        let file = Connection::open_with_flags(&settings.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.busy_timeout(settings.busy_timeout)?;
        let table = quoted(&stream.table);
        let has = |column: &str| {
            let sql = "SELECT COUNT(*) FROM pragma_table_info(?1) WHERE name = ?2";
            file.query_row(sql, (&stream.table, column), |row| row.get::<_, bool>(0))
        };
        let deleted = if has(DELETED)? { format!("COALESCE(SUM({DELETED} <> 0), 0)") } else { "0".to_owned() };
        let own = if has(STREAM)? { format!("{STREAM} IS ?2") } else { "?2 IS NULL".to_owned() };
        let sql = format!("SELECT COUNT(*), {deleted} FROM {table} WHERE {CONNECTION} = ?1 AND {own}");
        let key = (&stream.connection, &stream.stream);
        file.query_row(&sql, key, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
    };
    let (all, deleted) = counted().map_err(|error| fault(&settings.place(), &stream.table, &error))?;
    Ok(RowCounts { present: (all - deleted).unsigned_abs(), deleted: deleted.unsigned_abs() })
}
