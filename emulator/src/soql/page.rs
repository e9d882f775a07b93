//! A page of a result as REST shows it.

use super::Shape;
use super::aggregate::Grouped;
use super::family::{ChildList, Family};
use super::outcome::QueryError;
use super::projection::{Kin, RowWriter, write_key};
use super::results::{ResultSet, no_query_more};
use crate::ids::RecordId;
use crate::table::Row;
use crate::value::write_json_cell;

/// How large a page may be.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Records, with their children counted in; the first record comes with any number.
    pub rows: usize,
    /// Children of one record by one relationship.
    pub child_rows: usize,
}

/// Some records of a result.
#[derive(Debug)]
pub struct Page {
    /// JSON objects with commas between.
    pub records: Vec<u8>,
    /// The offset of the first record that is not on the page.
    pub next: u64,
}

impl ResultSet {
    /// Writes the page that begins at `offset`. `version` is `v68.0`; `open` makes the URL at which a list of children
    /// goes on from a place.
    pub fn page(&self, offset: u64, cut: Cut, version: &str, open: &mut dyn FnMut(ChildList, u64) -> String) -> Page {
        match &self.plan.shape {
            Shape::Count => Page { records: Vec::new(), next: self.total() },
            Shape::Groups(grouped) => self.group_page(grouped, offset),
            Shape::Records { projection, .. } if projection.subqueries().is_empty() => {
                self.plain_page(RowWriter::new(projection, &self.snapshot, version), offset, cut)
            }
            Shape::Records { projection, .. } => {
                let rows: Vec<Row<'_>> = self.rows(offset).take(cut.rows).collect();
                let ids: Vec<RecordId> = rows.iter().map(Row::id).collect();
                let family = Family::gather(projection, &ids, &self.snapshot, cut.child_rows);
                let shown = ids.iter().zip(fitting(&ids, &family, cut.rows)).take_while(|(_, fits)| *fits).count();
                let mut writer = RowWriter::new(projection, &self.snapshot, version);
                let mut records = Vec::new();
                for (index, row) in rows.iter().take(shown).enumerate() {
                    if index > 0 {
                        records.push(b',');
                    }
                    write_member(&mut writer, row, &family, open, &mut records);
                }
                Page { records, next: offset.saturating_add(shown as u64) }
            }
        }
    }

    /// Why a page cannot be the first of several, if it cannot.
    #[must_use]
    pub fn refusal_to_continue(&self, page: &Page) -> Option<QueryError> {
        let goes_on = page.next < self.total() && !self.plan.object.can.query_more;
        goes_on.then(|| no_query_more(&self.plan.object.name))
    }

    fn plain_page<'a>(&'a self, mut writer: RowWriter<'a>, offset: u64, cut: Cut) -> Page {
        let mut records = Vec::new();
        for (index, row) in self.rows(offset).take(cut.rows).enumerate() {
            if index > 0 {
                records.push(b',');
            }
            writer.write_json(&row, &mut records);
        }
        Page { records, next: offset.saturating_add(cut.rows as u64).min(self.total()) }
    }

    /// All groups from `offset` on: there is no second page of them.
    fn group_page(&self, grouped: &Grouped, offset: u64) -> Page {
        let mut records = Vec::new();
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
        for (index, group) in self.groups().iter().skip(skipped).enumerate() {
            if index > 0 {
                records.push(b',');
            }
            records.extend_from_slice(b"{\"attributes\":{\"type\":\"AggregateResult\"}");
            for (column, value) in grouped.columns.iter().zip(group) {
                records.push(b',');
                write_key(&column.name, &mut records);
                write_json_cell(value.as_cell(), grouped.scale(column.cell), &mut records);
            }
            records.push(b'}');
        }
        Page { records, next: self.total() }
    }
}

/// Ties what a row and its family borrow to one life.
fn write_member<'a>(
    writer: &mut RowWriter<'a>,
    row: &Row<'a>,
    family: &'a Family,
    open: &mut dyn FnMut(ChildList, u64) -> String,
    out: &mut Vec<u8>,
) {
    writer.write_family(row, Kin { family, open }, out);
}

/// Which records still fit on a page when their children count as well. The first one always does.
fn fitting<'f>(ids: &'f [RecordId], family: &'f Family, rows: usize) -> impl Iterator<Item = bool> + 'f {
    let mut used = 0;
    ids.iter().enumerate().map(move |(index, id)| {
        used += 1 + family.size(*id);
        index == 0 || used <= rows
    })
}
