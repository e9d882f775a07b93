//! Rows that follow from writes: histories of tracked fields, and shares of the owners of private objects.
//!
//! Source: object reference v66, "StandardObjectNameHistory": `Field` is `created` for a new record, a reference changes by
//! two rows (ids and names), and long texts are not kept. "StandardObjectNameShare": the owner's row has the cause `Owner`.

use std::sync::Arc;

use super::write::set_at;
use super::{Database, Snapshot};
use crate::ids::RecordId;
use crate::schema::{Field, FieldType, Object, ObjectIndex, SchemaError};
use crate::table::{IdRange, StoredRow};
use crate::value::Value;

/// Longer texts are not kept.
const KEPT_TEXT: u32 = 255;

/// One entry of a history.
struct Entry {
    field: String,
    data_type: &'static str,
    old: Value,
    new: Value,
}

impl Database {
    /// Has changes of fields written into the history of their object from now on.
    ///
    /// # Errors
    /// As [`crate::schema::Schema::track`].
    pub fn track(&mut self, object: &str, fields: &[String]) -> Result<(), SchemaError> {
        self.reshape(|schema| schema.track(object, fields))
    }

    /// Makes an object private. Records that exist are shared with their owners.
    ///
    /// # Errors
    /// As [`crate::schema::Schema::make_private`].
    pub fn make_private(&mut self, object: &str) -> Result<(), SchemaError> {
        self.reshape(|schema| schema.make_private(object))?;
        let Some((index, _)) = self.current.schema.find(object) else { return Ok(()) };
        let snapshot = self.current.clone();
        for row in snapshot.table(index).scan(IdRange::ALL).filter(|row| !row.is_deleted()) {
            self.follow(index, &row.to_stored());
        }
        Ok(())
    }

    /// Writes what follows from a row that is about to be written.
    pub(super) fn follow(&mut self, index: ObjectIndex, row: &StoredRow) {
        let object = &self.current.schema.objects()[index];
        if object.tracked.is_empty() && !object.is_private {
            return;
        }
        let object = Arc::clone(object);
        if !object.tracked.is_empty() {
            self.write_history(index, &object, row);
        }
        if object.is_private {
            self.share_with_owner(&object, row);
        }
    }

    fn write_history(&mut self, index: ObjectIndex, object: &Object, row: &StoredRow) {
        let Some((history, declared)) = self.current.schema.find(&object.history_name()) else { return };
        let declared = Arc::clone(declared);
        let entries = match self.current.table(index).row(row.id).map(|before| before.to_stored()) {
            None => vec![Entry { field: "created".to_owned(), data_type: "Text", old: Value::Null, new: Value::Null }],
            Some(before) => changes(&self.current, object, &before, row),
        };
        let parent = object.named_by_followers();
        for entry in entries {
            let values = [
                (parent.as_str(), Value::Id(row.id)),
                ("Field", Value::text(entry.field)),
                ("DataType", Value::text(entry.data_type)),
                ("OldValue", entry.old),
                ("NewValue", entry.new),
            ];
            let id = self.table_mut(history).fresh_id();
            self.put_follower(history, &declared, id, values, (object, row));
        }
    }

    /// A live record has one row for its owner, which follows the owner; a deleted one has none.
    fn share_with_owner(&mut self, object: &Object, row: &StoredRow) {
        let Some((share, declared)) = self.current.schema.find(&object.share_name()) else { return };
        let declared = Arc::clone(declared);
        let Some(prefix) = declared.key_prefix else { return };
        let id = RecordId::new(prefix, row.id.ordinal().unwrap_or_default());
        let position = |name: &str| declared.find(name).map(|(position, _)| position);
        let holder = position("UserOrGroupId")
            .and_then(|position| self.current.table(share).row(id).map(|row| row.value(position)));
        let owner = object.audit().owner.and_then(|owner| row.values.get(owner)).cloned().unwrap_or_default();
        if row.is_deleted || owner.is_null() {
            if holder.is_some() {
                self.note(id);
                self.table_mut(share).purge(id);
            }
            return;
        }
        if holder.as_ref() == Some(&owner) {
            return;
        }
        let (parent, level) = (object.named_by_followers(), object.share_level());
        let values = [
            (parent.as_str(), Value::Id(row.id)),
            ("UserOrGroupId", owner),
            (level.as_str(), Value::text("All")),
            ("RowCause", Value::text("Owner")),
        ];
        self.put_follower(share, &declared, id, values, (object, row));
    }

    /// Writes a row with the stamp and the author of the one that it follows.
    fn put_follower<const N: usize>(
        &mut self,
        index: ObjectIndex,
        declared: &Object,
        id: RecordId,
        values: [(&str, Value); N],
        (object, row): (&Object, &StoredRow),
    ) {
        let blank = |field: &Field| if field.kind == FieldType::Boolean { Value::Bool(false) } else { Value::Null };
        let mut follower = StoredRow { id, is_deleted: false, values: declared.fields().iter().map(blank).collect() };
        let of_row = |position: Option<usize>| position.and_then(|at| row.values.get(at)).cloned().unwrap_or_default();
        let (of, own) = (object.audit(), declared.audit());
        let stamp = of_row(of.system_modstamp.or(of.modified_date));
        let author = of_row(of.modified_by.or(of.created_by));
        for (position, value) in [
            (own.created_date, stamp.clone()),
            (own.modified_date, stamp),
            (own.created_by, author.clone()),
            (own.modified_by, author),
            (declared.find("Id").map(|(position, _)| position), Value::Id(id)),
        ] {
            set_at(&mut follower.values, position, value);
        }
        for (name, value) in values {
            set_at(&mut follower.values, declared.find(name).map(|(position, _)| position), value);
        }
        self.note(id);
        self.table_mut(index).put(follower);
    }
}

fn changes(data: &Snapshot, object: &Object, before: &StoredRow, after: &StoredRow) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (position, field) in object.tracked.iter().filter_map(|name| object.find(name)) {
        let value = |row: &StoredRow| row.values.get(position).cloned().unwrap_or_default();
        let (old, new) = (value(before), value(after));
        if old == new {
            continue;
        }
        let name = shown_name(field);
        if field.kind == FieldType::Reference {
            let names = [name_of(data, &old), name_of(data, &new)];
            let [old_name, new_name] = names;
            entries.push(Entry { field: name.clone(), data_type: "Text", old: old_name, new: new_name });
        }
        let is_kept = field.length <= KEPT_TEXT || !field.kind.is_text();
        let (old, new) = if is_kept { (old, new) } else { (Value::Null, Value::Null) };
        entries.push(Entry { field: name, data_type: data_type(field), old, new });
    }
    entries
}

/// References show the name of their relationship.
fn shown_name(field: &Field) -> String {
    match (&field.relationship_name, field.custom) {
        (Some(relationship), false) if field.kind == FieldType::Reference => relationship.clone(),
        _ => field.name.clone(),
    }
}

/// The name of a record that a reference leads to.
fn name_of(data: &Snapshot, reference: &Value) -> Value {
    let Value::Id(id) = reference else { return Value::Null };
    let row = data.row(*id);
    let named = row.and_then(|row| {
        let position = row.object().fields().iter().position(|field| field.name_field)?;
        Some(row.value(position))
    });
    named.unwrap_or_default()
}

/// The type as histories name it. Source: examples of rows in field reports; the others are inferred.
fn data_type(field: &Field) -> &'static str {
    match field.kind {
        FieldType::Reference => "EntityId",
        FieldType::Picklist | FieldType::ComboBox => "DynamicEnum",
        FieldType::MultiPicklist => "MultiEnum",
        FieldType::Boolean => "Boolean",
        FieldType::Int | FieldType::Long => "Integer",
        FieldType::Double => "Double",
        FieldType::Currency => "Currency",
        FieldType::Percent => "Percent",
        FieldType::Date => "DateOnly",
        FieldType::DateTime => "DateTime",
        FieldType::Email => "Email",
        FieldType::Phone => "PhoneNumber",
        FieldType::Url => "Url",
        FieldType::TextArea => "TextArea",
        _ => "Text",
    }
}
