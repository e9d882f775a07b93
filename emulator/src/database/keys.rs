//! Finds rows by what a field holds, without looking at every row: upserts by external id, unique fields, parents by
//! external id, children by the id of their parent.
//!
//! An index holds a hash of each row's value and the row's number, eight bytes a row. It may name a row that holds
//! another value by now, or is gone: whoever asks looks at the row itself. So writing a row only ever adds an entry, and
//! nothing has to be taken back when rows are deleted, purged or put back to what they were.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::{KeyPrefix, RecordId};
use crate::schema::{Field, FieldIndex, FieldType};
use crate::table::{IdRange, Row, Table};
use crate::value::{Cell, Decimal, equal_text};

/// Entries that are kept apart until they are worth merging into the others.
const RECENT: usize = 4096;

/// What a look-up asks for: a text as a field of this type understands it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key<'a> {
    Text { text: &'a str, case_sensitive: bool },
    Number(Decimal),
    Id(RecordId),
}

impl<'a> Key<'a> {
    /// `None` when no value of the field can be meant. Case counts only in fields that are declared so
    /// (Salesforce Help, "Create a Custom Field": treat "ABC" and "abc" as different values).
    pub(crate) fn of(field: &Field, text: &'a str) -> Option<Self> {
        match field.kind {
            kind if kind.is_number() => Decimal::parse(text.trim()).map(Self::Number),
            FieldType::Id | FieldType::Reference => RecordId::parse(text).ok().map(Self::Id),
            _ => Some(Self::Text { text, case_sensitive: field.case_sensitive }),
        }
    }

    fn is(self, cell: Cell<'_>) -> bool {
        match (self, cell) {
            (Self::Text { text, case_sensitive: true }, Cell::Text(own)) => own == text,
            (Self::Text { text, case_sensitive: false }, Cell::Text(own)) => equal_text(own, text),
            (Self::Number(number), Cell::Decimal(own)) => own == number,
            (Self::Number(number), Cell::Int(own)) => Decimal::from(own) == number,
            (Self::Id(id), Cell::Id(own)) => own == id,
            _ => false,
        }
    }

    /// Whether a row outside the recycle bin holds it.
    pub(crate) fn names(self, row: &Row<'_>, field: FieldIndex, scratch: &mut String) -> bool {
        !row.is_deleted() && self.is(row.cell(field, scratch))
    }

    fn hash(self) -> u32 {
        match self {
            Self::Text { text, .. } => hash_text(text),
            Self::Number(number) => hash_number(number),
            Self::Id(id) => hash_bytes(id.short().bytes()),
        }
    }
}

fn hash_cell(cell: Cell<'_>) -> Option<u32> {
    match cell {
        Cell::Text(text) => Some(hash_text(text)),
        Cell::Int(number) => Some(hash_number(Decimal::from(number))),
        Cell::Decimal(number) => Some(hash_number(number)),
        Cell::Id(id) => Some(hash_bytes(id.short().bytes())),
        _ => None,
    }
}

/// The same for texts that differ by case alone, as [`equal_text`] sees it.
fn hash_text(text: &str) -> u32 {
    if text.is_ascii() {
        return hash_bytes(text.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
    let mut buffer = [0; 4];
    let mut hash = Fnv::default();
    for folded in text.chars().flat_map(char::to_lowercase) {
        folded.encode_utf8(&mut buffer).bytes().for_each(|byte| hash.add(byte));
    }
    hash.finish()
}

/// The same for numbers that differ in how many decimals they are written with.
fn hash_number(number: Decimal) -> u32 {
    let mut text = Vec::new();
    number.write_plain(&mut text);
    if text.contains(&b'.') {
        let digits = text.iter().rposition(|byte| !matches!(byte, b'0')).map_or(0, |last| last + 1);
        text.truncate(digits);
        if text.last() == Some(&b'.') {
            text.pop();
        }
    }
    if text == b"-0" { hash_bytes(*b"0") } else { hash_bytes(text) }
}

fn hash_bytes(bytes: impl IntoIterator<Item = u8>) -> u32 {
    let mut hash = Fnv::default();
    bytes.into_iter().for_each(|byte| hash.add(byte));
    hash.finish()
}

/// FNV-1a, folded to half its width.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn finish(self) -> u32 {
        (self.0 ^ (self.0 >> 32)) as u32
    }
}

/// The indexes of one table, each made when it is first asked for.
#[derive(Default)]
pub(crate) struct Keys {
    fields: Mutex<BTreeMap<FieldIndex, Index>>,
}

impl Clone for Keys {
    fn clone(&self) -> Self {
        Self { fields: Mutex::new(self.lock().clone()) }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().keys()).finish()
    }
}

impl Keys {
    /// The rows outside the recycle bin that hold `key`, in id order.
    pub(crate) fn find(&self, table: &Table, field: FieldIndex, key: Key<'_>) -> Vec<RecordId> {
        let candidates = {
            let mut fields = self.lock();
            let index = fields.entry(field).or_insert_with(|| Index::of(table, field));
            index.candidates(key.hash(), table.prefix())
        };
        let mut scratch = String::new();
        let holds = |id: &RecordId| table.row(*id).is_some_and(|row| key.names(&row, field, &mut scratch));
        candidates.into_iter().filter(holds).collect()
    }

    /// Takes note of a row that has been written.
    pub(crate) fn learn(&mut self, row: &Row<'_>, rows: u64) {
        let fields = self.fields.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = String::new();
        fields.retain(|field, index| {
            if let Some(hash) = hash_cell(row.cell(*field, &mut scratch)) {
                index.add(hash, row.id());
            }
            !index.is_mostly_stale(rows)
        });
    }

    /// Forgets everything, as when fields have moved.
    pub(crate) fn clear(&mut self) {
        self.fields.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FieldIndex, Index>> {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash of a value and the ordinal of a row.
type Entry = (u32, u32);

/// The index of one field.
#[derive(Clone)]
struct Index {
    /// Sorted. Copies of a table share it.
    settled: Arc<Vec<Entry>>,
    recent: BTreeSet<Entry>,
    /// Rows whose ids have no ordinal, or one beyond four billion: scenarios may choose ids.
    foreign: BTreeSet<(u32, RecordId)>,
}

impl Index {
    fn of(table: &Table, field: FieldIndex) -> Self {
        let mut settled = Vec::with_capacity(usize::try_from(table.live_rows()).unwrap_or_default());
        let mut foreign = BTreeSet::new();
        let mut scratch = String::new();
        for row in table.scan(IdRange::ALL) {
            let Some(hash) = hash_cell(row.cell(field, &mut scratch)) else { continue };
            match ordinal(row.id()) {
                Some(ordinal) => settled.push((hash, ordinal)),
                None => {
                    foreign.insert((hash, row.id()));
                }
            }
        }
        settled.sort_unstable();
        settled.shrink_to_fit();
        Self { settled: Arc::new(settled), recent: BTreeSet::new(), foreign }
    }

    fn add(&mut self, hash: u32, id: RecordId) {
        let Some(ordinal) = ordinal(id) else {
            self.foreign.insert((hash, id));
            return;
        };
        if self.settled.binary_search(&(hash, ordinal)).is_ok() {
            return;
        }
        self.recent.insert((hash, ordinal));
        if self.recent.len() > RECENT.max(self.settled.len() / 4) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let mut merged = Vec::with_capacity(self.settled.len() + self.recent.len());
        merged.extend_from_slice(&self.settled);
        merged.extend(std::mem::take(&mut self.recent));
        // Two sorted runs: this is a merge.
        merged.sort();
        self.settled = Arc::new(merged);
    }

    fn candidates(&self, hash: u32, prefix: KeyPrefix) -> Vec<RecordId> {
        let start = self.settled.partition_point(|entry| entry.0 < hash);
        let settled = self.settled[start..].iter().take_while(|entry| entry.0 == hash);
        let recent = self.recent.range((hash, 0)..=(hash, u32::MAX));
        let foreign = (self.foreign.iter()).filter(|entry| entry.0 == hash).map(|entry| entry.1);
        let own = settled.chain(recent).map(|entry| RecordId::new(prefix, u64::from(entry.1)));
        let mut ids: Vec<RecordId> = own.chain(foreign).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Whether rows have changed their values so often that a new index is smaller by half.
    fn is_mostly_stale(&self, rows: u64) -> bool {
        let entries = self.settled.len() + self.recent.len() + self.foreign.len();
        entries as u64 > 2 * rows + RECENT as u64
    }
}

fn ordinal(id: RecordId) -> Option<u32> {
    u32::try_from(id.ordinal()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::catalog;
    use crate::database::{Author, Change, Database, Record, Snapshot};
    use crate::schema::{FullAccess, ObjectIndex};
    use crate::value::{Timestamp, Value};

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn author() -> Author<'static> {
        Author { user: RecordId::parse("005gL0000000001").unwrap(), at: NOW, access: &FullAccess }
    }

    fn record(value: serde_json::Value) -> Record {
        value.as_object().unwrap().clone()
    }

    fn scanned(snapshot: &Snapshot, object: ObjectIndex, field: FieldIndex, text: &str) -> Vec<RecordId> {
        let declared = snapshot.schema().object(object).clone();
        let Some(key) = Key::of(declared.field(field), text) else { return Vec::new() };
        let rows = snapshot.table(object).scan(IdRange::ALL);
        rows.filter(|row| key.names(row, field, &mut String::new())).map(|row| row.id()).collect()
    }

    /// What happens to the data between two look-ups.
    #[derive(Clone, Debug)]
    enum Event {
        Insert(String),
        Update(usize, String),
        Delete(usize),
        Undelete(usize),
        Purge(usize),
        RollBack(Vec<Event>),
        Commit(String),
        Raw(usize, String),
    }

    fn word() -> impl Strategy<Value = String> {
        prop_oneof!["[aAbB]{1,2}", "[äÄßİ]{1,2}", "Customer-000[0-9]"]
    }

    fn event() -> impl Strategy<Value = Event> {
        let simple = prop_oneof![
            word().prop_map(Event::Insert),
            (0..40_usize, word()).prop_map(|(row, word)| Event::Update(row, word)),
            (0..40_usize).prop_map(Event::Delete),
            (0..40_usize).prop_map(Event::Undelete),
            (0..40_usize).prop_map(Event::Purge),
            word().prop_map(Event::Commit),
            (0..40_usize, word()).prop_map(|(row, word)| Event::Raw(row, word)),
        ];
        prop_oneof![
            8 => simple.clone(),
            1 => proptest::collection::vec(simple, 1..4).prop_map(Event::RollBack),
        ]
    }

    fn happen(database: &mut Database, object: ObjectIndex, event: &Event) {
        let rows: Vec<RecordId> = database.current().table(object).scan(IdRange::ALL).map(|row| row.id()).collect();
        let nth = |row: usize| rows[row % rows.len()];
        // What is refused, such as the update of a deleted row, changes nothing: that is part of the test.
        match event {
            Event::Insert(word) => {
                let _ = database.insert("Case", &record(json!({"Subject": word})), &author());
            }
            Event::Update(row, word) => {
                let _ = database.update(nth(*row), &record(json!({"Subject": word})), &author());
            }
            Event::Delete(row) => {
                let _ = database.change(&Change::Delete { id: nth(*row) }, &author());
            }
            Event::Undelete(row) => {
                let _ = database.change(&Change::Undelete { id: nth(*row) }, &author());
            }
            Event::Purge(row) => {
                let _ = database.purge(nth(*row), NOW);
            }
            Event::RollBack(events) => {
                let before = database.snapshot();
                events.iter().for_each(|event| happen(database, object, event));
                let table = database.current().table(object);
                let changed: Vec<RecordId> = table.scan(IdRange::ALL).map(|row| row.id()).chain(rows).collect();
                changed.into_iter().for_each(|id| database.revert(id, &before));
            }
            Event::Commit(word) => {
                let transaction = database.begin(NOW);
                let insert =
                    |inside: &mut Database| inside.insert("Case", &record(json!({"Subject": word})), &author());
                database.within(transaction, insert).unwrap();
                database.commit(transaction).unwrap();
            }
            Event::Raw(row, word) => {
                let _ = database.store_raw(nth(*row), "Subject", Value::text(word.as_str()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_look_up_finds_what_a_scan_finds_whatever_has_happened(
            events in proptest::collection::vec((event(), word()), 1..40),
        ) {
            let mut database = Database::new(catalog::standard(), 7);
            database.generate("Case", 20, NOW).unwrap();
            let (object, declared) = database.schema().find("Case").unwrap();
            let (field, _) = declared.find("Subject").unwrap();
            for (event, word) in events {
                let before = database.snapshot();
                let expected = scanned(&before, object, field, &word);
                happen(&mut database, object, &event);
                for word in [word.clone(), word.to_uppercase(), word.to_lowercase()] {
                    let now = database.current();
                    prop_assert_eq!(now.find_by_text(object, field, &word), scanned(now, object, field, &word));
                }
                prop_assert_eq!(before.find_by_text(object, field, &word), expected, "an older view");
            }
        }
    }

    #[test]
    fn generated_rows_are_found_by_their_values_and_by_their_parents() {
        let mut database = Database::new(catalog::standard(), 7);
        database.generate("Account", 200, NOW).unwrap();
        database.generate("Contact", 500, NOW).unwrap();
        let (object, declared) =
            database.schema().find("Contact").map(|(index, object)| (index, object.clone())).unwrap();
        for name in ["LastName", "Email", "AccountId"] {
            let (field, _) = declared.find(name).unwrap();
            let snapshot = database.snapshot();
            let texts: Vec<Value> = snapshot.table(object).scan(IdRange::ALL).map(|row| row.value(field)).collect();
            for value in texts.into_iter().step_by(37) {
                let text = match value {
                    Value::Text(text) => text.to_string(),
                    Value::Id(id) => id.to_string(),
                    _ => continue,
                };
                assert_eq!(snapshot.find_by_text(object, field, &text), scanned(&snapshot, object, field, &text));
            }
        }
    }

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        for texts in [["10", "10.00"], ["0", "-0.0"], ["1.5", "1.500"], ["1000", "1E3"]] {
            let [a, b] = texts.map(|text| hash_number(Decimal::parse(text).unwrap()));
            assert_eq!(a, b, "{texts:?}");
        }
    }

    #[test]
    fn an_index_stays_small_while_values_come_and_go() {
        let mut database = Database::new(catalog::standard(), 7);
        let id = database.insert("Case", &record(json!({"Subject": "a"})), &author()).unwrap();
        let (object, declared) = database.schema().find("Case").unwrap();
        let (field, _) = declared.find("Subject").unwrap();
        for number in 0..20_000 {
            database.store_raw(id, "Subject", Value::text(number.to_string())).unwrap();
            assert!(database.current().find_by_text(object, field, "x").is_empty());
        }
        let table = database.current().table(object);
        let entries: usize = table.keys.lock().values().map(|index| index.settled.len() + index.recent.len()).sum();
        assert!(entries < 3 * RECENT, "{entries}");
        assert_eq!(database.current().find_by_text(object, field, "19999"), [id]);
    }
}
