//! Queries: text → syntax → plan bound to a schema and to what the user may see → rows.
//!
//! There is no SQL engine underneath: rows come from one id-ordered scan, are tested one by one, and are sorted only when
//! the query asks for an order.

mod outcome;

use std::sync::Arc;

pub use outcome::{QueryError, QueryErrorCode};

use crate::database::Snapshot;
use crate::schema::{Access, Object, Schema};
use crate::table::Row;
use crate::value::{CsvDialect, Timestamp};

/// Which rows a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowScope {
    /// `query`: without the recycle bin.
    Live,
    /// `queryAll`: with it.
    All,
}

/// A query that is understood and allowed.
#[derive(Debug)]
pub struct Plan {
    object: Arc<Object>,
}

impl Plan {
    /// Compiles a query. `now` gives date literals such as `TODAY` their meaning (in UTC).
    ///
    /// # Errors
    /// [`QueryError`] with Salesforce's code and words.
    pub fn compile(
        query: &str,
        _schema: &Schema,
        _access: &dyn Access,
        _scope: RowScope,
        _now: Timestamp,
    ) -> Result<Self, QueryError> {
        Err(QueryError::at(QueryErrorCode::MalformedQuery, query, 0, "unexpected token: '<EOF>'"))
    }

    /// The object behind `FROM`.
    #[must_use]
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Whether this is `SELECT COUNT()`, whose answer is a total without records.
    #[must_use]
    pub fn is_count(&self) -> bool {
        false
    }

    /// Why a Bulk job refuses this query, if it does.
    #[must_use]
    pub fn bulk_refusal(&self) -> Option<QueryError> {
        None
    }

    /// What the selected fields look like on the wire.
    #[must_use]
    pub fn projection(&self) -> &Projection {
        unimplemented!()
    }

    /// Finds the rows. The result keeps the snapshot and can be paged through while writes go on.
    #[must_use]
    pub fn execute(self: &Arc<Self>, _snapshot: Snapshot) -> ResultSet {
        unimplemented!()
    }
}

/// Selected fields, parents included.
#[derive(Clone, Debug)]
pub struct Projection;

impl Projection {
    /// The named fields of one object, or all readable ones: `GET /sobjects/{object}/{id}?fields=…`.
    ///
    /// # Errors
    /// [`QueryError`] with `INVALID_FIELD` for a field that the user cannot see.
    pub fn of_record(
        _object: &Arc<Object>,
        _access: &dyn Access,
        _fields: Option<&[&str]>,
    ) -> Result<Self, QueryError> {
        Ok(Self)
    }

    /// Column names as a Bulk result's header shows them.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Writes the header row of a Bulk result.
    pub fn write_csv_header(&self, _dialect: CsvDialect, _out: &mut Vec<u8>) {}
}

/// The rows that a query found. Immutable; keeps its view of the data.
#[derive(Debug)]
pub struct ResultSet {
    plan: Arc<Plan>,
    snapshot: Snapshot,
}

impl ResultSet {
    /// How many rows there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        0
    }

    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The rows from `offset` on. Cheap for any offset.
    #[must_use]
    pub fn rows(&self, _offset: u64) -> Rows<'_> {
        Rows { results: self }
    }
}

/// Rows of a result, in its order.
#[derive(Debug)]
pub struct Rows<'a> {
    results: &'a ResultSet,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        let _ = self.results;
        None
    }
}

/// Writes rows of one result; reuses its buffers.
#[derive(Debug)]
pub struct RowWriter<'a> {
    projection: &'a Projection,
    snapshot: &'a Snapshot,
}

impl<'a> RowWriter<'a> {
    /// `version` is `v68.0`, as it appears in record URLs.
    #[must_use]
    pub fn new(projection: &'a Projection, snapshot: &'a Snapshot, _version: &str) -> Self {
        Self { projection, snapshot }
    }

    /// Appends the row as a REST record with its `attributes`.
    pub fn write_json(&mut self, _row: &Row<'_>, _out: &mut Vec<u8>) {
        let _ = (self.projection, self.snapshot);
    }

    /// Appends the row as a line of a Bulk result.
    pub fn write_csv(&mut self, _row: &Row<'_>, _dialect: CsvDialect, _out: &mut Vec<u8>) {}
}
