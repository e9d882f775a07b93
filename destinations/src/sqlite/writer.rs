//! The connection that writes: one transaction a call.

use std::path::Path;

use arrow_array::{Array, StringArray};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::{DestinationError, Written},
    table::{Deletion, StreamKey, TableBatch, TableSchema},
};

use super::{
    SqliteSettings, Synchronous,
    binding::{Cells, write_timestamp},
    fault::fault,
    schema::{SchemaFault, Statements, make_ready},
};

/// Pages of the log (4 KiB each) after which it is copied into the file; the log stays near this size.
const LOG_PAGES: i64 = 4096;
/// Room for the pages that a batch touches, in KiB.
const CACHE_KIB: i64 = 16 * 1024;

pub(super) struct Writer {
    settings: SqliteSettings,
    connection: Option<Connection>,
    stream: Option<Stream>,
    buffer: Vec<u8>,
}

struct Stream {
    key: StreamKey,
    table: TableSchema,
    statements: Statements,
}

/// What a transaction was ended by.
enum Failure {
    Sqlite(rusqlite::Error),
    Destination(DestinationError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<DestinationError> for Failure {
    fn from(error: DestinationError) -> Self {
        Self::Destination(error)
    }
}

impl Writer {
    pub(super) fn new(settings: SqliteSettings) -> Self {
        Self { settings, connection: None, stream: None, buffer: Vec::new() }
    }

    pub(super) fn prepare(
        &mut self,
        key: StreamKey,
        table: TableSchema,
        epoch: Epoch,
    ) -> Result<Option<Checkpoint>, DestinationError> {
        let place = self.settings.place();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => open(&self.settings).map_err(|failure| resolve(&place, &table.name, failure))?,
        };
        let prepared = prepare_stream(&mut connection, &place, &key, &table, epoch);
        self.connection = Some(connection);
        let (has_flag, checkpoint) = prepared.map_err(|failure| resolve(&place, &table.name, failure))?;
        let statements = Statements::new(&table, has_flag);
        self.stream = Some(Stream { key, table, statements });
        Ok(checkpoint)
    }

    pub(super) fn write(
        &mut self,
        batch: &TableBatch,
        resume: &Checkpoint,
        epoch: Epoch,
    ) -> Result<Written, DestinationError> {
        let place = self.settings.place();
        let (Some(connection), Some(stream)) = (self.connection.as_mut(), self.stream.as_ref()) else {
            let reason = "rows arrived before the table was prepared".to_owned();
            return Err(DestinationError::Other { place, reason });
        };
        write_batch(connection, &place, stream, batch, resume, epoch, &mut self.buffer)
            .map_err(|failure| resolve(&place, &stream.table.name, failure))
    }

    /// Copies the log into the file and empties it. Another program that reads the file can prevent that; the log then
    /// stays, and nothing is lost.
    pub(super) fn close(&mut self) -> Result<(), DestinationError> {
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let table = self.stream.take().map(|stream| stream.table.name).unwrap_or_default();
        let place = self.settings.place();
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .and_then(|()| connection.close().map_err(|(_, error)| error))
            .map_err(|error| fault(&place, &table, &error))
    }
}

fn resolve(place: &str, table: &str, failure: Failure) -> DestinationError {
    match failure {
        Failure::Sqlite(error) => fault(place, table, &error),
        Failure::Destination(error) => error,
    }
}

fn open(settings: &SqliteSettings) -> Result<Connection, Failure> {
    if let Some(folder) = settings.path.parent().filter(|folder| *folder != Path::new("") && !folder.is_dir()) {
        let reason = format!("the folder {} does not exist; create it first", folder.display());
        return Err(DestinationError::Denied { place: settings.place(), reason }.into());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&settings.path, flags)?;
    connection.busy_timeout(settings.busy_timeout)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match settings.synchronous {
        Synchronous::Normal => "NORMAL",
        Synchronous::Full => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    // Between two uses the log's file is cut to this size, should a long reader have let it grow.
    connection.pragma_update(None, "journal_size_limit", LOG_PAGES * 4096)?;
    Ok(connection)
}

/// Makes the table ready and records the epoch; returns whether rows can carry a flag, and the stored checkpoint.
fn prepare_stream(
    connection: &mut Connection,
    place: &str,
    key: &StreamKey,
    table: &TableSchema,
    epoch: Epoch,
) -> Result<(bool, Option<Checkpoint>), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ready = make_ready(&transaction, table).map_err(|fault| match fault {
        SchemaFault::Sqlite(error) => Failure::Sqlite(error),
        SchemaFault::Refused(reason) => Failure::Destination(DestinationError::Incompatible {
            place: place.to_owned(),
            table: table.name.clone(),
            reason,
        }),
    })?;
    if ready.is_new {
        // Somebody dropped the table: what its checkpoints say was written is gone.
        let forget = "UPDATE _orgtide_checkpoints SET checkpoint = NULL WHERE \"table\" = ?1";
        transaction.execute(forget, [&table.name])?;
    }
    let stored = claim(&transaction, place, key, epoch)?;
    let checkpoint = stored.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| {
        let reason = format!(
            "the checkpoint of {} for connection {} is not one this version can read ({error}); run the version that \
             wrote it, or delete its row from _orgtide_checkpoints to import everything again",
            key.object, key.connection
        );
        DestinationError::Unusable { place: place.to_owned(), reason }
    })?;
    transaction.commit()?;
    Ok((ready.has_flag, checkpoint))
}

fn write_batch(
    connection: &mut Connection,
    place: &str,
    stream: &Stream,
    batch: &TableBatch,
    resume: &Checkpoint,
    epoch: Epoch,
    buffer: &mut Vec<u8>,
) -> Result<Written, Failure> {
    let resume = serde_json::to_string(resume)
        .map_err(|error| DestinationError::Other { place: place.to_owned(), reason: error.to_string() })?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    claim(&transaction, place, &stream.key, epoch)?;
    upsert_rows(&transaction, place, stream, batch, buffer)?;
    delete_rows(&transaction, stream, &batch.deletes, buffer)?;
    let save = "UPDATE _orgtide_checkpoints SET checkpoint = ?4
                WHERE connection = ?1 AND object = ?2 AND \"table\" = ?3";
    let StreamKey { connection, object, table } = &stream.key;
    transaction.prepare_cached(save)?.execute(params![connection, object, table, resume])?;
    transaction.commit()?;
    Ok(Written::default())
}

/// Records the epoch and returns the stored checkpoint, unless a newer epoch holds the stream.
fn claim(transaction: &Transaction<'_>, place: &str, key: &StreamKey, epoch: Epoch) -> Result<Option<String>, Failure> {
    let StreamKey { connection, object, table } = key;
    let find = "SELECT epoch, checkpoint FROM _orgtide_checkpoints
                WHERE connection = ?1 AND object = ?2 AND \"table\" = ?3";
    let stored: Option<(i64, Option<String>)> = transaction
        .prepare_cached(find)?
        .query_row(params![connection, object, table], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (current, checkpoint) = stored.unwrap_or((i64::MIN, None));
    if current > epoch.0 {
        return Err(DestinationError::Fenced { place: place.to_owned(), ours: epoch.0, current }.into());
    }
    if current < epoch.0 {
        let record = "INSERT INTO _orgtide_checkpoints (connection, object, \"table\", epoch) VALUES (?1, ?2, ?3, ?4)
                      ON CONFLICT DO UPDATE SET epoch = excluded.epoch";
        transaction.prepare_cached(record)?.execute(params![connection, object, table, epoch.0])?;
    }
    Ok(checkpoint)
}

fn upsert_rows(
    transaction: &Transaction<'_>,
    place: &str,
    stream: &Stream,
    batch: &TableBatch,
    buffer: &mut Vec<u8>,
) -> Result<(), Failure> {
    let rows = batch.upserts.num_rows();
    if rows == 0 {
        return Ok(());
    }
    let cells = Cells::new(&batch.upserts, stream.table.columns.iter().map(|column| column.kind));
    let Some((cells, ids)) = cells.and_then(|cells| cells.texts(stream.table.id).map(|ids| (cells, ids))) else {
        let reason = "a batch arrived whose columns are not those of the table".to_owned();
        return Err(DestinationError::Other { place: place.to_owned(), reason }.into());
    };
    let mut statement = transaction.prepare_cached(&stream.statements.upsert)?;
    statement.raw_bind_parameter(1, &stream.key.connection)?;
    let order = order_by_id(ids);
    for position in 0..rows {
        let row = order.as_ref().map_or(position, |order| order[position]);
        cells.bind(&mut statement, 2, row, buffer)?;
        statement.raw_execute()?;
    }
    Ok(())
}

/// The rows in the order of their ids, unless they are in it already; rows of one id keep theirs. Neighbours in the
/// key are neighbours in the index: in random order the same rows take three times as long.
fn order_by_id(ids: &StringArray) -> Option<Vec<usize>> {
    let is_sorted = (1..ids.len()).all(|row| ids.value(row - 1) <= ids.value(row));
    (!is_sorted).then(|| {
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by_key(|row| ids.value(*row));
        order
    })
}

fn delete_rows(
    transaction: &Transaction<'_>,
    stream: &Stream,
    deletes: &[Deletion],
    buffer: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    if deletes.is_empty() {
        return Ok(());
    }
    let mut statement = transaction.prepare_cached(&stream.statements.delete)?;
    statement.raw_bind_parameter(1, &stream.key.connection)?;
    for deletion in deletes {
        statement.raw_bind_parameter(2, &deletion.id)?;
        if stream.table.version.is_some() {
            buffer.clear();
            let text = deletion.version.map(|version| {
                write_timestamp(buffer, version.0);
                std::str::from_utf8(buffer).unwrap_or_default()
            });
            statement.raw_bind_parameter(3, text)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, RecordBatch};
    use sync::{
        ApiVersion, Timestamp,
        checkpoint::{Asked, Position, Window},
        table::{Column, ColumnType, DeleteMode},
    };

    use super::*;

    fn checkpoint(last_id: &str) -> Checkpoint {
        let window = Window { from: None, until: Timestamp(0) };
        Checkpoint::new(window, Asked::default(), ApiVersion(66), Position::Query { last_id: last_id.to_owned() })
    }

    fn batch(ids: std::ops::Range<usize>) -> TableBatch {
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values(ids.map(|id| format!("{id:0>500}"))));
        TableBatch { upserts: RecordBatch::try_from_iter([("Id", ids)]).unwrap(), deletes: Vec::new(), patch: None }
    }

    #[test]
    fn a_full_disk_leaves_neither_rows_nor_checkpoint_and_the_write_can_be_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(SqliteSettings::at(&folder.path().join("rows.db")).unwrap());
        let key =
            StreamKey { connection: "acme".to_owned(), object: "Contact".to_owned(), table: "Contact".to_owned() };
        let table = TableSchema {
            name: "Contact".to_owned(),
            columns: vec![Column { name: "Id".to_owned(), kind: ColumnType::Text }],
            id: 0,
            version: None,
            deletes: DeleteMode::Flag,
            stream: None,
            sweeps: false,
        };
        writer.prepare(key.clone(), table.clone(), Epoch(1)).unwrap();
        writer.write(&batch(0..10), &checkpoint("first"), Epoch(1)).unwrap();
        let limit = |writer: &Writer, pages: i64| {
            let connection = writer.connection.as_ref().unwrap();
            connection.pragma_update(None, "max_page_count", pages).unwrap();
        };
        limit(&writer, 20);
        let error = writer.write(&batch(10..1000), &checkpoint("second"), Epoch(1)).unwrap_err();
        assert!(matches!(error, DestinationError::Full { .. }), "{error}");
        let count = |writer: &Writer| -> i64 {
            let connection = writer.connection.as_ref().unwrap();
            connection.query_row("SELECT count(*) FROM Contact", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&writer), 10);
        assert_eq!(writer.prepare(key, table, Epoch(1)).unwrap(), Some(checkpoint("first")));
        limit(&writer, 100_000);
        writer.write(&batch(10..1000), &checkpoint("second"), Epoch(1)).unwrap();
        assert_eq!(count(&writer), 1000);
    }
}
