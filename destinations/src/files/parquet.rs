//! Parquet files: read by row group, written by row group, and copied as they are where nothing in them changes.
//!
//! A file says in its metadata from which key to which each row group goes, exactly; statistics may be cut.

use std::collections::HashSet;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader as _, StringArray, cast::AsArray};
use arrow_schema::SchemaRef;
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

use super::{
    data::{Keys, Outcome, Source},
    failure::{damaged, file_fault, write_fault},
    shape::{CONNECTION, DELETED, GENERATION, STREAM},
    store::{Chunks, Output},
};

/// Where a file says which keys its row groups have.
const KEYS: &str = "orgtide.keys";
/// Of so many values, spread over the batch, it is looked whether they repeat.
const SAMPLE: usize = 512;

/// A file that is there.
pub(super) struct ParquetReader {
    place: String,
    name: String,
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
    /// One for each row group.
    pub(super) keys: Vec<Keys>,
}

impl ParquetReader {
    pub(super) fn open(place: &str, name: &str, chunks: Chunks) -> Outcome<Self> {
        let metadata =
            ArrowReaderMetadata::load(&chunks, Default::default()).map_err(|error| file_fault(place, name, error))?;
        let pairs = metadata.metadata().file_metadata().key_value_metadata();
        let text = pairs.into_iter().flatten().find(|pair| pair.key == KEYS).and_then(|pair| pair.value.clone());
        let keys: Vec<Keys> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        if keys.len() != metadata.metadata().num_row_groups() {
            return Err(damaged(place, name, "it is not the file that was written there"));
        }
        Ok(Self { place: place.to_owned(), name: name.to_owned(), chunks, metadata, keys })
    }

    fn group(&self, group: usize) -> &RowGroupMetaData {
        self.metadata.metadata().row_group(group)
    }

    pub(super) fn rows(&self, group: usize) -> usize {
        usize::try_from(self.group(group).num_rows()).unwrap_or_default()
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
        let rows = self.rows(group);
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

/// A file that is being written.
pub(super) struct ParquetFile {
    writer: SerializedFileWriter<Output>,
    factory: ArrowRowGroupWriterFactory,
    groups: usize,
}

impl ParquetFile {
    /// `first` is a part of what is going to be written.
    pub(super) fn begin(place: &str, output: Output, schema: &SchemaRef, first: Option<&RecordBatch>) -> Outcome<Self> {
        let properties = properties(schema, first);
        let writer = ArrowWriter::try_new(output, schema.clone(), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|error| write_fault(place, error))?;
        let (writer, factory) = writer;
        Ok(Self { writer, factory, groups: 0 })
    }

    /// Writes a row group.
    pub(super) fn write(&mut self, place: &str, schema: &SchemaRef, batches: &[RecordBatch]) -> Outcome<()> {
        let mut write = || -> ParquetResult<()> {
            let writers = self.factory.create_column_writers(self.groups)?;
            let mut out = self.writer.next_row_group()?;
            encode(schema, batches, writers, &mut out)?;
            out.close().map(drop)
        };
        write().map_err(|error| write_fault(place, error))?;
        self.groups += 1;
        Ok(())
    }

    /// Copies a row group: columns byte by byte where they are the same, and those of `made` for the others.
    pub(super) fn copy(
        &mut self,
        place: &str,
        schema: &SchemaRef,
        (reader, group): (&ParquetReader, usize),
        (columns, made): (&[Source], &[Option<ArrayRef>]),
    ) -> Outcome<()> {
        let mut write = || -> ParquetResult<()> {
            let writers = self.factory.create_column_writers(self.groups)?;
            let mut out = self.writer.next_row_group()?;
            for (((source, array), field), mut writer) in columns.iter().zip(made).zip(schema.fields()).zip(writers) {
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
        self.groups += 1;
        Ok(())
    }

    pub(super) fn written(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Ends the file, which has row groups with these keys.
    pub(super) fn finish(mut self, place: &str, keys: &[Keys]) -> Outcome<Output> {
        let keys = serde_json::to_string(keys).expect("keys are texts");
        self.writer.append_key_value_metadata(KeyValue::new(KEYS.to_owned(), keys));
        self.writer.into_inner().map_err(|error| write_fault(place, error))
    }
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
