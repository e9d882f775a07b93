//! What is particular to PostgreSQL servers.

mod foresight;
mod server;
mod tables;

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, sync::Once, thread};

use destinations::{
    DestinationSettings, RowCounts,
    postgres::{PostgresSettings, identifier},
};
use serde_json::{Value, json};
use sync::{
    Recovery,
    checkpoint::{Checkpoint, Epoch},
    destination::{Destination, DestinationError},
    table::{ColumnType, Patch, StreamKey, TableBatch, TableSchema},
};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls, config::Host};

use crate::{
    case::{Place, checkpoint},
    contact::{batch, names, stream, table},
    rows::Row,
};

/// Debian's server, and the oldest one that rows are written to.
const VARIABLES: [&str; 2] = ["ORGTIDE_TEST_POSTGRES", "ORGTIDE_TEST_POSTGRES_13"];

/// A schema of its own on a server; gone when dropped.
pub(crate) struct PostgresSchema {
    server: Config,
    name: String,
    /// Holds the file with the password.
    folder: TempDir,
}

impl PostgresSchema {
    /// One on each server that the environment names; says which is missing.
    pub(crate) fn on_each_server() -> Vec<Self> {
        static SAID: Once = Once::new();
        let addresses: Vec<_> = VARIABLES.iter().map(|variable| (variable, std::env::var(variable))).collect();
        SAID.call_once(|| {
            for (variable, _) in addresses.iter().filter(|(_, address)| address.is_err()) {
                eprintln!("skipped: {variable} names no server where schemas may be created");
            }
        });
        addresses.into_iter().filter_map(|(_, address)| Some(Self::on(&address.ok()?))).collect()
    }

    fn on(server: &str) -> Self {
        let server: Config = server.parse().expect("the variable holds a URL");
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("pgpass");
        let secret = std::str::from_utf8(server.get_password().unwrap_or_default()).unwrap();
        fs::write(&password, format!("*:*:*:{}:{secret}\n", server.get_user().unwrap())).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap().replace(".tmp", "orgtide_test_");
        Self { server, name, folder }
    }

    /// The address for this schema, with more parameters.
    fn address(&self, more: &str) -> PostgresSettings {
        let host = match self.server.get_hosts() {
            [Host::Tcp(host)] => host.clone(),
            other => panic!("{other:?}"),
        };
        let user = self.server.get_user().unwrap();
        let (port, database) = (self.server.get_ports()[0], self.server.get_dbname().unwrap());
        let (schema, folder) = (&self.name, self.folder.path().display());
        let address =
            format!("postgres://{user}@{host}:{port}/{database}?schema={schema}&passfile={folder}/pgpass{more}");
        PostgresSettings::parse(&address).unwrap()
    }

    async fn client(&self) -> Client {
        let (client, connection) = self.server.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("SET search_path = {}; SET timezone = 'UTC'", quoted(&self.name))).await.unwrap();
        client
    }

    async fn execute(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.unwrap();
    }

    async fn query<T: for<'a> tokio_postgres::types::FromSql<'a>>(&self, query: &str) -> T {
        self.client().await.query_one(query, &[]).await.unwrap().get(0)
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

    async fn assert_incompatible(&self, table: &TableSchema, words: &str) {
        let error = self.refused(table).await;
        assert!(matches!(error, DestinationError::Incompatible { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.recovery(), Recovery::Configure);
    }

    /// Relations and columns of the schema, as a text that changes when one does.
    async fn shape(&self) -> String {
        let query = format!(
            "SELECT coalesce(string_agg(relname || '.' || attname || ' ' || format_type(atttypid, atttypmod), ', '
                 ORDER BY relname, attnum), '')
             FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
             WHERE nspname = '{}' AND attnum > 0 AND NOT attisdropped",
            self.name
        );
        self.query(&query).await
    }

    /// The shape, and every row.
    async fn whole(&self) -> Vec<String> {
        let client = self.client().await;
        let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = $1 ORDER BY 1";
        let mut whole = vec![self.shape().await];
        for table in client.query(tables, &[&self.name]).await.unwrap() {
            let rows = format!("SELECT t::text FROM {} AS t ORDER BY 1", quoted(table.get(0)));
            whole.extend(client.query(&rows, &[]).await.unwrap().iter().map(|row| row.get(0)));
        }
        whole
    }

    async fn all_rows(&self, table: &str, order: &[String]) -> Vec<Row> {
        let client = self.client().await;
        let query = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
                     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let table = quoted(&identifier(table));
        let columns: Vec<(String, String)> =
            client.query(query, &[&table]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
        let spelled: Vec<String> = columns
            .iter()
            .map(|(name, kind)| {
                let name = quoted(name);
                match kind.as_str() {
                    "timestamp with time zone" => format!("to_char({name}, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"),
                    "time without time zone" => format!("to_char({name}::interval, 'HH24:MI:SS.MS')"),
                    _ => format!("{name}::text"),
                }
            })
            .collect();
        let order: Vec<String> = order.iter().map(|name| quoted(name)).collect();
        let query = format!("SELECT {} FROM {table} ORDER BY {}", spelled.join(", "), order.join(", "));

        let value = |kind: &str, text: Option<String>| match (kind, text) {
            (_, None) => Value::Null,
            ("boolean" | "bigint", Some(text)) => serde_json::from_str(&text).unwrap(),
            (_, Some(text)) => Value::String(text),
        };
        let rows = client.query(&query, &[]).await.unwrap();
        rows.iter()
            .map(|row| {
                let cell =
                    |(index, (name, kind)): (usize, &(String, String))| (name.clone(), value(kind, row.get(index)));
                columns.iter().enumerate().map(cell).collect()
            })
            .collect()
    }
}

impl Drop for PostgresSchema {
    fn drop(&mut self) {
        // A test that failed may have left a transaction open on a connection that nobody serves any more.
        let schema = format!("(SELECT oid FROM pg_namespace WHERE nspname = '{}')", self.name);
        apart(self.execute(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_class c ON c.oid = relation
             WHERE relnamespace = {schema} AND pid <> pg_backend_pid();
             DROP SCHEMA IF EXISTS {} CASCADE",
            quoted(&self.name)
        )));
    }
}

impl Place for PostgresSchema {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn open(&self) -> Box<dyn Destination> {
        destinations::open(&self.settings()).unwrap()
    }

    fn settings(&self) -> DestinationSettings {
        DestinationSettings::Postgres(Box::new(self.address("")))
    }

    fn rows(&self, table: &str, order: &[String], _kinds: &BTreeMap<String, ColumnType>) -> Vec<Row> {
        apart(self.all_rows(table, order))
    }

    fn everything(&self) -> Vec<String> {
        apart(self.whole())
    }

    fn sql(&self, statement: &str) {
        let schema = quoted(&self.name);
        apart(self.execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}; {statement}")));
    }
}

/// Waits for a future on a thread of its own, which may block.
fn apart<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
    thread::scope(|scope| scope.spawn(run).join().unwrap())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn one() -> TableBatch {
    batch(&names(), &[json!({"Id": "1", "Name": "a"})])
}

const IDS: &str = "SELECT coalesce(string_agg(\"Id\", ',' ORDER BY \"Id\"), '') FROM \"Contact\"";

#[tokio::test]
async fn a_write_that_fails_midway_leaves_neither_rows_nor_checkpoint() {
    for place in PostgresSchema::on_each_server() {
        let mut destination = place.prepared(&names()).await.unwrap();
        destination.write(one(), &checkpoint("first"), Epoch(1)).await.unwrap();
        place.execute("ALTER TABLE \"Contact\" ADD CONSTRAINT no_3 CHECK (\"Id\" <> '3')").await;
        let second = batch(&names(), &[json!({"Id": "2", "Name": "b"}), json!({"Id": "3", "Name": "secret"})]);
        let error = destination.write(second.clone(), &checkpoint("second"), Epoch(1)).await.unwrap_err();
        assert!(matches!(&error, DestinationError::Incompatible { reason, .. } if reason.contains("no_3")), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(place.query::<String>(IDS).await, "1");
        let stored = place.open().prepare(&stream(), &names(), Epoch(1)).await.unwrap();
        assert_eq!(stored, Some(checkpoint("first")));
        place.execute("ALTER TABLE \"Contact\" DROP CONSTRAINT no_3").await;
        destination.write(second, &checkpoint("second"), Epoch(1)).await.unwrap();
        assert_eq!(place.query::<String>(IDS).await, "1,2,3");
        destination.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_arrives_as_it_is_is_not_written_again() {
    for place in PostgresSchema::on_each_server() {
        let version = || place.query::<String>("SELECT string_agg(ctid::text, ' ' ORDER BY \"Id\") FROM \"Contact\"");
        let rows = [json!({"Id": "1", "Name": "a"}), json!({"Id": "2", "Name": null})];
        let mut destination = place.prepared(&names()).await.unwrap();
        destination.write(batch(&names(), &rows), &checkpoint("1"), Epoch(1)).await.unwrap();
        let before = version().await;
        let mut destination = place.prepared(&names()).await.unwrap();
        destination.write(batch(&names(), &rows), &checkpoint("2"), Epoch(1)).await.unwrap();
        assert_eq!(version().await, before);
        let changed = batch(&names(), &[rows[0].clone(), json!({"Id": "2", "Name": ""})]);
        destination.write(changed, &checkpoint("3"), Epoch(1)).await.unwrap();
        assert_ne!(version().await, before);
        assert_eq!(place.query::<String>("SELECT \"Name\" FROM \"Contact\" WHERE \"Id\" = '2'").await, "");
    }
}

#[tokio::test]
async fn a_connection_has_its_own_schema_and_prefix_where_the_address_says_so() {
    for place in PostgresSchema::on_each_server() {
        let address = place.address("&prefix={connection}.").to_string();
        let address = address.replace(&place.name, &format!("{}_{{connection}}", place.name));
        let settings: DestinationSettings = address.parse().unwrap();
        for connection in ["acme", "Big Corp"] {
            let key = StreamKey { connection: connection.to_owned(), ..stream() };
            let mut destination = destinations::open(&settings).unwrap();
            destination.prepare(&key, &names(), Epoch(1)).await.unwrap();
            destination.write(one(), &checkpoint("1"), Epoch(1)).await.unwrap();
            let schema = quoted(&format!("{}_{connection}", place.name));
            let rows = format!("SELECT count(*) FROM {schema}.{}", quoted(&format!("{connection}.Contact")));
            assert_eq!(place.query::<i64>(&rows).await, 1);
            assert_eq!(destinations::count(&settings, &key).await.unwrap(), RowCounts { present: 1, deleted: 0 });
            place.execute(&format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }
}

#[tokio::test]
async fn rows_are_counted_and_removed_with_their_checkpoint() {
    for place in PostgresSchema::on_each_server() {
        let settings = DestinationSettings::Postgres(Box::new(place.address("")));
        let other = StreamKey { connection: "beta".to_owned(), ..stream() };
        assert_eq!(destinations::remove(&settings, &stream()).await.unwrap(), 0);
        for key in [&stream(), &other] {
            let mut destination = place.open();
            destination.prepare(key, &names(), Epoch(1)).await.unwrap();
            let rows = batch(&names(), &[json!({"Id": "1", "Name": "a"}), json!({"Id": "2", "Name": "b"})]);
            destination.write(rows, &checkpoint("1"), Epoch(1)).await.unwrap();
        }
        place.execute("UPDATE \"Contact\" SET _deleted = true WHERE _connection = 'beta' AND \"Id\" = '1'").await;
        assert_eq!(destinations::count(&settings, &other).await.unwrap(), RowCounts { present: 1, deleted: 1 });
        assert_eq!(destinations::remove(&settings, &stream()).await.unwrap(), 2);
        assert_eq!(destinations::count(&settings, &stream()).await.unwrap(), RowCounts::default());
        assert_eq!(place.query::<String>("SELECT string_agg(connection, ',') FROM _orgtide_checkpoints").await, "beta");
        assert_eq!(destinations::remove(&settings, &other).await.unwrap(), 2);
        assert!(destinations::count(&settings, &other).await.is_err(), "the table is gone with its last row");
    }
}

#[tokio::test]
async fn rows_before_prepare_rows_of_another_shape_and_a_foreign_checkpoint_are_refused() {
    for place in PostgresSchema::on_each_server() {
        let error = place.open().write(one(), &checkpoint("1"), Epoch(1)).await.unwrap_err();
        assert!(error.to_string().contains("before the table was prepared"), "{error}");
        let dated = table(&[("Id", ColumnType::Text), ("Name", ColumnType::Date)]);
        let mut destination = place.prepared(&dated).await.unwrap();
        let error = destination.write(one(), &checkpoint("1"), Epoch(1)).await.unwrap_err();
        assert!(error.to_string().contains("columns are not those"), "{error}");
        for columns in [vec![1], vec![0, 7]] {
            let patch = Some(Patch { columns, rows: one().upserts });
            let patched = TableBatch { patch, ..TableBatch::empty(&dated) };
            let error = destination.write(patched, &checkpoint("1"), Epoch(1)).await.unwrap_err();
            assert!(error.to_string().contains("columns are not those"), "{error}");
        }
        let sweeping = Checkpoint { sweep: Some(1), ..checkpoint("1") };
        let error = destination.write(TableBatch::empty(&dated), &sweeping, Epoch(1)).await.unwrap_err();
        assert!(error.to_string().contains("was not prepared for it"), "{error}");
        place.execute("UPDATE _orgtide_checkpoints SET checkpoint = '{\"at\": 2}'").await;
        let error = place.refused(&dated).await;
        assert!(
            matches!(&error, DestinationError::Unusable { reason, .. } if reason.contains("delete its row")),
            "{error}"
        );
    }
}
