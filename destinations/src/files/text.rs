//! Files of text, CSV or JSON Lines: blocks of lines, of which the manifest says where each begins and which keys it has.
//!
//! A file that is packed has each block as a member of its own, so that one can be read, or copied, without the others.

mod csv;
mod jsonl;

use std::io::{Read as _, Write as _};

use arrow_array::RecordBatch;
use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use parquet::file::reader::{ChunkReader as _, Length as _};
use sync::{
    cells::{self, Column},
    table::ColumnType,
};

use super::{
    data::{Keys, Outcome, TextGroup, batch_bytes},
    failure::{damaged, file_fault, io_fault},
    format::{FileFormat, Packing},
    manifest::{DataFile, Shape},
    store::{Chunks, Output},
};
use crate::{
    held::{Cell, HeldBuilder},
    spelling::{write_date, write_decimal, write_time, write_timestamp},
};

/// A file that is there.
pub(super) struct TextReader {
    place: String,
    name: String,
    chunks: Chunks,
    format: FileFormat,
    shape: Shape,
    pub(super) groups: Vec<TextGroup>,
}

impl TextReader {
    pub(super) fn open(
        place: &str,
        file: &DataFile,
        shape: &Shape,
        format: FileFormat,
        chunks: Chunks,
    ) -> Outcome<Self> {
        let (place, name, groups) = (place.to_owned(), file.name.clone(), file.groups.clone());
        if chunks.len() != file.bytes || groups.is_empty() {
            return Err(damaged(&place, &name, "it has another length than it was written with"));
        }
        Ok(Self { place, name, chunks, format, shape: shape.clone(), groups })
    }

    pub(super) fn rows(&self, group: usize) -> usize {
        usize::try_from(self.groups[group].rows).unwrap_or_default()
    }

    /// The rows of a block: all their columns, or those of these names as far as there are such.
    pub(super) fn decode(&self, group: usize, names: Option<&[&str]>) -> Outcome<RecordBatch> {
        let text = self.text(group)?;
        let columns = self.shape.own_columns();
        let is_wanted = |name: &str| names.is_none_or(|names| names.contains(&name));
        let wanted: Vec<usize> = (0..columns.len()).filter(|index| is_wanted(columns[*index].0)).collect();
        let mut builder = HeldBuilder::of(wanted.iter().map(|index| columns[*index]));
        let lines = self.lines(&text, &columns, &wanted, &mut builder);
        let rows = lines.map(|()| builder.finish()).filter(|held| held.spoiled.is_empty());
        let rows = rows.map(|held| held.rows).filter(|rows| rows.num_rows() == self.rows(group));
        let schema = self.shape.schema().project(&wanted).expect("the columns are the shape's");
        let typed = rows.and_then(|rows| RecordBatch::try_new(schema.into(), rows.columns().to_vec()).ok());
        typed.ok_or_else(|| damaged(&self.place, &self.name, "somebody has changed it"))
    }

    /// Reads lines into rows; `None`: they are no lines of ours.
    fn lines(
        &self,
        text: &[u8],
        columns: &[(&str, ColumnType)],
        wanted: &[usize],
        builder: &mut HeldBuilder,
    ) -> Option<()> {
        let mut rest = text;
        while !rest.is_empty() {
            rest = match self.format {
                FileFormat::Jsonl(_) => {
                    let (record, rest) = jsonl::record(rest)?;
                    builder.row(false, |index, push| record.cell(columns[wanted[index]].0, push).ok_or(())).ok()?;
                    rest
                }
                FileFormat::Csv(_) | FileFormat::Parquet => {
                    let (record, rest) = csv::record(rest, columns.len())?;
                    let told = builder.row(false, |index, push| {
                        push(record[wanted[index]].as_deref().map_or(Cell::Null, Cell::Text));
                        Ok::<(), std::convert::Infallible>(())
                    });
                    let Ok(()) = told;
                    rest
                }
            };
        }
        Some(())
    }

    /// A block as it was before it was packed.
    fn text(&self, group: usize) -> Outcome<Bytes> {
        let held = self.held(group)?;
        match self.format.packing() {
            Packing::Plain => Ok(held),
            Packing::Gzip => {
                let mut text = Vec::new();
                let unpacked = GzDecoder::new(&held[..]).read_to_end(&mut text);
                unpacked.map_err(|error| damaged(&self.place, &self.name, &error.to_string()))?;
                Ok(text.into())
            }
        }
    }

    /// A block as it is in the file.
    fn held(&self, group: usize) -> Outcome<Bytes> {
        let TextGroup { offset, length, .. } = self.groups[group];
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.chunks.get_bytes(offset, length).map_err(|error| file_fault(&self.place, &self.name, error))
    }
}

/// A file that is being written.
pub(super) struct TextFile {
    output: Output,
    format: FileFormat,
    columns: Vec<(String, ColumnType)>,
    groups: Vec<(u64, u64, u64, u64)>,
}

impl TextFile {
    pub(super) fn begin(place: &str, output: Output, shape: &Shape, format: FileFormat) -> Outcome<Self> {
        let columns: Vec<(String, ColumnType)> =
            shape.own_columns().into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        let mut file = Self { output, format, columns, groups: Vec::new() };
        if let FileFormat::Csv(_) = format {
            let header = csv::header(file.columns.iter().map(|(name, _)| name.as_str()));
            file.append(place, &header)?;
        }
        Ok(file)
    }

    /// Writes a block.
    pub(super) fn write(&mut self, place: &str, batches: &[RecordBatch]) -> Outcome<()> {
        let mut text = Vec::new();
        for batch in batches {
            let kinds = self.columns.iter().map(|(_, kind)| *kind);
            let cells = cells::columns(batch, kinds).expect("rows have the table's columns");
            let names = self.columns.iter().map(|(name, _)| name.as_str());
            match self.format {
                FileFormat::Jsonl(_) => jsonl::write(&mut text, names, &cells, batch.num_rows()),
                FileFormat::Csv(_) | FileFormat::Parquet => csv::write(&mut text, &cells, batch.num_rows()),
            }
        }
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let bytes = batches.iter().map(|batch| batch_bytes(batch) as u64).sum();
        let (offset, length) = self.append(place, &text)?;
        self.groups.push((offset, length, rows, bytes));
        Ok(())
    }

    /// Copies a block of another file as it is.
    pub(super) fn copy(&mut self, place: &str, reader: &TextReader, group: usize) -> Outcome<()> {
        let held = reader.held(group)?;
        let offset = self.output.written();
        self.output.write_all(&held).map_err(|error| io_fault(place, "writing a file", &error))?;
        let TextGroup { rows, bytes, .. } = reader.groups[group];
        self.groups.push((offset, held.len() as u64, rows, bytes));
        Ok(())
    }

    pub(super) fn written(&self) -> u64 {
        self.output.written()
    }

    /// Ends the file, which has blocks with these keys.
    pub(super) fn finish(self, keys: &[Keys]) -> (Output, Vec<TextGroup>) {
        let groups = self.groups.into_iter().zip(keys);
        let group = |((offset, length, rows, bytes), keys): ((u64, u64, u64, u64), &Keys)| TextGroup {
            offset,
            length,
            rows,
            bytes,
            keys: keys.clone(),
        };
        (self.output, groups.map(group).collect())
    }

    /// Returns where the text stands in the file, and how long it is there.
    fn append(&mut self, place: &str, text: &[u8]) -> Outcome<(u64, u64)> {
        let offset = self.output.written();
        let written = match self.format.packing() {
            Packing::Plain => self.output.write_all(text),
            Packing::Gzip => {
                let mut packed = GzEncoder::new(&mut self.output, Compression::fast());
                packed.write_all(text).and_then(|()| packed.finish().map(drop))
            }
        };
        written.map_err(|error| io_fault(place, "writing a file", &error))?;
        Ok((offset, self.output.written() - offset))
    }
}

/// Writes a cell that is there as text; what is text itself is left to the format.
fn spell<'a>(column: &'a Column<'_>, row: usize, out: &mut Vec<u8>) -> Option<&'a str> {
    match column {
        Column::Text(array) | Column::Json(array) => return Some(array.value(row)),
        Column::Boolean(array) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
        // Writing to a vector cannot fail.
        Column::Integer(array) => write!(out, "{}", array.value(row)).unwrap_or_default(),
        Column::Decimal(array) => write_decimal(out, array.value(row)),
        Column::Date(array) => write_date(out, array.value(row).into()),
        Column::Timestamp(array) => write_timestamp(out, array.value(row)),
        Column::Time(array) => write_time(out, array.value(row).into()),
    }
    None
}
