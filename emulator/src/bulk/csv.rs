//! Reads the CSV of uploads as it comes from disk, a row at a time.
//!
//! The rules are Salesforce's and narrower than those of usual parsers, the `csv` crate among them: one declared line
//! ending, a blank beside a quote is an error, nothing is trimmed, a byte order mark belongs to the first name. So this is
//! a reader of our own, with the limits of a row built in. Source: Bulk API 2.0 guide v66, "Prepare CSV Files" and limits.

use std::borrow::Cow;
use std::io::{self, BufRead};

use super::dialect::{Format, LineEnd};

/// Characters of a field.
const MAX_FIELD: usize = 131_072;
/// Characters of a row.
const MAX_RECORD: usize = 400_000;
const MAX_FIELDS: usize = 5_000;

/// Rows of a CSV.
#[derive(Debug)]
pub(super) struct Reader<R> {
    input: R,
    delimiter: u8,
    /// Either one will do when none is declared.
    line_ending: Option<LineEnd>,
    offset: u64,
    rows: u64,
}

/// A row, reused for every one.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    text: Vec<u8>,
    /// Where each field ends.
    ends: Vec<usize>,
    characters: usize,
    field_characters: usize,
    excess: Option<Excess>,
}

/// A limit that a row does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    Field,
    Record,
    Fields,
}

/// Why reading cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    /// Text as pasted from failed jobs; that it comes as `ClientInputError` is from memory.
    #[error("ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {}", .0.name())]
    LineEnding(LineEnd),
    #[error("InvalidBatch : Failed to parse row {row}: a quote stands next to something that is no column delimiter")]
    Quote { row: u64 },
    #[error("InvalidBatch : Failed to parse row {row}: a quote is not closed")]
    Unclosed { row: u64 },
    #[error("Unknown : the emulator cannot read an upload: {0}")]
    Read(#[from] io::Error),
}

impl Excess {
    /// The text is ours: no source has it.
    pub(super) fn message(self) -> String {
        match self {
            Self::Field => format!("A field has more than {MAX_FIELD} characters"),
            Self::Record => format!("The record has more than {MAX_RECORD} characters"),
            Self::Fields => format!("The record has more than {MAX_FIELDS} fields"),
        }
    }
}

impl Row {
    /// The number of fields.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn field(&self, index: usize) -> Cow<'_, str> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        String::from_utf8_lossy(&self.text[start..self.ends[index]])
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = Cow<'_, str>> {
        (0..self.len()).map(|index| self.field(index))
    }

    /// Characters of all fields.
    pub(super) fn characters(&self) -> usize {
        self.characters
    }

    pub(super) fn excess(&self) -> Option<Excess> {
        self.excess
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        (self.characters, self.field_characters, self.excess) = (0, 0, None);
    }

    fn push(&mut self, byte: u8) {
        let begins_character = byte & 0xc0 != 0x80;
        self.characters += usize::from(begins_character);
        self.field_characters += usize::from(begins_character);
        if self.field_characters > MAX_FIELD {
            self.excess.get_or_insert(Excess::Field);
        }
        if self.characters > MAX_RECORD {
            // The rest of such a row is read past, so that memory stays small.
            self.excess = Some(Excess::Record);
            return;
        }
        self.text.push(byte);
    }

    fn end_field(&mut self) {
        self.field_characters = 0;
        if self.ends.len() >= MAX_FIELDS {
            self.excess.get_or_insert(Excess::Fields);
            return;
        }
        self.ends.push(self.text.len());
    }

    /// Whether there is nothing yet but a byte order mark.
    fn is_only_mark(&self) -> bool {
        self.ends.is_empty() && self.text == "\u{feff}".as_bytes()
    }

    /// A line without anything in it is no row.
    fn is_blank(&self) -> bool {
        self.ends.len() == 1 && self.text.is_empty()
    }
}

/// Where in a row the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a field.
    Start,
    Plain,
    Quoted,
    /// Behind a quote inside a quoted field, which closes it unless another follows.
    Closed,
    /// Behind a carriage return in or behind a plain field.
    PlainReturn,
    /// Behind a carriage return that follows a quoted field.
    ClosedReturn,
}

/// What a byte does.
enum Step {
    Go(Place),
    EndOfRow,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(input: R, format: Format) -> Self {
        let (delimiter, line_ending) = (format.delimiter.byte(), Some(format.line_ending));
        Self { input, delimiter, line_ending, offset: 0, rows: 0 }
    }

    /// Reads what Bulk API 1.0 is sent: commas, and whichever line ending.
    pub(super) fn undeclared(input: R) -> Self {
        Self { input, delimiter: b',', line_ending: None, offset: 0, rows: 0 }
    }

    /// Bytes that have been read, to the end of a row.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next row; `false` when there is none.
    pub(super) fn next(&mut self, row: &mut Row) -> Result<bool, Malformed> {
        loop {
            row.clear();
            self.rows += 1;
            if !self.read_row(row)? {
                return Ok(false);
            }
            if !row.is_blank() {
                return Ok(true);
            }
        }
    }

    fn read_row(&mut self, row: &mut Row) -> Result<bool, Malformed> {
        let mut place = Place::Start;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return self.end(place, row);
            }
            let mut ended = None;
            for (index, byte) in buffer.iter().enumerate() {
                match step(place, *byte, self.delimiter, self.line_ending, self.rows, row)? {
                    Step::Go(next) => place = next,
                    Step::EndOfRow => {
                        ended = Some(index + 1);
                        break;
                    }
                }
            }
            let read = ended.unwrap_or(buffer.len());
            self.input.consume(read);
            self.offset += read as u64;
            if ended.is_some() {
                return Ok(true);
            }
        }
    }

    /// The end of the input; the last row needs no line ending.
    fn end(&self, place: Place, row: &mut Row) -> Result<bool, Malformed> {
        match place {
            Place::Start if row.len() == 0 => return Ok(false),
            Place::Quoted => return Err(Malformed::Unclosed { row: self.rows }),
            Place::PlainReturn => row.push(b'\r'),
            Place::Start | Place::Plain | Place::Closed | Place::ClosedReturn => {}
        }
        row.end_field();
        Ok(true)
    }
}

fn step(
    place: Place,
    byte: u8,
    delimiter: u8,
    line_ending: Option<LineEnd>,
    number: u64,
    row: &mut Row,
) -> Result<Step, Malformed> {
    let misplaced = || Malformed::Quote { row: number };
    let go = |place| Ok(Step::Go(place));
    match (place, byte) {
        (Place::Quoted, b'"') => go(Place::Closed),
        (Place::Quoted, _) => {
            row.push(byte);
            go(Place::Quoted)
        }
        (Place::Closed, b'"') => {
            row.push(b'"');
            go(Place::Quoted)
        }
        (Place::PlainReturn | Place::ClosedReturn, b'\n') => end_row(LineEnd::Crlf, line_ending, row),
        (Place::Start | Place::Plain | Place::Closed, b'\n') => end_row(LineEnd::Lf, line_ending, row),
        (Place::ClosedReturn, _) => Err(misplaced()),
        (Place::PlainReturn, _) => {
            // A carriage return alone is a character like any other.
            row.push(b'\r');
            step(Place::Plain, byte, delimiter, line_ending, number, row)
        }
        (Place::Start | Place::Plain, b'\r') => go(Place::PlainReturn),
        (Place::Closed, b'\r') => go(Place::ClosedReturn),
        (_, byte) if byte == delimiter => {
            row.end_field();
            go(Place::Start)
        }
        (Place::Start, b'"') => go(Place::Quoted),
        // A mark in front of the first name becomes a part of it, quotes or no quotes.
        (Place::Plain, b'"') if row.is_only_mark() => go(Place::Quoted),
        (Place::Plain, b'"') | (Place::Closed, _) => Err(misplaced()),
        (Place::Start | Place::Plain, byte) => {
            row.push(byte);
            go(Place::Plain)
        }
    }
}

fn end_row(found: LineEnd, declared: Option<LineEnd>, row: &mut Row) -> Result<Step, Malformed> {
    if let Some(declared) = declared.filter(|declared| *declared != found) {
        return Err(Malformed::LineEnding(declared));
    }
    row.end_field();
    Ok(Step::EndOfRow)
}

/// Writes one value of an uploaded row into a result: always in quotes, as captured results show them.
pub(super) fn write_value(text: &str, out: &mut Vec<u8>) {
    if text.is_empty() {
        out.extend_from_slice(b"\"\"");
    } else {
        crate::value::write_csv_text(text, out);
    }
}

/// Reads everything.
pub(super) fn exhaust<R: BufRead>(mut reader: Reader<R>) -> Result<Vec<Vec<String>>, Malformed> {
    let (mut row, mut rows) = (Row::default(), Vec::new());
    while reader.next(&mut row)? {
        rows.push(row.fields().map(Cow::into_owned).collect());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bulk::dialect::ColumnDelimiter;

    const COMMA: Format = Format { delimiter: ColumnDelimiter::Comma, line_ending: LineEnd::Lf };
    const CRLF: Format = Format { delimiter: ColumnDelimiter::Comma, line_ending: LineEnd::Crlf };

    fn read(text: &str) -> Result<Vec<Vec<String>>, String> {
        exhaust(Reader::new(text.as_bytes(), COMMA)).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_are_read_by_the_rules_of_the_guide() {
        for (text, rows) in [
            ("a,b\n1,2\n", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a,b\n1,2", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a\n\" x \"\n", vec![vec!["a"], vec![" x "]]),
            ("a\n x \n", vec![vec!["a"], vec![" x "]]),
            ("a,b\n\"1\n2\",\"say \"\"hi\"\"\"\n", vec![vec!["a", "b"], vec!["1\n2", "say \"hi\""]]),
            ("a,b\n,\n", vec![vec!["a", "b"], vec!["", ""]]),
            ("a\n\n1\n", vec![vec!["a"], vec!["1"]]),
            ("\u{feff}a\n", vec![vec!["\u{feff}a"]]),
            ("\u{feff}\"a\",b\n", vec![vec!["\u{feff}a", "b"]]),
            ("a\nx\ry\n", vec![vec!["a"], vec!["x\ry"]]),
            ("", vec![]),
        ] {
            assert_eq!(read(text).unwrap(), rows, "{text:?}");
        }
        assert_eq!(exhaust(Reader::new(&b"a\r\n\"1\r\n2\"\r\n"[..], CRLF)).unwrap(), [["a"], ["1\r\n2"]]);
    }

    #[test]
    fn quotes_and_line_endings_out_of_place_end_the_reading() {
        for text in ["a,b\n\"John\", \"Smith\"\n", "a\n\"x\" \n", "a\nx\"y\n", "a\n\"x\"\r"] {
            let problem = read(text).map(drop);
            let refused =
                matches!(&problem, Err(message) if message.starts_with("InvalidBatch : Failed to parse row 2"));
            assert!(refused || text.ends_with('\r'), "{text:?}: {problem:?}");
        }
        assert!(read("a\n\"x").unwrap_err().contains("not closed"));
        assert!(read("a\r\n").unwrap_err().ends_with("Current LineEnding setting is LF"));
        assert_eq!(exhaust(Reader::undeclared(&b"a\r\nb\n"[..])).unwrap(), [["a"], ["b"]]);
        let mixed = exhaust(Reader::new(&b"a\r\nb\n"[..], CRLF)).unwrap_err().to_string();
        assert!(mixed.ends_with("Current LineEnding setting is CRLF"), "{mixed}");
    }

    #[test]
    fn a_row_beyond_a_limit_is_marked_and_the_next_is_read() {
        for (wide, excess) in [
            ("x".repeat(MAX_FIELD + 1), Excess::Field),
            (["x".repeat(MAX_FIELD).as_str(); 4].join(","), Excess::Record),
            (",".repeat(MAX_FIELDS), Excess::Fields),
        ] {
            let text = format!("{wide}\nnext\n");
            let (mut reader, mut row) = (Reader::new(text.as_bytes(), COMMA), Row::default());
            assert!(reader.next(&mut row).unwrap());
            assert_eq!(row.excess(), Some(excess));
            assert!(reader.next(&mut row).unwrap());
            assert_eq!((row.excess(), row.field(0).as_ref()), (None, "next"));
            assert_eq!(reader.offset(), text.len() as u64);
        }
        let widest = "ä".repeat(MAX_FIELD) + "\n";
        let (mut reader, mut row) = (Reader::new(widest.as_bytes(), COMMA), Row::default());
        assert!(reader.next(&mut row).unwrap());
        assert_eq!(row.excess(), None, "characters count, and not bytes");
    }

    fn formats() -> impl Strategy<Value = Format> {
        use ColumnDelimiter as D;
        let delimiter = proptest::sample::select(vec![D::Backquote, D::Caret, D::Comma, D::Pipe, D::Semicolon, D::Tab]);
        let ending = proptest::sample::select(vec![LineEnd::Lf, LineEnd::Crlf]);
        (delimiter, ending).prop_map(|(delimiter, line_ending)| Format { delimiter, line_ending })
    }

    proptest! {
        #[test]
        fn what_is_written_by_the_rules_is_read_back(
            rows in proptest::collection::vec(proptest::collection::vec("[ -~äß\n\r\t\"`^|;,]{0,8}", 2..5), 0..6),
            format in formats(),
            split in 1_usize..7,
        ) {
            let mut text = Vec::new();
            for row in &rows {
                for (index, value) in row.iter().enumerate() {
                    if index > 0 {
                        text.push(format.delimiter.byte());
                    }
                    write_value(value, &mut text);
                }
                text.extend_from_slice(format.dialect().line_ending.as_bytes());
            }
            prop_assert_eq!(&exhaust(Reader::new(text.as_slice(), format)).unwrap(), &rows);
            let in_pieces = io::BufReader::with_capacity(split, text.as_slice());
            prop_assert_eq!(exhaust(Reader::new(in_pieces, format)).unwrap(), rows);
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            format in formats(),
        ) {
            let _ = exhaust(Reader::new(bytes.as_slice(), format));
        }
    }
}
