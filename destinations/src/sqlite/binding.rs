//! Arrow cells as SQLite parameters: text is bound where it lies, everything else is written into one small buffer.

use arrow_array::{RecordBatch, StringArray};
use rusqlite::{
    Statement, ToSql,
    types::{ToSqlOutput, ValueRef},
};
use sync::{
    cells::{Column, columns},
    table::ColumnType,
};

use crate::spelling::{write_date, write_decimal, write_time, write_timestamp};

/// A batch's columns.
pub(super) struct Cells<'a>(Vec<Column<'a>>);

impl<'a> Cells<'a> {
    /// `None` when the batch does not have columns of these types.
    pub(super) fn new(batch: &'a RecordBatch, kinds: impl ExactSizeIterator<Item = ColumnType>) -> Option<Self> {
        columns(batch, kinds).map(Self)
    }

    /// A text column.
    pub(super) fn texts(&self, column: usize) -> Option<&'a StringArray> {
        match self.0.get(column)? {
            Column::Text(array) | Column::Json(array) => Some(array),
            Column::Boolean(_)
            | Column::Integer(_)
            | Column::Decimal(_)
            | Column::Date(_)
            | Column::Timestamp(_)
            | Column::Time(_) => None,
        }
    }

    /// Binds a row's cells to the parameters from `first` on; `buffer` is room to write in.
    pub(super) fn bind(
        &self,
        statement: &mut Statement<'_>,
        first: usize,
        row: usize,
        buffer: &mut Vec<u8>,
    ) -> rusqlite::Result<()> {
        for (index, column) in self.0.iter().enumerate() {
            statement.raw_bind_parameter(first + index, Cell(value(column, row, buffer)))?;
        }
        Ok(())
    }
}

#[inline]
fn value<'b>(column: &'b Column<'_>, row: usize, buffer: &'b mut Vec<u8>) -> ValueRef<'b> {
    if column.is_null(row) {
        return ValueRef::Null;
    }
    buffer.clear();
    match column {
        Column::Text(array) | Column::Json(array) => return ValueRef::Text(array.value(row).as_bytes()),
        Column::Boolean(array) => return ValueRef::Integer(i64::from(array.value(row))),
        Column::Integer(array) => return ValueRef::Integer(array.value(row)),
        Column::Decimal(array) => write_decimal(buffer, array.value(row)),
        Column::Date(array) => write_date(buffer, i64::from(array.value(row))),
        Column::Timestamp(array) => write_timestamp(buffer, array.value(row)),
        Column::Time(array) => write_time(buffer, i64::from(array.value(row))),
    }
    ValueRef::Text(buffer)
}

/// A value bound as it is.
struct Cell<'a>(ValueRef<'a>);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}
