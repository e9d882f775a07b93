//! What is particular to SQLite files.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use destinations::{
    DestinationSettings,
    matching::{self, Filling},
    sqlite::{SqliteDestination, SqliteSettings, Synchronous},
};
use rusqlite::{Connection, types::ValueRef};
use serde_json::{Value, json};
use sync::{
    Recovery, Timestamp,
    checkpoint::{Checkpoint, Epoch},
    destination::{Destination, DestinationError},
    table::{ColumnType, Patch, StreamKey, TableBatch, TableSchema},
};
use tempfile::TempDir;

use crate::{
    case::{Place, checkpoint},
    contact::{batch, names, stream, table},
    rows::Row,
};

/// A file in a folder of its own.
pub(crate) struct SqliteFile {
    folder: TempDir,
}

impl SqliteFile {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("rows.db")
    }

    fn connect(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn query<T: rusqlite::types::FromSql>(&self, query: &str) -> T {
        self.connect().query_row(query, [], |row| row.get(0)).unwrap()
    }
}

impl Place for SqliteFile {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn open(&self) -> Box<dyn Destination> {
        destinations::open(&self.settings()).unwrap()
    }

    fn settings(&self) -> DestinationSettings {
        DestinationSettings::Sqlite(SqliteSettings::at(&self.path()).unwrap())
    }

    fn rows(&self, table: &str, order: &[String], kinds: &BTreeMap<String, ColumnType>) -> Vec<Row> {
        let sql = self.connect();
        let table = table.replace('"', "\"\"");
        let order: Vec<String> = order.iter().map(|name| format!("\"{name}\"")).collect();
        let mut statement = sql.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY {}", order.join(", "))).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let spelled = |name: &str, value: ValueRef<'_>| match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(flag) if name == "_deleted" || kinds.get(name) == Some(&ColumnType::Boolean) => {
                json!(flag == 1)
            }
            ValueRef::Integer(number) => json!(number),
            ValueRef::Text(text) => json!(std::str::from_utf8(text).unwrap()),
            ValueRef::Real(_) | ValueRef::Blob(_) => panic!("{name} holds {value:?}"),
        };
        statement
            .query_map([], |row| {
                let cell = |(index, name): (usize, &String)| (name.clone(), spelled(name, row.get_ref(index).unwrap()));
                Ok(names.iter().enumerate().map(cell).collect())
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    fn everything(&self) -> Vec<String> {
        if !self.path().exists() {
            return Vec::new();
        }
        let sql = self.connect();
        let mut names = sql.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name").unwrap();
        let made: Vec<(String, String)> =
            names.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
        let rows = |name: &str| {
            let mut rows = sql.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
            let width = rows.column_count();
            let cells = |row: &rusqlite::Row<'_>| {
                Ok((0..width).map(|cell| format!("{:?} ", row.get_ref(cell).unwrap())).collect::<String>())
            };
            rows.query_map([], cells).unwrap().map(Result::unwrap).collect::<Vec<_>>()
        };
        let tables = made.iter().filter(|(_, sql)| sql.starts_with("CREATE TABLE"));
        let rows = tables.flat_map(|(name, _)| rows(name)).collect::<Vec<_>>();
        made.iter().map(|(_, sql)| sql.clone()).chain(rows).collect()
    }

    fn sql(&self, statement: &str) {
        self.connect().execute_batch(statement).unwrap();
    }
}

async fn prepared(file: &SqliteFile, table: &TableSchema) -> Result<Box<dyn Destination>, DestinationError> {
    let mut destination = file.open();
    destination.prepare(&stream(), table, Epoch(1)).await.map(|_| destination)
}

async fn refused(file: &SqliteFile, table: &TableSchema) -> DestinationError {
    match prepared(file, table).await {
        Ok(_) => panic!("the table was accepted"),
        Err(error) => error,
    }
}

async fn assert_incompatible(file: &SqliteFile, table: &TableSchema, words: &str) {
    let error = refused(file, table).await;
    assert!(matches!(error, DestinationError::Incompatible { .. }), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(error.recovery(), Recovery::Configure);
}

#[tokio::test]
async fn a_write_that_fails_midway_leaves_neither_rows_nor_checkpoint() {
    let file = SqliteFile::new();
    let mut destination = prepared(&file, &names()).await.unwrap();
    let first = batch(&names(), &[json!({"Id": "1", "Name": "a"})]);
    destination.write(first, &checkpoint("first"), Epoch(1)).await.unwrap();
    let trigger =
        "CREATE TRIGGER guard BEFORE INSERT ON Contact WHEN new.Id = '3' BEGIN SELECT raise(ABORT, 'no 3'); END";
    file.connect().execute_batch(trigger).unwrap();
    let second = batch(&names(), &[json!({"Id": "2", "Name": "b"}), json!({"Id": "3", "Name": "c"})]);
    let error = destination.write(second.clone(), &checkpoint("second"), Epoch(1)).await.unwrap_err();
    assert!(matches!(&error, DestinationError::Incompatible { reason, .. } if reason.contains("no 3")), "{error}");
    assert_eq!(file.query::<String>("SELECT group_concat(Id) FROM Contact"), "1");
    let stored = file.open().prepare(&stream(), &names(), Epoch(1)).await.unwrap();
    assert_eq!(stored, Some(checkpoint("first")));
    file.connect().execute_batch("DROP TRIGGER guard").unwrap();
    destination.write(second, &checkpoint("second"), Epoch(1)).await.unwrap();
    assert_eq!(file.query::<String>("SELECT group_concat(Id) FROM Contact"), "1,2,3");
}

#[tokio::test]
async fn readers_go_on_while_rows_are_written_and_the_closed_file_stands_alone() {
    let file = SqliteFile::new();
    let mut destination = prepared(&file, &names()).await.unwrap();
    let reader = file.connect();
    let count = |reader: &Connection| reader.query_row("SELECT count(*) FROM Contact", [], |row| row.get::<_, i64>(0));
    for id in 0..3 {
        assert_eq!(count(&reader).unwrap(), id);
        let row = batch(&names(), &[json!({"Id": id.to_string(), "Name": "a"})]);
        destination.write(row, &checkpoint("x"), Epoch(1)).await.unwrap();
    }
    drop(reader);
    destination.close().await.unwrap();
    assert!(!file.path().with_extension("db-wal").exists());
    assert_eq!(file.query::<i64>("SELECT count(*) FROM Contact"), 3);
}

#[tokio::test]
async fn a_table_that_was_dropped_is_imported_from_the_start() {
    let file = SqliteFile::new();
    let mut destination = prepared(&file, &names()).await.unwrap();
    let row = batch(&names(), &[json!({"Id": "1", "Name": "a"})]);
    destination.write(row, &checkpoint("done"), Epoch(1)).await.unwrap();
    destination.close().await.unwrap();
    file.connect().execute_batch("DROP TABLE Contact").unwrap();
    assert_eq!(file.open().prepare(&stream(), &names(), Epoch(2)).await.unwrap(), None);
}

#[tokio::test]
async fn a_table_that_is_altered_while_rows_are_written_takes_no_part_of_a_batch_and_says_what_to_do() {
    let made_anew = |columns: &str, key: &str, values: &str| {
        format!(
            "CREATE TABLE other (_connection TEXT NOT NULL, Id TEXT NOT NULL, Name TEXT, _deleted INTEGER NOT NULL DEFAULT 0
                 {columns}{key});
             INSERT INTO other SELECT _connection, Id, Name, _deleted{values} FROM Contact;
             DROP TABLE Contact; ALTER TABLE other RENAME TO Contact"
        )
    };
    let key = ", PRIMARY KEY (_connection, Id)";
    for (sql, words, refused) in [
        ("ALTER TABLE Contact DROP COLUMN Name".to_owned(), "the next run makes it ready again", None),
        (
            made_anew("", "", ""),
            "the next run makes it ready again",
            Some(("its key (_connection, Id) is gone", made_anew("", key, ""))),
        ),
        (
            made_anew(", mine TEXT NOT NULL", key, ", 'x'"),
            "Contact.mine",
            Some(("\"mine\" needs a value", "ALTER TABLE Contact DROP COLUMN mine".to_owned())),
        ),
    ] {
        let file = SqliteFile::new();
        let mut destination = prepared(&file, &names()).await.unwrap();
        let first = batch(&names(), &[json!({"Id": "1", "Name": "a"})]);
        destination.write(first, &checkpoint("1"), Epoch(1)).await.unwrap();
        file.connect().execute_batch(&sql).unwrap();
        let more = || batch(&names(), &[json!({"Id": "2", "Name": "b"}), json!({"Id": "3", "Name": "c"})]);
        let error = destination.write(more(), &checkpoint("2"), Epoch(1)).await.unwrap_err();
        assert!(matches!(error, DestinationError::Incompatible { .. }), "{sql}: {error}");
        assert!(error.to_string().contains("Contact") && error.to_string().contains(words), "{sql}: {error}");
        assert_eq!(file.query::<String>("SELECT group_concat(Id) FROM Contact"), "1", "{sql}");
        if let Some((refusal, cure)) = refused {
            assert_incompatible(&file, &names(), refusal).await;
            file.connect().execute_batch(&cure).unwrap();
        }
        let stored = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap();
        assert_eq!(stored, Some(checkpoint("1")), "{sql}");
        destination.write(more(), &checkpoint("2"), Epoch(1)).await.unwrap();
        assert_eq!(file.query::<String>("SELECT group_concat(Id) FROM Contact"), "1,2,3", "{sql}");
    }
}

#[tokio::test]
async fn a_table_that_is_not_ours_is_left_alone_and_the_message_says_what_to_do() {
    for (sql, words) in [
        ("CREATE TABLE Contact (Id TEXT PRIMARY KEY, Name TEXT)", "Orgtide did not make"),
        ("CREATE VIEW Contact AS SELECT 1 AS Id", "it is a view"),
        ("CREATE TABLE contact (Id TEXT)", "case of names"),
        (
            "CREATE TABLE Contact (_connection TEXT, Email TEXT, Id TEXT, PRIMARY KEY (_connection, Email))",
            "its key is (_connection, Email), not (_connection, Id)",
        ),
        (
            "CREATE TABLE Contact (_connection TEXT, Id TEXT, Extra TEXT NOT NULL, PRIMARY KEY (_connection, Id))",
            "\"Extra\" needs a value",
        ),
        ("CREATE TABLE x (a); CREATE INDEX Contact ON x (a)", "index"),
    ] {
        let file = SqliteFile::new();
        file.connect().execute_batch(sql).unwrap();
        let before: String = file.query("SELECT group_concat(sql) FROM sqlite_schema");
        assert_incompatible(&file, &names(), words).await;
        assert_eq!(file.query::<String>("SELECT group_concat(sql) FROM sqlite_schema"), before, "{sql}");
    }
}

#[tokio::test]
async fn names_that_sqlite_cannot_hold_apart_are_refused_before_anything_is_made() {
    for (columns, words) in [
        (["Id", "ID"], "\"ID\" is taken"),
        (["Id", "_Deleted"], "\"_Deleted\" is taken"),
        (["Id", "_connection"], "is taken"),
        (["Id", ""], "is no column name"),
        (["Id", "a\0b"], "is no column name"),
    ] {
        let schema = table(&columns.map(|name| (name, ColumnType::Text)));
        assert_incompatible(&SqliteFile::new(), &schema, words).await;
    }
    for name in ["sqlite_stat1", "_orgtide_checkpoints", ""] {
        let schema = TableSchema { name: name.to_owned(), ..names() };
        assert_incompatible(&SqliteFile::new(), &schema, "reserved").await;
    }
}

#[tokio::test]
async fn text_that_becomes_a_number_stays_readable_in_a_text_column() {
    let file = SqliteFile::new();
    let mut destination = prepared(&file, &names()).await.unwrap();
    destination
        .write(batch(&names(), &[json!({"Id": "1", "Name": "seven"})]), &checkpoint("1"), Epoch(1))
        .await
        .unwrap();
    let numbers = table(&[("Id", ColumnType::Text), ("Name", ColumnType::Integer)]);
    destination.prepare(&stream(), &numbers, Epoch(1)).await.unwrap();
    destination.write(batch(&numbers, &[json!({"Id": "2", "Name": 8})]), &checkpoint("2"), Epoch(1)).await.unwrap();
    assert_eq!(file.query::<String>("SELECT group_concat(quote(Name)) FROM Contact"), "'seven','8'");
}

#[tokio::test]
async fn a_column_that_an_index_holds_is_not_retyped_behind_its_owners_back() {
    let file = SqliteFile::new();
    let numbers = table(&[("Id", ColumnType::Text), ("Code", ColumnType::Integer)]);
    let mut destination = prepared(&file, &numbers).await.unwrap();
    destination.write(batch(&numbers, &[json!({"Id": "1", "Code": 7})]), &checkpoint("1"), Epoch(1)).await.unwrap();
    file.connect().execute_batch("CREATE INDEX by_code ON Contact (Code)").unwrap();
    assert_incompatible(&file, &table(&[("Id", ColumnType::Text), ("Code", ColumnType::Text)]), "by_code").await;
    assert_eq!(file.query::<String>("SELECT group_concat(quote(Code)) FROM Contact"), "7");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_says_which_and_what_to_do() {
    let file = SqliteFile::new();
    let prepare_at = async |path: PathBuf| {
        let settings = DestinationSettings::Sqlite(SqliteSettings::at(&path).unwrap());
        let mut destination = destinations::open(&settings).unwrap();
        destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap_err()
    };
    let missing = prepare_at(file.folder.path().join("absent").join("rows.db")).await;
    assert!(
        matches!(&missing, DestinationError::Denied { reason, .. } if reason.contains("create it first")),
        "{missing}"
    );
    let folder = prepare_at(file.folder.path().to_owned()).await;
    assert!(matches!(folder, DestinationError::Denied { .. }), "{folder}");
    std::fs::write(file.path(), "Id,Name\n".repeat(1000)).unwrap();
    let other = prepare_at(file.path()).await;
    assert!(
        matches!(&other, DestinationError::Unusable { reason, .. } if reason.contains("move the file away")),
        "{other}"
    );
    assert!(other.to_string().contains("rows.db"), "{other}");
}

#[tokio::test]
async fn a_file_that_another_program_keeps_locked_is_tried_again_later() {
    let file = SqliteFile::new();
    drop(prepared(&file, &names()).await.unwrap());
    let other = file.connect();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let settings = SqliteSettings {
        busy_timeout: Duration::from_millis(1),
        synchronous: Synchronous::Full,
        ..SqliteSettings::at(&file.path()).unwrap()
    };
    let mut destination = SqliteDestination::start(settings).unwrap();
    let error = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap_err();
    assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
    assert_eq!(error.recovery(), Recovery::Retry { after: None });
    other.execute_batch("ROLLBACK").unwrap();
    destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_of_another_version_is_not_guessed_at() {
    let file = SqliteFile::new();
    drop(prepared(&file, &names()).await.unwrap());
    file.connect().execute_batch("UPDATE _orgtide_checkpoints SET checkpoint = '{\"at\": 2}'").unwrap();
    let error = refused(&file, &names()).await;
    assert!(matches!(error, DestinationError::Unusable { .. }), "{error}");
    assert!(error.to_string().contains("delete its row"), "{error}");
}

#[tokio::test]
async fn rows_before_prepare_and_rows_of_another_shape_are_refused() {
    let file = SqliteFile::new();
    let rows = batch(&names(), &[json!({"Id": "1", "Name": "a"})]);
    let error = file.open().write(rows.clone(), &checkpoint("1"), Epoch(1)).await.unwrap_err();
    assert!(error.to_string().contains("before the table was prepared"), "{error}");
    let dated = table(&[("Id", ColumnType::Text), ("Name", ColumnType::Date)]);
    let mut destination = prepared(&file, &dated).await.unwrap();
    let error = destination.write(rows, &checkpoint("1"), Epoch(1)).await.unwrap_err();
    assert!(error.to_string().contains("columns are not those"), "{error}");
}

#[tokio::test]
async fn a_stream_that_goes_away_while_it_writes_has_written_wholly_or_not_at_all() {
    let file = SqliteFile::new();
    let mut destination = prepared(&file, &names()).await.unwrap();
    let rows: Vec<Value> = (0..2000).map(|id| json!({"Id": id.to_string(), "Name": "a"})).collect();
    let resume = checkpoint("all");
    // Another program holds the file, so the write is under way until it lets go.
    let other = file.connect();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut call = destination.write(batch(&names(), &rows), &resume, Epoch(1));
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await;
    assert!(polled.is_pending());
    drop(call);
    other.execute_batch("ROLLBACK").unwrap();
    let stored = destination.prepare(&stream(), &names(), Epoch(1)).await.unwrap();
    let count: i64 = file.query("SELECT count(*) FROM Contact");
    assert_eq!((count, stored), (2000, Some(checkpoint("all"))));
}

#[tokio::test]
async fn years_of_any_age_sort_as_text() {
    let text = |millis| Timestamp(millis).to_string();
    let file = SqliteFile::new();
    let schema = TableSchema { version: Some(1), ..table(&[("Id", ColumnType::Text), ("At", ColumnType::Timestamp)]) };
    let mut destination = prepared(&file, &schema).await.unwrap();
    let (old, new) = (text(-8_520_336_000_000), text(64_060_588_800_000));
    for at in [&old, &new, &old] {
        destination.write(batch(&schema, &[json!({"Id": "1", "At": at})]), &checkpoint("1"), Epoch(1)).await.unwrap();
    }
    assert_eq!(file.query::<String>("SELECT At FROM Contact"), new);
}

#[tokio::test]
async fn a_file_that_is_removed_or_replaced_in_the_middle_takes_no_rows_unnoticed() {
    for is_replaced in [false, true] {
        let file = SqliteFile::new();
        let mut destination = prepared(&file, &names()).await.unwrap();
        let rows = batch(&names(), &[json!({"Id": "1", "Name": "a"})]);
        destination.write(rows.clone(), &checkpoint("1"), Epoch(1)).await.unwrap();
        for suffix in ["db", "db-wal", "db-shm"] {
            std::fs::rename(file.path().with_extension(suffix), file.path().with_extension(format!("{suffix}.away")))
                .unwrap();
        }
        if is_replaced {
            std::fs::write(file.path(), "").unwrap();
        }
        let error = destination.write(rows.clone(), &checkpoint("2"), Epoch(1)).await.unwrap_err();
        assert!(matches!(error, DestinationError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("the file was moved, replaced or removed"), "{error}");
        assert_eq!(error.recovery(), Recovery::Retry { after: None });
        assert_eq!(destination.prepare(&stream(), &names(), Epoch(2)).await.unwrap(), None, "another file is opened");
        destination.write(rows, &checkpoint("1"), Epoch(2)).await.unwrap();
        assert_eq!(file.query::<i64>("SELECT count(*) FROM Contact"), 1);
    }
}

#[tokio::test]
async fn a_file_whose_checkpoints_know_no_streams_keeps_them() {
    let file = SqliteFile::new();
    let saved = serde_json::to_string(&checkpoint("old")).unwrap();
    let insert = "INSERT INTO _orgtide_checkpoints VALUES ('acme', 'Contact', 'Contact', 5, ?1)";
    file.connect()
        .execute_batch(
            "CREATE TABLE _orgtide_checkpoints (connection TEXT NOT NULL, object TEXT NOT NULL, \"table\" TEXT NOT NULL,
                 epoch INTEGER NOT NULL, checkpoint TEXT, PRIMARY KEY (connection, object, \"table\"));
             CREATE TABLE Contact (_connection TEXT NOT NULL, Id TEXT NOT NULL, Name TEXT,
                 _deleted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (_connection, Id))",
        )
        .unwrap();
    file.connect().execute(insert, [saved]).unwrap();
    let fenced = file.open().prepare(&stream(), &names(), Epoch(4)).await.unwrap_err();
    assert!(matches!(fenced, DestinationError::Fenced { current: 5, .. }), "{fenced}");
    assert_eq!(file.open().prepare(&stream(), &names(), Epoch(5)).await.unwrap(), Some(checkpoint("old")));
    let named = StreamKey { stream: Some("owners".to_owned()), ..stream() };
    let schema = TableSchema { stream: named.stream.clone(), ..names() };
    assert_eq!(file.open().prepare(&named, &schema, Epoch(1)).await.unwrap(), None);
    assert_eq!(file.query::<i64>("SELECT count(*) FROM _orgtide_checkpoints"), 2);
    assert_eq!(file.query::<i64>("SELECT count(*) FROM sqlite_schema WHERE name = '_orgtide_unnamed'"), 0);
}

#[tokio::test]
async fn the_rows_of_one_stream_are_counted_and_removed_without_those_of_another() {
    let file = SqliteFile::new();
    let settings = file.settings();
    let named = |name: &str| StreamKey { stream: Some(name.to_owned()), ..stream() };
    for (name, ids) in [("contacts", &["1", "2"][..]), ("owners", &["3"])] {
        let schema = TableSchema { stream: Some(name.to_owned()), ..names() };
        let rows: Vec<Value> = ids.iter().map(|id| json!({"Id": id, "Name": "a"})).collect();
        let mut destination = file.open();
        destination.prepare(&named(name), &schema, Epoch(1)).await.unwrap();
        destination.write(batch(&schema, &rows), &checkpoint("1"), Epoch(1)).await.unwrap();
        destination.close().await.unwrap();
    }
    let present = async |key: &StreamKey| destinations::count(&settings, key).await.unwrap().present;
    assert_eq!(
        (present(&named("contacts")).await, present(&named("owners")).await, present(&stream()).await),
        (2, 1, 0)
    );
    assert_eq!(destinations::remove(&settings, &named("contacts")).await.unwrap(), 2);
    assert_eq!((present(&named("contacts")).await, present(&named("owners")).await), (0, 1));
    assert_eq!(file.query::<String>("SELECT group_concat(stream) FROM _orgtide_checkpoints"), "owners");
    assert_eq!(destinations::remove(&settings, &named("owners")).await.unwrap(), 1);
    assert_eq!(file.query::<i64>("SELECT count(*) FROM sqlite_schema WHERE name = 'Contact'"), 0);
}

#[tokio::test]
async fn a_sweep_of_a_table_that_was_not_prepared_for_it_and_a_patch_without_its_key_are_refused() {
    let file = SqliteFile::new();
    let mut destination = prepared(&file, &names()).await.unwrap();
    let sweeping = Checkpoint { sweep: Some(1), ..checkpoint("1") };
    let rows = batch(&names(), &[json!({"Id": "1", "Name": "a"})]);
    let error = destination.write(rows.clone(), &sweeping, Epoch(1)).await.unwrap_err();
    assert!(error.to_string().contains("was not prepared for it"), "{error}");
    for columns in [vec![1], vec![0, 7]] {
        let patch = Patch { columns, rows: rows.upserts.clone() };
        let patched = TableBatch { patch: Some(patch), ..TableBatch::empty(&names()) };
        let error = destination.write(patched, &checkpoint("1"), Epoch(1)).await.unwrap_err();
        assert!(error.to_string().contains("columns are not those"), "{error}");
    }
    assert_eq!(file.query::<i64>("SELECT count(*) FROM Contact"), 0);
}

#[tokio::test]
async fn to_look_ahead_waits_for_nobody_who_writes_to_the_file() {
    let file = SqliteFile::new();
    file.sql(
        "PRAGMA journal_mode = WAL; CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO customers VALUES (1, 'a')",
    );
    let matching = json!({
        "table": "customers", "key": "id", "by": [[{ "theirs": "id", "ours": "Id" }]],
        "columns": { "name": { "from": "Name", "wins": "salesforce" } }
    });
    let table = TableSchema { matching: Some(serde_json::from_value(matching).unwrap()), ..names() };
    let writer = file.connect();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE customers SET name = 'not committed'").unwrap();
    let rows = batch(&table, &[json!({ "Id": "1", "Name": "b" })]).upserts;
    let foreseen = matching::foresee(&file.settings(), &table, &stream(), &rows).await.unwrap();
    let Some(Filling::Changes { changes }) = &foreseen[0].filling else { panic!("{foreseen:?}") };
    let change = (changes[0].was.as_deref(), changes[0].becomes.as_deref());
    assert_eq!(change, (Some("a"), Some("b")));
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(file.query::<String>("SELECT name FROM customers"), "not committed");
}
