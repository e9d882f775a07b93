//! Control stores to test with: a file always, a PostgreSQL database where a server is given.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use orgtide::{
    clock::{Clock, SharedClock},
    store::{Store, StoreAddress, StoreError},
    vault::Vault,
};
use salesforce::Timestamp;
use secrecy::SecretString;

/// A clock that moves only when it is told.
#[derive(Debug)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(1_750_000_000_000))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub(crate) fn advance_by(&self, duration: std::time::Duration) {
        self.0.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

enum Address {
    File(PathBuf),
    Url(SecretString),
}

/// One database, which any number of processes open.
pub(crate) struct Fixture {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) keyring: String,
    address: Address,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn new(directory: tempfile::TempDir, address: Address) -> Self {
        let clock = Arc::new(HandClock::new());
        Self { clock, keyring: Vault::fresh_keyring().to_string(), address, _directory: directory }
    }

    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("control.sqlite");
        Self::new(directory, Address::File(file))
    }

    /// Opens the store as a further process does.
    pub(crate) async fn open(&self) -> Result<Store, StoreError> {
        self.open_with(self.clock.clone()).await
    }

    /// The same with another clock.
    pub(crate) async fn open_with(&self, clock: SharedClock) -> Result<Store, StoreError> {
        let address = match &self.address {
            Address::File(path) => StoreAddress::File(path),
            Address::Url(url) => StoreAddress::Url(url),
        };
        let vault = Arc::new(Vault::from_keyring(&self.keyring).unwrap());
        Store::open(address, clock, vault).await
    }

    /// `sqlite` or `postgres`.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.address {
            Address::File(_) => "sqlite",
            Address::Url(_) => "postgres",
        }
    }

    /// Where it is, for another process: a path, or a URL.
    pub(crate) fn place(&self) -> String {
        match &self.address {
            Address::File(path) => path.display().to_string(),
            Address::Url(url) => secrecy::ExposeSecret::expose_secret(url).to_owned(),
        }
    }

    /// Runs a statement past the store, as a person with a database client does.
    pub(crate) async fn tamper(&self, sql: &str) {
        match &self.address {
            Address::File(path) => rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap(),
            Address::Url(url) => {
                let client = postgres::client(secrecy::ExposeSecret::expose_secret(url)).await;
                client.batch_execute(sql).await.unwrap();
            }
        }
    }

    /// The tables that have a column of that name.
    pub(crate) async fn tables_with_column(&self, column: &str) -> Vec<String> {
        match &self.address {
            Address::File(path) => {
                let file = rusqlite::Connection::open(path).unwrap();
                let sql = "SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c \
                     WHERE m.type = 'table' AND c.name = ?1";
                let mut statement = file.prepare(sql).unwrap();
                statement.query_map([column], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
            }
            Address::Url(url) => {
                let client = postgres::client(secrecy::ExposeSecret::expose_secret(url)).await;
                let sql = "SELECT table_name::text FROM information_schema.columns \
                     WHERE column_name = $1 AND table_schema = 'public'";
                client.query(sql, &[&column]).await.unwrap().iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Everything the database holds, as bytes, to look for what must not be there.
    pub(crate) async fn dump(&self) -> Vec<u8> {
        match &self.address {
            Address::File(path) => ["", "-wal"]
                .iter()
                .flat_map(|suffix| std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default())
                .collect(),
            Address::Url(url) => postgres::dump(secrecy::ExposeSecret::expose_secret(url)).await,
        }
    }
}

pub(crate) mod postgres {
    use std::future::Future;

    use super::*;

    /// A database of its own on the server that `ORGTIDE_TEST_POSTGRES` names; gone when the test ends.
    pub(crate) async fn with_fixture<F: Future<Output = ()> + Send + 'static>(test: fn(Fixture) -> F) {
        let Ok(server) = std::env::var("ORGTIDE_TEST_POSTGRES") else {
            eprintln!("skipped: ORGTIDE_TEST_POSTGRES names no server where databases may be created");
            return;
        };
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).unwrap();
        let name = format!("orgtide_test_{:016x}", u64::from_be_bytes(random));
        let mut url = url::Url::parse(&server).expect("ORGTIDE_TEST_POSTGRES is a URL");
        client(&server).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        url.set_path(&name);
        let fixture = Fixture::new(tempfile::tempdir().unwrap(), Address::Url(url.to_string().into()));
        let outcome = tokio::spawn(test(fixture)).await;
        client(&server).await.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        if let Err(error) = outcome {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    pub(crate) async fn client(url: &str) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub(crate) async fn dump(url: &str) -> Vec<u8> {
        let client = client(url).await;
        let tables = client.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap();
        let mut dump = Vec::new();
        for table in &tables {
            let sql = format!("SELECT row_to_json(t)::text FROM {} t", table.get::<_, String>(0));
            for row in client.query(&sql, &[]).await.unwrap() {
                dump.extend_from_slice(row.get::<_, String>(0).as_bytes());
            }
        }
        dump
    }
}

/// Declares each test twice: once on SQLite, once on PostgreSQL.
macro_rules! on_both_databases {
    ($(async fn $name:ident($fixture:ident: Fixture) $body:block)*) => {
        $(async fn $name($fixture: crate::database::Fixture) $body)*

        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::database::Fixture::sqlite()).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                crate::database::postgres::with_fixture(super::$name).await;
            })*
        }
    };
}
pub(crate) use on_both_databases;
