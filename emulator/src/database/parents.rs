//! Lookups whose parent is deleted, in orgs that clear them.
//!
//! Source: Salesforce Help, "Lookup Relationship Options" ("Clear the value of this field"). That no stamp moves, and that an
//! undeleted parent gets back the children whose field is still empty, is inferred.

use super::rules::DeletedParents;
use super::{Database, write};
use crate::ids::RecordId;
use crate::schema::{Field, FieldIndex, FieldType, Object};
use crate::value::Value;

impl Database {
    /// Empties the lookups that name a row which is being deleted.
    pub(super) fn clear_lookups(&mut self, parent: &Object, id: RecordId) {
        if self.rules.deleted_parents == DeletedParents::Kept {
            return;
        }
        let mut cleared = Vec::new();
        for (index, child) in self.current.schema.objects().iter().enumerate() {
            for field in lookups(child, parent) {
                cleared.extend(self.current.referring(index, field, id).into_iter().map(|row| (row, field)));
            }
        }
        for (child, field) in &cleared {
            self.set_lookup(*child, *field, Value::Null);
        }
        self.cleared.insert(id, cleared);
    }

    /// Gives a row that is undeleted its children back.
    pub(super) fn restore_lookups(&mut self, id: RecordId) {
        for (child, field) in self.cleared.remove(&id).unwrap_or_default() {
            let empty = self.current.row(child).is_some_and(|row| row.value(field).is_null());
            if empty {
                self.set_lookup(child, field, Value::Id(id));
            }
        }
    }

    fn set_lookup(&mut self, child: RecordId, field: FieldIndex, value: Value) {
        if let Ok((index, mut row)) = self.stored(child) {
            write::set(&mut row.values, field, value);
            self.put(index, row);
        }
    }
}

/// The references to a parent that neither cascade nor restrict, and may be empty.
fn lookups(child: &Object, parent: &Object) -> Vec<FieldIndex> {
    let clears = |field: &Field| {
        let refers = field.kind == FieldType::Reference && field.reference_to.contains(&parent.name);
        refers && field.nillable && field.updateable && !field.cascade_delete && !field.restricted_delete
    };
    let fields = child.fields().iter().enumerate();
    fields.filter(|(_, field)| clears(field)).map(|(index, _)| index).collect()
}
