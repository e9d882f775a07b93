//! Transactions that stay open: their rows are stamped when a statement runs, and show at commit.
//!
//! Readers see nothing of an open transaction but that it is there: `latestDateCovered` of getUpdated and getDeleted goes no
//! further than its start. What it has written is locked for everybody else.
//!
//! Source: REST API guide, "Get a List of Updated Records"; `UNABLE_TO_LOCK_ROW` of the partner WSDL v66.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{Database, RowError, Snapshot, StatusCode};
use crate::ids::RecordId;
use crate::schema::ObjectIndex;
use crate::table::{Burial, StoredRow};
use crate::value::Timestamp;

/// Names an open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TransactionId(pub u64);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A transaction that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    pub id: TransactionId,
    pub started: Timestamp,
    /// The rows that it has written and locks.
    pub rows: usize,
}

/// What a transaction has written so far.
#[derive(Debug)]
pub(super) struct Staging {
    started: Timestamp,
    rows: BTreeMap<RecordId, Staged>,
}

/// A row as it will be after the commit.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    /// `None` when it is gone for good.
    pub(super) row: Option<StoredRow>,
    burial: Option<Burial>,
}

impl Snapshot {
    /// When the oldest transaction that is still open began.
    #[must_use]
    pub fn oldest_transaction(&self) -> Option<Timestamp> {
        self.oldest_transaction
    }
}

impl Database {
    /// Opens a transaction.
    pub fn begin(&mut self, at: Timestamp) -> TransactionId {
        self.last_transaction += 1;
        let id = TransactionId(self.last_transaction);
        self.open.insert(id, Staging { started: at, rows: BTreeMap::new() });
        self.note_oldest();
        id
    }

    /// The transactions that are open, oldest first.
    #[must_use]
    pub fn open_transactions(&self) -> Vec<OpenTransaction> {
        let described = |(id, staging): (&TransactionId, &Staging)| OpenTransaction {
            id: *id,
            started: staging.started,
            rows: staging.rows.len(),
        };
        self.open.iter().map(described).collect()
    }

    /// Runs a statement of an open transaction. It sees what is committed, and what the transaction has written.
    ///
    /// # Errors
    /// What the statement fails with; it then leaves nothing behind and the transaction stays open. `NOT_FOUND` when there
    /// is no such transaction.
    pub fn within<T>(
        &mut self,
        id: TransactionId,
        statement: impl FnOnce(&mut Database) -> Result<T, RowError>,
    ) -> Result<T, RowError> {
        let own = self.open.get(&id).ok_or_else(|| no_transaction(id))?;
        let mut inside = Self::over(self.current.clone(), self.seed);
        inside.locked = self.locked.iter().filter(|row| !own.rows.contains_key(row)).copied().collect();
        own.rows.iter().for_each(|(row, staged)| inside.apply_staged(*row, staged.clone()));
        inside.written = Some(BTreeSet::new());
        (inside.rules, inside.storage_megabytes) = (Arc::clone(&self.rules), self.storage_megabytes);
        (inside.duplicates, inside.mishaps) = (self.duplicates, self.mishaps.clone());
        let done = statement(&mut inside)?;
        let written = inside.written.take().unwrap_or_default();
        let staged: Vec<_> = written.into_iter().map(|row| (row, inside.staged(row))).collect();
        self.take_ordinals(&inside);
        self.locked.extend(staged.iter().map(|(row, _)| *row));
        if let Some(own) = self.open.get_mut(&id) {
            own.rows.extend(staged);
        }
        Ok(done)
    }

    /// Makes everything that a transaction has written visible, with the stamps that it has.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such transaction.
    pub fn commit(&mut self, id: TransactionId) -> Result<(), RowError> {
        let staging = self.close(id)?;
        staging.rows.into_iter().for_each(|(row, staged)| self.apply_staged(row, staged));
        Ok(())
    }

    /// Drops everything that a transaction has written.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such transaction.
    pub fn roll_back(&mut self, id: TransactionId) -> Result<(), RowError> {
        self.close(id).map(drop)
    }

    pub(super) fn check_unlocked(&self, id: RecordId) -> Result<(), RowError> {
        if !self.locked.contains(&id) {
            return Ok(());
        }
        let message = format!("unable to obtain exclusive access to this record or 1 records: {}", id.short());
        Err(RowError::new(StatusCode::UnableToLockRow, message))
    }

    fn close(&mut self, id: TransactionId) -> Result<Staging, RowError> {
        let staging = self.open.remove(&id).ok_or_else(|| no_transaction(id))?;
        staging.rows.keys().for_each(|row| {
            self.locked.remove(row);
        });
        self.note_oldest();
        Ok(staging)
    }

    fn note_oldest(&mut self) {
        self.current.oldest_transaction = self.open.values().map(|staging| staging.started).min();
    }

    pub(super) fn apply_staged(&mut self, id: RecordId, staged: Staged) {
        let Some((index, _)) = self.current.schema.find_prefix(id.prefix()) else { return };
        let table = self.table_mut(index);
        match staged.row {
            Some(row) => table.put(row),
            None => table.purge(id),
        }
        match staged.burial {
            Some(burial) => table.deletions.insert(id, burial),
            None => table.deletions.remove(&id),
        };
    }

    /// Changes the rows of an object that open transactions have written.
    pub(super) fn change_staged(&mut self, object: ObjectIndex, change: impl Fn(&mut StoredRow)) {
        let prefix = self.current.schema.object(object).key_prefix;
        let staged = self.open.values_mut().flat_map(|staging| &mut staging.rows);
        for (_, staged) in staged.filter(|(id, _)| prefix == Some(id.prefix())) {
            staged.row.iter_mut().for_each(&change);
        }
    }

    pub(super) fn staged(&self, id: RecordId) -> Staged {
        let table = self.current.schema.find_prefix(id.prefix()).map(|(index, _)| self.current.table(index));
        Staged {
            row: table.and_then(|table| table.row(id)).map(|row| row.to_stored()),
            burial: table.and_then(|table| table.deletions.get(&id)).copied(),
        }
    }

    /// Ids that a transaction has given away are not given away again, whatever becomes of it.
    fn take_ordinals(&mut self, inside: &Self) {
        for (index, theirs) in inside.current.tables.iter().enumerate() {
            if theirs.next_ordinal() > self.current.table(index).next_ordinal() {
                self.table_mut(index).skip_to(theirs.next_ordinal());
            }
        }
    }
}

fn no_transaction(id: TransactionId) -> RowError {
    RowError::new(StatusCode::NotFound, format!("there is no open transaction {id}"))
}
