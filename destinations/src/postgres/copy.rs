//! Arrow columns as PostgreSQL's binary copy format (*COPY*, Binary Format).

use std::borrow::Cow;

use arrow_array::RecordBatch;
use bytes::{Bytes, BytesMut};
use sync::{
    cells::{Column, columns},
    table::{ColumnType, DECIMAL_SCALE},
};

/// Signature, flags, length of the header's extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();
/// Sent at once; a row may be longer.
const CHUNK_BYTES: usize = 256 * 1024;
const NULL: [u8; 4] = (-1i32).to_be_bytes();

/// PostgreSQL counts from 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MILLIS: i64 = EPOCH_DAYS as i64 * 86_400_000;

/// Stands where text has a NUL, which PostgreSQL's text cannot hold.
const REPLACEMENT: &str = "\u{fffd}";

/// A batch's columns, and which of them have text with a NUL somewhere.
pub(super) struct Cells<'a>(Vec<(Column<'a>, bool)>);

impl<'a> Cells<'a> {
    /// `None` when the batch does not have columns of these types.
    pub(super) fn new(batch: &'a RecordBatch, kinds: impl ExactSizeIterator<Item = ColumnType>) -> Option<Self> {
        let has_nul = |column: &Column<'_>| matches!(column, Column::Text(texts) if texts.value_data().contains(&0));
        let columns = columns(batch, kinds)?.into_iter().map(|column| {
            let has_nul = has_nul(&column);
            (column, has_nul)
        });
        Some(Self(columns.collect()))
    }

    /// Whether some text has a NUL, which is going to be replaced.
    pub(super) fn has_nul(&self) -> bool {
        self.0.iter().any(|(_, has_nul)| *has_nul)
    }

    /// The rows as pieces of a copy stream, in this order.
    pub(super) fn stream<'b>(&'b self, rows: &'b [usize]) -> impl Iterator<Item = Bytes> + 'b {
        let mut buffer = BytesMut::from(HEADER);
        let mut rows = Some(rows.iter());
        std::iter::from_fn(move || {
            let waiting = rows.as_mut()?;
            buffer.reserve(CHUNK_BYTES + CHUNK_BYTES / 4);
            while buffer.len() < CHUNK_BYTES {
                let Some(row) = waiting.next() else {
                    buffer.extend_from_slice(&TRAILER);
                    rows = None;
                    break;
                };
                self.write_row(*row, &mut buffer);
            }
            Some(buffer.split().freeze())
        })
    }

    fn write_row(&self, row: usize, out: &mut BytesMut) {
        // A table has at most 1,600 columns.
        out.extend_from_slice(&(self.0.len() as i16).to_be_bytes());
        for (column, has_nul) in &self.0 {
            write_cell(column, *has_nul, row, out);
        }
    }
}

#[inline]
fn write_cell(column: &Column<'_>, has_nul: bool, row: usize, out: &mut BytesMut) {
    if column.is_null(row) {
        out.extend_from_slice(&NULL);
        return;
    }
    match column {
        Column::Text(array) if has_nul => write_bytes(out, array.value(row).replace('\0', REPLACEMENT).as_bytes()),
        Column::Text(array) => write_bytes(out, array.value(row).as_bytes()),
        Column::Json(array) => write_json(out, array.value(row)),
        Column::Boolean(array) => write_bytes(out, &[u8::from(array.value(row))]),
        Column::Integer(array) => write_bytes(out, &array.value(row).to_be_bytes()),
        Column::Decimal(array) => write_numeric(out, array.value(row)),
        Column::Date(array) => write_bytes(out, &array.value(row).saturating_sub(EPOCH_DAYS).to_be_bytes()),
        Column::Timestamp(array) => {
            let micros = array.value(row).saturating_sub(EPOCH_MILLIS).saturating_mul(1000);
            write_bytes(out, &micros.to_be_bytes());
        }
        Column::Time(array) => write_bytes(out, &(i64::from(array.value(row)) * 1000).to_be_bytes()),
    }
}

#[inline]
fn write_bytes(out: &mut BytesMut, bytes: &[u8]) {
    // A text of Salesforce's is far from 2 GiB.
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Writes `jsonb`: a version, then the text.
fn write_json(out: &mut BytesMut, text: &str) {
    let text = storable_json(text);
    out.extend_from_slice(&(text.len() as i32 + 1).to_be_bytes());
    out.extend_from_slice(&[1]);
    out.extend_from_slice(text.as_bytes());
}

/// JSON as `jsonb` takes it: an escaped NUL or half a surrogate pair becomes U+FFFD, and what is no JSON becomes a
/// JSON string.
fn storable_json(text: &str) -> Cow<'_, str> {
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    if is_json && !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    if is_json {
        return Cow::Owned(without_unstorable_escapes(text));
    }
    Cow::Owned(serde_json::Value::String(text.replace('\0', REPLACEMENT)).to_string())
}

fn without_unstorable_escapes(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('\\') {
        let (before, escape) = rest.split_at(start);
        out.push_str(before);
        let length = match (code(escape), escape.get(6..).and_then(code)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0 | 0xD800..=0xDFFF), _) => {
                out.push_str(REPLACEMENT);
                rest = &escape[6..];
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        out.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// The code of an escape such as `\u0041` at the beginning.
fn code(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// Writes an unscaled `Decimal128(38, 18)` as `numeric`: groups of four digits, with no more digits after the point
/// than it needs, so that equal numbers read alike.
fn write_numeric(out: &mut BytesMut, unscaled: i128) {
    const ONE: u128 = 10u128.pow(DECIMAL_SCALE as u32);
    let magnitude = unscaled.unsigned_abs();
    let (mut whole, fraction) = (magnitude / ONE, (magnitude % ONE) as u64);
    // Ten groups before the point hold 38 digits; five hold the 18 after it.
    let mut groups = [0u16; 15];
    let mut first = 10;
    while whole > 0 {
        first -= 1;
        groups[first] = (whole % 10_000) as u16;
        whole /= 10_000;
    }
    groups[14] = (fraction % 100 * 100) as u16;
    let mut rest = fraction / 100;
    for group in groups[10..14].iter_mut().rev() {
        *group = (rest % 10_000) as u16;
        rest /= 10_000;
    }
    let used = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    let first = groups[first..used].iter().position(|group| *group != 0).map_or(first, |zeros| first + zeros);
    let digits = &groups[first..used.max(first)];
    let weight = if digits.is_empty() { 0 } else { 9 - first as i16 };
    let sign: u16 = if unscaled < 0 { 0x4000 } else { 0 };
    out.extend_from_slice(&(8 + 2 * digits.len() as i32).to_be_bytes());
    out.extend_from_slice(&(digits.len() as u16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&decimal_places(fraction).to_be_bytes());
    for group in digits {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

/// How many of the 18 digits after the point are needed.
fn decimal_places(mut fraction: u64) -> u16 {
    if fraction == 0 {
        return 0;
    }
    let mut places = DECIMAL_SCALE as u16;
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        places -= 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Digits before and after the point of what was written, and its sign, by the format's definition.
    fn read_numeric(bytes: &[u8]) -> (i128, u16) {
        let number = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!(i32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize, bytes.len() - 4);
        let (count, weight, sign, places) = (number(4) as usize, number(6) as i16, number(8), number(10));
        let mut unscaled: i128 = 0;
        for index in 0..count {
            let power = 4 * (i32::from(weight) - index as i32) + i32::from(DECIMAL_SCALE);
            let group = i128::from(number(12 + 2 * index));
            unscaled += if power >= 0 { group * 10i128.pow(power as u32) } else { group / 10i128.pow(-power as u32) };
        }
        (if sign == 0x4000 { -unscaled } else { unscaled }, places)
    }

    fn numeric(unscaled: i128) -> Vec<u8> {
        let mut out = BytesMut::new();
        write_numeric(&mut out, unscaled);
        out.to_vec()
    }

    #[test]
    fn zero_has_no_digits_and_a_number_no_more_than_it_needs() {
        assert_eq!(numeric(0), [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(read_numeric(&numeric(10i128.pow(17))), (10i128.pow(17), 1));
        assert_eq!(numeric(50_000 * 10i128.pow(18)), [0, 0, 0, 10, 0, 1, 0, 1, 0, 0, 0, 0, 0, 5].map(|byte: u8| byte));
    }

    proptest! {
        #[test]
        fn a_decimal_is_written_exactly(unscaled in -(10i128.pow(38) - 1)..10i128.pow(38), shift in 0u32..38) {
            let unscaled = unscaled / 10i128.pow(shift);
            prop_assert_eq!(read_numeric(&numeric(unscaled)).0, unscaled);
        }

        #[test]
        fn any_text_becomes_json_that_means_the_same_or_is_a_string(text in "\\PC{0,40}") {
            let value = serde_json::Value::String(text);
            let json = value.to_string();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&storable_json(&json)).unwrap(), value);
        }
    }

    #[test]
    fn json_that_cannot_be_stored_loses_only_what_cannot() {
        for (json, stored) in [
            (r#"{"a":[1.50,null]}"#, r#"{"a":[1.50,null]}"#),
            (r#""a\u0000b""#, "\"a\u{fffd}b\""),
            (r#""\\u0000""#, r#""\\u0000""#),
            (r#""\ud83d\ude00 \ud83d \u00e9""#, "\"\\ud83d\\ude00 \u{fffd} \\u00e9\""),
            (r#""\ud83d\ud83d\ude00""#, "\"\u{fffd}\\ud83d\\ude00\""),
            ("no {json", r#""no {json""#),
            ("", r#""""#),
        ] {
            assert_eq!(storable_json(json), stored);
        }
    }
}
