//! One record and what is to be done with it, as collections, Bulk jobs and SOAP calls put it; and many at once.
//!
//! Source: REST API guide v66, "sObject Collections" and "Upsert a Record"; texts from field reports where they are quoted
//! by clients, the others inferred.

use serde_json::Value as Json;

use super::write::Author;
use super::{Database, Record, RowError, Snapshot, StatusCode};
use crate::ids::RecordId;
use crate::schema::{Field, FieldIndex, FieldType, Object, ObjectIndex};

/// What is to be done with one record.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// The record must have no `Id`.
    Insert {
        object: &'a str,
        record: &'a Record,
    },
    /// The record names itself by `Id`.
    Update {
        object: &'a str,
        record: &'a Record,
    },
    /// The record names itself by `key`: an external id, a field that records are looked up by, or `Id`.
    Upsert {
        object: &'a str,
        key: &'a str,
        record: &'a Record,
    },
    /// As an upsert that creates nothing.
    UpdateByKey {
        object: &'a str,
        key: &'a str,
        record: &'a Record,
    },
    Delete {
        id: RecordId,
    },
    /// Deletes without a stop in the recycle bin; what is in it already goes as well.
    HardDelete {
        id: RecordId,
    },
    Undelete {
        id: RecordId,
    },
}

/// A record that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    pub id: RecordId,
    /// Whether there was no such record before.
    pub created: bool,
}

impl Database {
    /// Does one thing to one record.
    ///
    /// # Errors
    /// [`RowError`] as a row result reports it; nothing is written then.
    pub fn change(&mut self, change: &Change<'_>, by: &Author<'_>) -> Result<Saved, RowError> {
        match self.mishap(change) {
            Some(mishap) => Err(mishap),
            None => self.carry_out(change, by).map_err(to_nothing),
        }
    }

    fn carry_out(&mut self, change: &Change<'_>, by: &Author<'_>) -> Result<Saved, RowError> {
        let known = |id: RecordId| Saved { id, created: false };
        match *change {
            Change::Insert { object, record } => self.insert_one(object, record, by),
            Change::Update { object, record } => {
                let (id, rest) = self.named_by_id(object, record, "update")?;
                self.update(id, &rest, by).map(|()| known(id))
            }
            Change::Upsert { object, key, record } => match self.named_by_key(object, key, record)? {
                None => self.insert_one(object, record, by),
                Some((id, rest)) => self.update(id, &rest, by).map(|()| known(id)),
            },
            Change::UpdateByKey { object, key, record } => {
                let (id, rest) = self.named_by_key(object, key, record)?.ok_or_else(RowError::not_found)?;
                self.update(id, &rest, by).map(|()| known(id))
            }
            Change::Delete { id } => self.delete(id, by).map(|()| known(id)),
            Change::HardDelete { id } => {
                self.check_deletable(id, by)?;
                self.purge(id, by.at).map(|()| known(id))
            }
            Change::Undelete { id } => self.undelete(id, by).map(|()| known(id)),
        }
    }

    /// Does many things, one after the other. With `all_or_none`, the first refusal undoes all of them, and the others
    /// are told so.
    pub fn change_all(
        &mut self,
        changes: &[Change<'_>],
        all_or_none: bool,
        by: &Author<'_>,
    ) -> Vec<Result<Saved, RowError>> {
        if !all_or_none {
            return changes.iter().map(|change| self.change(change, by)).collect();
        }
        let written = self.written.clone();
        let (results, undo) =
            self.recording(|database| changes.iter().map(|change| database.change(change, by)).collect::<Vec<_>>());
        if results.iter().all(Result::is_ok) {
            return results;
        }
        self.take_back(undo);
        self.written = written;
        results.into_iter().map(|result| Err(result.err().unwrap_or_else(rolled_back))).collect()
    }

    /// What somebody has arranged to go wrong with a change.
    fn mishap(&self, change: &Change<'_>) -> Option<RowError> {
        let mishap = self.mishaps.0.as_ref()?;
        let of = |id: RecordId| self.current.schema.find_prefix(id.prefix()).map(|(_, object)| object.name.clone());
        let (verb, object) = match *change {
            Change::Insert { object, .. } => ("INSERT", Some(object.to_owned())),
            Change::Update { object, .. } | Change::UpdateByKey { object, .. } => ("UPDATE", Some(object.to_owned())),
            Change::Upsert { object, .. } => ("UPSERT", Some(object.to_owned())),
            Change::Delete { id } | Change::HardDelete { id } => ("DELETE", of(id)),
            Change::Undelete { id } => ("UNDELETE", of(id)),
        };
        mishap(&format!("{verb} {}", object.unwrap_or_default()))
    }

    fn insert_one(&mut self, object: &str, record: &Record, by: &Author<'_>) -> Result<Saved, RowError> {
        if entry(record, "Id").is_some_and(|(_, id)| !is_blank(id)) {
            let message = "cannot specify Id in an insert call";
            return Err(RowError::on(StatusCode::InvalidFieldForInsertUpdate, "Id", message));
        }
        self.insert(object, &without(record, "Id"), by).map(|id| Saved { id, created: true })
    }

    /// The record that another one names by a key, and the other fields; none when there is no such record yet.
    fn named_by_key(&self, object: &str, key: &str, record: &Record) -> Result<Option<(RecordId, Record)>, RowError> {
        if key.eq_ignore_ascii_case("Id") {
            let is_new = entry(record, "Id").is_none_or(|(_, id)| is_blank(id));
            return if is_new { Ok(None) } else { self.named_by_id(object, record, "update").map(Some) };
        }
        let (index, declared) = self.current.schema.find(object).ok_or_else(|| RowError::no_such_object(object))?;
        let (position, field) = key_field(declared, key)?;
        let value = entry(record, key).and_then(|(_, value)| key_text(value));
        let value = value.ok_or_else(|| {
            RowError::on(StatusCode::MissingArgument, &field.name, format!("{} not specified", field.name))
        })?;
        match self.current.find_by_text(index, position, &value).as_slice() {
            [] => Ok(None),
            [id] => Ok(Some((*id, without(&without(record, key), "Id")))),
            several => Err(several_found(&field.name, several)),
        }
    }

    /// The id that a record names itself by, and its other fields.
    fn named_by_id(&self, object: &str, record: &Record, call: &str) -> Result<(RecordId, Record), RowError> {
        let text = entry(record, "Id").and_then(|(_, id)| id.as_str()).filter(|id| !id.is_empty());
        let text = text
            .ok_or_else(|| RowError::new(StatusCode::MissingArgument, format!("Id not specified in an {call} call")))?;
        let malformed = || RowError::on(StatusCode::MalformedId, "Id", format!("malformed id {text}"));
        let id = RecordId::parse(text).map_err(|_| malformed())?;
        let (_, declared) = self.current.schema.find(object).ok_or_else(|| RowError::no_such_object(object))?;
        if declared.key_prefix != Some(id.prefix()) {
            let message = format!("{} ID: id value of incorrect type: {text}", declared.label);
            return Err(RowError::on(StatusCode::MalformedId, "Id", message));
        }
        Ok((id, without(record, "Id")))
    }
}

impl Snapshot {
    /// The record that a nested object names: `"Owner": {"Username": "ada@acme.example"}`.
    pub(super) fn parent_named(&self, reference: &Field, named: &Record) -> Result<RecordId, RowError> {
        let typed = named.get("attributes").and_then(|attributes| attributes.get("type")).and_then(Json::as_str);
        let keys: Vec<(&String, &Json)> = named.iter().filter(|(name, _)| *name != "attributes").collect();
        let [(key, value)] = keys.as_slice() else {
            let message = format!("A record of {} is named by exactly one field", reference.name);
            return Err(RowError::new(StatusCode::InvalidField, message));
        };
        let mut targets =
            reference.reference_to.iter().filter(|name| typed.is_none_or(|t| t.eq_ignore_ascii_case(name)));
        let found = targets.find_map(|name| {
            let (index, object) = self.schema.find(name)?;
            object.find(key).is_some().then(|| (index, object.clone()))
        });
        let (index, object) = found.ok_or_else(|| RowError::no_such_column(key, &reference.reference_to.join(", ")))?;
        let (position, field) = key_field(&object, key)?;
        let text = key_text(value).unwrap_or_default();
        match self.find_by_key(index, position, field, &text).as_slice() {
            [id] => Ok(*id),
            [] => {
                let name = &object.name;
                let message =
                    format!("Foreign key external ID: {text} not found for field {} in entity {name}", field.name);
                Err(RowError::new(StatusCode::InvalidField, message))
            }
            several => Err(several_found(&field.name, several)),
        }
    }

    fn find_by_key(&self, object: ObjectIndex, position: FieldIndex, field: &Field, text: &str) -> Vec<RecordId> {
        if field.kind != FieldType::Id {
            return self.find_by_text(object, position, text);
        }
        let row = RecordId::parse(text).ok().and_then(|id| self.table(object).row(id));
        row.filter(|row| !row.is_deleted()).map(|row| row.id()).into_iter().collect()
    }
}

/// The field that records are looked up by.
fn key_field<'a>(object: &'a Object, name: &str) -> Result<(FieldIndex, &'a Field), RowError> {
    let usable = |field: &Field| field.external_id || field.id_lookup || field.kind == FieldType::Id;
    object.find(name).filter(|(_, field)| usable(field)).ok_or_else(|| {
        let message = format!("Field name provided, {name} is not an External ID or indexed field for {}", object.name);
        RowError::new(StatusCode::InvalidField, message)
    })
}

/// A record's entry of this name, whatever its case.
fn entry<'a>(record: &'a Record, name: &str) -> Option<(&'a String, &'a Json)> {
    record.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))
}

fn without(record: &Record, name: &str) -> Record {
    let others = record.iter().filter(|(key, _)| !key.eq_ignore_ascii_case(name));
    others.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn is_blank(value: &Json) -> bool {
    matches!(value, Json::Null) || value.as_str().is_some_and(str::is_empty)
}

fn key_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn several_found(field: &str, ids: &[RecordId]) -> RowError {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let message = format!("{field}: more than one record found for external id field: [{}]", ids.join(", "));
    RowError::on(StatusCode::DuplicateExternalId, field, message)
}

/// A record that does not exist is a reference to nothing. Source: field reports of collections, Bulk and SOAP.
fn to_nothing(error: RowError) -> RowError {
    match error.status_code {
        StatusCode::NotFound => RowError::new(StatusCode::InvalidCrossReferenceKey, "invalid cross reference id"),
        _ => error,
    }
}

/// Source: REST API guide v66, "sObject Collections".
pub(crate) fn rolled_back() -> RowError {
    let message = "Record rolled back because not all records were valid and the request was using AllOrNone header";
    RowError::new(StatusCode::AllOrNoneOperationRolledBack, message)
}
