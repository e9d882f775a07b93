//! A row as it lies in memory: what is not null, in as few bytes as it takes.
//!
//! A row of values takes 48 bytes for each field of its object, null or not; packed it takes two bytes and the value
//! itself for each field that holds one. Rows are packed when they are stored and unpacked when they are changed; readers
//! find a value by walking past those before it.

use super::StoredRow;
use crate::ids::RecordId;
use crate::schema::FieldIndex;
use crate::value::{Cell, Date, Decimal, TimeOfDay, Timestamp, Value};

/// A row that somebody wrote.
#[derive(Clone, Debug)]
pub(crate) struct PackedRow {
    is_deleted: bool,
    /// Fields that the row knows; later ones are younger than it.
    known: u32,
    /// For each value: how many fields lie between it and the one before, its kind, and the value.
    bytes: Box<[u8]>,
}

const FALSE: u8 = 0;
const TRUE: u8 = 1;
const INT: u8 = 2;
const DECIMAL: u8 = 3;
const TEXT: u8 = 4;
const ID: u8 = 5;
/// The id of the row itself.
const OWN_ID: u8 = 6;
const DATE: u8 = 7;
const DATE_TIME: u8 = 8;
const TIME: u8 = 9;
const BYTES: u8 = 10;
const JSON: u8 = 11;

impl PackedRow {
    pub(crate) fn pack(row: &StoredRow) -> Self {
        let mut bytes = Vec::new();
        let mut skipped = 0;
        for value in &row.values {
            if value.is_null() {
                skipped += 1;
                continue;
            }
            write_number(skipped, &mut bytes);
            skipped = 0;
            write_cell(value.as_cell(), row.id, &mut bytes);
        }
        let known = u32::try_from(row.values.len()).expect("an object has fewer than four billion fields");
        Self { is_deleted: row.is_deleted, known, bytes: bytes.into() }
    }

    pub(crate) fn unpack(&self, id: RecordId) -> StoredRow {
        let mut values = vec![Value::Null; self.known as usize];
        for (field, cell) in (Cells { rest: &self.bytes, next: 0, id }) {
            values[field] = cell.to_value();
        }
        StoredRow { id, is_deleted: self.is_deleted, values }
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.is_deleted
    }

    /// The value of a field of the row with this id; `None` for a field that is younger than it.
    pub(crate) fn cell(&self, id: RecordId, field: FieldIndex) -> Option<Cell<'_>> {
        if field >= self.known as usize {
            return None;
        }
        let mut cells = Cells { rest: &self.bytes, next: 0, id };
        Some(cells.find(field).unwrap_or(Cell::Null))
    }
}

/// The values of a row that are not null, with their fields.
struct Cells<'a> {
    rest: &'a [u8],
    next: FieldIndex,
    id: RecordId,
}

impl<'a> Cells<'a> {
    /// The value of one field, without reading those before it.
    fn find(&mut self, wanted: FieldIndex) -> Option<Cell<'a>> {
        while !self.rest.is_empty() {
            let field = self.field();
            if field > wanted {
                return None;
            }
            if field == wanted {
                return Some(self.cell());
            }
            self.skip();
        }
        None
    }

    fn field(&mut self) -> FieldIndex {
        let field = self.next + self.number() as usize;
        self.next = field + 1;
        field
    }

    fn skip(&mut self) {
        match self.byte() {
            FALSE | TRUE | OWN_ID => {}
            DECIMAL => {
                self.byte();
                self.number();
            }
            TEXT | BYTES | JSON => drop(self.bytes()),
            ID => drop(self.take(15)),
            _ => drop(self.number()),
        }
    }

    fn cell(&mut self) -> Cell<'a> {
        match self.byte() {
            FALSE => Cell::Bool(false),
            TRUE => Cell::Bool(true),
            INT => Cell::Int(self.signed() as i64),
            DECIMAL => {
                let scale = self.byte();
                Cell::Decimal(Decimal::new(self.signed(), scale))
            }
            TEXT => Cell::Text(self.text()),
            ID => Cell::Id(RecordId::from_raw(self.take(15).try_into().unwrap_or([b'0'; 15]))),
            OWN_ID => Cell::Id(self.id),
            DATE => Cell::Date(Date(self.signed() as i32)),
            DATE_TIME => Cell::DateTime(Timestamp(self.signed() as i64)),
            TIME => Cell::Time(TimeOfDay(self.number() as u32)),
            BYTES => Cell::Bytes(self.bytes()),
            _ => Cell::Json(self.text()),
        }
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn bytes(&mut self) -> &'a [u8] {
        let length = self.number() as usize;
        self.take(length)
    }

    fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.bytes()).expect("a packed text was one")
    }

    /// LEB128, as [`write_number`] writes it.
    fn number(&mut self) -> u128 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return number;
            }
            shift += 7;
        }
    }

    fn signed(&mut self) -> i128 {
        let number = self.number();
        (number >> 1) as i128 ^ -((number & 1) as i128)
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = (FieldIndex, Cell<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        Some((field, self.cell()))
    }
}

fn write_cell(cell: Cell<'_>, own: RecordId, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => {}
        Cell::Bool(value) => out.push(if value { TRUE } else { FALSE }),
        Cell::Int(value) => write_signed(INT, i128::from(value), out),
        Cell::Decimal(value) => {
            let (unscaled, scale) = value.parts();
            out.extend_from_slice(&[DECIMAL, scale]);
            write_number(zigzag(unscaled), out);
        }
        Cell::Text(text) => write_bytes(TEXT, text.as_bytes(), out),
        Cell::Id(id) if id == own => out.push(OWN_ID),
        Cell::Id(id) => {
            out.push(ID);
            out.extend_from_slice(id.short().as_bytes());
        }
        Cell::Date(date) => write_signed(DATE, i128::from(date.0), out),
        Cell::DateTime(time) => write_signed(DATE_TIME, i128::from(time.0), out),
        Cell::Time(time) => {
            out.push(TIME);
            write_number(u128::from(time.0), out);
        }
        Cell::Bytes(bytes) => write_bytes(BYTES, bytes, out),
        Cell::Json(json) => write_bytes(JSON, json.as_bytes(), out),
    }
}

fn write_bytes(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    write_number(bytes.len() as u128, out);
    out.extend_from_slice(bytes);
}

fn write_signed(kind: u8, number: i128, out: &mut Vec<u8>) {
    out.push(kind);
    write_number(zigzag(number), out);
}

/// Small numbers of either sign become small ones.
fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)) as u128
}

fn write_number(mut number: u128, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 & 0x7f | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(ordinal: u64) -> RecordId {
        RecordId::new(crate::ids::KeyPrefix::parse("001").unwrap(), ordinal)
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            4 => Just(Value::Null),
            1 => any::<bool>().prop_map(Value::Bool),
            1 => any::<i64>().prop_map(Value::Int),
            1 => (any::<i128>(), any::<u8>()).prop_map(|(unscaled, scale)| Value::Decimal(Decimal::new(unscaled, scale))),
            2 => ".{0,200}".prop_map(Value::text),
            1 => (0_u64..9).prop_map(|ordinal| Value::Id(id(ordinal))),
            1 => any::<i32>().prop_map(|days| Value::Date(Date(days))),
            1 => any::<i64>().prop_map(|ms| Value::DateTime(Timestamp(ms))),
            1 => any::<u32>().prop_map(|ms| Value::Time(TimeOfDay(ms))),
            1 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Value::Bytes(bytes.into())),
            1 => ".{0,20}".prop_map(|json| Value::Json(json.into())),
        ]
    }

    /// As texts, since two decimals are equal whatever their scales are.
    fn shown(values: &[Value]) -> Vec<String> {
        values.iter().map(|value| format!("{value:?}")).collect()
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_and_unpacked_as_it_was(
            values in proptest::collection::vec(value(), 0..300),
            is_deleted: bool,
        ) {
            let row = StoredRow { id: id(3), is_deleted, values };
            let packed = PackedRow::pack(&row);
            let again = packed.unpack(row.id);
            prop_assert_eq!(shown(&again.values), shown(&row.values));
            prop_assert_eq!((again.id, packed.is_deleted()), (row.id, is_deleted));
            let cells: Vec<Value> =
                (0..row.values.len()).map(|field| packed.cell(row.id, field).unwrap().to_value()).collect();
            prop_assert_eq!(shown(&cells), shown(&row.values));
            prop_assert!(packed.cell(row.id, row.values.len()).is_none());
        }
    }
}
