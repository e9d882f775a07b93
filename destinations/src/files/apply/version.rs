//! The version of a record, whatever type its column has.

use arrow_array::{Array, ArrayRef, cast::AsArray, types};
use arrow_schema::{DataType, TimeUnit};

/// Ordered as the column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version<'a> {
    Number(i128),
    Text(&'a str),
}

impl<'a> Version<'a> {
    /// `None`: there is none.
    pub(super) fn at(array: &'a ArrayRef, row: usize) -> Option<Self> {
        if array.is_null(row) {
            return None;
        }
        Some(match array.data_type() {
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Self::Number(array.as_primitive::<types::TimestampMillisecondType>().value(row).into())
            }
            DataType::Utf8 => Self::Text(array.as_string::<i32>().value(row)),
            DataType::Date32 => Self::Number(array.as_primitive::<types::Date32Type>().value(row).into()),
            DataType::Int64 => Self::Number(array.as_primitive::<types::Int64Type>().value(row).into()),
            DataType::Decimal128(..) => Self::Number(array.as_primitive::<types::Decimal128Type>().value(row)),
            DataType::Time32(_) => Self::Number(array.as_primitive::<types::Time32MillisecondType>().value(row).into()),
            DataType::Boolean => Self::Number(array.as_boolean().value(row).into()),
            _ => return None,
        })
    }
}
