//! A record as it was read, for people who look into why it became no row.

use arrow_array::{
    Array, ArrayRef, RecordBatch,
    cast::AsArray,
    types::{Date32Type, Decimal128Type, Int64Type, Time32MillisecondType, TimestampMillisecondType},
};

use super::text::{write_date, write_decimal, write_time, write_timestamp};
use crate::{batch::ReadField, table::ColumnType};

/// A JSON object of the fields by their paths. Numbers keep all their digits.
pub(super) fn json(fields: &[ReadField], records: &RecordBatch, row: usize) -> String {
    let mut out = String::from("{");
    for (field, array) in fields.iter().zip(records.columns()) {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&quoted(&field.path));
        out.push(':');
        write_value(&mut out, field.kind, array, row);
    }
    out.push('}');
    out
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can always be written as JSON")
}

fn write_value(out: &mut String, kind: ColumnType, array: &ArrayRef, row: usize) {
    if array.is_null(row) {
        return out.push_str("null");
    }
    let mut text = String::new();
    match kind {
        ColumnType::Text => return out.push_str(&quoted(array.as_string::<i32>().value(row))),
        ColumnType::Json => return out.push_str(array.as_string::<i32>().value(row)),
        ColumnType::Boolean => return out.push_str(&array.as_boolean().value(row).to_string()),
        ColumnType::Integer => return out.push_str(&array.as_primitive::<Int64Type>().value(row).to_string()),
        ColumnType::Decimal => return write_decimal(out, array.as_primitive::<Decimal128Type>().value(row)),
        ColumnType::Date => write_date(&mut text, i64::from(array.as_primitive::<Date32Type>().value(row))),
        ColumnType::Timestamp => {
            write_timestamp(&mut text, array.as_primitive::<TimestampMillisecondType>().value(row));
        }
        ColumnType::Time => write_time(&mut text, i64::from(array.as_primitive::<Time32MillisecondType>().value(row))),
    }
    out.push_str(&quoted(&text));
}
