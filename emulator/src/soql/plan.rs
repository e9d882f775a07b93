//! Binds a parsed query to a schema and a user.

mod condition;
mod expression;
mod group;
mod join;
mod literal;
mod select;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::asked::Asked;
use super::operand::Operand;
use super::outcome::{QueryError, QueryErrorCode};
use super::path::{BoundPath, Leaf, Scene};
use super::predicate::{Check, Predicate};
use super::sorting::{Direction, Ordered, Ranks};
use super::syntax::{Comparison, Condition, Expression, Name, Query, Sense, SortKey, Test};
use super::{Plan, Shape};
use crate::schema::{FieldType, Object, ObjectIndex};
use crate::value::{TextOrder, Value};

/// Rows that OFFSET may skip. Source: SOQL reference v66, OFFSET.
const MAX_OFFSET: u64 = 2000;

/// Compiles a statement.
pub(super) fn compile(text: &str, asked: &Asked<'_>) -> Result<Plan, QueryError> {
    let query = super::parser::parse(text)?;
    let compiler = Compiler { text, asked, parents: RefCell::default(), subqueries: Cell::new(0) };
    let object = compiler.object(&query)?;
    compiler.plan(&query, object, Level::Root)
}

/// What the queries of one statement share.
struct Compiler<'a> {
    text: &'a str,
    asked: &'a Asked<'a>,
    /// Parents that have been named, for their limit.
    parents: RefCell<BTreeSet<String>>,
    subqueries: Cell<usize>,
}

/// Where a query stands in its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Root,
    /// In a select list, so many levels below the root.
    Child {
        depth: usize,
    },
    /// Behind IN.
    Join,
}

impl Level {
    fn depth(self) -> usize {
        match self {
            Self::Root | Self::Join => 0,
            Self::Child { depth } => depth,
        }
    }
}

impl<'a> Compiler<'a> {
    /// The object behind FROM.
    fn object(&self, query: &Query) -> Result<ObjectIndex, QueryError> {
        let path = &query.from.path;
        match path.parts.as_slice() {
            [name] => self.asked.visible(&name.text).ok_or_else(|| no_such_object(self.text, name)),
            _ => Err(no_such_object(self.text, &Name { text: path.written(), at: path.at() })),
        }
    }

    fn plan(&self, query: &Query, object: ObjectIndex, level: Level) -> Result<Plan, QueryError> {
        let declared = self.asked.schema.object(object);
        if !declared.can.queryable {
            let message = format!("entity type {} does not support query", declared.name);
            return Err(QueryError::plain(QueryErrorCode::InvalidTypeForOperation, message));
        }
        if !matches!(level, Level::Child { .. }) {
            check_restriction(query, declared)?;
        }
        let binder = self.binder(query, object, level)?;
        let filter = binder.filter(query)?;
        let shape = binder.shape(query)?;
        let order = match &shape {
            Shape::Records { .. } => query.order.iter().map(|key| binder.sort_key(key)).collect::<Result<_, _>>()?,
            Shape::Count | Shape::Groups(_) => Vec::new(),
        };
        if query.offset.is_some_and(|offset| offset > MAX_OFFSET) {
            let message = "Maximum SOQL offset allowed is 2000";
            return Err(QueryError::plain(QueryErrorCode::NumberOutsideValidRange, message));
        }
        Ok(Plan {
            object: Arc::clone(declared),
            object_index: object,
            scope: self.asked.scope,
            shape,
            filter,
            order,
            limit: query.limit,
            offset: query.offset,
        })
    }

    fn binder<'c>(&'c self, query: &Query, object: ObjectIndex, level: Level) -> Result<Binder<'c>, QueryError> {
        let mut scene =
            Scene { query: self.text, asked: self.asked, object, aliases: Vec::new(), parents: &self.parents };
        if let Some(alias) = &query.from.alias {
            scene.aliases.push((alias.text.clone(), Vec::new()));
        }
        for source in &query.also {
            let Some((first, rest)) = source.path.parts.split_first().filter(|(_, rest)| !rest.is_empty()) else {
                return Err(scene.malformed(source.path.at(), "only parents of the first object may follow in FROM"));
            };
            let Some(alias) = &source.alias else {
                return Err(scene.malformed(source.path.at(), "a parent in FROM needs an alias"));
            };
            let known = scene.aliases.iter().find(|(alias, _)| first.is(alias)).map(|(_, meant)| meant.clone());
            let is_object = first.is(&scene.object().name);
            let Some(mut meant) = known.or_else(|| is_object.then(Vec::new)) else {
                return Err(scene.no_relationship(first.at, &first.text));
            };
            meant.extend_from_slice(rest);
            scene.aliases.push((alias.text.clone(), meant));
        }
        Ok(Binder { compiler: self, scene, level })
    }
}

/// Binds one query.
struct Binder<'a> {
    compiler: &'a Compiler<'a>,
    scene: Scene<'a>,
    level: Level,
}

impl Binder<'_> {
    /// WHERE and USING SCOPE.
    fn filter(&self, query: &Query) -> Result<Option<Predicate>, QueryError> {
        let filter = query.filter.as_ref().map(|condition| self.filter_of(condition)).transpose()?;
        let scope = query.scope.as_ref().map(|scope| self.scope(scope)).transpose()?.flatten();
        Ok(match scope {
            Some(scope) => Some(scope.and(filter)),
            None => filter,
        })
    }

    /// Which rows a scope leaves: there are no teams, territories and delegates here, so theirs are none.
    ///
    /// Source: SOQL reference v66, USING SCOPE.
    fn scope(&self, scope: &Name) -> Result<Option<Predicate>, QueryError> {
        match scope.text.to_ascii_lowercase().as_str() {
            "everything" => Ok(None),
            "mine" | "mine_and_my_groups" => self.mine(scope).map(Some),
            "delegated" | "team" | "my_territory" | "my_team_territory" => Ok(Some(Predicate::Any(Vec::new()))),
            _ => {
                let message = format!("invalid query scope: {}", scope.text);
                Err(self.scene.error(QueryErrorCode::InvalidQueryScope, scope.at, &message))
            }
        }
    }

    fn mine(&self, scope: &Name) -> Result<Predicate, QueryError> {
        let Some(field) = self.scene.object().audit().owner else {
            let message = format!("entity {} has no owner and does not support this scope", self.scene.object().name);
            return Err(self.scene.error(QueryErrorCode::InvalidQueryScope, scope.at, &message));
        };
        let leaf = Leaf::Field { object: self.scene.object, field };
        let path = BoundPath { hops: Vec::new(), leaf, kind: FieldType::Reference };
        let Some(user) = self.scene.asked.user else { return Ok(Predicate::Any(Vec::new())) };
        let check = Check::Compare(Comparison::Equal, Value::Id(user));
        Ok(Predicate::Test { subject: Operand::Path(path), text: TextOrder::IgnoreCase, check })
    }

    fn sort_key(&self, key: &SortKey) -> Result<Ordered, QueryError> {
        let operand = self.operand(&key.value)?;
        if let Operand::Path(path) = &operand
            && self.scene.leaf(path).is_some_and(|field| !field.sortable)
        {
            let message = format!("field '{}' can not be sorted in a query call", key.value.written());
            return Err(self.scene.error(QueryErrorCode::InvalidField, key.value.at(), &message));
        }
        self.refuse_ungrouped(&operand, &key.value)?;
        // NULLS LAST is ignored on parents. Source: SOQL reference v66, ORDER BY.
        let nulls_first = key.nulls_first || !operand.hops().is_empty();
        let text = self.scene.text_order(operand.path());
        let direction = Direction { text, descending: key.descending, nulls_first };
        Ok(Ordered { ranks: self.ranks(&operand), subject: operand, direction })
    }

    /// The places of a picklist's values, for a field that is one.
    fn ranks(&self, operand: &Operand) -> Option<Ranks> {
        let field = operand.as_path().and_then(|path| self.scene.leaf(path))?;
        if field.kind == FieldType::Picklist { Ranks::of(&field.picklist) } else { None }
    }
}

/// Refuses a query that does not name what its object requires.
fn check_restriction(query: &Query, object: &Object) -> Result<(), QueryError> {
    let required = &object.required_filter;
    if required.is_empty() || query.filter.as_ref().is_some_and(|filter| names_required(filter, required)) {
        return Ok(());
    }
    Err(QueryError::plain(QueryErrorCode::MalformedQuery, object.filter_refusal()))
}

fn names_required(condition: &Condition, required: &[String]) -> bool {
    match condition {
        Condition::All(terms) => terms.iter().any(|term| names_required(term, required)),
        Condition::Test { subject: Expression::Path(path), test } => {
            let written = path.written();
            let named =
                required.iter().map(String::as_str).chain(["Id"]).any(|name| name.eq_ignore_ascii_case(&written));
            let is_narrow = matches!(
                test,
                Test::Compare(Comparison::Equal, _)
                    | Test::In { sense: Sense::Is, .. }
                    | Test::Join { sense: Sense::Is, .. }
            );
            named && is_narrow
        }
        Condition::Test { .. } | Condition::Any(_) | Condition::Not(_) => false,
    }
}

fn no_such_object(query: &str, name: &Name) -> QueryError {
    let message = format!(
        "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' \
         after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
        name.text
    );
    QueryError::at(QueryErrorCode::InvalidType, query, name.at, &message)
}
