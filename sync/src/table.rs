//! What a destination sees of a stream: a table, its columns, and batches of rows for it.

use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

use salesforce::Timestamp;

use crate::matching::Matching;

/// The precision and scale every decimal is held with.
///
/// Salesforce stores what was entered, whatever scale the field declares (an API client may store 1.2345 in a field
/// of scale 2), so the declared scale cannot bound the values; 18 digits is the most a field can declare on either
/// side of the point.
pub const DECIMAL_PRECISION: u8 = 38;
/// See [`DECIMAL_PRECISION`].
pub const DECIMAL_SCALE: i8 = 18;

/// A column's type. Closed: every destination knows all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Arrow `Utf8`.
    Text,
    /// Arrow `Boolean`.
    Boolean,
    /// Arrow `Int64`.
    Integer,
    /// Arrow `Decimal128(38, 18)`; written as its shortest exact text.
    Decimal,
    /// Arrow `Date32`.
    Date,
    /// Arrow `Timestamp(Millisecond, "UTC")`.
    Timestamp,
    /// Arrow `Time32(Millisecond)`; a time of day without a zone.
    Time,
    /// Arrow `Utf8` that holds JSON.
    Json,
}

impl ColumnType {
    /// The Arrow type that columns of this type have in every batch.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::Json => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Decimal => DataType::Decimal128(DECIMAL_PRECISION, DECIMAL_SCALE),
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Self::Time => DataType::Time32(TimeUnit::Millisecond),
        }
    }
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
}

/// What happens to a row whose record was deleted in the org.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteMode {
    /// The row stays, with `_deleted` set.
    #[default]
    Flag,
    /// The row goes.
    Remove,
}

/// A destination table. Beside `columns` it has `_connection` (text, part of the key), with [`DeleteMode::Flag`]
/// `_deleted` (boolean), with a `stream` `_stream` (text), and once it has been swept `_generation` (integer). No Salesforce
/// field begins with an underscore, so the names cannot meet.
///
/// The key is (`_connection`, `columns[id]`): a sandbox copies production's ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    pub name: String,
    pub columns: Vec<Column>,
    /// Index of the key in `columns`: the record's id, or whatever else tells the rows apart.
    pub id: usize,
    /// Index of the record's version (SystemModstamp or what stands in for it), when the object has one. A row is
    /// replaced when the arriving version is equal or newer (`>=`: stamps have whole seconds).
    pub version: Option<usize>,
    pub deletes: DeleteMode,
    /// Which of several streams that fill this table; its rows carry the name.
    pub stream: Option<String>,
    /// Rows are going to be told apart by the reading that saw them last: see [`Checkpoint::sweep`].
    ///
    /// [`Checkpoint::sweep`]: crate::checkpoint::Checkpoint::sweep
    pub sweeps: bool,
    /// The table whose rows the records stand for.
    pub matching: Option<Matching>,
}

impl TableSchema {
    /// The Arrow schema of this table's batches; every column may be null.
    pub fn arrow_schema(&self) -> SchemaRef {
        let field = |column: &Column| Field::new(&column.name, column.kind.data_type(), true);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }
}

/// Whose rows: the stream's identity within a destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamKey {
    pub connection: String,
    /// Id of the org whose records these are. A connection of this name that reaches another org is another
    /// installation's, and a table takes the rows of one of them.
    pub org: String,
    /// Which control store the stream is remembered in. One of another store under the same names writes without
    /// knowing of this one's leases.
    pub installation: String,
    pub object: String,
    pub table: String,
    /// As in [`TableSchema::stream`].
    pub stream: Option<String>,
}

/// A record that is gone, and the version that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    pub id: String,
    pub version: Option<Timestamp>,
}

/// Rows for one table, to be written together.
#[derive(Debug, Clone)]
pub struct TableBatch {
    /// Columns in the order of [`TableSchema::columns`].
    pub upserts: RecordBatch,
    pub deletes: Vec<Deletion>,
    pub patch: Option<Patch>,
    /// Keys of rows that stay as they are, if they are there, although their records become no row now: a reading that
    /// sweeps has named them.
    pub named: Vec<String>,
    /// The upserted rows replace what is there even where that claims to be newer: somebody else has written it.
    pub overrules: bool,
}

/// Values for some columns of rows that are there already: a new column is filled without touching the others.
///
/// A row takes them when it is there and its version is not newer than the patch's. Nothing is inserted, and neither a row's
/// version nor its deletion flag changes.
#[derive(Debug, Clone)]
pub struct Patch {
    /// Indexes into [`TableSchema::columns`], in the order of the columns of `rows`: the key and, where the table has one,
    /// the version are among them.
    pub columns: Vec<usize>,
    pub rows: RecordBatch,
}

impl TableBatch {
    /// No rows; written to save a checkpoint alone.
    pub fn empty(table: &TableSchema) -> Self {
        Self {
            upserts: RecordBatch::new_empty(table.arrow_schema()),
            deletes: Vec::new(),
            patch: None,
            named: Vec::new(),
            overrules: false,
        }
    }
}

/// Rows as a destination holds them.
#[derive(Debug, Clone)]
pub struct Held {
    /// The columns that were asked for, in their types.
    pub rows: RecordBatch,
    /// Row by row, whether it is flagged as deleted.
    pub deleted: BooleanArray,
    /// Indexes of rows with a cell that holds no value of its column's type: somebody else has written it, and it reads as
    /// null here.
    pub spoiled: Vec<usize>,
}
