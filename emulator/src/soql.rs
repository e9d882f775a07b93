//! Queries: text → syntax → plan bound to a schema and to what the user may see → rows.
//!
//! There is no SQL engine underneath: rows come from one id-ordered scan, are tested one by one, and are sorted only when
//! the query asks for an order other than that of ids.

mod dates;
mod lexer;
mod outcome;
mod parser;
mod path;
mod plan;
mod predicate;
mod projection;
mod results;
mod syntax;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use outcome::{QueryError, QueryErrorCode};
pub use projection::{Projection, RowWriter};
pub use results::{ResultSet, Rows};

use path::{BoundPath, Leaf};
use predicate::Predicate;

use crate::database::Snapshot;
use crate::schema::{Access, FieldType, Object, ObjectIndex, Schema};
use crate::value::{TextOrder, Timestamp};

/// Which rows a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowScope {
    /// `query`: without the recycle bin and without archived activities.
    Live,
    /// `queryAll`: with them.
    All,
}

/// A query that is understood and allowed.
#[derive(Debug)]
pub struct Plan {
    object: Arc<Object>,
    object_index: ObjectIndex,
    scope: RowScope,
    shape: Shape,
    filter: Option<Predicate>,
    order: Vec<Ordered>,
    limit: Option<u64>,
    offset: Option<u64>,
}

/// What a query answers with.
#[derive(Debug)]
enum Shape {
    Count,
    Records {
        projection: Projection,
        /// Whether `FIELDS(ALL)` or `FIELDS(CUSTOM)` stands in the list.
        all_fields: bool,
    },
}

/// A key of ORDER BY.
#[derive(Debug)]
struct Ordered {
    path: BoundPath,
    text: TextOrder,
    descending: bool,
    nulls_first: bool,
}

impl Plan {
    /// Compiles a query. `now` gives date literals such as `TODAY` their meaning, in UTC.
    ///
    /// # Errors
    /// [`QueryError`] with Salesforce's code and words.
    pub fn compile(
        query: &str,
        schema: &Schema,
        access: &dyn Access,
        scope: RowScope,
        now: Timestamp,
    ) -> Result<Self, QueryError> {
        plan::compile(query, schema, access, scope, now)
    }

    /// The object behind `FROM`.
    #[must_use]
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Whether this is `SELECT COUNT()`, whose answer is a total without records.
    #[must_use]
    pub fn is_count(&self) -> bool {
        matches!(self.shape, Shape::Count)
    }

    /// The selected fields; `None` for `SELECT COUNT()`.
    #[must_use]
    pub fn projection(&self) -> Option<&Projection> {
        match &self.shape {
            Shape::Count => None,
            Shape::Records { projection, .. } => Some(projection),
        }
    }

    /// Whether ORDER BY or LIMIT keeps a Bulk job from splitting the query by ids.
    ///
    /// Source: Bulk API 2.0 guide v66, "Query jobs": allowed, but without PK chunking.
    #[must_use]
    pub fn is_chunkable(&self) -> bool {
        self.order.is_empty() && self.limit.is_none()
    }

    /// Why a Bulk job refuses this query, if it does.
    ///
    /// Source: Bulk API 2.0 guide v66, SOQL considerations. The wording for compound data and for unsupported objects is
    /// from captures; for the rest it is ours.
    #[must_use]
    pub fn bulk_refusal(&self) -> Option<QueryError> {
        let refuse = |message: &str| Some(QueryError::plain(QueryErrorCode::ApiError, message));
        if !self.object.can.bulk {
            let message = format!("Entity '{}' is not supported by the Bulk API.", self.object.name);
            return Some(QueryError::plain(QueryErrorCode::InvalidEntity, message));
        }
        match &self.shape {
            Shape::Count => refuse("Aggregate functions are not supported in Bulk Query"),
            Shape::Records { projection, .. } if projection.any_type(FieldType::is_compound) => {
                refuse("Selecting compound data not supported in Bulk Query")
            }
            Shape::Records { projection, .. } if projection.any_type(|kind| kind == FieldType::Base64) => {
                refuse("Selecting binary data not supported in Bulk Query")
            }
            Shape::Records { projection, .. } if projection.any_type(|kind| kind == FieldType::Json) => {
                refuse("Selecting embedded data not supported in Bulk Query")
            }
            Shape::Records { all_fields: true, .. } => {
                refuse("FIELDS(ALL) and FIELDS(CUSTOM) are not supported in Bulk Query")
            }
            Shape::Records { .. } if self.offset.is_some() => refuse("OFFSET is not supported in Bulk Query"),
            Shape::Records { .. } => None,
        }
    }

    /// Finds the rows. The result keeps the snapshot and can be paged through while writes go on.
    #[must_use]
    pub fn execute(self: &Arc<Self>, snapshot: Snapshot) -> ResultSet {
        ResultSet::find(Arc::clone(self), snapshot)
    }

    /// Rows come in id order by themselves.
    fn needs_sort(&self) -> bool {
        match self.order.as_slice() {
            [] => false,
            [key] => {
                let is_id = key.path.hops.is_empty() && key.path.kind == FieldType::Id;
                !is_id || key.descending || !matches!(key.path.leaf, Leaf::Field { .. })
            }
            _ => true,
        }
    }
}
