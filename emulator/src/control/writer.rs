//! Writing records from outside: at once, with another time's stamp, or in a transaction that stays open.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::data::record;
use super::{Control, ControlError};
use crate::database::{Author, Database, OpenTransaction, RowError, TransactionId};
use crate::ids::RecordId;

/// Writes records of an org past all permissions, as its first user.
#[derive(Clone)]
pub struct Writer {
    pub(super) control: Control,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) transaction: Option<TransactionId>,
}

impl Writer {
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Database, &Author<'_>) -> Result<T, RowError>,
    ) -> Result<T, ControlError> {
        Ok(self.control.write_at(self.at, |database, author| match self.transaction {
            None => change(database, author),
            Some(id) => database.within(id, |inside| change(inside, author)),
        })?)
    }

    /// Inserts a record and returns its id.
    ///
    /// # Errors
    /// When the org refuses the record.
    pub fn insert(&self, object: &str, fields: Value) -> Result<RecordId, ControlError> {
        let record = record(fields)?;
        self.change(|database, author| database.insert(object, &record, author))
    }

    /// Changes fields of a record.
    ///
    /// # Errors
    /// When there is no such record, a transaction locks it, or the org refuses the change.
    pub fn update(&self, id: &str, fields: Value) -> Result<(), ControlError> {
        let (id, record) = (RecordId::parse(id)?, record(fields)?);
        self.change(|database, author| database.update(id, &record, author))
    }

    /// Moves a record to the recycle bin, or removes it for good when its object has none.
    ///
    /// # Errors
    /// When there is no such record outside the bin, or a transaction locks it.
    pub fn delete(&self, id: &str) -> Result<(), ControlError> {
        let id = RecordId::parse(id)?;
        self.change(|database, author| database.delete(id, author))
    }

    /// Takes a record back from the recycle bin, with the children that went there with it.
    ///
    /// # Errors
    /// When it is not there, or a transaction locks it.
    pub fn undelete(&self, id: &str) -> Result<(), ControlError> {
        let id = RecordId::parse(id)?;
        self.change(|database, author| database.undelete(id, author))
    }

    /// Removes a record for good.
    ///
    /// # Errors
    /// When there is no such record, or a transaction locks it.
    pub fn purge(&self, id: &str) -> Result<(), ControlError> {
        let id = RecordId::parse(id)?;
        self.change(|database, author| database.purge(id, author.at))
    }

    /// Merges one or two records into a master, into which `fields` are written.
    ///
    /// # Errors
    /// When the object is not Account, Contact, Lead or Case, a record is missing, or a transaction locks one of them.
    pub fn merge(&self, master: &str, losers: &[&str], fields: Value) -> Result<(), ControlError> {
        let (master, fields) = (RecordId::parse(master)?, record(fields)?);
        let losers = losers.iter().map(|id| RecordId::parse(id)).collect::<Result<Vec<_>, _>>()?;
        self.change(|database, author| database.merge(master, &losers, &fields, author))
    }

    /// Archives a Task or an Event: from now on queryAll alone shows it.
    ///
    /// # Errors
    /// When there is no such record, its object is not archived, or a transaction locks it.
    pub fn archive(&self, id: &str) -> Result<(), ControlError> {
        let id = RecordId::parse(id)?;
        self.change(|database, author| database.archive(id, author.at))
    }

    /// Moves `SystemModstamp` alone, as automation and mass operations of the system do.
    ///
    /// # Errors
    /// When there is no such record, or a transaction locks it.
    pub fn touch(&self, id: &str) -> Result<(), ControlError> {
        let id = RecordId::parse(id)?;
        self.change(|database, author| database.touch_system(id, author.at))
    }
}

impl Control {
    /// Opens a transaction. What is written in it by [`Control::in_transaction`] is stamped with the time of its statement
    /// and shows when it is committed, however much later. Meanwhile nobody else can write these records, and
    /// `latestDateCovered` of getUpdated and getDeleted goes no further than its start.
    pub fn begin(&self) -> TransactionId {
        self.write(|database, author| database.begin(author.at))
    }

    /// Writes in an open transaction.
    pub fn in_transaction(&self, id: TransactionId) -> Writer {
        Writer { transaction: Some(id), ..self.writer() }
    }

    /// Makes what a transaction has written visible.
    ///
    /// # Errors
    /// When there is no such transaction.
    pub fn commit(&self, id: TransactionId) -> Result<(), ControlError> {
        Ok(self.write(|database, _| database.commit(id))?)
    }

    /// Drops what a transaction has written.
    ///
    /// # Errors
    /// When there is no such transaction.
    pub fn roll_back(&self, id: TransactionId) -> Result<(), ControlError> {
        Ok(self.write(|database, _| database.roll_back(id))?)
    }

    /// The transactions that are open, oldest first.
    pub fn open_transactions(&self) -> Vec<OpenTransaction> {
        self.write(|database, _| database.open_transactions())
    }
}
