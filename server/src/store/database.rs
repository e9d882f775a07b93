//! One way to speak to either database: SQL written once with `$1` placeholders, values of four kinds, and changes
//! that are committed together or not at all.

use salesforce::Timestamp;

use super::{error::StoreError, migrations, postgres::Postgres, sqlite::Sqlite};

/// A value as both databases hold it. Moments are integers (milliseconds), documents are texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Integer(value.0)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer, taken from left to right.
#[derive(Debug)]
pub(crate) struct Row {
    values: std::vec::IntoIter<Value>,
}

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter() }
    }

    fn take(&mut self) -> Result<Value, StoreError> {
        self.values.next().ok_or_else(|| StoreError::corrupt("a row has fewer columns than were asked for"))
    }

    /// The next column, which holds a text.
    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        self.optional_text()?.ok_or_else(|| StoreError::corrupt("a text is missing"))
    }

    /// The next column, which holds a text or nothing.
    pub(super) fn optional_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.take()? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => Err(StoreError::corrupt(format!("{other:?} stands where a text belongs"))),
        }
    }

    /// The next column, which holds an integer.
    pub(super) fn integer(&mut self) -> Result<i64, StoreError> {
        self.optional_integer()?.ok_or_else(|| StoreError::corrupt("a number is missing"))
    }

    /// The next column, which holds an integer or nothing.
    pub(super) fn optional_integer(&mut self) -> Result<Option<i64>, StoreError> {
        match self.take()? {
            Value::Null => Ok(None),
            Value::Integer(integer) => Ok(Some(integer)),
            other => Err(StoreError::corrupt(format!("{other:?} stands where a number belongs"))),
        }
    }

    /// The next column, which holds a count.
    pub(super) fn count(&mut self) -> Result<u64, StoreError> {
        u64::try_from(self.integer()?).map_err(|_| StoreError::corrupt("a count is negative"))
    }

    /// The next column, which holds a moment.
    pub(super) fn moment(&mut self) -> Result<Timestamp, StoreError> {
        self.integer().map(Timestamp)
    }

    /// The next column, which holds sealed bytes.
    pub(super) fn blob(&mut self) -> Result<Vec<u8>, StoreError> {
        self.optional_blob()?.ok_or_else(|| StoreError::corrupt("sealed bytes are missing"))
    }

    /// The next column, which holds sealed bytes or nothing.
    pub(super) fn optional_blob(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.take()? {
            Value::Null => Ok(None),
            Value::Blob(bytes) => Ok(Some(bytes)),
            other => Err(StoreError::corrupt(format!("{other:?} stands where sealed bytes belong"))),
        }
    }

    /// The next column, which holds a JSON document.
    pub(super) fn document<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        self.optional_document()?.ok_or_else(|| StoreError::corrupt("a document is missing"))
    }

    /// The next column, which holds a JSON document or nothing.
    pub(super) fn optional_document<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let read = |text: String| serde_json::from_str(&text);
        let read = self.optional_text()?.map(read).transpose();
        read.map_err(|error| StoreError::corrupt(format!("a document cannot be read: {error}")))
    }
}

/// One statement of a commit.
#[derive(Debug)]
pub(crate) struct Change {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value>,
    /// The whole commit is undone unless this statement touches exactly one row.
    pub(super) demands_one_row: bool,
}

impl Change {
    /// A statement that may touch any number of rows.
    pub(super) fn new(sql: &'static str, values: impl Into<Vec<Value>>) -> Self {
        Self { sql, values: values.into(), demands_one_row: false }
    }

    /// A statement that undoes the whole commit unless it touches exactly one row: how a fencing epoch is checked.
    pub(super) fn exactly_one(sql: &'static str, values: impl Into<Vec<Value>>) -> Self {
        Self { sql, values: values.into(), demands_one_row: true }
    }
}

/// What a commit came to.
#[derive(Debug)]
pub(super) enum Committed {
    /// Everything is durable; the rows that `RETURNING` gave, a list per change.
    Done(Vec<Vec<Row>>),
    /// A change that demands one row did not get it; nothing is changed.
    Undone,
}

/// Why a database did not do what it was asked.
#[derive(Debug)]
pub(super) enum DatabaseError {
    /// A unique key is taken.
    Taken,
    Other(StoreError),
}

impl From<StoreError> for DatabaseError {
    fn from(error: StoreError) -> Self {
        Self::Other(error)
    }
}

impl DatabaseError {
    /// The store's error, where no unique key can be taken.
    pub(super) fn unexpected(self) -> StoreError {
        match self {
            Self::Taken => StoreError::corrupt("a key that should be free is taken"),
            Self::Other(error) => error,
        }
    }
}

/// Either database.
pub(crate) enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// Where it is, for people; without credentials.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::Sqlite(sqlite) => sqlite.place(),
            Self::Postgres(postgres) => postgres.place(),
        }
    }

    /// Brings the schema up to date.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.migrate().await,
            Self::Postgres(postgres) => postgres.migrate().await,
        }
    }

    /// The version of the schema; 0 where there is none.
    pub(super) async fn version(&self) -> Result<i64, StoreError> {
        let there_is = match self {
            Self::Sqlite(_) => "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'schema_version'",
            Self::Postgres(_) => {
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'schema_version' \
                 AND table_schema = current_schema()"
            }
        };
        if self.query_first(there_is, []).await?.map_or(Ok(0), |mut row| row.count())? == 0 {
            return Ok(0);
        }
        self.query_first(migrations::READ_VERSION, []).await?.map_or(Ok(0), |mut row| row.integer())
    }

    /// Rows of a reading statement.
    pub(super) async fn query(&self, sql: &'static str, values: impl Into<Vec<Value>>) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.query(sql, values.into()).await,
            Self::Postgres(postgres) => postgres.query(sql, values.into()).await,
        }
    }

    /// The first row of a reading statement.
    pub(super) async fn query_first(
        &self,
        sql: &'static str,
        values: impl Into<Vec<Value>>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values).await?.into_iter().next())
    }

    /// Commits all changes together, or none.
    pub(super) async fn commit(&self, changes: Vec<Change>) -> Result<Committed, DatabaseError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.commit(changes).await,
            Self::Postgres(postgres) => postgres.commit(changes).await,
        }
    }

    /// Commits one change and gives the rows it returned.
    pub(super) async fn commit_one(&self, change: Change) -> Result<Vec<Row>, DatabaseError> {
        match self.commit(vec![change]).await? {
            Committed::Done(mut rows) => Ok(rows.pop().unwrap_or_default()),
            Committed::Undone => Ok(Vec::new()),
        }
    }
}
