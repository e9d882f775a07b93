//! Queries: text → syntax → plan bound to a schema and to what the user may see → rows.
//!
//! There is no SQL engine underneath: rows come from one id-ordered scan, are tested one by one, and are sorted only when
//! the query asks for an order other than that of ids.

mod aggregate;
mod asked;
mod columns;
mod dates;
mod explain;
mod family;
mod join;
mod lexer;
mod operand;
mod outcome;
mod page;
mod parser;
mod path;
mod plan;
mod predicate;
mod projection;
mod results;
mod sorting;
mod syntax;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use asked::{Asked, Calendar, Currencies};
pub use family::ChildList;
pub use outcome::{QueryError, QueryErrorCode};
pub use page::{Cut, Page};
pub use projection::{Projection, RowWriter};
pub use results::{ResultSet, Rows};

use aggregate::Grouped;
use path::Leaf;
use predicate::Predicate;
use sorting::Ordered;

use crate::database::Snapshot;
use crate::schema::{Access, FieldType, Object, ObjectIndex, Schema};
use crate::value::Timestamp;

/// Which rows a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowScope {
    /// `query`: without the recycle bin and without archived activities.
    Live,
    /// `queryAll`: with them.
    All,
}

/// A query that is understood and allowed.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
enum Shape {
    Count,
    Records {
        projection: Projection,
        /// Whether `FIELDS(ALL)` or `FIELDS(CUSTOM)` stands in the list.
        all_fields: bool,
    },
    Groups(Box<Grouped>),
}

impl Plan {
    /// Compiles a query that nobody in particular asks. `now` gives date literals such as `TODAY` their meaning, in UTC.
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
        Self::compile_as(query, &Asked::anonymously(schema, access, scope, now))
    }

    /// Compiles a query for who asks it.
    ///
    /// # Errors
    /// [`QueryError`] with Salesforce's code and words.
    pub fn compile_as(query: &str, asked: &Asked<'_>) -> Result<Self, QueryError> {
        plan::compile(query, asked)
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

    /// The selected fields; `None` for a query that counts or groups.
    #[must_use]
    pub fn projection(&self) -> Option<&Projection> {
        match &self.shape {
            Shape::Count | Shape::Groups(_) => None,
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
            Shape::Groups(grouped) if grouped.by_clause => refuse("GROUP BY is not supported in Bulk Query"),
            Shape::Count | Shape::Groups(_) => refuse("Aggregate functions are not supported in Bulk Query"),
            Shape::Records { projection, .. } if !projection.subqueries().is_empty() => {
                refuse("Nested queries are not supported in Bulk Query")
            }
            Shape::Records { projection, .. } if projection.has_type_of() => {
                refuse("TYPEOF is not supported in Bulk Query")
            }
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
            [key] => match key.subject.as_path() {
                Some(path) => {
                    let is_id = path.is_own() && path.kind == FieldType::Id;
                    !is_id || key.direction.descending || !matches!(path.leaf, Leaf::Field { .. })
                }
                None => true,
            },
            _ => true,
        }
    }

    /// The plan with the ids that its joins find, its subqueries' too. `None` when it has none.
    fn resolved(&self, snapshot: &Snapshot) -> Option<Self> {
        if !self.has_joins() {
            return None;
        }
        let mut resolved = self.clone();
        resolved.filter = self.filter.as_ref().map(|filter| filter.resolved(snapshot));
        if let Shape::Records { projection, .. } = &mut resolved.shape {
            *projection = projection.with_plans(|plan| match plan.resolved(snapshot) {
                Some(resolved) => Arc::new(resolved),
                None => Arc::clone(plan),
            });
        }
        Some(resolved)
    }

    fn has_joins(&self) -> bool {
        let subqueries = self.projection().map_or(&[][..], Projection::subqueries);
        let nested = subqueries.iter().any(|subquery| subquery.plan.has_joins());
        nested || self.filter.as_ref().is_some_and(Predicate::has_joins)
    }
}
