//! The columns of any table, for people who fill one of theirs.

use rusqlite::{Connection, OpenFlags};
use sync::{destination::DestinationError, table::StreamKey};

use super::{SqliteSettings, fault::fault};
use crate::DeclaredColumn;

/// Looks through a connection that cannot write.
pub(crate) fn columns(settings: &SqliteSettings, stream: &StreamKey) -> Result<Vec<DeclaredColumn>, DestinationError> {
    let looked = || {
        let file = Connection::open_with_flags(&settings.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        file.busy_timeout(settings.busy_timeout)?;
        let mut query = file.prepare("SELECT name, type FROM pragma_table_xinfo(?1)")?;
        let rows =
            query.query_map([&stream.table], |row| Ok(DeclaredColumn { name: row.get(0)?, declared: row.get(1)? }))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    looked().map_err(|error| fault(&settings.place(), &stream.table, &error))
}
