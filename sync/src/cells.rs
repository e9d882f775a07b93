//! A batch's columns as the arrays they are, for whoever goes cell by cell.

use arrow_array::{
    Array, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, Time32MillisecondArray,
    TimestampMillisecondArray, cast::AsArray,
};

use crate::table::ColumnType;

/// A column, downcast once.
pub enum Column<'a> {
    Text(&'a StringArray),
    Json(&'a StringArray),
    Boolean(&'a BooleanArray),
    Integer(&'a Int64Array),
    Decimal(&'a Decimal128Array),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMillisecondArray),
    Time(&'a Time32MillisecondArray),
}

/// The columns of a batch; `None` when they do not have these types.
pub fn columns(batch: &RecordBatch, kinds: impl ExactSizeIterator<Item = ColumnType>) -> Option<Vec<Column<'_>>> {
    if batch.num_columns() != kinds.len() {
        return None;
    }
    let columns = batch.columns().iter().zip(kinds).map(|(array, kind)| {
        if array.data_type() != &kind.data_type() {
            return None;
        }
        Some(match kind {
            ColumnType::Text => Column::Text(array.as_string_opt()?),
            ColumnType::Json => Column::Json(array.as_string_opt()?),
            ColumnType::Boolean => Column::Boolean(array.as_boolean_opt()?),
            ColumnType::Integer => Column::Integer(array.as_primitive_opt()?),
            ColumnType::Decimal => Column::Decimal(array.as_primitive_opt()?),
            ColumnType::Date => Column::Date(array.as_primitive_opt()?),
            ColumnType::Timestamp => Column::Timestamp(array.as_primitive_opt()?),
            ColumnType::Time => Column::Time(array.as_primitive_opt()?),
        })
    });
    columns.collect()
}

impl Column<'_> {
    /// Whether a row has nothing in this column.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(array) | Self::Json(array) => array.is_null(row),
            Self::Boolean(array) => array.is_null(row),
            Self::Integer(array) => array.is_null(row),
            Self::Decimal(array) => array.is_null(row),
            Self::Date(array) => array.is_null(row),
            Self::Timestamp(array) => array.is_null(row),
            Self::Time(array) => array.is_null(row),
        }
    }
}
