//! What readers see of a table: `current`, a folder with the files of the last version; `current.json`, their list; and
//! `view.sql`, a view of them.

use serde::{Deserialize, Serialize};
use sync::{destination::DestinationError, table::ColumnType};

use super::{
    format::FileFormat,
    manifest::Manifest,
    shape::{CONNECTION, DELETED, GENERATION, STREAM},
    store::Store,
};

const LIST: &str = "current.json";
const VIEW: &str = "view.sql";

/// The list of files, as readers elsewhere name them.
#[derive(Debug, Serialize, Deserialize)]
struct Current {
    version: u64,
    table: String,
    rows: u64,
    files: Vec<String>,
}

/// Shows a version, unless a later one is shown.
pub(super) fn publish(store: &Store, manifest: &Manifest) -> Result<(), DestinationError> {
    let shown = store.read(LIST)?.and_then(|text| serde_json::from_slice::<Current>(&text).ok());
    if shown.is_some_and(|shown| shown.version > manifest.version) {
        return Ok(());
    }
    let names: Vec<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    store.show(manifest.version, &names)?;
    let current = Current {
        version: manifest.version,
        table: manifest.table.clone(),
        rows: manifest.files.iter().map(|file| file.rows).sum(),
        files: names.iter().map(|name| store.address(name)).collect(),
    };
    let text = serde_json::to_string_pretty(&current).expect("a list of files is plain data");
    store.replace(LIST, text.as_bytes())?;
    store.replace(VIEW, view(manifest, &current.files).as_bytes())
}

/// DuckDB's words for the table.
fn view(manifest: &Manifest, files: &[String]) -> String {
    let name = format!("\"{}\"", manifest.table.replace('"', "\"\""));
    if files.is_empty() {
        let column = |(name, kind): (&str, &str)| format!("NULL::{kind} AS \"{}\"", name.replace('"', "\"\""));
        let columns: Vec<String> = columns(manifest).into_iter().map(column).collect();
        return format!("CREATE OR REPLACE VIEW {name} AS SELECT {} WHERE false;\n", columns.join(", "));
    }
    let files: Vec<String> = files.iter().map(|file| format!("  {}", text(file))).collect();
    let (function, options) = match manifest.files_are {
        FileFormat::Parquet => ("read_parquet", String::new()),
        FileFormat::Csv(_) => (
            "read_csv",
            format!(
                ", columns = {}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', \
                 nullstr = '', allow_quoted_nulls = false",
                typed(manifest)
            ),
        ),
        FileFormat::Jsonl(_) => ("read_json", format!(", columns = {}, format = 'newline_delimited'", typed(manifest))),
    };
    let files = files.join(",\n");
    format!("CREATE OR REPLACE VIEW {name} AS SELECT * FROM {function}([\n{files}\n]{options});\n")
}

/// The columns of files that say no types, as DuckDB takes them.
fn typed(manifest: &Manifest) -> String {
    let column = |(name, kind): (&str, &str)| format!("{}: {}", text(name), text(kind));
    let columns: Vec<String> = columns(manifest).into_iter().map(column).collect();
    format!("{{{}}}", columns.join(", "))
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The columns of the files, with DuckDB's names for their types.
pub(super) fn columns(manifest: &Manifest) -> Vec<(&str, &'static str)> {
    let shape = &manifest.shape;
    let mapped = shape.columns.iter().map(|column| (column.name.as_str(), declared(column.kind)));
    let ours = [
        (shape.deleted, DELETED, "BOOLEAN"),
        (shape.stream, STREAM, "VARCHAR"),
        (shape.generation, GENERATION, "BIGINT"),
    ];
    let ours = ours.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, name, kind)| (name, kind));
    [(CONNECTION, "VARCHAR")].into_iter().chain(mapped).chain(ours).collect()
}

fn declared(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text | ColumnType::Json => "VARCHAR",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Integer => "BIGINT",
        ColumnType::Decimal => "DECIMAL(38,18)",
        ColumnType::Date => "DATE",
        ColumnType::Timestamp => "TIMESTAMP WITH TIME ZONE",
        ColumnType::Time => "TIME",
    }
}
