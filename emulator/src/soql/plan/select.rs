//! The select list: fields, parents, children, TYPEOF and FIELDS().

use std::sync::Arc;

use super::{Binder, Level, no_such_object};
use crate::schema::{FieldIndex, ObjectIndex};
use crate::soql::Shape;
use crate::soql::operand::{Function, Operand};
use crate::soql::outcome::{QueryError, QueryErrorCode};
use crate::soql::path::{BoundPath, Reference};
use crate::soql::projection::{Node, Selection, Subquery};
use crate::soql::syntax::{
    Comparison, Condition, Expression, FieldGroup, Name, Path, Query, Selected, Sense, Test, TypeOf,
};

/// Rows for which `FIELDS(ALL)` and `FIELDS(CUSTOM)` may be asked. Source: SOQL reference v66, FIELDS().
const MAX_FIELDS_ROWS: u64 = 200;
/// Subqueries of a statement. Source: SOQL reference v66, "Relationship query limitations".
const MAX_SUBQUERIES: usize = 20;
/// Levels of children below the root, and the version that brought more than one. Source: as above.
const MAX_DEPTH: usize = 4;
const DEEP_FROM_VERSION: u16 = 58;
/// The version that brought FIELDS(). Source: SOQL reference v66, FIELDS().
const FIELDS_FROM_VERSION: u16 = 51;

impl Binder<'_> {
    pub(super) fn shape(&self, query: &Query) -> Result<Shape, QueryError> {
        if let Some(count) = self.plain_count(query)? {
            return Ok(count);
        }
        if self.is_grouped(query) {
            self.refuse_nested(query)?;
            return self.grouped(query).map(Box::new).map(Shape::Groups);
        }
        let mut selection = Selection::default();
        let mut unbounded = false;
        for item in &query.select {
            match item {
                Selected::Value { value, alias: None } => self.select(value, &mut selection)?,
                Selected::Value { value, alias: Some(alias) } => self.select_as(value, alias, &mut selection)?,
                Selected::Fields { group, at } => {
                    unbounded |= *group != FieldGroup::Standard;
                    for path in self.fields(*group, *at)? {
                        self.select(&Expression::Path(path), &mut selection)?;
                    }
                }
                Selected::Children(children) => self.select_children(children, query, &mut selection)?,
                Selected::TypeOf(type_of) => self.select_type_of(type_of, &mut selection)?,
            }
        }
        if unbounded && !is_bounded(query) {
            let message = "The SOQL FIELDS function must have a LIMIT of at most 200";
            return Err(QueryError::plain(QueryErrorCode::MalformedQuery, message));
        }
        Ok(Shape::Records { projection: selection.finish(), all_fields: unbounded })
    }

    fn select(&self, value: &Expression, selection: &mut Selection) -> Result<(), QueryError> {
        let operand = self.selected(value)?;
        if selection.shows(&operand) {
            let message = format!("duplicate field selected: {}", value.written());
            return Err(self.scene.error(QueryErrorCode::InvalidField, value.at(), &message));
        }
        let written = match value {
            Expression::Path(path) => path.written(),
            _ => value.written(),
        };
        selection.add(self.scene.asked.schema, operand, written);
        Ok(())
    }

    fn select_as(&self, value: &Expression, alias: &Name, selection: &mut Selection) -> Result<(), QueryError> {
        let operand = self.selected(value)?;
        if matches!(value, Expression::Path(_)) {
            return Err(self.scene.malformed(alias.at, "only aggregate expressions use field aliasing"));
        }
        if selection.has(&alias.text) {
            return Err(self.scene.malformed(alias.at, &format!("duplicate alias: {}", alias.text)));
        }
        let scale = self.scene.leaf(operand.path()).map_or(0, |field| field.scale);
        selection.add_named(operand, &alias.text, scale);
        Ok(())
    }

    fn selected(&self, value: &Expression) -> Result<Operand, QueryError> {
        let operand = self.operand(value)?;
        self.refuse_ungrouped(&operand, value)?;
        match &operand {
            Operand::Function(function) if matches!(**function, Function::Distance(_)) => {
                Err(self.scene.malformed(value.at(), "DISTANCE() is for WHERE and ORDER BY"))
            }
            _ => Ok(operand),
        }
    }

    /// The fields that `FIELDS(…)` stands for.
    pub(super) fn fields(&self, group: FieldGroup, at: usize) -> Result<Vec<Path>, QueryError> {
        if self.scene.asked.version < FIELDS_FROM_VERSION {
            return Err(self.scene.malformed(at, "FIELDS() needs version 51.0 of the API or a later one"));
        }
        let object = self.scene.object();
        let wanted = |custom: bool| match group {
            FieldGroup::All => true,
            FieldGroup::Standard => !custom,
            FieldGroup::Custom => custom,
        };
        let visible = object.fields().iter().filter(|field| self.scene.asked.access.reads_field(object, field));
        let named = visible.filter(|field| wanted(field.custom));
        let paths: Vec<Path> = named.map(|field| Path { parts: vec![Name { text: field.name.clone(), at }] }).collect();
        if paths.is_empty() {
            let message = "'FIELDS(...)' expansion function must result in at least one field being selected.";
            return Err(QueryError::plain(QueryErrorCode::MalformedQuery, message));
        }
        Ok(paths)
    }

    fn select_children(&self, children: &Query, parent: &Query, selection: &mut Selection) -> Result<(), QueryError> {
        let at = children.at;
        let subqueries = &self.compiler.subqueries;
        subqueries.set(subqueries.get() + 1);
        if subqueries.get() > MAX_SUBQUERIES {
            return Err(self.scene.malformed(at, "No more than 20 parent-to-child relationships can be specified"));
        }
        let depth = self.level.depth() + 1;
        let deepest = if self.scene.asked.version < DEEP_FROM_VERSION { 1 } else { MAX_DEPTH };
        if depth > deepest || self.level == Level::Join {
            let message = format!(
                "SOQL statements cannot query aggregate relationships more than {deepest} level away from the root entity \
                 object."
            );
            return Err(self.scene.malformed(at, &message));
        }
        if children.offset.is_some() && parent.limit != Some(1) {
            return Err(self.scene.malformed(at, "a subquery takes OFFSET only where its parent has LIMIT 1"));
        }
        let (object, reference, relationship) = self.child_relationship(children)?;
        if selection.has_children(&relationship) {
            let message = format!("duplicate relationship selected: {relationship}");
            return Err(self.scene.malformed(children.from.path.at(), &message));
        }
        let plan = self.compiler.plan(children, object, Level::Child { depth })?;
        selection.add_children(Subquery { relationship, reference, plan: Arc::new(plan) });
        Ok(())
    }

    /// The object, the field and the name of the relationship behind a subquery's FROM.
    fn child_relationship(&self, children: &Query) -> Result<(ObjectIndex, FieldIndex, String), QueryError> {
        let path = &children.from.path;
        let name = match path.parts.as_slice() {
            [name] => name,
            [parent, name] if parent.is(&self.scene.object().name) || self.is_alias(parent) => name,
            _ => return Err(self.no_children(path.at(), &path.written())),
        };
        let asked = self.scene.asked;
        for (index, object) in
            asked.schema.objects().iter().enumerate().filter(|(_, object)| asked.access.reads(object))
        {
            for (position, field) in object.fields().iter().enumerate() {
                let Some(relationship) = field.child_relationship.as_ref().filter(|known| name.is(known)) else {
                    continue;
                };
                let of_parent = field.reference_to.contains(&self.scene.object().name);
                if of_parent && asked.access.reads_field(object, field) {
                    return Ok((index, position, relationship.clone()));
                }
            }
        }
        Err(self.no_children(name.at, &name.text))
    }

    fn is_alias(&self, name: &Name) -> bool {
        self.scene.aliases.iter().any(|(alias, meant)| name.is(alias) && meant.is_empty())
    }

    fn no_children(&self, at: usize, name: &str) -> QueryError {
        let message = format!(
            "Didn't understand relationship '{name}' in FROM part of query call. If you are attempting to use a custom \
             relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or \
             the describe call for the appropriate names."
        );
        self.scene.error(QueryErrorCode::InvalidType, at, &message)
    }

    fn select_type_of(&self, type_of: &TypeOf, selection: &mut Selection) -> Result<(), QueryError> {
        let name = &type_of.reference;
        let found = self.scene.relationship(self.scene.object, &name.text);
        let (reference, field) = found.ok_or_else(|| self.scene.no_relationship(name.at, &name.text))?;
        if !field.is_polymorphic() {
            let message = format!("TYPEOF needs a relationship to several objects, and {} is to one", name.text);
            return Err(self.scene.malformed(name.at, &message));
        }
        let mut branches = Vec::with_capacity(type_of.branches.len());
        for (object, paths) in &type_of.branches {
            let index = self.scene.asked.visible(&object.text);
            let index = index.ok_or_else(|| no_such_object(self.scene.query, object))?;
            let target = &self.scene.asked.schema.object(index).name;
            if !field.reference_to.contains(target) {
                let message = format!("{} never points to {target}", name.text);
                return Err(self.scene.malformed(object.at, &message));
            }
            let scene = self.scene.at_object(index);
            branches.push((index, self.branch(paths, |path| scene.resolve(path))?));
        }
        let otherwise = type_of.otherwise.as_ref().map(|paths| {
            self.branch(paths, |path| {
                let parts = std::iter::once(name).chain(&path.parts).cloned().collect();
                self.scene.resolve(&Path { parts }).map(|bound| bound.local())
            })
        });
        let key = field.relationship_name.clone().unwrap_or_default();
        let reference = Reference::Field(reference);
        let node = Node::Typed { key, reference, branches, otherwise: otherwise.transpose()? };
        selection.add_typed(node).ok_or_else(|| {
            let message = format!("duplicate field selected: {}", name.text);
            self.scene.error(QueryErrorCode::InvalidField, name.at, &message)
        })
    }

    /// What TYPEOF shows of one object.
    fn branch(
        &self,
        paths: &[Path],
        resolve: impl Fn(&Path) -> Result<BoundPath, QueryError>,
    ) -> Result<Vec<Node>, QueryError> {
        let mut selection = Selection::default();
        for path in paths {
            let operand = Operand::Path(resolve(path)?);
            if selection.shows(&operand) {
                let message = format!("duplicate field selected: {}", path.written());
                return Err(self.scene.error(QueryErrorCode::InvalidField, path.at(), &message));
            }
            selection.add(self.scene.asked.schema, operand, path.written());
        }
        Ok(selection.into_nodes())
    }
}

/// Whether at most 200 rows can come: by LIMIT, or by a list of ids.
fn is_bounded(query: &Query) -> bool {
    fn lists_ids(condition: &Condition) -> bool {
        match condition {
            Condition::All(terms) => terms.iter().any(lists_ids),
            Condition::Test { subject: Expression::Path(path), test } => {
                let is_id = path.parts.last().is_some_and(|part| part.is("Id"));
                match test {
                    Test::Compare(Comparison::Equal, _) => is_id,
                    Test::In { literals, sense: Sense::Is } => is_id && literals.len() as u64 <= MAX_FIELDS_ROWS,
                    _ => false,
                }
            }
            Condition::Test { .. } | Condition::Any(_) | Condition::Not(_) => false,
        }
    }
    query.limit.is_some_and(|limit| limit <= MAX_FIELDS_ROWS) || query.filter.as_ref().is_some_and(lists_ids)
}
