//! Files as any reader finds them: by the folder `current`, or by the list `current.json`.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    thread,
};

use arrow_array::{Array, RecordBatch, cast::AsArray, types};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, aws::AmazonS3Builder};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use sync::Timestamp;

use crate::rows::Row;

/// What a place shows.
pub(crate) struct Found {
    tables: Vec<Shown>,
}

/// A table: its view, and its files with their names.
#[derive(Default)]
pub(crate) struct Shown {
    table: String,
    view: String,
    files: Vec<(String, Bytes)>,
}

impl Found {
    pub(crate) fn in_folder(root: &Path) -> Self {
        let tables = fs::read_dir(root).into_iter().flatten().flatten().filter_map(|entry| {
            let list = fs::read(entry.path().join("current.json")).ok()?;
            let list: Value = serde_json::from_slice(&list).unwrap();
            let listed = list["files"].as_array().unwrap().len();
            let files: Vec<(String, Bytes)> = files_in(&entry.path().join("current"))
                .iter()
                .map(|file| (file.display().to_string(), fs::read(file).unwrap().into()))
                .collect();
            assert_eq!(files.len(), listed, "the folder and the list have the same files");
            let view = fs::read_to_string(entry.path().join("view.sql")).unwrap();
            Some(Shown { table: list["table"].as_str().unwrap().to_owned(), view, files })
        });
        Self { tables: tables.collect() }
    }

    pub(crate) fn in_bucket(address: &str) -> Self {
        let read = async {
            let (path, parameters) = address.strip_prefix("s3://").unwrap().split_once('?').unwrap();
            let (bucket, prefix) = path.split_once('/').unwrap();
            let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_allow_http(true);
            for parameter in parameters.split('&') {
                builder = match parameter.split_once('=').unwrap() {
                    ("endpoint", endpoint) => builder.with_endpoint(endpoint),
                    ("region", region) => builder.with_region(region),
                    _ => builder,
                };
            }
            let store = builder.build().unwrap();
            let whole = async |key: String| {
                let path = object_store::path::Path::parse(key).unwrap();
                store.get(&path).await.unwrap().bytes().await.unwrap()
            };
            let all: Vec<_> = store.list(Some(&prefix.into())).try_collect().await.unwrap();
            let mut tables = Vec::new();
            for list in all.iter().filter(|object| object.location.filename() == Some("current.json")) {
                let beside = list.location.to_string().replace("current.json", "view.sql");
                let view = String::from_utf8(whole(beside).await.to_vec()).unwrap();
                let list: Value = serde_json::from_slice(&whole(list.location.to_string()).await).unwrap();
                let mut files = Vec::new();
                for file in list["files"].as_array().unwrap() {
                    let key = file.as_str().unwrap().strip_prefix(&format!("s3://{bucket}/")).unwrap();
                    files.push((key.to_owned(), whole(key.to_owned()).await));
                }
                tables.push(Shown { table: list["table"].as_str().unwrap().to_owned(), view, files });
            }
            Self { tables }
        };
        let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(read);
        thread::scope(|scope| scope.spawn(run).join().unwrap())
    }

    /// All rows of a table, spelled as cases do.
    pub(crate) fn rows_of(&self, table: &str) -> Vec<Row> {
        let shown = self.tables.iter().find(|shown| shown.table == table);
        shown
            .map(|shown| shown.files.iter().flat_map(|(name, file)| rows_of(name, file, &shown.view)).collect())
            .unwrap_or_default()
    }
}

/// The files that the folder `current` of a table shows.
pub(crate) fn current(root: &Path, table: &str) -> Vec<PathBuf> {
    files_in(&root.join(table).join("current"))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn rows_of(name: &str, file: &Bytes, view: &str) -> Vec<Row> {
    if name.ends_with(".parquet") {
        let batches =
            ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap().build().unwrap().map(Result::unwrap);
        return batches.flat_map(|batch| (0..batch.num_rows()).map(move |row| spelled_row(&batch, row))).collect();
    }
    let (name, text) = match name.strip_suffix(".gz") {
        Some(name) => {
            let mut text = String::new();
            MultiGzDecoder::new(&file[..]).read_to_string(&mut text).unwrap();
            (name, text)
        }
        None => (name, String::from_utf8(file.to_vec()).unwrap()),
    };
    match name.ends_with(".csv") {
        true => csv_rows(&text, view),
        false => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
    }
}

/// Rows with the types that the view tells DuckDB.
fn csv_rows(text: &str, view: &str) -> Vec<Row> {
    let mut records = csv_records(text).into_iter();
    let names: Vec<String> = records.next().unwrap().into_iter().map(Option::unwrap).collect();
    let typed = |name: &str, cell: String| {
        let is = |kind: &str| view.contains(&format!("'{name}': '{kind}'"));
        match (is("BOOLEAN"), is("BIGINT")) {
            (true, _) => json!(cell == "true"),
            (_, true) => json!(cell.parse::<i64>().unwrap()),
            _ => json!(cell),
        }
    };
    let row = |cells: Vec<Option<String>>| {
        assert_eq!(cells.len(), names.len());
        let cell = |(name, cell): (&String, Option<String>)| {
            (name.clone(), cell.map_or(Value::Null, |cell| typed(name, cell)))
        };
        names.iter().zip(cells).map(cell).collect()
    };
    records.map(row).collect()
}

/// RFC 4180, letter by letter; a cell of nothing at all is null.
fn csv_records(text: &str) -> Vec<Vec<Option<String>>> {
    let (mut records, mut record) = (Vec::new(), Vec::new());
    let (mut cell, mut is_quoted, mut is_open): (Option<String>, bool, bool) = (None, false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_open && letters.peek() == Some(&'"') => {
                letters.next();
                cell.as_mut().unwrap().push('"');
            }
            '"' if is_open => is_open = false,
            letter if is_open => cell.as_mut().unwrap().push(letter),
            '"' if !is_quoted && cell.is_none() => (cell, is_quoted, is_open) = (Some(String::new()), true, true),
            ',' | '\n' => {
                record.push(cell.take());
                is_quoted = false;
                if letter == '\n' {
                    records.push(std::mem::take(&mut record));
                }
            }
            letter => {
                assert!(!is_quoted && letter != '"' && letter != '\r', "a quote or a letter where none can be");
                cell.get_or_insert_default().push(letter);
            }
        }
    }
    assert!(record.is_empty() && cell.is_none(), "the last line is whole");
    records
}

fn spelled_row(batch: &RecordBatch, row: usize) -> Row {
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.zip(batch.columns().iter().map(|column| spelled(column, row))).collect()
}

fn spelled(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Int64 => json!(column.as_primitive::<types::Int64Type>().value(row)),
        DataType::Decimal128(38, 18) => json!(decimal(column.as_primitive::<types::Decimal128Type>().value(row))),
        DataType::Date32 => {
            let days = i64::from(column.as_primitive::<types::Date32Type>().value(row));
            json!(Timestamp(days * 86_400_000).to_string()[..10])
        }
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) if &**zone == "UTC" => {
            json!(Timestamp(column.as_primitive::<types::TimestampMillisecondType>().value(row)).to_string())
        }
        DataType::Time32(TimeUnit::Millisecond) => {
            let time = i64::from(column.as_primitive::<types::Time32MillisecondType>().value(row));
            json!(Timestamp(time).to_string()[11..23])
        }
        other => panic!("a column is {other}"),
    }
}

fn decimal(unscaled: i128) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:019}", unscaled.unsigned_abs());
    let (whole, fraction) = digits.split_at(digits.len() - 18);
    let fraction = fraction.trim_end_matches('0');
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}
