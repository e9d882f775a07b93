//! Random histories beside those of another destination.

mod kill_proof;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, cast::AsArray,
};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use serde_json::Value;
use sync::{
    ApiVersion, Timestamp,
    checkpoint::{Asked, Checkpoint, Epoch, Position, Window},
    destination::{Destination, DestinationError},
    table::{Column, ColumnType, DeleteMode, Deletion, Patch, StreamKey, TableBatch, TableSchema},
};

use super::{Bucket, FileFormat, FilesDestination, FilesPlace, FilesSettings, Packing, store::s3::memory};
use crate::sqlite::{SqliteDestination, SqliteSettings};

/// Id, Name, version, `_deleted`, `_stream`, `_generation`.
type Cells = (Option<String>, Option<i64>, bool, Option<String>, Option<i64>);
type Rows = BTreeMap<(String, String), Cells>;

fn table(stream: Option<&str>, deletes: DeleteMode) -> TableSchema {
    let column = |(name, kind): (&str, ColumnType)| Column { name: name.to_owned(), kind };
    let columns = [("Id", ColumnType::Text), ("Name", ColumnType::Text), ("At", ColumnType::Timestamp)];
    TableSchema {
        name: "Contact".to_owned(),
        columns: columns.map(column).to_vec(),
        id: 0,
        version: Some(2),
        deletes,
        stream: stream.map(str::to_owned),
        sweeps: true,
        matching: None,
    }
}

fn key(connection: &str, stream: Option<&str>) -> StreamKey {
    StreamKey {
        connection: connection.to_owned(),
        org: "00D000000000001".to_owned(),
        installation: "ins_1".to_owned(),
        object: "Contact".to_owned(),
        table: "Contact".to_owned(),
        stream: stream.map(str::to_owned),
    }
}

fn resume(position: &str, sweep: Option<i64>, is_complete: bool) -> Checkpoint {
    let window = Window { from: None, until: Timestamp(0) };
    let at = match is_complete {
        true => Position::Complete,
        false => Position::Query { last_id: position.to_owned() },
    };
    Checkpoint { sweep, ..Checkpoint::new(window, Asked::default(), ApiVersion(66), at) }
}

fn rows_of(rows: &[(String, Option<String>, Option<i64>)]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0)));
    let names: ArrayRef = Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1.as_ref())));
    let stamps = rows.iter().map(|row| row.2.map(|stamp| stamp * 1000)).collect::<TimestampMillisecondArray>();
    let stamps: ArrayRef = Arc::new(stamps.with_timezone("UTC"));
    RecordBatch::try_from_iter_with_nullable([("Id", ids, true), ("Name", names, true), ("At", stamps, true)]).unwrap()
}

/// Where a table of the tests is.
enum Somewhere {
    Folder(tempfile::TempDir),
    Bucket(String),
}

impl Somewhere {
    fn folder() -> Self {
        Self::Folder(quick_folder())
    }

    fn bucket() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self::Bucket(format!("memory-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    fn settings(&self, format: FileFormat) -> FilesSettings {
        match self {
            Self::Folder(folder) => settings(folder.path(), format),
            Self::Bucket(name) => FilesSettings {
                place: FilesPlace::Bucket(Bucket {
                    name: name.clone(),
                    prefix: String::new(),
                    region: None,
                    endpoint: None,
                    virtual_hosted: false,
                }),
                ..settings(Path::new("x"), format)
            },
        }
    }

    /// What any reader finds by the folder `current`, or by the list; two rows of one key fail.
    fn shown(&self) -> Rows {
        match self {
            Self::Folder(folder) => shown(folder.path()),
            Self::Bucket(name) => {
                let mut rows = Rows::new();
                for file in listed(name) {
                    let content = fetched(name, &format!("Contact/data/{file}")).expect("a file of the list is there");
                    add_file(&mut rows, &file, content);
                }
                rows
            }
        }
    }

    /// The data files that are there, and those that readers are shown.
    fn files(&self) -> [BTreeSet<String>; 2] {
        match self {
            Self::Folder(folder) => ["data", "current"].map(|name| names_in(&folder.path().join("Contact").join(name))),
            Self::Bucket(name) => {
                let bucket = memory::of(name).unwrap();
                let prefix = object_store::path::Path::from("Contact/data");
                let found = wait(bucket.list(Some(&prefix)).try_collect::<Vec<_>>()).unwrap();
                let there = found.iter().map(|object| object.location.filename().unwrap().to_owned());
                [there.collect(), listed(name).into_iter().collect()]
            }
        }
    }
}

fn settings(root: &Path, format: FileFormat) -> FilesSettings {
    FilesSettings { keep: Duration::ZERO, format, ..FilesSettings::at(root).unwrap() }
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn fetched(bucket: &str, path: &str) -> Option<Bytes> {
    let path = object_store::path::Path::from(path);
    let bucket = memory::of(bucket).unwrap();
    wait(async { bucket.get(&path).await.ok()?.bytes().await.ok() })
}

/// The names of the files in the list of a bucket.
fn listed(bucket: &str) -> Vec<String> {
    let Some(list) = fetched(bucket, "Contact/current.json") else { return Vec::new() };
    let list: Value = serde_json::from_slice(&list).unwrap();
    let name = |address: &Value| address.as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    list["files"].as_array().unwrap().iter().map(name).collect()
}

/// What any reader finds in the folder `current`; two rows of one key fail.
fn shown(root: &Path) -> Rows {
    let mut rows = Rows::new();
    let Ok(files) = fs::read_dir(root.join("Contact/current")) else { return rows };
    for file in files {
        let path = file.unwrap().path();
        add_file(&mut rows, path.to_str().unwrap(), fs::read(&path).unwrap().into());
    }
    rows
}

fn add_file(rows: &mut Rows, name: &str, content: Bytes) {
    if name.ends_with(".parquet") {
        for batch in ParquetRecordBatchReaderBuilder::try_new(content).unwrap().build().unwrap() {
            add(rows, &batch.unwrap());
        }
        return;
    }
    let mut text = String::new();
    match name.ends_with(".gz") {
        true => MultiGzDecoder::new(&content[..]).read_to_string(&mut text).unwrap(),
        false => (&content[..]).read_to_string(&mut text).unwrap(),
    };
    add_lines(rows, &text, name.contains(".csv"));
}

/// Lines without quotes, which no value of these tests needs; or lines of JSON.
fn add_lines(rows: &mut Rows, text: &str, is_csv: bool) {
    let mut lines = text.lines();
    let names: Vec<&str> = if is_csv { lines.next().unwrap().split(',').collect() } else { Vec::new() };
    for line in lines {
        let cells: BTreeMap<String, Value> = match is_csv {
            false => serde_json::from_str(line).unwrap(),
            true => {
                let cell = |(name, text): (&&str, &str)| ((*name).to_owned(), Value::from(text));
                names.iter().zip(line.split(',')).filter(|(_, text)| !text.is_empty()).map(cell).collect()
            }
        };
        let text = |name: &str| match cells.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        let stamp = text("At").map(|text| text[17..19].parse().unwrap());
        let is_deleted = text("_deleted").as_deref() == Some("true");
        let generation = text("_generation").map(|text| text.parse().unwrap());
        let found = (text("Name"), stamp, is_deleted, text("_stream"), generation);
        let key = (text("_connection").unwrap(), text("Id").unwrap());
        assert_eq!(rows.insert(key.clone(), found), None, "{key:?} is there twice");
    }
}

fn add(rows: &mut Rows, batch: &RecordBatch) {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let text = |name: &str, row: usize| {
        let texts: &StringArray = column(name).as_string();
        (!texts.is_null(row)).then(|| texts.value(row).to_owned())
    };
    let stamps: &TimestampMillisecondArray = column("At").as_primitive();
    let flags: Option<&BooleanArray> = batch.column_by_name("_deleted").map(AsArray::as_boolean);
    let marks: &Int64Array = column("_generation").as_primitive();
    for row in 0..batch.num_rows() {
        let stream = batch.column_by_name("_stream").and_then(|_| text("_stream", row));
        let cells = (
            text("Name", row),
            (!stamps.is_null(row)).then(|| stamps.value(row) / 1000),
            flags.is_some_and(|flags| flags.value(row)),
            stream,
            (!marks.is_null(row)).then(|| marks.value(row)),
        );
        let key = (text("_connection", row).unwrap(), text("Id", row).unwrap());
        assert_eq!(rows.insert(key.clone(), cells), None, "{key:?} is there twice");
    }
}

fn in_sqlite(path: &Path) -> Rows {
    let file = rusqlite::Connection::open(path).unwrap();
    let has = |column: &str| {
        let sql = "SELECT count(*) FROM pragma_table_info('Contact') WHERE name = ?1";
        file.query_row(sql, [column], |row| row.get::<_, bool>(0)).unwrap()
    };
    let deleted = if has("_deleted") { "_deleted" } else { "0" };
    let stream = if has("_stream") { "_stream" } else { "NULL" };
    let sql = format!(
        "SELECT _connection, Id, Name, CAST(strftime('%s', At) AS INTEGER), {deleted}, {stream}, _generation FROM Contact"
    );
    let mut query = file.prepare(&sql).unwrap();
    let rows = query.query_map([], |row| {
        let cells = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?);
        Ok(((row.get(0)?, row.get(1)?), cells))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// In memory where there is such a folder: a thousand histories wait for the disk otherwise.
fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// One write of a history.
#[derive(Debug, Clone)]
struct Step {
    connection: usize,
    stream: usize,
    rows: Vec<(u16, u8, Option<i64>)>,
    named: Vec<u16>,
    patch: Vec<(u16, u8, Option<i64>)>,
    deletes: Vec<(u16, Option<i64>)>,
    sweep: bool,
    is_complete: bool,
    /// The process ends before the write, and another one goes on.
    restarts: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = || 0..60_u16;
    let version = || prop::option::weighted(0.9, 0..6_i64);
    let rows = || prop::collection::vec((id(), any::<u8>(), version()), 0..12);
    let step =
        (
            (0..2_usize, 0..2_usize),
            rows(),
            prop::collection::vec(id(), 0..4),
            prop_oneof![3 => Just(Vec::new()), 1 => rows()],
            prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec((id(), version()), 0..5)],
            (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.1)),
        )
            .prop_map(|((connection, stream), rows, named, patch, deletes, (sweep, is_complete, restarts))| {
                Step { connection, stream, rows, named, patch, deletes, sweep, is_complete, restarts }
            });
    prop::collection::vec(step, 1..30)
}

impl Step {
    fn batch(&self, round: usize) -> TableBatch {
        let id = |id: &u16| format!("{id:03}");
        let cells = |rows: &[(u16, u8, Option<i64>)], word: &str| {
            let row = |(row, value, version): &(u16, u8, Option<i64>)| {
                let name = (*value > 20).then(|| format!("{word} {value} {round}").repeat(1 + usize::from(value % 3)));
                (id(row), name, *version)
            };
            rows.iter().map(row).collect::<Vec<_>>()
        };
        let patch = (!self.patch.is_empty())
            .then(|| Patch { columns: vec![0, 1, 2], rows: rows_of(&cells(&self.patch, "patched")) });
        let deletion = |(row, version): &(u16, Option<i64>)| Deletion {
            id: id(row),
            version: version.map(|version| Timestamp(version * 1000)),
        };
        TableBatch {
            overrules: false,
            upserts: rows_of(&cells(&self.rows, "row")),
            deletes: self.deletes.iter().map(deletion).collect(),
            patch,
            named: self.named.iter().map(id).collect(),
        }
    }
}

/// The formats, each packed one way.
const FORMATS: [FileFormat; 3] =
    [FileFormat::Parquet, FileFormat::Csv(Packing::Gzip), FileFormat::Jsonl(Packing::Plain)];

/// The run of a stream, in files and in SQLite.
type Both = (Epoch, [Box<dyn Destination>; 2]);

async fn compare(format: FileFormat, steps: &[Step], streams: [Option<&str>; 2], deletes: DeleteMode) {
    let folder = quick_folder();
    let file = folder.path().join("rows.db");
    let root = folder.path().join("files");
    let settings = settings(&root, format);
    let of_files = || -> Box<dyn Destination> { Box::new(FilesDestination::start(settings.clone()).unwrap()) };
    let of_sqlite =
        || -> Box<dyn Destination> { Box::new(SqliteDestination::start(SqliteSettings::at(&file).unwrap()).unwrap()) };
    let mut open: BTreeMap<(usize, usize), Both> = BTreeMap::new();
    let mut epochs = (1..).map(Epoch);
    for (round, step) in steps.iter().enumerate() {
        let who = (step.connection, step.stream);
        let key = key(["acme", "beta"][step.connection], streams[step.stream]);
        let table = table(streams[step.stream], deletes);
        if step.restarts || !open.contains_key(&who) {
            let epoch = epochs.next().unwrap();
            let mut both = [of_files(), of_sqlite()];
            let mut checkpoints = Vec::new();
            for destination in &mut both {
                checkpoints.push(destination.prepare(&key, &table, epoch).await.unwrap());
            }
            assert_eq!(checkpoints[0], checkpoints[1]);
            // A run that another one has followed writes nothing more.
            if let Some((older, [mut files, _])) = open.insert(who, (epoch, both)) {
                let late = files.write(step.batch(round), &resume("late", None, false), older).await.unwrap_err();
                assert!(matches!(late, DestinationError::Fenced { .. }), "{late}");
            }
        }
        let (epoch, both) = open.get_mut(&who).unwrap();
        let resume = resume(&round.to_string(), step.sweep.then_some(round as i64 / 5), step.is_complete);
        let mut written = Vec::new();
        for destination in both {
            written.push(destination.write(step.batch(round), &resume, *epoch).await.unwrap());
        }
        assert_eq!(written[0], written[1], "round {round}");
        assert_eq!(shown(&root), in_sqlite(&file), "round {round}");
    }
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_history_leaves_the_rows_that_it_leaves_in_sqlite(format in prop::sample::select(FORMATS.to_vec()), steps in steps(), removes in any::<bool>(), named in any::<bool>()) {
        let deletes = if removes { DeleteMode::Remove } else { DeleteMode::Flag };
        let streams = if named { [Some("one"), Some("two")] } else { [None, None] };
        let steps: Vec<Step> = match named {
            true => steps,
            false => steps.into_iter().map(|step| Step { stream: 0, ..step }).collect(),
        };
        run(compare(format, &steps, streams, deletes));
    }
}
