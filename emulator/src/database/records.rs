//! Rows as JSON objects, for whoever compares the truth with a copy.

use super::{Record, Snapshot};
use crate::schema::{Object, Source};
use crate::table::{IdRange, Row};
use crate::value::write_json_cell;

impl Snapshot {
    /// The rows of an object outside the recycle bin, archived ones included, in id order: every field but addresses and
    /// locations, whose parts are there, as REST writes it; the bytes of base64 fields in base64. None for an unknown object.
    #[must_use]
    pub fn live_records(&self, object: &str) -> Vec<Record> {
        self.records(object, |row| !row.is_deleted())
    }

    /// The rows of an object that are in the recycle bin, as [`Snapshot::live_records`].
    #[must_use]
    pub fn binned_records(&self, object: &str) -> Vec<Record> {
        self.records(object, |row| row.is_deleted())
    }

    fn records(&self, object: &str, wanted: impl Fn(&Row<'_>) -> bool) -> Vec<Record> {
        let Some((index, declared)) = self.schema.find(object) else { return Vec::new() };
        let rows = self.table(index).scan(IdRange::ALL).filter(|row| wanted(row));
        rows.map(|row| record(declared, &row)).collect()
    }
}

pub(super) fn record(object: &Object, row: &Row<'_>) -> Record {
    let (mut scratch, mut text) = (String::new(), Vec::new());
    let fields = object.fields().iter().enumerate().filter(|(_, field)| field.source != Source::Compound);
    let member = |(index, field): (usize, &crate::schema::Field)| {
        text.clear();
        write_json_cell(row.cell(index, &mut scratch), field.scale, &mut text);
        (field.name.clone(), serde_json::from_slice(&text).expect("cells are written as JSON"))
    };
    fields.map(member).collect()
}
