//! A stream's rows on their way back, one row group after the other.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, cast::AsArray};
use arrow_schema::{Field, Schema};
use arrow_select::filter::filter_record_batch;
use sync::{
    destination::DestinationError,
    table::{ColumnType, Held, StreamKey, TableSchema},
};

use super::{
    convert::converted,
    data::DataReader,
    manifest::{DataFile, Manifest, Shape},
    shape::{DELETED, STREAM},
    store::Store,
};
use crate::held::{Cell, HeldBuilder};

type Outcome<T> = Result<T, DestinationError>;

/// Rows that are read back. Keeps the file that it is in: a bucket gives whole files.
#[derive(Default)]
pub(super) struct RowReader {
    open: Option<(String, DataReader)>,
}

impl RowReader {
    /// The rows of the first row group that has some of the stream's behind the key `after`; none where there is none.
    pub(super) fn read(
        &mut self,
        store: &Store,
        manifest: &Manifest,
        (stream, table): (&StreamKey, &TableSchema),
        after: Option<&str>,
        columns: &[usize],
    ) -> Outcome<Held> {
        let wanted = Wanted { shape: &manifest.shape, stream, table, after: after.unwrap_or_default(), columns };
        for file in manifest.files_of(&stream.connection).iter().filter(|file| wanted.is_behind(&file.max)) {
            let reader = self.reader(store, file, &manifest.shape)?;
            for group in (0..reader.groups()).filter(|group| wanted.is_behind(&reader.keys(*group).max)) {
                let rows = reader.decode_columns(group, &wanted.names())?;
                let own = filter_record_batch(&rows, &wanted.own(&rows)).expect("a mask is as long as its rows");
                if own.num_rows() > 0 {
                    return Ok(wanted.held(&own));
                }
            }
        }
        self.open = None;
        Ok(HeldBuilder::new(table, columns).finish())
    }

    fn reader(&mut self, store: &Store, file: &DataFile, shape: &Shape) -> Outcome<&DataReader> {
        if self.open.as_ref().is_none_or(|(name, _)| *name != file.name) {
            self.open = None;
            self.open = Some((file.name.clone(), DataReader::open(store, file, shape)?));
        }
        Ok(&self.open.as_ref().expect("it has just been opened").1)
    }
}

/// What is asked for.
struct Wanted<'a> {
    shape: &'a Shape,
    stream: &'a StreamKey,
    table: &'a TableSchema,
    after: &'a str,
    columns: &'a [usize],
}

impl Wanted<'_> {
    fn is_behind(&self, key: &str) -> bool {
        key > self.after
    }

    fn name(&self, index: usize) -> &str {
        &self.table.columns[index].name
    }

    fn names(&self) -> Vec<&str> {
        let own = [self.name(self.table.id), DELETED, STREAM];
        self.columns.iter().map(|index| self.name(*index)).chain(own).collect()
    }

    /// Which rows are the stream's, and behind the key.
    fn own(&self, rows: &RecordBatch) -> BooleanArray {
        let keys: &StringArray = cells(rows, self.name(self.table.id)).as_string();
        let streams = self.shape.stream.then(|| cells(rows, STREAM).as_string::<i32>());
        let is_own = |row: usize| {
            streams.is_none_or(|names| {
                let name = (!names.is_null(row)).then(|| names.value(row));
                name == self.stream.stream.as_deref()
            })
        };
        (0..rows.num_rows()).map(|row| Some(self.is_behind(keys.value(row)) && is_own(row))).collect()
    }

    fn held(&self, rows: &RecordBatch) -> Held {
        let deleted = match self.shape.deleted {
            true => cells(rows, DELETED).as_boolean().clone(),
            false => BooleanArray::from(vec![false; rows.num_rows()]),
        };
        let columns: Vec<(&str, ColumnType, ColumnType)> =
            self.columns.iter().map(|index| (self.name(*index), self.kind(*index), self.held_kind(*index))).collect();
        if columns.iter().any(|(_, kind, held)| kind.data_type() != held.data_type()) {
            return self.narrowed(rows, &deleted, &columns);
        }
        let fields: Vec<Field> =
            columns.iter().map(|(name, kind, _)| Field::new(*name, kind.data_type(), true)).collect();
        let arrays = columns.iter().map(|(name, ..)| cells(rows, name).clone()).collect();
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("the files have these types");
        Held { rows, deleted, spoiled: Vec::new() }
    }

    /// Rows of a table whose columns hold more than this stream's: another one has had them widened.
    fn narrowed(&self, rows: &RecordBatch, deleted: &BooleanArray, columns: &[(&str, ColumnType, ColumnType)]) -> Held {
        let texts: Vec<ArrayRef> =
            columns.iter().map(|(name, _, held)| converted(cells(rows, name), *held, ColumnType::Text)).collect();
        let texts: Vec<&StringArray> = texts.iter().map(|texts| texts.as_string()).collect();
        let mut builder = HeldBuilder::new(self.table, self.columns);
        for row in 0..rows.num_rows() {
            let added = builder.row(deleted.value(row), |column, push| {
                push(match texts[column].is_null(row) {
                    true => Cell::Null,
                    false => Cell::Text(texts[column].value(row).as_bytes()),
                });
                Ok::<(), std::convert::Infallible>(())
            });
            let Ok(()) = added;
        }
        builder.finish()
    }

    fn kind(&self, index: usize) -> ColumnType {
        self.table.columns[index].kind
    }

    /// The type that the files have a column in.
    fn held_kind(&self, index: usize) -> ColumnType {
        let place = self.shape.position(self.name(index)).expect("a table that is prepared has the mapping's columns");
        self.shape.columns[place].kind
    }
}

fn cells<'a>(rows: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    rows.column_by_name(name).expect("the files of a version have its columns")
}
