//! A row as a number that is the same on both sides when the row is.
//!
//! The digest of a row is the first half of the SHA-256 of its cells, one after the other: a byte that tells null from a
//! value, then the value in a form of fixed length, or as its length and its bytes. What a destination cannot hold apart is
//! taken as the same: a NUL and U+FFFD in texts, two spellings of the same JSON.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use arrow_array::{Array, RecordBatch, StringArray, TimestampMillisecondArray, cast::AsArray};
use ring::digest::{SHA256, digest};
use salesforce::{Timestamp, time::civil_from_days};
use serde_json::Value;

use super::certificate::{Month, Slice, Sum};
use crate::{
    cells::{Column, columns},
    table::ColumnType,
};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Each month's records are told apart into so many parts by their keys, so that a few differences are found among few.
const PARTS: u64 = 1024;

/// A part of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    pub(super) month: Option<Month>,
    part: u16,
}

/// A row's place and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digested {
    pub(super) cell: Cell,
    pub(super) digest: u128,
}

/// The sums of one side.
#[derive(Debug, Default)]
pub(super) struct Sums(HashMap<Cell, Sum>);

impl Sums {
    pub(super) fn add(&mut self, row: Digested) {
        self.0.entry(row.cell).or_default().add(row.digest);
    }

    fn of(&self, cell: &Cell) -> Sum {
        self.0.get(cell).copied().unwrap_or_default()
    }

    /// What is in these cells, replaced.
    pub(super) fn replace(&mut self, cells: &HashSet<Cell>, rows: impl Iterator<Item = Digested>) {
        self.0.retain(|cell, _| !cells.contains(cell));
        rows.for_each(|row| self.add(row));
    }
}

/// The cells that are not the same on both sides.
pub(super) fn differing(source: &Sums, copy: &Sums) -> HashSet<Cell> {
    let is_different = |cell: &&Cell| source.of(cell) != copy.of(cell);
    let only_there = copy.0.keys().filter(|cell| !source.0.contains_key(cell));
    source.0.keys().filter(is_different).chain(only_there).copied().collect()
}

/// How many rows some cells hold on the side that has more.
pub(super) fn rows_in(cells: &HashSet<Cell>, source: &Sums, copy: &Sums) -> u64 {
    let rows = |side: &Sums| cells.iter().map(|cell| side.of(cell).rows).sum::<u64>();
    rows(source).max(rows(copy))
}

/// Month by month, in order.
pub(super) fn slices(source: &Sums, copy: &Sums) -> Vec<Slice> {
    let mut months: HashMap<Option<Month>, Slice> = HashMap::new();
    for (side, is_source) in [(source, true), (copy, false)] {
        for (Cell { month, .. }, sum) in &side.0 {
            let empty = Slice { month: *month, source: Sum::default(), copy: Sum::default() };
            let slice = months.entry(*month).or_insert(empty);
            if is_source { slice.source.merge(*sum) } else { slice.copy.merge(*sum) }
        }
    }
    let mut slices: Vec<Slice> = months.into_values().collect();
    slices.sort_by_key(|slice| slice.month);
    slices
}

/// The columns of a batch that are compared.
pub(super) struct Rows<'a> {
    columns: Vec<Column<'a>>,
    keys: &'a StringArray,
    versions: Option<&'a TimestampMillisecondArray>,
    buffer: Vec<u8>,
}

impl<'a> Rows<'a> {
    /// `key` and `version` are indexes of the batch's columns, which have these types.
    pub(super) fn new(batch: &'a RecordBatch, kinds: &[ColumnType], key: usize, version: Option<usize>) -> Self {
        let columns = columns(batch, kinds.iter().copied()).expect("the columns have these types");
        let versions = version.map(|version| batch.column(version).as_primitive());
        Self { columns, keys: batch.column(key).as_string(), versions, buffer: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn keys(&self) -> &'a StringArray {
        self.keys
    }

    pub(super) fn key(&self, row: usize) -> &'a str {
        self.keys.value(row)
    }

    pub(super) fn version(&self, row: usize) -> Option<Timestamp> {
        self.versions.filter(|versions| versions.is_valid(row)).map(|versions| Timestamp(versions.value(row)))
    }

    pub(super) fn digest(&mut self, row: usize) -> Digested {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.columns.iter().for_each(|column| write_cell(column, row, &mut buffer));
        let sha = digest(&SHA256, &buffer);
        self.buffer = buffer;
        let half = sha.as_ref().first_chunk().expect("SHA-256 has 32 bytes");
        Digested { cell: self.cell(row), digest: u128::from_be_bytes(*half) }
    }

    /// One number a column, the same where the cells are.
    pub(super) fn column_digests(&self, row: usize) -> Vec<u64> {
        let mut cell = Vec::new();
        let digest = |column: &Column<'_>| {
            cell.clear();
            write_cell(column, row, &mut cell);
            let mut hasher = DefaultHasher::new();
            cell.hash(&mut hasher);
            hasher.finish()
        };
        self.columns.iter().map(digest).collect()
    }

    fn cell(&self, row: usize) -> Cell {
        let mut hasher = DefaultHasher::new();
        self.key(row).hash(&mut hasher);
        let month = self.version(row).map(|Timestamp(millis)| {
            let (year, month, _) = civil_from_days(millis.div_euclid(MILLIS_PER_DAY));
            Month { year: i32::try_from(year).unwrap_or(i32::MAX), month: month as u8 }
        });
        Cell { month, part: (hasher.finish() % PARTS) as u16 }
    }
}

fn write_cell(column: &Column<'_>, row: usize, out: &mut Vec<u8>) {
    if column.is_null(row) {
        return out.push(0);
    }
    out.push(1);
    match column {
        Column::Text(array) => write_text(array.value(row), out),
        Column::Json(array) => write_json(array.value(row), out),
        Column::Boolean(array) => out.push(u8::from(array.value(row))),
        Column::Integer(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
        Column::Decimal(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
        Column::Date(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
        Column::Timestamp(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
        Column::Time(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let mut write = |text: &str| {
        out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    };
    match memchr::memchr(0, text.as_bytes()) {
        None => write(text),
        Some(_) => write(&text.replace('\0', "\u{fffd}")),
    }
}

/// What JSON says, whatever its spelling; a text that is none counts as the JSON string of itself.
fn write_json(text: &str, out: &mut Vec<u8>) {
    match serde_json::from_str(text) {
        Ok(value) => write_value(&value, out),
        Err(_) => write_value(&Value::String(text.to_owned()), out),
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(value) => out.push(if *value { b't' } else { b'f' }),
        Value::Number(number) => {
            out.push(b'#');
            out.extend_from_slice(&number.as_f64().unwrap_or(f64::NAN).to_be_bytes());
        }
        Value::String(text) => {
            out.push(b'"');
            write_text(text, out);
        }
        Value::Array(values) => {
            out.push(b'[');
            out.extend_from_slice(&(values.len() as u64).to_be_bytes());
            values.iter().for_each(|value| write_value(value, out));
        }
        Value::Object(members) => {
            out.push(b'{');
            out.extend_from_slice(&(members.len() as u64).to_be_bytes());
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in members {
                write_text(name, out);
                write_value(value, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::ArrayRef;
    use proptest::prelude::*;

    use super::*;

    fn texts(values: &[(&str, &str)]) -> RecordBatch {
        let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let ids = column(values.iter().map(|(id, _)| *id).collect());
        let names = column(values.iter().map(|(_, name)| *name).collect());
        RecordBatch::try_from_iter([("Id", ids), ("Name", names)]).unwrap()
    }

    fn sums(values: &[(&str, &str)], kind: ColumnType) -> Sums {
        let batch = texts(values);
        let mut rows = Rows::new(&batch, &[ColumnType::Text, kind], 0, None);
        let mut sums = Sums::default();
        (0..values.len()).for_each(|row| sums.add(rows.digest(row)));
        sums
    }

    fn is_same(one: &[(&str, &str)], other: &[(&str, &str)], kind: ColumnType) -> bool {
        differing(&sums(one, kind), &sums(other, kind)).is_empty()
    }

    #[test]
    fn json_is_what_it_says_and_a_nul_is_what_stands_for_it() {
        let json = |one, other| is_same(&[("1", one)], &[("1", other)], ColumnType::Json);
        assert!(json(r#"{"b": 1.0, "a": [true, "x"]}"#, r#"{"a":[true,"\u0078"],"b":1}"#));
        assert!(!json(r#"{"a": [1, 2]}"#, r#"{"a": [2, 1]}"#));
        assert!(!json(r#"{"a": "1"}"#, r#"{"a": 1}"#));
        assert!(is_same(&[("1", "a\0b")], &[("1", "a\u{fffd}b")], ColumnType::Text));
    }

    #[test]
    fn a_month_is_read_as_it_is_written() {
        let month = Month { year: 2026, month: 2 };
        assert_eq!(Month::try_from(String::from(month)), Ok(month));
        assert!(Month::try_from("2026-13".to_owned()).is_err());
    }

    proptest! {
        #[test]
        fn the_order_of_rows_does_not_matter_and_every_change_does(
            rows in prop::collection::btree_map("[a-z]{1,3}", "[a-z]{0,3}", 1..20),
            at in any::<prop::sample::Index>(),
            change in 0..3,
        ) {
            let rows: Vec<(&str, &str)> = rows.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
            let reversed: Vec<_> = rows.iter().rev().copied().collect();
            prop_assert!(is_same(&rows, &reversed, ColumnType::Text));
            let mut changed = rows.clone();
            let at = at.index(rows.len());
            match change {
                0 => drop(changed.remove(at)),
                1 => changed[at].1 = "other",
                _ => changed.push(rows[at]),
            }
            prop_assert!(!is_same(&rows, &changed, ColumnType::Text));
        }
    }
}
