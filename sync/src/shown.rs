//! Rows as people see them: JSON objects by column.

use arrow_array::{
    Array, ArrayRef, RecordBatch,
    cast::AsArray,
    types::{Date32Type, Decimal128Type, Int64Type, Time32MillisecondType, TimestampMillisecondType},
};
use salesforce::{Timestamp, time::civil_from_days};
use serde_json::{Map, Value, json};

use crate::table::{ColumnType, DECIMAL_SCALE, TableSchema};

/// One row of a table's batch. Decimals, dates and times are texts, so that nothing of them is lost.
pub fn row(table: &TableSchema, rows: &RecordBatch, row: usize) -> Map<String, Value> {
    let cells = table.columns.iter().zip(rows.columns());
    cells.map(|(column, array)| (column.name.clone(), cell(column.kind, array, row))).collect()
}

fn cell(kind: ColumnType, array: &ArrayRef, row: usize) -> Value {
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
        ColumnType::Decimal => decimal(array.as_primitive::<Decimal128Type>().value(row)).into(),
        ColumnType::Date => {
            let (year, month, day) = civil_from_days(i64::from(array.as_primitive::<Date32Type>().value(row)));
            json!(format!("{year:04}-{month:02}-{day:02}"))
        }
        ColumnType::Timestamp => {
            json!(Timestamp(array.as_primitive::<TimestampMillisecondType>().value(row)).to_string())
        }
        ColumnType::Time => {
            let millis = array.as_primitive::<Time32MillisecondType>().value(row);
            let (seconds, millis) = (millis / 1000, millis % 1000);
            json!(format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60))
        }
    }
}

/// The shortest exact text: `50000`, `-12.345`.
fn decimal(value: i128) -> String {
    let scale = 10_u128.pow(u32::from(DECIMAL_SCALE.unsigned_abs()));
    let (whole, fraction) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    let sign = if value < 0 { "-" } else { "" };
    let fraction = format!("{fraction:0width$}", width = usize::from(DECIMAL_SCALE.unsigned_abs()));
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_its_shortest_exact_text() {
        let one = 10_i128.pow(18);
        assert_eq!((decimal(50_000 * one), decimal(one / 10), decimal(0)), ("50000".into(), "0.1".into(), "0".into()));
        assert_eq!(decimal(-12_345 * one / 1000), "-12.345");
    }
}
