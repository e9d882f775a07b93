//! What is particular to files, in a folder and in a bucket.

mod readers;
mod reading;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use destinations::{
    DestinationSettings, RowCounts,
    files::FilesSettings,
    matching::{self, MatchError},
};
use serde_json::{Value, json};
use sync::{
    Recovery,
    checkpoint::{Checkpoint, Epoch, Position},
    destination::{Destination, DestinationError},
    table::{ColumnType, Deletion, Patch, StreamKey, TableBatch, TableSchema},
};
use tempfile::TempDir;

use self::reading::{Found, current};
use crate::{
    case::{Place, checkpoint},
    contact::{batch, names, stream, table},
    rows::Row,
};

/// The address of a bucket, with its store: `s3://bucket?endpoint=…&region=…`. Its credentials stand in AWS's variables.
const S3: &str = "ORGTIDE_TEST_S3";

/// A folder or a prefix of its own.
pub(crate) enum FilesPlace {
    Folder(TempDir, &'static str),
    Bucket(String),
}

impl FilesPlace {
    pub(crate) fn folder() -> Self {
        Self::folder_of("parquet")
    }

    /// A folder whose files an address of this scheme, and these parameters, asks for.
    pub(crate) fn folder_of(files: &'static str) -> Self {
        Self::Folder(tempfile::tempdir().unwrap(), files)
    }

    /// The places of this machine: a folder for each format, and a bucket where there is one.
    pub(crate) fn all() -> Vec<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut places: Vec<Self> = ["parquet", "csv", "jsonl?compress=gzip"].map(Self::folder_of).into();
        if let Ok(address) = std::env::var(S3) {
            for format in ["parquet", "csv&compress=gzip", "jsonl"] {
                let own = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                let (bucket, parameters) = address.split_once('?').unwrap();
                places
                    .push(Self::Bucket(format!("{}/{own}?{parameters}&format={format}", bucket.trim_end_matches('/'))));
            }
        }
        places
    }

    fn address(&self) -> String {
        match self {
            Self::Folder(folder, files) => {
                let (scheme, parameters) = files.split_once('?').unwrap_or((files, "keep=3600"));
                format!("{scheme}:{}?{parameters}", folder.path().join("rows").display())
            }
            Self::Bucket(address) => address.clone(),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Folder(folder, _) => folder.path().join("rows"),
            Self::Bucket(address) => panic!("{address} is no folder"),
        }
    }

    async fn prepared(&self, table: &TableSchema) -> Result<Box<dyn Destination>, DestinationError> {
        let mut destination = self.open();
        destination.prepare(&stream(), table, Epoch(1)).await.map(|_| destination)
    }

    async fn refused(&self, table: &TableSchema) -> DestinationError {
        match self.prepared(table).await {
            Ok(_) => panic!("the table was accepted"),
            Err(error) => error,
        }
    }

    fn ids(&self) -> Vec<String> {
        let rows = self.rows("Contact", &["Id".to_owned()], &BTreeMap::new());
        rows.iter().map(|row| row["Id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Place for FilesPlace {
    fn name(&self) -> &'static str {
        match self {
            Self::Folder(_, files) => files,
            Self::Bucket(_) => "bucket",
        }
    }

    fn open(&self) -> Box<dyn Destination> {
        destinations::open(&self.settings()).unwrap()
    }

    fn settings(&self) -> DestinationSettings {
        self.address().parse().unwrap()
    }

    fn has_sql(&self) -> bool {
        false
    }

    fn rows(&self, table: &str, order: &[String], _kinds: &BTreeMap<String, ColumnType>) -> Vec<Row> {
        let found = match self {
            Self::Folder(..) => Found::in_folder(&self.path()),
            Self::Bucket(address) => Found::in_bucket(address),
        };
        let mut rows = found.rows_of(table);
        rows.sort_by_key(|row| order.iter().map(|name| row[name].to_string()).collect::<Vec<_>>());
        rows
    }

    fn everything(&self) -> Vec<String> {
        Vec::new()
    }

    fn sql(&self, statement: &str) {
        panic!("there is no SQL here: {statement}");
    }
}

fn one(id: &str) -> TableBatch {
    batch(&names(), &[json!({"Id": id, "Name": "a"})])
}

#[tokio::test]
async fn a_file_of_somebody_elses_is_never_touched_and_never_read() {
    let place = FilesPlace::folder();
    let mut destination = place.prepared(&names()).await.unwrap();
    destination.write(one("1"), &checkpoint("1"), Epoch(1)).await.unwrap();
    let table = place.path().join("Contact");
    let theirs = ["notes.txt", "data/other.parquet", "data/part-0.parquet", "_orgtide/manifests/readme.json"];
    for name in theirs {
        fs::write(table.join(name), "theirs").unwrap();
    }
    let mut destination = place.open();
    destination.prepare(&stream(), &names(), Epoch(2)).await.unwrap();
    let done = Checkpoint { at: Position::Complete, ..checkpoint("2") };
    destination.write(one("2"), &done, Epoch(2)).await.unwrap();
    assert_eq!(place.ids(), ["1", "2"]);
    assert_eq!(destinations::remove(&place.settings(), &stream()).await.unwrap(), 2);
    for name in theirs.iter().filter(|name| !name.starts_with("_orgtide")) {
        assert_eq!(fs::read_to_string(table.join(name)).unwrap(), "theirs", "{name}");
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_says_which_and_what_to_do() {
    let place = FilesPlace::folder();
    let refused_at = async |path: &Path| {
        let settings = DestinationSettings::Files(Box::new(FilesSettings::at(path).unwrap()));
        let mut destination = destinations::open(&settings).unwrap();
        destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap_err()
    };
    let missing = refused_at(&place.path().join("absent").join("rows")).await;
    assert!(
        matches!(&missing, DestinationError::Denied { reason, .. } if reason.contains("create it first")),
        "{missing}"
    );
    fs::write(place.path(), "a file").unwrap();
    let file = refused_at(&place.path()).await;
    assert!(matches!(&file, DestinationError::Unusable { reason, .. } if reason.contains("in the way")), "{file}");
    assert_eq!(file.recovery(), Recovery::Configure);
    fs::remove_file(place.path()).unwrap();
    fs::create_dir_all(place.path().join("Contact/current")).unwrap();
    let folder = refused_at(&place.path()).await;
    assert!(matches!(&folder, DestinationError::Unusable { reason, .. } if reason.contains("current")), "{folder}");
}

#[tokio::test]
async fn a_damaged_manifest_and_a_missing_file_stop_the_run_and_say_what_cures_it() {
    let place = FilesPlace::folder();
    let mut destination = place.prepared(&names()).await.unwrap();
    destination.write(one("1"), &checkpoint("1"), Epoch(1)).await.unwrap();
    destination.write(one("2"), &checkpoint("2"), Epoch(1)).await.unwrap();
    let table = place.path().join("Contact");
    let last = table.join("_orgtide/manifests/00000000000000000003.json");
    let whole = fs::read(&last).unwrap();
    for damaged in [&whole[..whole.len() / 2], &b""[..], &[&whole[..20], b"x", &whole[21..]].concat()] {
        fs::write(&last, damaged).unwrap();
        let error = place.refused(&names()).await;
        let words = "00000000000000000003.json";
        assert!(matches!(&error, DestinationError::Unusable { reason, .. } if reason.contains(words)), "{error}");
    }
    // As the message says: without this version the table is as it was before.
    fs::remove_file(&last).unwrap();
    let mut destination = place.open();
    let stored = destination.prepare(&stream(), &names(), Epoch(2)).await.unwrap();
    assert_eq!(stored, Some(checkpoint("1")));
    assert_eq!(place.ids(), ["1"]);
    for file in current(&place.path(), "Contact") {
        fs::remove_file(table.join("data").join(file.file_name().unwrap())).unwrap();
    }
    let error = destination.write(one("1"), &checkpoint("2"), Epoch(2)).await.unwrap_err();
    assert!(matches!(&error, DestinationError::Unusable { reason, .. } if reason.contains("is missing")), "{error}");
}

#[tokio::test]
async fn a_file_of_text_that_somebody_has_changed_stops_the_run_and_nothing_of_it_is_lost() {
    for files in ["csv", "jsonl"] {
        let place = FilesPlace::folder_of(files);
        let mut destination = place.prepared(&names()).await.unwrap();
        destination.write(one("1"), &checkpoint("1"), Epoch(1)).await.unwrap();
        let file = fs::canonicalize(&current(&place.path(), "Contact")[0]).unwrap();
        let whole = fs::read_to_string(&file).unwrap();
        for (changed, words) in [
            (whole.replace('1', "\""), "somebody has changed it"),
            (format!("{whole}\n"), "another length"),
            (whole.replace('1', ""), "another length"),
        ] {
            fs::write(&file, changed).unwrap();
            let renamed = batch(&names(), &[json!({"Id": "1", "Name": "b"})]);
            let error = destination.write(renamed, &checkpoint("2"), Epoch(1)).await.unwrap_err();
            assert!(matches!(&error, DestinationError::Unusable { reason, .. } if reason.contains(words)), "{error}");
        }
        fs::write(&file, whole).unwrap();
        assert_eq!(place.ids(), ["1"]);
    }
}

#[tokio::test]
async fn a_folder_of_one_format_takes_no_other() {
    let place = FilesPlace::folder_of("csv");
    place.prepared(&names()).await.unwrap();
    for address in [format!("parquet:{}", place.path().display()), format!("{}&compress=gzip", place.address())] {
        let settings: DestinationSettings = address.parse().unwrap();
        let mut destination = destinations::open(&settings).unwrap();
        let error = destination.prepare(&stream(), &names(), Epoch(2)).await.unwrap_err();
        assert!(matches!(&error, DestinationError::Incompatible { reason, .. } if reason.contains("CSV")), "{error}");
    }
}

#[tokio::test]
async fn a_table_whose_folder_was_removed_takes_no_rows_until_it_is_made_again() {
    let place = FilesPlace::folder();
    let mut destination = place.prepared(&names()).await.unwrap();
    destination.write(one("1"), &checkpoint("1"), Epoch(1)).await.unwrap();
    let table = place.path().join("Contact");
    fs::remove_dir_all(&table).unwrap();
    destination.write(one("2"), &checkpoint("2"), Epoch(1)).await.unwrap_err();
    fs::create_dir_all(table.join("_orgtide/manifests")).unwrap();
    fs::create_dir_all(table.join("data")).unwrap();
    let error = destination.write(one("2"), &checkpoint("2"), Epoch(1)).await.unwrap_err();
    assert!(matches!(&error, DestinationError::Incompatible { reason, .. } if reason.contains("removed")), "{error}");
    assert_eq!(destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap(), None);
    destination.write(one("3"), &checkpoint("3"), Epoch(1)).await.unwrap();
    assert_eq!(place.ids(), ["3"]);
}

#[tokio::test]
async fn rows_before_prepare_and_rows_of_another_shape_are_refused() {
    for place in FilesPlace::all() {
        let error = place.open().write(one("1"), &checkpoint("1"), Epoch(1)).await.unwrap_err();
        assert!(error.to_string().contains("before the table was prepared"), "{error}");
        let dated = table(&[("Id", ColumnType::Text), ("Name", ColumnType::Date)]);
        let mut destination = place.prepared(&dated).await.unwrap();
        let error = destination.write(one("1"), &checkpoint("1"), Epoch(1)).await.unwrap_err();
        assert!(error.to_string().contains("columns are not those"), "{error}");
        for columns in [vec![1], vec![0, 7]] {
            let patch = Some(Patch { columns, rows: one("1").upserts });
            let patched = TableBatch { patch, ..TableBatch::empty(&dated) };
            let error = destination.write(patched, &checkpoint("1"), Epoch(1)).await.unwrap_err();
            assert!(error.to_string().contains("columns are not those"), "{error}");
        }
        let sweeping = Checkpoint { sweep: Some(1), ..checkpoint("1") };
        let error = destination.write(TableBatch::empty(&dated), &sweeping, Epoch(1)).await.unwrap_err();
        assert!(error.to_string().contains("was not prepared for it"), "{error}");
    }
}

#[tokio::test]
async fn rows_are_counted_and_removed_with_their_checkpoint() {
    for place in FilesPlace::all() {
        let settings = place.settings();
        let other = StreamKey { connection: "beta".to_owned(), ..stream() };
        assert_eq!(destinations::remove(&settings, &stream()).await.unwrap(), 0);
        for key in [&stream(), &other] {
            let mut destination = place.open();
            destination.prepare(key, &names(), Epoch(1)).await.unwrap();
            let mut rows = batch(&names(), &[json!({"Id": "1", "Name": "a"}), json!({"Id": "2", "Name": "b"})]);
            rows.deletes = vec![Deletion { id: "1".to_owned(), version: None }];
            destination.write(rows, &checkpoint("1"), Epoch(1)).await.unwrap();
        }
        assert_eq!(destinations::count(&settings, &other).await.unwrap(), RowCounts { present: 1, deleted: 1 });
        let columns = destinations::columns(&settings, &other).await.unwrap();
        let columns: Vec<(&str, Option<ColumnType>)> =
            columns.iter().map(|column| (column.name.as_str(), column.kind())).collect();
        assert_eq!(columns[1..3], [("Id", Some(ColumnType::Text)), ("Name", Some(ColumnType::Text))]);
        destinations::may_remove(&settings, &stream()).await.unwrap();
        assert_eq!(destinations::remove(&settings, &stream()).await.unwrap(), 2);
        assert_eq!(destinations::count(&settings, &stream()).await.unwrap(), RowCounts::default());
        assert_eq!(place.ids(), ["1", "2"]);
        assert_eq!(place.open().prepare(&stream(), &names(), Epoch(1)).await.unwrap(), None);
        assert_eq!(destinations::remove(&settings, &stream()).await.unwrap(), 0);
        assert_eq!(destinations::remove(&settings, &other).await.unwrap(), 2);
        assert!(destinations::count(&settings, &other).await.is_err(), "the table is gone with its last row");
    }
}

#[tokio::test]
async fn a_stream_of_another_installation_or_org_is_refused_and_nothing_of_it_is_removed() {
    for place in FilesPlace::all() {
        let mut destination = place.prepared(&names()).await.unwrap();
        destination.write(one("1"), &checkpoint("1"), Epoch(1)).await.unwrap();
        for theirs in [
            StreamKey { org: "00DB0000000BBBB".to_owned(), ..stream() },
            StreamKey { installation: "ins_2".to_owned(), ..stream() },
        ] {
            let error = place.open().prepare(&theirs, &names(), Epoch(9)).await.unwrap_err();
            assert!(matches!(error, DestinationError::Incompatible { .. }), "{error}");
            let error = destinations::remove(&place.settings(), &theirs).await.unwrap_err();
            assert!(matches!(error, DestinationError::NotOurs { .. }), "{error}");
        }
        assert_eq!(place.ids(), ["1"]);
    }
}

#[tokio::test]
async fn a_table_of_files_is_matched_with_no_other_and_says_so() {
    let place = FilesPlace::folder();
    let matching = json!({"table": "customers", "key": "id", "by": [["Name"]], "columns": {}});
    let schema = TableSchema { matching: Some(serde_json::from_value(matching).unwrap()), ..names() };
    let error = place.refused(&schema).await;
    assert!(matches!(&error, DestinationError::Incompatible { reason, .. } if reason.contains("[match]")), "{error}");
    let settings = place.settings();
    let listed = matching::list(&settings, &stream(), None, 1).await.unwrap_err();
    assert!(matches!(listed, MatchError::NotMatching { .. }));
    let foreseen = matching::foresee(&settings, &schema, &stream(), &one("1").upserts).await.unwrap_err();
    assert!(foreseen.to_string().contains("[match]"), "{foreseen}");
}

#[tokio::test]
async fn two_connections_that_write_at_once_lose_nothing_of_each_other() {
    for place in FilesPlace::all() {
        let write_all = async |connection: &str| {
            let key = StreamKey { connection: connection.to_owned(), ..stream() };
            let mut destination = place.open();
            destination.prepare(&key, &names(), Epoch(1)).await.unwrap();
            for id in 0..20 {
                destination.write(one(&format!("{id:02}")), &checkpoint("x"), Epoch(1)).await.unwrap();
            }
        };
        tokio::join!(write_all("acme"), write_all("beta"));
        let ids: Vec<String> = (0..20).map(|id| format!("{id:02}")).collect();
        let expected: Vec<String> = ids.iter().flat_map(|id| [id.clone(), id.clone()]).collect();
        assert_eq!(place.ids(), expected);
    }
}

#[tokio::test]
async fn a_row_that_arrives_as_it_is_is_not_written_again_and_small_files_are_joined() {
    let place = FilesPlace::folder();
    let mut destination = place.prepared(&names()).await.unwrap();
    for id in 0..15 {
        destination.write(one(&format!("{id:02}")), &checkpoint("1"), Epoch(1)).await.unwrap();
    }
    let before = current(&place.path(), "Contact");
    assert_eq!(before.len(), 15);
    destination.write(one("07"), &checkpoint("2"), Epoch(1)).await.unwrap();
    let names_of =
        |files: &[PathBuf]| files.iter().map(|file| file.file_name().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names_of(&current(&place.path(), "Contact")), names_of(&before));
    destination.write(one("15"), &checkpoint("3"), Epoch(1)).await.unwrap();
    assert_eq!(current(&place.path(), "Contact").len(), 1);
    assert_eq!(place.ids().len(), 16);
}

#[tokio::test]
async fn files_that_were_replaced_stay_as_long_as_the_address_says() {
    for (keep, left) in [("", 3), ("&keep=0", 1)] {
        let place = FilesPlace::folder();
        let settings: DestinationSettings = format!("{}{keep}", place.address()).parse().unwrap();
        let mut destination = destinations::open(&settings).unwrap();
        destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap();
        for name in ["a", "b", "c"] {
            let rows = batch(&names(), &[json!({"Id": "1", "Name": name})]);
            let done = Checkpoint { at: Position::Complete, ..checkpoint("1") };
            destination.write(rows, &done, Epoch(1)).await.unwrap();
        }
        assert_eq!(fs::read_dir(place.path().join("Contact/data")).unwrap().count(), left, "{keep}");
        assert_eq!(current(&place.path(), "Contact").len(), 1);
    }
    assert_eq!(FilesSettings::at(Path::new("x")).unwrap().keep, Duration::from_secs(3600));
}

#[tokio::test]
async fn values_of_a_column_that_widens_stay_and_other_connections_get_the_column() {
    for place in FilesPlace::all() {
        let other = StreamKey { connection: "beta".to_owned(), ..stream() };
        let numbers = table(&[("Id", ColumnType::Text), ("Code", ColumnType::Integer)]);
        for key in [&stream(), &other] {
            let mut destination = place.open();
            destination.prepare(key, &numbers, Epoch(1)).await.unwrap();
            destination
                .write(batch(&numbers, &[json!({"Id": "1", "Code": 7})]), &checkpoint("1"), Epoch(1))
                .await
                .unwrap();
        }
        let wider = table(&[("Id", ColumnType::Text), ("Code", ColumnType::Decimal), ("Due", ColumnType::Date)]);
        let mut destination = place.open();
        destination.prepare(&stream(), &wider, Epoch(2)).await.unwrap();
        let rows = place.rows("Contact", &["_connection".to_owned()], &BTreeMap::new());
        for row in &rows {
            assert_eq!((&row["Code"], &row["Due"]), (&json!("7"), &Value::Null));
        }
        let row = batch(&wider, &[json!({"Id": "2", "Code": "0.1", "Due": "2024-02-29"})]);
        destination.write(row, &checkpoint("2"), Epoch(2)).await.unwrap();
        assert_eq!(place.rows("Contact", &["Id".to_owned()], &BTreeMap::new()).len(), 3);
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_says_so() {
    let Ok(address) = std::env::var(S3) else { return };
    let (_, parameters) = address.split_once('?').unwrap();
    let settings: DestinationSettings = format!("s3://no-such-bucket-of-orgtide/x?{parameters}").parse().unwrap();
    let mut destination = destinations::open(&settings).unwrap();
    let error = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap_err();
    assert!(
        matches!(&error, DestinationError::Unusable { reason, .. } if reason.contains("no such bucket")),
        "{error}"
    );
}
