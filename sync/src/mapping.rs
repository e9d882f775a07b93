//! Which fields become which columns.
//!
//! A [`Mapping`] is data that a person writes; [`Mapping::compile`] checks it against the org's describe and names
//! every problem at once, before anything runs.

mod compile;
mod path;

use std::fmt;

use arrow_array::{Array, BooleanArray, RecordBatch, StringArray, TimestampMillisecondArray, cast::AsArray};
use arrow_select::filter::filter_record_batch;
use salesforce::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    batch::{Misfit, ReadField},
    checkpoint::Asked,
    table::{DeleteMode, Deletion, TableBatch, TableSchema},
};

pub use path::MAX_HOPS;

/// A stream's mapping, as data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub object: String,
    /// The table's name; the object's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Empty: every readable field under its own name, except compound addresses and locations, whose components are
    /// fields of their own, and base64 bodies, each of which costs a request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnMapping>,
    /// A SOQL condition, as it would stand after `WHERE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// At most this many records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    #[serde(default)]
    pub deletes: DeleteMode,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMapping {
    /// A field, or a path to a parent's field: `Account.Name`.
    pub field: String,
    /// The column's name; the path with underscores when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// Something in a mapping that the org or the destination cannot serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingProblem {
    /// Where in the mapping: `object`, `columns[2].field`, …
    pub place: String,
    pub message: String,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for MappingProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.message)?;
        match &self.suggestion {
            Some(name) => write!(out, " Did you mean {name:?}?"),
            None => Ok(()),
        }
    }
}

/// A mapping that fits the org: what to read, and how it becomes a table.
#[derive(Debug, Clone)]
pub struct CompiledMapping {
    /// As the schema spells it.
    pub object: String,
    /// What is read, in the order of the SELECT list: the columns first, then what only the pipeline needs.
    pub fields: Vec<ReadField>,
    pub table: TableSchema,
    pub filter: Option<String>,
    pub limit: Option<u64>,
    /// Index of the record's own Id in `fields`.
    pub record_id: usize,
    /// Index of the stamp in `fields` that moves with every change; `None`: the object has none that can be filtered,
    /// and is read whole each time.
    pub cursor: Option<usize>,
    /// Index of `IsDeleted` in `fields`.
    deleted: Option<usize>,
    /// False when a field is read that Bulk refuses.
    pub bulk_readable: bool,
    pub asked: Asked,
}

/// Rows as they are to be written, and what of the records cannot be.
#[derive(Debug)]
pub struct Mapped {
    pub rows: TableBatch,
    pub rejected: Vec<RejectedRow>,
    /// Values that a conversion could not take; their cells are null.
    pub misfits: Vec<Misfit>,
}

/// A record that becomes no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// The record's Id.
    pub id: String,
    pub problems: Vec<RowProblem>,
    /// What was read of it, as a JSON object.
    pub record: String,
}

/// Why a record becomes no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowProblem {
    pub column: String,
    pub message: String,
}

impl CompiledMapping {
    /// Turns records into rows: the columns in table order, and the deletions among them.
    ///
    /// A deleted record is a deletion and no row, so that what a table holds does not depend on when it was read: one
    /// that was never read alive leaves nothing.
    pub fn apply(&self, records: &RecordBatch) -> Mapped {
        let deleted = self.deleted.map(|index| records.column(index).as_boolean());
        let deletes = deleted.map_or_else(Vec::new, |flags| self.deletions(records, flags));
        let arrays = records.columns()[..self.table.columns.len()].to_vec();
        let columns =
            RecordBatch::try_new(self.table.arrow_schema(), arrays).expect("columns come first among the fields");
        let upserts = match deleted {
            Some(flags) if !deletes.is_empty() => {
                let kept = BooleanArray::from_iter(flags.iter().map(|flag| Some(flag != Some(true))));
                filter_record_batch(&columns, &kept).expect("one flag per record")
            }
            _ => columns,
        };
        let rows = TableBatch { upserts, deletes, patch: None };
        Mapped { rows, rejected: Vec::new(), misfits: Vec::new() }
    }

    fn deletions(&self, records: &RecordBatch, flags: &BooleanArray) -> Vec<Deletion> {
        if flags.true_count() == 0 {
            return Vec::new();
        }
        let ids: &StringArray = records.column(self.record_id).as_string();
        let versions: Option<&TimestampMillisecondArray> =
            self.cursor.map(|index| records.column(index).as_primitive());
        let version = |row| versions.filter(|stamps| stamps.is_valid(row)).map(|stamps| Timestamp(stamps.value(row)));
        flags
            .iter()
            .enumerate()
            .filter(|(_, flag)| *flag == Some(true))
            .map(|(row, _)| Deletion { id: ids.value(row).to_owned(), version: version(row) })
            .collect()
    }
}
