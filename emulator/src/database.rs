//! The org's data: all tables, changes to them, and cheap consistent views for readers.

mod change;
mod files;
mod follow;
mod keys;
mod lead;
mod merge;
mod outcome;
mod parents;
mod person;
mod records;
mod replication;
mod rules;
mod system;
#[cfg(test)]
mod tests;
mod transaction;
mod undo;
mod values;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

pub(crate) use change::rolled_back;
pub use change::{Change, Saved};
pub(crate) use lead::CONVERTED_STATUS;
pub use lead::{Conversion, Converted, Deal};
pub use outcome::{RowError, StatusCode};
pub use rules::{
    Condition, DeletedParents, DuplicateAction, DuplicateResult, DuplicateRule, Duplicates, Rules, Test, ValidationRule,
};
pub use transaction::{OpenTransaction, TransactionId};
pub use undo::Undo;
pub use write::{Author, Record};

pub(crate) use keys::{Key, Keys};

use transaction::Staging;

use crate::generate::{Generator, Targets};
use crate::ids::RecordId;
use crate::schema::{FieldIndex, FieldSpec, ObjectIndex, ObjectSpec, Schema, SchemaError};
use crate::table::{Row, StoredRow, Table};
use crate::value::{Timestamp, Value};

/// A consistent view of all rows at one moment. Cheap to make and to clone; later writes do not show in it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    schema: Arc<Schema>,
    tables: Vec<Arc<Table>>,
    oldest_transaction: Option<Timestamp>,
}

/// The data of an org, owned by whoever serialises its writes.
#[derive(Debug)]
pub struct Database {
    current: Snapshot,
    seed: u64,
    open: BTreeMap<TransactionId, Staging>,
    last_transaction: u64,
    /// Rows that an open transaction has written; nobody else may write them.
    locked: BTreeSet<RecordId>,
    /// The rows that are written, while somebody wants to know.
    written: Option<BTreeSet<RecordId>>,
    /// What they were before, while somebody wants to know.
    undo: Option<Undo>,
    rules: Arc<Rules>,
    /// What the request that writes wants done with duplicates.
    duplicates: Duplicates,
    storage_megabytes: Option<u64>,
    /// The lookups that the deletion of a parent has emptied.
    cleared: BTreeMap<RecordId, Vec<(RecordId, FieldIndex)>>,
    mishaps: Mishaps,
}

/// Decides before each [`Change`] whether it goes wrong, by a line such as `INSERT Account`.
type Mishap = dyn Fn(&str) -> Option<RowError> + Send + Sync;

/// Changes that go wrong on demand.
#[derive(Clone, Default)]
struct Mishaps(Option<Arc<Mishap>>);

impl fmt::Debug for Mishaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mishaps").field(&self.0.is_some()).finish()
    }
}

impl Snapshot {
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The rows of an object.
    ///
    /// # Panics
    /// When `object` is not from this snapshot's schema.
    #[must_use]
    pub fn table(&self, object: ObjectIndex) -> &Table {
        &self.tables[object]
    }

    /// The row with this id, deleted or not, found by its key prefix.
    #[must_use]
    pub fn row(&self, id: RecordId) -> Option<Row<'_>> {
        let (object, _) = self.schema.find_prefix(id.prefix())?;
        self.tables.get(object)?.row(id)
    }

    /// The rows outside the recycle bin whose field holds what this text means: a look-up by external id. Case counts only
    /// in fields that say so.
    #[must_use]
    pub fn find_by_text(&self, object: ObjectIndex, field: FieldIndex, text: &str) -> Vec<RecordId> {
        let table = self.table(object);
        Key::of(table.object().field(field), text).map_or_else(Vec::new, |key| table.keys.find(table, field, key))
    }

    /// The rows outside the recycle bin whose field refers to a record.
    pub(crate) fn referring(&self, object: ObjectIndex, field: FieldIndex, to: RecordId) -> Vec<RecordId> {
        let table = self.table(object);
        table.keys.find(table, field, Key::Id(to))
    }
}

impl Database {
    /// An org with these objects and no rows. `seed` decides what generated rows look like.
    #[must_use]
    pub fn new(schema: Schema, seed: u64) -> Self {
        let tables = schema.objects().iter().map(|object| Arc::new(Table::new(object.clone()))).collect();
        Self::over(Snapshot { schema: Arc::new(schema), tables, oldest_transaction: None }, seed)
    }

    /// An org with the objects and rows of another one.
    pub(crate) fn copied(rows: Snapshot, seed: u64) -> Self {
        Self::over(Snapshot { oldest_transaction: None, ..rows }, seed)
    }

    fn over(current: Snapshot, seed: u64) -> Self {
        Self {
            current,
            seed,
            open: BTreeMap::new(),
            last_transaction: 0,
            locked: BTreeSet::new(),
            written: None,
            undo: None,
            rules: Arc::default(),
            duplicates: Duplicates::default(),
            storage_megabytes: None,
            cleared: BTreeMap::new(),
            mishaps: Mishaps::default(),
        }
    }

    /// Asks before each [`Change`] from now on whether it goes wrong, by a line such as `INSERT Account`.
    pub fn set_mishaps(&mut self, mishap: Arc<Mishap>) {
        self.mishaps = Mishaps(Some(mishap));
    }

    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.current.schema
    }

    /// The data as it is now, for reading at once.
    #[must_use]
    pub fn current(&self) -> &Snapshot {
        &self.current
    }

    /// The data as it is now, for reading while writes go on.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.current.clone()
    }

    /// Adds an object; its `rows` are not generated yet.
    ///
    /// # Errors
    /// As [`Schema::declare`].
    pub fn declare(&mut self, spec: &ObjectSpec) -> Result<ObjectIndex, SchemaError> {
        self.reshape(|schema| schema.declare(spec))
    }

    /// Adds a field. Rows that exist hold null in it, or false.
    ///
    /// # Errors
    /// As [`Schema::declare_field`].
    pub fn declare_field(&mut self, object: &str, spec: &FieldSpec) -> Result<(), SchemaError> {
        self.reshape(|schema| schema.declare_field(object, spec))
    }

    /// Removes a field with all that rows hold in it.
    ///
    /// # Errors
    /// As [`Schema::remove_field`].
    pub fn remove_field(&mut self, object: &str, field: &str) -> Result<(), SchemaError> {
        let (index, removed) = self.reshape(|schema| schema.remove_field(object, field))?;
        self.table_mut(index).remove_fields(&removed);
        self.change_staged(index, |row| row.remove_fields(&removed));
        Ok(())
    }

    /// Gives a field another type. Values that do not fit it are lost; no stamp moves.
    ///
    /// # Errors
    /// As [`Schema::retype_field`].
    pub fn retype_field(&mut self, object: &str, spec: &FieldSpec) -> Result<(), SchemaError> {
        let (index, position) = self.reshape(|schema| schema.retype_field(object, spec))?;
        let field = self.current.schema.object(index).field(position).clone();
        self.table_mut(index).retype_field(position, &field);
        self.change_staged(index, |row| row.retype_field(position, &field));
        Ok(())
    }

    /// Gives a field another API name. Values stay, and no stamp moves.
    ///
    /// # Errors
    /// As [`Schema::rename_field`].
    pub fn rename_field(&mut self, object: &str, from: &str, to: &str) -> Result<(), SchemaError> {
        self.reshape(|schema| schema.rename_field(object, from, to)).map(drop)
    }

    /// Switches several currencies on.
    ///
    /// # Errors
    /// As [`Schema::enable_currencies`].
    pub fn enable_currencies(
        &mut self,
        currency_type: &ObjectSpec,
        codes: &[String],
        corporate: &str,
    ) -> Result<(), SchemaError> {
        self.reshape(|schema| schema.enable_currencies(currency_type, codes, corporate))
    }

    /// Changes the schema, and lets every table know its object.
    fn reshape<T>(&mut self, change: impl FnOnce(&mut Schema) -> Result<T, SchemaError>) -> Result<T, SchemaError> {
        let changed = change(Arc::make_mut(&mut self.current.schema))?;
        let Snapshot { schema, tables, .. } = &mut self.current;
        for (index, object) in schema.objects().iter().enumerate() {
            match tables.get_mut(index) {
                Some(table) if Arc::ptr_eq(&table.object, object) => {}
                Some(table) => Arc::make_mut(table).set_object(object.clone()),
                None => tables.push(Arc::new(Table::new(object.clone()))),
            }
        }
        Ok(changed)
    }

    /// Fills an object with computed rows, `rows` of them outside the recycle bin, whose stamps lie in the years before `now`. References go to rows
    /// that exist when this is called, so parents come first. A second call replaces the first one's rows.
    ///
    /// # Errors
    /// [`SchemaError::UnknownObject`].
    pub fn generate(&mut self, object: &str, rows: u64, now: Timestamp) -> Result<(), SchemaError> {
        let unknown = || SchemaError::UnknownObject { name: object.to_owned() };
        let (index, declared) = self.current.schema.find(object).ok_or_else(unknown)?;
        let table = self.current.table(index);
        let first = table.next_ordinal();
        let rows = Generator::rows_with_bin(declared, rows);
        let targets = Targets::of(&self.current, declared);
        let generator = Generator::new(declared, table.prefix(), first..first + rows, self.seed, now, targets);
        Arc::make_mut(&mut self.current.tables[index]).set_generator(generator);
        Ok(())
    }

    /// Stores a value without any check, as data older than a field's rules has it.
    ///
    /// # Errors
    /// [`RowError`] when there is no such row or field.
    pub fn store_raw(&mut self, id: RecordId, field: &str, value: Value) -> Result<(), RowError> {
        let (object, mut row) = self.stored(id)?;
        let declared = self.current.schema.object(object).clone();
        let (field, _) = declared.find(field).ok_or_else(|| RowError::no_such_column(field, &declared.name))?;
        write::set(&mut row.values, field, value);
        self.put(object, row);
        Ok(())
    }

    fn put(&mut self, object: ObjectIndex, row: StoredRow) {
        self.follow(object, &row);
        self.note(row.id);
        self.table_mut(object).put(row);
    }

    fn table_mut(&mut self, object: ObjectIndex) -> &mut Table {
        Arc::make_mut(&mut self.current.tables[object])
    }
}
