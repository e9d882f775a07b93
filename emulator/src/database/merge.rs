//! Merges: one record stays, others are deleted in its favour.

use super::person::person_contact;
use super::write::{set, set_at};
use super::{Author, Database, Record, RowError, Snapshot, StatusCode};
use crate::ids::RecordId;
use crate::schema::{FieldIndex, Object, ObjectIndex};
use crate::table::{IdRange, Row, StoredRow};
use crate::value::{Timestamp, Value};

/// Records that one merge may delete. Source: SOAP API guide v66, `merge()`.
const MAX_LOSERS: usize = 2;
const MASTER: &str = "MasterRecordId";

/// A row that refers to a record that is about to lose a merge, and by which fields.
struct Heir {
    object: ObjectIndex,
    references: Vec<FieldIndex>,
    row: StoredRow,
}

impl Database {
    /// Merges records into one: `fields` are written into the master, what referred to the others refers to the master and
    /// gets a new `SystemModstamp`, and the others go to the recycle bin with `MasterRecordId`.
    ///
    /// # Errors
    /// [`RowError`] when the object cannot be merged, a record is missing or locked, or there are none or too many to merge;
    /// nothing is written then.
    ///
    /// Source: SOAP API guide v66, `merge()`. That references move `SystemModstamp` alone is inferred.
    pub fn merge(
        &mut self,
        master: RecordId,
        losers: &[RecordId],
        fields: &Record,
        by: &Author<'_>,
    ) -> Result<(), RowError> {
        let (index, _) = self.stored(master)?;
        let object = self.current.schema.object(index).clone();
        self.check_merge(&object, master, losers)?;
        let persons = self.persons(&object, master, losers)?;
        let heirs = self.heirs(&object, master, losers);
        heirs.iter().try_for_each(|heir| self.check_unlocked(heir.row.id))?;
        self.update(master, fields, by)?;
        // Persons lose their contacts with themselves.
        if let Some((contact, others)) = persons {
            let declared = self.object_of(contact)?;
            let heirs = self.heirs(&declared, contact, &others);
            self.inherit(heirs, contact, &others, by)?;
        }
        let stays = |heir: &Heir| self.current.row(heir.row.id).is_some_and(|row| !row.is_deleted());
        let heirs = heirs.into_iter().filter(stays).collect();
        self.inherit(heirs, master, losers, by)
    }

    fn inherit(
        &mut self,
        heirs: Vec<Heir>,
        master: RecordId,
        losers: &[RecordId],
        by: &Author<'_>,
    ) -> Result<(), RowError> {
        self.keep_from_itself(master, losers)?;
        heirs.into_iter().for_each(|heir| self.bequeath(heir, master, by.at));
        losers.iter().try_for_each(|loser| self.lose(*loser, master, by.at))
    }

    fn object_of(&self, id: RecordId) -> Result<std::sync::Arc<Object>, RowError> {
        let (index, _) = self.stored(id)?;
        Ok(self.current.schema.object(index).clone())
    }

    /// The contacts of person accounts that are merged; `None` when they are businesses.
    fn persons(
        &self,
        object: &Object,
        master: RecordId,
        losers: &[RecordId],
    ) -> Result<Option<(RecordId, Vec<RecordId>)>, RowError> {
        let contact = |id: &RecordId| self.stored(*id).map(|(_, row)| person_contact(object, &row));
        let own = contact(&master)?;
        let others = losers.iter().map(contact).collect::<Result<Vec<_>, _>>()?;
        if others.iter().any(|other| other.is_some() != own.is_some()) {
            let message = "person accounts are merged with person accounts only";
            return Err(RowError::new(StatusCode::InvalidTypeForOperation, message));
        }
        Ok(own.map(|own| (own, others.into_iter().flatten().collect())))
    }

    fn check_merge(&self, object: &Object, master: RecordId, losers: &[RecordId]) -> Result<(), RowError> {
        if !object.is_mergeable() {
            let message = format!("entity type cannot be merged: {}", object.label);
            return Err(RowError::new(StatusCode::InvalidTypeForOperation, message));
        }
        let twice = losers.len() == 2 && losers[0] == losers[1];
        if !(1..=MAX_LOSERS).contains(&losers.len()) || twice || losers.contains(&master) {
            let message = "a merge names one or two records besides the master";
            return Err(RowError::new(StatusCode::InvalidFieldForInsertUpdate, message));
        }
        for id in losers.iter().chain([&master]) {
            if object.key_prefix != Some(id.prefix()) {
                return Err(RowError::on(StatusCode::MalformedId, "Id", format!("malformed id {id}")));
            }
            let (index, row) = self.live(*id)?;
            self.refuse_person_contact(index, &row)?;
        }
        Ok(())
    }

    /// The live rows that refer to one of the losers; neither the master nor a loser is among them.
    fn heirs(&self, object: &Object, master: RecordId, losers: &[RecordId]) -> Vec<Heir> {
        let mut heirs = Vec::new();
        for (index, child) in self.current.schema.objects().iter().enumerate() {
            let references = references_to(child, object);
            if references.is_empty() {
                continue;
            }
            let live = self.current.table(index).scan(IdRange::ALL).filter(|row| !row.is_deleted());
            for row in live.filter(|row| row.id() != master && !losers.contains(&row.id())) {
                let names = |field: &FieldIndex| names_any(&row.value(*field), losers);
                let references: Vec<FieldIndex> = references.iter().copied().filter(names).collect();
                if !references.is_empty() {
                    heirs.push(Heir { object: index, references, row: row.to_stored() });
                }
            }
        }
        heirs
    }

    fn bequeath(&mut self, heir: Heir, master: RecordId, at: Timestamp) {
        let Heir { object, references, row } = heir;
        // The row may have been changed since, as an heir of the person's contact.
        let mut row = self.current.row(row.id).map_or(row, |row| row.to_stored());
        references.into_iter().for_each(|field| set(&mut row.values, field, Value::Id(master)));
        let stamp = self.current.schema.object(object).audit().system_modstamp;
        set_at(&mut row.values, stamp, Value::DateTime(at.whole_seconds()));
        self.put(object, row);
    }

    /// A master whose own parent has lost does not become its own parent.
    fn keep_from_itself(&mut self, master: RecordId, losers: &[RecordId]) -> Result<(), RowError> {
        let (index, mut row) = self.live(master)?;
        let object = self.current.schema.object(index).clone();
        for field in references_to(&object, &object) {
            if row.values.get(field).is_some_and(|value| names_any(value, losers)) {
                set(&mut row.values, field, Value::Null);
            }
        }
        self.put(index, row);
        Ok(())
    }

    fn lose(&mut self, loser: RecordId, master: RecordId, at: Timestamp) -> Result<(), RowError> {
        let (index, mut row) = self.live(loser)?;
        let field = self.current.schema.object(index).find(MASTER).map(|(field, _)| field);
        set_at(&mut row.values, field, Value::Id(master));
        self.bin((index, row), at, None);
        Ok(())
    }
}

impl Snapshot {
    /// The live rows that refer to any of these records, which are of one object, in the order of their ids.
    #[must_use]
    pub fn referring_to(&self, ids: &[RecordId]) -> Vec<RecordId> {
        let Some((_, object)) = ids.first().and_then(|id| self.schema.find_prefix(id.prefix())) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (index, child) in self.schema.objects().iter().enumerate() {
            let references = references_to(child, object);
            if references.is_empty() {
                continue;
            }
            let live = self.table(index).scan(IdRange::ALL).filter(|row| !row.is_deleted());
            let refers = |row: &Row<'_>| references.iter().any(|field| names_any(&row.value(*field), ids));
            found.extend(live.filter(refers).map(|row| row.id()));
        }
        found.sort_unstable();
        found
    }
}

/// The references of one object to another, but for what a merge itself leaves behind.
fn references_to(child: &Object, parent: &Object) -> Vec<FieldIndex> {
    let fields = child.fields().iter().enumerate();
    let wanted = fields.filter(|(_, field)| field.name != MASTER && field.reference_to.contains(&parent.name));
    wanted.map(|(index, _)| index).collect()
}

fn names_any(value: &Value, ids: &[RecordId]) -> bool {
    matches!(value, Value::Id(id) if ids.contains(id))
}
