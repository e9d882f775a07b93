//! Records as they come off the wire: typed columns, and the values that fit no type.

use arrow_array::RecordBatch;

use crate::table::ColumnType;

/// Batches are cut when they reach this many bytes.
pub const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// One selected field: a path from the object, such as `Name` or `Account.Owner.Name`, and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadField {
    /// As it stands in the SELECT list; the header of a Bulk result repeats it.
    pub path: String,
    pub kind: ColumnType,
}

/// A value that does not fit its column's type. The cell is null; this is what stood there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The record's Id.
    pub id: String,
    pub field: String,
    pub raw: String,
}

/// Records in the order they were read; one column a [`ReadField`], in the order asked for.
#[derive(Debug, Clone)]
pub struct Batch {
    pub records: RecordBatch,
    pub misfits: Vec<Misfit>,
}
