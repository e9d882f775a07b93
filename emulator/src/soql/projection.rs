//! What a query selects, and how its rows are written: as REST records or as lines of a Bulk result.

use std::sync::Arc;

use super::outcome::{QueryError, QueryErrorCode};
use super::path::{BoundPath, Leaf, follow, no_column_message};
use crate::database::Snapshot;
use crate::schema::{Access, Field, FieldIndex, FieldType, Object, ObjectIndex, Schema};
use crate::table::Row;
use crate::value::{Cell, CsvDialect, write_csv_cell, write_csv_text, write_json_cell, write_json_text};

/// Selected fields, parents included.
#[derive(Clone, Debug)]
pub struct Projection {
    columns: Vec<Column>,
    records: Vec<Node>,
}

/// A field as a column of a Bulk result.
#[derive(Clone, Debug)]
struct Column {
    header: String,
    path: BoundPath,
}

/// A key of a REST record.
#[derive(Clone, Debug)]
enum Node {
    Field { key: String, leaf: Leaf, shape: Shape },
    Parent { key: String, reference: FieldIndex, children: Vec<Node> },
}

/// How a field's value is written in JSON.
#[derive(Clone, Debug)]
enum Shape {
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

impl Projection {
    pub(super) fn new(schema: &Schema, selected: Vec<(BoundPath, String)>) -> Self {
        let mut records = Vec::new();
        let mut columns = Vec::with_capacity(selected.len());
        for (path, written) in selected {
            let key = spelled(schema, &path);
            place(&mut records, &path.hops, || node(schema, &path, key.clone()));
            let header = if path.hops.is_empty() { key.clone() } else { written };
            columns.push(Column { header, path });
        }
        Self { columns, records }
    }

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
        Ok(Self::new(schema, selected))
    }

    /// Column names as the header of a Bulk result shows them: the schema's spelling, parents as they are written.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.header.as_str())
    }

    /// Whether any selected field is of a type that satisfies `test`.
    pub(super) fn any_type(&self, test: impl Fn(FieldType) -> bool) -> bool {
        self.columns.iter().any(|column| test(column.path.kind))
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

fn node(schema: &Schema, path: &BoundPath, key: String) -> Node {
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
fn place(nodes: &mut Vec<Node>, hops: &[super::path::Hop], make: impl FnOnce() -> Node) {
    let Some((hop, rest)) = hops.split_first() else { return nodes.push(make()) };
    let is_parent = |node: &Node| matches!(node, Node::Parent { reference, .. } if *reference == hop.field);
    let at = nodes.iter().position(is_parent).unwrap_or_else(|| {
        nodes.push(Node::Parent { key: hop.relationship.clone(), reference: hop.field, children: Vec::new() });
        nodes.len() - 1
    });
    if let Some(Node::Parent { children, .. }) = nodes.get_mut(at) {
        place(children, rest, make);
    }
}

/// Writes rows; keeps a scratch text so that no row allocates.
#[derive(Debug)]
pub struct RowWriter<'a> {
    projection: &'a Projection,
    snapshot: &'a Snapshot,
    /// `/services/data/v68.0/sobjects/`
    base: String,
    scratch: String,
}

impl<'a> RowWriter<'a> {
    /// `version` is `v68.0`, as it appears in record URLs.
    #[must_use]
    pub fn new(projection: &'a Projection, snapshot: &'a Snapshot, version: &str) -> Self {
        Self { projection, snapshot, base: format!("/services/data/{version}/sobjects/"), scratch: String::new() }
    }

    /// Appends the row as a REST record with its `attributes`.
    pub fn write_json(&mut self, row: &Row<'a>, out: &mut Vec<u8>) {
        let nodes = &self.projection.records;
        self.record(nodes, row, out);
    }

    /// Appends the row as a line of a Bulk result.
    pub fn write_csv(&mut self, row: &Row<'a>, dialect: CsvDialect, out: &mut Vec<u8>) {
        for (index, column) in self.projection.columns.iter().enumerate() {
            if index > 0 {
                out.push(dialect.delimiter);
            }
            write_csv_cell(column.path.read(row, self.snapshot, &mut self.scratch), out);
        }
        out.extend_from_slice(dialect.line_ending.as_bytes());
    }

    fn record(&mut self, nodes: &[Node], row: &Row<'a>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"attributes\":{\"type\":");
        write_json_text(&row.object().name, out);
        out.extend_from_slice(b",\"url\":\"");
        self.url(row, out);
        out.extend_from_slice(b"\"}");
        for node in nodes {
            out.push(b',');
            match node {
                Node::Field { key, leaf, shape } => {
                    write_key(key, out);
                    self.field(leaf, shape, row, out);
                }
                Node::Parent { key, reference, children } => {
                    write_key(key, out);
                    match follow(row, *reference, self.snapshot, &mut self.scratch) {
                        Some(parent) => self.record(children, &parent, out),
                        None => out.extend_from_slice(b"null"),
                    }
                }
            }
        }
        out.push(b'}');
    }

    fn url(&self, row: &Row<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.base.as_bytes());
        out.extend_from_slice(row.object().name.as_bytes());
        out.push(b'/');
        out.extend_from_slice(&row.id().to_bytes());
    }

    fn field(&mut self, leaf: &Leaf, shape: &Shape, row: &Row<'a>, out: &mut Vec<u8>) {
        match shape {
            Shape::Plain { scale } => write_json_cell(leaf.read(row, &mut self.scratch), *scale, out),
            Shape::Compound { parts, needs_all } => self.compound(parts, *needs_all, row, out),
            Shape::Body { field } => {
                if leaf.read(row, &mut self.scratch).is_null() {
                    return out.extend_from_slice(b"null");
                }
                out.push(b'"');
                self.url(row, out);
                out.push(b'/');
                out.extend_from_slice(field.as_bytes());
                out.push(b'"');
            }
        }
    }

    fn compound(
        &mut self,
        parts: &[(&'static str, FieldIndex, u8)],
        needs_all: bool,
        row: &Row<'a>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let mut filled = 0;
        for (index, (key, field, scale)) in parts.iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            write_key(key, out);
            let cell: Cell<'_> = row.cell(*field, &mut self.scratch);
            filled += usize::from(!cell.is_null());
            write_json_cell(cell, *scale, out);
        }
        let is_null = filled == 0 || needs_all && filled < parts.len();
        if is_null {
            out.truncate(start);
            return out.extend_from_slice(b"null");
        }
        out.push(b'}');
    }
}

fn write_key(key: &str, out: &mut Vec<u8>) {
    write_json_text(key, out);
    out.push(b':');
}
