//! Parquet files as any reader finds them.

use std::{collections::BTreeMap, fs, path::Path};

use arrow_array::{Array as _, cast::AsArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The rows of living records in a table's folder, spelled by their key; a key that is there twice fails.
pub(super) fn living(table: &Path, fields: &str) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for file in fs::read_dir(table.join("current")).unwrap() {
        let file = fs::File::open(file.unwrap().path()).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let (ids, deleted) = (&batch["Id"], &batch["_deleted"]);
            for row in (0..batch.num_rows()).filter(|row| !deleted.as_boolean().value(*row)) {
                let id = ids.as_string::<i32>().value(row).to_owned();
                let cells: Vec<String> =
                    fields.split(',').map(|field| format!("{:?}", batch[field].slice(row, 1))).collect();
                assert_eq!(rows.insert(id.clone(), cells.concat()), None, "{id} is there twice");
            }
        }
    }
    rows
}
