//! How one column is made of what was read.

use arrow_array::{ArrayRef, RecordBatch};

/// How one column of a table is made.
#[derive(Debug, Clone)]
pub(super) enum Make {
    /// A field as it is; the index is one of the fields that are read.
    Field(usize),
}

impl Make {
    /// The fields that it needs.
    pub(super) fn reads(&self) -> Vec<usize> {
        match self {
            Self::Field(field) => vec![*field],
        }
    }

    /// The same for fields that stand in other places. A field without a place is not read, and the column not made.
    pub(super) fn moved(&self, place: &impl Fn(usize) -> Option<usize>) -> Self {
        let moved = |field: usize| place(field).unwrap_or(usize::MAX);
        match self {
            Self::Field(field) => Self::Field(moved(*field)),
        }
    }

    pub(super) fn make(&self, records: &RecordBatch) -> ArrayRef {
        match self {
            Self::Field(field) => records.column(*field).clone(),
        }
    }
}
