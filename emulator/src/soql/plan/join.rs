//! Semi-joins and anti-joins, and what they may not be.
//!
//! Source: SOQL reference v66, "Semi-Joins with IN and Anti-Joins with NOT IN"; texts from reports of users where they
//! name a field, else inferred.

use super::{Binder, Level};
use crate::schema::FieldType;
use crate::soql::join::Join;
use crate::soql::operand::Operand;
use crate::soql::outcome::QueryError;
use crate::soql::path::{BoundPath, Leaf};
use crate::soql::syntax::{Condition, Expression, Path, Query, Selected, Test};

impl Binder<'_> {
    /// What is looked up, and the query that finds the ids among which it is.
    pub(super) fn join(&self, subject: &Expression, query: &Query) -> Result<(Operand, Join), QueryError> {
        if self.level == Level::Join {
            return Err(self.scene.malformed(query.at, "Nesting of semi join sub-selects is not supported"));
        }
        let outer = self.outer_field(subject)?;
        let selected = self.inner_field(query)?;
        let object = self.compiler.object(query)?;
        if object == self.scene.object {
            let message = "The inner and outer selects should not be on the same object type";
            return Err(self.scene.malformed(query.at, message));
        }
        let inner = self.compiler.binder(query, object, Level::Join)?;
        let field = inner.scene.resolve(selected)?;
        if !field.is_own() || !is_id(&field) {
            let message =
                format!("Semi join sub-selects can only query id fields, cannot use: '{}'", selected.written());
            return Err(self.scene.malformed(selected.at(), &message));
        }
        if self.targets(&outer).iter().all(|target| !inner.targets(&field).contains(target)) {
            let message = format!(
                "The selected field '{}' in the subquery and the left operand field in the where expression in the outer \
                 query '{}' should point to the same object type",
                selected.written(),
                subject.written()
            );
            return Err(self.scene.malformed(query.at, &message));
        }
        let plan = self.compiler.plan(query, object, Level::Join)?;
        Ok((Operand::Path(outer), Join { plan, field }))
    }

    fn outer_field(&self, subject: &Expression) -> Result<BoundPath, QueryError> {
        if let Expression::Path(path) = subject {
            let bound = self.scene.resolve(path)?;
            if bound.is_own() && is_id(&bound) {
                return Ok(bound);
            }
        }
        let message = format!(
            "The left operand field in the where expression for outer query should be an id field, cannot use: '{}'",
            subject.written()
        );
        Err(self.scene.malformed(subject.at(), &message))
    }

    fn inner_field<'q>(&self, query: &'q Query) -> Result<&'q Path, QueryError> {
        let has_more = query.group.is_some()
            || !query.order.is_empty()
            || query.limit.is_some()
            || query.offset.is_some()
            || query.side_effect.is_some();
        if has_more {
            let message = "Semi join sub-selects take no GROUP BY, ORDER BY, LIMIT, OFFSET or FOR clause";
            return Err(self.scene.malformed(query.at, message));
        }
        if query.filter.as_ref().is_some_and(has_join) {
            return Err(self.scene.malformed(query.at, "Nesting of semi join sub-selects is not supported"));
        }
        match query.select.as_slice() {
            [Selected::Value { value: Expression::Path(path), alias: None }] => Ok(path),
            [Selected::Value { value, .. }] => {
                let message =
                    format!("Semi join sub-selects can only query id fields, cannot use: '{}'", value.written());
                Err(self.scene.malformed(value.at(), &message))
            }
            _ => Err(self.scene.malformed(query.at, "Semi join sub-selects select one field")),
        }
    }

    /// The objects to whose records an id field points.
    fn targets(&self, path: &BoundPath) -> Vec<String> {
        match (path.kind, &path.leaf) {
            (FieldType::Id, Leaf::Field { object, .. }) => vec![self.scene.asked.schema.object(*object).name.clone()],
            _ => self.scene.leaf(path).map(|field| field.reference_to.clone()).unwrap_or_default(),
        }
    }
}

fn is_id(path: &BoundPath) -> bool {
    matches!(path.kind, FieldType::Id | FieldType::Reference)
}

fn has_join(condition: &Condition) -> bool {
    match condition {
        Condition::All(terms) | Condition::Any(terms) => terms.iter().any(has_join),
        Condition::Not(term) => has_join(term),
        Condition::Test { test, .. } => matches!(test, Test::Join { .. }),
    }
}
