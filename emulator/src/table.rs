//! One object's rows: generated ones, computed when read, under an overlay of stored changes.

mod packed;
mod scan;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

pub use scan::{IdRange, Scan};

use packed::PackedRow;

use crate::database::Keys;
use crate::generate::Generator;
use crate::ids::{KeyPrefix, RecordId};
use crate::schema::{Field, FieldIndex, FieldType, Formula, Object, Source};
use crate::value::{Cell, Decimal, Timestamp, Value, converted};

/// A row with all its values, to be written.
#[derive(Clone, Debug)]
pub struct StoredRow {
    pub id: RecordId,
    pub is_deleted: bool,
    /// By field; may be shorter than the object has fields, which reads as null.
    pub values: Vec<Value>,
}

impl StoredRow {
    pub(crate) fn remove_fields(&mut self, fields: &Range<FieldIndex>) {
        let known = self.values.len();
        self.values.drain(fields.start.min(known)..fields.end.min(known));
    }

    pub(crate) fn retype_field(&mut self, index: FieldIndex, field: &Field) {
        if let Some(value) = self.values.get_mut(index) {
            *value = converted(value.as_cell(), field);
        }
    }
}

/// What the overlay says about an id.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Row(Arc<PackedRow>),
    /// Gone for good; hides the generated row.
    Purged,
}

/// A deletion as getDeleted reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub id: RecordId,
    pub at: Timestamp,
}

/// An entry of the delete log, which outlives the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Burial {
    pub at: Timestamp,
    /// The record with which it went, and with which it comes back.
    pub with: Option<RecordId>,
}

/// The rows of one object.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) object: Arc<Object>,
    pub(crate) generator: Option<Arc<Generator>>,
    pub(crate) overlay: BTreeMap<RecordId, Change>,
    pub(crate) deletions: BTreeMap<RecordId, Burial>,
    /// The delete log knows nothing before this.
    pub(crate) log_begins: Option<Timestamp>,
    pub(crate) keys: Keys,
    /// Rows that references name by a text: the definitions of objects and fields.
    names: HashMap<Box<str>, RecordId>,
    next_ordinal: u64,
    live: u64,
    binned: u64,
}

impl Table {
    pub(crate) fn new(object: Arc<Object>) -> Self {
        Self {
            object,
            generator: None,
            overlay: BTreeMap::new(),
            deletions: BTreeMap::new(),
            log_begins: None,
            keys: Keys::default(),
            names: HashMap::new(),
            next_ordinal: 1,
            live: 0,
            binned: 0,
        }
    }

    #[must_use]
    pub fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// Rows that are not deleted.
    #[must_use]
    pub fn live_rows(&self) -> u64 {
        self.live
    }

    /// Rows in the recycle bin.
    #[must_use]
    pub fn binned_rows(&self) -> u64 {
        self.binned
    }

    pub(crate) fn prefix(&self) -> KeyPrefix {
        self.object.key_prefix.unwrap_or(KeyPrefix::custom(0))
    }

    pub(crate) fn next_ordinal(&self) -> u64 {
        self.next_ordinal
    }

    /// The largest id of a row that somebody wrote or purged.
    pub(crate) fn last_stored(&self) -> Option<RecordId> {
        self.overlay.keys().next_back().copied()
    }

    /// The largest id of a generated row.
    pub(crate) fn last_generated(&self) -> Option<RecordId> {
        let generator = self.generator.as_deref()?;
        let last = generator.rows().checked_sub(1)?;
        Some(generator.id(last))
    }

    /// Leaves out the ids that another copy of the table has given away.
    pub(crate) fn skip_to(&mut self, ordinal: u64) {
        self.next_ordinal = self.next_ordinal.max(ordinal);
    }

    pub(crate) fn fresh_id(&mut self) -> RecordId {
        loop {
            let id = RecordId::new(self.prefix(), self.next_ordinal);
            self.next_ordinal += 1;
            if !self.overlay.contains_key(&id) {
                return id;
            }
        }
    }

    pub(crate) fn set_generator(&mut self, generator: Generator) {
        self.next_ordinal = generator.end_ordinal();
        self.live += generator.rows() - generator.deleted_rows();
        self.binned += generator.deleted_rows();
        self.generator = Some(Arc::new(generator));
        self.keys.clear();
    }

    /// Lets the table know that its object has changed.
    pub(crate) fn set_object(&mut self, object: Arc<Object>) {
        self.object = object;
        self.keys.clear();
    }

    /// Replaces or adds a row and keeps the counts right.
    pub(crate) fn put(&mut self, row: StoredRow) {
        self.uncount(row.id);
        *if row.is_deleted { &mut self.binned } else { &mut self.live } += 1;
        let id = row.id;
        self.overlay.insert(id, Change::Row(Arc::new(PackedRow::pack(&row))));
        let mut keys = std::mem::take(&mut self.keys);
        if let Some(row) = self.row(id) {
            keys.learn(&row, self.live + self.binned);
        }
        self.keys = keys;
    }

    /// Removes a row for good. The delete log is the caller's.
    pub(crate) fn purge(&mut self, id: RecordId) {
        self.uncount(id);
        let is_generated = self.generator.as_ref().is_some_and(|generator| generator.rank(id).is_some());
        if is_generated {
            self.overlay.insert(id, Change::Purged);
        } else {
            self.overlay.remove(&id);
        }
    }

    /// Takes fields away from every row.
    pub(crate) fn remove_fields(&mut self, fields: &Range<FieldIndex>) {
        self.keys.clear();
        if let Some(generator) = &mut self.generator {
            Arc::make_mut(generator).remove_fields(fields.clone());
        }
        self.change_stored(|row| row.remove_fields(fields));
    }

    /// Turns a field of every row into another type.
    pub(crate) fn retype_field(&mut self, index: FieldIndex, field: &Field) {
        self.keys.clear();
        if let Some(generator) = &mut self.generator {
            Arc::make_mut(generator).retype_field(index, field);
        }
        self.change_stored(|row| row.retype_field(index, field));
    }

    fn change_stored(&mut self, change: impl Fn(&mut StoredRow)) {
        for (id, entry) in &mut self.overlay {
            if let Change::Row(row) = entry {
                let mut unpacked = row.unpack(*id);
                change(&mut unpacked);
                *row = Arc::new(PackedRow::pack(&unpacked));
            }
        }
    }

    fn uncount(&mut self, id: RecordId) {
        match self.row(id).map(|row| row.is_deleted()) {
            Some(true) => self.binned -= 1,
            Some(false) => self.live -= 1,
            None => {}
        }
    }

    /// The row with this id, deleted or not.
    #[must_use]
    pub fn row(&self, id: RecordId) -> Option<Row<'_>> {
        match self.overlay.get(&id) {
            Some(Change::Row(row)) => Some(Row { table: self, id, body: RowBody::Stored(row) }),
            Some(Change::Purged) => None,
            None => {
                let rank = self.generator.as_ref()?.rank(id)?;
                Some(Row { table: self, id, body: RowBody::Generated(rank) })
            }
        }
    }

    /// Lets references name a row by a text.
    pub(crate) fn name(&mut self, text: &str, id: RecordId) {
        self.names.insert(text.into(), id);
    }

    /// The row that references name so.
    #[must_use]
    pub fn row_named(&self, text: &str) -> Option<Row<'_>> {
        self.row(*self.names.get(text)?)
    }

    /// All rows of an id range in id order, deleted ones included.
    #[must_use]
    pub fn scan(&self, range: IdRange) -> Scan<'_> {
        Scan::new(self, range)
    }
}

/// A row as it is read: stored, or computed from its rank among the generated ones.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    table: &'a Table,
    id: RecordId,
    body: RowBody<'a>,
}

#[derive(Clone, Copy, Debug)]
enum RowBody<'a> {
    Generated(u64),
    Stored(&'a PackedRow),
}

impl<'a> Row<'a> {
    #[must_use]
    pub fn id(&self) -> RecordId {
        self.id
    }

    #[must_use]
    pub fn object(&self) -> &'a Object {
        &self.table.object
    }

    #[must_use]
    pub fn is_deleted(&self) -> bool {
        match self.body {
            RowBody::Generated(rank) => self.generator().is_deleted(rank),
            RowBody::Stored(row) => row.is_deleted(),
        }
    }

    /// Whether `query` leaves the row out although it is not deleted, as it does with old activities.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        let flag = self.object().audit().is_archived;
        flag.is_some_and(|field| self.own_cell(field, &mut String::new()) == Cell::Bool(true))
    }

    fn generator(&self) -> &'a Generator {
        self.table.generator.as_deref().expect("a generated row has a generator")
    }

    /// The value of a field. `scratch` holds texts that are put together and is overwritten.
    #[must_use]
    pub fn cell<'s>(&self, field: FieldIndex, scratch: &'s mut String) -> Cell<'s>
    where
        'a: 's,
    {
        match &self.object().field(field).source {
            Source::Stored | Source::AutoNumber(_) => self.own_cell(field, scratch),
            Source::PersonName => self.person_name(scratch),
            Source::Formula(formula) => self.computed(formula, scratch),
            Source::Compound => Cell::Null,
        }
    }

    /// The value of a field, owned.
    #[must_use]
    pub fn value(&self, field: FieldIndex) -> Value {
        self.cell(field, &mut String::new()).to_value()
    }

    fn own_cell<'s>(&self, field: FieldIndex, scratch: &'s mut String) -> Cell<'s>
    where
        'a: 's,
    {
        let held = match self.body {
            RowBody::Generated(rank) => {
                let generator = self.generator();
                generator.fills(field).then(|| generator.cell(rank, field, scratch))
            }
            RowBody::Stored(row) => row.cell(self.id, field),
        };
        // A field that is younger than the row: a checkbox is never null.
        held.unwrap_or_else(|| match self.object().field(field).kind {
            FieldType::Boolean => Cell::Bool(false),
            _ => Cell::Null,
        })
    }

    fn person_name<'s>(&self, scratch: &'s mut String) -> Cell<'s> {
        self.join(&["FirstName", "LastName"], scratch)
    }

    fn join<'s, T: AsRef<str>>(&self, fields: &[T], scratch: &'s mut String) -> Cell<'s> {
        let mut part = String::new();
        scratch.clear();
        for (index, _) in fields.iter().filter_map(|name| self.object().find(name.as_ref())) {
            if let Cell::Text(text) = self.own_cell(index, &mut part) {
                if !scratch.is_empty() {
                    scratch.push(' ');
                }
                scratch.push_str(text);
            }
        }
        if scratch.is_empty() { Cell::Null } else { Cell::Text(scratch) }
    }

    fn computed<'s>(&self, formula: &Formula, scratch: &'s mut String) -> Cell<'s> {
        match formula {
            Formula::Join(fields) => self.join(fields, scratch),
            Formula::Sum(fields) => self.sum(fields),
            Formula::IsBlank(field) => {
                let found = self.object().find(field);
                Cell::Bool(found.is_none_or(|(index, _)| self.own_cell(index, scratch).is_null()))
            }
        }
    }

    fn sum(&self, fields: &[String]) -> Cell<'static> {
        let mut total = Decimal::from(0);
        for (index, _) in fields.iter().filter_map(|name| self.object().find(name)) {
            let addend = match self.value(index) {
                Value::Int(number) => Decimal::from(number),
                Value::Decimal(number) => number,
                _ => continue,
            };
            match total.checked_add(addend) {
                Some(sum) => total = sum,
                None => return Cell::Null,
            }
        }
        Cell::Decimal(total)
    }

    /// The row with all its values, as a base for a change.
    #[must_use]
    pub fn to_stored(&self) -> StoredRow {
        match self.body {
            RowBody::Stored(row) => row.unpack(self.id),
            RowBody::Generated(_) => {
                let mut scratch = String::new();
                let cell = |field| self.own_cell(field, &mut scratch).to_value();
                let values = (0..self.object().fields().len()).map(cell).collect();
                StoredRow { id: self.id, is_deleted: self.is_deleted(), values }
            }
        }
    }

    /// When the row last changed in any way: `SystemModstamp`, else `LastModifiedDate`, else `CreatedDate`.
    #[must_use]
    pub fn stamp(&self) -> Option<Timestamp> {
        let audit = self.object().audit();
        let field = audit.system_modstamp.or(audit.modified_date).or(audit.created_date)?;
        match self.cell(field, &mut String::new()) {
            Cell::DateTime(stamp) => Some(stamp),
            _ => None,
        }
    }
}
