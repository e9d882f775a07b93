//! Writes the rows of a projection: as REST records, or as lines of a Bulk result.

use std::sync::Arc;

use super::{Node, Projection, Shape};
use crate::database::Snapshot;
use crate::schema::{FieldIndex, ObjectIndex, Schema};
use crate::soql::family::{ChildList, Family};
use crate::soql::path::{Leaf, Reference, follow};
use crate::table::Row;
use crate::value::{Cell, CsvDialect, write_csv_cell, write_json_cell, write_json_text};

/// The children of the rows that are written, and what opens a cursor for those that do not fit.
pub(in crate::soql) struct Kin<'a, 'o> {
    pub family: &'a Family,
    /// Given the list and the number of its rows that are written, returns the URL of the rest.
    pub open: &'o mut dyn FnMut(ChildList, u64) -> String,
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

    /// Appends the row as a REST record with its `attributes`, without its children.
    pub fn write_json(&mut self, row: &Row<'a>, out: &mut Vec<u8>) {
        self.record(&self.projection.records, row, None, out);
    }

    /// Appends the row with its children.
    pub(in crate::soql) fn write_family(&mut self, row: &Row<'a>, kin: Kin<'a, '_>, out: &mut Vec<u8>) {
        self.record(&self.projection.records, row, Some(kin), out);
    }

    /// Appends the row as a line of a Bulk result.
    pub fn write_csv(&mut self, row: &Row<'a>, dialect: CsvDialect, out: &mut Vec<u8>) {
        for (index, column) in self.projection.columns.iter().enumerate() {
            if index > 0 {
                out.push(dialect.delimiter);
            }
            write_csv_cell(column.operand.read(row, self.snapshot, &mut self.scratch), out);
        }
        out.extend_from_slice(dialect.line_ending.as_bytes());
    }

    fn record(&mut self, nodes: &'a [Node], row: &Row<'a>, mut kin: Option<Kin<'a, '_>>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"attributes\":{\"type\":");
        write_json_text(&row.object().name, out);
        out.extend_from_slice(b",\"url\":\"");
        self.url(row, out);
        out.extend_from_slice(b"\"}");
        for node in nodes {
            out.push(b',');
            write_key(node.key(), out);
            match node {
                Node::Field { leaf, shape, .. } => self.field(leaf, shape, row, out),
                Node::Computed { operand, scale, .. } => {
                    write_json_cell(operand.read(row, self.snapshot, &mut self.scratch), *scale, out);
                }
                Node::Parent { reference, children, .. } => self.parent(*reference, |_| Some(children), row, out),
                Node::Typed { reference, branches, otherwise, .. } => {
                    let schema = self.snapshot.schema();
                    let shown = |object: &str| branch(schema, branches, object).or(otherwise.as_ref());
                    self.parent(*reference, shown, row, out);
                }
                Node::Children { subquery, .. } => match &mut kin {
                    Some(kin) => self.children(*subquery, row, kin, out),
                    None => out.extend_from_slice(b"null"),
                },
            }
        }
        out.push(b'}');
    }

    /// Appends what is selected of the record that a reference points to, which may depend on its object.
    fn parent(
        &mut self,
        reference: Reference,
        nodes: impl FnOnce(&str) -> Option<&'a Vec<Node>>,
        row: &Row<'a>,
        out: &mut Vec<u8>,
    ) {
        let parent = follow(row, reference, self.snapshot, &mut self.scratch);
        match parent.and_then(|parent| Some((parent, nodes(&parent.object().name)?))) {
            Some((parent, nodes)) => self.record(nodes, &parent, None, out),
            None => out.extend_from_slice(b"null"),
        }
    }

    /// Appends the children of a row as a result of their own, or null when there are none.
    fn children(&mut self, subquery: usize, row: &Row<'a>, kin: &mut Kin<'a, '_>, out: &mut Vec<u8>) {
        let Some((list, nested)) = kin.family.list(subquery, row.id()) else {
            return out.extend_from_slice(b"null");
        };
        let subquery = kin.family.subquery(subquery);
        let Some(projection) = subquery.plan.projection() else { return out.extend_from_slice(b"null") };
        let shown = list.ids.len() as u64;
        let done = shown >= list.total;
        out.extend_from_slice(format!("{{\"totalSize\":{},\"done\":{done}", list.total).as_bytes());
        if !done {
            let rest = ChildList { plan: Arc::clone(&subquery.plan), reference: subquery.reference, parent: row.id() };
            out.extend_from_slice(b",\"nextRecordsUrl\":");
            write_json_text(&(kin.open)(rest, shown), out);
        }
        out.extend_from_slice(b",\"records\":[");
        let table = self.snapshot.table(subquery.plan.object_index);
        let rows = list.ids.iter().filter_map(|id| table.row(*id));
        for (index, child) in rows.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let kin = Kin { family: nested, open: &mut *kin.open };
            self.record(&projection.records, &child, Some(kin), out);
        }
        out.extend_from_slice(b"]}");
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

/// What TYPEOF shows of a record of this object.
fn branch<'a>(schema: &Schema, branches: &'a [(ObjectIndex, Vec<Node>)], object: &str) -> Option<&'a Vec<Node>> {
    let (index, _) = schema.find(object)?;
    branches.iter().find(|(object, _)| *object == index).map(|(_, nodes)| nodes)
}

pub(in crate::soql) fn write_key(key: &str, out: &mut Vec<u8>) {
    write_json_text(key, out);
    out.push(b':');
}
