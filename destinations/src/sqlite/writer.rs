//! The connection that writes: one transaction a call.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::{DestinationError, Written},
    table::{Held, StreamKey, TableBatch, TableSchema},
};

use super::{
    SqliteSettings, Synchronous, checkpoints,
    failure::Failure,
    fault::fault,
    identity::FileIdentity,
    matcher::{self, Matcher},
    read,
    rows::Stream,
    schema::{OwnColumns, Readiness, make_ready},
};

/// Pages of the log (4 KiB each) after which it is copied into the file; the log stays near this size.
const LOG_PAGES: i64 = 4096;
/// Room for the pages that a batch touches, in KiB.
const CACHE_KIB: i64 = 8 * 1024;

pub(super) struct Writer {
    settings: SqliteSettings,
    file: Option<File>,
    stream: Option<Stream>,
    buffer: Vec<u8>,
}

/// The open file.
struct File {
    connection: Connection,
    identity: FileIdentity,
}

impl Writer {
    pub(super) fn new(settings: SqliteSettings) -> Self {
        Self { settings, file: None, stream: None, buffer: Vec::new() }
    }

    pub(super) fn prepare(
        &mut self,
        key: StreamKey,
        table: TableSchema,
        epoch: Epoch,
    ) -> Result<Option<Checkpoint>, DestinationError> {
        let place = self.settings.place();
        let resolve = |failure: Failure| failure.resolve(&place, &table.name);
        let still_open = self.file.take().filter(|file| file.identity.is_at(&self.settings.path));
        let file = match still_open {
            Some(file) => file,
            None => open(&self.settings).map_err(resolve)?,
        };
        let file = self.file.insert(file);
        let (own, matcher, checkpoint) =
            prepare_stream(&mut file.connection, &place, &key, &table, epoch).map_err(resolve)?;
        self.stream = Some(Stream::new(key, table, own, matcher));
        Ok(checkpoint)
    }

    pub(super) fn write(
        &mut self,
        batch: &TableBatch,
        resume: &Checkpoint,
        epoch: Epoch,
    ) -> Result<Written, DestinationError> {
        let place = self.settings.place();
        let (Some(file), Some(stream)) = (self.file.as_mut(), self.stream.as_mut()) else {
            return Err(unprepared(place));
        };
        let written = write_batch(file, &self.settings, stream, batch, resume, epoch, &mut self.buffer)
            .map_err(|failure| failure.resolve(&place, &stream.table.name))?;
        stream.matcher.iter_mut().for_each(Matcher::committed);
        Ok(written)
    }

    /// Rows of the prepared stream, as [`Destination::read`] says.
    ///
    /// [`Destination::read`]: sync::destination::Destination::read
    pub(super) fn read(&mut self, after: Option<&str>, columns: &[usize]) -> Result<Held, DestinationError> {
        let place = self.settings.place();
        let (Some(file), Some(stream)) = (&self.file, &self.stream) else { return Err(unprepared(place)) };
        file.identity.check(&self.settings.path, &place)?;
        read::read(&file.connection, stream, after, columns).map_err(|error| fault(&place, &stream.table.name, &error))
    }

    /// Copies the log into the file and empties it. Another program that reads the file can prevent that; the log then
    /// stays, and nothing is lost.
    pub(super) fn close(&mut self) -> Result<(), DestinationError> {
        let Some(File { connection, .. }) = self.file.take() else { return Ok(()) };
        let table = self.stream.take().map(|stream| stream.table.name).unwrap_or_default();
        let place = self.settings.place();
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .and_then(|()| connection.close().map_err(|(_, error)| error))
            .map_err(|error| fault(&place, &table, &error))
    }
}

fn unprepared(place: String) -> DestinationError {
    DestinationError::Other { place, reason: "it was used before the table was prepared".to_owned() }
}

fn open(settings: &SqliteSettings) -> Result<File, Failure> {
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
    matcher::add_functions(&connection)?;
    let identity = FileIdentity::opened(&settings.path, &settings.place())?;
    Ok(File { connection, identity })
}

/// Makes the table ready and records the epoch; returns what the table's rows can carry, what they are matched with, and
/// the stored checkpoint.
fn prepare_stream(
    connection: &mut Connection,
    place: &str,
    key: &StreamKey,
    table: &TableSchema,
    epoch: Epoch,
) -> Result<(OwnColumns, Option<Matcher>, Option<Checkpoint>), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (readiness, own) = make_ready(&transaction, table).map_err(|fault| fault.failure(place, &table.name))?;
    checkpoints::make_ready(&transaction)?;
    match readiness {
        Readiness::Made => checkpoints::forget(&transaction, &table.name)?,
        Readiness::Widened(lost) => checkpoints::revise(&transaction, &table.name, &lost)?,
    }
    checkpoints::refuse_other_writer(&transaction, place, key)?;
    let stored = checkpoints::claim(&transaction, place, key, epoch)?;
    let checkpoint = stored.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| {
        let reason = format!(
            "the checkpoint of {} for connection {} is not one this version can read ({error}); run the version that \
             wrote it, or delete its row from _orgtide_checkpoints to import everything again",
            key.object, key.connection
        );
        DestinationError::Unusable { place: place.to_owned(), reason }
    })?;
    let matcher = Matcher::prepare(&transaction, place, key, table, own)?;
    transaction.commit()?;
    Ok((own, matcher, checkpoint))
}

fn write_batch(
    file: &mut File,
    settings: &SqliteSettings,
    stream: &Stream,
    batch: &TableBatch,
    resume: &Checkpoint,
    epoch: Epoch,
    buffer: &mut Vec<u8>,
) -> Result<Written, Failure> {
    let place = settings.place();
    let saved = serde_json::to_string(resume)
        .map_err(|error| DestinationError::Other { place: place.clone(), reason: error.to_string() })?;
    let transaction = file.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    checkpoints::claim(&transaction, &place, &stream.key, epoch)?;
    let written = stream.write(&transaction, &place, batch, resume, buffer)?;
    checkpoints::save(&transaction, &stream.key, &saved)?;
    file.identity.check(&settings.path, &place)?;
    transaction.commit()?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, RecordBatch, StringArray};
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
        TableBatch {
            upserts: RecordBatch::try_from_iter([("Id", ids)]).unwrap(),
            deletes: Vec::new(),
            patch: None,
            named: Vec::new(),
            overrules: false,
        }
    }

    #[test]
    fn a_full_disk_leaves_neither_rows_nor_checkpoint_and_the_write_can_be_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(SqliteSettings::at(&folder.path().join("rows.db")).unwrap());
        let key = StreamKey {
            connection: "acme".to_owned(),
            org: "00D000000000001".to_owned(),
            installation: "ins_1".to_owned(),
            object: "Contact".to_owned(),
            table: "Contact".to_owned(),
            stream: None,
        };
        let table = TableSchema {
            name: "Contact".to_owned(),
            columns: vec![Column { name: "Id".to_owned(), kind: ColumnType::Text }],
            id: 0,
            version: None,
            deletes: DeleteMode::Flag,
            stream: None,
            sweeps: false,
            matching: None,
        };
        writer.prepare(key.clone(), table.clone(), Epoch(1)).unwrap();
        writer.write(&batch(0..10), &checkpoint("first"), Epoch(1)).unwrap();
        let limit = |writer: &Writer, pages: i64| {
            let connection = &writer.file.as_ref().unwrap().connection;
            connection.pragma_update(None, "max_page_count", pages).unwrap();
        };
        limit(&writer, 20);
        let error = writer.write(&batch(10..1000), &checkpoint("second"), Epoch(1)).unwrap_err();
        assert!(matches!(error, DestinationError::Full { .. }), "{error}");
        let count = |writer: &Writer| -> i64 {
            let connection = &writer.file.as_ref().unwrap().connection;
            connection.query_row("SELECT count(*) FROM Contact", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&writer), 10);
        assert_eq!(writer.prepare(key, table, Epoch(1)).unwrap(), Some(checkpoint("first")));
        limit(&writer, 100_000);
        writer.write(&batch(10..1000), &checkpoint("second"), Epoch(1)).unwrap();
        assert_eq!(count(&writer), 1000);
    }
}
