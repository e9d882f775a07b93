//! Pages of REST queries (*REST API Developer Guide*, Query): `{totalSize, done, nextRecordsUrl?, records}`.
//!
//! A page is read once, straight into columns: no tree of values, no map per record. Leaves are taken as raw text, so
//! that a number keeps every digit.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{error::Category, value::RawValue};

use super::{DecodeError, MAX_FIELD_BYTES, builder::BatchBuilder};
use crate::batch::{Batch, ReadField};

/// What a page says beside its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageEnvelope {
    /// Records of the whole result when it was asked for, when the page says so.
    pub total_size: Option<u64>,
    pub done: bool,
    /// Present unless `done`.
    pub next_records_url: Option<String>,
    /// Records in this page.
    pub rows: u64,
}

/// Reads query pages.
///
/// Between pages the rows stay in the making, so that small pages share a batch.
pub struct JsonDecoder {
    batch: BatchBuilder,
    record: Node,
    /// A string whose escapes are undone.
    unescaped: Vec<u8>,
}

impl JsonDecoder {
    /// A decoder of records with these fields, in any order; other fields are skipped. Paths differ in more than case.
    ///
    /// # Panics
    /// When `id_field` is no index of `fields`.
    pub fn new(fields: &[ReadField], id_field: usize) -> Self {
        let mut record = Node::default();
        for (column, field) in fields.iter().enumerate() {
            record.add(&field.path, column);
        }
        Self { batch: BatchBuilder::new(fields, id_field), record, unescaped: Vec::new() }
    }

    /// Reads a page and hands out the batches that it fills.
    ///
    /// # Errors
    /// Bad JSON, a record without one of the fields (null fields are present, as null), or `done: false` without
    /// `nextRecordsUrl`. Records before the fault may have been handed out.
    pub fn push_page(&mut self, page: &[u8], out: &mut impl FnMut(Batch)) -> Result<PageEnvelope, DecodeError> {
        self.batch.abandon_row();
        let text = String::from_utf8_lossy(page);
        let mut state = Reading {
            batch: &mut self.batch,
            unescaped: &mut self.unescaped,
            is_damaged: matches!(text, std::borrow::Cow::Owned(_)),
            rows: 0,
            failure: None,
            out,
        };
        let mut json = serde_json::Deserializer::from_str(&text);
        let read = EnvelopeSeed { record: &self.record, state: &mut state }.deserialize(&mut json);
        let envelope = read.and_then(|envelope| json.end().map(|()| envelope));
        let row = state.rows + 1;
        match envelope {
            Ok(envelope) if !envelope.done && envelope.next_records_url.is_none() => Err(DecodeError::NoNextPage),
            Ok(envelope) => Ok(envelope),
            Err(error) => Err(state.failure.take().unwrap_or_else(|| match error.classify() {
                Category::Eof => DecodeError::CutJson { row },
                Category::Io | Category::Syntax | Category::Data => {
                    DecodeError::Json { row, reason: error.to_string() }
                }
            })),
        }
    }

    /// The rows that filled no batch yet, after the last page.
    pub fn flush(&mut self) -> Option<Batch> {
        self.batch.abandon_row();
        self.batch.flush()
    }
}

/// The fields that are read of a record, or of one of its parents.
#[derive(Default)]
struct Node {
    names: Vec<String>,
    targets: Vec<Target>,
}

enum Target {
    Column(usize),
    Parent(Node),
}

impl Node {
    fn add(&mut self, path: &str, column: usize) {
        let Some((parent, rest)) = path.split_once('.') else {
            self.names.push(path.to_owned());
            self.targets.push(Target::Column(column));
            return;
        };
        for (name, target) in self.names.iter().zip(&mut self.targets) {
            if let Target::Parent(node) = target
                && name.eq_ignore_ascii_case(parent)
            {
                return node.add(rest, column);
            }
        }
        let mut node = Node::default();
        node.add(rest, column);
        self.names.push(parent.to_owned());
        self.targets.push(Target::Parent(node));
    }

    /// The field of this name. Answers keep the order of the SELECT list, so the next one is looked at first.
    fn find(&self, name: &str, next: usize) -> Option<usize> {
        if self.names.get(next).is_some_and(|candidate| candidate == name) {
            return Some(next);
        }
        self.names.iter().position(|candidate| candidate.eq_ignore_ascii_case(name))
    }

    /// The first column here or below that `wanted` holds for.
    fn find_column(&self, wanted: &mut impl FnMut(usize) -> bool) -> Option<usize> {
        self.targets.iter().find_map(|target| match target {
            Target::Column(column) => wanted(*column).then_some(*column),
            Target::Parent(node) => node.find_column(wanted),
        })
    }
}

struct Reading<'a, O> {
    batch: &'a mut BatchBuilder,
    unescaped: &'a mut Vec<u8>,
    /// Whether the page was not UTF-8, so that some replacement characters are ours.
    is_damaged: bool,
    rows: u64,
    /// What the parser's error stands for, when it is one of ours.
    failure: Option<DecodeError>,
    out: &'a mut O,
}

impl<O: FnMut(Batch)> Reading<'_, O> {
    /// Passes one of our errors through the parser.
    fn fail<E: serde::de::Error>(&mut self, error: DecodeError) -> E {
        let message = E::custom(&error);
        self.failure = Some(error);
        message
    }

    fn leaf(&mut self, column: usize, raw: &str) -> Result<(), DecodeError> {
        let row = self.rows + 1;
        let field = |batch: &BatchBuilder| batch.field(column).to_owned();
        if self.batch.has_cell(column) {
            return Err(DecodeError::RepeatedField { row, field: field(self.batch) });
        }
        if raw.len() > MAX_FIELD_BYTES {
            return Err(DecodeError::TooLong { row, column: field(self.batch), limit: MAX_FIELD_BYTES });
        }
        let text = match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            None if raw == "null" => "".as_bytes(),
            None => shortest(raw).as_bytes(),
            Some(inner) if !inner.contains('\\') => inner.as_bytes(),
            Some(inner) => {
                unescape(inner, self.unescaped);
                self.unescaped.as_slice()
            }
        };
        self.batch.cell(column, text);
        if self.is_damaged && raw.contains(char::REPLACEMENT_CHARACTER) {
            self.batch.note_damage(column, text);
        }
        Ok(())
    }

    /// Makes everything below a parent that is null null.
    fn null_below(&mut self, node: &Node) {
        for target in &node.targets {
            match target {
                Target::Column(column) => self.batch.null(*column),
                Target::Parent(node) => self.null_below(node),
            }
        }
    }

    fn end_record(&mut self, record: &Node) -> Result<(), DecodeError> {
        if let Some(missing) = record.find_column(&mut |column| !self.batch.has_cell(column)) {
            let field = self.batch.field(missing).to_owned();
            return Err(DecodeError::MissingField { row: self.rows + 1, field });
        }
        self.batch.end_row();
        self.rows += 1;
        if self.batch.is_full()
            && let Some(full) = self.batch.flush()
        {
            (self.out)(full);
        }
        Ok(())
    }
}

/// Undoes the escapes of a JSON string. Half of a surrogate pair becomes bytes that are no UTF-8, and with them a
/// misfit; the parser has already refused every other malformed escape.
fn unescape(text: &str, out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        let mut length = 2;
        match escape {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (unit, paired) = (code_unit(rest, at), code_unit(rest, at + 6));
                length = 6;
                let mut utf8 = [0; 4];
                match char::decode_utf16([unit.unwrap_or(0xFFFD), paired.unwrap_or(0)]).next() {
                    Some(Ok(character)) => {
                        length *= character.len_utf16();
                        out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
                    }
                    Some(Err(_)) | None => out.push(0xFF),
                }
            }
            other => out.push(other),
        }
        rest = rest.get(at + length..).unwrap_or_default();
    }
    out.extend_from_slice(rest.as_bytes());
}

/// The UTF-16 code unit that `\uXXXX` at `at` stands for.
fn code_unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

struct EnvelopeSeed<'a, 'b, O> {
    record: &'a Node,
    state: &'a mut Reading<'b, O>,
}

impl<'de, O: FnMut(Batch)> DeserializeSeed<'de> for EnvelopeSeed<'_, '_, O> {
    type Value = PageEnvelope;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PageEnvelope, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, O: FnMut(Batch)> Visitor<'de> for EnvelopeSeed<'_, '_, O> {
    type Value = PageEnvelope;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a query page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PageEnvelope, A::Error> {
        let (mut done, mut records_seen) = (None, false);
        let mut envelope = PageEnvelope { total_size: None, done: false, next_records_url: None, rows: 0 };
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "totalSize" => envelope.total_size = u64::try_from(map.next_value::<i64>()?).ok(),
                "done" => done = Some(map.next_value()?),
                "nextRecordsUrl" => envelope.next_records_url = map.next_value()?,
                "records" => {
                    map.next_value_seed(RecordsSeed { record: self.record, state: &mut *self.state })?;
                    records_seen = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !records_seen {
            return Err(A::Error::missing_field("records"));
        }
        envelope.done = done.ok_or_else(|| A::Error::missing_field("done"))?;
        envelope.rows = self.state.rows;
        Ok(envelope)
    }
}

struct RecordsSeed<'a, 'b, O> {
    record: &'a Node,
    state: &'a mut Reading<'b, O>,
}

impl<'de, O: FnMut(Batch)> DeserializeSeed<'de> for RecordsSeed<'_, '_, O> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, O: FnMut(Batch)> Visitor<'de> for RecordsSeed<'_, '_, O> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        loop {
            let seed = NodeSeed { node: self.record, is_parent: false, state: &mut *self.state };
            if records.next_element_seed(seed)?.is_none() {
                return Ok(());
            }
            self.state.end_record(self.record).map_err(|error| self.state.fail(error))?;
        }
    }
}

/// A record, or a parent nested in one.
struct NodeSeed<'a, 'b, O> {
    node: &'a Node,
    is_parent: bool,
    state: &'a mut Reading<'b, O>,
}

impl<'de, O: FnMut(Batch)> DeserializeSeed<'de> for NodeSeed<'_, '_, O> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, O: FnMut(Batch)> Visitor<'de> for NodeSeed<'_, '_, O> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_parent { "a parent record or null" } else { "a record" })
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        if !self.is_parent {
            return Err(E::invalid_type(serde::de::Unexpected::Unit, &self));
        }
        if let Some(column) = self.node.find_column(&mut |column| self.state.batch.has_cell(column)) {
            let (row, field) = (self.state.rows + 1, self.state.batch.field(column).to_owned());
            return Err(self.state.fail(DecodeError::RepeatedField { row, field }));
        }
        self.state.null_below(self.node);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut next = 0;
        while let Some(found) = map.next_key_seed(NameSeed { node: self.node, next })? {
            let Some(at) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            next = at + 1;
            match &self.node.targets[at] {
                Target::Column(column) => {
                    let raw: &RawValue = map.next_value()?;
                    self.state.leaf(*column, raw.get()).map_err(|error| self.state.fail(error))?;
                }
                Target::Parent(node) => {
                    map.next_value_seed(NodeSeed { node, is_parent: true, state: &mut *self.state })?;
                }
            }
        }
        Ok(())
    }
}

/// A key, as the index of the field that it names.
struct NameSeed<'a> {
    node: &'a Node,
    next: usize,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a field name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.node.find(name, self.next))
    }
}

/// A plain number with as many decimals as it needs and at least one, as Bulk spells it. JSON spells it with its
/// field's scale; in a field of any type the two are to be one text.
fn shortest(raw: &str) -> &str {
    let is_number = raw.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match raw.find('.').filter(|_| is_number && !raw.contains(['e', 'E'])) {
        Some(point) => &raw[..raw.trim_end_matches('0').len().max(point + 2)],
        None => raw,
    }
}
