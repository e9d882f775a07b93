//! Where both sides write: a SQLite file each, a schema each of a private PostgreSQL, or Parquet files.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    columns::{self, Contents},
    duckdb::DuckDb,
};
use crate::{
    Failure,
    command::{output_of, succeed},
    postgres::{self, Postgres},
};

/// File or schema of Orgtide's table.
pub(super) const OURS: &str = "orgtide";
/// File or schema of the floor's table.
pub(super) const FLOOR: &str = "floor";

/// Debian's PostgreSQL with its settings as they come, except that a commit does not wait for the disk, on either side.
pub(super) struct Server {
    server: Postgres,
    psql: PathBuf,
}

impl Server {
    pub(super) fn start() -> Result<Self, Failure> {
        let programs = postgres::programs().ok_or_else(|| Failure::new("PostgreSQL is not here"))?;
        Ok(Self { server: Postgres::start(&programs)?, psql: programs.join("psql") })
    }

    /// `psql` that stops at the first error; `arguments` go to it.
    pub(super) fn psql(&self, arguments: &[&str]) -> Command {
        let mut psql = Command::new(&self.psql);
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
        psql.arg(self.server.url()).args(arguments);
        psql
    }

    /// The address for Orgtide; the password goes into a file in `folder`.
    fn address(&self, schema: &str, folder: &Path) -> Result<String, Failure> {
        let parts = || {
            let (user, rest) = self.server.url().strip_prefix("postgres://")?.split_once(':')?;
            let (password, place) = rest.split_once('@')?;
            Some((user, password, place))
        };
        let (user, password, place) = parts().ok_or_else(|| Failure::new("the server has no such address"))?;
        let passfile = folder.join("pgpass");
        fs::write(&passfile, format!("*:*:*:*:{password}\n"))?;
        fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600))?;
        Ok(format!("postgres://{user}@{place}?schema={schema}&passfile={}&sslmode=disable", passfile.display()))
    }
}

#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Sqlite,
    Postgres(&'a Server),
    Parquet(&'a DuckDb),
}

impl Place<'_> {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
            Self::Parquet(_) => "parquet",
        }
    }

    /// Removes what an earlier run has left.
    pub(super) fn prepare(self) -> Result<(), Failure> {
        match self {
            Self::Sqlite | Self::Parquet(_) => Ok(()),
            Self::Postgres(server) => {
                let drop = format!("DROP SCHEMA IF EXISTS {OURS}, {FLOOR} CASCADE");
                succeed(&mut server.psql(&["--command", "SET client_min_messages = error", "--command", &drop]))?;
                // Neither side pays for writing back what the other has left.
                succeed(&mut server.psql(&["--command", "CHECKPOINT"]))
            }
        }
    }

    /// The destination, as `orgtide import --to` takes it.
    pub(super) fn address(self, folder: &Path) -> Result<String, Failure> {
        match self {
            Self::Sqlite => Ok(format!("sqlite:{}", file(folder, OURS).display())),
            Self::Postgres(server) => server.address(OURS, folder),
            Self::Parquet(_) => Ok(format!("parquet:{}", folder.join(OURS).display())),
        }
    }

    /// Rows and checksum of one side's contacts.
    pub(super) fn contents(self, side: &str, folder: &Path) -> Result<Contents, Failure> {
        match self {
            Self::Sqlite => columns::contents(&file(folder, side)),
            Self::Postgres(server) => {
                let one = |sql: String| output_of(&mut server.psql(&["--command", &sql]));
                let rows = one(format!("SELECT count(*) FROM {side}.\"Contact\""))?;
                let values = columns::typed_values();
                let checksum = one(format!(
                    "SELECT md5(string_agg(md5(ROW({values})::text), '' ORDER BY \"Id\" COLLATE \"C\")) FROM {side}.\"Contact\""
                ))?;
                Contents::new(&rows, &checksum)
            }
            Self::Parquet(duckdb) => duckdb.contents(&match side {
                OURS => folder.join(OURS).join("Contact/current/*.parquet"),
                floor => parquet_file(folder, floor),
            }),
        }
    }
}

/// One side's SQLite file.
pub(super) fn file(folder: &Path, side: &str) -> PathBuf {
    folder.join(format!("{side}.db"))
}

/// One side's Parquet file.
pub(super) fn parquet_file(folder: &Path, side: &str) -> PathBuf {
    folder.join(format!("{side}.parquet"))
}
