//! Insert, update, delete, undelete, archive and purge, with the audit fields that go with them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::lead::refuse_converted;
use super::{Database, RowError, Snapshot, StatusCode};
use crate::ids::RecordId;
use crate::schema::{Access, Field, FieldIndex, FieldType, Object, ObjectIndex, Source};
use crate::table::{Burial, IdRange, StoredRow};
use crate::value::{Cell, Timestamp, Value, converted};

/// The fields of a record as a request writes them.
pub type Record = serde_json::Map<String, Json>;

/// Who writes, when, and with which rights.
///
/// A time in the past makes a late commit: the row shows from now on with stamps that readers may have passed already.
#[derive(Clone, Copy)]
pub struct Author<'a> {
    pub user: RecordId,
    pub at: Timestamp,
    pub access: &'a dyn Access,
}

/// A field and its position.
type Target<'o> = (FieldIndex, &'o Field);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Insert,
    Update,
}

impl Database {
    /// Inserts a record and returns its id.
    ///
    /// # Errors
    /// [`RowError`] as Salesforce words it; nothing is written then.
    pub fn insert(&mut self, object: &str, record: &Record, by: &Author<'_>) -> Result<RecordId, RowError> {
        let (index, declared) = self.writable(object, by)?;
        let mut row = self.draft(index, &declared, record, by)?;
        let person = self.draft_person(&declared, &row, record, by)?.filter(|_| declared.name == "Account");
        row.id = self.table_mut(index).fresh_id();
        let id = match person {
            Some(contact) => self.finish_person(index, &declared, row, contact),
            None => self.finish_insert(index, &declared, row),
        }?;
        self.file_version(&declared, id, by)?;
        Ok(id)
    }

    /// Inserts a record under an id of the caller's choice, as scenarios do for users and the organization.
    ///
    /// # Errors
    /// [`RowError`] as for [`Database::insert`], and `DUPLICATE_VALUE` when the id is taken.
    pub fn insert_as(&mut self, object: &str, id: RecordId, record: &Record, by: &Author<'_>) -> Result<(), RowError> {
        let (index, declared) = self.writable(object, by)?;
        if declared.key_prefix != Some(id.prefix()) {
            return Err(RowError::on(StatusCode::MalformedId, "Id", format!("malformed id {id}")));
        }
        if self.current.table(index).row(id).is_some() {
            return Err(RowError::on(StatusCode::DuplicateValue, "Id", format!("duplicate value found: Id {id}")));
        }
        let mut row = self.draft(index, &declared, record, by)?;
        row.id = id;
        self.finish_insert(index, &declared, row).map(|_| ())
    }

    /// Changes fields of a record.
    ///
    /// # Errors
    /// [`RowError`]; nothing is written then.
    pub fn update(&mut self, id: RecordId, record: &Record, by: &Author<'_>) -> Result<(), RowError> {
        let (index, mut row) = self.live(id)?;
        let object = self.current.schema.object(index).clone();
        if !object.can.updateable || !by.access.edits(&object) {
            return Err(no_access(id));
        }
        self.refuse_person_contact(index, &row)?;
        refuse_converted(&object, &row)?;
        let before = self.has_rules(&object).then(|| row.clone());
        self.apply(index, &object, record, Operation::Update, by, &mut row)?;
        self.complete_person(&object, record, Operation::Update, &mut row.values)?;
        check_required(&object, &row.values)?;
        if let Some(before) = &before {
            self.check_rules(&object, Some(before), &row)?;
        }
        let person = self.change_person(&object, &row, record, by)?;
        Self::measure_file(&object, &mut row);
        stamp(&object, &mut row, by);
        self.put(index, row);
        if let Some((index, contact)) = person {
            self.put(index, contact);
        }
        Ok(())
    }

    /// Moves a record and its master-detail children to the recycle bin. Objects without one lose the row for good.
    ///
    /// # Errors
    /// [`RowError`]; `ENTITY_IS_DELETED` when it is there already.
    pub fn delete(&mut self, id: RecordId, by: &Author<'_>) -> Result<(), RowError> {
        let (index, row) = self.live(id)?;
        let object = self.current.schema.object(index).clone();
        self.check_deletable(id, by)?;
        self.refuse_person_contact(index, &row)?;
        self.check_restricted(&object, id)?;
        let children = self.cascade_children(&object, id);
        children.values().try_for_each(|(_, child)| self.check_unlocked(child.id))?;
        for child in children.into_values() {
            self.discard(child, by.at, Some(id))?;
        }
        self.discard((index, row), by.at, None)
    }

    /// Refuses whom the object's rights keep from deleting a row.
    pub(super) fn check_deletable(&self, id: RecordId, by: &Author<'_>) -> Result<(), RowError> {
        let (index, _) = self.stored(id)?;
        let object = self.current.schema.object(index);
        if object.can.deletable && by.access.deletes(object) { Ok(()) } else { Err(no_access(id)) }
    }

    /// Takes a record back from the recycle bin, with the master-detail children that went there with it. They get a new
    /// stamp. A record that has lost a merge is one of its own again.
    ///
    /// # Errors
    /// [`RowError`] when it is not there.
    pub fn undelete(&mut self, id: RecordId, by: &Author<'_>) -> Result<(), RowError> {
        let (index, row) = self.stored(id)?;
        self.refuse_person_contact(index, &row)?;
        if !row.is_deleted {
            return Err(RowError::new(StatusCode::EntityIsNotDeleted, "Entity is not in the recycle bin"));
        }
        let companions = self.companions(id);
        companions.iter().try_for_each(|companion| self.check_unlocked(*companion))?;
        companions.into_iter().chain([id]).try_for_each(|id| self.restore(id, by))
    }

    /// The rows that were deleted because this one was, and are in the recycle bin.
    fn companions(&self, id: RecordId) -> Vec<RecordId> {
        let tables = self.current.tables.iter();
        let buried = tables.flat_map(|table| table.deletions.iter().map(move |(row, burial)| (table, *row, burial)));
        let with_it = buried.filter(|(_, _, burial)| burial.with == Some(id));
        with_it.filter(|(table, row, _)| table.row(*row).is_some()).map(|(_, row, _)| row).collect()
    }

    fn restore(&mut self, id: RecordId, by: &Author<'_>) -> Result<(), RowError> {
        let (index, mut row) = self.stored(id)?;
        let master = self.current.schema.object(index).find("MasterRecordId").map(|(field, _)| field);
        set_at(&mut row.values, master, Value::Null);
        let audit = self.current.schema.object(index).audit();
        row.is_deleted = false;
        set_at(&mut row.values, audit.is_deleted, Value::Bool(false));
        set_at(&mut row.values, audit.system_modstamp, Value::DateTime(by.at.whole_seconds()));
        self.note(id);
        self.table_mut(index).deletions.remove(&id);
        self.put(index, row);
        self.restore_lookups(id);
        Ok(())
    }

    /// Removes a record for good, from the recycle bin or at once, with the children that go or went with it. getDeleted
    /// still reports them.
    ///
    /// # Errors
    /// [`RowError`] when there is no such row, or what refers to it restricts it.
    pub fn purge(&mut self, id: RecordId, at: Timestamp) -> Result<(), RowError> {
        let (index, row) = self.stored(id)?;
        self.refuse_person_contact(index, &row)?;
        let object = self.current.schema.object(index).clone();
        let children = if row.is_deleted {
            self.companions(id)
        } else {
            self.check_restricted(&object, id)?;
            self.cascade_children(&object, id).into_keys().collect()
        };
        children.iter().try_for_each(|child| self.check_unlocked(*child))?;
        children.into_iter().chain([id]).try_for_each(|id| self.erase(id, at))
    }

    fn erase(&mut self, id: RecordId, at: Timestamp) -> Result<(), RowError> {
        let (index, row) = self.stored(id)?;
        let binned_at = self.current.row(id).and_then(|current| current.stamp()).filter(|_| row.is_deleted);
        let at = binned_at.unwrap_or(at.whole_seconds());
        if !row.is_deleted {
            let object = self.current.schema.object(index).clone();
            self.clear_lookups(&object, id);
        }
        self.note(id);
        let table = self.table_mut(index);
        table.purge(id);
        table.deletions.entry(id).or_insert(Burial { at, with: None }).with = None;
        Ok(())
    }

    /// Empties the recycle bin of an object of what went there before `until`, and says how many rows that were.
    pub fn empty_recycle_bin(&mut self, object: ObjectIndex, until: Timestamp) -> u64 {
        let table = self.current.table(object);
        let binned = table.scan(IdRange::ALL).filter(|row| row.is_deleted());
        let old = binned.filter(|row| row.stamp().is_none_or(|stamp| stamp < until));
        let ids: Vec<RecordId> = old.map(|row| row.id()).collect();
        ids.into_iter().map(|id| u64::from(self.purge(id, until).is_ok())).sum()
    }

    /// Archives an activity: only queryAll shows it from now on. That its stamp moves is inferred.
    ///
    /// # Errors
    /// [`RowError`] when there is no such row, or it is of an object that is not archived.
    pub fn archive(&mut self, id: RecordId, at: Timestamp) -> Result<(), RowError> {
        let (index, mut row) = self.live(id)?;
        let object = self.current.schema.object(index);
        let (audit, name) = (object.audit(), &object.name);
        let flag = audit.is_archived.ok_or_else(|| {
            RowError::new(StatusCode::InvalidTypeForOperation, format!("records of {name} are not archived"))
        })?;
        set(&mut row.values, flag, Value::Bool(true));
        set_at(&mut row.values, audit.system_modstamp, Value::DateTime(at.whole_seconds()));
        self.put(index, row);
        Ok(())
    }

    /// Puts a record back to what it was in an earlier view, as a transaction that is rolled back.
    pub fn revert(&mut self, id: RecordId, earlier: &Snapshot) {
        let Some((index, _)) = self.current.schema.find_prefix(id.prefix()) else { return };
        self.note(id);
        let table = self.table_mut(index);
        match earlier.row(id) {
            Some(row) => table.put(row.to_stored()),
            None => table.purge(id),
        }
        match earlier.table(index).deletions.get(&id) {
            Some(burial) => table.deletions.insert(id, *burial),
            None => table.deletions.remove(&id),
        };
    }

    /// Moves `SystemModstamp` alone, as automation and mass operations of the system do.
    ///
    /// # Errors
    /// [`RowError`] when there is no such row.
    pub fn touch_system(&mut self, id: RecordId, at: Timestamp) -> Result<(), RowError> {
        let (index, mut row) = self.stored(id)?;
        let stamp = self.current.schema.object(index).audit().system_modstamp;
        set_at(&mut row.values, stamp, Value::DateTime(at.whole_seconds()));
        self.put(index, row);
        Ok(())
    }

    fn writable(&self, object: &str, by: &Author<'_>) -> Result<(ObjectIndex, std::sync::Arc<Object>), RowError> {
        let found = self.current.schema.find(object).filter(|(_, object)| by.access.reads(object));
        let (index, declared) = found.ok_or_else(|| RowError::no_such_object(object))?;
        if !by.access.creates(declared) {
            let message = format!("entity type cannot be inserted: {}", declared.label);
            return Err(RowError::new(StatusCode::InvalidTypeForOperation, message));
        }
        Ok((index, declared.clone()))
    }

    /// A row as an insert makes it, still without its id.
    pub(super) fn draft(
        &self,
        index: ObjectIndex,
        object: &Object,
        record: &Record,
        by: &Author<'_>,
    ) -> Result<StoredRow, RowError> {
        let values = object.fields().iter().map(default_value).collect();
        let nobody = RecordId::new(self.current.table(index).prefix(), 0);
        let mut row = StoredRow { id: nobody, is_deleted: false, values };
        let (audit, at) = (object.audit(), Value::DateTime(by.at.whole_seconds()));
        for field in [audit.created_date, audit.modified_date, audit.system_modstamp] {
            set_at(&mut row.values, field, at.clone());
        }
        for field in [audit.created_by, audit.modified_by, audit.owner] {
            set_at(&mut row.values, field, Value::Id(by.user));
        }
        set_at(&mut row.values, audit.is_deleted, Value::Bool(false));
        self.apply(index, object, record, Operation::Insert, by, &mut row)?;
        self.complete_person(object, record, Operation::Insert, &mut row.values)?;
        Self::title_file(object, &mut row);
        check_required(object, &row.values)?;
        self.check_rules(object, None, &row)?;
        self.check_storage()?;
        Ok(row)
    }

    pub(super) fn finish_insert(
        &mut self,
        index: ObjectIndex,
        object: &Object,
        mut row: StoredRow,
    ) -> Result<RecordId, RowError> {
        let number = row.id.ordinal().unwrap_or_default();
        for (field, declared) in object.fields().iter().enumerate() {
            match &declared.source {
                Source::AutoNumber(format) => set(&mut row.values, field, Value::text(auto_number(format, number))),
                _ if declared.kind == FieldType::Id => set(&mut row.values, field, Value::Id(row.id)),
                _ => {}
            }
        }
        let id = row.id;
        Self::measure_file(object, &mut row);
        self.put(index, row);
        Ok(id)
    }

    /// Writes the record's fields into the row.
    pub(super) fn apply(
        &self,
        index: ObjectIndex,
        object: &Object,
        record: &Record,
        operation: Operation,
        by: &Author<'_>,
        row: &mut StoredRow,
    ) -> Result<(), RowError> {
        let mut refused = Vec::new();
        let mut changes = Vec::new();
        for (name, json) in record.iter().filter(|(name, _)| *name != "attributes") {
            let (found, json) = self.field_or_parent(object, name, json)?;
            let known = found.filter(|(_, field)| by.access.reads_field(object, field));
            let (position, field) = known.ok_or_else(|| RowError::no_such_column(name, &object.name))?;
            let open = match operation {
                // Rows of what nobody can create through the API come from the org itself.
                Operation::Insert => field.createable || !object.can.createable && field.source == Source::Stored,
                Operation::Update => field.updateable,
            };
            if open && by.access.edits_field(object, field) {
                changes.push((position, field, json));
            } else {
                refused.push(field.name.clone());
            }
        }
        if !refused.is_empty() {
            return Err(not_writable(refused));
        }
        for (position, field, json) in changes {
            let value = self.current.read_value(object, field, &json)?;
            self.check_unique(index, position, field, &value, row.id)?;
            set(&mut row.values, position, value);
        }
        Ok(())
    }

    /// The field of this name; or the reference whose relationship it is, with the id of the record that the nested object
    /// names.
    fn field_or_parent<'o, 'j>(
        &self,
        object: &'o Object,
        name: &str,
        json: &'j Json,
    ) -> Result<(Option<Target<'o>>, Cow<'j, Json>), RowError> {
        let found = object.find(name);
        match (json, object.find_relationship(name)) {
            (Json::Object(named), Some((position, reference))) if found.is_none() => {
                let id = self.current.parent_named(reference, named)?;
                Ok((Some((position, reference)), Cow::Owned(Json::String(id.to_string()))))
            }
            (Json::Null, reference @ Some(_)) if found.is_none() => Ok((reference, Cow::Borrowed(json))),
            _ => Ok((found, Cow::Borrowed(json))),
        }
    }

    fn check_unique(
        &self,
        object: ObjectIndex,
        position: FieldIndex,
        field: &Field,
        value: &Value,
        own: RecordId,
    ) -> Result<(), RowError> {
        let (true, Value::Text(text)) = (field.unique, value) else { return Ok(()) };
        match self.current.find_by_text(object, position, text).into_iter().find(|id| *id != own) {
            None => Ok(()),
            Some(other) => {
                let message =
                    format!("duplicate value found: {} duplicates value on record with id: {other}", field.name);
                Err(RowError::new(StatusCode::DuplicateValue, message))
            }
        }
    }

    /// The row as it is stored, or as it would be, to be changed.
    pub(super) fn stored(&self, id: RecordId) -> Result<(ObjectIndex, StoredRow), RowError> {
        self.check_unlocked(id)?;
        let (index, _) = self.current.schema.find_prefix(id.prefix()).ok_or_else(RowError::not_found)?;
        let row = self.current.table(index).row(id).ok_or_else(RowError::not_found)?;
        Ok((index, row.to_stored()))
    }

    pub(super) fn live(&self, id: RecordId) -> Result<(ObjectIndex, StoredRow), RowError> {
        let (index, row) = self.stored(id)?;
        if row.is_deleted {
            return Err(RowError::new(StatusCode::EntityIsDeleted, "entity is deleted"));
        }
        Ok((index, row))
    }

    /// Deletes a row: into the recycle bin, or for good when the object has none.
    fn discard(
        &mut self,
        (index, row): (ObjectIndex, StoredRow),
        at: Timestamp,
        with: Option<RecordId>,
    ) -> Result<(), RowError> {
        let object = self.current.schema.object(index).clone();
        if !object.has_recycle_bin() {
            return self.erase(row.id, at);
        }
        self.clear_lookups(&object, row.id);
        self.bin((index, row), at, with);
        Ok(())
    }

    pub(super) fn bin(&mut self, (index, mut row): (ObjectIndex, StoredRow), at: Timestamp, with: Option<RecordId>) {
        let audit = self.current.schema.object(index).audit();
        let (id, at) = (row.id, at.whole_seconds());
        row.is_deleted = true;
        set_at(&mut row.values, audit.is_deleted, Value::Bool(true));
        set_at(&mut row.values, audit.system_modstamp, Value::DateTime(at));
        self.note(id);
        self.table_mut(index).deletions.insert(id, Burial { at, with });
        self.put(index, row);
    }

    /// Refuses to delete what live rows refer to by a field that restricts it.
    fn check_restricted(&self, parent: &Object, id: RecordId) -> Result<(), RowError> {
        for (index, child) in self.current.schema.objects().iter().enumerate() {
            let details = child.fields().iter().enumerate();
            for (field, _) in details.filter(|(_, f)| f.restricted_delete && f.reference_to.contains(&parent.name)) {
                if !self.current.referring(index, field, id).is_empty() {
                    let (parent, children) = (&parent.label, child.label_plural.to_lowercase());
                    let message = format!(
                        "Your attempt to delete the {parent} could not be completed because it is associated with the \
                         following {children}."
                    );
                    return Err(RowError::new(StatusCode::DeleteFailed, message));
                }
            }
        }
        Ok(())
    }

    /// Live rows that hang on this one by references that cascade, at any depth.
    fn cascade_children(&self, parent: &Object, id: RecordId) -> BTreeMap<RecordId, (ObjectIndex, StoredRow)> {
        let mut found = BTreeMap::new();
        for (index, child) in self.current.schema.objects().iter().enumerate() {
            let details = child.fields().iter().enumerate();
            for (field, _) in details.filter(|(_, f)| f.cascade_delete && f.reference_to.contains(&parent.name)) {
                let rows = self.current.referring(index, field, id);
                for row in rows.into_iter().filter_map(|row| self.current.row(row)) {
                    found.extend(self.cascade_children(child, row.id()));
                    found.insert(row.id(), (index, row.to_stored()));
                }
            }
        }
        found
    }
}

pub(super) fn set(values: &mut Vec<Value>, field: FieldIndex, value: Value) {
    if values.len() <= field {
        values.resize(field + 1, Value::Null);
    }
    values[field] = value;
}

pub(super) fn set_at(values: &mut Vec<Value>, field: Option<FieldIndex>, value: Value) {
    if let Some(field) = field {
        set(values, field, value);
    }
}

/// Marks a row as changed by somebody now.
pub(super) fn stamp(object: &Object, row: &mut StoredRow, by: &Author<'_>) {
    let (audit, at) = (object.audit(), by.at.whole_seconds());
    set_at(&mut row.values, audit.modified_date, Value::DateTime(at));
    set_at(&mut row.values, audit.modified_by, Value::Id(by.user));
    set_at(&mut row.values, audit.system_modstamp, Value::DateTime(at));
}

fn default_value(field: &Field) -> Value {
    match (&field.default_value, field.kind) {
        (default, FieldType::Boolean) => Value::Bool(default.as_deref() == Some("true")),
        (Some(text), _) => converted(Cell::Text(text), field),
        (None, _) => Value::Null,
    }
}

fn check_required(object: &Object, values: &[Value]) -> Result<(), RowError> {
    let empty = |index: usize| values.get(index).is_none_or(Value::is_null);
    let fields = object.fields().iter().enumerate();
    let missing: Vec<String> =
        fields.filter(|(index, f)| f.is_required() && empty(*index)).map(|(_, f)| f.name.clone()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(RowError::of_fields(StatusCode::RequiredFieldMissing, missing, message))
}

pub(super) fn not_writable(fields: Vec<String>) -> RowError {
    let message = format!(
        "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
         read/write for your profile or permission set.",
        fields.join(", ")
    );
    RowError::of_fields(StatusCode::InvalidFieldForInsertUpdate, fields, message)
}

fn no_access(id: RecordId) -> RowError {
    RowError::new(StatusCode::InsufficientAccessOrReadonly, format!("insufficient access rights on object id {id}"))
}

/// `INV-{0000}` and 12 → `INV-0012`.
fn auto_number(format: &str, number: u64) -> String {
    match (format.find('{'), format.find('}')) {
        (Some(open), Some(close)) if open < close => {
            let (head, tail, width) = (&format[..open], &format[close + 1..], close - open - 1);
            format!("{head}{number:0width$}{tail}")
        }
        _ => format!("{format}{number}"),
    }
}
