//! Person accounts: an account and its contact, which are one record to whoever writes it.
//!
//! Source: object reference v66, Account and Contact, "person accounts". That the contact is not written by itself is
//! inferred.

use super::write::{Operation, not_writable, set, set_at};
use super::{Author, Database, Record, RowError, StatusCode};
use crate::ids::RecordId;
use crate::schema::{Object, ObjectIndex, contact_field};
use crate::table::StoredRow;
use crate::value::Value;

const FLAG: &str = "IsPersonAccount";
const CONTACT: &str = "PersonContactId";

impl Database {
    /// Makes a person of an account that has a last name or a person's record type, and computes a person's name.
    pub(super) fn complete_person(
        &self,
        object: &Object,
        record: &Record,
        operation: Operation,
        values: &mut Vec<Value>,
    ) -> Result<(), RowError> {
        let (true, Some((flag, _))) = (object.name == "Account", object.find(FLAG)) else { return Ok(()) };
        let is_person = match operation {
            Operation::Insert => has_text(object, values, "LastName") || has_person_type(object, values),
            Operation::Update => values.get(flag) == Some(&Value::Bool(true)),
        };
        let field = |name: &str| object.find(name).map(|(field, _)| field);
        if !is_person {
            let named = record.iter().filter(|(_, value)| !value.is_null());
            let fields = named.filter_map(|(name, _)| Some(object.find(name)?.1));
            let personal = fields.filter(|field| contact_field(field).is_some());
            let refused: Vec<String> = personal.map(|field| field.name.clone()).collect();
            return if refused.is_empty() { Ok(()) } else { Err(not_writable(refused)) };
        }
        if record.contains_key("Name") {
            return Err(not_writable(vec!["Name".to_owned()]));
        }
        if !has_text(object, values, "LastName") {
            let message = "Required fields are missing: [LastName]";
            return Err(RowError::on(StatusCode::RequiredFieldMissing, "LastName", message));
        }
        let part = |name: &str| match field(name).and_then(|field| values.get(field)) {
            Some(Value::Text(text)) => Some(text.to_string()),
            _ => None,
        };
        let name: Vec<String> = ["FirstName", "LastName"].into_iter().filter_map(part).collect();
        set(values, flag, Value::Bool(true));
        set_at(values, field("Name"), Value::text(name.join(" ")));
        if !has_person_type(object, values) {
            let person = object.record_types.iter().find(|record_type| record_type.is_person);
            set_at(values, field("RecordTypeId"), person.map_or(Value::Null, |person| Value::Id(person.id)));
        }
        Ok(())
    }

    /// The contact that comes with an account, still without ids; `None` for a business.
    pub(super) fn draft_person(
        &self,
        account: &Object,
        row: &StoredRow,
        record: &Record,
        by: &Author<'_>,
    ) -> Result<Option<(ObjectIndex, StoredRow)>, RowError> {
        if !is_person(account, row) {
            return Ok(None);
        }
        let Some((index, contact)) = self.current.schema.find("Contact") else { return Ok(None) };
        let mut draft = self.draft(index, contact, &contact_part(account, record), by)?;
        set_at(&mut draft.values, contact.find(FLAG).map(|(field, _)| field), Value::Bool(true));
        Ok(Some((index, draft)))
    }

    /// Writes an account and the contact that was drafted with it.
    pub(super) fn finish_person(
        &mut self,
        index: ObjectIndex,
        account: &Object,
        mut row: StoredRow,
        (contact_index, mut contact): (ObjectIndex, StoredRow),
    ) -> Result<RecordId, RowError> {
        let declared = self.current.schema.object(contact_index).clone();
        let position = |object: &Object, name: &str| object.find(name).map(|(field, _)| field);
        contact.id = self.table_mut(contact_index).fresh_id();
        set_at(&mut contact.values, position(&declared, "AccountId"), Value::Id(row.id));
        set_at(&mut row.values, position(account, CONTACT), Value::Id(contact.id));
        self.finish_insert(contact_index, &declared, contact)?;
        self.finish_insert(index, account, row)
    }

    /// The person's contact as a change of the account leaves it; `None` when it changes nothing of the contact.
    pub(super) fn change_person(
        &self,
        account: &Object,
        row: &StoredRow,
        record: &Record,
        by: &Author<'_>,
    ) -> Result<Option<(ObjectIndex, StoredRow)>, RowError> {
        let part = contact_part(account, record);
        let Some(id) = person_contact(account, row).filter(|_| !part.is_empty()) else { return Ok(None) };
        let (index, mut contact) = self.live(id)?;
        let declared = self.current.schema.object(index).clone();
        self.apply(index, &declared, &part, Operation::Update, by, &mut contact)?;
        super::write::stamp(&declared, &mut contact, by);
        Ok(Some((index, contact)))
    }

    /// Refuses to write the contact of a person account by itself.
    pub(super) fn refuse_person_contact(&self, index: ObjectIndex, row: &StoredRow) -> Result<(), RowError> {
        let object = self.current.schema.object(index);
        if object.name != "Contact" || !is_person(object, row) {
            return Ok(());
        }
        let message = "the contact of a person account is written by way of its account";
        Err(RowError::new(StatusCode::InsufficientAccessOrReadonly, message))
    }
}

/// Whether the row is a person account, or its contact.
pub(super) fn is_person(object: &Object, row: &StoredRow) -> bool {
    object.find(FLAG).is_some_and(|(flag, _)| row.values.get(flag) == Some(&Value::Bool(true)))
}

/// The contact of a person account.
pub(super) fn person_contact(account: &Object, row: &StoredRow) -> Option<RecordId> {
    let (field, _) = account.find(CONTACT)?;
    match row.values.get(field) {
        Some(Value::Id(id)) if is_person(account, row) => Some(*id),
        _ => None,
    }
}

fn contact_part(account: &Object, record: &Record) -> Record {
    let fields = record.iter().filter_map(|(name, value)| Some((account.find(name)?.1, value)));
    fields.filter_map(|(field, value)| Some((contact_field(field)?, value.clone()))).collect()
}

fn has_text(object: &Object, values: &[Value], name: &str) -> bool {
    object.find(name).is_some_and(|(field, _)| matches!(values.get(field), Some(Value::Text(_))))
}

fn has_person_type(object: &Object, values: &[Value]) -> bool {
    let of_row = object.find("RecordTypeId").and_then(|(field, _)| values.get(field));
    let mut persons = object.record_types.iter().filter(|record_type| record_type.is_person);
    persons.any(|record_type| of_row == Some(&Value::Id(record_type.id)))
}
