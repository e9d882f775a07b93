//! `GET /query?q=…&columns=true`: what the columns of a query are, instead of its records.
//!
//! Undocumented; the keys are those that clients read (jetstreamapp/jetstream), the values are inferred.

use serde_json::{Value as Json, json};

use super::aggregate::GroupCell;
use super::path::{Leaf, Reference};
use super::projection::{Node, Projection};
use super::{Plan, Shape};
use crate::schema::{Field, FieldType, Object, Schema};

impl Plan {
    /// The body that describes the columns.
    #[must_use]
    pub fn describe_columns(&self, schema: &Schema) -> Json {
        let (columns, is_grouped) = match &self.shape {
            Shape::Count => (Vec::new(), false),
            Shape::Groups(grouped) => (self.group_columns(schema), grouped.by_clause),
            Shape::Records { projection, .. } => (record_columns(schema, &self.object, projection), false),
        };
        let is_id = |column: &Json| column["columnName"] == "Id";
        json!({
            "columnMetadata": columns,
            "entityName": self.object.name,
            "groupBy": is_grouped,
            "idSelected": columns.iter().any(is_id),
            "keyPrefix": self.object.key_prefix.map(|prefix| prefix.to_string()),
        })
    }

    fn group_columns(&self, schema: &Schema) -> Vec<Json> {
        let Shape::Groups(grouped) = &self.shape else { return Vec::new() };
        let describe = |column: &super::aggregate::GroupColumn| {
            let kind = grouped.kind(column.cell);
            match column.cell {
                GroupCell::Key(index) => {
                    let field = match grouped.keys[index].operand.as_path().map(|path| &path.leaf) {
                        Some(Leaf::Field { object, field }) => Some(schema.object(*object).field(*field)),
                        _ => None,
                    };
                    Column { name: &column.name, shown: &column.name, kind, field, ..Column::default() }.describe()
                }
                GroupCell::Measure(_) | GroupCell::Grouping(_) => {
                    Column { name: &column.name, shown: &column.written, kind, is_aggregate: true, ..Column::default() }
                        .describe()
                }
            }
        };
        grouped.columns.iter().map(describe).collect()
    }
}

fn record_columns(schema: &Schema, object: &Object, projection: &Projection) -> Vec<Json> {
    projection.nodes().iter().map(|node| describe(schema, object, node, Some(projection))).collect()
}

/// A column before it is described.
struct Column<'a> {
    name: &'a str,
    shown: &'a str,
    kind: FieldType,
    field: Option<&'a Field>,
    /// The reference behind a parent.
    reference: Option<&'a Field>,
    /// Whether it is computed from several rows, as lists of children are as well.
    is_aggregate: bool,
    parts: Vec<Json>,
}

impl Default for Column<'_> {
    fn default() -> Self {
        Self {
            name: "",
            shown: "",
            kind: FieldType::String,
            field: None,
            reference: None,
            is_aggregate: false,
            parts: Vec::new(),
        }
    }
}

impl Column<'_> {
    fn describe(self) -> Json {
        json!({
            "aggregate": self.is_aggregate,
            "apexType": apex_type(self.kind),
            "booleanType": self.kind == FieldType::Boolean,
            "columnName": self.name,
            "custom": self.field.or(self.reference).is_some_and(|field| field.custom),
            "displayName": self.shown,
            "foreignKeyName": self.reference.map(|reference| reference.name.as_str()),
            "insertable": self.field.is_some_and(|field| field.createable),
            "joinColumns": self.parts,
            "numberType": self.kind.is_number(),
            "textType": self.kind.is_text(),
            "updatable": self.field.is_some_and(|field| field.updateable),
        })
    }
}

fn describe(schema: &Schema, object: &Object, node: &Node, projection: Option<&Projection>) -> Json {
    let plain = Column { name: node.key(), shown: node.key(), ..Column::default() };
    let target = |reference: &Field| reference.reference_to.first().and_then(|name| schema.find(name));
    let parts = |of: &Object, nodes: &[Node]| nodes.iter().map(|node| describe(schema, of, node, None)).collect();
    match node {
        Node::Field { leaf: Leaf::Field { object, field }, .. } => {
            let field = schema.object(*object).field(*field);
            Column { kind: field.kind, field: Some(field), ..plain }.describe()
        }
        Node::Field { .. } => plain.describe(),
        Node::Computed { operand, .. } => Column { kind: operand.kind(), ..plain }.describe(),
        Node::Parent { reference, children, .. } => {
            let reference = field_of(object, *reference);
            let parts = match reference.and_then(target) {
                Some((_, target)) => parts(target, children),
                None => Vec::new(),
            };
            Column { kind: FieldType::Reference, reference, parts, ..plain }.describe()
        }
        Node::Typed { reference, .. } => {
            Column { kind: FieldType::Reference, reference: field_of(object, *reference), ..plain }.describe()
        }
        Node::Children { subquery, .. } => {
            let plan =
                projection.and_then(|projection| projection.subqueries().get(*subquery)).map(|found| &found.plan);
            let shown = plan.and_then(|plan| Some((plan, plan.projection()?)));
            let parts = shown.map_or_else(Vec::new, |(plan, shown)| record_columns(schema, &plan.object, shown));
            Column { is_aggregate: true, parts, ..plain }.describe()
        }
    }
}

fn field_of(object: &Object, reference: Reference) -> Option<&Field> {
    match reference {
        Reference::Field(field) => Some(object.field(field)),
        Reference::Named(name) => object.find(name).map(|(_, field)| field),
    }
}

/// The type of a value in Apex.
fn apex_type(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Id | FieldType::Reference => "Id",
        FieldType::Boolean => "Boolean",
        FieldType::Int => "Integer",
        FieldType::Long => "Long",
        FieldType::Double | FieldType::Currency | FieldType::Percent => "Double",
        FieldType::Date => "Date",
        FieldType::DateTime => "Datetime",
        FieldType::Time => "Time",
        FieldType::Base64 => "Blob",
        FieldType::Address => "Address",
        FieldType::Location => "Location",
        _ => "String",
    }
}
