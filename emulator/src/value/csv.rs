//! Values as Bulk API 2.0 results write them.
//!
//! Source: Bulk API 2.0 guide v66, "Valid CSV record rows"; scientific notation and `5.0` as reported by users
//! (forcedotcom/cli issue 3367).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Cell;

/// What ends a row. Newlines inside values stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LineEnding {
    #[default]
    Lf,
    CrLf,
}

impl LineEnding {
    #[must_use]
    pub fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }
}

/// The choices that a Bulk job makes about its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvDialect {
    /// One ASCII character: a comma unless the job says otherwise.
    pub delimiter: u8,
    pub line_ending: LineEnding,
}

impl Default for CsvDialect {
    fn default() -> Self {
        Self { delimiter: b',', line_ending: LineEnding::Lf }
    }
}

/// Writes one value: nothing for null, everything else in quotes.
pub fn write_csv_cell(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => return,
        Cell::Text(text) | Cell::Json(text) => return write_csv_text(text, out),
        _ => {}
    }
    out.push(b'"');
    match cell {
        Cell::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Cell::Int(value) => super::decimal::Decimal::from(value).write_plain(out),
        Cell::Decimal(value) => value.write_double(out),
        Cell::Id(id) => out.extend_from_slice(&id.to_bytes()),
        Cell::Date(date) => date.write(out),
        Cell::DateTime(time) => time.write_bulk(out),
        Cell::Time(time) => time.write(out),
        Cell::Bytes(bytes) => out.extend_from_slice(STANDARD.encode(bytes).as_bytes()),
        Cell::Null | Cell::Text(_) | Cell::Json(_) => {}
    }
    out.push(b'"');
}

/// Writes a text in quotes with inner quotes doubled. An empty text is written like null: Salesforce stores none.
pub fn write_csv_text(text: &str, out: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        out.push(b'"');
        rest = &rest[quote + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::{Decimal, Timestamp};

    fn written(cell: Cell<'_>) -> String {
        let mut out = Vec::new();
        write_csv_cell(cell, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Splits one record into fields; the reference reader of these tests.
    fn read(record: &str) -> Vec<Option<String>> {
        let mut fields = Vec::new();
        let mut chars = record.chars().peekable();
        loop {
            let mut field = None;
            if chars.next_if_eq(&'"').is_some() {
                let mut text = String::new();
                while let Some(c) = chars.next() {
                    if c != '"' || chars.next_if_eq(&'"').is_some() {
                        text.push(c);
                    } else {
                        break;
                    }
                }
                field = Some(text);
            }
            fields.push(field);
            if chars.next() != Some(',') {
                return fields;
            }
        }
    }

    #[test]
    fn values_have_the_forms_of_bulk_results() {
        assert_eq!(written(Cell::Null), "");
        assert_eq!(written(Cell::Text("N/A")), "\"N/A\"");
        assert_eq!(written(Cell::Text("a \"b\"\r\nc")), "\"a \"\"b\"\"\r\nc\"");
        assert_eq!(written(Cell::Bool(true)), "\"true\"");
        assert_eq!(written(Cell::Int(-42)), "\"-42\"");
        assert_eq!(written(Cell::Decimal(Decimal::new(912_260_031, 0))), "\"9.12260031E8\"");
        assert_eq!(written(Cell::DateTime(Timestamp(0))), "\"1970-01-01T00:00:00.000Z\"");
    }

    proptest! {
        #[test]
        fn any_record_reads_back_as_it_was(texts in proptest::collection::vec(proptest::option::of("[\\PC\n\r\",]{1,12}"), 1..6)) {
            let mut out = Vec::new();
            for (index, text) in texts.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_csv_cell(text.as_deref().map_or(Cell::Null, Cell::Text), &mut out);
            }
            prop_assert_eq!(read(std::str::from_utf8(&out).unwrap()), texts);
        }
    }
}
