//! What a query selects, and how its rows are written: as REST records or as lines of a Bulk result.

mod writer;

use std::sync::Arc;

use super::Plan;
use super::operand::Operand;
use super::outcome::{QueryError, QueryErrorCode};
use super::path::{BoundPath, Hop, Leaf, Reference, no_column_message};
use crate::schema::{Access, Field, FieldIndex, FieldType, Object, ObjectIndex, Schema};
use crate::value::{CsvDialect, write_csv_text};

pub use writer::RowWriter;
pub(super) use writer::{Kin, write_key};

/// Selected fields, parents and children included.
#[derive(Clone, Debug)]
pub struct Projection {
    columns: Vec<Column>,
    records: Vec<Node>,
    subqueries: Vec<Subquery>,
}

/// A field as a column of a Bulk result.
#[derive(Clone, Debug)]
struct Column {
    header: String,
    operand: Operand,
}

/// The children of each record by one relationship.
#[derive(Clone, Debug)]
pub(super) struct Subquery {
    /// As the schema spells it.
    pub relationship: String,
    /// The field of the children that names the record.
    pub reference: FieldIndex,
    pub plan: Arc<Plan>,
}

/// A key of a REST record.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Field {
        key: String,
        leaf: Leaf,
        shape: Shape,
    },
    /// A function of a field of the record at hand.
    Computed {
        key: String,
        operand: Operand,
        scale: u8,
    },
    Parent {
        key: String,
        reference: Reference,
        children: Vec<Node>,
    },
    /// `TYPEOF`: what is shown depends on the object that the reference points to.
    Typed {
        key: String,
        reference: Reference,
        branches: Vec<(ObjectIndex, Vec<Node>)>,
        otherwise: Option<Vec<Node>>,
    },
    /// The subquery at this place of the list.
    Children {
        key: String,
        subquery: usize,
    },
}

/// How a field's value is written in JSON.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Plain {
        scale: u8,
    },
    /// (key, field, scale) of each part. Null when all parts are null, or any part of a location is.
    Compound {
        parts: Vec<(&'static str, FieldIndex, u8)>,
        needs_all: bool,
    },
    /// The URL of a base64 field's bytes.
    Body {
        field: String,
    },
}

/// What a select list adds to a projection, item by item.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The fields that stand under their own names.
    shown: Vec<BoundPath>,
    columns: Vec<Column>,
    records: Vec<Node>,
    subqueries: Vec<Subquery>,
}

impl Selection {
    /// Whether the field, or a function of it, has been selected under the field's name.
    pub(super) fn shows(&self, operand: &Operand) -> bool {
        self.shown.contains(operand.path())
    }

    /// Adds a field, or a function of one under the field's name.
    pub(super) fn add(&mut self, schema: &Schema, operand: Operand, written: String) {
        let key = spelled(schema, operand.path());
        self.shown.push(operand.path().clone());
        let header = if operand.hops().is_empty() { key.clone() } else { written };
        place(&mut self.records, operand.hops(), || node(schema, &operand, key));
        self.columns.push(Column { header, operand });
    }

    /// Adds a value under a name of its own, which stands at the record itself.
    pub(super) fn add_named(&mut self, operand: Operand, name: &str, scale: u8) {
        self.records.push(Node::Computed { key: name.to_owned(), operand: operand.clone(), scale });
        self.columns.push(Column { header: name.to_owned(), operand });
    }

    pub(super) fn add_children(&mut self, subquery: Subquery) {
        let key = subquery.relationship.clone();
        self.records.push(Node::Children { key, subquery: self.subqueries.len() });
        self.subqueries.push(subquery);
    }

    /// Adds what TYPEOF shows. `None` when the parent is selected already.
    pub(super) fn add_typed(&mut self, node: Node) -> Option<()> {
        if self.has(node.key()) {
            return None;
        }
        self.records.push(node);
        Some(())
    }

    pub(super) fn finish(self) -> Projection {
        Projection { columns: self.columns, records: self.records, subqueries: self.subqueries }
    }

    pub(super) fn into_nodes(self) -> Vec<Node> {
        self.records
    }

    /// Whether a record has a key of this name already.
    pub(super) fn has(&self, key: &str) -> bool {
        self.records.iter().any(|known| known.key().eq_ignore_ascii_case(key))
    }

    pub(super) fn has_children(&self, relationship: &str) -> bool {
        self.subqueries.iter().any(|known| known.relationship == relationship)
    }
}

impl Node {
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Field { key, .. }
            | Self::Computed { key, .. }
            | Self::Parent { key, .. }
            | Self::Typed { key, .. }
            | Self::Children { key, .. } => key,
        }
    }
}

impl Projection {
    /// The named fields of one object, or all that the user may see: `GET /sobjects/{object}/{id}?fields=…`.
    ///
    /// # Errors
    /// [`QueryError`] with `INVALID_FIELD` for a field that does not exist for the user.
    pub fn of_record(
        schema: &Schema,
        object: ObjectIndex,
        access: &dyn Access,
        fields: Option<&[&str]>,
    ) -> Result<Self, QueryError> {
        let declared: &Arc<Object> = schema.object(object);
        let visible = |field: &Field| access.reads_field(declared, field);
        let mut selected = Vec::new();
        match fields {
            None => {
                let all = declared.fields().iter().enumerate().filter(|(_, field)| visible(field));
                selected.extend(all.map(|(index, field)| own_field(object, index, field)));
            }
            Some(names) => {
                for name in names {
                    let found = declared.find(name).filter(|(_, field)| visible(field));
                    let (index, field) = found.ok_or_else(|| {
                        QueryError::plain(QueryErrorCode::InvalidField, no_column_message(name, &declared.name))
                    })?;
                    selected.push(own_field(object, index, field));
                }
            }
        }
        let mut selection = Selection::default();
        for (path, written) in selected {
            selection.add(schema, Operand::Path(path), written);
        }
        Ok(selection.finish())
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.records
    }

    pub(super) fn subqueries(&self) -> &[Subquery] {
        &self.subqueries
    }

    /// The same with what its subqueries' joins find in a snapshot.
    pub(super) fn with_plans(&self, plan: impl Fn(&Arc<Plan>) -> Arc<Plan>) -> Self {
        let mut resolved = self.clone();
        for subquery in &mut resolved.subqueries {
            subquery.plan = plan(&subquery.plan);
        }
        resolved
    }

    /// Whether what is shown of a record depends on the object of a parent.
    pub(super) fn has_type_of(&self) -> bool {
        self.records.iter().any(|node| matches!(node, Node::Typed { .. }))
    }

    /// Column names as the header of a Bulk result shows them: the schema's spelling, parents as they are written.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.header.as_str())
    }

    /// The types of the columns, in the same order.
    pub fn types(&self) -> impl Iterator<Item = FieldType> {
        self.columns.iter().map(|column| column.operand.kind())
    }

    /// Whether any selected field is of a type that satisfies `test`.
    pub(super) fn any_type(&self, test: impl Fn(FieldType) -> bool) -> bool {
        self.columns.iter().any(|column| test(column.operand.kind()))
    }

    /// Appends the header row of a Bulk result.
    pub fn write_csv_header(&self, dialect: CsvDialect, out: &mut Vec<u8>) {
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(dialect.delimiter);
            }
            write_csv_text(&column.header, out);
        }
        out.extend_from_slice(dialect.line_ending.as_bytes());
    }
}

fn own_field(object: ObjectIndex, field: FieldIndex, declared: &Field) -> (BoundPath, String) {
    let path = BoundPath { hops: Vec::new(), leaf: Leaf::Field { object, field }, kind: declared.kind };
    (path, declared.name.clone())
}

/// The last part of a path in the schema's spelling.
fn spelled(schema: &Schema, path: &BoundPath) -> String {
    match &path.leaf {
        Leaf::Field { object, field } => schema.object(*object).field(*field).name.clone(),
        Leaf::Named { name } => (*name).to_owned(),
        Leaf::TypeName => "Type".to_owned(),
    }
}

fn node(schema: &Schema, operand: &Operand, key: String) -> Node {
    let Some(path) = operand.as_path() else {
        let scale = match (operand.kind(), &operand.path().leaf) {
            (FieldType::Currency, Leaf::Field { object, field }) => schema.object(*object).field(*field).scale,
            _ => 0,
        };
        return Node::Computed { key, operand: operand.local(), scale };
    };
    let shape = match path.leaf {
        Leaf::Field { object, field } => shape(schema.object(object), field),
        Leaf::Named { .. } | Leaf::TypeName => Shape::Plain { scale: 0 },
    };
    Node::Field { key, leaf: path.leaf.clone(), shape }
}

fn shape(object: &Object, index: FieldIndex) -> Shape {
    let field = object.field(index);
    if field.kind.is_compound() {
        let scale = |index| object.field(index).scale.min(6);
        let parts = object.components(field).into_iter().map(|(key, index)| (key, index, scale(index))).collect();
        return Shape::Compound { parts, needs_all: field.kind == FieldType::Location };
    }
    match field.kind {
        FieldType::Base64 => Shape::Body { field: field.name.clone() },
        _ => Shape::Plain { scale: field.scale },
    }
}

/// Puts a field under its parents; the first field of a parent decides where the parent stands.
fn place(nodes: &mut Vec<Node>, hops: &[Hop], make: impl FnOnce() -> Node) {
    let Some((hop, rest)) = hops.split_first() else { return nodes.push(make()) };
    let is_parent = |node: &Node| matches!(node, Node::Parent { reference, .. } if *reference == hop.reference);
    let at = nodes.iter().position(is_parent).unwrap_or_else(|| {
        nodes.push(Node::Parent { key: hop.relationship.clone(), reference: hop.reference, children: Vec::new() });
        nodes.len() - 1
    });
    if let Some(Node::Parent { children, .. }) = nodes.get_mut(at) {
        place(children, rest, make);
    }
}
