//! Parquet files as any reader finds them: by the folder `current`, or by the list `current.json`.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use arrow_array::{Array, RecordBatch, cast::AsArray, types};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, aws::AmazonS3Builder};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use sync::Timestamp;

use crate::rows::Row;

/// The lists and files of a place.
pub(crate) struct Found {
    tables: Vec<(String, Vec<Bytes>)>,
}

impl Found {
    pub(crate) fn in_folder(root: &Path) -> Self {
        let tables = fs::read_dir(root).into_iter().flatten().flatten().filter_map(|entry| {
            let list = fs::read(entry.path().join("current.json")).ok()?;
            let list: Value = serde_json::from_slice(&list).unwrap();
            let listed = list["files"].as_array().unwrap().len();
            let files: Vec<Bytes> =
                files_in(&entry.path().join("current")).iter().map(|file| fs::read(file).unwrap().into()).collect();
            assert_eq!(files.len(), listed, "the folder and the list have the same files");
            Some((list["table"].as_str().unwrap().to_owned(), files))
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
                let list: Value = serde_json::from_slice(&whole(list.location.to_string()).await).unwrap();
                let mut files = Vec::new();
                for file in list["files"].as_array().unwrap() {
                    let key = file.as_str().unwrap().strip_prefix(&format!("s3://{bucket}/")).unwrap();
                    files.push(whole(key.to_owned()).await);
                }
                tables.push((list["table"].as_str().unwrap().to_owned(), files));
            }
            Self { tables }
        };
        let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(read);
        thread::scope(|scope| scope.spawn(run).join().unwrap())
    }

    pub(crate) fn files_of(&self, table: &str) -> Vec<Bytes> {
        self.tables.iter().find(|(name, _)| name == table).map(|(_, files)| files.clone()).unwrap_or_default()
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

/// All rows, spelled as cases do.
pub(crate) fn rows_of(files: &[Bytes]) -> Vec<Row> {
    let mut rows = Vec::new();
    for file in files {
        for batch in ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            rows.extend((0..batch.num_rows()).map(|row| spelled_row(&batch, row)));
        }
    }
    rows
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
