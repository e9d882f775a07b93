//! Rows as cases spell them, and batches of them.

use std::{collections::BTreeMap, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{Field, Schema};
use serde_json::Value;
use sync::{
    batch::ReadField,
    decode::JsonDecoder,
    table::{Column, ColumnType, TableSchema},
};

/// A row as cases spell it: column to value.
pub(crate) type Row = BTreeMap<String, Value>;

/// A row with `{"repeat": …, "times": …}` written out.
pub(crate) fn expanded(row: &Row) -> Row {
    let expand = |value: &Value| match (value["repeat"].as_str(), value["times"].as_u64()) {
        (Some(text), Some(times)) => Value::String(text.repeat(times as usize)),
        _ => value.clone(),
    };
    row.iter().map(|(name, value)| (name.clone(), expand(value))).collect()
}

/// A row with JSON as what it says: a destination may keep that rather than its letters.
pub(crate) fn read_json(row: Row, kinds: &BTreeMap<String, ColumnType>) -> Row {
    let read = |name: &str, value: Value| match (kinds.get(name), &value) {
        (Some(ColumnType::Json), Value::String(text)) => serde_json::from_str(text).unwrap_or(value),
        _ => value,
    };
    row.into_iter().map(|(name, value)| (name.clone(), read(&name, value))).collect()
}

/// Rows as a batch of the table's columns.
pub(crate) fn record_batch(table: &TableSchema, rows: &[Row]) -> RecordBatch {
    batch_of(&table.columns.iter().collect::<Vec<_>>(), rows)
}

pub(crate) fn batch_of(columns: &[&Column], rows: &[Row]) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|column| Field::new(&column.name, column.kind.data_type(), true)).collect();
    let arrays = columns
        .iter()
        .map(|column| {
            let values: Vec<Value> = rows.iter().map(|row| row[&column.name].clone()).collect();
            array(column.kind, values)
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .expect("a case's values have its columns' types")
}

/// Texts as they are (the decoder takes the empty one for null); other values as the decoder reads them.
fn array(kind: ColumnType, values: Vec<Value>) -> ArrayRef {
    if matches!(kind, ColumnType::Text | ColumnType::Json) || values.is_empty() {
        let texts = StringArray::from_iter(values.iter().map(Value::as_str));
        return if values.is_empty() { arrow_array::new_empty_array(&kind.data_type()) } else { Arc::new(texts) };
    }
    let records: Vec<Value> = values.into_iter().map(|value| serde_json::json!({ "value": value })).collect();
    let page = serde_json::json!({ "totalSize": 1, "done": true, "records": records });
    let mut decoder = JsonDecoder::new(&[ReadField { path: "value".to_owned(), kind }], 0);
    decoder
        .push_page(page.to_string().as_bytes(), &mut |_| panic!("cases are small"))
        .expect("a case's values are JSON");
    let batch = decoder.flush().expect("there are rows");
    assert!(batch.misfits.is_empty(), "a case's values have its columns' types: {:?}", batch.misfits);
    batch.records.column(0).clone()
}
