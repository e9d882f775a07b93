//! Rows as people see them: JSON objects by column.

use arrow_array::{
    Array, ArrayRef, RecordBatch,
    cast::AsArray,
    types::{Date32Type, Decimal128Type, Int64Type, Time32MillisecondType, TimestampMillisecondType},
};
use serde_json::{Map, Value};

use crate::{
    mapping::text::{write_date, write_decimal, write_time, write_timestamp},
    table::{ColumnType, TableSchema},
};

/// One row of a table's batch. Decimals, dates and times are texts, so that nothing of them is lost.
pub fn row(table: &TableSchema, rows: &RecordBatch, row: usize) -> Map<String, Value> {
    let cells = table.columns.iter().zip(rows.columns());
    cells.map(|(column, array)| (column.name.clone(), cell(column.kind, array, row))).collect()
}

/// One cell, as [`row`] gives it.
pub fn cell(kind: ColumnType, array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match kind {
        ColumnType::Text => array.as_string::<i32>().value(row).into(),
        ColumnType::Json => {
            let text = array.as_string::<i32>().value(row);
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
        ColumnType::Boolean => array.as_boolean().value(row).into(),
        ColumnType::Integer => array.as_primitive::<Int64Type>().value(row).into(),
        ColumnType::Decimal => spelt(|out| write_decimal(out, array.as_primitive::<Decimal128Type>().value(row))),
        ColumnType::Date => spelt(|out| write_date(out, array.as_primitive::<Date32Type>().value(row).into())),
        ColumnType::Timestamp => {
            spelt(|out| write_timestamp(out, array.as_primitive::<TimestampMillisecondType>().value(row)))
        }
        ColumnType::Time => {
            spelt(|out| write_time(out, array.as_primitive::<Time32MillisecondType>().value(row).into()))
        }
    }
}

fn spelt(write: impl FnOnce(&mut String)) -> Value {
    let mut text = String::new();
    write(&mut text);
    text.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Decimal128Array;

    use super::*;

    #[test]
    fn a_decimal_is_its_shortest_exact_text() {
        let one = 10_i128.pow(18);
        let decimal = |value: i128| {
            let array = Decimal128Array::from(vec![value]).with_data_type(ColumnType::Decimal.data_type());
            cell(ColumnType::Decimal, &(Arc::new(array) as ArrayRef), 0)
        };
        assert_eq!((decimal(50_000 * one), decimal(one / 10), decimal(0)), ("50000".into(), "0.1".into(), "0".into()));
        assert_eq!(decimal(-12_345 * one / 1000), "-12.345");
    }
}
