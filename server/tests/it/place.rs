//! Where imports put rows, with a database client beside it as a vendor has one.

use std::path::{Path, PathBuf};

use crate::database::postgres;

/// A destination, and a client of the same database.
pub(crate) enum Place {
    File(PathBuf),
    Schema(Box<Schema>),
}

impl Place {
    /// A file in `folder`, and a schema where `ORGTIDE_TEST_POSTGRES` names a server.
    pub(crate) async fn each(folder: &Path) -> Vec<Self> {
        let mut places = vec![Self::File(folder.join("rows.db"))];
        places.extend(Schema::start().await.map(|schema| Self::Schema(Box::new(schema))));
        places
    }

    /// As `--to` takes it.
    pub(crate) fn to(&self) -> String {
        match self {
            Self::File(path) => format!("sqlite:{}", path.display()),
            Self::Schema(schema) => schema.to.clone(),
        }
    }

    pub(crate) async fn execute(&self, sql: &str) {
        match self {
            Self::File(path) => rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap(),
            Self::Schema(schema) => schema.client.batch_execute(sql).await.unwrap(),
        }
    }

    /// What a query for one text a row answers.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<Option<String>> {
        match self {
            Self::File(path) => {
                let file = rusqlite::Connection::open(path).unwrap();
                let mut query = file.prepare(sql).unwrap();
                query.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap().map(Result::unwrap).collect()
            }
            Self::Schema(schema) => schema.client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect(),
        }
    }

    /// How many rows `FROM … WHERE …` names.
    pub(crate) async fn count(&self, from: &str) -> usize {
        let counted = self.texts(&format!("SELECT CAST(count(*) AS TEXT) FROM {from}")).await;
        counted[0].as_ref().unwrap().parse().unwrap()
    }

    /// The columns of a table that come from the mapping, sorted.
    pub(crate) async fn columns(&self, table: &str) -> Vec<String> {
        let sql = match self {
            Self::File(_) => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY name"),
            Self::Schema(_) => format!(
                "SELECT column_name::text FROM information_schema.columns \
                 WHERE table_schema = current_schema AND table_name = '{table}' ORDER BY column_name COLLATE \"C\""
            ),
        };
        let names = self.texts(&sql).await.into_iter().flatten();
        names.filter(|name| !name.starts_with('_')).collect()
    }

    /// The rows of a table, each as one text, sorted: what stands in these columns.
    pub(crate) async fn rows(&self, table: &str, columns: &[String]) -> Vec<String> {
        let cells: Vec<String> =
            columns.iter().map(|name| format!("'{name}=' || coalesce(CAST(\"{name}\" AS TEXT), 'null')")).collect();
        let mut rows: Vec<String> = self
            .texts(&format!("SELECT {} FROM \"{table}\"", cells.join(" || '; ' || ")))
            .await
            .into_iter()
            .flatten()
            .collect();
        rows.sort();
        rows
    }
}

/// A schema of its own; gone when dropped.
pub(crate) struct Schema {
    pub(crate) name: String,
    pub(crate) to: String,
    pub(crate) client: tokio_postgres::Client,
    server: String,
    /// Holds the file with the password.
    _folder: tempfile::TempDir,
}

impl Schema {
    /// `None`, and said so: no server is named.
    pub(crate) async fn start() -> Option<Self> {
        let Ok(server) = std::env::var("ORGTIDE_TEST_POSTGRES") else {
            eprintln!("skipped: ORGTIDE_TEST_POSTGRES names no server where schemas may be created");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let passwords = folder.path().join("pgpass");
        let mut url = url::Url::parse(&server).unwrap();
        std::fs::write(&passwords, format!("*:*:*:*:{}\n", url.password().unwrap_or_default())).unwrap();
        owner_alone(&passwords);
        let name = folder.path().file_name().unwrap().to_str().unwrap().replace(".tmp", "orgtide_test_");
        url.set_password(None).unwrap();
        url.query_pairs_mut().append_pair("schema", &name).append_pair("passfile", passwords.to_str().unwrap());
        let client = postgres::client(&server).await;
        let quoted = format!("\"{name}\"");
        client.batch_execute(&format!("CREATE SCHEMA {quoted}; SET search_path = {quoted}")).await.unwrap();
        Some(Self { name, to: url.to_string(), client, server, _folder: folder })
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA \"{}\" CASCADE", self.name);
        let dropped = async { postgres::client(&self.server).await.batch_execute(&sql).await };
        let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(dropped);
        // On a thread of its own, which may block.
        std::thread::scope(|scope| scope.spawn(run).join()).unwrap().unwrap();
    }
}

/// A password file that others may read is not used.
fn owner_alone(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
