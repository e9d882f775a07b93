//! Rows of a batch, by statements that were prepared once.

use arrow_array::{Array, StringArray};
use rusqlite::{CachedStatement, Transaction};
use sync::{
    checkpoint::{Checkpoint, Position},
    destination::{DestinationError, Written},
    table::{Deletion, Patch, StreamKey, TableBatch, TableSchema},
};

use super::{
    binding::Cells,
    failure::Failure,
    matcher::Matcher,
    schema::OwnColumns,
    statements::{Statement, Statements},
};
use crate::spelling::write_timestamp;

/// A stream whose table is ready.
pub(super) struct Stream {
    pub(super) key: StreamKey,
    pub(super) table: TableSchema,
    pub(super) own: OwnColumns,
    statements: Statements,
    pub(super) matcher: Option<Matcher>,
}

impl Stream {
    pub(super) fn new(key: StreamKey, table: TableSchema, own: OwnColumns, matcher: Option<Matcher>) -> Self {
        let statements = Statements::new(&table, own);
        Self { key, table, own, statements, matcher }
    }

    /// Upserts, patches, deletes, sweeps and matches.
    pub(super) fn write(
        &self,
        transaction: &Transaction<'_>,
        place: &str,
        batch: &TableBatch,
        resume: &Checkpoint,
        buffer: &mut Vec<u8>,
    ) -> Result<Written, Failure> {
        if resume.sweep.is_some() && !self.table.sweeps {
            return Err(misfit(place, "a sweep arrived for a table that was not prepared for it"));
        }
        if batch.upserts.num_rows() > 0 {
            self.upsert(transaction, place, batch, resume.sweep, buffer)?;
        }
        if resume.sweep.is_some() && !batch.named.is_empty() {
            self.mark(transaction, &batch.named, resume.sweep)?;
        }
        if let Some(patch) = batch.patch.as_ref().filter(|patch| patch.rows.num_rows() > 0) {
            self.patch(transaction, place, patch, buffer)?;
        }
        if !batch.deletes.is_empty() {
            self.delete(transaction, &batch.deletes, buffer)?;
        }
        let swept = match resume.sweep.filter(|_| resume.at == Position::Complete) {
            Some(generation) => {
                self.bound(transaction, &self.statements.sweep, Some(generation))?.raw_execute()? as u64
            }
            None => 0,
        };
        let matched = match &self.matcher {
            Some(matcher) => matcher.after(transaction, self, batch, swept > 0, resume.window.until)?,
            None => Written::default(),
        };
        Ok(Written { swept, ..matched })
    }

    /// The statement with what concerns all its rows bound.
    fn bound<'a>(
        &self,
        transaction: &'a Transaction<'_>,
        statement: &Statement,
        generation: Option<i64>,
    ) -> rusqlite::Result<CachedStatement<'a>> {
        let mut prepared = transaction.prepare_cached(&statement.sql)?;
        prepared.raw_bind_parameter(1, &self.key.connection)?;
        if let Some(place) = statement.stream {
            prepared.raw_bind_parameter(place, &self.table.stream)?;
        }
        if let Some(place) = statement.generation {
            prepared.raw_bind_parameter(place, generation)?;
        }
        Ok(prepared)
    }

    pub(super) fn upsert(
        &self,
        transaction: &Transaction<'_>,
        place: &str,
        batch: &TableBatch,
        sweep: Option<i64>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let kinds = self.table.columns.iter().map(|column| column.kind);
        let cells = Cells::new(&batch.upserts, kinds);
        let cells = cells.and_then(|cells| cells.texts(self.table.id).map(|ids| (cells, ids)));
        let (cells, ids) = cells.ok_or_else(|| misfit(place, SHAPE))?;
        let upsert = match (sweep, batch.overrules) {
            (Some(_), _) => &self.statements.upsert_named,
            (None, true) => &self.statements.upsert_anyway,
            (None, false) => &self.statements.upsert,
        };
        let mut statement = self.bound(transaction, upsert, sweep)?;
        let mut mark = sweep.map(|_| self.bound(transaction, &self.statements.mark, sweep)).transpose()?;
        let order = order_by_id(ids);
        for position in 0..ids.len() {
            let row = order.as_ref().map_or(position, |order| order[position]);
            cells.bind(&mut statement, 2, row, buffer)?;
            let changed = statement.raw_execute()?;
            if let Some(mark) = mark.as_mut().filter(|_| changed == 0) {
                mark.raw_bind_parameter(2, ids.value(row))?;
                mark.raw_execute()?;
            }
        }
        Ok(())
    }

    /// Marks rows that the reading has named and leaves as they are.
    fn mark(&self, transaction: &Transaction<'_>, keys: &[String], sweep: Option<i64>) -> rusqlite::Result<()> {
        let mut statement = self.bound(transaction, &self.statements.mark, sweep)?;
        for key in keys {
            statement.raw_bind_parameter(2, key)?;
            statement.raw_execute()?;
        }
        Ok(())
    }

    fn patch(
        &self,
        transaction: &Transaction<'_>,
        place: &str,
        patch: &Patch,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let table = &self.table;
        let columns: Option<Vec<_>> = patch.columns.iter().map(|index| table.columns.get(*index)).collect();
        let is_keyed = [Some(table.id), table.version].iter().flatten().all(|index| patch.columns.contains(index));
        let cells = columns
            .filter(|_| is_keyed)
            .and_then(|columns| Cells::new(&patch.rows, columns.into_iter().map(|column| column.kind)))
            .ok_or_else(|| misfit(place, SHAPE))?;
        let Some(statement) = self.statements.patch(table, &patch.columns) else { return Ok(()) };
        let mut statement = self.bound(transaction, &statement, None)?;
        for row in 0..patch.rows.num_rows() {
            cells.bind(&mut statement, 2, row, buffer)?;
            statement.raw_execute()?;
        }
        Ok(())
    }

    fn delete(
        &self,
        transaction: &Transaction<'_>,
        deletes: &[Deletion],
        buffer: &mut Vec<u8>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.bound(transaction, &self.statements.delete, None)?;
        for deletion in deletes {
            statement.raw_bind_parameter(2, &deletion.id)?;
            if self.table.version.is_some() {
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
}

const SHAPE: &str = "a batch arrived whose columns are not those of the table";

/// What arrives departs from what was agreed on by `prepare`.
fn misfit(place: &str, reason: &str) -> Failure {
    DestinationError::Other { place: place.to_owned(), reason: reason.to_owned() }.into()
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
