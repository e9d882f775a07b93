//! Where rows go: one file per destination.
//!
//! Start with [`open`]. A destination implements [`sync::destination::Destination`], whose documentation is the
//! contract; every case in `cases/` runs against every destination. To add one: a file here, a variant of
//! [`DestinationSettings`], and an arm in each `match` that the compiler then names.
//!
//! Absent on purpose: Salesforce, and any knowledge of where rows come from. HTTP is in `webhook` alone, which has a
//! client of its own with a policy of its own: its addresses are given by users.

pub mod files;
mod held;
mod lost;
pub mod matching;
pub mod postgres;
mod spelling;
pub mod sqlite;
pub mod webhook;
mod widening;

use std::{fmt, path::Path, str::FromStr};

use sync::{
    checkpoint::Epoch,
    destination::{Destination, DestinationError},
    table::{ColumnType, StreamKey},
};

use crate::{
    files::{FilesDestination, FilesSettings},
    postgres::{PostgresDestination, PostgresSettings},
    sqlite::{SqliteDestination, SqliteSettings},
    webhook::{Surroundings, WebhookDestination, WebhookSettings},
};

/// Which destination, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationSettings {
    Sqlite(SqliteSettings),
    Postgres(Box<PostgresSettings>),
    Files(Box<FilesSettings>),
    Webhook(Box<WebhookSettings>),
}

impl DestinationSettings {
    /// The same with paths that mean the same from any working directory.
    #[must_use]
    pub fn absolute(self) -> Self {
        match self {
            Self::Sqlite(settings) => Self::Sqlite(settings.absolute()),
            Self::Postgres(settings) => Self::Postgres(Box::new(settings.absolute())),
            Self::Files(settings) => Self::Files(Box::new(settings.absolute())),
            Self::Webhook(settings) => Self::Webhook(Box::new(settings.absolute())),
        }
    }

    /// The same, reaching others as the program around it may.
    #[must_use]
    pub fn within(self, surroundings: &Surroundings) -> Self {
        match self {
            Self::Webhook(settings) => Self::Webhook(Box::new(settings.within(surroundings))),
            Self::Sqlite(_) | Self::Postgres(_) | Self::Files(_) => self,
        }
    }

    /// The same with what it keeps beside the rows in `folder`, unless the address says where.
    #[must_use]
    pub fn with_files_in(self, folder: &Path, connection: &str) -> Self {
        match self {
            Self::Webhook(settings) => Self::Webhook(Box::new(settings.with_ledger_in(folder, connection))),
            Self::Sqlite(_) | Self::Postgres(_) | Self::Files(_) => self,
        }
    }
}

impl FromStr for DestinationSettings {
    type Err = DestinationError;

    /// Reads `sqlite:rows.db`, `sqlite:rows.db?synchronous=full`, or a plain path, which means SQLite;
    /// `postgres://user@host/database?schema=sales`; `parquet:folder`, `csv:folder`, `jsonl:folder`, `s3://bucket/prefix?region=eu-central-1`; and
    /// `webhook:https://host/path`.
    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let folder = text.split_once(':').and_then(|(scheme, rest)| FilesSettings::parse_folder(scheme, rest));
        if let Some(settings) = folder {
            return settings.map(Box::new).map(Self::Files);
        }
        match text.split_once(':') {
            Some(("sqlite", rest)) => SqliteSettings::parse(rest).map(Self::Sqlite),
            Some(("postgres" | "postgresql", _)) => PostgresSettings::parse(text).map(Box::new).map(Self::Postgres),
            Some(("s3", rest)) => {
                let bucket = rest.strip_prefix("//").unwrap_or(rest);
                FilesSettings::parse_bucket(bucket).map(Box::new).map(Self::Files)
            }
            Some(("webhook", _)) => WebhookSettings::parse(text).map(Box::new).map(Self::Webhook),
            // A single letter is a drive. The rest is not repeated: there may be a password in it.
            Some((scheme, _)) if is_scheme(scheme) => Err(DestinationError::Unusable {
                place: "the destination".to_owned(),
                reason: format!(
                    "{scheme:?} is no kind of destination; write sqlite:<path>, a path, \
                     postgres://<user>@<host>/<database>, parquet:<folder>, csv:<folder>, jsonl:<folder>, \
                     s3://<bucket>/<prefix>, or webhook:https://<host>/<path>"
                ),
            }),
            Some(_) | None => SqliteSettings::at(Path::new(text)).map(Self::Sqlite),
        }
    }
}

impl fmt::Display for DestinationSettings {
    /// Writes what [`FromStr`] reads.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(settings) => settings.fmt(out),
            Self::Postgres(settings) => settings.fmt(out),
            Self::Files(settings) => settings.fmt(out),
            Self::Webhook(settings) => settings.fmt(out),
        }
    }
}

impl DestinationSettings {
    /// What a stream's table is called in the destination.
    pub fn table_name(&self, stream: &StreamKey) -> String {
        match self {
            Self::Sqlite(_) | Self::Files(_) | Self::Webhook(_) => stream.table.clone(),
            Self::Postgres(settings) => settings.table_name(stream),
        }
    }

    /// What a column is called in the destination.
    pub fn column_name(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) | Self::Files(_) | Self::Webhook(_) => column.to_owned(),
            Self::Postgres(_) => postgres::identifier(column).into_owned(),
        }
    }
}

/// A destination for one stream. Nothing is touched before its `prepare`.
///
/// # Errors
/// The destination's thread cannot be started, or a webhook has no ledger.
pub fn open(settings: &DestinationSettings) -> Result<Box<dyn Destination>, DestinationError> {
    match settings {
        DestinationSettings::Sqlite(settings) => Ok(Box::new(SqliteDestination::start(settings.clone())?)),
        DestinationSettings::Postgres(settings) => Ok(Box::new(PostgresDestination::new((**settings).clone()))),
        DestinationSettings::Files(settings) => Ok(Box::new(FilesDestination::start((**settings).clone())?)),
        DestinationSettings::Webhook(settings) => Ok(Box::new(WebhookDestination::new((**settings).clone())?)),
    }
}

/// How many rows of a stream its table holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows whose record exists.
    pub present: u64,
    /// Rows that are kept although their record was deleted.
    pub deleted: u64,
}

/// Counts a stream's rows.
///
/// # Errors
/// The destination cannot be read, or has no such table.
pub async fn count(settings: &DestinationSettings, stream: &StreamKey) -> Result<RowCounts, DestinationError> {
    match settings {
        DestinationSettings::Sqlite(settings) => blocking(settings, stream, sqlite::count::count).await,
        DestinationSettings::Postgres(settings) => postgres::count(settings, stream).await,
        DestinationSettings::Files(settings) => blocking(&**settings, stream, files::rows::count).await,
        DestinationSettings::Webhook(settings) => webhook::count(settings, stream).await,
    }
}

/// Looks whether a stream's rows are its own to remove.
///
/// # Errors
/// [`DestinationError::NotOurs`]: under the connection's name another org's rows are there, or another installation writes
/// them. Or the destination cannot be read.
pub async fn may_remove(settings: &DestinationSettings, stream: &StreamKey) -> Result<(), DestinationError> {
    match settings {
        DestinationSettings::Sqlite(settings) => blocking(settings, stream, sqlite::remove::may_remove).await,
        DestinationSettings::Postgres(settings) => postgres::may_remove(settings, stream).await,
        DestinationSettings::Files(settings) => blocking(&**settings, stream, files::rows::may_remove).await,
        DestinationSettings::Webhook(settings) => webhook::may_remove(settings, stream).await,
    }
}

/// Removes a stream's rows, with its checkpoint, for good; returns how many. The caller sees to it that the stream is not
/// run meanwhile.
///
/// # Errors
/// As [`may_remove`], or the destination cannot be written; nothing is removed then.
pub async fn remove(settings: &DestinationSettings, stream: &StreamKey) -> Result<u64, DestinationError> {
    match settings {
        DestinationSettings::Sqlite(settings) => blocking(settings, stream, sqlite::remove::remove).await,
        DestinationSettings::Postgres(settings) => postgres::remove(settings, stream).await,
        DestinationSettings::Files(settings) => blocking(&**settings, stream, files::rows::remove).await,
        DestinationSettings::Webhook(settings) => webhook::remove(settings, stream).await,
    }
}

/// Removes a stream's rows and checkpoint as [`remove`] does, and leaves its place to the rows of another org: those of
/// whichever comes next under the same connection's name, of this installation. Writers of an older epoch are refused from
/// then on, so that none comes back that stood still meanwhile.
///
/// # Errors
/// As [`remove`]; [`DestinationError::Fenced`] when a newer epoch holds the stream.
pub async fn hand_over(
    settings: &DestinationSettings,
    stream: &StreamKey,
    epoch: Epoch,
) -> Result<u64, DestinationError> {
    match settings {
        DestinationSettings::Sqlite(settings) => {
            blocking(settings, stream, move |settings, stream| sqlite::remove::hand_over(settings, stream, epoch)).await
        }
        DestinationSettings::Postgres(settings) => postgres::hand_over(settings, stream, epoch).await,
        DestinationSettings::Files(settings) => {
            blocking(&**settings, stream, move |settings, stream| files::rows::hand_over(settings, stream, epoch)).await
        }
        DestinationSettings::Webhook(settings) => webhook::hand_over(settings, stream, epoch).await,
    }
}

/// A column of a table, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredColumn {
    pub name: String,
    /// The type, as the database spells it.
    pub declared: String,
}

impl DeclaredColumn {
    /// The type of a stream's column that holds the same; `None`: there is none like it.
    pub fn kind(&self) -> Option<ColumnType> {
        let declared = self.declared.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        if declared.ends_with("[]") {
            return None;
        }
        // In this order: `timestamp with time zone` is no time, and `interval` and `point` are no integers.
        if has(&["timestamp", "datetime"]) {
            Some(ColumnType::Timestamp)
        } else if has(&["json"]) {
            Some(ColumnType::Json)
        } else if has(&["bool"]) {
            Some(ColumnType::Boolean)
        } else if has(&["char", "text", "clob", "uuid"]) {
            Some(ColumnType::Text)
        } else if has(&["numeric", "decimal", "real", "double", "float", "money"]) {
            Some(ColumnType::Decimal)
        } else if has(&["interval", "point"]) {
            None
        } else if has(&["int", "serial"]) {
            Some(ColumnType::Integer)
        } else if has(&["date"]) {
            Some(ColumnType::Date)
        } else if has(&["time"]) {
            Some(ColumnType::Time)
        } else {
            None
        }
    }
}

/// The columns of a table, whoever made it; none: there is no such table. The stream names the table, and the connection
/// whose schema it is in.
///
/// # Errors
/// The destination cannot be read.
pub async fn columns(
    settings: &DestinationSettings,
    stream: &StreamKey,
) -> Result<Vec<DeclaredColumn>, DestinationError> {
    match settings {
        DestinationSettings::Sqlite(settings) => blocking(settings, stream, sqlite::columns::columns).await,
        DestinationSettings::Postgres(settings) => postgres::columns(settings, stream).await,
        DestinationSettings::Files(settings) => blocking(&**settings, stream, files::rows::columns).await,
        DestinationSettings::Webhook(_) => Ok(Vec::new()),
    }
}

/// Files are worked on where a thread may block.
async fn blocking<S: Clone + Send + 'static, T: Send + 'static>(
    settings: &S,
    stream: &StreamKey,
    work: impl FnOnce(&S, &StreamKey) -> Result<T, DestinationError> + Send + 'static,
) -> Result<T, DestinationError> {
    let (settings, stream) = (settings.clone(), stream.clone());
    let task = tokio::task::spawn_blocking(move || work(&settings, &stream));
    task.await.expect("counting and removing do not panic")
}

/// Why a table does not take the rows of a connection under whose name another org's are there, or another
/// installation's.
fn other_writer(stream: &StreamKey, other_org: &str, other_installation: &str) -> String {
    let StreamKey { connection, org, installation, .. } = stream;
    if !other_org.is_empty() && other_org != org {
        return format!(
            "its rows of connection {connection:?} are of org {other_org}, and this connection is of org {org}: another \
             installation writes them. Give the connection another name, or write to another file, schema or prefix. If \
             nobody writes them any more, delete the connection's rows here and in _orgtide_checkpoints"
        );
    }
    format!(
        "its rows of connection {connection:?} are written by another installation of Orgtide ({other_installation}; this \
         one is {installation}), and each would undo what the other does. Give the connection another name, or write to \
         another file, schema or prefix. If the other one is gone, or its control store is lost, delete the connection's \
         rows in _orgtide_checkpoints: everything is imported anew then, over the rows that are there"
    )
}

/// Why the rows of a connection are not removed by an installation that has not written them.
fn not_ours(stream: &StreamKey, other_org: &str, other_installation: &str) -> String {
    let StreamKey { connection, org, installation, table, .. } = stream;
    let whose = match !other_org.is_empty() && other_org != org {
        true => format!(
            "of org {other_org}, and this connection is of org {org}: another installation of Orgtide writes them"
        ),
        false => {
            format!("written by another installation of Orgtide ({other_installation}; this one is {installation})")
        }
    };
    format!(
        "those of connection {connection:?} are {whose}. Remove them there; to end the connection here, keep the data. If \
         the other installation is gone, or its control store is lost, delete the connection's rows in {table} and in \
         _orgtide_checkpoints yourself"
    )
}

fn is_scheme(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_type_is_known_by_what_it_holds() {
        let kind = |declared: &str| DeclaredColumn { name: "x".into(), declared: declared.into() }.kind();
        for declared in ["VARCHAR(80)", "character varying(20)", "TEXT", "uuid"] {
            assert_eq!(kind(declared), Some(ColumnType::Text), "{declared}");
        }
        assert_eq!([kind("bigint"), kind("INTEGER")], [Some(ColumnType::Integer); 2]);
        assert_eq!(kind("numeric(12,2)"), Some(ColumnType::Decimal));
        assert_eq!(kind("timestamp with time zone"), Some(ColumnType::Timestamp));
        assert_eq!([kind("date"), kind("time(3) without time zone")], [Some(ColumnType::Date), Some(ColumnType::Time)]);
        assert_eq!([kind("interval"), kind("point"), kind("text[]"), kind("")], [None; 4]);
    }

    fn read(text: &str) -> String {
        text.parse::<DestinationSettings>().map_or_else(|error| error.to_string(), |settings| settings.to_string())
    }

    #[test]
    fn a_path_and_a_url_name_the_same_destination() {
        assert_eq!(read("data/rows.db"), "sqlite:data/rows.db?synchronous=normal");
        assert_eq!(read("sqlite:data/rows.db"), "sqlite:data/rows.db?synchronous=normal");
        assert_eq!(read("sqlite:/x.db?synchronous=full"), "sqlite:/x.db?synchronous=full");
        assert_eq!(read("C:\\rows.db"), "sqlite:C:\\rows.db?synchronous=normal");
        assert_eq!(read("why?.db"), "sqlite:why?.db?synchronous=normal");
        assert_eq!(read(&read("why?.db")), read("why?.db"));
    }

    #[test]
    fn a_destination_that_does_not_exist_or_keeps_nothing_is_refused_with_what_to_write() {
        let said = read("mysql://root:hunter2@h/d");
        assert!(said.contains("sqlite:<path>") && said.contains("postgres://") && !said.contains("hunter2"), "{said}");
        for text in ["", "sqlite:", ":memory:", "sqlite::memory:"] {
            assert!(read(text).contains("name a file"), "{text:?}: {}", read(text));
        }
        assert!(read("sqlite:x.db?sync=full").contains("synchronous"));
        assert!(read("sqlite:x.db?synchronous=off").contains("normal or full"));
    }
}
