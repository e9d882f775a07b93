//! A batch, against the ledger: what of it the receiver does not know yet becomes messages.
//!
//! The rules are those of a table (`sqlite/statements.rs`): an older version changes nothing, a stream deletes and fills
//! its own rows alone, a whole reading deletes what it did not name.

use arrow_array::{Array as _, RecordBatch, StringArray, TimestampMillisecondArray};
use ring::digest::{SHA256, digest};
use rusqlite::{OptionalExtension as _, Transaction, params};
use sync::{
    Timestamp,
    cells::{self, columns},
    checkpoint::{Checkpoint, Epoch, Position},
    destination::{DestinationError, Written},
    table::{Column, DeleteMode, Deletion, Patch, StreamKey, TableBatch, TableSchema},
};

use super::{
    ledger::next_sequence,
    message::{self, Entries, Gone, Kind},
    outbox,
};
use crate::sqlite::failure::Failure;

/// A stream whose table was announced.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub(super) number: i64,
    pub(super) key: StreamKey,
    pub(super) table: TableSchema,
}

/// How large messages are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

/// Notes a batch, and adds the messages that tell of it.
pub(super) fn write(
    transaction: &Transaction<'_>,
    stream: &Stream,
    batch: &TableBatch,
    resume: &Checkpoint,
    epoch: Epoch,
    (bounds, now): (Bounds, Timestamp),
) -> Result<Written, Failure> {
    if resume.sweep.is_some() && !stream.table.sweeps {
        return Err(misfit("a sweep arrived for a table that was not prepared for it"));
    }
    let heading = message::heading(&stream.key, Some(&stream.table), Some(epoch));
    let mut messages = Messages { transaction, stream, heading, bounds, now, open: None };
    messages.upsert(batch, resume.sweep)?;
    for key in resume.sweep.iter().flat_map(|_| &batch.named) {
        messages.mark(key, resume.sweep)?;
    }
    if let Some(patch) = &batch.patch {
        messages.patch(patch)?;
    }
    for deletion in &batch.deletes {
        messages.delete(deletion)?;
    }
    let is_complete = resume.at == Position::Complete && resume.backfill.is_none();
    let swept = match resume.sweep.filter(|_| resume.at == Position::Complete) {
        Some(generation) => messages.sweep(generation)?,
        None => 0,
    };
    messages.cut()?;
    if is_complete {
        messages.complete(resume)?;
    }
    Ok(Written { swept, ..Written::default() })
}

/// What the ledger holds of a row.
struct Noted {
    stream: Option<String>,
    version: Option<i64>,
    digest: Option<Vec<u8>>,
    patched: Option<Vec<u8>>,
    is_deleted: bool,
}

/// The message in the making.
struct Open {
    sequence: i64,
    entries: Entries,
    rows: usize,
    bytes: usize,
}

/// Notes rows, and tells of them in messages of bounded size.
struct Messages<'a> {
    transaction: &'a Transaction<'a>,
    stream: &'a Stream,
    heading: String,
    bounds: Bounds,
    now: Timestamp,
    open: Option<Open>,
}

/// Which list of a message an entry belongs to. A receiver goes through them in this order, as entries are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Upserts,
    Patches,
    Deletes,
}

impl Messages<'_> {
    /// Adds an entry; returns the sequence of its message.
    fn tell(&mut self, list: List, entry: String) -> Result<i64, Failure> {
        let is_full = self.open.as_ref().is_some_and(|open| {
            open.rows >= self.bounds.rows || (open.rows > 0 && open.bytes + entry.len() > self.bounds.bytes)
        });
        if is_full {
            self.cut()?;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => Open {
                sequence: next_sequence(self.transaction, self.now)?,
                entries: Entries::default(),
                rows: 0,
                bytes: 0,
            },
        };
        let open = self.open.insert(open);
        open.rows += 1;
        open.bytes += entry.len();
        match list {
            List::Upserts => open.entries.upserts.push(entry),
            List::Patches => open.entries.patches.push(entry),
            List::Deletes => open.entries.deletes.push(entry),
        }
        Ok(open.sequence)
    }

    /// Ends the message in the making.
    fn cut(&mut self) -> Result<(), Failure> {
        let Some(Open { sequence, entries, .. }) = self.open.take() else { return Ok(()) };
        let body = message::body(Kind::Rows, self.now, sequence, &self.heading, &entries.text());
        outbox::add_as(self.transaction, sequence, self.stream.number, Kind::Rows, self.now, &body)?;
        let open = "UPDATE streams SET is_open = 1 WHERE number = ?1";
        self.transaction.prepare_cached(open)?.execute([self.stream.number])?;
        Ok(())
    }

    /// Tells that a window is whole, if anything of it was told.
    fn complete(&mut self, resume: &Checkpoint) -> Result<(), Failure> {
        let Stream { number, .. } = *self.stream;
        let close = "UPDATE streams SET is_open = 0 WHERE number = ?1 AND is_open = 1";
        if self.transaction.execute(close, [number])? == 0 {
            return Ok(());
        }
        let until = format!("\"until\":\"{}\"", resume.window.until);
        let body = |sequence| message::body(Kind::Complete, self.now, sequence, &self.heading, &until);
        outbox::add(self.transaction, number, Kind::Complete, self.now, body)?;
        Ok(())
    }

    fn noted(&self, key: &str) -> rusqlite::Result<Option<Noted>> {
        let query = "SELECT stream, version, digest, patched, deleted FROM rows
                     WHERE \"table\" = ?1 AND connection = ?2 AND key = ?3";
        let StreamKey { table, connection, .. } = &self.stream.key;
        let noted = self.transaction.prepare_cached(query)?.query_row(params![table, connection, key], |row| {
            Ok(Noted {
                stream: row.get(0)?,
                version: row.get(1)?,
                digest: row.get(2)?,
                patched: row.get(3)?,
                is_deleted: row.get(4)?,
            })
        });
        noted.optional()
    }

    fn upsert(&mut self, batch: &TableBatch, sweep: Option<i64>) -> Result<(), Failure> {
        let Some(Keyed { keys, versions }) = Keyed::of(&batch.upserts, &self.stream.table)? else { return Ok(()) };
        for row in 0..keys.len() {
            let key = keys.value(row);
            let version = version_at(versions, row);
            let noted = self.noted(key)?;
            let overrules = batch.overrules && sweep.is_none();
            if noted.as_ref().is_some_and(|noted| !overrules && !is_newer(version, noted.version)) {
                if sweep.is_some() {
                    self.mark(key, sweep)?;
                }
                continue;
            }
            let cells = self.stream.table.columns.iter().zip(batch.upserts.columns());
            let text = message::row(cells, row);
            let digest = digest_of(&text);
            let is_known = noted.is_some_and(|noted| {
                !batch.overrules
                    && !noted.is_deleted
                    && noted.stream == self.stream.table.stream
                    && noted.digest.as_deref() == Some(&digest)
            });
            match is_known {
                // Its version and digest are the same; its mark is this reading's.
                true if sweep.is_some() => self.mark(key, sweep)?,
                true => {}
                false => {
                    let sequence = self.tell(List::Upserts, text)?;
                    self.note(key, version, &digest, sweep, sequence)?;
                }
            }
        }
        Ok(())
    }

    fn note(
        &self,
        key: &str,
        version: Option<i64>,
        digest: &[u8],
        sweep: Option<i64>,
        sequence: i64,
    ) -> rusqlite::Result<()> {
        let note = "INSERT INTO rows (\"table\", connection, key, stream, version, digest, generation, sequence)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                    ON CONFLICT DO UPDATE SET stream = excluded.stream, version = excluded.version,
                        digest = excluded.digest, patched = NULL, deleted = 0,
                        generation = coalesce(excluded.generation, generation), sequence = excluded.sequence";
        let StreamKey { table, connection, .. } = &self.stream.key;
        let stream = &self.stream.table.stream;
        let values = params![table, connection, key, stream, version, digest, sweep, sequence];
        self.transaction.prepare_cached(note)?.execute(values)?;
        Ok(())
    }

    /// Marks a row of the stream that a reading has named and that stays as it is. A mark on another stream's row would
    /// hide it from that stream's own reading.
    fn mark(&self, key: &str, sweep: Option<i64>) -> rusqlite::Result<()> {
        let mark = "UPDATE rows SET generation = ?5
                    WHERE \"table\" = ?1 AND connection = ?2 AND key = ?3 AND stream IS ?4";
        let StreamKey { table, connection, .. } = &self.stream.key;
        let values = params![table, connection, key, self.stream.table.stream, sweep];
        self.transaction.prepare_cached(mark)?.execute(values)?;
        Ok(())
    }

    fn patch(&mut self, patch: &Patch) -> Result<(), Failure> {
        let table = &self.stream.table;
        let part = part(table, patch).ok_or_else(|| misfit(SHAPE))?;
        let Some(Keyed { keys, versions }) = Keyed::of(&patch.rows, &part)? else { return Ok(()) };
        let is_told = |index: &usize| part.version != Some(*index);
        let told: Vec<usize> = (0..part.columns.len()).filter(is_told).collect();
        if told.len() < 2 {
            return Ok(());
        }
        for row in 0..keys.len() {
            let key = keys.value(row);
            let Some(noted) = self.noted(key)? else { continue };
            if !is_newer(version_at(versions, row), noted.version) || !self.is_own(&noted) {
                continue;
            }
            let cells = told.iter().map(|index| (&part.columns[*index], patch.rows.column(*index)));
            let text = message::row(cells, row);
            let digest = digest_of(&text);
            if noted.patched.as_deref() == Some(&digest) {
                continue;
            }
            self.tell(List::Patches, text)?;
            // The digest of the whole row is known no more.
            let note = "UPDATE rows SET digest = NULL, patched = ?4
                        WHERE \"table\" = ?1 AND connection = ?2 AND key = ?3";
            let StreamKey { table, connection, .. } = &self.stream.key;
            self.transaction.prepare_cached(note)?.execute(params![table, connection, key, digest.as_slice()])?;
        }
        Ok(())
    }

    fn delete(&mut self, deletion: &Deletion) -> Result<(), Failure> {
        let Some(noted) = self.noted(&deletion.id)? else { return Ok(()) };
        let version = deletion.version.filter(|_| self.stream.table.version.is_some());
        let arriving = version.map(|version| version.0);
        let is_guarded = self.stream.table.version.is_some() && !is_newer(arriving, noted.version);
        if is_guarded || !self.is_own(&noted) {
            return Ok(());
        }
        let moves = arriving.is_some() && arriving != noted.version;
        if noted.is_deleted && !moves && self.stream.table.deletes == DeleteMode::Flag {
            return Ok(());
        }
        let sequence = self.tell(List::Deletes, message::deletion(&deletion.id, version, Gone::Deleted))?;
        self.note_gone(&deletion.id, arriving, sequence)
    }

    fn note_gone(&self, key: &str, version: Option<i64>, sequence: i64) -> Result<(), Failure> {
        let StreamKey { table, connection, .. } = &self.stream.key;
        match self.stream.table.deletes {
            DeleteMode::Remove => {
                let remove = "DELETE FROM rows WHERE \"table\" = ?1 AND connection = ?2 AND key = ?3";
                self.transaction.prepare_cached(remove)?.execute(params![table, connection, key])?;
            }
            DeleteMode::Flag => {
                let flag = "UPDATE rows SET deleted = 1, version = coalesce(?4, version), sequence = ?5
                            WHERE \"table\" = ?1 AND connection = ?2 AND key = ?3";
                let values = params![table, connection, key, version, sequence];
                self.transaction.prepare_cached(flag)?.execute(values)?;
            }
        }
        Ok(())
    }

    /// Deletes, as the table does, every row of the stream that the reading has not named.
    fn sweep(&mut self, generation: i64) -> Result<u64, Failure> {
        let StreamKey { table, connection, .. } = &self.stream.key;
        let there = match self.stream.table.deletes {
            DeleteMode::Remove => "",
            DeleteMode::Flag => " AND deleted = 0",
        };
        let query = format!(
            "SELECT key FROM rows WHERE \"table\" = ?1 AND connection = ?2 AND stream IS ?3 AND generation IS NOT ?4{there}"
        );
        let keys: Vec<String> = self
            .transaction
            .prepare(&query)?
            .query_map(params![table, connection, self.stream.table.stream, generation], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for key in &keys {
            let sequence = self.tell(List::Deletes, message::deletion(key, None, Gone::NotFound))?;
            self.note_gone(key, None, sequence)?;
        }
        Ok(keys.len() as u64)
    }

    /// The guard against rows of other streams. A row that was told before streams had names is anybody's.
    fn is_own(&self, noted: &Noted) -> bool {
        noted.stream.is_none() || noted.stream == self.stream.table.stream
    }
}

const SHAPE: &str = "a batch arrived whose columns are not those of the table";

/// What arrives departs from what was agreed on by `prepare`.
fn misfit(reason: &str) -> Failure {
    DestinationError::Other { place: "the webhook".to_owned(), reason: reason.to_owned() }.into()
}

/// The columns of a batch that tell which row it is, and of which version.
struct Keyed<'a> {
    keys: &'a StringArray,
    versions: Option<&'a TimestampMillisecondArray>,
}

impl<'a> Keyed<'a> {
    /// `None`: there are no rows.
    fn of(batch: &'a RecordBatch, table: &TableSchema) -> Result<Option<Self>, Failure> {
        if batch.num_rows() == 0 {
            return Ok(None);
        }
        let cells = columns(batch, table.columns.iter().map(|column| column.kind)).ok_or_else(|| misfit(SHAPE))?;
        let cells::Column::Text(keys) = cells[table.id] else { return Err(misfit(SHAPE)) };
        let versions = match table.version.map(|version| &cells[version]) {
            Some(cells::Column::Timestamp(versions)) => Some(*versions),
            // Any other type has no order that a stamp could be held against.
            Some(_) | None => None,
        };
        Ok(Some(Self { keys, versions }))
    }
}

/// The table as far as a patch fills it.
fn part(table: &TableSchema, patch: &Patch) -> Option<TableSchema> {
    let columns: Option<Vec<Column>> = patch.columns.iter().map(|index| table.columns.get(*index).cloned()).collect();
    let place = |wanted: usize| patch.columns.iter().position(|index| *index == wanted);
    let version = match table.version {
        Some(version) => Some(place(version)?),
        None => None,
    };
    Some(TableSchema { columns: columns?, id: place(table.id)?, version, ..table.clone() })
}

fn version_at(versions: Option<&TimestampMillisecondArray>, row: usize) -> Option<i64> {
    versions.filter(|versions| versions.is_valid(row)).map(|versions| versions.value(row))
}

/// The guard against older versions. A version that is missing on either side decides nothing.
fn is_newer(arriving: Option<i64>, held: Option<i64>) -> bool {
    match (arriving, held) {
        (Some(arriving), Some(held)) => arriving >= held,
        (None, _) | (_, None) => true,
    }
}

/// Half of a SHA-256: rows of one key are told apart by it.
fn digest_of(text: &str) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
    half
}
