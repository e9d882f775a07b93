//! Data files: read by row group, written by row group, and copied as they are where nothing in them changes.
//!
//! A file says in its metadata from which key to which each row group goes, exactly; statistics may be cut.

use std::{collections::HashSet, sync::Arc};

use arrow_array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchReader as _, StringArray, cast::AsArray, new_null_array,
};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::concat::concat_batches;
use parquet::{
    arrow::{
        ArrowWriter, ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder},
        arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves},
    },
    basic::{Compression, ZstdLevel},
    column::writer::ColumnCloseResult,
    errors::Result as ParquetResult,
    file::{
        metadata::{KeyValue, RowGroupMetaData},
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::ColumnPath,
};
use serde::{Deserialize, Serialize};
use sync::destination::DestinationError;

use super::{
    convert::converted,
    failure::{DAMAGED, file_fault, missing, write_fault},
    manifest::{DataFile, Shape},
    shape::{CONNECTION, DELETED, GENERATION, STREAM},
    store::{Chunks, Output, Store},
};

/// A row group is written when its values have this many bytes; in the tests beside these files a few rows have.
pub(super) const GROUP_BYTES: usize = if cfg!(test) { 400 } else { 8 << 20 };
/// A file gets no further row group when it has this many bytes.
pub(super) const FILE_BYTES: u64 = if cfg!(test) { 12_000 } else { 32 << 20 };

/// Where a file says which keys its row groups have.
const KEYS: &str = "orgtide.keys";
/// Of so many values, spread over the batch, it is looked whether they repeat.
const SAMPLE: usize = 512;

type Outcome<T> = Result<T, DestinationError>;

/// The keys of a row group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keys {
    pub(super) min: String,
    pub(super) max: String,
}

/// A file that is there.
pub(super) struct DataReader {
    place: String,
    name: String,
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
    /// One for each row group.
    pub(super) keys: Vec<Keys>,
}

impl DataReader {
    pub(super) fn open(store: &Store, file: &DataFile) -> Outcome<Self> {
        let place = store.place().to_owned();
        let chunks = store.open(&file.name)?.ok_or_else(|| missing(&place, &file.name))?;
        let metadata = ArrowReaderMetadata::load(&chunks, Default::default())
            .map_err(|error| file_fault(&place, &file.name, error))?;
        let pairs = metadata.metadata().file_metadata().key_value_metadata();
        let text = pairs.into_iter().flatten().find(|pair| pair.key == KEYS).and_then(|pair| pair.value.clone());
        let keys: Vec<Keys> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        if keys.len() != metadata.metadata().num_row_groups() {
            let reason = format!("data/{} is not the file that was written there; {DAMAGED}", file.name);
            return Err(DestinationError::Unusable { place, reason });
        }
        Ok(Self { place, name: file.name.clone(), chunks, metadata, keys })
    }

    fn group(&self, group: usize) -> &RowGroupMetaData {
        self.metadata.metadata().row_group(group)
    }

    /// How many bytes the values of a row group have.
    pub(super) fn bytes(&self, group: usize) -> usize {
        usize::try_from(self.group(group).total_byte_size()).unwrap_or_default()
    }

    /// A row group, whole.
    pub(super) fn decode(&self, group: usize) -> Outcome<RecordBatch> {
        self.decode_masked(group, ProjectionMask::all())
    }

    /// These columns of a row group, as far as there are such.
    pub(super) fn decode_columns(&self, group: usize, names: &[&str]) -> Outcome<RecordBatch> {
        let schema = self.metadata.metadata().file_metadata().schema_descr();
        let named = schema.columns().iter().enumerate().filter(|(_, column)| names.contains(&column.name()));
        let leaves: Vec<usize> = named.map(|(index, _)| index).collect();
        self.decode_masked(group, ProjectionMask::leaves(schema, leaves))
    }

    fn decode_masked(&self, group: usize, mask: ProjectionMask) -> Outcome<RecordBatch> {
        let rows = usize::try_from(self.group(group).num_rows()).unwrap_or_default();
        let decode = || -> ParquetResult<RecordBatch> {
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(self.chunks.clone(), self.metadata.clone());
            let reader =
                builder.with_row_groups(vec![group]).with_batch_size(rows.max(1)).with_projection(mask).build()?;
            let schema = reader.schema();
            let batches = reader.collect::<Result<Vec<_>, _>>()?;
            match batches.len() {
                1 => Ok(batches.into_iter().next().expect("there is one")),
                _ => Ok(concat_batches(&schema, &batches)?),
            }
        };
        decode().map_err(|error| file_fault(&self.place, &self.name, error))
    }

    fn close_result(&self, group: usize, column: usize) -> ColumnCloseResult {
        let group = self.group(group);
        let metadata = group.column(column).clone();
        ColumnCloseResult {
            bytes_written: u64::try_from(metadata.compressed_size()).unwrap_or_default(),
            rows_written: u64::try_from(group.num_rows()).unwrap_or_default(),
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        }
    }
}

/// Files that are being written, one after the other, in the order of the keys.
pub(super) struct DataWriter<'a> {
    store: &'a Store,
    connection: &'a str,
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
    writer: SerializedFileWriter<Output>,
    factory: ArrowRowGroupWriterFactory,
    groups: usize,
    rows: u64,
    keys: Vec<Keys>,
}

impl<'a> DataWriter<'a> {
    /// `key` is the name of the column that rows are in the order of.
    pub(super) fn new(
        store: &'a Store,
        connection: &'a str,
        schema: &SchemaRef,
        key: &str,
        name: &'a dyn Fn() -> String,
    ) -> Self {
        let key = schema.index_of(key).expect("a table has its key");
        let (pending, made) = (Vec::new(), Vec::new());
        Self { store, connection, schema: schema.clone(), key, name, pending, pending_bytes: 0, open: None, made }
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
        let place = self.store.place();
        let made: Vec<Option<ArrayRef>> = columns
            .iter()
            .zip(self.schema.fields())
            .map(|(source, field)| match source {
                Source::Same(_) => Ok(None),
                Source::Narrower { name, from, to } => {
                    let held = reader.decode_columns(group, &[name.as_str()])?;
                    Ok(Some(converted(held.column(0), *from, *to)))
                }
                Source::Missing => {
                    let rows = usize::try_from(reader.group(group).num_rows()).unwrap_or_default();
                    Ok(Some(absent(field.data_type(), field.is_nullable(), rows)))
                }
            })
            .collect::<Outcome<_>>()?;
        let schema = self.schema.clone();
        let open = self.open_file(None)?;
        let mut write = || -> ParquetResult<()> {
            let writers = open.factory.create_column_writers(open.groups)?;
            let mut out = open.writer.next_row_group()?;
            for (((source, array), field), mut writer) in columns.iter().zip(&made).zip(schema.fields()).zip(writers) {
                match (source, array) {
                    (Source::Same(column), _) => {
                        out.append_column(&reader.chunks, reader.close_result(group, *column))?;
                    }
                    (_, Some(array)) => {
                        for leaf in compute_leaves(field, array)? {
                            writer.write(&leaf)?;
                        }
                        writer.close()?.append_to_row_group(&mut out)?;
                    }
                    (_, None) => {}
                }
            }
            out.close().map(drop)
        };
        write().map_err(|error| write_fault(place, error))?;
        let rows = u64::try_from(reader.group(group).num_rows()).unwrap_or_default();
        let keys = reader.keys[group].clone();
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
        let open = self.open_file(Some(first))?;
        let mut write = || -> ParquetResult<()> {
            let writers = open.factory.create_column_writers(open.groups)?;
            let mut out = open.writer.next_row_group()?;
            encode(&schema, &batches, writers, &mut out)?;
            out.close().map(drop)
        };
        write().map_err(|error| write_fault(place, error))?;
        self.wrote(keys, rows)
    }

    fn wrote(&mut self, keys: Keys, rows: u64) -> Outcome<()> {
        let open = self.open.as_mut().expect("a row group is in a file");
        open.groups += 1;
        open.rows += rows;
        open.keys.push(keys);
        if open.writer.bytes_written() as u64 >= FILE_BYTES { self.close() } else { Ok(()) }
    }

    fn open_file(&mut self, first: Option<&RecordBatch>) -> Outcome<&mut OpenFile> {
        if self.open.is_none() {
            let name = (self.name)();
            let output = self.store.begin(&name)?;
            let properties = properties(&self.schema, first);
            let writer = ArrowWriter::try_new(output, self.schema.clone(), Some(properties))
                .and_then(ArrowWriter::into_serialized_writer)
                .map_err(|error| write_fault(self.store.place(), error))?;
            let (writer, factory) = writer;
            self.open = Some(OpenFile { name, writer, factory, groups: 0, rows: 0, keys: Vec::new() });
        }
        Ok(self.open.as_mut().expect("it has just been opened"))
    }

    fn close(&mut self) -> Outcome<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let keys = serde_json::to_string(&open.keys).expect("keys are texts");
        open.writer.append_key_value_metadata(KeyValue::new(KEYS.to_owned(), keys));
        let output = open.writer.into_inner().map_err(|error| write_fault(self.store.place(), error))?;
        let bytes = output.written();
        output.finish()?;
        let (Some(first), Some(last)) = (open.keys.first(), open.keys.last()) else { return Ok(()) };
        self.made.push(DataFile {
            name: open.name,
            connection: self.connection.to_owned(),
            rows: open.rows,
            bytes,
            min: first.min.clone(),
            max: last.max.clone(),
        });
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

/// One column after the other, so that one of them is in memory twice.
fn encode<W: std::io::Write + Send>(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    writers: Vec<parquet::arrow::arrow_writer::ArrowColumnWriter>,
    out: &mut SerializedRowGroupWriter<'_, W>,
) -> ParquetResult<()> {
    for (index, mut writer) in writers.into_iter().enumerate() {
        for batch in batches {
            for leaf in compute_leaves(schema.field(index), batch.column(index))? {
                writer.write(&leaf)?;
            }
        }
        writer.close()?.append_to_row_group(out)?;
    }
    Ok(())
}

/// A column of nothing: nulls, or `false` where there are none.
fn absent(kind: &DataType, is_nullable: bool, rows: usize) -> ArrayRef {
    match is_nullable {
        true => new_null_array(kind, rows),
        false => Arc::new(BooleanArray::from(vec![false; rows])),
    }
}

/// Zstandard at its fastest level, and dictionaries where the values of a text repeat.
fn properties(schema: &SchemaRef, first: Option<&RecordBatch>) -> WriterProperties {
    let level = ZstdLevel::try_new(1).expect("zstd has a level 1");
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("orgtide ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for (index, field) in schema.fields().iter().enumerate() {
        let is_ours = [CONNECTION, STREAM, DELETED, GENERATION].contains(&field.name().as_str());
        let repeats = || first.and_then(|batch| batch.column(index).as_string_opt::<i32>()).is_some_and(repeats);
        if is_ours || repeats() {
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties.set_column_dictionary_enabled(path, true);
        }
    }
    properties.build()
}

/// Whether a few values make up most of a column.
fn repeats(texts: &StringArray) -> bool {
    let step = (texts.len() / SAMPLE).max(1);
    let sample: Vec<usize> = (0..texts.len()).step_by(step).filter(|row| !texts.is_null(*row)).collect();
    let distinct: HashSet<&str> = sample.iter().map(|row| texts.value(*row)).collect();
    distinct.len() * 4 <= sample.len()
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
