//! What a field can hold, owned ([`Value`]) and borrowed ([`Cell`]), and how it is compared and written.
//!
//! Rows are computed on demand, so evaluation and rendering work on [`Cell`]s, which borrow from a stored row, a static
//! table or a reused scratch text. Nothing is allocated per cell.

mod calendar;
mod collate;
mod convert;
mod csv;
mod decimal;
mod json;

pub use calendar::{Date, TimeOfDay, Timestamp};
pub use collate::{TextOrder, equal_text, order_text};
pub(crate) use convert::converted;
pub use csv::{CsvDialect, LineEnding, write_csv_cell, write_csv_text};
pub use decimal::Decimal;
pub use json::{write_json_cell, write_json_text};

use crate::ids::RecordId;

/// A value that a record stores.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    /// Exact, with its own scale: Salesforce keeps the digits that it was given.
    Decimal(Decimal),
    Text(Box<str>),
    Id(RecordId),
    Date(Date),
    DateTime(Timestamp),
    Time(TimeOfDay),
    /// The bytes behind a `base64` field.
    Bytes(Box<[u8]>),
    /// Raw JSON of the types `json`, `complexvalue`, `floatarray` and `textarray`.
    Json(Box<str>),
}

/// A borrowed [`Value`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(&'a str),
    Id(RecordId),
    Date(Date),
    DateTime(Timestamp),
    Time(TimeOfDay),
    Bytes(&'a [u8]),
    Json(&'a str),
}

impl Value {
    #[must_use]
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    #[must_use]
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Bool(v) => Cell::Bool(*v),
            Self::Int(v) => Cell::Int(*v),
            Self::Decimal(v) => Cell::Decimal(*v),
            Self::Text(v) => Cell::Text(v),
            Self::Id(v) => Cell::Id(*v),
            Self::Date(v) => Cell::Date(*v),
            Self::DateTime(v) => Cell::DateTime(*v),
            Self::Time(v) => Cell::Time(*v),
            Self::Bytes(v) => Cell::Bytes(v),
            Self::Json(v) => Cell::Json(v),
        }
    }
}

impl Cell<'_> {
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(v) => Value::Bool(v),
            Self::Int(v) => Value::Int(v),
            Self::Decimal(v) => Value::Decimal(v),
            Self::Text(v) => Value::Text(v.into()),
            Self::Id(v) => Value::Id(v),
            Self::Date(v) => Value::Date(v),
            Self::DateTime(v) => Value::DateTime(v),
            Self::Time(v) => Value::Time(v),
            Self::Bytes(v) => Value::Bytes(v.into()),
            Self::Json(v) => Value::Json(v.into()),
        }
    }
}
