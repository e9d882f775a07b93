//! Rows of the org's own making: kept in step with what they tell of, and tables that are put in for one reader.

use std::sync::Arc;

use super::write::{set, stamp};
use super::{Author, Database, Record, RowError, Snapshot};
use crate::ids::RecordId;
use crate::schema::{Field, ObjectIndex};
use crate::table::{Row, Table};

impl Snapshot {
    pub(crate) fn shared_table(&self, object: ObjectIndex) -> &Arc<Table> {
        &self.tables[object]
    }

    /// The same view with another table in the place of one.
    pub(crate) fn put_table(&mut self, object: ObjectIndex, table: Arc<Table>) {
        self.tables[object] = table;
    }

    /// The row that a reference names by a text instead of an id.
    #[must_use]
    pub fn row_named(&self, reference: &Field, text: &str) -> Option<Row<'_>> {
        let (object, _) = self.schema.find(reference.reference_to.first()?)?;
        self.table(object).row_named(text)
    }
}

impl Database {
    /// Removes a row without a trace: no list of deletions has it.
    pub(crate) fn forget(&mut self, id: RecordId) {
        let Some((object, _)) = self.current.schema.find_prefix(id.prefix()) else { return };
        self.note(id);
        self.table_mut(object).purge(id);
    }

    /// Adds a row under its id, or changes the fields that differ. A row that stays the same keeps its stamps.
    ///
    /// # Errors
    /// [`RowError`] when a value does not fit its field.
    pub(crate) fn keep(
        &mut self,
        object: &str,
        id: RecordId,
        record: &Record,
        by: &Author<'_>,
    ) -> Result<(), RowError> {
        let (index, declared) = self.current.schema.find(object).ok_or_else(|| RowError::no_such_object(object))?;
        let declared = declared.clone();
        let is_new = self.current.table(index).row(id).is_none();
        if is_new {
            // What nobody may write comes afterwards.
            let open = record.iter().filter(|(name, _)| declared.find(name).is_some_and(|(_, field)| field.createable));
            self.insert_as(object, id, &open.map(|(name, json)| (name.clone(), json.clone())).collect(), by)?;
        }
        let mut row = self.current.table(index).row(id).ok_or_else(RowError::not_found)?.to_stored();
        let mut is_changed = row.is_deleted;
        for (name, json) in record {
            let (position, field) = declared.find(name).ok_or_else(|| RowError::no_such_column(name, object))?;
            let value = self.current.read_value(&declared, field, json)?;
            if row.values.get(position) != Some(&value) {
                set(&mut row.values, position, value);
                is_changed = true;
            }
        }
        if is_changed {
            stamp(&declared, &mut row, by);
            row.is_deleted = false;
            self.put(index, row);
        }
        Ok(())
    }
}
