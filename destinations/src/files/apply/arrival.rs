//! What one write brings, in the columns and types of the table that it is for.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    cast::AsArray, new_null_array,
};
use arrow_schema::SchemaRef;
use sync::{
    checkpoint::{Checkpoint, Position},
    table::{ColumnType, DeleteMode, Deletion, Patch, StreamKey, TableBatch, TableSchema},
};

use super::version::Version;
use crate::{
    files::{convert::converted, manifest::Shape},
    spelling::MILLIS_PER_DAY,
};

/// What happens to a row, in the order in which it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Op {
    Upsert,
    Named,
    Patch,
    Delete,
}

/// One thing that happens to one row.
#[derive(Debug, Clone, Copy)]
pub(in crate::files) struct Event {
    pub(super) op: Op,
    /// Its place among its kind.
    pub(super) row: usize,
}

/// What happens to all rows of a stream at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::files) enum Ending {
    /// Those that this reading has not named are deleted.
    Sweep(i64),
    /// They are removed.
    Everything,
}

/// One write.
pub(in crate::files) struct Change {
    pub(in crate::files) connection: String,
    pub(in crate::files) shape: Shape,
    pub(in crate::files) schema: SchemaRef,
    pub(in crate::files) ending: Option<Ending>,
    /// In the order of their keys.
    pub(in crate::files) events: Vec<Event>,
    pub(super) stream: Option<String>,
    /// Places among the mapped columns.
    pub(super) key: usize,
    pub(super) version: Option<usize>,
    pub(super) removes: bool,
    pub(super) sweep: Option<i64>,
    /// Upserts replace newer rows as well.
    pub(super) overrules: bool,
    /// By column of the shape; `None`: the mapping has no such column.
    pub(super) upserts: Vec<Option<ArrayRef>>,
    pub(super) deletion_versions: Option<ArrayRef>,
    upsert_keys: StringArray,
    named: Vec<String>,
    patch: Option<PatchRows>,
    deletes: Vec<Deletion>,
}

struct PatchRows {
    keys: StringArray,
    version: Option<ArrayRef>,
    /// By column of the shape; `None`: it is not filled.
    columns: Vec<Option<ArrayRef>>,
}

impl Change {
    /// `None`: what arrives has other columns than the table.
    pub(in crate::files) fn new(
        shape: &Shape,
        key: &StreamKey,
        table: &TableSchema,
        batch: &TableBatch,
        resume: &Checkpoint,
    ) -> Option<Self> {
        let upserts = columns_of(shape, table, &(0..table.columns.len()).collect::<Vec<_>>(), &batch.upserts)?;
        let patch = match batch.patch.as_ref().filter(|patch| patch.rows.num_rows() > 0) {
            Some(patch) => Some(PatchRows::new(shape, table, patch)?),
            None => None,
        };
        let id = shape.position(&table.columns[table.id].name)?;
        let version = match table.version {
            Some(version) => Some(shape.position(&table.columns[version].name)?),
            None => None,
        };
        let deletion_versions = version.map(|version| versions(&batch.deletes, shape.columns[version].kind));
        let mut change = Self {
            upsert_keys: upserts[id].as_ref()?.as_string_opt::<i32>()?.clone(),
            ending: resume.sweep.filter(|_| resume.at == Position::Complete).map(Ending::Sweep),
            sweep: resume.sweep,
            removes: table.deletes == DeleteMode::Remove,
            overrules: batch.overrules,
            named: if resume.sweep.is_some() { batch.named.clone() } else { Vec::new() },
            deletes: batch.deletes.clone(),
            key: id,
            version,
            upserts,
            deletion_versions,
            patch,
            ..Self::nothing(shape, key)
        };
        change.set_in_order();
        Some(change)
    }

    /// The removal of a stream's rows.
    pub(in crate::files) fn removal(shape: &Shape, key: &StreamKey, id: &str) -> Option<Self> {
        let id = shape.position(id)?;
        Some(Self { key: id, ending: Some(Ending::Everything), removes: true, ..Self::nothing(shape, key) })
    }

    fn nothing(shape: &Shape, key: &StreamKey) -> Self {
        Self {
            connection: key.connection.clone(),
            shape: shape.clone(),
            schema: shape.schema(),
            ending: None,
            events: Vec::new(),
            stream: key.stream.clone(),
            key: 0,
            version: None,
            removes: false,
            sweep: None,
            overrules: false,
            upserts: vec![None; shape.columns.len()],
            deletion_versions: None,
            upsert_keys: StringArray::from(Vec::<&str>::new()),
            named: Vec::new(),
            patch: None,
            deletes: Vec::new(),
        }
    }

    /// Rows of one key keep the order in which they arrived.
    fn set_in_order(&mut self) {
        let all = |op: Op, rows: usize| (0..rows).map(move |row| Event { op, row });
        let patched = self.patch.as_ref().map_or(0, |patch| patch.keys.len());
        let mut events: Vec<Event> = all(Op::Upsert, self.upsert_keys.len())
            .chain(all(Op::Named, self.named.len()))
            .chain(all(Op::Patch, patched))
            .chain(all(Op::Delete, self.deletes.len()))
            .collect();
        let is_sorted = events.is_sorted_by(|one, other| self.key_of(one) <= self.key_of(other));
        if !is_sorted {
            events.sort_by(|one, other| (self.key_of(one), one.op).cmp(&(self.key_of(other), other.op)));
        }
        self.events = events;
    }

    /// The key of the row that something happens to.
    pub(in crate::files) fn key_of(&self, event: &Event) -> &str {
        match (event.op, &self.patch) {
            (Op::Named, _) => &self.named[event.row],
            (Op::Delete, _) => &self.deletes[event.row].id,
            (Op::Patch, Some(patch)) => patch.keys.value(event.row),
            (Op::Upsert | Op::Patch, _) => self.upsert_keys.value(event.row),
        }
    }

    /// Whether rows come to be by these where there are none.
    pub(in crate::files) fn inserts(&self, events: &[Event]) -> bool {
        events.iter().any(|event| event.op == Op::Upsert)
    }

    /// The rows of upserts that follow each other, each of another key, without a copy.
    pub(super) fn as_they_arrive(&self, events: &[Event]) -> Option<RecordBatch> {
        let first = events.first()?.row;
        let are_neighbours =
            events.iter().enumerate().all(|(place, event)| event.op == Op::Upsert && event.row == first + place);
        if !are_neighbours {
            return None;
        }
        let rows = events.len();
        let differ = (first + 1..first + rows).all(|row| self.upsert_keys.value(row - 1) < self.upsert_keys.value(row));
        if !differ {
            return None;
        }
        let mut columns = vec![self.connection_column(rows)];
        for (array, column) in self.upserts.iter().zip(&self.shape.columns) {
            columns.push(match array {
                Some(array) => array.slice(first, rows),
                None => new_null_array(&column.kind.data_type(), rows),
            });
        }
        if self.shape.deleted {
            columns.push(Arc::new(BooleanArray::from(vec![false; rows])));
        }
        if self.shape.stream {
            columns.push(Arc::new(StringArray::from_iter((0..rows).map(|_| self.stream.as_deref()))));
        }
        if self.shape.generation {
            columns.push(Arc::new(Int64Array::from_iter((0..rows).map(|_| self.sweep))));
        }
        Some(RecordBatch::try_new(self.schema.clone(), columns).expect("the columns are the schema's"))
    }

    pub(super) fn connection_column(&self, rows: usize) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&self.connection, rows)))
    }

    pub(super) fn upsert_version(&self, row: usize) -> Option<Version<'_>> {
        Version::at(self.upserts[self.version?].as_ref()?, row)
    }

    pub(super) fn patch_version(&self, row: usize) -> Option<Version<'_>> {
        Version::at(self.patch.as_ref()?.version.as_ref()?, row)
    }

    pub(super) fn deletion_version(&self, row: usize) -> Option<Version<'_>> {
        Version::at(self.deletion_versions.as_ref()?, row)
    }

    /// What a column is filled with.
    pub(super) fn patched(&self, column: usize) -> Option<&ArrayRef> {
        self.patch.as_ref()?.columns[column].as_ref()
    }
}

impl PatchRows {
    fn new(shape: &Shape, table: &TableSchema, patch: &Patch) -> Option<Self> {
        let is_keyed = [Some(table.id), table.version].iter().flatten().all(|index| patch.columns.contains(index));
        if !is_keyed {
            return None;
        }
        let mut columns = columns_of(shape, table, &patch.columns, &patch.rows)?;
        let mut take = |index: usize| columns[shape.position(&table.columns[index].name)?].take();
        let keys = take(table.id)?.as_string_opt::<i32>()?.clone();
        let version = table.version.and_then(&mut take);
        Some(Self { keys, version, columns })
    }
}

/// The columns of a batch, by column of the shape and in its types; `None`: they are not what `indexes` of the table's
/// columns say.
fn columns_of(
    shape: &Shape,
    table: &TableSchema,
    indexes: &[usize],
    batch: &RecordBatch,
) -> Option<Vec<Option<ArrayRef>>> {
    if batch.num_columns() != indexes.len() {
        return None;
    }
    let mut columns = vec![None; shape.columns.len()];
    for (index, array) in indexes.iter().zip(batch.columns()) {
        let column = table.columns.get(*index)?;
        let place = shape.position(&column.name)?;
        if array.data_type() != &column.kind.data_type() {
            return None;
        }
        columns[place] = Some(converted(array, column.kind, shape.columns[place].kind));
    }
    Some(columns)
}

/// The versions of deletions, in the type of the table's column.
fn versions(deletes: &[Deletion], kind: ColumnType) -> ArrayRef {
    let stamps = deletes.iter().map(|deletion| deletion.version.map(|version| version.0));
    if kind == ColumnType::Date {
        let day = |stamp: i64| i32::try_from(stamp.div_euclid(MILLIS_PER_DAY)).unwrap_or(i32::MAX);
        return Arc::new(stamps.map(|stamp| stamp.map(day)).collect::<Date32Array>());
    }
    let moments: ArrayRef = Arc::new(stamps.collect::<TimestampMillisecondArray>().with_timezone("UTC"));
    converted(&moments, ColumnType::Timestamp, kind)
}
