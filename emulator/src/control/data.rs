//! Changes to an org's records and objects, past its permissions.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Control, Writer};
use crate::database::{Author, Database, Record, RowError, Snapshot};
use crate::ids::{MalformedId, RecordId};
use crate::scenario::ScenarioError;
use crate::schema::{FullAccess, SchemaError};
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
    /// The configuration cannot be changed so.
    #[error(transparent)]
    Setup(#[from] ScenarioError),
}

impl Control {
    /// The data as it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.org.snapshot()
    }

    /// The records of an object outside the recycle bin, with all their fields, in id order.
    pub fn records(&self, object: &str) -> Vec<Record> {
        self.org.whole_view(object).live_records(object)
    }

    /// The records of an object in the recycle bin, with all their fields, in id order.
    pub fn binned_records(&self, object: &str) -> Vec<Record> {
        self.snapshot().binned_records(object)
    }

    /// Changes records as the org's first user, past all permissions, stamped with the emulated time.
    pub fn write<T>(&self, change: impl FnOnce(&mut Database, &Author<'_>) -> T) -> T {
        self.write_at(None, change)
    }

    pub(super) fn write_at<T>(
        &self,
        at: Option<DateTime<Utc>>,
        change: impl FnOnce(&mut Database, &Author<'_>) -> T,
    ) -> T {
        let user = self.org.user_id("");
        self.org.write(|database, now| {
            let at = at.map_or(now, Timestamp::from);
            change(database, &Author { user, at, access: &FullAccess })
        })
    }

    /// Writes with the emulated time as the stamp, for all to see at once.
    pub fn writer(&self) -> Writer {
        Writer { control: self.clone(), at: None, transaction: None }
    }

    /// Writes with the stamp of another time, for all to see at once, as a transaction that commits late.
    pub fn writer_at(&self, at: DateTime<Utc>) -> Writer {
        Writer { at: Some(at), ..self.writer() }
    }

    /// Inserts a record and returns its id.
    ///
    /// # Errors
    /// When the org refuses the record.
    pub fn insert(&self, object: &str, fields: Value) -> Result<RecordId, ControlError> {
        self.writer().insert(object, fields)
    }

    /// Inserts a record that shows from now on but is stamped with another time, as a transaction that commits late.
    ///
    /// # Errors
    /// As [`Control::insert`].
    pub fn insert_at(&self, object: &str, fields: Value, at: DateTime<Utc>) -> Result<RecordId, ControlError> {
        self.writer_at(at).insert(object, fields)
    }

    /// Changes fields of a record.
    ///
    /// # Errors
    /// When there is no such record or the org refuses the change.
    pub fn update(&self, id: &str, fields: Value) -> Result<(), ControlError> {
        self.writer().update(id, fields)
    }

    /// Changes fields of a record with the stamp of another time.
    ///
    /// # Errors
    /// As [`Control::update`].
    pub fn update_at(&self, id: &str, fields: Value, at: DateTime<Utc>) -> Result<(), ControlError> {
        self.writer_at(at).update(id, fields)
    }

    /// Moves a record to the recycle bin, or removes it for good when its object has none.
    ///
    /// # Errors
    /// When there is no such record outside the bin.
    pub fn delete(&self, id: &str) -> Result<(), ControlError> {
        self.writer().delete(id)
    }

    /// Takes a record back from the recycle bin.
    ///
    /// # Errors
    /// When it is not there.
    pub fn undelete(&self, id: &str) -> Result<(), ControlError> {
        self.writer().undelete(id)
    }

    /// Removes a record for good.
    ///
    /// # Errors
    /// When there is no such record.
    pub fn purge(&self, id: &str) -> Result<(), ControlError> {
        self.writer().purge(id)
    }

    /// Merges one or two records into a master: they are deleted, and what referred to them refers to the master.
    ///
    /// # Errors
    /// When the object is not Account, Contact, Lead or Case, or a record is missing.
    pub fn merge(&self, master: &str, losers: &[&str]) -> Result<(), ControlError> {
        self.writer().merge(master, losers, json!({}))
    }

    /// Archives a Task or an Event: from now on queryAll alone shows it.
    ///
    /// # Errors
    /// When there is no such record, or its object is not archived.
    pub fn archive(&self, id: &str) -> Result<(), ControlError> {
        self.writer().archive(id)
    }

    /// Empties the recycle bin of every object of what went there more than `age` ago, and says how many rows that were.
    pub fn empty_recycle_bin(&self, age: Duration) -> u64 {
        self.write(|database, author| {
            // What was deleted in this very second counts as deleted before now.
            let until = Timestamp(author.at.0.saturating_add(1000).saturating_sub(millis(age)));
            let objects = 0..database.schema().objects().len();
            objects.map(|object| database.empty_recycle_bin(object, until)).sum()
        })
    }

    /// Cuts the delete log of an object off: getDeleted reports no deletion before `until`, and says so by
    /// `earliestDateAvailable`.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn trim_delete_log(&self, object: &str, until: DateTime<Utc>) -> Result<(), ControlError> {
        self.write(|database, _| {
            let unknown = || SchemaError::UnknownObject { name: object.to_owned() };
            let (index, _) = database.schema().find(object).ok_or_else(unknown)?;
            database.trim_delete_log(index, Timestamp::from(until));
            Ok(())
        })
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

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn record(fields: Value) -> Result<Record, ControlError> {
    match fields {
        Value::Object(record) => Ok(record),
        other => Err(ControlError::NotAnObject(other)),
    }
}
