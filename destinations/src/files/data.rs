//! Data files, whatever their format: read by row group, written by row group, and copied as they are where nothing in them
//! changes.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, cast::AsArray, new_null_array};
use arrow_schema::{DataType, SchemaRef};
use serde::{Deserialize, Serialize};
use sync::destination::DestinationError;

use super::{
    convert::converted,
    failure::missing,
    format::FileFormat,
    manifest::{DataFile, Shape},
    parquet::{ParquetFile, ParquetReader},
    store::{Output, Store},
    text::{TextFile, TextReader},
};

/// A row group is written when its values have this many bytes; in the tests beside these files a few rows have.
pub(super) const GROUP_BYTES: usize = if cfg!(test) { 400 } else { 8 << 20 };
/// A file gets no further row group when it has this many bytes.
pub(super) const FILE_BYTES: u64 = if cfg!(test) { 12_000 } else { 32 << 20 };

pub(super) type Outcome<T> = Result<T, DestinationError>;

/// The keys of a row group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keys {
    pub(super) min: String,
    pub(super) max: String,
}

/// A row group of a file that does not say itself where its row groups are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TextGroup {
    /// Where it begins in the file, and how long it is there.
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) rows: u64,
    /// How many bytes its values have.
    pub(super) bytes: u64,
    pub(super) keys: Keys,
}

/// A file that is there.
pub(super) enum DataReader {
    Parquet(ParquetReader),
    Text(TextReader),
}

impl DataReader {
    /// Opens a file of a version that has this shape.
    pub(super) fn open(store: &Store, file: &DataFile, shape: &Shape) -> Outcome<Self> {
        let place = store.place();
        let chunks = store.open(&file.name)?.ok_or_else(|| missing(place, &file.name))?;
        match FileFormat::of_file(&file.name) {
            FileFormat::Parquet => ParquetReader::open(place, &file.name, chunks).map(Self::Parquet),
            format => TextReader::open(place, file, shape, format, chunks).map(Self::Text),
        }
    }

    /// How many row groups.
    pub(super) fn groups(&self) -> usize {
        match self {
            Self::Parquet(reader) => reader.keys.len(),
            Self::Text(reader) => reader.groups.len(),
        }
    }

    /// The keys of a row group.
    pub(super) fn keys(&self, group: usize) -> &Keys {
        match self {
            Self::Parquet(reader) => &reader.keys[group],
            Self::Text(reader) => &reader.groups[group].keys,
        }
    }

    fn rows(&self, group: usize) -> usize {
        match self {
            Self::Parquet(reader) => reader.rows(group),
            Self::Text(reader) => reader.rows(group),
        }
    }

    /// How many bytes the values of a row group have.
    pub(super) fn bytes(&self, group: usize) -> usize {
        match self {
            Self::Parquet(reader) => reader.bytes(group),
            Self::Text(reader) => usize::try_from(reader.groups[group].bytes).unwrap_or(usize::MAX),
        }
    }

    /// A row group, whole.
    pub(super) fn decode(&self, group: usize) -> Outcome<RecordBatch> {
        match self {
            Self::Parquet(reader) => reader.decode(group),
            Self::Text(reader) => reader.decode(group, None),
        }
    }

    /// These columns of a row group, as far as there are such.
    pub(super) fn decode_columns(&self, group: usize, names: &[&str]) -> Outcome<RecordBatch> {
        match self {
            Self::Parquet(reader) => reader.decode_columns(group, names),
            Self::Text(reader) => reader.decode(group, Some(names)),
        }
    }
}

/// Files that are being written, one after the other, in the order of the keys.
pub(super) struct DataWriter<'a> {
    store: &'a Store,
    connection: &'a str,
    shape: Shape,
    schema: SchemaRef,
    key: usize,
    /// Makes the name of a file.
    name: &'a dyn Fn() -> String,
    pending: Vec<RecordBatch>,
    pending_bytes: usize,
    open: Option<OpenFile>,
    made: Vec<DataFile>,
}

struct OpenFile {
    name: String,
    file: Encoder,
    rows: u64,
    groups: Vec<Keys>,
}

enum Encoder {
    Parquet(ParquetFile),
    Text(TextFile),
}

impl<'a> DataWriter<'a> {
    /// `key` is the name of the column that rows are in the order of.
    pub(super) fn new(
        store: &'a Store,
        connection: &'a str,
        shape: &Shape,
        key: &str,
        name: &'a dyn Fn() -> String,
    ) -> Self {
        let schema = shape.schema();
        let key = schema.index_of(key).expect("a table has its key");
        let (pending, made) = (Vec::new(), Vec::new());
        Self { store, connection, shape: shape.clone(), schema, key, name, pending, pending_bytes: 0, open: None, made }
    }

    /// Rows that follow those before.
    pub(super) fn push(&mut self, rows: RecordBatch) -> Outcome<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let bytes = batch_bytes(&rows);
        if self.pending_bytes > 0 && self.pending_bytes + bytes > GROUP_BYTES * 3 / 2 {
            self.flush()?;
        }
        self.pending_bytes += bytes;
        self.pending.push(rows);
        if self.pending_bytes >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    /// A row group of a file with the same columns, as it is.
    pub(super) fn copy(&mut self, reader: &DataReader, group: usize) -> Outcome<()> {
        let columns = (0..self.schema.fields().len()).map(Source::Same).collect::<Vec<_>>();
        self.copy_widened(reader, group, &columns)
    }

    /// A row group of a file whose columns stand in other places, have narrower types, or are not there.
    pub(super) fn copy_widened(&mut self, reader: &DataReader, group: usize, columns: &[Source]) -> Outcome<()> {
        self.flush()?;
        let (place, schema) = (self.store.place(), self.schema.clone());
        let is_same =
            columns.iter().enumerate().all(|(index, column)| matches!(column, Source::Same(at) if *at == index));
        let file = &mut self.open_file(None)?.file;
        match (reader, file) {
            (DataReader::Parquet(from), Encoder::Parquet(file)) => {
                let made = made_columns(reader, group, columns, &schema)?;
                file.copy(place, &schema, (from, group), (columns, &made))?;
            }
            (DataReader::Text(from), Encoder::Text(file)) if is_same => file.copy(place, from, group)?,
            (_, Encoder::Text(file)) => file.write(place, &[widened(reader, group, columns, &schema)?])?,
            (_, Encoder::Parquet(file)) => file.write(place, &schema, &[widened(reader, group, columns, &schema)?])?,
        }
        let rows = reader.rows(group) as u64;
        let keys = reader.keys(group).clone();
        self.wrote(keys, rows)
    }

    /// The files, whole and there.
    pub(super) fn finish(mut self) -> Outcome<Vec<DataFile>> {
        self.flush()?;
        self.close()?;
        Ok(self.made)
    }

    fn flush(&mut self) -> Outcome<()> {
        let batches = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else { return Ok(()) };
        let key_at = |batch: &RecordBatch, row: usize| batch.column(self.key).as_string::<i32>().value(row).to_owned();
        let keys = Keys { min: key_at(first, 0), max: key_at(last, last.num_rows() - 1) };
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let (schema, place) = (self.schema.clone(), self.store.place());
        match &mut self.open_file(Some(first))?.file {
            Encoder::Parquet(file) => file.write(place, &schema, &batches)?,
            Encoder::Text(file) => file.write(place, &batches)?,
        }
        self.wrote(keys, rows)
    }

    fn wrote(&mut self, keys: Keys, rows: u64) -> Outcome<()> {
        let open = self.open.as_mut().expect("a row group is in a file");
        open.rows += rows;
        open.groups.push(keys);
        let written = match &open.file {
            Encoder::Parquet(file) => file.written(),
            Encoder::Text(file) => file.written(),
        };
        if written >= FILE_BYTES { self.close() } else { Ok(()) }
    }

    fn open_file(&mut self, first: Option<&RecordBatch>) -> Outcome<&mut OpenFile> {
        if self.open.is_none() {
            let name = (self.name)();
            let (place, output) = (self.store.place(), self.store.begin(&name)?);
            let file = match FileFormat::of_file(&name) {
                FileFormat::Parquet => Encoder::Parquet(ParquetFile::begin(place, output, &self.schema, first)?),
                format => Encoder::Text(TextFile::begin(place, output, &self.shape, format)?),
            };
            self.open = Some(OpenFile { name, file, rows: 0, groups: Vec::new() });
        }
        Ok(self.open.as_mut().expect("it has just been opened"))
    }

    fn close(&mut self) -> Outcome<()> {
        let Some(OpenFile { name, file, rows, groups: keys }) = self.open.take() else { return Ok(()) };
        let (output, groups): (Output, Vec<TextGroup>) = match file {
            Encoder::Parquet(file) => (file.finish(self.store.place(), &keys)?, Vec::new()),
            Encoder::Text(file) => file.finish(&keys),
        };
        let bytes = output.written();
        output.finish()?;
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Ok(()) };
        let (min, max) = (first.min.clone(), last.max.clone());
        self.made.push(DataFile { name, connection: self.connection.to_owned(), rows, bytes, min, max, groups });
        Ok(())
    }
}

/// Where a column of a file comes from when another one is copied.
pub(super) enum Source {
    /// It is this one, byte by byte.
    Same(usize),
    Narrower {
        name: String,
        from: sync::table::ColumnType,
        to: sync::table::ColumnType,
    },
    /// It is empty.
    Missing,
}

/// Where the columns of `to` come from in a file that has those of `from`.
pub(super) fn sources(from: &Shape, to: &Shape) -> Vec<Source> {
    let (held, wanted) = (from.schema(), to.schema());
    let source = |name: &String| {
        let Ok(place) = held.index_of(name) else { return Source::Missing };
        match (from.position(name), to.position(name)) {
            (Some(one), Some(other)) if from.columns[one].kind.data_type() != to.columns[other].kind.data_type() => {
                let (from, to) = (from.columns[one].kind, to.columns[other].kind);
                Source::Narrower { name: name.clone(), from, to }
            }
            _ => Source::Same(place),
        }
    };
    wanted.fields().iter().map(|field| source(field.name())).collect()
}

/// The columns that are not copied as they are.
fn made_columns(
    reader: &DataReader,
    group: usize,
    columns: &[Source],
    schema: &SchemaRef,
) -> Outcome<Vec<Option<ArrayRef>>> {
    let made = columns.iter().zip(schema.fields()).map(|(source, field)| match source {
        Source::Same(_) => Ok(None),
        Source::Narrower { name, from, to } => {
            let held = reader.decode_columns(group, &[name.as_str()])?;
            Ok(Some(converted(held.column(0), *from, *to)))
        }
        Source::Missing => Ok(Some(absent(field.data_type(), field.is_nullable(), reader.rows(group)))),
    });
    made.collect()
}

/// A row group with the columns that the table has now.
fn widened(reader: &DataReader, group: usize, columns: &[Source], schema: &SchemaRef) -> Outcome<RecordBatch> {
    let held = reader.decode(group)?;
    let made = made_columns(reader, group, columns, schema)?;
    let arrays = columns.iter().zip(made).map(|(source, made)| match (source, made) {
        (Source::Same(column), _) => held.column(*column).clone(),
        (_, made) => made.expect("what is not the same is made"),
    });
    Ok(RecordBatch::try_new(schema.clone(), arrays.collect()).expect("the columns are the schema's"))
}

/// A column of nothing: nulls, or `false` where there are none.
fn absent(kind: &DataType, is_nullable: bool, rows: usize) -> ArrayRef {
    match is_nullable {
        true => new_null_array(kind, rows),
        false => Arc::new(BooleanArray::from(vec![false; rows])),
    }
}

/// How many bytes the values of a batch have, whatever it shares its memory with.
pub(super) fn batch_bytes(batch: &RecordBatch) -> usize {
    let column = |array: &ArrayRef| match array.as_string_opt::<i32>() {
        Some(texts) => {
            let offsets = texts.value_offsets();
            let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
            usize::try_from(last - first).unwrap_or_default() + 4 * texts.len()
        }
        None => array.data_type().primitive_width().unwrap_or(1) * array.len(),
    };
    batch.columns().iter().map(column).sum()
}
