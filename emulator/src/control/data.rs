//! Changes to an org's records and objects, past its permissions.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Control;
use crate::database::{Author, Database, Record, RowError, Snapshot};
use crate::ids::{MalformedId, RecordId};
use crate::schema::{FieldSpec, FullAccess, ObjectSpec, SchemaError};
use crate::tree::{TreeError, TreeLoader, Unknown};
use crate::value::Timestamp;

/// Why a change was refused.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The fields of a record are a JSON object.
    #[error("the fields of a record are a JSON object, and this is {0}")]
    NotAnObject(Value),
    /// The org refuses the row, as it would refuse it to a client with every right.
    #[error("{}: {}", .0.status_code.as_str(), .0.message)]
    Row(#[from] RowError),
    /// The text is not a record id.
    #[error(transparent)]
    Id(#[from] MalformedId),
    /// The object or field cannot be declared.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The records of a tree cannot be loaded.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl Control {
    /// The data as it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.org.snapshot()
    }

    /// Changes records as the org's first user, past all permissions, stamped with the emulated time.
    pub fn write<T>(&self, change: impl FnOnce(&mut Database, &Author<'_>) -> T) -> T {
        self.write_at(None, change)
    }

    fn write_at<T>(&self, at: Option<DateTime<Utc>>, change: impl FnOnce(&mut Database, &Author<'_>) -> T) -> T {
        let user = self.org.user_id("");
        self.org.write(|database, now| {
            let at = at.map_or(now, Timestamp::from);
            change(database, &Author { user, at, access: &FullAccess })
        })
    }

    /// Inserts a record and returns its id.
    ///
    /// # Errors
    /// When the org refuses the record.
    pub fn insert(&self, object: &str, fields: Value) -> Result<RecordId, ControlError> {
        let record = record(fields)?;
        Ok(self.write(|database, author| database.insert(object, &record, author))?)
    }

    /// Inserts a record that shows from now on but is stamped with another time, as a transaction that commits late.
    ///
    /// # Errors
    /// As [`Control::insert`].
    pub fn insert_at(&self, object: &str, fields: Value, at: DateTime<Utc>) -> Result<RecordId, ControlError> {
        let record = record(fields)?;
        Ok(self.write_at(Some(at), |database, author| database.insert(object, &record, author))?)
    }

    /// Changes fields of a record.
    ///
    /// # Errors
    /// When there is no such record or the org refuses the change.
    pub fn update(&self, id: &str, fields: Value) -> Result<(), ControlError> {
        let (id, record) = (RecordId::parse(id)?, record(fields)?);
        Ok(self.write(|database, author| database.update(id, &record, author))?)
    }

    /// Changes fields of a record with the stamp of another time.
    ///
    /// # Errors
    /// As [`Control::update`].
    pub fn update_at(&self, id: &str, fields: Value, at: DateTime<Utc>) -> Result<(), ControlError> {
        let (id, record) = (RecordId::parse(id)?, record(fields)?);
        Ok(self.write_at(Some(at), |database, author| database.update(id, &record, author))?)
    }

    /// Moves a record to the recycle bin.
    ///
    /// # Errors
    /// When there is no such record outside the bin.
    pub fn delete(&self, id: &str) -> Result<(), ControlError> {
        let id = RecordId::parse(id)?;
        Ok(self.write(|database, author| database.delete(id, author))?)
    }

    /// Takes a record back from the recycle bin.
    ///
    /// # Errors
    /// When it is not there.
    pub fn undelete(&self, id: &str) -> Result<(), ControlError> {
        let id = RecordId::parse(id)?;
        Ok(self.write(|database, author| database.undelete(id, author))?)
    }

    /// Removes a record for good.
    ///
    /// # Errors
    /// When there is no such record.
    pub fn purge(&self, id: &str) -> Result<(), ControlError> {
        let id = RecordId::parse(id)?;
        Ok(self.write(|database, author| database.purge(id, author.at))?)
    }

    /// Adds an object.
    ///
    /// # Errors
    /// When its name is taken or the declaration makes no sense.
    pub fn declare_object(&self, spec: &ObjectSpec) -> Result<(), ControlError> {
        self.write(|database, _| database.declare(spec))?;
        self.org.note_schema_change();
        Ok(())
    }

    /// Adds a field to an object.
    ///
    /// # Errors
    /// When the object is unknown, the name taken or the declaration makes no sense.
    pub fn declare_field(&self, object: &str, spec: &FieldSpec) -> Result<(), ControlError> {
        self.write(|database, _| database.declare_field(object, spec))?;
        self.org.note_schema_change();
        Ok(())
    }

    /// Loads the records of an sObject tree and returns their ids. Objects and fields that the org lacks are declared
    /// when `unknown` says so.
    ///
    /// # Errors
    /// For the first record that fails; those before it stay.
    pub fn load_tree(&self, records: &[Record], unknown: Unknown) -> Result<Vec<(String, RecordId)>, ControlError> {
        self.load(unknown, |loader| loader.load(records))
    }

    /// Loads the files of a tree plan.
    ///
    /// # Errors
    /// For the first file or record that fails; the records before it stay.
    pub fn load_plan(&self, plan: &Path, unknown: Unknown) -> Result<Vec<(String, RecordId)>, ControlError> {
        self.load(unknown, |loader| loader.load_plan(plan))
    }

    fn load(
        &self,
        unknown: Unknown,
        work: impl FnOnce(&mut TreeLoader<'_>) -> Result<(), TreeError>,
    ) -> Result<Vec<(String, RecordId)>, ControlError> {
        let inserted = self.write(|database, author| {
            let mut loader = TreeLoader::new(database, *author, unknown);
            work(&mut loader).map(|()| loader.into_inserted())
        });
        if unknown == Unknown::Declare {
            self.org.note_schema_change();
        }
        Ok(inserted?)
    }
}

fn record(fields: Value) -> Result<Record, ControlError> {
    match fields {
        Value::Object(record) => Ok(record),
        other => Err(ControlError::NotAnObject(other)),
    }
}
