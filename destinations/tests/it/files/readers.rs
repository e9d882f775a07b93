//! DuckDB and pyarrow, which nobody here wrote, read what was written.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;
use sync::{
    Timestamp,
    checkpoint::{Checkpoint, Epoch, Position},
    table::{ColumnType, Deletion, Patch, TableBatch, TableSchema},
};

use super::FilesPlace;
use crate::{
    case::{Place as _, checkpoint, of_key},
    contact::{batch, stream, table},
    rows::Row,
};

/// The folder for Python's search path that has DuckDB and pyarrow.
const READERS: &str = "ORGTIDE_TEST_READERS";

/// Each reader finds the table's rows once, with the types that they have.
fn assert_read(place: &FilesPlace, types: &serde_json::Value) {
    let Ok(packages) = std::env::var(READERS) else { return };
    let rows: Vec<Row> = place.rows("Contact", &of_key(), &BTreeMap::new());
    let wanted = json!({ "rows": rows, "types": types }).to_string();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parquet/read.py");
    let mut python = Command::new("python3")
        .arg(script)
        .arg(place.path().join("Contact"))
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(wanted.as_bytes()).unwrap();
    let ended = python.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

fn types() -> serde_json::Value {
    json!({
        "_connection": ["VARCHAR", "string"],
        "Id": ["VARCHAR", "string"],
        "At": ["TIMESTAMP WITH TIME ZONE", "timestamp[ms, tz=UTC]"],
        "Amount": ["DECIMAL(38,18)", "decimal128(38, 18)"],
        "Open": ["BOOLEAN", "bool"],
        "Due": ["DATE", "date32[day]"],
        "Calls": ["TIME", "time32[ms]"],
        "Count": ["BIGINT", "int64"],
        "Rest": ["VARCHAR", "string"],
        "_deleted": ["BOOLEAN", "bool"],
        "_generation": ["BIGINT", "int64"],
    })
}

fn contacts() -> TableSchema {
    let columns = [
        ("Id", ColumnType::Text),
        ("At", ColumnType::Timestamp),
        ("Amount", ColumnType::Decimal),
        ("Open", ColumnType::Boolean),
        ("Due", ColumnType::Date),
        ("Calls", ColumnType::Time),
        ("Count", ColumnType::Integer),
        ("Rest", ColumnType::Json),
    ];
    TableSchema { version: Some(1), sweeps: true, ..table(&columns) }
}

fn row(id: usize, second: u32) -> serde_json::Value {
    json!({
        "Id": format!("{id:03}"),
        "At": format!("2024-09-24T03:26:{second:02}.000Z"),
        "Amount": (!id.is_multiple_of(3)).then(|| format!("-{id}.000000000000000001")),
        "Open": id.is_multiple_of(2),
        "Due": if id == 1 { "0001-01-01" } else { "9999-12-31" },
        "Calls": "23:59:59.999",
        "Count": i64::MAX - i64::try_from(id).unwrap(),
        "Rest": "{\"b\":[1,2.5,null],\"a\":\"\\u00e9\"}",
    })
}

#[tokio::test]
async fn duckdb_and_pyarrow_read_one_table_without_duplicates_after_every_kind_of_run() {
    for files in ["parquet", "csv", "jsonl?compress=gzip"] {
        assert_read_after_every_kind_of_run(FilesPlace::folder_of(files)).await;
    }
}

async fn assert_read_after_every_kind_of_run(place: FilesPlace) {
    let schema = contacts();
    let mut destination = place.prepared(&schema).await.unwrap();
    assert_read_when_there_are_rows(&place);
    let done = |sweep: Option<i64>| Checkpoint { at: Position::Complete, sweep, ..checkpoint("done") };
    // An import, of which small files are joined.
    for part in 0..20 {
        let rows: Vec<_> = (0..5).map(|id| row(part * 10 + id, 7)).collect();
        destination.write(batch(&schema, &rows), &done(None), Epoch(1)).await.unwrap();
    }
    assert_read(&place, &types());
    // An increment: rows that change and rows that come between others.
    let changed: Vec<_> = [1, 2, 7, 44, 45, 201].map(|id| row(id, 8)).to_vec();
    destination.write(batch(&schema, &changed), &done(None), Epoch(1)).await.unwrap();
    assert_read(&place, &types());
    // Records that are deleted.
    let deletion = Deletion { id: "002".to_owned(), version: Some(Timestamp(1_727_148_370_000)) };
    let deletes = TableBatch { deletes: vec![deletion], ..TableBatch::empty(&schema) };
    destination.write(deletes, &done(None), Epoch(1)).await.unwrap();
    assert_read(&place, &types());
    // A column that is filled in rows that are there.
    let wider = TableSchema {
        columns: [schema.columns.clone(), table(&[("Phone", ColumnType::Text)]).columns].concat(),
        ..schema.clone()
    };
    let mut with_phone = types();
    with_phone["Phone"] = json!(["VARCHAR", "string"]);
    destination.prepare(&stream(), &wider, Epoch(2)).await.unwrap();
    assert_read(&place, &with_phone);
    let columns = vec![0, 1, 8];
    let phones =
        TableSchema { columns: columns.iter().map(|index| wider.columns[*index].clone()).collect(), ..wider.clone() };
    let filled: Vec<_> = (0..20)
        .map(|id| json!({"Id": format!("{:03}", id * 10), "At": "2024-09-24T03:26:08.000Z", "Phone": id.to_string()}))
        .collect();
    let patch = Some(Patch { columns, rows: batch(&phones, &filled).upserts });
    destination.write(TableBatch { patch, ..TableBatch::empty(&wider) }, &done(None), Epoch(2)).await.unwrap();
    assert_read(&place, &with_phone);
    // A whole reading that does not name every row.
    destination.prepare(&stream(), &schema, Epoch(3)).await.unwrap();
    let all: Vec<_> = (0..150).map(|id| row(id, 9)).collect();
    let written = destination.write(batch(&schema, &all), &done(Some(1)), Epoch(3)).await.unwrap();
    assert_eq!(written.swept, 26);
    assert_read(&place, &with_phone);
}

/// A folder without files is none that readers can infer columns from; the view is.
fn assert_read_when_there_are_rows(place: &FilesPlace) {
    let view = std::fs::read_to_string(place.path().join("Contact/view.sql")).unwrap();
    assert!(view.contains("NULL::DECIMAL(38,18) AS \"Amount\"") && view.contains("WHERE false"), "{view}");
}
