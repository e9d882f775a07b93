//! One table of contacts, for tests that need any table.

use serde_json::Value;
use sync::table::{Column, ColumnType, DeleteMode, StreamKey, TableBatch, TableSchema};

use crate::rows::{Row, record_batch};

pub(crate) fn table(columns: &[(&str, ColumnType)]) -> TableSchema {
    TableSchema {
        name: "Contact".to_owned(),
        columns: columns.iter().map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind }).collect(),
        id: 0,
        version: None,
        deletes: DeleteMode::Flag,
        stream: None,
        sweeps: false,
        matching: None,
    }
}

pub(crate) fn names() -> TableSchema {
    table(&[("Id", ColumnType::Text), ("Name", ColumnType::Text)])
}

pub(crate) fn stream() -> StreamKey {
    StreamKey {
        connection: "acme".to_owned(),
        org: "00D000000000001".to_owned(),
        installation: "ins_1".to_owned(),
        object: "Contact".to_owned(),
        table: "Contact".to_owned(),
        stream: None,
    }
}

pub(crate) fn batch(table: &TableSchema, rows: &[Value]) -> TableBatch {
    let rows: Vec<Row> = rows.iter().map(|row| serde_json::from_value(row.clone()).unwrap()).collect();
    TableBatch { upserts: record_batch(table, &rows), ..TableBatch::empty(table) }
}
