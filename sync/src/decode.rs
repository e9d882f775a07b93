//! Two wires, one typed batch: Bulk's CSV and REST's JSON side by side.
//!
//! [`CsvDecoder`] reads result pages of a Bulk job in chunks of any size, [`JsonDecoder`] whole query pages. Both
//! reduce a value to the bytes of its text and hand it to the same column builders, so the same record gives the
//! same row over either wire. Types come from describe; nothing is guessed from a value.
//!
//! A value never stops a run: one that does not fit its column's type leaves the cell null and is kept as a
//! [`Misfit`](crate::batch::Misfit). What does stop a page is a broken structure, which would shift values into other
//! columns; such an error names the place.

mod builder;
mod csv;
mod json;
#[cfg(test)]
mod parity;
pub mod scalar;
#[cfg(test)]
mod tests;

pub use builder::MISFIT_BYTES;
pub(crate) use builder::{as_json, capped};
pub use csv::{CsvDecoder, MAX_FIELD_BYTES};
pub use json::{JsonDecoder, PageEnvelope};

use crate::Recovery;

/// Why a page cannot be read. Rows and bytes count from 1 and 0, from the page's start; the header is no row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the result page has no column {field:?}; its header is {header}")]
    MissingColumn { field: String, header: String },
    #[error("the result page has a column {column:?} that was not asked for")]
    UnknownColumn { column: String },
    #[error("the result page has the column {column:?} twice")]
    RepeatedColumn { column: String },
    #[error("row {row} (byte {byte}) of the result page has {found} values instead of {expected}")]
    ColumnCount { row: u64, byte: u64, found: usize, expected: usize },
    #[error("row {row}, column {column:?} (byte {byte}) of the result page: text follows the closing quote")]
    TextAfterQuote { row: u64, column: String, byte: u64 },
    #[error("row {row}, column {column:?} of the result page is longer than {limit} bytes")]
    TooLong { row: u64, column: String, limit: usize },
    #[error("the result page ends inside row {row}, column {column:?} (byte {byte}): the answer was cut short")]
    Cut { row: u64, column: String, byte: u64 },
    #[error("the query page ends inside record {row}: the answer was cut short")]
    CutJson { row: u64 },
    #[error("record {row} of the query page is no valid answer: {reason}")]
    Json { row: u64, reason: String },
    #[error("record {row} of the query page has no field {field:?}")]
    MissingField { row: u64, field: String },
    #[error("record {row} of the query page has the field {field:?} twice")]
    RepeatedField { row: u64, field: String },
    #[error("the query page says that more records follow but not where")]
    NoNextPage,
}

impl DecodeError {
    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Cut { .. } | Self::CutJson { .. } | Self::NoNextPage => Recovery::Retry { after: None },
            Self::TooLong { .. } => Recovery::Configure,
            Self::MissingColumn { .. }
            | Self::UnknownColumn { .. }
            | Self::RepeatedColumn { .. }
            | Self::ColumnCount { .. }
            | Self::TextAfterQuote { .. }
            | Self::Json { .. }
            | Self::MissingField { .. }
            | Self::RepeatedField { .. } => Recovery::Bug,
        }
    }
}
