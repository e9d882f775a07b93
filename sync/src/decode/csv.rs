//! Result pages of Bulk API 2.0 queries (*Bulk API 2.0 Developer Guide*, v66: RFC 4180 with every value quoted, null as
//! nothing between two commas, the header on every page).

use memchr::{memchr, memchr2};

use super::{DecodeError, builder::BatchBuilder};
use crate::batch::{Batch, ReadField};

/// The longest value that is read: 128 times the longest a Salesforce field holds (131,072 characters). It bounds what
/// a quote that is never closed can occupy.
pub const MAX_FIELD_BYTES: usize = 64 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What Bulk API 1.0 answers in place of a page without rows; nothing says that 2.0 never does.
const NO_RECORDS: &str = "Records not found for this query";

/// Reads result pages, each in chunks that may end anywhere, inside a character too.
///
/// Between pages the rows stay in the making, so that small pages share a batch.
pub struct CsvDecoder {
    batch: BatchBuilder,
    page: Page,
    /// What the chunks so far hold of a value that is split over chunks, without its quotes.
    split: Vec<u8>,
    /// A quoted value whose doubled quotes are undone.
    unquoted: Vec<u8>,
}

/// Where a page's reading has come to.
struct Page {
    header: Header,
    /// Complete rows so far.
    rows: u64,
    /// Index of the next value in its row.
    value: usize,
    /// What of that value was in earlier chunks.
    within: Within,
    /// Bytes in earlier chunks.
    bytes: u64,
}

enum Header {
    /// Names so far.
    Reading(Vec<String>),
    /// The batch's column of each value of a row.
    Known(Vec<usize>),
    /// The page says in words that it has no rows.
    NoRecords,
}

/// Where in a value a chunk ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Before its first byte.
    Nothing,
    Bare,
    Quotes,
    /// After a quote that closes the value or is the first of two.
    Quote,
    /// After the closing quote and a carriage return.
    LineEnd,
}

/// What ends a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Value,
    Row,
}

impl Page {
    fn new() -> Self {
        Self { header: Header::Reading(Vec::new()), rows: 0, value: 0, within: Within::Nothing, bytes: 0 }
    }
}

impl CsvDecoder {
    /// A decoder of pages with these columns, in any order. Paths differ in more than case.
    ///
    /// # Panics
    /// When `id_field` is no index of `fields`.
    pub fn new(fields: &[ReadField], id_field: usize) -> Self {
        Self { batch: BatchBuilder::new(fields, id_field), page: Page::new(), split: Vec::new(), unquoted: Vec::new() }
    }

    /// Begins a page. What a page that was given up left of an unfinished row is forgotten; its complete rows stay.
    pub fn start_page(&mut self) {
        self.batch.abandon_row();
        self.split.clear();
        self.page = Page::new();
    }

    /// Reads the page's next chunk and hands out the batches that it fills.
    ///
    /// # Errors
    /// A header other than asked for, a row of another width, or text after a closing quote. The page cannot be
    /// continued then.
    pub fn push(&mut self, chunk: &[u8], out: &mut impl FnMut(Batch)) -> Result<(), DecodeError> {
        let mut at = self.skip_byte_order_mark(chunk);
        while at < chunk.len() {
            if self.page.within == Within::Nothing && matches!(self.page.header, Header::Known(_)) {
                at = self.read_whole_values(chunk, at, out)?;
            }
            at = self.read_split_value(chunk, at, out)?;
        }
        self.page.bytes += chunk.len() as u64;
        Ok(())
    }

    /// Ends the page and tells how many rows it had; an empty page and a header alone have none. A last row without a
    /// line end may fill a batch, which is handed out as by `push`.
    ///
    /// # Errors
    /// The page ends inside a row.
    pub fn finish_page(&mut self, out: &mut impl FnMut(Batch)) -> Result<u64, DecodeError> {
        let page = &self.page;
        match page.within {
            Within::Quotes => return Err(self.cut()),
            Within::Nothing if page.value == 0 => {}
            Within::Nothing | Within::Bare | Within::Quote | Within::LineEnd => {
                if let Header::Known(columns) = &page.header
                    && page.value + 1 < columns.len()
                {
                    return Err(self.cut());
                }
                self.end_split_value(End::Row, 0, out)?;
            }
        }
        Ok(self.page.rows)
    }

    /// The rows that filled no batch yet, after the last page.
    pub fn flush(&mut self) -> Option<Batch> {
        self.start_page();
        self.batch.flush()
    }

    /// How many of the chunk's bytes belong to a byte order mark at the page's start.
    fn skip_byte_order_mark(&self, chunk: &[u8]) -> usize {
        let before = usize::try_from(self.page.bytes).unwrap_or(usize::MAX);
        let mark = BYTE_ORDER_MARK.get(before..).unwrap_or_default();
        chunk.iter().zip(mark).take_while(|(byte, mark)| byte == mark).count()
    }

    /// The hot path: reads values that lie in the chunk wholly, from the start of one, and returns where the first
    /// that does not begins.
    fn read_whole_values(
        &mut self,
        chunk: &[u8],
        mut at: usize,
        out: &mut impl FnMut(Batch),
    ) -> Result<usize, DecodeError> {
        let Header::Known(columns) = std::mem::replace(&mut self.page.header, Header::NoRecords) else {
            return Ok(at);
        };
        let mut outcome = Ok(());
        while let Some(value) = whole_value(chunk, at, &mut self.unquoted) {
            let text = match value.text {
                Text::InChunk(start, end) => &chunk[start..end],
                Text::Unquoted => self.unquoted.as_slice(),
            };
            let position = self.page.value;
            let is_blank_line = position == 0 && value.end == End::Row && value.next - at <= 2 && text.is_empty();
            if !is_blank_line {
                let Some(column) = columns.get(position) else {
                    outcome = Err(self.wrong_width(position + 1, columns.len(), at));
                    break;
                };
                self.batch.cell(*column, text);
                self.page.value = position + 1;
                if value.end == End::Row {
                    if position + 1 != columns.len() {
                        outcome = Err(self.wrong_width(position + 1, columns.len(), at));
                        break;
                    }
                    end_row(&mut self.batch, &mut self.page, out);
                }
            }
            at = value.next;
        }
        self.page.header = Header::Known(columns);
        outcome.map(|()| at)
    }

    /// The careful path: reads one value from where the last chunk left it, byte run by byte run, and returns where
    /// the next begins; at the chunk's end the value stays open.
    fn read_split_value(
        &mut self,
        chunk: &[u8],
        mut at: usize,
        out: &mut impl FnMut(Batch),
    ) -> Result<usize, DecodeError> {
        while let Some(byte) = chunk.get(at).copied() {
            let rest = &chunk[at..];
            match (self.page.within, byte) {
                (Within::Nothing, b'"') => {
                    self.page.within = Within::Quotes;
                    at += 1;
                }
                (Within::Nothing, _) => self.page.within = Within::Bare,
                (Within::Bare, _) => {
                    let run = memchr2(b',', b'\n', rest);
                    self.keep(&rest[..run.unwrap_or(rest.len())])?;
                    let Some(run) = run else { return Ok(chunk.len()) };
                    let end = if rest[run] == b',' { End::Value } else { End::Row };
                    self.end_split_value(end, at, out)?;
                    return Ok(at + run + 1);
                }
                (Within::Quotes, _) => {
                    let run = memchr(b'"', rest);
                    self.keep(&rest[..run.unwrap_or(rest.len())])?;
                    let Some(run) = run else { return Ok(chunk.len()) };
                    self.page.within = Within::Quote;
                    at += run + 1;
                }
                (Within::Quote, b'"') => {
                    self.keep(b"\"")?;
                    self.page.within = Within::Quotes;
                    at += 1;
                }
                (Within::Quote, b'\r') => {
                    self.page.within = Within::LineEnd;
                    at += 1;
                }
                (Within::Quote, b',') => {
                    self.end_split_value(End::Value, at, out)?;
                    return Ok(at + 1);
                }
                (Within::Quote | Within::LineEnd, b'\n') => {
                    self.end_split_value(End::Row, at, out)?;
                    return Ok(at + 1);
                }
                (Within::Quote | Within::LineEnd, _) => return Err(self.text_after_quote(at)),
            }
        }
        Ok(at)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        if self.split.len() + bytes.len() > MAX_FIELD_BYTES {
            let (row, column) = (self.page.rows + 1, self.column_name());
            return Err(DecodeError::TooLong { row, column, limit: MAX_FIELD_BYTES });
        }
        self.split.extend_from_slice(bytes);
        Ok(())
    }

    fn end_split_value(&mut self, end: End, at: usize, out: &mut impl FnMut(Batch)) -> Result<(), DecodeError> {
        let bare = matches!(self.page.within, Within::Bare | Within::Nothing);
        self.page.within = Within::Nothing;
        let mut text = std::mem::take(&mut self.split);
        if bare && end == End::Row && text.last() == Some(&b'\r') {
            text.pop();
        }
        if !(bare && end == End::Row && self.page.value == 0 && text.is_empty()) {
            self.take_value(&text, end, at, out)?;
        }
        text.clear();
        // A long value is rare; its room is not kept for the rest of the run.
        text.shrink_to(64 * 1024);
        self.split = text;
        Ok(())
    }

    fn take_value(&mut self, text: &[u8], end: End, at: usize, out: &mut impl FnMut(Batch)) -> Result<(), DecodeError> {
        let position = self.page.value;
        match &mut self.page.header {
            Header::NoRecords => {}
            Header::Reading(names) => {
                names.push(header_name(text));
                if end == End::Row {
                    let names = std::mem::take(names);
                    self.page.header = self.match_header(&names)?;
                    self.page.value = 0;
                    return Ok(());
                }
            }
            Header::Known(columns) => {
                let width = columns.len();
                let Some(column) = columns.get(position) else {
                    return Err(self.wrong_width(position + 1, width, at));
                };
                self.batch.cell(*column, text);
                if end == End::Row && position + 1 != width {
                    return Err(self.wrong_width(position + 1, width, at));
                }
                if end == End::Row {
                    end_row(&mut self.batch, &mut self.page, out);
                    return Ok(());
                }
            }
        }
        self.page.value = if end == End::Row { 0 } else { position + 1 };
        Ok(())
    }

    /// Finds the batch's column of each name; the case of names means nothing to Salesforce.
    fn match_header(&self, names: &[String]) -> Result<Header, DecodeError> {
        if let [only] = names
            && only == NO_RECORDS
        {
            return Ok(Header::NoRecords);
        }
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let column = (0..self.batch.width()).find(|column| self.batch.field(*column).eq_ignore_ascii_case(name));
            let Some(column) = column else {
                return Err(DecodeError::UnknownColumn { column: name.clone() });
            };
            if columns.contains(&column) {
                return Err(DecodeError::RepeatedColumn { column: name.clone() });
            }
            columns.push(column);
        }
        match (0..self.batch.width()).find(|column| !columns.contains(column)) {
            Some(missing) => {
                Err(DecodeError::MissingColumn { field: self.batch.field(missing).to_owned(), header: names.join(",") })
            }
            None => Ok(Header::Known(columns)),
        }
    }

    /// The column of the value that is being read, for an error.
    fn column_name(&self) -> String {
        match &self.page.header {
            Header::Known(columns) => columns.get(self.page.value).map(|column| self.batch.field(*column).to_owned()),
            Header::Reading(_) | Header::NoRecords => None,
        }
        .unwrap_or_else(|| format!("number {}", self.page.value + 1))
    }

    fn cut(&self) -> DecodeError {
        DecodeError::Cut { row: self.page.rows + 1, column: self.column_name(), byte: self.page.bytes }
    }

    fn text_after_quote(&self, at: usize) -> DecodeError {
        let byte = self.page.bytes + at as u64;
        DecodeError::TextAfterQuote { row: self.page.rows + 1, column: self.column_name(), byte }
    }

    fn wrong_width(&self, found: usize, expected: usize, at: usize) -> DecodeError {
        DecodeError::ColumnCount { row: self.page.rows + 1, byte: self.page.bytes + at as u64, found, expected }
    }
}

#[inline]
fn end_row(batch: &mut BatchBuilder, page: &mut Page, out: &mut impl FnMut(Batch)) {
    batch.end_row();
    page.rows += 1;
    page.value = 0;
    if batch.is_full()
        && let Some(full) = batch.flush()
    {
        out(full);
    }
}

/// A column's name as the header spells it.
fn header_name(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// A value that lies in a chunk wholly.
struct Whole {
    text: Text,
    end: End,
    /// Where the next value begins.
    next: usize,
}

enum Text {
    /// Between these two places of the chunk.
    InChunk(usize, usize),
    /// In the buffer for values whose doubled quotes are undone.
    Unquoted,
}

/// The value that begins at `at`, unless it goes on in the next chunk or is malformed; the careful path tells which.
#[inline]
fn whole_value(chunk: &[u8], at: usize, unquoted: &mut Vec<u8>) -> Option<Whole> {
    match *chunk.get(at)? {
        b',' => Some(Whole { text: Text::InChunk(at, at), end: End::Value, next: at + 1 }),
        b'"' => {
            let start = at + 1;
            let close = start + memchr(b'"', &chunk[start..])?;
            match *chunk.get(close + 1)? {
                b'"' => doubled(chunk, start, close, unquoted),
                _ => closed(chunk, close, Text::InChunk(start, close)),
            }
        }
        _ => {
            let end = at + memchr2(b',', b'\n', &chunk[at..])?;
            if chunk[end] == b',' {
                return Some(Whole { text: Text::InChunk(at, end), end: End::Value, next: end + 1 });
            }
            let stop = if end > at && chunk[end - 1] == b'\r' { end - 1 } else { end };
            Some(Whole { text: Text::InChunk(at, stop), end: End::Row, next: end + 1 })
        }
    }
}

/// What follows the closing quote at `close`.
#[inline]
fn closed(chunk: &[u8], close: usize, text: Text) -> Option<Whole> {
    match *chunk.get(close + 1)? {
        b',' => Some(Whole { text, end: End::Value, next: close + 2 }),
        b'\n' => Some(Whole { text, end: End::Row, next: close + 2 }),
        b'\r' if chunk.get(close + 2) == Some(&b'\n') => Some(Whole { text, end: End::Row, next: close + 3 }),
        _ => None,
    }
}

/// A quoted value that begins at `start` and has its first doubled quote at `quote`.
fn doubled(chunk: &[u8], start: usize, mut quote: usize, unquoted: &mut Vec<u8>) -> Option<Whole> {
    unquoted.clear();
    let mut run = start;
    loop {
        if chunk.get(quote + 1)? != &b'"' {
            unquoted.extend_from_slice(&chunk[run..quote]);
            return closed(chunk, quote, Text::Unquoted);
        }
        unquoted.extend_from_slice(&chunk[run..=quote]);
        run = quote + 2;
        quote = run + memchr(b'"', &chunk[run..])?;
    }
}
